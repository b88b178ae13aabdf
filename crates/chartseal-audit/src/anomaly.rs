//! What proven entries say that an honest network would not have written.
//!
//! Only what the entries themselves show is listed: a proof that something is missing elsewhere is
//! not here, and an anomaly accuses nobody by itself. A part of a history is judged by what was kept
//! of the entries before it ([`Memory`]); what refers to others of them is counted, not judged.

use alloc::vec::Vec;
use core::fmt;

use chartseal_merkle::Hash;
use chartseal_wire::history::{
    AccessView, EntryView, EventView, OutcomeView, ReleasedView, TokensView,
};
use chartseal_wire::{ActorId, HeaderDigest, PatientId, RecordId, RequestId, Subject, Time, TxId};

use crate::ids::{Ids, short};
use crate::kept::{Memory, Unreviewed};
use crate::report::{History, OpenReview};
use crate::told::{Told, told};

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
    /// A receipt names a custodian that can't exist: 0, or more than any committee has had members
    /// ([`Certified::custodians`](crate::Certified); if that isn't known, more than 64).
    NoSuchCustodian(u64),
    /// An emergency access without a declaration in force by the same actor.
    EmergencyUndeclared,
    /// An emergency access that was not reviewed in time: not at all up to the header's time, or too late.
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
    pub(crate) texts: &'a Ids<Hash>,
    /// Whose histories are in the export, or were verified before.
    pub(crate) subjects: &'a [Subject],
    /// What was kept of the entries before this part.
    pub(crate) before: Option<&'a Memory>,
}

/// Counts what the entries of `history` hold, and gives what is odd about them; and what to keep of them for
/// the next part, if it is known.
pub(crate) fn scan(
    history: &mut History,
    entries: &[EntryView<'_>],
    context: &Context<'_>,
) -> (Vec<Anomaly>, Option<Memory>) {
    let mut scan = context.before.map(Scan::after).unwrap_or_default();
    history.is_unremembered = history.is_part() && context.before.is_none();
    let subject = history.subject;
    let mut found = Vec::new();
    let mut odd = |entry, kind| {
        found.push(Anomaly {
            subject,
            entry,
            kind,
        });
    };
    let mut clock = context.since;
    for (at, entry) in (history.first..).zip(entries) {
        if entry.time < clock || entry.time > context.until {
            odd(at, AnomalyKind::TimeBackwards);
        }
        clock = clock.max(entry.time);
        // Who acted sees no more than effects: an actor's history is complete, but not judged.
        let is_patient = matches!(subject, Subject::Patient(_));
        let by = By {
            at,
            time: entry.time,
            tx: entry.tx,
            actor: entry.actor,
        };
        let odd = &mut |kind| odd(at, kind);
        match &entry.event {
            EventView::Access(access) => {
                count_access(history, access);
                if is_patient {
                    scan.access(by, access, history, odd);
                }
            }
            EventView::Released(released) => {
                history.releases += 1;
                if is_patient {
                    scan.released(by, released, context, history, odd);
                }
            }
            EventView::RecordAdded(header) => scan.added.push((*header, by.actor)),
            EventView::Other(event) => {
                let Some(event) = told(event) else { continue };
                count(history, &event);
                if is_patient {
                    scan.event(by, event, context, history, odd);
                }
            }
        }
    }
    let memory = scan.finish(context, history, &mut odd);
    (
        in_order(&found),
        (!history.is_unremembered).then_some(memory),
    )
}

/// By their entries; of one entry as they were found. (Who sorts has the code of sorting once more.)
fn in_order(found: &[Anomaly]) -> Vec<Anomaly> {
    let mut places = Ids::default();
    for (anomaly, at) in found.iter().zip(0_u64..) {
        let [entry, order] = [anomaly.entry, at].map(u64::to_be_bytes);
        places.insert(&[entry, order].concat(), at);
    }
    let places = places
        .iter()
        .filter_map(|(_, at)| usize::try_from(*at).ok());
    places.filter_map(|at| found.get(at).cloned()).collect()
}

/// Who acted, when, at which entry.
#[derive(Clone, Copy)]
struct By {
    at: u64,
    time: Time,
    tx: TxId,
    actor: ActorId,
}

fn count_access(history: &mut History, access: &AccessView<'_>) {
    count_attempt(history, access.records.iter().any(|one| one.permitted));
    history.emergencies += u64::from(is_emergency(access));
}

fn count_attempt(history: &mut History, is_permitted: bool) {
    if is_permitted {
        history.permitted += 1;
    } else {
        history.denied = history.denied.saturating_add(1);
    }
}

fn count(history: &mut History, event: &Told) {
    match event {
        Told::OwnAccess(is_permitted) => count_attempt(history, *is_permitted),
        Told::Flood { count, .. } => history.denied = history.denied.saturating_add(*count),
        Told::Emergency { .. } => history.declarations += 1,
        Told::Erased(_) => history.erasures += 1,
        _ => {}
    }
}

/// What entries refer back to.
#[derive(Default)]
struct Scan<'a> {
    requests: Requests<'a>,
    /// Until when an actor's declaration is in force.
    declarations: Ids<ActorId>,
    revoked: Ids<TxId>,
    erased: Erasures,
    emergencies: Emergencies,
    added: Vec<(HeaderDigest, ActorId)>,
    /// Where in `added` a version is, of the first `authored` ones. Few histories ask.
    authors: Ids<HeaderDigest>,
    authored: usize,
    /// The legal holds that stand, by the transaction that placed them: where in `held` their records are.
    holds: Ids<TxId>,
    held: Vec<RecordId>,
    /// How many stand of each record: an erasure looks at its own record's alone, however many others stand.
    standing: Ids<RecordId>,
    /// From when on the recovery that was begun may be completed.
    recovery: Option<(TxId, Time)>,
    /// Disputes and answers whose texts are not in the export.
    unreadable: Vec<(u64, RecordId)>,
    /// Whether another id was adopted: then entries may refer to that id's history.
    has_adopted: bool,
}

struct Request<'a> {
    at: u64,
    tx: RequestId,
    actor: ActorId,
    access: &'a AccessView<'a>,
    /// Where in the access a record is, of more records than a glance takes in; the last one counts, if one
    /// comes twice.
    by_record: Ids<RecordId>,
    /// Of the bases of permits what was not found revoked yet, by their places, once it was asked.
    standing: Vec<TokensView<'a>>,
}

impl<'a> Request<'a> {
    /// As many outcomes are looked through faster than a map is made.
    const FEW: usize = 16;

    /// The decision about a record, and its place.
    fn outcome(&self, record: &RecordId) -> Option<(usize, &'a OutcomeView<'a>)> {
        let all = &self.access.records;
        let at = if all.len() > Self::FEW {
            self.by_record.place(record)?
        } else {
            all.iter().rposition(|one| one.record == *record)?
        };
        Some((at, all.get(at)?))
    }

    /// Whether every directive that the permit at this place rests on was revoked.
    fn is_revoked(&mut self, (at, permit): (usize, &OutcomeView<'a>), revoked: &Ids<TxId>) -> bool {
        if revoked.is_empty() || permit.basis.is_empty() {
            return false;
        }
        let is_gone = |basis: &[u8]| {
            let id = core::str::from_utf8(basis).ok().map(str::parse);
            id.is_some_and(|id| id.is_ok_and(|id| revoked.contains(&id)))
        };
        if self.standing.is_empty() {
            let all = self.access.records.iter().map(|one| one.basis);
            self.standing.extend(all);
        }
        let standing = self.standing.get_mut(at);
        standing.is_some_and(|standing| drop_gone(standing, is_gone))
    }
}

/// Drops items up to the first that is not gone; whether all are. What is gone stays so, and is looked at once.
fn drop_gone<'a>(items: &mut TokensView<'a>, mut is_gone: impl FnMut(&'a [u8]) -> bool) -> bool {
    while let Some((first, others)) = items.split_first() {
        if !is_gone(first) {
            return false;
        }
        *items = others;
    }
    true
}

/// Accesses that an emergency opened, in the order of their entries, and before them those that were kept.
#[derive(Default)]
struct Emergencies {
    all: Vec<Emergency>,
    /// Where in `all` the newest one of a request is.
    places: Ids<RequestId>,
}

struct Emergency {
    access: Unreviewed,
    /// Whether its declaration is known, and so when its review is due.
    is_due: bool,
    reviewed: Option<Time>,
}

impl Emergencies {
    fn push(&mut self, access: Unreviewed, is_due: bool) {
        self.places.insert(&access.request, self.all.len() as u64);
        self.all.push(Emergency {
            access,
            is_due,
            reviewed: None,
        });
    }

    /// Takes the first review; gives who made the access.
    fn review(&mut self, request: &RequestId, time: Time) -> Option<ActorId> {
        let one = self.all.get_mut(self.places.place(request)?)?;
        one.reviewed.get_or_insert(time);
        Some(one.access.actor)
    }
}

#[derive(Default)]
struct Requests<'a> {
    all: Vec<Request<'a>>,
    /// Where in `all` a request is, of the first `placed` ones.
    places: Ids<RequestId>,
    placed: usize,
}

impl<'a> Requests<'a> {
    /// What follows a request mostly follows it soon: among as many of the newest it is looked for first.
    const NEWEST: usize = 8;

    /// The newest request of this id.
    fn find(&mut self, id: &RequestId) -> Option<&mut Request<'a>> {
        let older = self.all.len().saturating_sub(Self::NEWEST);
        let newest = self.all.iter().skip(older).rposition(|one| one.tx == *id);
        let at = if let Some(at) = newest {
            older + at
        } else {
            let all = self.all.iter().zip(0..);
            for (one, at) in all.skip(self.placed) {
                self.places.insert(&one.tx, at);
            }
            self.placed = self.all.len();
            self.places.place(id)?
        };
        self.all.get_mut(at)
    }
}

/// At which entry each record was last erased. Most were not: that is told from a few bits of their ids.
struct Erasures {
    last: Ids<RecordId>,
    bits: [u64; 64],
}

impl Default for Erasures {
    fn default() -> Self {
        Self {
            last: Ids::default(),
            bits: [0; 64],
        }
    }
}

impl Erasures {
    fn insert(&mut self, record: RecordId, at: u64) {
        let (word, bit) = Self::place(&record);
        self.bits
            .iter_mut()
            .skip(word)
            .take(1)
            .for_each(|bits| *bits |= bit);
        self.last.insert(&record, at);
    }

    fn last(&self, record: &RecordId) -> Option<u64> {
        let (word, bit) = Self::place(record);
        self.bits.get(word).filter(|bits| *bits & bit != 0)?;
        self.last.get(record)
    }

    /// Which word has a record's bit, and the bit in it.
    fn place(record: &RecordId) -> (usize, u64) {
        let [a, b, ..] = record.0;
        (usize::from(a % 64), 1 << (b % 64))
    }
}

impl<'a> Scan<'a> {
    /// Goes on after what was kept.
    fn after(before: &Memory) -> Self {
        let mut scan = Self::default();
        let unreviewed = before.unreviewed.iter().cloned();
        unreviewed.for_each(|one| scan.emergencies.push(one, true));
        for (actor, until) in &before.declarations {
            scan.declarations.insert(actor, until.0);
        }
        for (hold, record) in &before.holds {
            scan.place(*hold, *record);
        }
        for record in &before.erased {
            scan.erased.insert(*record, 0);
        }
        scan
    }

    fn event(
        &mut self,
        by: By,
        event: Told,
        context: &Context<'_>,
        history: &mut History,
        odd: &mut dyn FnMut(AnomalyKind),
    ) {
        let By {
            at,
            time,
            tx,
            actor,
        } = by;
        match event {
            Told::Emergency { reason, until } => {
                let before = self.declarations.get(&actor).unwrap_or_default();
                self.declarations.insert(&actor, until.0.max(before));
                if !context.texts.contains(&reason) {
                    odd(AnomalyKind::TextMissing);
                }
            }
            Told::Reviewed(request) => match self.emergencies.review(&request, time) {
                Some(by) if by == actor => odd(AnomalyKind::ReviewOfOneself),
                Some(_) => {}
                None if history.is_part() && self.requests.find(&request).is_none() => {
                    history.unjudged += 1;
                }
                None => odd(AnomalyKind::ReviewWithoutEmergency(request)),
            },
            Told::Revoked(directive) => self.revoked.insert(&directive, 0),
            Told::KeyUsed(record, header, request) => {
                self.key_used(actor, (record, header, request), history, odd);
            }
            Told::Said { record, reason } if !context.texts.contains(&reason) => {
                self.unreadable.push((at, record));
            }
            Told::HoldPlaced(record) => self.place(tx, record),
            Told::HoldLifted(hold) => self.lift(hold),
            Told::RecoveryStarted { due } => self.recovery = Some((tx, due)),
            Told::RecoveryVetoed => self.recovery = None,
            Told::RecoveryCompleted(recovery) => {
                let begun = self.recovery.take();
                let is_due = |(begun, due)| begun == recovery && due <= time;
                match begun.map(is_due) {
                    Some(true) => {}
                    None if history.is_part() => history.unjudged += 1,
                    _ => odd(AnomalyKind::RecoveryOutOfTurn(recovery)),
                }
            }
            Told::Adopted(id) => {
                self.has_adopted = true;
                if !context.subjects.contains(&Subject::Patient(id)) {
                    odd(AnomalyKind::AdoptedHistoryMissing(id));
                }
            }
            // What is counted is entered after its window.
            Told::Flood { from, until, count } if count == 0 || from >= until || until > time => {
                odd(AnomalyKind::FloodOutOfWindow);
            }
            Told::Erased(record) => {
                self.erased.insert(record, at);
                if self.standing.get(&record).is_some_and(|holds| holds > 0) {
                    odd(AnomalyKind::ErasedUnderHold(record));
                }
            }
            Told::Destroyed(record) if self.erased.last(&record).is_none() => {
                if history.is_unremembered {
                    history.unjudged += 1;
                } else {
                    odd(AnomalyKind::DestroyedWithoutErasure(record));
                }
            }
            _ => {}
        }
    }

    fn place(&mut self, hold: TxId, record: RecordId) {
        self.lift(hold);
        self.holds.insert(&hold, self.held.len() as u64);
        self.held.push(record);
        let others = self.standing.get(&record).unwrap_or_default();
        self.standing.insert(&record, others + 1);
    }

    fn lift(&mut self, hold: TxId) {
        let Some(record) = self.holds.remove(&hold).and_then(|at| held(&self.held, at)) else {
            return;
        };
        let others = self.standing.get(&record).unwrap_or_default();
        self.standing.insert(&record, others.saturating_sub(1));
    }

    fn access(
        &mut self,
        by: By,
        access: &'a AccessView<'a>,
        history: &mut History,
        odd: &mut dyn FnMut(AnomalyKind),
    ) {
        let By {
            at,
            time,
            tx,
            actor,
        } = by;
        if access.foreign_claim {
            odd(AnomalyKind::ForeignClaim);
        }
        if is_emergency(access) {
            let declared = self.declarations.get(&actor).map(Time);
            let in_force = declared.filter(|until| time < *until);
            // When the review of what was declared before is due, nobody here knows.
            let is_unknown = declared.is_none() && history.is_unremembered;
            if is_unknown {
                history.unjudged += 1;
            } else if in_force.is_none() {
                odd(AnomalyKind::EmergencyUndeclared);
            }
            let access = Unreviewed {
                request: tx,
                actor,
                entry: at,
                until: in_force.unwrap_or(time),
            };
            self.emergencies.push(access, !is_unknown);
        }
        let mut by_record = Ids::default();
        if access.records.len() > Request::FEW {
            for (one, at) in access.records.iter().zip(0..) {
                by_record.insert(&one.record, at);
            }
        }
        self.requests.all.push(Request {
            at,
            tx,
            actor,
            access,
            by_record,
            standing: Vec::new(),
        });
    }

    /// Who seals or deals a record's key must have it: the patient, the version's author, or a
    /// reader by a permitted request.
    fn key_used(
        &mut self,
        actor: ActorId,
        (record, header, request): (RecordId, HeaderDigest, Option<RequestId>),
        history: &mut History,
        odd: &mut dyn FnMut(AnomalyKind),
    ) {
        let is_patient = matches!(history.subject, Subject::Patient(id) if id.0 == actor.0);
        let may = match request {
            None if is_patient => Some(true),
            None => {
                for ((header, _), at) in self.added.iter().zip(0..).skip(self.authored) {
                    self.authors.insert(header, at);
                }
                self.authored = self.added.len();
                let author = self.authors.place(&header);
                let author = author.and_then(|at| self.added.get(at));
                author.map(|(_, author)| *author == actor)
            }
            Some(request) => self.requests.find(&request).map(|read| {
                let outcome = read.outcome(&record);
                read.actor == actor && outcome.is_some_and(|(_, one)| one.permitted)
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
        by: By,
        released: &ReleasedView<'_>,
        context: &Context<'_>,
        history: &mut History,
        odd: &mut dyn FnMut(AnomalyKind),
    ) {
        if !(1..=context.custodians).contains(&released.custodian) {
            odd(AnomalyKind::NoSuchCustodian(released.custodian));
        }
        let is_erased = |record: &RecordId| self.erased.last(record).is_some();
        for record in released.records.iter().filter(is_erased) {
            odd(AnomalyKind::ReleaseAfterErasure(record));
        }
        let Some(request) = self.requests.find(&released.request) else {
            if history.is_part() {
                history.unjudged += 1;
            } else {
                odd(AnomalyKind::ReleaseWithoutRequest(released.request));
            }
            return;
        };
        let until = request.access.release_until;
        if until.is_none_or(|until| by.time >= until) {
            odd(AnomalyKind::ReleaseOutsideWindow);
        }
        for record in released.records.iter() {
            match request.outcome(&record).filter(|(_, one)| one.permitted) {
                None => odd(AnomalyKind::ReleaseWithoutPermit(record)),
                Some(permit) if request.is_revoked(permit, &self.revoked) => {
                    odd(AnomalyKind::ReleaseAfterRevocation);
                }
                Some(_) => {}
            }
        }
    }

    fn finish(
        self,
        context: &Context<'_>,
        history: &mut History,
        odd: &mut dyn FnMut(u64, AnomalyKind),
    ) -> Memory {
        for (at, record) in &self.unreadable {
            if self.erased.last(record) > Some(*at) {
                history.redacted += 1;
            } else {
                odd(*at, AnomalyKind::TextMissing);
            }
        }
        for request in &self.requests.all {
            // The text of a claim to be asking for somebody else is sealed to that other patient.
            let is_readable = context.texts.contains(&request.access.reason);
            if !is_readable && !request.access.foreign_claim {
                if self.is_covered(request) {
                    history.redacted += 1;
                } else {
                    odd(request.at, AnomalyKind::TextMissing);
                }
            }
        }
        let emergencies = self.emergencies.all.into_iter();
        let mut unreviewed = Vec::new();
        for one in emergencies.filter(|one| one.is_due) {
            let (entry, due) = (
                one.access.entry,
                one.access.until.plus_ms(context.review_ms),
            );
            if due < one.reviewed.unwrap_or(context.until) {
                odd(entry, AnomalyKind::ReviewOverdue { due });
            } else if one.reviewed.is_none() {
                history.open_reviews.push(OpenReview { entry, due });
            }
            if one.reviewed.is_none() {
                unreviewed.push(one.access);
            }
        }
        let declarations = self.declarations.iter();
        let declarations = declarations.map(|(id, until)| (ActorId(short(id)), Time(*until)));
        let holds = self.holds.iter();
        let holds = holds.filter_map(|(id, at)| Some((TxId(*id), held(&self.held, *at)?)));
        let erased = self.erased.last.iter();
        Memory {
            unreviewed,
            declarations: declarations
                .filter(|(_, until)| *until > context.until)
                .collect(),
            holds: holds.collect(),
            erased: erased.map(|(id, _)| RecordId(short(id))).collect(),
        }
    }

    /// Whether an erasure took the reason text: it speaks of the whole request, so it goes with the
    /// first of its records.
    fn is_covered(&self, request: &Request<'_>) -> bool {
        let records = request.access.records.iter();
        let mut erasures = records.map(|outcome| self.erased.last(&outcome.record));
        erasures.any(|erased| erased > Some(request.at))
    }
}

/// The record of a hold.
fn held(records: &[RecordId], at: u64) -> Option<RecordId> {
    records.get(usize::try_from(at).ok()?).copied()
}

/// Whether a decision opened a record by breaking the glass.
fn is_emergency(access: &AccessView<'_>) -> bool {
    let broke = |outcome: &OutcomeView<'_>| outcome.permitted && outcome.code == b"emergency";
    access.records.iter().any(broke)
}

#[cfg(test)]
mod tests {
    use chartseal_codec::to_bytes;
    use chartseal_wire::history::{Access, Outcome, Token};
    use chartseal_wire::{Entry, Event, OrgId};

    use super::*;

    /// Receipts by the thousand, of a permit with directives by the thousand: each is looked at once, and but the
    /// first that stands at each receipt.
    #[test]
    fn a_directive_that_was_revoked_is_looked_at_once_however_many_receipts_come() {
        let basis = (0..1000).map(|at| Token::new(&alloc::format!("d{at}")).unwrap());
        let outcome = Outcome {
            record: RecordId([1; 16]),
            header: None,
            permitted: true,
            code: Token::new("granted").unwrap(),
            basis: basis.collect(),
            obligations: Vec::new(),
        };
        let access = Access {
            action: Token::new("read").unwrap(),
            purpose: Token::new("TREAT").unwrap(),
            reason_code: Token::new("visit").unwrap(),
            reason: Hash::ZERO,
            foreign_claim: false,
            records: alloc::vec![outcome],
            release_until: None,
        };
        let bytes = to_bytes(&Entry {
            height: 1,
            time: Time(1),
            tx: TxId([1; 32]),
            actor: ActorId([1; 16]),
            org: OrgId([1; 16]),
            event: Event::Access(access),
        });
        let EventView::Access(access) = EntryView::read(&bytes).unwrap().event else {
            panic!("an access");
        };
        let mut standing = access.records[0].basis;
        let mut looks = 0;
        // One more is revoked before each receipt.
        for revoked in 0..=1000 {
            let is_gone = |basis: &[u8]| {
                looks += 1;
                let number: usize = core::str::from_utf8(&basis[1..]).unwrap().parse().unwrap();
                number < revoked
            };
            assert_eq!(drop_gone(&mut standing, is_gone), revoked == 1000);
        }
        assert_eq!(looks, 1000 + 1000);
    }
}
