use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt as _, RetryConfig, WriteMultipart,
};
use tokio::runtime::{Builder, Runtime};

use crate::blob::{BlobId, BlobStore, Incoming, verified};
use crate::error::VaultError;

/// How many objects are asked for at a time.
const AT_ONCE: usize = 16;
/// How long one question may take, and how long it is asked again when the store is busy.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRIES: usize = 3;
/// How many parts of a stream are on their way at a time, of 5 MiB each.
const PARTS_AT_ONCE: usize = 4;
const WHAT: &str = "the object store";

/// Where an S3-compatible store keeps blobs. Who may is in the environment, as AWS's own programs have it:
/// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or a token's file, or the machine's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3 {
    /// The bucket.
    pub bucket: String,
    /// A folder in it.
    pub folder: String,
    /// The store's address, if it is not Amazon's: `https://s3.example`. Over plain HTTP on this machine alone.
    pub endpoint: Option<String>,
    /// The region, if the store has some.
    pub region: Option<String>,
}

/// A [`BlobStore`] in an object store: one object a blob, `ab/abcd….blob` in a folder that is one store's alone.
///
/// An object is there whole or not at all, once it is acknowledged. Every read is verified, so the store need not be
/// trusted: it can lose blobs, and not change them.
pub struct ObjectBlobStore {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    /// The store's connections live here; callers wait.
    runtime: Runtime,
}

impl ObjectBlobStore {
    /// The blobs in a folder of an object store. No other store may have that folder.
    ///
    /// # Errors
    /// [`VaultError::Io`] if the system gives no thread.
    pub fn new(store: Arc<dyn ObjectStore>, folder: &str) -> Result<Self, VaultError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("vault")
            .enable_all()
            .build()
            .map_err(VaultError::io("reach", WHAT, &PathBuf::from(folder)))?;
        Ok(Self {
            store,
            folder: Path::from(folder),
            runtime,
        })
    }

    /// The same in an S3-compatible store. Nothing is asked yet.
    ///
    /// # Errors
    /// [`VaultError::Io`] if what is said of it does not fit together.
    pub fn s3(place: &S3) -> Result<Self, VaultError> {
        let client = ClientOptions::new()
            .with_timeout(PATIENCE)
            .with_allow_http(place.endpoint.as_ref().is_some_and(|it| is_here(it)));
        let retry = RetryConfig {
            max_retries: RETRIES,
            retry_timeout: PATIENCE,
            ..RetryConfig::default()
        };
        let mut builder = AmazonS3Builder::from_env()
            .with_client_options(client)
            .with_retry(retry)
            .with_bucket_name(&place.bucket);
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(region) = &place.region {
            builder = builder.with_region(region);
        }
        let store = builder.build().map_err(|error| {
            let path = PathBuf::from(&place.bucket);
            VaultError::io("reach", WHAT, &path)(io::Error::other(error.to_string()))
        })?;
        Self::new(Arc::new(store), &place.folder)
    }

    fn path(&self, id: &BlobId) -> Path {
        let [first, ..] = id.0;
        let fan = self.folder.clone().join(format!("{first:02x}"));
        fan.join(format!("{id}.blob"))
    }

    fn failed(&self, action: &'static str) -> impl Fn(Error) -> VaultError + '_ {
        move |error| {
            let path = PathBuf::from(self.folder.as_ref());
            VaultError::io(action, WHAT, &path)(io::Error::other(error.to_string()))
        }
    }

    /// Does `each` to every id, some at a time.
    fn for_each<T, F>(
        &self,
        ids: &[BlobId],
        each: impl Fn(BlobId) -> F,
    ) -> Result<Vec<T>, VaultError>
    where
        F: Future<Output = Result<T, VaultError>>,
    {
        let all = iter(ids.iter().map(|id| each(*id))).buffered(AT_ONCE);
        self.runtime.block_on(all.try_collect())
    }

    async fn read(&self, id: BlobId) -> Result<Option<Vec<u8>>, VaultError> {
        let found = match self.store.get(&self.path(&id)).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            found => found.map_err(self.failed("read a blob from"))?,
        };
        let bytes = found
            .bytes()
            .await
            .map_err(self.failed("read a blob from"))?;
        verified(&id, bytes.into()).map(Some)
    }

    /// An object's bytes in parts, of which the store shows nothing until all are there.
    fn write(&self, id: &BlobId, from: &mut dyn Read) -> Result<(), VaultError> {
        let failed = || self.failed("write a blob to");
        let path = self.path(id);
        let upload = self.runtime.block_on(self.store.put_multipart(&path));
        let mut parts = WriteMultipart::new(upload.map_err(failed())?);
        let mut incoming = Incoming::of(from);
        let mut write = || {
            // Outside the runtime: what comes from another organization is waited for on one of its own.
            while let Some(some) = incoming.next()? {
                self.runtime.block_on(async {
                    let room = parts.wait_for_capacity(PARTS_AT_ONCE).await;
                    room.map_err(failed())?;
                    parts.put(some.into());
                    Ok::<(), VaultError>(())
                })?;
            }
            incoming.ends_as(id)
        };
        match write() {
            Ok(()) => {
                let finished = self.runtime.block_on(parts.finish());
                finished.map(drop).map_err(failed())
            }
            Err(why) => {
                // The store throws the parts away by itself some day, if it does not hear this.
                let _ = self.runtime.block_on(parts.abort());
                Err(why)
            }
        }
    }

    async fn some_of(&self, id: &BlobId, from: u64, len: usize) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(id);
        let wanted = from..from.saturating_add(len as u64);
        let failed = match self.store.get_range(&path, wanted.clone()).await {
            Ok(found) => return Ok(Some(found.into())),
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(failed) => failed,
        };
        // A store may refuse what goes on behind the object's end.
        match self.size(id).await? {
            None => Ok(None),
            Some(size) if wanted.end <= size => Err(failed),
            Some(size) if from >= size => Ok(Some(Vec::new())),
            Some(size) => Ok(Some(self.store.get_range(&path, from..size).await?.into())),
        }
    }

    async fn size(&self, id: &BlobId) -> Result<Option<u64>, Error> {
        match self.store.head(&self.path(id)).await {
            Ok(object) => Ok(Some(object.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn is_there(&self, id: BlobId) -> Result<bool, VaultError> {
        let size = self.size(&id).await.map_err(self.failed("read"))?;
        Ok(size.is_some())
    }
}

impl BlobStore for ObjectBlobStore {
    fn put_batch(&self, blobs: &[&[u8]]) -> Result<Vec<BlobId>, VaultError> {
        let ids: Vec<BlobId> = blobs.iter().map(|bytes| BlobId::of(bytes)).collect();
        let by_id: std::collections::BTreeMap<_, _> = ids.iter().copied().zip(blobs).collect();
        let once: Vec<BlobId> = by_id.keys().copied().collect();
        let there = self.for_each(&once, |id| async move {
            match self.read(id).await {
                Ok(found) => Ok(found.is_some()),
                Err(VaultError::Damaged { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        })?;
        let new = once.iter().zip(there).filter(|(_, there)| !there);
        let new: Vec<BlobId> = new.map(|(id, _)| *id).collect();
        let by_id = &by_id;
        let stored = self.for_each(&new, |id| async move {
            let bytes = by_id.get(&id).map_or_else(Vec::new, |bytes| bytes.to_vec());
            let put = self.store.put(&self.path(&id), bytes.into()).await;
            put.map(drop).map_err(self.failed("write a blob to"))
        });
        if let Err(error) = stored {
            // The first error is the one to report.
            let _ = self.delete(&new);
            return Err(error);
        }
        Ok(ids)
    }

    fn get(&self, id: &BlobId) -> Result<Option<Vec<u8>>, VaultError> {
        self.runtime.block_on(self.read(*id))
    }

    fn put_stream(&self, id: &BlobId, from: &mut dyn Read) -> Result<(), VaultError> {
        self.write(id, from)
    }

    fn len(&self, id: &BlobId) -> Result<Option<u64>, VaultError> {
        let size = self.runtime.block_on(self.size(id));
        size.map_err(self.failed("read"))
    }

    fn read_unverified(
        &self,
        id: &BlobId,
        from: u64,
        len: usize,
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let some = self.runtime.block_on(self.some_of(id, from, len));
        some.map_err(self.failed("read a blob from"))
    }

    fn contains(&self, id: &BlobId) -> Result<bool, VaultError> {
        self.runtime.block_on(self.is_there(*id))
    }

    fn delete(&self, ids: &[BlobId]) -> Result<usize, VaultError> {
        let once: std::collections::BTreeSet<BlobId> = ids.iter().copied().collect();
        let once: Vec<BlobId> = once.into_iter().collect();
        let deleted = self.for_each(&once, |id| async move {
            let there = self.is_there(id).await?;
            if there {
                let deleted = self.store.delete(&self.path(&id)).await;
                deleted.map_err(self.failed("delete a blob from"))?;
            }
            Ok(there)
        })?;
        Ok(deleted.into_iter().filter(|there| *there).count())
    }

    fn ids(&self) -> Result<Vec<BlobId>, VaultError> {
        let listed = self.store.list(Some(&self.folder));
        let names = listed.try_filter_map(|object| async move {
            let name = object
                .location
                .filename()
                .and_then(|name| name.strip_suffix(".blob"));
            Ok(name.and_then(|name| name.parse::<BlobId>().ok()))
        });
        let mut ids: Vec<BlobId> = self
            .runtime
            .block_on(names.try_collect())
            .map_err(self.failed("read"))?;
        ids.sort_unstable();
        Ok(ids)
    }
}

impl fmt::Debug for ObjectBlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.as_ref();
        f.debug_struct("ObjectBlobStore")
            .field("folder", &folder)
            .finish_non_exhaustive()
    }
}

/// Whether an address is this machine's own.
fn is_here(endpoint: &str) -> bool {
    let host = endpoint.strip_prefix("http://").unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|here| {
        host.strip_prefix(here)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    })
}
