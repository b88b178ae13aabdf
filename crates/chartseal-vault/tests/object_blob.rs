#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
//! Blobs in an object store: in memory, and over S3 with a server that is not ours.

#[path = "s3/server.rs"]
mod server;

use std::env;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use chartseal_vault::{BlobId, BlobStore as _, ObjectBlobStore, S3, VaultError, conformance};
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use server::Server;

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn object(folder: &str, id: &BlobId) -> object_store::path::Path {
    format!("{folder}/{}/{id}.blob", &id.to_string()[..2]).into()
}

#[test]
fn an_object_store_holds_what_the_trait_promises() {
    let store = ObjectBlobStore::new(Arc::new(InMemory::new()), "a/b").unwrap();
    conformance::blob_store(&store).unwrap();
}

#[test]
fn a_store_that_changes_a_blob_is_found_out_and_a_put_mends_it() {
    let objects = Arc::new(InMemory::new());
    let store = ObjectBlobStore::new(Arc::clone(&objects) as Arc<_>, "ours").unwrap();
    let id = store.put(b"ciphertext").unwrap();
    let at = object("ours", &id);
    wait(objects.put(&at, b"other".to_vec().into())).unwrap();
    let refused = store.get(&id).unwrap_err();
    assert!(matches!(refused, VaultError::Damaged { .. }), "{refused}");
    store.put(b"ciphertext").unwrap();
    assert_eq!(store.get(&id).unwrap().unwrap(), b"ciphertext");
    // Another's folder in the same store is another's, and other names are left alone.
    let other = ObjectBlobStore::new(Arc::clone(&objects) as Arc<_>, "theirs").unwrap();
    assert_eq!(
        (other.get(&id).unwrap(), other.ids().unwrap()),
        (None, vec![])
    );
    let stray = object_store::path::Path::from("ours/readme.txt");
    wait(objects.put(&stray, b"hello".to_vec().into())).unwrap();
    assert_eq!(store.ids().unwrap(), [id]);
}

/// As what comes from another organization does.
struct Waiting<'a>(&'a [u8]);

impl Read for Waiting<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        wait(async { self.0.read(to) })
    }
}

#[test]
fn a_stream_may_come_from_where_another_runtime_is_waited_for() {
    let store = ObjectBlobStore::new(Arc::new(InMemory::new()), "ours").unwrap();
    let (id, bytes) = long();
    store.put_stream(&id, &mut Waiting(&bytes)).unwrap();
    assert_eq!(store.get(&id).unwrap().unwrap(), bytes);
}

/// The tests below are run by this one, in a process that has credentials in its environment.
#[test]
fn s3_holds_what_the_trait_promises_and_a_server_that_is_gone_is_an_error() {
    let Some(mut server) = Server::start(target()) else {
        return;
    };
    let port = server.port();
    // The bucket is the operator's to make.
    server.make_bucket("ciphertext");
    run(port, "s3_child");
    server.stop();
    run(port, "gone_child");
}

/// The server above takes any credentials; this one checks every signature (AWS's version 4).
#[test]
fn a_bucket_is_asked_with_signatures_that_a_server_checks_and_a_wrong_secret_is_an_error() {
    let Some(server) = Server::start(target()) else {
        return;
    };
    server.make_bucket("ciphertext");
    let (id, secret) = server.close();
    let signing = |test: &str, id: &str, secret: &str| {
        let mut child = child(server.port(), test);
        child.env("AWS_ACCESS_KEY_ID", id);
        // This server takes a space for a plus sign when it checks a signature.
        child.env(FOLDER, "organization");
        let ran = child.env("AWS_SECRET_ACCESS_KEY", secret).output();
        succeeded_without(ran.unwrap(), secret);
    };
    signing("s3_child", &id, &secret);
    signing("refused_child", &id, "its secret");
    signing("refused_child", "AKIANOBODYSKEY", &secret);
}

#[test]
#[ignore = "a child of the test above"]
fn refused_child() {
    let store = ObjectBlobStore::s3(&place()).unwrap();
    for refused in [
        store.put(b"x").map(drop).unwrap_err(),
        store.get(&BlobId::of(b"x")).map(drop).unwrap_err(),
    ] {
        let said = refused.to_string();
        assert!(said.contains("the object store"), "{said}");
        println!("{said}");
    }
}

#[test]
fn an_upload_that_ends_in_its_middle_leaves_nothing_and_is_made_again() {
    let Some(mut server) = Server::start(target()) else {
        return;
    };
    let port = server.port();
    server.make_bucket("ciphertext");
    // The client is gone; the server has some of the parts.
    let mut client = half_way(port);
    client.kill().unwrap();
    client.wait().unwrap();
    run(port, "whole_child");
    // The server is gone.
    let mut client = half_way(port);
    server.stop();
    client.stdin.take().unwrap().write_all(b"\n").unwrap();
    succeeded(client.wait_with_output().unwrap());
}

/// A process that puts a blob and waits, when half of it is read, to be told to go on.
fn half_way(port: u16) -> Child {
    let mut client = child(port, "half_child");
    client.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = client.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(client.stdout.as_mut().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains(HALF)));
    client
}

fn child(port: u16, test: &str) -> Command {
    let mut child = Command::new(env::current_exe().unwrap());
    child
        .args(["--ignored", "--exact", "--nocapture", test])
        .env("AWS_ACCESS_KEY_ID", "a key")
        .env("AWS_SECRET_ACCESS_KEY", "its secret")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("CHARTSEAL_S3", format!("http://127.0.0.1:{port}"));
    child
}

fn run(port: u16, test: &str) {
    succeeded(child(port, test).output().unwrap());
}

fn succeeded(ran: Output) {
    succeeded_without(ran, "its secret");
}

fn succeeded_without(ran: Output, secret: &str) {
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(ran.status.success(), "{said}");
    assert!(!said.contains(secret), "{said}");
}

const FOLDER: &str = "CHARTSEAL_S3_FOLDER";
const HALF: &str = "half of it is read";
/// Several parts of a multipart upload.
const LONG: usize = 32 << 20;

fn long() -> (BlobId, Vec<u8>) {
    let bytes: Vec<u8> = (0..251_u8).cycle().take(LONG).collect();
    (BlobId::of(&bytes), bytes)
}

/// Gives the first half, says so, and the second half only when it is told to.
struct Halting<'a> {
    first: &'a [u8],
    second: &'a [u8],
    waited: bool,
}

impl Read for Halting<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if !self.first.is_empty() {
            return self.first.read(to);
        }
        if !self.waited {
            self.waited = true;
            println!("{HALF}");
            io::stdin().read_line(&mut String::new())?;
        }
        self.second.read(to)
    }
}

#[test]
#[ignore = "a child of a test above"]
fn half_child() {
    let store = ObjectBlobStore::s3(&place()).unwrap();
    let (id, bytes) = long();
    let (first, second) = bytes.split_at(LONG / 2);
    let mut halting = Halting {
        first,
        second,
        waited: false,
    };
    let refused = store.put_stream(&id, &mut halting).unwrap_err();
    assert!(halting.waited);
    let said = refused.to_string();
    assert!(said.contains("the object store"), "{said}");
}

#[test]
#[ignore = "a child of a test above"]
fn whole_child() {
    let store = ObjectBlobStore::s3(&place()).unwrap();
    let (id, bytes) = long();
    assert_eq!(store.ids().unwrap(), []);
    assert_eq!(store.get(&id).unwrap(), None);
    store.put_stream(&id, &mut &bytes[..]).unwrap();
    assert_eq!(store.get(&id).unwrap().unwrap(), bytes);
    // What is there is not sent again, so the next test begins without it.
    store.delete(&[id]).unwrap();
}

fn place() -> S3 {
    S3 {
        bucket: "ciphertext".into(),
        folder: env::var(FOLDER).unwrap_or("an organization".into()),
        endpoint: Some(env::var("CHARTSEAL_S3").unwrap()),
        region: None,
    }
}

#[test]
#[ignore = "a child of the test above"]
fn s3_child() {
    let store = ObjectBlobStore::s3(&place()).unwrap();
    conformance::blob_store(&store).unwrap();
    let large = vec![7; 20 << 20];
    let id = store.put(&large).unwrap();
    // Another process sees it.
    let again = ObjectBlobStore::s3(&place()).unwrap();
    assert_eq!(again.get(&id).unwrap().unwrap(), large);
    assert_eq!(again.ids().unwrap(), [id]);
    let nowhere = S3 {
        bucket: "nobody-made-it".into(),
        ..place()
    };
    let refused = ObjectBlobStore::s3(&nowhere)
        .unwrap()
        .put(b"x")
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("cannot write a blob to the object store"),
        "{refused}"
    );
}

#[test]
#[ignore = "a child of the test above"]
fn gone_child() {
    let store = ObjectBlobStore::s3(&place()).unwrap();
    let id = BlobId::of(b"x");
    for refused in [
        store.put(b"x").unwrap_err(),
        store.get(&id).unwrap_err(),
        store.contains(&id).unwrap_err(),
        store.ids().unwrap_err(),
    ] {
        assert!(
            refused.to_string().contains("the object store"),
            "{refused}"
        );
    }
    let plain = S3 {
        endpoint: Some("http://192.0.2.1".into()),
        ..place()
    };
    // In the clear to another machine: not even tried.
    let refused = ObjectBlobStore::s3(&plain).unwrap().put(b"x").unwrap_err();
    assert!(
        refused.to_string().contains("the object store"),
        "{refused}"
    );
}
