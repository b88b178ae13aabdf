use alloc::string::String;
use alloc::vec::Vec;

use chartseal_codec::{
    Decode, DecodeError, Decoder, Encode, Encoder, canonical_struct, from_bytes, to_bytes,
};
use chartseal_merkle::{Frontier, Hash};
use chartseal_wire::export::MAX_HISTORIES;
use chartseal_wire::{ActorId, Checkpoint, RecordId, RequestId, Subject, Time, TxId};

use crate::equivocation::{is_proof, kept_checkpoint};

/// The version of [`Kept`]'s format with frontiers alone.
const KEPT_VERSION: u64 = 1;
/// The version with a committee too.
const COMMITTEE_VERSION: u64 = 2;
/// The version with what later entries refer back to, and with the certificate of the header.
const MEMORY_VERSION: u64 = 3;
/// More entries than any history has: so that counting on never overflows.
const MAX_HISTORY: u64 = 1 << 48;
/// The most bytes of the statement that is kept: a longer one is kept as its note alone.
const MAX_KEPT_STATEMENT: usize = 256 << 10;
/// The most items in all [`Memory`]s of a state.
const MAX_MEMORY: usize = 4096;

/// What a verifier remembers of the last export that it verified, so that the next one may hold the
/// newer entries alone, and can't contradict it.
///
/// It comes from a verdict ([`Report::kept`](crate::Report)), and is trusted: keep it where nobody
/// else writes, and replace it as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The checkpoint with its signatures, as it was exported; of a certified block the proof of its header with
    /// the certificate. It is one half of an [`Equivocation`](crate::Equivocation), if the network ever signs another.
    pub(crate) statement: String,
    /// What its note says.
    pub(crate) checkpoint: Checkpoint,
    /// The height of the header behind the histories.
    pub(crate) height: u64,
    /// That header's time.
    pub(crate) time: Time,
    /// The verified histories, sorted by subject.
    pub(crate) histories: Vec<KeptHistory>,
    /// The latest epoch of a header under a policy with a committee, and the hash of the committee in office after
    /// it: under another policy it is not forgotten.
    pub(crate) committee: Option<(u64, Hash)>,
}

/// What is kept of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptHistory {
    pub(crate) subject: Subject,
    pub(crate) log: Frontier,
    /// `None` if it isn't known, or was too much.
    pub(crate) memory: Option<Memory>,
}

/// What later entries of a patient's history refer back to; of an actor's, which is not judged, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// In the order of their entries.
    pub(crate) unreviewed: Vec<Unreviewed>,
    /// Until when whose declarations of an emergency are in force, by actor.
    pub(crate) declarations: Vec<(ActorId, Time)>,
    /// Standing legal holds, by the transaction that placed them.
    pub(crate) holds: Vec<(TxId, RecordId)>,
    /// In their order.
    pub(crate) erased: Vec<RecordId>,
}

/// An emergency access that nobody reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreviewed {
    pub(crate) request: RequestId,
    pub(crate) actor: ActorId,
    pub(crate) entry: u64,
    /// Until when the emergency was in force: the review is due some time after.
    pub(crate) until: Time,
}

canonical_struct!(KeptHistory {
    subject,
    log,
    memory
});
canonical_struct!(Memory {
    unreviewed,
    declarations,
    holds,
    erased
});
canonical_struct!(Unreviewed {
    request,
    actor,
    entry,
    until
});

/// Forgets of each history, in their order, what there is no room left for.
pub(crate) fn fit(histories: &mut [KeptHistory]) {
    let mut room = MAX_MEMORY;
    for one in histories {
        one.memory = one.memory.take().filter(|memory| {
            let declared = memory.unreviewed.len() + memory.declarations.len();
            let left = room.checked_sub(declared + memory.holds.len() + memory.erased.len());
            room = left.unwrap_or(room);
            left.is_some()
        });
    }
}

impl Kept {
    /// The canonical bytes, to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`DecodeError`] for any other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_bytes(bytes)
    }

    /// The origin of the chain's log.
    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    /// The size of the block log under the kept checkpoint: ask for an export that grows from it.
    pub fn log_size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The height after which the histories were verified, and that block's time.
    pub fn height(&self) -> (u64, Time) {
        (self.height, self.time)
    }

    /// The histories that were verified, each with its number of entries: ask for those from there on.
    pub fn histories(&self) -> impl Iterator<Item = (Subject, u64)> {
        self.histories
            .iter()
            .map(|one| (one.subject, one.log.size()))
    }

    pub(crate) fn history(&self, subject: &Subject) -> Option<&KeptHistory> {
        let at = self
            .histories
            .binary_search_by_key(subject, |one| one.subject)
            .ok()?;
        self.histories.get(at)
    }

    /// Which version's format holds it: the oldest one that can.
    fn version(&self) -> u64 {
        let has_memory = self.histories.iter().any(|one| one.memory.is_some());
        match self.committee {
            _ if has_memory || is_proof(&self.statement) => MEMORY_VERSION,
            Some(_) => COMMITTEE_VERSION,
            None => KEPT_VERSION,
        }
    }
}

/// The statement to keep, of these two of one block.
pub(crate) fn to_keep(certified: Option<String>, note: String) -> String {
    let certified = certified.filter(|one| one.len() <= MAX_KEPT_STATEMENT);
    certified.unwrap_or(note)
}

impl Encode for Kept {
    fn encode(&self, e: &mut Encoder) {
        let version = self.version();
        let fields = if version == KEPT_VERSION { 5 } else { 6 };
        e.array(fields).uint(version).text(&self.statement);
        e.uint(self.height).item(&self.time);
        if version == MEMORY_VERSION {
            e.item(&self.histories).item(&self.committee);
        } else {
            let logs = self.histories.iter().map(|one| (&one.subject, &one.log));
            e.item(&logs.collect::<Vec<_>>());
            self.committee.iter().for_each(|one| one.encode(e));
        }
    }
}

impl Decode for Kept {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let fields = d.at("kept").array(6)?;
        let version = d.at("kept.version").uint()?;
        let (has_committee, has_memory) = (version > KEPT_VERSION, version == MEMORY_VERSION);
        if version > MEMORY_VERSION || version == 0 || fields != 5 + usize::from(has_committee) {
            return Err(d.invalid("version 1 of five fields, or version 2 or 3 of six"));
        }
        let statement = String::from(d.at("kept.checkpoint").text(MAX_KEPT_STATEMENT)?);
        let checkpoint = kept_checkpoint(&statement)
            .ok_or_else(|| d.invalid("a signed checkpoint, or a certified header's proof"))?;
        let height = d.at("kept.height").uint()?;
        if height >= checkpoint.size {
            return Err(d.invalid("the height is below the log's size"));
        }
        let time = Time::decode(d.at("kept.time"))?;
        let histories = d.at("kept.histories");
        let histories: Vec<KeptHistory> = if has_memory {
            histories.list(MAX_HISTORIES)?
        } else {
            let logs: Vec<(Subject, Frontier)> = histories.list(MAX_HISTORIES)?;
            let unremembered = |(subject, log)| KeptHistory {
                subject,
                log,
                memory: None,
            };
            logs.into_iter().map(unremembered).collect()
        };
        if histories.iter().any(|one| one.log.size() > MAX_HISTORY) {
            return Err(d.invalid("a history has at most 2^48 entries"));
        }
        if !histories.is_sorted_by(|a, b| a.subject < b.subject) {
            return Err(d.invalid("histories are sorted by subject, none twice"));
        }
        let committee = d.at("kept.committee");
        let committee = match version {
            KEPT_VERSION => None,
            COMMITTEE_VERSION => Some(<(u64, Hash)>::decode(committee)?),
            _ => Option::decode(committee)?,
        };
        let kept = Self {
            statement,
            checkpoint,
            height,
            time,
            histories,
            committee,
        };
        if kept.version() == version {
            Ok(kept)
        } else {
            Err(d.invalid("the oldest version that can hold it"))
        }
    }
}
