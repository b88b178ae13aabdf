//! A vault on an object store, beside that store alone: the same bytes, in and out.

use std::error::Error;
use std::fs::{File, read_dir};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chartseal_vault::{BlobId, BlobStore as _, GROUP, ObjectBlobStore, Outboard, VaultError};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};
use rustix::fs::{Advice, fadvise};
use tokio::runtime::Runtime;

use crate::figure::median;
use crate::{Figure, Required};

#[allow(clippy::unwrap_used, clippy::panic, reason = "of tests")]
#[path = "../../crates/chartseal-vault/tests/s3/server.rs"]
mod server;

/// What [`rates`] measures.
pub const RATES: [&str; 6] = [
    "vault/put",
    "vault/get",
    "vault/get-hashing",
    "vault/get-disk",
    "vault/put-s3",
    "vault/get-s3",
];

const LEN: u64 = 256 << 20;
/// Of what goes to a server and comes from there.
const SENT: u64 = 64 << 20;
const ROUNDS: usize = 7;
/// How much is asked for at a time, as an app does.
const STEP: usize = 4 << 20;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The vault's times, beside the bare store's.
#[derive(Default)]
struct Times {
    put: Vec<(Duration, Duration)>,
    get: Vec<(Duration, Duration)>,
    /// To hash the body in memory.
    hash: Vec<Duration>,
}

/// A body of 256 MiB, streamed into a vault on `object_store`'s local store and out again in verified parts of 4 MiB,
/// beside the same store's own multipart upload and ranges: out of the page cache, and off the disk. And 64 MiB the same
/// way with an S3 server on loopback, where `cargo xtask test` has installed one.
///
/// # Errors
/// If a store fails.
pub fn rates() -> Result<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let files: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(dir.path())?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let byte = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
    let body: Vec<u8> = (0..LEN).map(byte).collect();
    let cached = measured(&files, &runtime, &body, || Ok(()))?;
    let cold = measured(&files, &runtime, &body, || forget(dir.path()))?;
    let hashing = cached.get.iter().map(|(ours, _)| *ours);
    let hashing = hashing.zip(cached.hash).collect();

    let store = "object_store's local file system alone";
    let hash = "BLAKE3 of the bytes, in memory, by one thread";
    let [put, get, get_hashing, get_disk, put_s3, get_s3] = RATES;
    let mut figures = vec![
        figure(put, cached.put, store),
        figure(get, cached.get, store),
        figure(get_hashing, hashing, hash),
        figure(get_disk, cold.get, store),
    ];
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).ok_or("no target folder")?;
    if let Some(server) = server::Server::start(target) {
        server.make_bucket("ciphertext");
        let bucket = AmazonS3Builder::new()
            .with_endpoint(format!("http://127.0.0.1:{}", server.port()))
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_access_key_id("a key")
            .with_secret_access_key("its secret")
            .with_bucket_name("ciphertext");
        let bucket: Arc<dyn ObjectStore> = Arc::new(bucket.build()?);
        let sent = body.get(..usize::try_from(SENT)?).ok_or("no such part")?;
        let sent = measured(&bucket, &runtime, sent, || Ok(()))?;
        let store = "object_store's S3 client alone, with the same server";
        figures.push(figure(put_s3, sent.put, store));
        figures.push(figure(get_s3, sent.get, store));
    }
    Ok(figures)
}

fn figure(id: &'static str, times: Vec<(Duration, Duration)>, other: &'static str) -> Figure {
    let (ours, theirs) = times.into_iter().unzip();
    Figure {
        id,
        ours: median(ours),
        theirs: median(theirs),
        other,
        unit: "ns",
        required: Some(Required::Faster(0.8)),
    }
}

/// Writes a body and reads it, by the vault and without, in turns, with something done before each reading of both.
fn measured(
    store: &Arc<dyn ObjectStore>,
    runtime: &Runtime,
    body: &[u8],
    before: impl Fn() -> Result<()>,
) -> Result<Times> {
    let vault = ObjectBlobStore::new(Arc::clone(store), "vault")?;
    let (bare, id) = (Path::from("bare"), BlobId::of(body));
    let all = 0..body.len() as u64;
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        let (ours, ()) = timed(|| vault.put_stream(&id, &mut &*body))?;
        let (theirs, ()) = timed(|| runtime.block_on(write(store.as_ref(), &bare, body)))?;
        times.put.push((ours, theirs));

        let outboard = Outboard::read(&vault, &id)?.ok_or("the blob is gone")?;
        before()?;
        let mut len = 0;
        let (ours, _) = timed(|| {
            outboard.for_each(&vault, all.clone(), |part| {
                len += part.len() as u64;
                Ok::<_, VaultError>(())
            })
        })?;
        let (theirs, bare_len) = timed(|| runtime.block_on(read(store.as_ref(), &bare, all.end)))?;
        if (len, bare_len) != (all.end, all.end) {
            return Err("not all of the blob came".into());
        }
        times.get.push((ours, theirs));
        let (hash, hashed) = timed(|| Ok::<_, VaultError>(BlobId::of(body)))?;
        if hashed != id {
            return Err("a body has two hashes".into());
        }
        times.hash.push(hash);
        vault.delete(&[id])?;
        runtime.block_on(store.delete(&bare))?;
    }
    Ok(times)
}

/// How long something took, and what it gave.
fn timed<T, E>(
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<(Duration, T), E> {
    let begun = Instant::now();
    let done = work();
    Ok((begun.elapsed(), done?))
}

/// Has the system forget what it keeps in memory of a folder's files.
fn forget(dir: &FilePath) -> Result<()> {
    for entry in read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            forget(&path)?;
        } else {
            let file = File::open(path)?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// As `ObjectBlobStore` has it written.
async fn write(store: &dyn ObjectStore, path: &Path, body: &[u8]) -> object_store::Result<()> {
    let mut parts = WriteMultipart::new(store.put_multipart(path).await?);
    for some in body.chunks(GROUP) {
        parts.wait_for_capacity(4).await?;
        parts.write(some);
    }
    parts.finish().await.map(drop)
}

/// As it has parts read.
async fn read(store: &dyn ObjectStore, path: &Path, all: u64) -> object_store::Result<u64> {
    let mut len = 0;
    for from in (0..all).step_by(STEP) {
        len += store.get_range(path, from..from + STEP as u64).await?.len() as u64;
    }
    Ok(len)
}
