//! A node's data directory, copied while it runs, and put back.
//!
//! The ledger and the ciphertext are on other nodes too. A custodian's shares are not: this is for them. They are
//! encrypted under a key of the node's file of keys, which is in no backup.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Component, Path, PathBuf};
use std::str::{FromStr, Lines};

use chartseal_codec::{canonical_struct, hex_exact, to_hex};
use chartseal_ledger::Genesis;
use chartseal_wire::{ChainId, Hash, OrgId};
use thiserror::Error;

use super::config::{Config, ConfigError, OWNER, RESTORING};
use super::duties;
use super::found::create_private;
use super::keeper::NodeKeeper;
use crate::accused;
use crate::clock::Clock;
use crate::error::NodeError;
use crate::node::Node;
use crate::stores::{BLOBS, DATABASES};

/// The file that lists the others and comes last: a folder without it is no backup.
const MANIFEST: &str = "manifest";
const FIRST_LINE: &str = "chartseal backup 1";
/// The longest manifest.
const MAX_MANIFEST: u64 = 1 << 30;
const CHUNK: usize = 1 << 20;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The newest block in it.
    pub height: u64,
    /// That block's header, as a leaf of the block log.
    pub header: Hash,
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

canonical_struct!(Backup {
    height,
    header,
    files,
    bytes
});

/// Why a directory is not copied, or not put back.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackupError {
    /// `CS-BAK-01`: a file can't be read or written.
    #[error("{}: {source}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `CS-BAK-02`: something is there already.
    #[error("{} is not empty; name a folder that is, or that does not exist", .0.display())]
    NotEmpty(PathBuf),
    /// `CS-BAK-03`: no backup, or only a part of one.
    #[error("{} is no whole backup: {why}; take another one", .folder.display())]
    NoBackup {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// `CS-BAK-04`: a file that is not as it was copied.
    #[error("{} is damaged: its bytes are not the ones that were copied; take another backup", .0.display())]
    Damaged(PathBuf),
    /// `CS-BAK-05`: another node's.
    #[error("{} is of {found}, not of this node; name this node's own backup", .folder.display())]
    Another {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        found: String,
    },
    /// `CS-BAK-06`: the stores in it do not open.
    #[error("the stores do not open: {0}")]
    Stores(#[from] NodeError),
    /// `CS-BAK-07`: the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl BackupError {
    /// The id of the rule.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::File { .. } => "CS-BAK-01",
            Self::NotEmpty(_) => "CS-BAK-02",
            Self::NoBackup { .. } => "CS-BAK-03",
            Self::Damaged(_) => "CS-BAK-04",
            Self::Another { .. } => "CS-BAK-05",
            Self::Stores(_) => "CS-BAK-06",
            Self::Config(_) => "CS-BAK-07",
        }
    }
}

/// Copies the data directory of a node that does not run. One that runs is asked:
/// [`Control::backup`](super::Control::backup).
///
/// # Errors
/// [`BackupError`]; a running node's stores are in use.
pub fn backup(config: &Config, to: &Path) -> Result<Backup, BackupError> {
    let node = open(config)?;
    write(&config.directory, to, &NodeKeeper::new(node))
}

/// Puts a backup back as the data directory of a configuration's node, which must not exist or be empty. The node catches
/// up when it runs, and destroys what was erased since.
///
/// # Errors
/// [`BackupError`]. A directory that was begun is not started from; restoring again begins anew.
pub fn restore(config: &Config, from: &Path) -> Result<Backup, BackupError> {
    let listed = Manifest::read(from)?;
    let owner = (config.network, config.organization);
    if (listed.network, listed.organization) != owner {
        return Err(BackupError::Another {
            folder: from.into(),
            found: format!(
                "organization {} in network {}",
                listed.organization, listed.network
            ),
        });
    }
    let directory = &config.directory;
    let marker = directory.join(RESTORING);
    if marker.exists() {
        // An earlier attempt's, whatever there is.
        empty(directory)?;
    } else {
        claim(directory)?;
    }
    fs::write(&marker, "").map_err(failed(&marker))?;
    for file in &listed.files {
        let (source, target) = (from.join(&file.path), directory.join(&file.path));
        if let Some(parent) = target.parent() {
            private_dir(parent)?;
        }
        if copy(&source, &target)? != (file.hash, file.bytes) {
            return Err(BackupError::Damaged(source));
        }
    }
    let node = open(config)?;
    let head = node.head();
    if (head.height(), head.head().leaf()) != (listed.height, listed.header) {
        return Err(BackupError::NoBackup {
            folder: from.into(),
            why: format!("its ledger is at block {}", head.height()),
        });
    }
    drop(node);
    sync(directory)?;
    fs::remove_file(&marker).map_err(failed(&marker))?;
    sync(directory)?;
    Ok(listed.summary())
}

/// Copies a node's data directory. Nothing is committed while the databases are copied; ciphertext, whose files never
/// change, is copied after that.
pub(super) fn write(
    directory: &Path,
    to: &Path,
    keeper: &NodeKeeper,
) -> Result<Backup, BackupError> {
    claim(to)?;
    let mut paths = Vec::new();
    let mut take = |path: PathBuf| -> Result<(), BackupError> {
        let (source, target) = (directory.join(&path), to.join(&path));
        if let Some(parent) = target.parent() {
            private_dir(parent)?;
        }
        match fs::copy(&source, &target) {
            Ok(_) => paths.push(path),
            // What is not there yet, or was erased just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&source)(error)),
        }
        Ok(())
    };
    // What it says to be destroyed is destroyed in what is copied after it.
    take(duties::FILE.into())?;
    take(OWNER.into())?;
    let (network, organization, height, header) = {
        let node = keeper.node();
        for name in DATABASES {
            take(name.into())?;
        }
        let head = node.head();
        (node.chain(), node.org(), head.height(), head.head().leaf())
    };
    for folder in entries(&directory.join(BLOBS))? {
        let folder = Path::new(BLOBS).join(folder);
        if directory.join(&folder).is_dir() && !folder.ends_with("tmp") {
            for blob in entries(&directory.join(&folder))? {
                take(folder.join(blob))?;
            }
        }
    }
    for file in entries(&directory.join(accused::FOLDER))? {
        take(Path::new(accused::FOLDER).join(file))?;
    }
    let mut manifest = Manifest {
        network,
        organization,
        height,
        header,
        files: Vec::with_capacity(paths.len()),
    };
    for path in paths {
        let (hash, bytes) = hash(&to.join(&path))?;
        manifest.files.push(Listed { hash, bytes, path });
    }
    for folder in manifest.folders() {
        sync(&to.join(folder))?;
    }
    // The name comes when all is there.
    let (unnamed, named) = (to.join("manifest.new"), to.join(MANIFEST));
    fs::write(&unnamed, manifest.text()).map_err(failed(&unnamed))?;
    sync(&unnamed)?;
    fs::rename(&unnamed, &named).map_err(failed(&named))?;
    sync(to)?;
    Ok(manifest.summary())
}

/// The node of a configuration on its stores.
fn open(config: &Config) -> Result<Node, BackupError> {
    let genesis: Genesis = config.genesis()?;
    let keys = config.keys(&genesis)?;
    let stores = config.stores(&keys)?;
    let (org, clock) = (config.organization, Clock::System);
    Ok(Node::follow(&genesis, org, keys, stores, clock)?)
}

/// What a backup's folder says of itself: of which node it is, as of when, and each file with its hash.
#[derive(Debug)]
pub struct Manifest {
    network: ChainId,
    organization: OrgId,
    height: u64,
    header: Hash,
    files: Vec<Listed>,
}

#[derive(Debug)]
struct Listed {
    hash: [u8; 32],
    bytes: u64,
    path: PathBuf,
}

impl Manifest {
    /// Its text.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{FIRST_LINE}\nnetwork {}\norganization {}\nheight {}\nheader {}\n",
            self.network, self.organization, self.height, self.header
        );
        for file in &self.files {
            let (hash, path) = (to_hex(&file.hash), file.path.display());
            // Writing to a string does not fail.
            let _ = writeln!(text, "file {hash} {} {path}", file.bytes);
        }
        text
    }

    fn read(folder: &Path) -> Result<Self, BackupError> {
        let file = folder.join(MANIFEST);
        let bad = |why: &str| BackupError::NoBackup {
            folder: folder.into(),
            why: why.into(),
        };
        let opened = File::open(&file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => bad("it has no manifest"),
            _ => failed(&file)(error),
        })?;
        let mut text = String::new();
        let read = opened.take(MAX_MANIFEST).read_to_string(&mut text);
        read.map_err(failed(&file))?;
        Self::parse(&text).ok_or_else(|| bad("its manifest is not in its format"))
    }

    /// What a text says; `None` if it is not in the format, or names a file that is not in the folder.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let mut manifest = Self {
            network: value(&mut lines, "network")?,
            organization: value(&mut lines, "organization")?,
            height: value(&mut lines, "height")?,
            header: Hash(hex_exact(lines.next()?.strip_prefix("header ")?).ok()?),
            files: Vec::new(),
        };
        for line in lines {
            let mut parts = line.strip_prefix("file ")?.splitn(3, ' ');
            let (hash, bytes, path) = (parts.next()?, parts.next()?, parts.next()?);
            let path = PathBuf::from(path);
            // Nothing is written anywhere else than in the directory.
            let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
            if !path.components().all(inside) || path.as_os_str().is_empty() {
                return None;
            }
            manifest.files.push(Listed {
                hash: hex_exact(hash).ok()?,
                bytes: bytes.parse().ok()?,
                path,
            });
        }
        Some(manifest)
    }

    fn folders(&self) -> BTreeSet<&Path> {
        self.files
            .iter()
            .filter_map(|file| file.path.parent())
            .collect()
    }

    fn summary(&self) -> Backup {
        Backup {
            height: self.height,
            header: self.header,
            files: self.files.len() as u64,
            bytes: self.files.iter().map(|file| file.bytes).sum(),
        }
    }
}

/// The value of the next line, which has to be this key's.
fn value<T: FromStr>(lines: &mut Lines<'_>, key: &str) -> Option<T> {
    let value = lines.next()?.strip_prefix(key)?.strip_prefix(' ')?;
    value.parse().ok()
}

/// Makes a folder, or takes an empty one.
fn claim(folder: &Path) -> Result<(), BackupError> {
    private_dir(folder)?;
    if entries(folder)?.is_empty() {
        Ok(())
    } else {
        Err(BackupError::NotEmpty(folder.into()))
    }
}

fn empty(folder: &Path) -> Result<(), BackupError> {
    for name in entries(folder)? {
        let path = folder.join(name);
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(failed(&path))?;
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<std::ffi::OsString>, BackupError> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(failed(folder))?,
    };
    let names = read.map(|entry| entry.map(|entry| entry.file_name()));
    let names: io::Result<Vec<_>> = names.collect();
    names.map_err(failed(folder))
}

fn private_dir(folder: &Path) -> Result<(), BackupError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(failed(folder))
}

/// Copies a file; gives the hash and length of what was copied, which is on the medium.
fn copy(from: &Path, to: &Path) -> Result<([u8; 32], u64), BackupError> {
    let mut target = create_private(to).map_err(failed(to))?;
    let found = read_all(from, |bytes| target.write_all(bytes).map_err(failed(to)))?;
    target.sync_all().map_err(failed(to))?;
    Ok(found)
}

fn hash(file: &Path) -> Result<([u8; 32], u64), BackupError> {
    let found = read_all(file, |_| Ok(()))?;
    sync(file)?;
    Ok(found)
}

fn read_all(
    from: &Path,
    mut each: impl FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<([u8; 32], u64), BackupError> {
    let mut source = File::open(from).map_err(failed(from))?;
    let (mut hasher, mut bytes, mut chunk) = (blake3::Hasher::new(), 0, vec![0; CHUNK]);
    loop {
        let read = source.read(&mut chunk).map_err(failed(from))?;
        let some = chunk.get(..read).unwrap_or_default();
        if some.is_empty() {
            return Ok((hasher.finalize().into(), bytes));
        }
        hasher.update(some);
        bytes += some.len() as u64;
        each(some)?;
    }
}

fn sync(path: &Path) -> Result<(), BackupError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(failed(path))
}

fn failed(file: &Path) -> impl Fn(io::Error) -> BackupError {
    let file = file.to_owned();
    move |source| BackupError::File {
        file: file.clone(),
        source,
    }
}
