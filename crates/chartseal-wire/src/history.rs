//! Histories: for each patient, and for each actor, an RFC 6962 log of what happened.
//!
//! The state map has one slot for a history ([`Subject::slot`]), and the slot's value is the log's
//! [`Frontier`]. So the number of entries is fixed with their hashes, and
//! a list of entries is complete if and only if appending them gives the slot's value.

mod care;
mod custody;
mod token;
mod view;

use alloc::vec::Vec;

use chartseal_codec::{canonical_enum, canonical_struct, to_bytes};
use chartseal_merkle::{Frontier, Hash, MapKey, leaf_hash, leaf_hash_of_parts};
use sha2::{Digest, Sha256};

use crate::domain::{
    ENTRY_LEAF, FLOOD_LEAF, OUTCOME, SEALED_TEXT, STATE_KEY, tagged, tagged_sha256,
};
use crate::id::{
    ActorId, DirectiveId, HeaderDigest, OrgId, PatientId, RecordId, RequestId, Time, TxId,
};
use crate::key::PublicKey;

pub use care::{
    Adopted, GuardianAppointed, GuardianRemoved, QuorumSet, RecoveryCompleted, RecoveryPlanned,
    RecoveryStarted, RecoveryVetoed, StatusChanged,
};
pub use custody::{
    DisputeAnswered, Disputed, DuplicateOf, HoldLifted, HoldPlaced, Redealt, SlotAdded, SlotRemoved,
};
pub use token::Token;
pub use view::{
    AccessView, EntryView, EventView, OutcomeView, RecordsView, ReleasedView, TokensView,
};

/// The most records that one request names.
pub const MAX_REQUEST_RECORDS: usize = 512;

/// Whose history it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Everything that concerns a patient.
    Patient(PatientId),
    /// Everything that somebody did.
    Actor(ActorId),
}

canonical_enum!(Subject { 1 => Patient(_), 2 => Actor(_) });

impl Subject {
    /// Where the state map keeps this history's frontier.
    pub fn slot(&self) -> MapKey {
        state_key("history", &to_bytes(self))
    }
}

/// The key of the state map for `id` in `table`: the tagged SHA-256 of `[table, id]`.
pub fn state_key(table: &str, id: &[u8]) -> MapKey {
    short_state_key(table, id).unwrap_or_else(|| long_state_key(table, id))
}

fn long_state_key(table: &str, id: &[u8]) -> MapKey {
    let mut e = chartseal_codec::Encoder::new();
    e.array(2).text(table).bytes(id);
    MapKey(tagged_sha256(STATE_KEY, &e.finish()))
}

/// The same in one piece and without an allocation, as a transaction takes a dozen of them; `None`: it is too long.
fn short_state_key(table: &str, id: &[u8]) -> Option<MapKey> {
    const PAIR: u8 = 0x82;
    let table_len = u8::try_from(table.len()).ok().filter(|len| *len < 24)?;
    let id_len = u8::try_from(id.len()).ok()?;
    let id_head = if id_len < 24 {
        &[0x40 | id_len][..]
    } else {
        &[0x58, id_len]
    };
    let (mut message, mut len) = ([0; 128], 0);
    let (domain, heads) = (STATE_KEY.as_bytes(), [0, PAIR, 0x60 | table_len]);
    for part in [domain, &heads, table.as_bytes(), id_head, id] {
        let end = len + part.len();
        message.get_mut(len..end)?.copy_from_slice(part);
        len = end;
    }
    Some(MapKey(Sha256::digest(message.get(..len)?).into()))
}

/// One entry of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The block that it is from.
    pub height: u64,
    /// That block's time.
    pub time: Time,
    /// The transaction behind it.
    pub tx: TxId,
    /// Who acted.
    pub actor: ActorId,
    /// The organization for which they acted; a patient's own acts carry the patient's id.
    pub org: OrgId,
    /// What happened.
    pub event: Event,
}

canonical_struct!(Entry {
    height,
    time,
    tx,
    actor,
    org,
    event
});

impl Entry {
    /// The leaf hash of these bytes of an entry in a history.
    pub fn leaf(bytes: &[u8]) -> Hash {
        leaf_hash_of_parts(&[ENTRY_LEAF.as_bytes(), &[0], bytes])
    }

    /// Appends entries to a history's log by their bytes: [`leaf`](Self::leaf) of many at a time.
    pub fn append(log: &mut Frontier, entries: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        log.append_entries(&tagged(ENTRY_LEAF, &[]), entries);
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Somebody was enrolled.
    Enrolled(Enrolled),
    /// A record's first or next version was anchored.
    RecordAdded(RecordAdded),
    /// A directive was issued: a grant, a restriction, a revocation, an approval.
    Directive(DirectiveIssued),
    /// An emergency was declared.
    Emergency(EmergencyDeclared),
    /// Records were asked for, in the patient's view.
    Access(Access),
    /// Records were asked for, in the actor's view.
    OwnAccess(OwnAccess),
    /// A custodian released key shares.
    Released(Released),
    /// An emergency access was reviewed.
    Reviewed(Reviewed),
    /// The patient had a record erased.
    Erased(Erased),
    /// A custodian attested that it destroyed what it held of an erased record.
    Destroyed(Destroyed),
    /// A key was replaced or revoked.
    KeyChanged(KeyChanged),
    /// The patient gave records other labels.
    Relabelled(Relabelled),
    /// A record's key was sealed to the patient.
    SlotAdded(SlotAdded),
    /// The patient had a slot removed.
    SlotRemoved(SlotRemoved),
    /// A record's key was dealt anew.
    Redealt(Redealt),
    /// Somebody became the patient's guardian.
    GuardianAppointed(GuardianAppointed),
    /// Somebody is the patient's guardian no more.
    GuardianRemoved(GuardianRemoved),
    /// Which guardians grant together.
    QuorumSet(QuorumSet),
    /// What the patient may do by themselves changed.
    StatusChanged(StatusChanged),
    /// The patient said who restores a lost key.
    RecoveryPlanned(RecoveryPlanned),
    /// Guardians began to replace a lost key.
    RecoveryStarted(RecoveryStarted),
    /// The old key objected.
    RecoveryVetoed(RecoveryVetoed),
    /// The lost key was replaced.
    RecoveryCompleted(RecoveryCompleted),
    /// Two ids are one person.
    Adopted(Adopted),
    /// A record repeats another one.
    DuplicateOf(DuplicateOf),
    /// Denied attempts that are counted, not listed.
    Flood(Flood),
    /// The patient says that a record is wrong.
    Disputed(Disputed),
    /// The author's side answered a dispute.
    DisputeAnswered(DisputeAnswered),
    /// A legal hold was placed on a record.
    HoldPlaced(HoldPlaced),
    /// A legal hold was lifted.
    HoldLifted(HoldLifted),
    /// The next committee was decided on.
    CommitteeChanged(CommitteeChanged),
    /// The patient gave directives other labels.
    DirectivesRelabelled(DirectivesRelabelled),
}

canonical_enum!(Event {
    1 => Enrolled(_),
    2 => RecordAdded(_),
    3 => Directive(_),
    4 => Emergency(_),
    5 => Access(_),
    6 => OwnAccess(_),
    7 => Released(_),
    8 => Reviewed(_),
    9 => Erased(_),
    10 => Destroyed(_),
    11 => KeyChanged(_),
    12 => Relabelled(_),
    13 => SlotAdded(_),
    14 => SlotRemoved(_),
    15 => Redealt(_),
    16 => GuardianAppointed(_),
    17 => GuardianRemoved(_),
    18 => QuorumSet(_),
    19 => StatusChanged(_),
    20 => RecoveryPlanned(_),
    21 => RecoveryStarted(_),
    22 => RecoveryVetoed(_),
    23 => RecoveryCompleted(_),
    24 => Adopted(_),
    25 => DuplicateOf(_),
    26 => Flood(_),
    27 => Disputed(_),
    28 => DisputeAnswered(_),
    29 => HoldPlaced(_),
    30 => HoldLifted(_),
    31 => CommitteeChanged(_),
    32 => DirectivesRelabelled(_),
});

/// An enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Who was enrolled.
    pub subject: ActorId,
    /// Whether without the patient's own signature.
    pub provisional: bool,
}
canonical_struct!(Enrolled {
    subject,
    provisional
});

/// A record's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordAdded {
    /// The record.
    pub record: RecordId,
    /// Its version, from 1.
    pub version: u64,
    /// The digest of this version's envelope header.
    pub header: HeaderDigest,
    /// The version that it replaces.
    pub supersedes: Option<HeaderDigest>,
}
canonical_struct!(RecordAdded {
    record,
    version,
    header,
    supersedes
});

/// A directive; its id is the transaction's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectiveIssued {
    /// `grant`, `restrict`, `revoke`, `approve`, or `quorum_grant` for a grant by the guardians' quorum.
    pub kind: Token,
    /// What a revocation or approval is about.
    pub target: Option<DirectiveId>,
    /// The start of its window.
    pub from: Option<Time>,
    /// The end of its window, exclusive.
    pub until: Option<Time>,
}
canonical_struct!(DirectiveIssued {
    kind,
    target,
    from,
    until
});

/// A declared emergency; its id is the transaction's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyDeclared {
    /// Why, as a code.
    pub reason_code: Token,
    /// The commitment to the sealed reason text.
    pub reason: Hash,
    /// When the declaration stops to count.
    pub until: Time,
}
canonical_struct!(EmergencyDeclared {
    reason_code,
    reason,
    until
});

/// A request and its decision, as the patient sees them; its id is the transaction's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `read`, `search`, `create`, `amend` or `export`; what was claimed, if unknown.
    pub action: Token,
    /// An HL7 purpose of use; what was claimed, if unknown.
    pub purpose: Token,
    /// Why, as a code.
    pub reason_code: Token,
    /// The commitment to the sealed reason text.
    pub reason: Hash,
    /// Whether the request named another patient than the one whose record it asked for.
    pub foreign_claim: bool,
    /// Each record asked for, with its decision.
    pub records: Vec<Outcome>,
    /// Until when custodians may release, if anything was permitted.
    pub release_until: Option<Time>,
}
canonical_struct!(Access {
    action,
    purpose,
    reason_code,
    reason,
    foreign_claim,
    records,
    release_until,
});

/// The decision about one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The record.
    pub record: RecordId,
    /// The version that was its head; `None` if there is no such record.
    pub header: Option<HeaderDigest>,
    /// Whether it was permitted.
    pub permitted: bool,
    /// The decision's code.
    pub code: Token,
    /// The directives that decided, and rules of network law.
    pub basis: Vec<Token>,
    /// What the permit obliges to.
    pub obligations: Vec<Token>,
}
canonical_struct!(Outcome {
    record,
    header,
    permitted,
    code,
    basis,
    obligations
});

/// A request and its decision, as the requester sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnAccess {
    /// As in [`Access`].
    pub action: Token,
    /// As in [`Access`].
    pub purpose: Token,
    /// As in [`Access`].
    pub reason_code: Token,
    /// The patient whom the request named.
    pub patient: PatientId,
    /// Each record asked for, with the effect alone.
    pub records: Vec<OwnOutcome>,
}
canonical_struct!(OwnAccess {
    action,
    purpose,
    reason_code,
    patient,
    records
});

/// The effect for one record, and a commitment to why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnOutcome {
    /// The record.
    pub record: RecordId,
    /// Whether it was permitted.
    pub permitted: bool,
    /// [`outcome_commitment`] of the code and basis, under a salt that practitioners don't have.
    pub outcome: Hash,
}
canonical_struct!(OwnOutcome {
    record,
    permitted,
    outcome
});

/// A custodian's receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The request that it answered.
    pub request: RequestId,
    /// The custodian's index in its set, from 1.
    pub custodian: u64,
    /// The records whose shares were released.
    pub records: Vec<RecordId>,
}
canonical_struct!(Released {
    request,
    custodian,
    records
});

/// The review of an emergency access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// The request that was reviewed.
    pub request: RequestId,
    /// Whether the reviewer found it justified.
    pub justified: bool,
}
canonical_struct!(Reviewed { request, justified });

/// An erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The record, in all its versions.
    pub record: RecordId,
}
canonical_struct!(Erased { record });

/// A custodian's attestation of destruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destroyed {
    /// The record.
    pub record: RecordId,
    /// The custodian's index in its set, from 1.
    pub custodian: u64,
}
canonical_struct!(Destroyed { record, custodian });

/// A change of somebody's signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChanged {
    /// Whose key it was.
    pub subject: ActorId,
    /// The key that counts no more.
    pub old: PublicKey,
    /// The key that counts from now on; `None`: none does.
    pub new: Option<PublicKey>,
}
canonical_struct!(KeyChanged { subject, old, new });

/// Other labels for records. The labels themselves are no part of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relabelled {
    /// The records.
    pub records: Vec<RecordId>,
}
canonical_struct!(Relabelled { records });

/// Other labels in directives, and in what is a minor's own matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectivesRelabelled {
    /// The directives.
    pub directives: Vec<DirectiveId>,
    /// Whether the labels of the minor's private matter were set.
    pub private: bool,
}
canonical_struct!(DirectivesRelabelled {
    directives,
    private
});

/// Denied attempts by one actor on one patient that were too many to be listed one by one. The
/// transaction of the entry is the last of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flood {
    /// The patient: as the actor named them, or whose records they were.
    pub patient: PatientId,
    /// Whether they named another patient than this one, whose records they asked for. Such a count is
    /// not in the actor's history, who must not learn whose records they are.
    pub foreign_claim: bool,
    /// The start of the window.
    pub from: Time,
    /// The end of the window, exclusive.
    pub until: Time,
    /// How many attempts were counted.
    pub count: u64,
    /// The RFC 6962 root over the ids of their transactions, in order: exactly `count` leaves.
    pub root: Hash,
}
canonical_struct!(Flood {
    patient,
    foreign_claim,
    from,
    until,
    count,
    root
});

impl Flood {
    /// The leaf of one counted attempt.
    pub fn leaf(attempt: &RequestId) -> Hash {
        leaf_hash(&tagged(FLOOD_LEAF, &attempt.0))
    }

    /// Whether just these attempts were counted, in this order.
    pub fn is_of(&self, attempts: &[RequestId]) -> bool {
        let mut log = chartseal_merkle::Frontier::new();
        for attempt in attempts {
            log.append(Self::leaf(attempt));
        }
        (log.size(), log.root()) == (self.count, self.root)
    }
}

/// The organizations of the next epoch, in the history of the office that submitted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitteeChanged {
    /// The next epoch.
    pub epoch: u64,
    /// The first height of it.
    pub from: u64,
    /// The organizations, in order.
    pub members: Vec<OrgId>,
}
canonical_struct!(CommitteeChanged {
    epoch,
    from,
    members
});

/// The commitment to a sealed text: tagged SHA-256 of `[salt, sealed]`. Without the salt, which is
/// deleted with the text, it tells nothing.
pub fn text_commitment(salt: &[u8; 32], sealed: &[u8]) -> Hash {
    let mut e = chartseal_codec::Encoder::new();
    e.array(2).bytes(salt).bytes(sealed);
    Hash(tagged_sha256(SEALED_TEXT, &e.finish()))
}

/// The commitment in an actor's history to `outcome`: HMAC-SHA-256 under the patient's history salt
/// (which validators and the patient have) over the tagged `[request, outcome]`.
pub fn outcome_commitment(salt: &[u8; 32], request: &RequestId, outcome: &Outcome) -> Hash {
    use hmac::{Hmac, KeyInit, Mac};
    let mut e = chartseal_codec::Encoder::new();
    e.array(2).item(request).item(outcome);
    let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(salt) else {
        return Hash::ZERO;
    };
    mac.update(&tagged(OUTCOME, &e.finish()));
    Hash(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_the_state_is_the_same_however_it_is_made() {
        let id = [7; 300];
        let mut short = 0;
        for table in [
            "",
            "a",
            "directive-count",
            "a name of 23 characters",
            "a name of 24 characters.",
        ] {
            for len in 0..id.len() {
                let expected = long_state_key(table, &id[..len]);
                assert_eq!(state_key(table, &id[..len]), expected, "{table} {len}");
                short += usize::from(short_state_key(table, &id[..len]).is_some());
            }
        }
        assert!(short > 4 * 75 && short < 4 * 110);
    }
}
