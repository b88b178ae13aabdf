//! Evidence against other validators: kept on disk, for a process that ends forgets it, and judged by what a ledger knows.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chartseal_codec::to_hex;
use chartseal_consensus::{Evidence, EvidenceError, Fault};
use chartseal_ledger::{Block, Committee, Overlay};
use chartseal_wire::{ChainId, OrgId};

use crate::files::replace;

/// The folder in a node's data directory, of a file for each piece of evidence.
pub(crate) const FOLDER: &str = "evidence";
/// The name of a file that is being written.
const UNFINISHED: &str = "unfinished";
/// The most files, and the most bytes of all of them. Whoever is accused makes no room by more of it: the oldest stay.
const MAX_FILES: usize = 1_024;
const MAX_BYTES: u64 = 256 << 20;

/// A data directory's folder of evidence.
#[derive(Debug)]
pub(crate) struct EvidenceFolder {
    folder: PathBuf,
    names: BTreeSet<String>,
    bytes: u64,
    is_full: bool,
}

impl EvidenceFolder {
    /// What is there already counts.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let mut opened = Self {
            folder: directory.join(FOLDER),
            names: BTreeSet::new(),
            bytes: 0,
            is_full: false,
        };
        let entries = match fs::read_dir(&opened.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(opened),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != UNFINISHED {
                opened.bytes = opened.bytes.saturating_add(entry.metadata()?.len());
                opened.names.insert(name);
            }
        }
        Ok(opened)
    }

    /// Keeps what is new, each piece under its hash: whole and on the medium, or not at all. Gives how many were.
    pub(crate) fn keep<'e>(
        &mut self,
        evidence: impl IntoIterator<Item = &'e Evidence>,
    ) -> io::Result<usize> {
        let mut kept = 0;
        for piece in evidence {
            let bytes = piece.bytes();
            let name = to_hex(blake3::hash(&bytes).as_bytes());
            if self.names.contains(&name) {
                continue;
            }
            let all = self.bytes.saturating_add(bytes.len() as u64);
            if self.names.len() >= MAX_FILES || all > MAX_BYTES {
                if !self.is_full {
                    let folder = self.folder.display();
                    tracing::warn!(%folder, "no more evidence is kept: move what is there elsewhere, and start the node again");
                }
                self.is_full = true;
                break;
            }
            fs::create_dir_all(&self.folder)?;
            let unfinished = self.folder.join(UNFINISHED);
            replace(&self.folder.join(&name), &unfinished, &bytes)?;
            tracing::warn!(%name, "evidence against a validator is kept: `chartseal node evidence` says whom it accuses");
            self.names.insert(name);
            self.bytes = all;
            kept += 1;
        }
        Ok(kept)
    }
}

/// The files of evidence in a data directory, by name.
///
/// # Errors
/// If the folder can't be read. A node that has none has no folder.
pub fn evidence_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = EvidenceFolder::open(directory)?;
    let names = folder.names.iter();
    Ok(names.map(|name| folder.folder.join(name)).collect())
}

/// What a ledger knows by which evidence is judged.
pub trait EvidenceGround {
    /// The network.
    fn chain(&self) -> ChainId;
    /// The committee of an epoch, if it is known.
    fn committee(&self, epoch: u64) -> Option<Committee>;
    /// The state after a block's parent.
    ///
    /// # Errors
    /// Why it can't be had, and what would help.
    fn parent(&self, block: &Block) -> Result<Overlay, String>;
}

/// What evidence shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accusation {
    /// A fault.
    Proved {
        /// Whose validator it is.
        organization: OrgId,
        /// What it did.
        fault: Fault,
    },
    /// Nothing.
    Refuted(EvidenceError),
    /// There is not enough here to tell.
    CannotTell {
        /// Whose signature it is, where that much is proved: what it signed may still be right.
        organization: Option<OrgId>,
        /// What is missing.
        why: String,
    },
}

impl Accusation {
    /// Judges a piece of evidence.
    pub fn of(evidence: &Evidence, ground: &dyn EvidenceGround) -> Self {
        let vote = match evidence {
            Evidence::Refused { vote, .. } => vote,
            Evidence::Equivocated { one, .. } => one,
        };
        let Some(claimed) = Claimed::by(vote) else {
            return Self::Refuted(EvidenceError::Vote);
        };
        let epoch = claimed.epoch;
        let Some(committee) = ground.committee(epoch) else {
            let why = format!("the committee of epoch {epoch} is not known here");
            return Self::CannotTell {
                organization: None,
                why,
            };
        };
        let chain = ground.chain();
        let signer = || {
            let validators = committee.validators();
            validators.get(claimed.signer).map(|member| member.org)
        };
        let checked = match (evidence.check(&chain, &committee, None), evidence) {
            // All but the block is judged; for that its parent's state is needed, which may be dear to come by.
            (Err(EvidenceError::OtherParent), Evidence::Refused { block, .. }) => {
                let parent = Block::from_bytes(block).map_err(|error| error.to_string());
                match parent.and_then(|block| ground.parent(&block)) {
                    Ok(parent) => evidence.check(&chain, &committee, Some(&parent)),
                    Err(why) => {
                        return Self::CannotTell {
                            organization: signer(),
                            why,
                        };
                    }
                }
            }
            (checked, _) => checked,
        };
        match checked {
            Ok(fault) => {
                let mut members = committee.members().iter();
                let member = members.find(|member| member.validator == fault.validator);
                match member {
                    Some(member) => Self::Proved {
                        organization: member.org,
                        fault,
                    },
                    None => Self::Refuted(EvidenceError::Signature),
                }
            }
            Err(error) => Self::Refuted(error),
        }
    }
}

/// What a vote says of itself, unchecked: which committee it has to be checked against.
struct Claimed {
    epoch: u64,
    signer: usize,
}

impl Claimed {
    /// Three numbers (LEB128: epoch, view, parent's view), a leaf hash, the signer's number, its signature.
    fn by(vote: &[u8]) -> Option<Self> {
        let mut rest = vote;
        let epoch = number(&mut rest)?;
        number(&mut rest)?;
        number(&mut rest)?;
        let mut rest = rest.get(32..)?;
        let signer = usize::try_from(number(&mut rest)?).ok()?;
        Some(Self { epoch, signer })
    }
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, behind) = rest.split_first()?;
        *rest = behind;
        number |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(number: u8, bytes: usize) -> Evidence {
        Evidence::Equivocated {
            one: vec![number; bytes],
            other: vec![0; 3],
        }
    }

    #[test]
    fn evidence_is_kept_once_survives_the_process_and_the_oldest_stays() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(evidence_files(place.path()).unwrap(), Vec::<PathBuf>::new());
        let mut folder = EvidenceFolder::open(place.path()).unwrap();
        assert_eq!(folder.keep([]).unwrap(), 0);
        assert!(!place.path().join(FOLDER).exists(), "a folder without need");
        let (one, two) = (piece(1, 5), piece(2, 5));
        assert_eq!(folder.keep([&one, &one]).unwrap(), 1);
        // What a crash left half written is no evidence, and in nobody's way.
        fs::write(place.path().join(FOLDER).join(UNFINISHED), b"half").unwrap();
        let mut folder = EvidenceFolder::open(place.path()).unwrap();
        assert_eq!(folder.keep([&one, &two]).unwrap(), 1);
        let files = evidence_files(place.path()).unwrap();
        let mut read: Vec<Evidence> = files
            .iter()
            .map(|file| Evidence::from_bytes(&fs::read(file).unwrap()).unwrap())
            .collect();
        read.sort_by_key(Evidence::bytes);
        assert_eq!(read, [one, two]);

        folder.bytes = MAX_BYTES - 3;
        assert_eq!(folder.keep([&piece(3, 5)]).unwrap(), 0);
        folder.bytes = 0;
        folder.names.extend((2..MAX_FILES).map(|n| n.to_string()));
        assert_eq!(folder.keep([&piece(4, 5)]).unwrap(), 0);
        assert_eq!(evidence_files(place.path()).unwrap().len(), 2);
    }

    #[test]
    fn a_votes_numbers_are_read_and_no_byte_is_trusted() {
        let mut vote = vec![0x85, 0x01, 7, 6];
        vote.extend([9; 32]);
        vote.extend([3]);
        vote.extend([1; 64]);
        let claimed = Claimed::by(&vote).unwrap();
        assert_eq!((claimed.epoch, claimed.signer), (133, 3));
        for end in 0..37 {
            assert!(Claimed::by(&vote[..end]).is_none(), "{end}");
        }
        assert!(Claimed::by(&[0xff; 100]).is_none());
    }
}
