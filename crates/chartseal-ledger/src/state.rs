//! What the chain knows after a block: typed reads of the authenticated map.

mod care;
mod deal;
mod flood;
mod key;
mod person;
mod record;
mod request;
mod standing;

use alloc::vec::Vec;

use chartseal_codec::{Decode, canonical_struct, from_bytes};
use chartseal_merkle::{Frontier, Map, MapKey};
use chartseal_policy::{Directive, Position};
use chartseal_wire::{
    ActorId, ChainId, DirectiveId, Hash, HeaderDigest, OrgId, PatientId, PublicKey, RecordId,
    RequestId, Subject, Time,
};

pub use care::{CareState, GuardianTerm, PendingRecovery, RecoveryState, Restored};
pub use deal::{DealState, Deals, SlotState};
pub use flood::{Counted, Denials, NOBODY, OpenFlood, OrgDenials};
pub(crate) use key::table;
pub use key::{Holder, KeyState, Reserved};
pub use person::{ActorState, PatientState};
pub(crate) use record::bit;
pub use record::{DepositState, Deposited, RecordState};
pub use request::{Declared, OpenEmergency, Permit, RequestState};
pub use standing::{DisputeState, HoldState};

use crate::body::{CustodianSet, Organization};
use crate::params::Params;
use chartseal_wire::committee::Committee;

/// What every block of an epoch has in common, read once: the chain, its parameters, its committee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    pub(crate) chain: ChainId,
    /// The salt of outcome commitments where no patient's is at hand.
    pub(crate) salt: [u8; 32],
    pub(crate) params: Params,
    pub(crate) committee: Committee,
    /// The committee that is decided on, and not in force yet.
    pub(crate) next: Option<NextCommittee>,
}

canonical_struct!(Shared {
    chain,
    salt,
    params,
    committee,
    next
});

/// The committee of the next epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextCommittee {
    /// The first height of the epoch.
    pub from: u64,
    /// Its members.
    pub committee: Committee,
    /// The digests of their custodians' KEM public keys, in the members' order.
    pub custodian_kems: Vec<[u8; 32]>,
}

canonical_struct!(NextCommittee {
    from,
    committee,
    custodian_kems
});

impl NextCommittee {
    /// Has a member's custodian begin the epoch with this KEM key.
    pub(crate) fn give_kem(&mut self, org: &OrgId, kem: [u8; 32]) {
        let members = self.committee.members().iter();
        for (member, own) in members.zip(&mut self.custodian_kems) {
            if member.org == *org {
                *own = kem;
            }
        }
    }
}

impl Shared {
    /// Where the state has it.
    pub fn key() -> MapKey {
        table::shared()
    }

    /// It, as a source of values has it; `None` if that has none, or something else in its place.
    pub fn of(source: &dyn Source) -> Option<Self> {
        from_bytes(source.value(&Self::key())?).ok()
    }
}

/// Where values come from: a finished map, one that a block is changing, or what somebody knows of one.
pub trait Source: Sync {
    /// The value under a key; `None`: nothing.
    fn value(&self, key: &MapKey) -> Option<&[u8]>;
}

impl Source for Map {
    fn value(&self, key: &MapKey) -> Option<&[u8]> {
        self.get(key)
    }
}

/// The state at one moment. It is read lazily: a value is decoded when it is asked for.
///
/// A value that does not decode reads as absent. That can't come from executing blocks, and a
/// store's damage is found by [`reload`](crate::store::reload), which compares the state root.
#[derive(Clone, Copy)]
pub struct State<'a> {
    pub(crate) source: &'a dyn Source,
    pub(crate) shared: &'a Shared,
}

/// A directive as the state keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDirective {
    /// What the policy engine reads.
    pub directive: Directive,
    /// The commitment to its sealed label table or reason.
    pub sealed: Option<Hash>,
}

canonical_struct!(StoredDirective { directive, sealed });

impl<'a> State<'a> {
    /// The state that these values make. Whoever has only some of them has to know which ones were asked for: what is missing
    /// reads as absent.
    ///
    /// ```
    /// use chartseal_ledger::{Genesis, Params, State};
    /// use chartseal_ledger::state::Shared;
    /// # use chartseal_ledger::body::Organization;
    /// # use chartseal_wire::{OrgId, PublicKey, Time};
    /// # let key = |seed: u8| PublicKey(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes());
    /// # let id = OrgId([1; 16]);
    /// # let hospital = Organization {
    /// #     id, enrolment_key: key(1), custodian_key: key(2), custodian_kem: [3; 32], validator: key(4),
    /// # };
    /// let genesis = Genesis::new(Time(1_000), [7; 32], Params::default(), vec![hospital], &[id])?;
    /// let overlay = genesis.overlay();
    /// let shared = Shared::of(overlay.map()).expect("every state has it");
    /// let state = State::of(overlay.map(), &shared);
    /// assert_eq!(state.org(&id), overlay.state().org(&id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(source: &'a dyn Source, shared: &'a Shared) -> Self {
        Self { source, shared }
    }

    /// The chain.
    pub fn chain(&self) -> ChainId {
        self.shared.chain
    }

    /// The network's parameters.
    pub fn params(&self) -> &'a Params {
        &self.shared.params
    }

    /// The committee.
    pub fn committee(&self) -> &'a Committee {
        &self.shared.committee
    }

    /// The committee that is decided on and not in force yet.
    pub fn next_committee(&self) -> Option<NextCommittee> {
        self.shared_now().next
    }

    /// The committee of the present or an earlier epoch.
    pub fn committee_of(&self, epoch: u64) -> Option<Committee> {
        if epoch == self.shared.committee.epoch() {
            return Some(self.shared.committee.clone());
        }
        self.read(&table::committee(epoch))
    }

    /// What blocks have in common, with what this one changed of it.
    pub(crate) fn shared_now(&self) -> Shared {
        Shared::of(self.source).unwrap_or_else(|| self.shared.clone())
    }

    /// An organization.
    pub fn org(&self, id: &OrgId) -> Option<Organization> {
        self.read(&table::org(id))
    }

    /// Who answers for an organization that is no member: the member whose office enrolled it. Everybody else answers for
    /// themselves.
    pub(crate) fn answerable(&self, org: &OrgId) -> OrgId {
        if self.shared.committee.index_of(org).is_some() {
            return *org;
        }
        self.read(&table::enrolled_by(org)).unwrap_or(*org)
    }

    /// A practitioner.
    pub fn actor(&self, id: &ActorId) -> Option<ActorState> {
        self.read(&table::actor(id))
    }

    /// A patient.
    pub fn patient(&self, id: &PatientId) -> Option<PatientState> {
        self.read(&table::patient(id))
    }

    /// Who acts for a patient, and what keeps the patient from it.
    pub fn care(&self, id: &PatientId) -> CareState {
        self.read(&table::care(id)).unwrap_or_default()
    }

    /// A patient's plan for a lost key, and the recovery that waits.
    pub fn recovery(&self, id: &PatientId) -> Option<RecoveryState> {
        self.read(&table::recovery(id))
    }

    /// Whose a key is, its last sequence number, and whether it still counts.
    pub fn key(&self, key: &PublicKey) -> Option<KeyState> {
        self.read(&table::key(key))
    }

    /// The key that another one took the place of, by a rotation, a recovery or a reinstatement.
    pub fn former_key(&self, key: &PublicKey) -> Option<PublicKey> {
        self.read(&table::former_key(key))
    }

    /// What a key is kept for that nobody is enrolled with yet.
    pub fn reserved(&self, key: &PublicKey) -> Option<Reserved> {
        self.read(&table::reserved_key(key))
    }

    /// The keys that an author of records has had, the newest first: what any of them signed while it counted is the author's.
    pub fn author_keys(&self, author: &ActorId) -> impl Iterator<Item = PublicKey> {
        let practitioner = self.actor(author).map(|actor| actor.key);
        let patient = || self.patient(&PatientId(author.0)).map(|it| it.key);
        // No key has two lives, so this ends.
        core::iter::successors(practitioner.or_else(patient), |key| self.former_key(key))
    }

    /// The last sequence number that a key used; 0 before its first transaction.
    pub fn sequence(&self, key: &PublicKey) -> u64 {
        self.key(key).map_or(0, |key| key.seq)
    }

    /// A record's head, erased ones included.
    pub fn record(&self, id: &RecordId) -> Option<RecordState> {
        self.read(&table::record(id))
    }

    /// How far a version's key shares are deposited, by its envelope header.
    pub fn deposit(&self, header: &HeaderDigest) -> Option<DepositState> {
        self.read(&table::deposit(header))
    }

    /// The numbers of a version's deals.
    pub fn deals(&self, header: &HeaderDigest) -> Deals {
        self.read(&table::deals(header)).unwrap_or_default()
    }

    /// A later deal of a version's key, by its number from 1.
    pub fn deal(&self, header: &HeaderDigest, number: u64) -> Option<DealState> {
        self.read(&table::deal(header, number))
    }

    /// To whom a version's deal of a number was dealt; 0 is the one that its header names.
    pub fn dealt_to(&self, header: &HeaderDigest, number: u64) -> Option<CustodianSet> {
        // The first deal has no value of its own.
        if number == 0 {
            self.deposit(header).map(|one| one.custodians)
        } else {
            self.deal(header, number).map(|one| one.custodians)
        }
    }

    /// Whether a custodian attested that it destroyed what it held of an erased record, in whichever of its sets it is.
    pub fn has_destroyed(&self, record: &RecordId, org: &OrgId) -> bool {
        let Some(state) = self.record(record) else {
            return false;
        };
        let first = self.committee_of(state.custodians.epoch);
        match first.and_then(|committee| committee.index_of(org)) {
            Some(index) => state.destroyed & bit(index) != 0,
            None => self.read::<u64>(&table::destroyed(record, org)).is_some(),
        }
    }

    /// The slot of a version, whether it is served or not.
    pub fn slot(&self, header: &HeaderDigest) -> Option<SlotState> {
        self.read(&table::slot(header))
    }

    /// The slot of a record's newest version that the patient is served at `now`: for the key that is
    /// registered now, and while nothing stands against it that would refuse it today.
    pub fn served_slot(&self, record: &RecordId, now: Time) -> Option<SlotState> {
        let record = self.record(record).filter(|record| !record.erased)?;
        let owner = self.owner(&record.patient);
        let is_pending = record.release_at.is_some_and(|at| now < at);
        if is_pending || !self.has_capacity(&owner, now) {
            return None;
        }
        let kem = self.patient(&owner)?.kem;
        self.slot(&record.header).filter(|slot| slot.kem == kem)
    }

    /// Whose the records of a patient's id are: of the id that adopted it, else its own.
    pub fn owner(&self, patient: &PatientId) -> PatientId {
        self.read(&table::adopted_by(patient)).unwrap_or(*patient)
    }

    /// The ids that a patient adopted; an export of the patient covers their histories too.
    pub fn adopted(&self, patient: &PatientId) -> Vec<PatientId> {
        self.read(&table::adopted(patient)).unwrap_or_default()
    }

    /// What a record repeats, as its patient says.
    pub fn duplicate_of(&self, record: &RecordId) -> Option<RecordId> {
        self.read(&table::duplicate(record))
    }

    /// The counts of denied attempts that are entered at the end of their windows.
    pub fn floods(&self) -> Vec<OpenFlood> {
        self.read(&table::floods()).unwrap_or_default()
    }

    /// The dispute of a record that waits for its answer.
    pub fn dispute(&self, record: &RecordId) -> Option<DisputeState> {
        self.read(&table::dispute(record))
    }

    /// The legal hold on a record.
    pub fn hold(&self, record: &RecordId) -> Option<HoldState> {
        self.read(&table::hold(record))
    }

    /// Whether a patient, of whatever age, can't decide for themselves: provisionally enrolled, without
    /// capacity, or dead.
    pub fn is_without_capacity(&self, patient: &PatientId) -> bool {
        let is_provisional = self.patient(patient).is_some_and(|one| one.provisional);
        is_provisional || self.care(patient).is_without_capacity()
    }

    /// Whether a patient decides for themselves at `now`: enrolled by their own agreement, of the age
    /// of majority or minor consent, alive and not without capacity.
    pub fn has_capacity(&self, patient: &PatientId, now: Time) -> bool {
        let is_without = self.is_without_capacity(patient);
        self.patient(patient).is_some_and(|patient| {
            let of_age = patient.adult_from <= now;
            let may_consent = patient.minor_consent_from.is_some_and(|from| from <= now);
            !is_without && (of_age || may_consent)
        })
    }

    /// The record that an author stored for a patient under this fingerprint.
    pub fn fingerprint(
        &self,
        author: &ActorId,
        patient: &PatientId,
        fingerprint: &[u8; 32],
    ) -> Option<RecordId> {
        self.read(&table::fingerprint(author, patient, fingerprint))
    }

    /// An access request.
    pub fn request(&self, id: &RequestId) -> Option<RequestState> {
        self.read(&table::request(id))
    }

    /// A directive by its id.
    pub fn directive(&self, id: &DirectiveId) -> Option<StoredDirective> {
        let (patient, index) = self.directive_place(id)?;
        self.read(&table::directive(&patient, index))
    }

    /// Where a directive is among those of a patient.
    pub(crate) fn directive_place(&self, id: &DirectiveId) -> Option<(PatientId, u64)> {
        self.read(&table::directive_place(id))
    }

    /// Every directive about a patient's records, declared emergencies included, in order.
    pub fn directives(&self, patient: &PatientId) -> Vec<Directive> {
        let count: u64 = self.read(&table::directive_count(patient)).unwrap_or(0);
        let stored = (0..count).filter_map(|i| self.read(&table::directive(patient, i)));
        stored
            .map(|stored: StoredDirective| stored.directive)
            .collect()
    }

    /// How many directives there are about a patient's records.
    pub fn directive_count(&self, patient: &PatientId) -> u64 {
        self.read(&table::directive_count(patient)).unwrap_or(0)
    }

    /// The emergencies of an organization's practitioners that may still be open or unreviewed.
    pub fn emergencies(&self, org: &OrgId) -> Vec<OpenEmergency> {
        self.read(&table::emergencies(org)).unwrap_or_default()
    }

    /// How many emergencies an organization should have reviewed before `now`, and has not.
    pub fn overdue_reviews(&self, org: &OrgId, now: Time) -> u32 {
        let within = self.params().review_within_ms;
        let emergencies = self.emergencies(org);
        let overdue = emergencies
            .iter()
            .filter(|one| one.is_overdue(now, within))
            .count();
        u32::try_from(overdue).unwrap_or(u32::MAX)
    }

    /// A history reduced to its size and peaks; empty if nothing was ever entered.
    pub fn frontier(&self, subject: &Subject) -> Frontier {
        self.read(&subject.slot()).unwrap_or_default()
    }

    /// Whether some organization, practitioner or patient has this id. [`NOBODY`] is kept for nobody.
    pub(crate) fn is_id_taken(&self, id: [u8; 16]) -> bool {
        if id == NOBODY.0 {
            return true;
        }
        let keys = [
            table::org(&OrgId(id)),
            table::actor(&ActorId(id)),
            table::patient(&PatientId(id)),
        ];
        keys.iter().any(|key| self.source.value(key).is_some())
    }

    /// The id of the organization for which a key's holder acts; a patient's own id for a patient.
    pub(crate) fn org_of(&self, holder: &Holder) -> Option<OrgId> {
        match holder {
            Holder::Office(org) | Holder::Custodian(org) => Some(*org),
            Holder::Practitioner(actor) => Some(self.actor(actor)?.org),
            Holder::Patient(patient) => Some(OrgId(patient.0)),
        }
    }

    pub(crate) fn read<T: Decode>(&self, key: &MapKey) -> Option<T> {
        from_bytes(self.source.value(key)?).ok()
    }
}

impl core::fmt::Debug for State<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("State")
            .field("chain", &self.shared.chain)
            .finish_non_exhaustive()
    }
}

/// The position after everything in a block at `height`.
pub(crate) fn after_block(height: u64) -> Position {
    Position {
        height: height.saturating_add(1),
        index: 0,
    }
}
