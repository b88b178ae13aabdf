use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cell::OnceCell;

use chartseal_policy::{
    Actor, Directive, Guardian, Issuer, Network, Patient, Record, Set, Symbol, Terms, World,
};
use chartseal_wire::{ActorId, OrgId, PatientId, RecordId, Time};

use crate::label::{INBOX, Label};
use crate::state::State;

/// The class of every record, as a validator sees it: the real one is among the labels.
const CLASS: &str = "record";
/// What the policy engine calls [`INBOX`].
const INBOX_SYMBOL: &str = "INBOX";

/// The state as the policy engine reads it, at one moment.
pub(crate) struct LedgerWorld<'a> {
    state: State<'a>,
    now: Time,
    /// Who asks.
    asker: ActorId,
    /// One request asks about one patient: whose directives are read once, for all its records.
    directives: OnceCell<(Symbol, Vec<Directive>)>,
}

impl<'a> LedgerWorld<'a> {
    pub(crate) fn new(state: State<'a>, now: Time, asker: ActorId) -> Self {
        Self {
            state,
            now,
            asker,
            directives: OnceCell::new(),
        }
    }

    fn read_directives(&self, patient: &Symbol) -> Vec<Directive> {
        let Some(by) = id16(patient).map(PatientId) else {
            return Vec::new();
        };
        let adopted = self.state.adopted(&by);
        if adopted.is_empty() {
            return self.state.directives(&by);
        }
        let mut directives = Vec::new();
        for id in core::iter::once(by).chain(adopted) {
            let (own, said) = (symbol(&id.0), self.state.directives(&id));
            // An id without a state has no directives either.
            let original = own_patient(self.state, &id).unwrap_or_default();
            let said = said.into_iter();
            directives.extend(said.map(|one| adopt(one, &own, &original, patient)));
        }
        directives
    }

    /// Who were guardians of the ids that a patient adopted: what they said then is judged by it, and from now on they
    /// have no part in it.
    fn former_guardians(&self, by: &PatientId) -> impl Iterator<Item = Guardian> {
        let adopted = self.state.adopted(by).into_iter();
        let patients = adopted.filter_map(|id| own_patient(self.state, &id));
        let guardians = patients.flat_map(|one| one.guardians.iter().cloned().collect::<Vec<_>>());
        let now = policy_time(self.now);
        guardians.map(move |mut one| {
            one.window.until = Some(one.window.until.map_or(now, |until| until.min(now)));
            one
        })
    }
}

/// A patient as policy reads them, apart from adoptions and from who asks.
fn own_patient(state: State<'_>, id: &PatientId) -> Option<Patient> {
    let patient = state.patient(id)?;
    let care = state.care(id);
    let terms = care.guardians.iter();
    let guardians = terms.map(|term| term.effective(patient.adult_from));
    Some(Patient {
        adult_from: policy_time(patient.adult_from),
        minor_consent_from: patient.minor_consent_from.map(policy_time),
        guardians: Set::new(guardians).unwrap_or_default(),
        minor_private_tags: care.private_labels,
        quorum: care.quorum,
    })
}

impl World for LedgerWorld<'_> {
    fn actor(&self, id: &Symbol) -> Option<Cow<'_, Actor>> {
        let id = id16(id)?;
        if self.state.patient(&PatientId(id)).is_some() {
            return Some(Cow::Owned(Actor::default()));
        }
        let actor = self.state.actor(&ActorId(id))?;
        let emergency = self
            .network()
            .emergency
            .as_ref()
            .map(|policy| &policy.roles);
        let none = Set::default();
        Some(Cow::Owned(Actor {
            org: Some(symbol(&actor.org.0)),
            roles: actor.roles_at(self.now, emergency.unwrap_or(&none)),
            credential: Some(Set::one(actor.credential)),
            suspended_from: actor.suspended_from.map(policy_time),
        }))
    }

    fn patient(&self, id: &Symbol) -> Option<Cow<'_, Patient>> {
        let id = PatientId(id16(id)?);
        let mut patient = own_patient(self.state, &id)?;
        let guardians = patient.guardians.iter().cloned();
        let guardians = guardians.chain(self.former_guardians(&id));
        patient.guardians = Set::new(guardians).unwrap_or_default();
        // What they granted while they could stays. Policy knows no loss of capacity: who asks for
        // themselves then asks as a child would.
        if self.asker == id.into() && self.state.is_without_capacity(&id) {
            patient.adult_from = chartseal_policy::Time(u64::MAX);
            patient.minor_consent_from = None;
        }
        Some(Cow::Owned(patient))
    }

    /// An erased record is no longer there.
    fn record(&self, id: &Symbol) -> Option<Cow<'_, Record>> {
        let record = self.state.record(&RecordId(id16(id)?))?;
        if record.erased {
            return None;
        }
        let tags = record.labels.as_slice().iter().map(label_symbol);
        Some(Cow::Owned(Record {
            patient: symbol(&self.state.owner(&record.patient).0),
            class: symbol(CLASS.as_bytes()),
            conf: record.confidentiality,
            tags: Set::new(tags).unwrap_or_default(),
            author: Some(symbol(&record.author.0)),
            encounter: record.encounter.map(|encounter| symbol(&encounter)),
            authored: policy_time(record.authored),
            release_at: record.release_at.map(policy_time),
        }))
    }

    fn network(&self) -> &Network {
        &self.state.params().network
    }

    /// All are: which of them is sensitive, only the patient's app knows.
    fn is_gated(&self, _tag: &Symbol) -> bool {
        true
    }

    fn overdue_reviews(&self, org: &Symbol) -> u32 {
        id16(org).map_or(0, |org| self.state.overdue_reviews(&OrgId(org), self.now))
    }

    fn directives(&self, patient: &Symbol) -> Cow<'_, [Directive]> {
        let read = || (patient.clone(), self.read_directives(patient));
        let (of, directives) = self.directives.get_or_init(read);
        if of == patient {
            return Cow::Borrowed(directives);
        }
        Cow::Owned(self.read_directives(patient))
    }
}

/// A directive about one of a patient's ids, as if it had been about the one that goes on. What the id issued itself is the
/// patient's own word. What it said by nobody's authority over that id says nothing of the others either: it ends
/// others, and itself has ended.
fn adopt(mut directive: Directive, of: &Symbol, original: &Patient, by: &Symbol) -> Directive {
    let at = directive.issued.unwrap_or_default();
    let is_own = directive.issuer.is(of);
    let is_guardians = match &directive.issuer {
        Issuer::Actor(issuer) => original.has_guardian(issuer, at),
        Issuer::Quorum => false,
    };
    let over = Some(chartseal_policy::Time(0));
    match &mut directive.terms {
        Terms::Restrict(restriction) => {
            if !is_own && !is_guardians {
                restriction.window.until = over;
            }
            // Only who is of age opens something by a restriction's exceptions.
            restriction.nested_grants &= !is_own || original.is_adult(at);
        }
        Terms::Grant(grant) if grant.parent.is_none() && directive.issuer != Issuer::Quorum => {
            let names_tags = grant
                .scope
                .tags
                .as_ref()
                .is_some_and(|tags| !tags.is_empty());
            let is_of_age = original.is_adult(at) || (original.may_consent(at) && names_tags);
            let may = is_guardians || (is_own && is_of_age);
            if !may {
                grant.window.until = over;
            }
        }
        _ => {}
    }
    if is_own {
        directive.issuer = Issuer::Actor(by.clone());
    }
    directive.patient = by.clone();
    directive
}

/// The policy's symbol of an id, a label, or a word of 1 to 64 bytes.
pub(crate) fn symbol(bytes: &[u8]) -> Symbol {
    #[expect(
        clippy::expect_used,
        reason = "ids and words of this crate have 1 to 64 bytes"
    )]
    Symbol::new(bytes).expect("an id has 1 to 64 bytes")
}

/// The policy's time of a wire time: the same milliseconds.
pub(crate) fn policy_time(time: Time) -> chartseal_policy::Time {
    chartseal_policy::Time(time.0)
}

fn label_symbol(label: &Label) -> Symbol {
    if *label == INBOX {
        symbol(INBOX_SYMBOL.as_bytes())
    } else {
        symbol(&label.0)
    }
}

fn id16(symbol: &Symbol) -> Option<[u8; 16]> {
    symbol.as_bytes().try_into().ok()
}
