//! The custodian's work: take shares in, give them out on a final permit, destroy them.

mod deposit;
mod erasure;
mod redeal;
mod release;

use std::num::NonZeroU64;

use chartseal_api::EnvelopeFront;
use chartseal_codec::from_bytes;
use chartseal_envelope::{
    CommitmentRoot, CustodianSet, Dealing, Header, SetId, ShareIndex, Threshold, VerifyingKey,
};
use chartseal_ledger::State;
use chartseal_ledger::state::RecordState;
use chartseal_wire::{ActorId, HeaderDigest, OrgId};

use crate::error::NodeError;

pub use deposit::Deposited;
pub(crate) use deposit::{bodies_there, body_of};
pub(crate) use release::with_body;

/// How far the newest block may lag a custodian's clock (Δ), in ms: beyond it, a revocation could be
/// final without this node knowing.
pub const MAX_LAG_MS: u64 = 60_000;

/// How many of an author's keys are looked at, the newest ones: so many are a key for each month of a long life.
const MAX_AUTHOR_KEYS: usize = 1_024;

/// The signing keys that a record's author has had, the newest first. A key that was rotated since, or lost and recovered,
/// still says whose its records are.
pub fn author_keys(state: State<'_>, record: &RecordState) -> Vec<VerifyingKey> {
    keys_of(state, &record.author)
}

/// The signing keys that somebody has had, the newest first.
pub(crate) fn keys_of(state: State<'_>, author: &ActorId) -> Vec<VerifyingKey> {
    let keys = state.author_keys(author).take(MAX_AUTHOR_KEYS);
    keys.filter_map(|key| VerifyingKey::from_bytes(&key.0).ok())
        .collect()
}

/// Which of an author's keys a header names: the newest, if it names none of them.
pub fn author_key<'a>(keys: &'a [VerifyingKey], header: &Header) -> Option<&'a VerifyingKey> {
    let named = keys.iter().find(|key| key.key_id() == header.author());
    named.or_else(|| keys.first())
}

/// An organization's index, from 1, among the custodians to whom an epoch's records are dealt.
pub fn share_index(state: State<'_>, org: &OrgId, epoch: u64) -> Option<ShareIndex> {
    let index = state.committee_of(epoch)?.index_of(org)?;
    ShareIndex::new(u8::try_from(index).ok()?).ok()
}

/// The custodians of an epoch, as envelopes name them; `None` of an epoch that has no committee.
pub fn custodian_set(state: State<'_>, epoch: u64) -> Option<CustodianSet> {
    let committee = state.committee_of(epoch)?;
    let narrow = |number: u64| u8::try_from(number).ok();
    Some(CustodianSet {
        id: SetId(committee.hash().0),
        epoch,
        threshold: Threshold::new(narrow(committee.quorum())?, narrow(committee.n())?).ok()?,
    })
}

/// A version's deal by its number, as it is anchored; 0 is the one that its header names.
pub fn dealing_of(state: State<'_>, header: &Header, number: u64) -> Option<Dealing> {
    let Some(number) = NonZeroU64::new(number) else {
        return Some(Dealing::initial(header));
    };
    let dealt = state.deal(&HeaderDigest(header.digest().0), number.get())?;
    let custodians = custodian_set(state, dealt.custodians.epoch)?;
    let root = CommitmentRoot(dealt.root);
    Some(Dealing::later(header, number, custodians, root))
}

/// The epoch to whose committee a version's deal was dealt, by its number.
pub fn dealt_in(state: State<'_>, header: &HeaderDigest, number: u64) -> Option<u64> {
    let set = if number == 0 {
        state.deposit(header)?.custodians
    } else {
        state.deal(header, number)?.custodians
    };
    Some(set.epoch)
}

pub(crate) fn read_front(bytes: &[u8]) -> Result<EnvelopeFront, NodeError> {
    from_bytes(bytes).map_err(|why| NodeError::Damaged {
        what: "an envelope",
        why,
    })
}
