use alloc::string::String;
use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, from_bytes, to_bytes};
use chartseal_merkle::{Frontier, Hash};
use chartseal_wire::export::MAX_HISTORIES;
use chartseal_wire::note::MAX_NOTE;
use chartseal_wire::{Checkpoint, SignedNote, Subject, Time};

/// The version of [`Kept`]'s format without a committee.
const KEPT_VERSION: u64 = 1;
/// The version with one.
const COMMITTEE_VERSION: u64 = 2;
/// More entries than any history has: so that counting on never overflows.
const MAX_HISTORY: u64 = 1 << 48;

/// What a verifier remembers of the last export that it verified, so that the next one may hold the
/// newer entries alone, and can't contradict it.
///
/// It comes from a verdict ([`Report::kept`](crate::Report)), and is trusted: keep it where nobody
/// else writes, and replace it as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The checkpoint with its signatures, as it was exported.
    pub(crate) note: String,
    /// What the note says.
    pub(crate) checkpoint: Checkpoint,
    /// The height of the header behind the histories.
    pub(crate) height: u64,
    /// That header's time.
    pub(crate) time: Time,
    /// Each verified history's log, sorted by subject.
    pub(crate) histories: Vec<(Subject, Frontier)>,
    /// The header's epoch, and the hash of the committee in office after it; if the policy had a
    /// committee.
    pub(crate) committee: Option<(u64, Hash)>,
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
            .map(|(subject, log)| (*subject, log.size()))
    }

    pub(crate) fn history(&self, subject: &Subject) -> Option<&Frontier> {
        let at = self
            .histories
            .binary_search_by_key(subject, |(subject, _)| *subject)
            .ok()?;
        self.histories.get(at).map(|(_, log)| log)
    }
}

impl Encode for Kept {
    fn encode(&self, e: &mut Encoder) {
        match self.committee {
            None => e.array(5).uint(KEPT_VERSION),
            Some(_) => e.array(6).uint(COMMITTEE_VERSION),
        };
        e.text(&self.note).uint(self.height).item(&self.time);
        e.item(&self.histories);
        self.committee.iter().for_each(|one| one.encode(e));
    }
}

impl Decode for Kept {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let fields = d.at("kept").array(6)?;
        let version = d.at("kept.version").uint()?;
        let has_committee = version == COMMITTEE_VERSION;
        if (fields, version) != (5, KEPT_VERSION) && (fields, has_committee) != (6, true) {
            return Err(d.invalid("version 1 of five fields, or version 2 of six"));
        }
        let note = String::from(d.at("kept.checkpoint").text(MAX_NOTE)?);
        let checkpoint = SignedNote::parse(&note)
            .and_then(|note| Checkpoint::parse(&note.text))
            .map_err(|_| d.invalid("a signed checkpoint"))?;
        let height = d.at("kept.height").uint()?;
        if height >= checkpoint.size {
            return Err(d.invalid("the height is below the log's size"));
        }
        let time = Time::decode(d.at("kept.time"))?;
        let histories: Vec<(Subject, Frontier)> = d.at("kept.histories").list(MAX_HISTORIES)?;
        if histories.iter().any(|(_, log)| log.size() > MAX_HISTORY) {
            return Err(d.invalid("a history has at most 2^48 entries"));
        }
        if !histories.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(d.invalid("histories are sorted by subject, none twice"));
        }
        let committee = d.at("kept.committee");
        let committee = has_committee
            .then(|| <(u64, Hash)>::decode(committee))
            .transpose()?;
        Ok(Self {
            note,
            checkpoint,
            height,
            time,
            histories,
            committee,
        })
    }
}
