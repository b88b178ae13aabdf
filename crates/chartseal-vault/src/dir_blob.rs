use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::blob::{BlobId, BlobStore, Incoming, verified};
use crate::error::VaultError;
use crate::folder::{Folder, sync_dir};

/// How many files are synced at once. A file system commits what waits together in one go, so a
/// batch gains from waiting threads far beyond the number of cores.
const SYNCERS: usize = 16;

/// A [`BlobStore`] in a folder: one file a blob, `ab/abcd….blob`.
///
/// A blob is written to `tmp/`, synced, and renamed to its place: it is there whole or not at all.
/// Files with other names are left alone.
#[derive(Debug)]
pub struct DirBlobStore {
    folder: Folder,
    /// One change at a time, so that a failed batch takes back only what it stored itself.
    changing: Mutex<()>,
    /// How many streams were begun: each has a file of its own in `tmp/`.
    streams: AtomicU64,
}

impl DirBlobStore {
    /// Opens the store in `dir`, made if it is missing, and removes what a killed put left in `tmp/`.
    ///
    /// # Errors
    /// [`VaultError::InUse`] if it is open already, [`VaultError::Io`] if the folder can't be written.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, VaultError> {
        let folder = Folder::open(dir.into(), "the blob store's folder")?;
        let store = Self {
            folder,
            changing: Mutex::new(()),
            streams: AtomicU64::new(0),
        };
        store.clear_tmp().map_err(store.folder.error("write"))?;
        Ok(store)
    }

    fn clear_tmp(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.tmp()) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir(self.tmp())
    }

    /// Stores blobs that are not there yet; if that fails, none of them is left.
    fn store(&self, new: &[(BlobId, &[u8])]) -> io::Result<()> {
        let written = in_parallel(new, |(id, bytes)| {
            let mut file = File::create(self.tmp().join(id.to_string()))?;
            file.write_all(bytes)?;
            file.sync_all()
        });
        let stored = written.and_then(|()| new.iter().try_for_each(|(id, _)| self.place(id)));
        if stored.is_err() {
            // The first error is the one to report; what stays in `tmp/` is removed at the next open.
            for (id, _) in new {
                let _ = fs::remove_file(self.tmp().join(id.to_string()));
                let _ = fs::remove_file(self.path(id));
            }
        }
        stored
    }

    /// Writes what comes to a file of its own, if it is the blob of this id.
    fn write_stream(&self, id: &BlobId, from: &mut dyn Read, tmp: &Path) -> Result<(), VaultError> {
        let failed = || self.folder.error("write a blob to");
        let mut file = File::create(tmp).map_err(failed())?;
        let mut incoming = Incoming::of(from);
        while let Some(some) = incoming.next()? {
            file.write_all(&some).map_err(failed())?;
        }
        incoming.ends_as(id)?;
        file.sync_all().map_err(failed())
    }

    fn place(&self, id: &BlobId) -> io::Result<()> {
        fs::create_dir_all(self.fan(id))?;
        fs::rename(self.tmp().join(id.to_string()), self.path(id))
    }

    /// Makes the folders' entries of these blobs last.
    fn sync(&self, ids: &[BlobId]) -> io::Result<()> {
        let mut dirs: BTreeSet<PathBuf> = ids.iter().map(|id| self.fan(id)).collect();
        dirs.insert(self.folder.path().to_path_buf());
        in_parallel(&Vec::from_iter(dirs), |dir| sync_dir(dir))
    }

    fn tmp(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    fn fan(&self, id: &BlobId) -> PathBuf {
        let [first, ..] = id.0;
        self.folder.path().join(format!("{first:02x}"))
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        self.fan(id).join(format!("{id}.blob"))
    }
}

impl BlobStore for DirBlobStore {
    fn put_batch(&self, blobs: &[&[u8]]) -> Result<Vec<BlobId>, VaultError> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let ids: Vec<BlobId> = blobs.iter().map(|bytes| BlobId::of(bytes)).collect();
        let mut new = BTreeMap::new();
        for (id, bytes) in ids.iter().zip(blobs) {
            match self.get(id) {
                Ok(Some(_)) => {}
                Ok(None) | Err(VaultError::Damaged { .. }) => {
                    new.insert(*id, *bytes);
                }
                Err(error) => return Err(error),
            }
        }
        // The folders of blobs that were there are synced too: an earlier put may have been killed
        // between its rename and its sync.
        self.store(&Vec::from_iter(new))
            .and_then(|()| self.sync(&ids))
            .map_err(self.folder.error("write a blob to"))?;
        Ok(ids)
    }

    fn get(&self, id: &BlobId) -> Result<Option<Vec<u8>>, VaultError> {
        match fs::read(self.path(id)) {
            Ok(bytes) => verified(id, bytes).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.folder.error("read a blob from")(error)),
        }
    }

    fn put_stream(&self, id: &BlobId, from: &mut dyn Read) -> Result<(), VaultError> {
        let number = self.streams.fetch_add(1, Ordering::Relaxed);
        let tmp = self.tmp().join(format!("{id}.{number}"));
        let placed = self.write_stream(id, from, &tmp).and_then(|()| {
            let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
            fs::create_dir_all(self.fan(id))
                .and_then(|()| fs::rename(&tmp, self.path(id)))
                .and_then(|()| self.sync(&[*id]))
                .map_err(self.folder.error("write a blob to"))
        });
        if placed.is_err() {
            let _ = fs::remove_file(&tmp);
        }
        placed
    }

    fn len(&self, id: &BlobId) -> Result<Option<u64>, VaultError> {
        match fs::metadata(self.path(id)) {
            Ok(file) => Ok(Some(file.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.folder.error("read")(error)),
        }
    }

    fn read_unverified(
        &self,
        id: &BlobId,
        from: u64,
        len: usize,
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let read = || {
            let mut file = File::open(self.path(id))?;
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.take(len as u64).read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        match read() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.folder.error("read a blob from")(error)),
        }
    }

    fn contains(&self, id: &BlobId) -> Result<bool, VaultError> {
        let exists = self.path(id).try_exists();
        exists.map_err(self.folder.error("read"))
    }

    fn delete(&self, ids: &[BlobId]) -> Result<usize, VaultError> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut deleted = Vec::new();
        for id in ids {
            match fs::remove_file(self.path(id)) {
                Ok(()) => deleted.push(*id),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(self.folder.error("delete a blob from")(error)),
            }
        }
        self.sync(&deleted)
            .map_err(self.folder.error("delete a blob from"))?;
        Ok(deleted.len())
    }

    fn ids(&self) -> Result<Vec<BlobId>, VaultError> {
        let mut ids = Vec::new();
        let mut list = || -> io::Result<()> {
            for fan in fs::read_dir(self.folder.path())? {
                let fan = fan?;
                if !fan.file_type()?.is_dir() {
                    continue;
                }
                for file in fs::read_dir(fan.path())? {
                    let name = file?.file_name();
                    let id = name.to_str().and_then(|name| name.strip_suffix(".blob"));
                    ids.extend(id.and_then(|id| id.parse::<BlobId>().ok()));
                }
            }
            Ok(())
        };
        list().map_err(self.folder.error("read"))?;
        ids.sort_unstable();
        Ok(ids)
    }
}

/// Does `work` on every item, [`SYNCERS`] at a time; the first error, if there is one.
fn in_parallel<T: Sync>(items: &[T], work: impl Fn(&T) -> io::Result<()> + Sync) -> io::Result<()> {
    let part = items.len().div_ceil(SYNCERS).max(1);
    let work = &work;
    thread::scope(|scope| {
        let spawn = |part| {
            let thread = move || <[T]>::iter(part).try_for_each(work);
            thread::Builder::new().spawn_scoped(scope, thread)
        };
        let threads: Vec<_> = items.chunks(part).map(spawn).collect();
        threads.into_iter().try_for_each(|thread| {
            let done = thread?.join();
            done.unwrap_or_else(|_| Err(io::Error::other("a syncing thread panicked")))
        })
    })
}
