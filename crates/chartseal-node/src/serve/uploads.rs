//! Bodies that come in parts. Each group is verified before it is written, so what is here of a body is right, and an
//! upload goes on where it was cut short, also by the node's own end.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chartseal_api::{EnvelopeFront, Outline, Uploaded};
use chartseal_vault::{BlobId, GROUP, Outboard};
use chartseal_wire::HeaderDigest;

use super::keeper::NodeKeeper;
use crate::custodian::body_of;
use crate::error::NodeError;

/// How many uploads are under way at a time.
const AT_ONCE: usize = 64;
/// For how long one that nobody goes on with has its place.
const IDLE: Duration = Duration::from_secs(600);
/// How long the file of one is kept that nobody goes on with.
const KEPT: Duration = Duration::from_secs(24 * 3_600);

/// The uploads to one node.
#[derive(Clone)]
pub(super) struct Uploads(Arc<Shared>);

struct Shared {
    keeper: NodeKeeper,
    dir: PathBuf,
    open: Mutex<BTreeMap<HeaderDigest, Open>>,
}

#[derive(Clone)]
struct Open {
    upload: Arc<Mutex<Upload>>,
    at: Instant,
}

/// A body that is coming.
struct Upload {
    front: EnvelopeFront,
    outboard: Outboard,
    file: File,
    /// How many groups are in the file.
    groups: u64,
    is_whole: bool,
}

/// Why a part of a body is not taken.
#[derive(Debug)]
pub(super) enum UploadFault {
    /// So many are under way.
    Busy,
    /// The outline's hashes are not those of the body that its seal names.
    Outline,
    /// It was not begun, or nobody went on with it for long: it has to be begun again.
    NotBegun,
    /// The next group is another one.
    Next(u64),
    /// The bytes are not that group.
    Group(u64),
    /// The node refuses.
    Node(NodeError),
}

impl<E: Into<NodeError>> From<E> for UploadFault {
    fn from(error: E) -> Self {
        Self::Node(error.into())
    }
}

impl Uploads {
    /// The uploads in a folder, which is made if it is missing.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn open(keeper: NodeKeeper, dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let open = Mutex::default();
        Ok(Self(Arc::new(Shared { keeper, dir, open })))
    }

    /// Begins an upload, or goes on with it: what is in its file is verified again.
    pub(super) fn begin(&self, outline: Outline) -> Result<Uploaded, UploadFault> {
        let outboard = outboard_of(&outline)?;
        let blobs = {
            let node = self.0.keeper.node();
            node.begin_upload(&outline.front)?;
            node.blobs()
        };
        if blobs.len(&outboard.id())? == Some(outboard.len()) {
            return Ok(Uploaded {
                groups: outboard.count(),
                is_whole: true,
            });
        }
        self.go_on(outline.front, outboard, AT_ONCE)
    }

    /// The same of a body that this node fetches itself, whose front is here. What the vault has in its place is damaged.
    pub(super) fn mend(&self, outline: Outline) -> Result<Uploaded, UploadFault> {
        let outboard = outboard_of(&outline)?;
        self.go_on(outline.front, outboard, usize::MAX)
    }

    fn go_on(
        &self,
        front: EnvelopeFront,
        outboard: Outboard,
        at_once: usize,
    ) -> Result<Uploaded, UploadFault> {
        let header = HeaderDigest(front.header.digest().0);
        let mut open = self.uploads();
        open.retain(|_, it| it.at.elapsed() < IDLE);
        let at = Instant::now();
        if let Some(it) = open.get_mut(&header) {
            it.at = at;
            let upload = Arc::clone(&it.upload);
            drop(open);
            let upload = upload.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(upload.state());
        }
        if open.len() >= at_once {
            return Err(UploadFault::Busy);
        }
        let path = self.path(&outboard.id());
        let upload = Upload::resume(front, outboard, path).map_err(failed)?;
        let state = upload.state();
        let upload = Arc::new(Mutex::new(upload));
        open.insert(header, Open { upload, at });
        Ok(state)
    }

    /// Takes some groups, the next ones. One that is there already is no error.
    pub(super) fn take(
        &self,
        header: &HeaderDigest,
        group: u64,
        bytes: &[u8],
    ) -> Result<Uploaded, UploadFault> {
        let upload = {
            let mut open = self.uploads();
            let it = open.get_mut(header).ok_or(UploadFault::NotBegun)?;
            it.at = Instant::now();
            Arc::clone(&it.upload)
        };
        let mut upload = upload.lock().unwrap_or_else(PoisonError::into_inner);
        upload.take(group, bytes)?;
        if upload.is_whole || upload.groups < upload.outboard.count() {
            return Ok(upload.state());
        }
        let blobs = self.0.keeper.node().blobs();
        let id = upload.outboard.id();
        upload.file.seek(SeekFrom::Start(0)).map_err(failed)?;
        blobs.put_stream(&id, &mut upload.file)?;
        let kept = self.0.keeper.node().end_upload(&upload.front);
        upload.is_whole = true;
        self.uploads().remove(header);
        // It is swept one day, should this fail.
        let _ = fs::remove_file(self.path(&id));
        kept?;
        Ok(upload.state())
    }

    /// Removes what nobody has gone on with for a day, and what is of no record any more. Gives how many there were.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn sweep(&self, is_expected: impl Fn(&BlobId) -> bool) -> io::Result<u64> {
        let mut swept = 0;
        // Nothing begins meanwhile.
        let mut open = self.uploads();
        open.retain(|_, it| it.at.elapsed() < IDLE);
        for file in fs::read_dir(&self.0.dir)? {
            let file = file?;
            let Some(id) = id_of(&file) else {
                continue;
            };
            let age = file.metadata()?.modified()?.elapsed().unwrap_or_default();
            if is_expected(&id) && age < KEPT {
                continue;
            }
            open.retain(|_, it| {
                it.upload
                    .try_lock()
                    .map_or(true, |it| it.outboard.id() != id)
            });
            fs::remove_file(file.path())?;
            swept += 1;
        }
        Ok(swept)
    }

    /// Of which bodies something waits.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn ids(&self) -> io::Result<Vec<BlobId>> {
        let mut ids = Vec::new();
        for file in fs::read_dir(&self.0.dir)? {
            ids.extend(id_of(&file?));
        }
        Ok(ids)
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        self.0.dir.join(id.to_string())
    }

    fn uploads(&self) -> MutexGuard<'_, BTreeMap<HeaderDigest, Open>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload {
    /// With the groups that are in the file, as far as they are right.
    fn resume(front: EnvelopeFront, outboard: Outboard, path: PathBuf) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path)?;
        let (mut groups, mut group) = (0, Vec::with_capacity(GROUP));
        while groups < outboard.count() {
            group.clear();
            (&file).take(GROUP as u64).read_to_end(&mut group)?;
            if group.is_empty() || !outboard.is_group(groups, &group) {
                break;
            }
            groups += 1;
        }
        file.set_len(outboard.place(groups).start)?;
        Ok(Self {
            front,
            outboard,
            file,
            groups,
            is_whole: false,
        })
    }

    fn state(&self) -> Uploaded {
        let all_but_one = self.outboard.count() - 1;
        Uploaded {
            // The last group comes once more, if the vault could not take the body: it is what stores it.
            groups: if self.is_whole {
                self.groups
            } else {
                self.groups.min(all_but_one)
            },
            is_whole: self.is_whole,
        }
    }

    fn take(&mut self, first: u64, bytes: &[u8]) -> Result<(), UploadFault> {
        if first > self.groups {
            return Err(UploadFault::Next(self.groups));
        }
        let empty = bytes.is_empty().then_some(bytes);
        for (group, bytes) in (first..).zip(bytes.chunks(GROUP).chain(empty)) {
            if !self.outboard.is_group(group, bytes) {
                return Err(UploadFault::Group(group));
            }
            if group == self.groups {
                let start = self.outboard.place(group).start;
                let write = self.file.seek(SeekFrom::Start(start));
                write
                    .and_then(|_| self.file.write_all(bytes))
                    .map_err(failed)?;
                self.groups += 1;
            }
        }
        Ok(())
    }
}

/// What verifies a body in groups, if the outline's hashes are those of the one that its seal names.
fn outboard_of(outline: &Outline) -> Result<Outboard, UploadFault> {
    let (front, groups) = (&outline.front, outline.groups.clone());
    let outboard = Outboard::new(body_of(front), front.seal.body_len(), groups);
    outboard.ok_or(UploadFault::Outline)
}

/// The body of which a file in the folder is.
fn id_of(file: &DirEntry) -> Option<BlobId> {
    file.file_name().to_str()?.parse().ok()
}

/// The folder of uploads fails as the vault does.
fn failed(error: io::Error) -> NodeError {
    NodeError::Uploads(error)
}
