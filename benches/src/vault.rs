//! A vault on an object store, beside that store alone: the same bytes, in and out.

use std::error::Error;
use std::sync::Arc;

use chartseal_vault::{BlobId, BlobStore as _, GROUP, ObjectBlobStore, Outboard, VaultError};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, WriteMultipart};

use crate::figure::{median, time};
use crate::{Figure, Required};

/// What [`rates`] measures.
pub const RATES: [&str; 3] = ["vault/put", "vault/get", "vault/get-hashing"];

const LEN: u64 = 256 << 20;
const ROUNDS: usize = 7;
/// How much is asked for at a time, as an app does.
const STEP: usize = 4 << 20;

/// A body of 256 MiB, streamed into a vault on `object_store`'s local store and out again in verified parts of 4 MiB,
/// beside the same store's own multipart upload and ranges.
///
/// # Errors
/// If a store fails.
pub fn rates() -> Result<Vec<Figure>, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(dir.path())?);
    let vault = ObjectBlobStore::new(Arc::clone(&store), "vault")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let byte = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0];
    let body: Vec<u8> = (0..LEN).map(byte).collect();
    let id = BlobId::of(&body);
    let bare = Path::from("bare");
    let (mut put, mut get, mut hashing): (Vec<_>, Vec<_>, Vec<_>) = Default::default();
    for _ in 0..ROUNDS {
        let mut failed = Vec::new();
        let ours = time(|| failed.extend(vault.put_stream(&id, &mut body.as_slice()).err()));
        let theirs = time(|| runtime.block_on(write(store.as_ref(), &bare, &body)));
        put.push((ours, theirs));
        let outboard = Outboard::read(&vault, &id)?.ok_or("the blob is gone")?;
        let mut len = 0;
        let ours = time(|| {
            let read = outboard.for_each(&vault, 0..LEN, |part| {
                len += part.len() as u64;
                Ok::<_, VaultError>(())
            });
            failed.extend(read.err());
        });
        if len != LEN {
            return Err("not all of the blob came".into());
        }
        let theirs = time(|| runtime.block_on(read(store.as_ref(), &bare)));
        get.push((ours, theirs));
        let mut is_it = false;
        let hashed = time(|| is_it = BlobId::of(&body) == id);
        if !is_it {
            return Err("the body has another id".into());
        }
        hashing.push((ours, hashed));
        vault.delete(&[id])?;
        runtime.block_on(store.delete(&bare))?;
        if let Some(error) = failed.pop() {
            return Err(error.into());
        }
    }
    let store = "object_store's local file system alone";
    let others = [
        store,
        store,
        "BLAKE3 of the bytes, in memory, by one thread",
    ];
    let figures = RATES.into_iter().zip(others).zip([put, get, hashing]);
    Ok(figures
        .map(|((id, other), times)| {
            let (ours, theirs) = times.into_iter().unzip();
            Figure {
                id,
                ours: median(ours),
                theirs: median(theirs),
                other,
                unit: "ns",
                required: Some(Required::Faster(0.8)),
            }
        })
        .collect())
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
async fn read(store: &dyn ObjectStore, path: &Path) -> object_store::Result<u64> {
    let mut len = 0;
    for from in (0..LEN).step_by(STEP) {
        len += store.get_range(path, from..from + STEP as u64).await?.len() as u64;
    }
    Ok(len)
}
