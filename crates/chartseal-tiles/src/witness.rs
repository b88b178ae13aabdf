//! Cosigning consistent growth.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::PathBuf;

use chartseal_merkle::{Hash, empty_root, verify_consistency};
use chartseal_wire::note::{MAX_NOTE, NoteSignature};
use chartseal_wire::{Checkpoint, FormatError, Signature, SignedNote, VerifierKey};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::error::TileError;
use crate::files::{Directory, Sink, Source, read};
use crate::read::{CHECKPOINT, TileLog, note};
use crate::request::AddCheckpoint;

/// Cosigns checkpoints of logs that it trusts, if each continues the last one that it cosigned.
///
/// That last one is kept, cosigned, in a directory of the witness's own: at `<SHA-256 of the origin>/checkpoint`,
/// where C2SP tlog-witness has monitors look for it. It is on disk before a cosignature is given out, and
/// nothing older is ever cosigned again. One process at a time has the directory.
pub struct Witness<S> {
    key: VerifierKey,
    sign: S,
    logs: Vec<VerifierKey>,
    kept: Directory,
    /// Held until it is dropped.
    _lock: File,
}

/// What a witness said yes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The checkpoint under the log's signatures and the witness's.
    pub note: SignedNote,
    /// The witness's own line of it.
    pub line: NoteSignature,
    /// How many entries the log has.
    pub size: u64,
    /// How many it had when it was last cosigned; 0 at first.
    pub before: u64,
}

/// Why a witness said no.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The request or checkpoint can't be read.
    #[error("not a request: {0}")]
    Malformed(#[from] FormatError),
    /// The time is none.
    #[error("no cosignature without a time: the clock says 1970")]
    NoTime,
    /// The checkpoint is of a log that the witness doesn't know.
    #[error("{0:?} is no log that this witness knows")]
    UnknownLog(String),
    /// No trusted key of the log signed, or one that claims to have did not.
    #[error("the log's signature is missing or wrong")]
    Signature,
    /// The request's old size lies beyond its checkpoint's.
    #[error("the old size {old} is above the checkpoint's {size}")]
    Sizes {
        /// What the request began with.
        old: u64,
        /// The checkpoint's.
        size: u64,
    },
    /// The request's old size is not the one that was cosigned last.
    #[error("the last checkpoint that was cosigned has {kept} entries")]
    OtherSize {
        /// The size that was cosigned last.
        kept: u64,
    },
    /// The published log is shorter than what was cosigned before.
    #[error("rolled back: the log shows {found} entries, and had {kept}")]
    RolledBack {
        /// What is published.
        found: u64,
        /// The size that was cosigned last.
        kept: u64,
    },
    /// The log does not begin with the one that was cosigned before: it was forked, or the proof is wrong.
    #[error(
        "inconsistent: what is published does not begin with the {kept} entries that were cosigned"
    )]
    Inconsistent {
        /// The size that was cosigned last.
        kept: u64,
    },
    /// The published files can't be read, or are not what their checkpoint signs.
    #[error(transparent)]
    Tiles(#[from] TileError),
    /// What was cosigned last can't be read or kept: nothing is cosigned.
    #[error("the witness's own state: {0}")]
    State(String),
}

/// An answer to `add-checkpoint`, as C2SP tlog-witness has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body's media type.
    pub content_type: &'static str,
    /// Signature lines with status 200, a size with 409, else a sentence.
    pub body: String,
}

impl<S: FnMut(&[u8]) -> Signature> Witness<S> {
    /// A witness that keeps what it cosigned in `dir`, which is made if it is missing. `sign` signs with
    /// `key`'s secret half.
    ///
    /// # Errors
    /// [`io::Error`]; of kind `WouldBlock` if another process is at work there.
    pub fn open(key: VerifierKey, dir: impl Into<PathBuf>, sign: S) -> io::Result<Self> {
        let dir = dir.into();
        fs::create_dir_all(&dir)?;
        let lock = File::create(dir.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                let what = format!("{}: another witness is at work there", dir.display());
                io::Error::new(io::ErrorKind::WouldBlock, what)
            }
            TryLockError::Error(error) => error,
        })?;
        Ok(Self {
            key,
            sign,
            logs: Vec::new(),
            kept: Directory::new(dir),
            _lock: lock,
        })
    }

    /// Cosigns checkpoints whose origin is `log`'s name, if it signed them. A log may have several keys.
    pub fn trust(&mut self, log: VerifierKey) {
        self.logs.push(log);
    }

    /// Reads a published log, and cosigns its checkpoint if it continues the one that was cosigned last. `now`
    /// is in seconds since 1970.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn follow(&mut self, log: &impl Source, now: u64) -> Result<Cosigned, Refusal> {
        let Some(bytes) = read(log, CHECKPOINT, MAX_NOTE)? else {
            let path = CHECKPOINT.into();
            return Err(TileError::Missing { path }.into());
        };
        let note = note(&bytes)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        let kept = self.kept(&checkpoint.origin)?.map_or(0, |kept| kept.size);
        if checkpoint.size < kept {
            let found = checkpoint.size;
            return Err(Refusal::RolledBack { found, kept });
        }
        let proof = TileLog::open(log, checkpoint)?.prove_consistency(kept)?;
        self.cosign(note, kept, &proof, now)
    }

    /// Answers an `add-checkpoint` request of C2SP tlog-witness. `now` is in seconds since 1970.
    pub fn add_checkpoint(&mut self, request: &[u8], now: u64) -> Response {
        let cosigned = AddCheckpoint::parse(request).map_err(Refusal::from);
        let cosigned = cosigned
            .and_then(|request| self.cosign(request.note, request.old, &request.proof, now));
        match cosigned {
            Ok(cosigned) => Response::text(200, cosigned.line.to_string()),
            Err(Refusal::OtherSize { kept }) => Response {
                status: 409,
                content_type: "text/x.tlog.size",
                body: format!("{kept}\n"),
            },
            Err(refusal) => Response::text(refusal.status(), format!("{refusal}\n")),
        }
    }

    /// Cosigns a checkpoint that continues a log of `old` entries by `proof`.
    fn cosign(
        &mut self,
        note: SignedNote,
        old: u64,
        proof: &[Hash],
        now: u64,
    ) -> Result<Cosigned, Refusal> {
        if now == 0 {
            return Err(Refusal::NoTime);
        }
        let new = Checkpoint::parse(&note.text)?;
        let signatures = self.signed(&note, &new.origin)?;
        if old > new.size {
            let size = new.size;
            return Err(Refusal::Sizes { old, size });
        }
        let kept = self.kept(&new.origin)?;
        let before = kept.as_ref().map_or(0, |kept| kept.size);
        if old != before {
            return Err(Refusal::OtherSize { kept: before });
        }
        let is_consistent = match kept.filter(|kept| kept.size > 0) {
            None => proof.is_empty() && (new.size > 0 || new.root == empty_root()),
            Some(kept) => {
                verify_consistency(kept.size, kept.root, new.size, new.root, proof).is_ok()
            }
        };
        if !is_consistent {
            return Err(Refusal::Inconsistent { kept: before });
        }
        let line = self.key.line(&note.text, now, &mut self.sign);
        let note = SignedNote {
            text: note.text,
            signatures: [signatures, vec![line.clone()]].concat(),
        };
        // Before anybody sees it: whoever asks again must meet this one.
        self.kept
            .write(&kept_path(&new.origin), note.to_string().as_bytes())
            .map_err(|error| Refusal::State(error.to_string()))?;
        Ok(Cosigned {
            note,
            line,
            size: new.size,
            before,
        })
    }

    /// The signatures of the log's trusted keys, all of them valid.
    fn signed(&self, note: &SignedNote, origin: &str) -> Result<Vec<NoteSignature>, Refusal> {
        let keys: Vec<_> = self
            .logs
            .iter()
            .filter(|key| key.name() == origin)
            .collect();
        if keys.is_empty() {
            return Err(Refusal::UnknownLog(origin.into()));
        }
        let mut signatures = Vec::new();
        for line in &note.signatures {
            let Some(key) = keys.iter().find(|key| key.matches(line)) else {
                continue;
            };
            let verified = key.verify(&note.text, line);
            verified.map_err(|_| Refusal::Signature)?;
            signatures.push(line.clone());
        }
        if signatures.is_empty() {
            return Err(Refusal::Signature);
        }
        Ok(signatures)
    }

    /// The checkpoint of a log that was cosigned last.
    fn kept(&self, origin: &str) -> Result<Option<Checkpoint>, Refusal> {
        let path = kept_path(origin);
        let state = |what: &dyn std::fmt::Display| Refusal::State(format!("{path}: {what}"));
        let bytes = self
            .kept
            .read(&path, MAX_NOTE)
            .map_err(|error| state(&error))?;
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        let note = note(&bytes).map_err(|error| state(&error))?;
        let checkpoint = Checkpoint::parse(&note.text).map_err(|error| state(&error))?;
        if checkpoint.origin != origin {
            return Err(state(&"it is of another log"));
        }
        Ok(Some(checkpoint))
    }
}

impl Refusal {
    /// The HTTP status that C2SP tlog-witness has for it.
    fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Sizes { .. } => 400,
            Self::Signature => 403,
            Self::UnknownLog(_) => 404,
            Self::OtherSize { .. } => 409,
            Self::RolledBack { .. } | Self::Inconsistent { .. } => 422,
            Self::Tiles(_) | Self::State(_) | Self::NoTime => 500,
        }
    }
}

impl Response {
    fn text(status: u16, body: String) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body,
        }
    }
}

/// Where the last checkpoint of a log is kept.
fn kept_path(origin: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(origin.as_bytes()).into();
    format!("{}/{CHECKPOINT}", Hash(digest))
}
