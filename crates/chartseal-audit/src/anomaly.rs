//! What proven entries say that an honest network would not have written.
//!
//! Only what the entries themselves show is listed: a proof that something is missing elsewhere is
//! not here, and an anomaly accuses nobody by itself. A part of a history is judged as far as it
//! goes: what refers to an entry before it is counted, not judged.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

use chartseal_merkle::Hash;
use chartseal_wire::history::{Access, Destroyed, Erased, Flood, Outcome, Released, Token};
use chartseal_wire::{
    ActorId, Entry, Event, HeaderDigest, PatientId, RecordId, RequestId, Subject, Time, TxId,
};

use crate::report::{History, OpenReview};

/// Something in a history that should not be there, or not so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// In whose history.
    pub subject: Subject,
    /// At which entry, counted from 0 over the whole history.
    pub entry: u64,
    /// What.
    pub kind: AnomalyKind,
}

/// What an entry shows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnomalyKind {
    /// Its time is before that of the entry before it, or after the header's.
    TimeBackwards,
    /// A custodian released for a request that the history doesn't have.
    ReleaseWithoutRequest(RequestId),
    /// A custodian released a record that the request's decision did not permit.
    ReleaseWithoutPermit(RecordId),
    /// A custodian's receipt is from outside the permit's window.
    ReleaseOutsideWindow,
    /// A receipt stands after the revocation of a directive that the permit rests on. The release
    /// itself may have come just before it.
    ReleaseAfterRevocation,
    /// A receipt for a record stands after its erasure.
    ReleaseAfterErasure(RecordId),
    /// A receipt names a custodian that can't exist: 0, or more than the policy has witnesses.
    NoSuchCustodian(u64),
    /// An emergency access without a declaration in force by the same actor.
    EmergencyUndeclared,
    /// An emergency access whose review is overdue at the header's time.
    ReviewOverdue {
        /// Until when it had to be reviewed.
        due: Time,
    },
    /// Somebody reviewed their own emergency access.
    ReviewOfOneself,
    /// A review of something that is no emergency access of this history.
    ReviewWithoutEmergency(RequestId),
    /// Somebody asked for this patient's record under another patient's name.
    ForeignClaim,
    /// The reason text is not in the export, and no erasure covers it. (A [`ForeignClaim`]'s is sealed
    /// to the other patient, and not missed.)
    ///
    /// [`ForeignClaim`]: AnomalyKind::ForeignClaim
    TextMissing,
    /// A custodian attests the destruction of a record that was not erased.
    DestroyedWithoutErasure(RecordId),
    /// Somebody sealed or dealt a record's key who is neither the patient nor the author, and names no
    /// permitted read of their own.
    KeyWithoutPermit(RecordId),
    /// A record was erased while a legal hold stood.
    ErasedUnderHold(RecordId),
    /// A key was recovered that nobody had begun to recover, against a veto, or before its time.
    RecoveryOutOfTurn(TxId),
    /// A count of attempts that is empty, or from before its window's end.
    FloodOutOfWindow,
    /// The patient adopted this id, and its history is neither here nor was it verified before.
    AdoptedHistoryMissing(PatientId),
}

impl fmt::Display for AnomalyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeBackwards => f.write_str("time runs backwards, or beyond the header's"),
            Self::ReleaseWithoutRequest(id) => {
                write!(f, "shares released for request {id}, which is not here")
            }
            Self::ReleaseWithoutPermit(id) => {
                write!(f, "shares released of record {id}, which was not permitted")
            }
            Self::ReleaseOutsideWindow => {
                f.write_str("shares released outside the permit's window")
            }
            Self::ReleaseAfterRevocation => {
                f.write_str("a release is recorded after its permit's directive was revoked")
            }
            Self::ReleaseAfterErasure(id) => {
                write!(f, "shares released of record {id} after its erasure")
            }
            Self::NoSuchCustodian(index) => {
                write!(f, "a receipt by custodian {index}, which can't exist")
            }
            Self::EmergencyUndeclared => f.write_str("an emergency access without a declaration"),
            Self::ReviewOverdue { due } => write!(f, "an emergency access not reviewed by {due}"),
            Self::ReviewOfOneself => f.write_str("an emergency access reviewed by whoever made it"),
            Self::ReviewWithoutEmergency(id) => {
                write!(f, "a review of request {id}, which is no emergency here")
            }
            Self::ForeignClaim => f.write_str("a record asked for under another patient's name"),
            Self::TextMissing => f.write_str("the reason text is missing"),
            Self::DestroyedWithoutErasure(id) => write!(
                f,
                "destruction attested of record {id}, which was not erased"
            ),
            Self::KeyWithoutPermit(id) => write!(
                f,
                "the key of record {id} was sealed or dealt by somebody who should not have it"
            ),
            Self::ErasedUnderHold(id) => write!(f, "record {id} erased under a legal hold"),
            Self::RecoveryOutOfTurn(id) => {
                write!(
                    f,
                    "a key recovered by {id}, which was not begun, or not due"
                )
            }
            Self::AdoptedHistoryMissing(id) => {
                write!(f, "the history of the adopted id {id} is missing")
            }
            Self::FloodOutOfWindow => f.write_str("a count of attempts that is not of its window"),
        }
    }
}

/// What a scan of entries is told beside them.
pub(crate) struct Context<'a> {
    /// The header's time.
    pub(crate) until: Time,
    /// The time of the header behind what was verified before this part.
    pub(crate) since: Time,
    /// How long after an emergency's end the reviews of its accesses are due, in ms.
    pub(crate) review_ms: u64,
    /// No custodian has a higher index.
    pub(crate) custodians: u64,
    /// The commitments of the texts in the export.
    pub(crate) texts: &'a BTreeSet<Hash>,
    /// Whose histories are in the export, or were verified before.
    pub(crate) subjects: &'a BTreeSet<Subject>,
}

/// Counts what `entries` hold into `history`, and gives what is odd about them.
pub(crate) fn scan(history: &mut History, context: &Context<'_>) -> Vec<Anomaly> {
    let entries = core::mem::take(&mut history.entries);
    let mut scan = Scan::default();
    let (first, subject) = (history.first, history.subject);
    let mut found = Vec::new();
    let mut odd = |entry, kind| {
        found.push(Anomaly {
            subject,
            entry,
            kind,
        });
    };
    let mut clock = context.since;
    for (at, entry) in (first..).zip(&entries) {
        if entry.time < clock || entry.time > context.until {
            odd(at, AnomalyKind::TimeBackwards);
        }
        clock = clock.max(entry.time);
        history.count(entry);
        // Who acted sees no more than effects: an actor's history is complete, but not judged.
        if matches!(subject, Subject::Patient(_)) {
            scan.entry(at, entry, context, history, &mut |kind| odd(at, kind));
        }
    }
    scan.finish(context, history, odd);
    found.sort_by_key(|anomaly| anomaly.entry);
    history.entries = entries;
    found
}

/// What entries refer back to.
#[derive(Default)]
struct Scan<'a> {
    requests: Vec<Request<'a>>,
    /// Where in `requests` a request is.
    places: BTreeMap<RequestId, usize>,
    /// Until when an actor's declaration is in force.
    declarations: BTreeMap<ActorId, Time>,
    revoked: BTreeSet<TxId>,
    /// At which entry a record was last erased.
    erased: BTreeMap<RecordId, u64>,
    /// Who wrote a version: those looked up before, and what came since. Few histories ask.
    authors: BTreeMap<HeaderDigest, ActorId>,
    added: Vec<(HeaderDigest, ActorId)>,
    /// The legal holds that stand, by the transaction that placed them.
    holds: BTreeMap<TxId, RecordId>,
    /// From when on the recovery that was begun may be completed.
    recovery: Option<(TxId, Time)>,
    /// Disputes and answers whose texts are not in the export.
    unreadable: Vec<(u64, RecordId)>,
    /// Whether another id was adopted: then entries may refer to that id's history.
    has_adopted: bool,
}

struct Request<'a> {
    at: u64,
    asked: &'a Entry,
    access: &'a Access,
    outcomes: Outcomes<'a>,
    is_emergency: bool,
    /// Until when the emergency that opened it was in force: its review is due some time after.
    emergency_until: Option<Time>,
    is_reviewed: bool,
}

/// A request's decisions by record; the last one counts, if a record comes twice.
struct Outcomes<'a> {
    all: &'a [Outcome],
    /// Of more than a glance takes in.
    by_record: BTreeMap<RecordId, &'a Outcome>,
}

impl<'a> Outcomes<'a> {
    /// As many are looked through faster than a map is made.
    const FEW: usize = 16;

    fn new(all: &'a [Outcome]) -> Self {
        let many = if all.len() > Self::FEW { all } else { &[] };
        Self {
            all,
            by_record: many.iter().map(|one| (one.record, one)).collect(),
        }
    }

    fn get(&self, record: &RecordId) -> Option<&'a Outcome> {
        if self.all.len() > Self::FEW {
            return self.by_record.get(record).copied();
        }
        self.all.iter().rev().find(|one| one.record == *record)
    }
}

impl<'a> Scan<'a> {
    fn entry(
        &mut self,
        at: u64,
        entry: &'a Entry,
        context: &Context<'_>,
        history: &mut History,
        odd: &mut impl FnMut(AnomalyKind),
    ) {
        match &entry.event {
            Event::Emergency(declared) => {
                let until = self.declarations.entry(entry.actor).or_default();
                *until = declared.until.max(*until);
                if !context.texts.contains(&declared.reason) {
                    odd(AnomalyKind::TextMissing);
                }
            }
            Event::Access(access) => self.access(at, entry, access, history, odd),
            Event::Released(released) => self.released(entry, released, context, history, odd),
            Event::Reviewed(review) => match self.request_mut(&review.request) {
                Some(request) if request.is_emergency => {
                    request.is_reviewed = true;
                    if request.asked.actor == entry.actor {
                        odd(AnomalyKind::ReviewOfOneself);
                    }
                }
                None if history.is_part() => history.unjudged += 1,
                _ => odd(AnomalyKind::ReviewWithoutEmergency(review.request)),
            },
            Event::Directive(directive) if directive.kind.as_bytes() == b"revoke" => {
                self.revoked.extend(directive.target);
            }
            Event::RecordAdded(added) => {
                self.added.push((added.header, entry.actor));
            }
            Event::SlotAdded(slot) => {
                let key = (slot.record, slot.header, slot.request);
                self.key_used(entry, key, history, odd);
            }
            Event::Redealt(deal) => {
                let key = (deal.record, deal.header, deal.request);
                self.key_used(entry, key, history, odd);
            }
            Event::Disputed(one) if !context.texts.contains(&one.reason) => {
                self.unreadable.push((at, one.record));
            }
            Event::DisputeAnswered(one) if !context.texts.contains(&one.reason) => {
                self.unreadable.push((at, one.record));
            }
            Event::HoldPlaced(hold) => {
                self.holds.insert(entry.tx, hold.record);
            }
            Event::HoldLifted(hold) => {
                self.holds.remove(&hold.hold);
            }
            Event::RecoveryStarted(begun) => self.recovery = Some((entry.tx, begun.due)),
            Event::RecoveryVetoed(_) => self.recovery = None,
            Event::RecoveryCompleted(done) => {
                let begun = self.recovery.take();
                let is_due = |(tx, due)| tx == done.recovery && due <= entry.time;
                match begun.map(is_due) {
                    Some(true) => {}
                    None if history.is_part() => history.unjudged += 1,
                    _ => odd(AnomalyKind::RecoveryOutOfTurn(done.recovery)),
                }
            }
            Event::Adopted(adoption) => {
                self.has_adopted = true;
                let adopted = Subject::Patient(adoption.adopted);
                if !context.subjects.contains(&adopted) {
                    odd(AnomalyKind::AdoptedHistoryMissing(adoption.adopted));
                }
            }
            Event::Flood(flood) if !is_of_its_window(flood, entry.time) => {
                odd(AnomalyKind::FloodOutOfWindow);
            }
            Event::Erased(Erased { record }) => {
                self.erased.insert(*record, at);
                if self.holds.values().any(|held| held == record) {
                    odd(AnomalyKind::ErasedUnderHold(*record));
                }
            }
            Event::Destroyed(Destroyed { record, .. }) if !self.erased.contains_key(record) => {
                if history.is_part() {
                    history.unjudged += 1;
                } else {
                    odd(AnomalyKind::DestroyedWithoutErasure(*record));
                }
            }
            _ => {}
        }
    }

    fn access(
        &mut self,
        at: u64,
        asked: &'a Entry,
        access: &'a Access,
        history: &mut History,
        odd: &mut impl FnMut(AnomalyKind),
    ) {
        if access.foreign_claim {
            odd(AnomalyKind::ForeignClaim);
        }
        let is_emergency = is_emergency(access);
        let declared = self.declarations.get(&asked.actor).copied();
        let in_force = declared.filter(|until| asked.time < *until);
        let is_unknown = declared.is_none() && history.is_part();
        if is_emergency && is_unknown {
            history.unjudged += 1;
        } else if is_emergency && in_force.is_none() {
            odd(AnomalyKind::EmergencyUndeclared);
        }
        self.places.insert(asked.tx, self.requests.len());
        self.requests.push(Request {
            at,
            asked,
            access,
            outcomes: Outcomes::new(&access.records),
            is_emergency,
            emergency_until: in_force.or((!is_unknown).then_some(asked.time)),
            is_reviewed: false,
        });
    }

    /// Who seals or deals a record's key must have it: the patient, the version's author, or a
    /// reader by a permitted request.
    fn key_used(
        &mut self,
        entry: &Entry,
        (record, header, request): (RecordId, HeaderDigest, Option<RequestId>),
        history: &mut History,
        odd: &mut impl FnMut(AnomalyKind),
    ) {
        let is_patient = matches!(history.subject, Subject::Patient(id) if id.0 == entry.actor.0);
        let may = match request {
            None if is_patient => Some(true),
            None => {
                self.authors.extend(self.added.drain(..));
                let author = self.authors.get(&header);
                author.map(|author| *author == entry.actor)
            }
            Some(request) => self.places.get(&request).map(|at| {
                let read = self.requests.get(*at);
                read.is_some_and(|read| {
                    let outcome = read.outcomes.get(&record);
                    read.asked.actor == entry.actor && outcome.is_some_and(|one| one.permitted)
                })
            }),
        };
        match may {
            Some(true) => {}
            None if history.is_part() || self.has_adopted => history.unjudged += 1,
            _ => odd(AnomalyKind::KeyWithoutPermit(record)),
        }
    }

    fn released(
        &mut self,
        entry: &Entry,
        released: &Released,
        context: &Context<'_>,
        history: &mut History,
        odd: &mut impl FnMut(AnomalyKind),
    ) {
        if !(1..=context.custodians).contains(&released.custodian) {
            odd(AnomalyKind::NoSuchCustodian(released.custodian));
        }
        for record in released
            .records
            .iter()
            .filter(|record| self.erased.contains_key(record))
        {
            odd(AnomalyKind::ReleaseAfterErasure(*record));
        }
        // Receipts mostly follow their request.
        let newest = self.requests.last();
        let request = newest
            .filter(|newest| newest.asked.tx == released.request)
            .or_else(|| self.requests.get(*self.places.get(&released.request)?));
        let Some(request) = request else {
            if history.is_part() {
                history.unjudged += 1;
            } else {
                odd(AnomalyKind::ReleaseWithoutRequest(released.request));
            }
            return;
        };
        if request
            .access
            .release_until
            .is_none_or(|until| entry.time >= until)
        {
            odd(AnomalyKind::ReleaseOutsideWindow);
        }
        for record in &released.records {
            match request
                .outcomes
                .get(record)
                .filter(|outcome| outcome.permitted)
            {
                None => odd(AnomalyKind::ReleaseWithoutPermit(*record)),
                Some(permit) if self.is_revoked(permit) => odd(AnomalyKind::ReleaseAfterRevocation),
                Some(_) => {}
            }
        }
    }

    fn request_mut(&mut self, id: &RequestId) -> Option<&mut Request<'a>> {
        self.requests.get_mut(*self.places.get(id)?)
    }

    /// Whether every directive that a permit rests on was revoked since.
    fn is_revoked(&self, permit: &Outcome) -> bool {
        let is_gone = |basis: &Token| {
            basis
                .as_str()
                .parse()
                .is_ok_and(|id| self.revoked.contains(&id))
        };
        let is_any_gone = !self.revoked.is_empty() && !permit.basis.is_empty();
        is_any_gone && permit.basis.iter().all(is_gone)
    }

    fn finish(
        self,
        context: &Context<'_>,
        history: &mut History,
        mut odd: impl FnMut(u64, AnomalyKind),
    ) {
        for (at, record) in &self.unreadable {
            if self.erased.get(record).is_some_and(|erased| erased > at) {
                history.redacted += 1;
            } else {
                odd(*at, AnomalyKind::TextMissing);
            }
        }
        for request in &self.requests {
            // The text of a claim to be asking for somebody else is sealed to that other patient.
            let is_readable = context.texts.contains(&request.access.reason);
            if !is_readable && !request.access.foreign_claim {
                if self.is_covered(request) {
                    history.redacted += 1;
                } else {
                    odd(request.at, AnomalyKind::TextMissing);
                }
            }
            let awaits = request.is_emergency && !request.is_reviewed;
            if let Some(until) = request.emergency_until.filter(|_| awaits) {
                let due = until.plus_ms(context.review_ms);
                if due < context.until {
                    odd(request.at, AnomalyKind::ReviewOverdue { due });
                } else {
                    history.open_reviews.push(OpenReview {
                        entry: request.at,
                        due,
                    });
                }
            }
        }
    }

    /// Whether an erasure took the reason text: it speaks of the whole request, so it goes with the
    /// first of its records.
    fn is_covered(&self, request: &Request<'_>) -> bool {
        let records = request.access.records.iter();
        let mut erasures = records.filter_map(|outcome| self.erased.get(&outcome.record));
        erasures.any(|erased| *erased > request.at)
    }
}

/// What is counted is entered after its window.
fn is_of_its_window(flood: &Flood, entered: Time) -> bool {
    flood.count > 0 && flood.from < flood.until && flood.until <= entered
}

/// Whether a decision opened a record by breaking the glass.
pub(crate) fn is_emergency(access: &Access) -> bool {
    let broke = |outcome: &Outcome| outcome.permitted && outcome.code.as_bytes() == b"emergency";
    access.records.iter().any(broke)
}
