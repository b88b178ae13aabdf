#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
//! Blobs in an object store: in memory, and over S3 with a server that is not ours.

use std::env;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chartseal_vault::{BlobId, BlobStore as _, ObjectBlobStore, S3, VaultError, conformance};
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;

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

/// A server that speaks S3: <https://github.com/getmoto/moto>. It ends with this.
struct Server(Child, u16);

impl Server {
    /// `None`, and it is said, where it is not installed.
    fn start() -> Option<Self> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let program = target.join("s3/venv/bin/moto_server");
        if !program.exists() {
            let required = env::var_os("CI").is_some_and(|set| set == "true");
            let program = program.display();
            assert!(!required, "`cargo xtask test` installs {program}");
            eprintln!("not run: {program} is missing; `cargo xtask test` installs it");
            return None;
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self(child, port);
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(server);
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the server does not start");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The tests below are run by this one, in a process that has credentials in its environment.
#[test]
fn s3_holds_what_the_trait_promises_and_a_server_that_is_gone_is_an_error() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let child = |test: &str| {
        let ran = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", test])
            .env("AWS_ACCESS_KEY_ID", "a key")
            .env("AWS_SECRET_ACCESS_KEY", "its secret")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("CHARTSEAL_S3", format!("http://127.0.0.1:{}", server.1))
            .output()
            .unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(ran.status.success(), "{said}");
        assert!(!said.contains("its secret"), "{said}");
    };
    // The bucket is the operator's to make.
    let made = Command::new("curl")
        .args(["--silent", "--fail", "-X", "PUT"])
        .arg(format!("http://127.0.0.1:{}/ciphertext", server.1))
        .status()
        .unwrap();
    assert!(made.success());
    child("s3_child");
    server.0.kill().unwrap();
    server.0.wait().unwrap();
    child("gone_child");
}

fn place() -> S3 {
    S3 {
        bucket: "ciphertext".into(),
        folder: "an organization".into(),
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
    let _: PathBuf = PathBuf::new();
}
