use std::collections::BTreeSet;
use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use zeroize::Zeroizing;

use crate::error::VaultError;
use crate::folder::{Folder, private_file, sync_dir, wipe};
use crate::secret::{Secret, SecretId, SecretStore, conflict};

/// A row: 32 bytes of check value over key and secret, then the secret.
const ROWS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("secrets");
const CHECK_LEN: usize = 32;

/// Shares and texts are small, and what redb caches stays in memory unwiped.
const CACHE_BYTES: usize = 4 << 20;

/// A [`SecretStore`] in a folder: one redb file, readable by its owner only.
///
/// redb copies on write, so a row that was removed would stay readable in a freed page.
/// [`destroy`](SecretStore::destroy) therefore writes what remains to a fresh file, renames it over
/// the old one, and overwrites the old one's blocks with zeros. It needs room for a second file.
///
/// After a failed write the store answers with an error until it is opened again.
#[derive(Debug)]
pub struct FileSecretStore<K> {
    folder: Folder,
    db: RwLock<Database>,
    key: PhantomData<K>,
}

impl<K: SecretId> FileSecretStore<K> {
    /// Opens the store in `dir`, made if it is missing. The whole file is checked.
    ///
    /// # Errors
    /// [`VaultError::InUse`] if it is open already, [`VaultError::DamagedStore`] if its file is not
    /// as it was left, [`VaultError::Io`] if the folder can't be written.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, VaultError> {
        let folder = Folder::open(dir.into(), K::FOLDER)?;
        // What a killed destruction was writing. The old file is still the whole store.
        remove_wiped(&folder.path().join(FRESH)).map_err(folder.error("write"))?;
        let db = open_db::<K>(&folder.path().join(CURRENT))?;
        sync_dir(folder.path()).map_err(folder.error("write"))?;
        Ok(Self {
            folder,
            db: RwLock::new(db),
            key: PhantomData,
        })
    }

    fn error(&self, action: &'static str) -> impl Fn(redb::Error) -> VaultError {
        move |error| from_redb::<K>(action, self.folder.path(), error)
    }

    /// Writes all rows of `old` but those under `keys` to a fresh file; gives how many were left out.
    fn write_fresh(
        &self,
        old: &Database,
        path: &Path,
        keys: &[K],
    ) -> Result<(Database, usize), VaultError> {
        let fresh = open_db::<K>(path)?;
        let keys: BTreeSet<&[u8; 32]> = keys.iter().map(SecretId::bytes).collect();
        let copy = || -> Result<usize, redb::Error> {
            let rows = old.begin_read()?.open_table(ROWS)?;
            let write = fresh.begin_write()?;
            let mut left_out = 0;
            let mut table = write.open_table(ROWS)?;
            for row in rows.iter()? {
                let (key, value) = row?;
                if keys.contains(key.value()) {
                    left_out += 1;
                } else {
                    table.insert(key.value(), value.value())?;
                }
            }
            drop(table);
            write.commit()?;
            Ok(left_out)
        };
        let left_out = copy().map_err(self.error("write"))?;
        Ok((fresh, left_out))
    }
}

const CURRENT: &str = "secrets.redb";
const FRESH: &str = "secrets.redb.new";

impl<K: SecretId> SecretStore<K> for FileSecretStore<K> {
    fn put_batch(&self, batch: &[(K, &[u8])]) -> Result<(), VaultError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let put = || -> Result<Option<VaultError>, redb::Error> {
            let write = db.begin_write()?;
            let mut table = write.open_table(ROWS)?;
            for (key, bytes) in batch {
                let row = row(key, bytes);
                let held = table.get(key.bytes())?.map(|held| held.value() == &row[..]);
                match held {
                    Some(true) => {}
                    Some(false) => return Ok(Some(conflict(key))),
                    None => {
                        table.insert(key.bytes(), &row[..])?;
                    }
                }
            }
            drop(table);
            write.commit()?;
            Ok(None)
        };
        put().map_err(self.error("write"))?.map_or(Ok(()), Err)
    }

    fn get(&self, key: &K) -> Result<Option<Secret>, VaultError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let get = || -> Result<Option<Result<Secret, VaultError>>, redb::Error> {
            let rows = db.begin_read()?.open_table(ROWS)?;
            let held = rows.get(key.bytes())?;
            Ok(held.map(|held| secret(key, held.value())))
        };
        get().map_err(self.error("read"))?.transpose()
    }

    fn destroy(&self, keys: &[K]) -> Result<usize, VaultError> {
        if keys.is_empty() {
            return Ok(0);
        }
        // Also if no key is there: a put that was killed may have left bytes in a free page.
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        let (current, fresh) = (
            self.folder.path().join(CURRENT),
            self.folder.path().join(FRESH),
        );
        let replaced = self.write_fresh(&db, &fresh, keys).and_then(|written| {
            let old = private_file(&current).map_err(self.folder.error("open"))?;
            fs::rename(&fresh, &current).map_err(self.folder.error("write"))?;
            Ok((written, old))
        });
        let ((new_db, destroyed), mut old) = replaced.inspect_err(|_| {
            // The first error is the one to report; the next open tries this again.
            let _ = remove_wiped(&fresh);
        })?;
        *db = new_db;
        sync_dir(self.folder.path()).map_err(self.folder.error("write"))?;
        wipe(&mut old).map_err(self.folder.error("overwrite the old file in"))?;
        Ok(destroyed)
    }

    fn keys(&self) -> Result<Vec<K>, VaultError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let keys = || -> Result<Vec<K>, redb::Error> {
            let rows = db.begin_read()?.open_table(ROWS)?;
            rows.iter()?
                .map(|row| Ok(K::from(*row?.0.value())))
                .collect()
        };
        keys().map_err(self.error("read"))
    }
}

fn open_db<K: SecretId>(path: &Path) -> Result<Database, VaultError> {
    let open = || -> Result<Database, redb::Error> {
        let backend = FileBackend::new(private_file(path)?)?;
        let db = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)?;
        let write = db.begin_write()?;
        write.open_table(ROWS)?;
        write.commit()?;
        Ok(db)
    };
    open().map_err(|error| from_redb::<K>("open", path, error))
}

fn row<K: SecretId>(key: &K, secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut row = Zeroizing::new(Vec::with_capacity(CHECK_LEN + secret.len()));
    row.extend_from_slice(&check(key, secret));
    row.extend_from_slice(secret);
    row
}

fn secret<K: SecretId>(key: &K, row: &[u8]) -> Result<Secret, VaultError> {
    match row.split_at_checked(CHECK_LEN) {
        Some((found, secret)) if found == check(key, secret) => Ok(Secret::from(secret)),
        _ => Err(VaultError::Damaged {
            what: K::WHAT,
            id: key.to_string(),
        }),
    }
}

/// Finds damage, not forgery: who can write the file can also compute this.
fn check<K: SecretId>(key: &K, secret: &[u8]) -> [u8; CHECK_LEN] {
    let mut hasher = blake3::Hasher::new_derive_key(K::ROW_DOMAIN);
    hasher.update(key.bytes()).update(secret);
    hasher.finalize().into()
}

fn remove_wiped(path: &Path) -> std::io::Result<()> {
    if !path.try_exists()? {
        return Ok(());
    }
    wipe(&mut private_file(path)?)?;
    fs::remove_file(path)
}

fn from_redb<K: SecretId>(action: &'static str, path: &Path, error: redb::Error) -> VaultError {
    let what = K::FOLDER;
    match error {
        redb::Error::Io(source) if source.kind() != std::io::ErrorKind::InvalidData => {
            VaultError::io(action, what, path)(source)
        }
        redb::Error::DatabaseAlreadyOpen => VaultError::InUse {
            what,
            path: path.to_path_buf(),
        },
        redb::Error::PreviousIo => VaultError::io(action, what, path)(std::io::Error::other(
            "an earlier write failed; open the store again",
        )),
        other => VaultError::DamagedStore {
            what,
            path: path.to_path_buf(),
            why: other.to_string(),
        },
    }
}
