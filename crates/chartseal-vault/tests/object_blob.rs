#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
//! Blobs in an object store: in memory, and over S3 with a server that is not ours.

#[path = "s3/server.rs"]
mod server;

use std::env;
use std::process::Command;
use std::sync::Arc;

use chartseal_vault::{BlobId, BlobStore as _, ObjectBlobStore, S3, VaultError, conformance};
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use server::Server;

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

/// The tests below are run by this one, in a process that has credentials in its environment.
#[test]
fn s3_holds_what_the_trait_promises_and_a_server_that_is_gone_is_an_error() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let port = server.port();
    let child = |test: &str| {
        let ran = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", test])
            .env("AWS_ACCESS_KEY_ID", "a key")
            .env("AWS_SECRET_ACCESS_KEY", "its secret")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("CHARTSEAL_S3", format!("http://127.0.0.1:{port}"))
            .output()
            .unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(ran.status.success(), "{said}");
        assert!(!said.contains("its secret"), "{said}");
    };
    // The bucket is the operator's to make.
    server.make_bucket("ciphertext");
    child("s3_child");
    server.stop();
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
}
