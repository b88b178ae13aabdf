use std::collections::BTreeSet;
use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::error::VaultError;
use crate::folder::{Folder, private_file, sync_dir, wipe};
use crate::secret::{Secret, SecretId, SecretStore, conflict, damaged};
use crate::store_key::StoreKey;

/// Rows by their keys, as [`StoreKey::seal`] makes them.
const ROWS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("sealed");
/// One row that tells whether a key is the store's.
const PROOF: TableDefinition<'_, (), &[u8]> = TableDefinition::new("proof");
/// The rows of version 1, in the clear: 32 bytes of check value over key and secret, then the secret.
const PLAIN_ROWS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("secrets");

/// Shares and texts are small, and what redb caches stays in memory unwiped.
const CACHE_BYTES: usize = 4 << 20;

/// A [`SecretStore`] in a folder: one redb file, readable by its owner only, whose secrets are encrypted under a
/// [`StoreKey`] that is kept elsewhere. A file of version 1, with secrets in the clear, is encrypted when it is opened.
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
    key: StoreKey,
    kind: PhantomData<K>,
}

impl<K: SecretId> FileSecretStore<K> {
    /// Opens the store in `dir`, made if it is missing. The whole file is checked.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`] if it is encrypted under another key, [`VaultError::InUse`] if it is open already,
    /// [`VaultError::DamagedStore`] if its file is not as it was left, [`VaultError::Io`] if the folder can't be
    /// written.
    pub fn open(dir: impl Into<PathBuf>, key: &StoreKey) -> Result<Self, VaultError> {
        let folder = Folder::open(dir.into(), K::FOLDER)?;
        // What a killed destruction was writing. The old file is still the whole store.
        remove_wiped(&folder.path().join(FRESH)).map_err(folder.error("write"))?;
        let (db, plain) = open_db::<K>(&folder.path().join(CURRENT), key)?;
        sync_dir(folder.path()).map_err(folder.error("write"))?;
        let store = Self {
            folder,
            db: RwLock::new(db),
            key: key.clone(),
            kind: PhantomData,
        };
        if plain {
            // Nothing of what was in the clear stays in the file.
            store.rewrite(&[])?;
        }
        Ok(store)
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
        let (fresh, _) = open_db::<K>(path, &self.key)?;
        let keys: BTreeSet<&[u8; 32]> = keys.iter().map(SecretId::bytes).collect();
        let copy = || -> Result<Result<usize, VaultError>, redb::Error> {
            let read = old.begin_read()?;
            let write = fresh.begin_write()?;
            let mut left_out = 0;
            let mut table = write.open_table(ROWS)?;
            for row in read.open_table(ROWS)?.iter()? {
                let (key, value) = row?;
                if keys.contains(key.value()) {
                    left_out += 1;
                } else {
                    table.insert(key.value(), value.value())?;
                }
            }
            if let Some(rows) = plain_rows(&read)? {
                for row in rows.iter()? {
                    let (key, value) = row?;
                    let key = K::from(*key.value());
                    let secret = match plain_secret(&key, value.value()) {
                        Ok(secret) => secret,
                        Err(damaged) => return Ok(Err(damaged)),
                    };
                    match self.key.seal(&key, secret.expose()) {
                        Ok(row) => table.insert(key.bytes(), &row[..])?,
                        Err(error) => return Ok(Err(error)),
                    };
                }
            }
            drop(table);
            write.commit()?;
            Ok(Ok(left_out))
        };
        let left_out = copy().map_err(self.error("write"))??;
        Ok((fresh, left_out))
    }

    /// Puts a fresh file in the place of the old one, without the rows under `keys`, and wipes the old one; gives how
    /// many rows were left out.
    fn rewrite(&self, keys: &[K]) -> Result<usize, VaultError> {
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
                let held = table.get(key.bytes())?;
                let held = held.map(|held| self.key.open(key, held.value()));
                match held.transpose() {
                    Ok(Some(held)) if held.expose() == *bytes => {}
                    Ok(Some(_)) => return Ok(Some(conflict(key))),
                    Ok(None) => match self.key.seal(key, bytes) {
                        Ok(row) => {
                            table.insert(key.bytes(), &row[..])?;
                        }
                        Err(error) => return Ok(Some(error)),
                    },
                    Err(damaged) => return Ok(Some(damaged)),
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
            Ok(held.map(|held| self.key.open(key, held.value())))
        };
        get().map_err(self.error("read"))?.transpose()
    }

    fn destroy(&self, keys: &[K]) -> Result<usize, VaultError> {
        if keys.is_empty() {
            return Ok(0);
        }
        // Also if no key is there: a put that was killed may have left bytes in a free page.
        self.rewrite(keys)
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

/// The file, and whether it has rows of version 1.
fn open_db<K: SecretId>(path: &Path, key: &StoreKey) -> Result<(Database, bool), VaultError> {
    let open = || -> Result<(Database, bool, bool), redb::Error> {
        let backend = FileBackend::new(private_file(path)?)?;
        let db = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)?;
        let write = db.begin_write()?;
        write.open_table(ROWS)?;
        let mut table = write.open_table(PROOF)?;
        let proof = table
            .get(())?
            .map(|proof| key.proves(K::ROW_DOMAIN, proof.value()));
        if proof.is_none() {
            table.insert((), &key.proof(K::ROW_DOMAIN)[..])?;
        }
        drop(table);
        write.commit()?;
        let plain = plain_rows(&db.begin_read()?)?.is_some();
        Ok((db, plain, proof.unwrap_or(true)))
    };
    match open() {
        Ok((db, plain, true)) => Ok((db, plain)),
        Ok((_, _, false)) => Err(VaultError::WrongKey {
            what: K::FOLDER,
            path: path.to_path_buf(),
        }),
        Err(error) => Err(from_redb::<K>("open", path, error)),
    }
}

type PlainRows = redb::ReadOnlyTable<&'static [u8; 32], &'static [u8]>;

fn plain_rows(read: &redb::ReadTransaction) -> Result<Option<PlainRows>, redb::Error> {
    match read.open_table(PLAIN_ROWS) {
        Ok(rows) => Ok(Some(rows)),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

const CHECK_LEN: usize = 32;

/// A secret of version 1.
fn plain_secret<K: SecretId>(key: &K, row: &[u8]) -> Result<Secret, VaultError> {
    match row.split_at_checked(CHECK_LEN) {
        Some((found, secret)) if found == check(key, secret) => Ok(Secret::from(secret)),
        _ => Err(damaged(key)),
    }
}

/// Finds damage, not forgery: who can write the file can also compute this.
fn check<K: SecretId>(key: &K, secret: &[u8]) -> [u8; CHECK_LEN] {
    let mut hasher = blake3::Hasher::new_derive_key(K::PLAIN_ROW_DOMAIN);
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
