use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cell::OnceCell;

use chartseal_policy::{Actor, Directive, Issuer, Network, Patient, Record, Set, Symbol, World};
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
        let mut directives = self.state.directives(&by);
        for adopted in self.state.adopted(&by) {
            let theirs = self.state.directives(&adopted).into_iter();
            directives.extend(theirs.map(|one| adopt(one, &adopted, patient)));
        }
        directives
    }
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
        let patient = self.state.patient(&id)?;
        let care = self.state.care(&id);
        let terms = care.guardians.iter();
        let guardians = terms.map(|term| term.effective(patient.adult_from));
        // What they granted while they could stays. Policy knows no loss of capacity: who asks for
        // themselves then asks as a child would.
        let is_without = patient.provisional || care.is_without_capacity();
        let asks_alone = self.asker == id.into() && is_without;
        let never = chartseal_policy::Time(u64::MAX);
        Some(Cow::Owned(Patient {
            adult_from: if asks_alone {
                never
            } else {
                policy_time(patient.adult_from)
            },
            minor_consent_from: patient
                .minor_consent_from
                .filter(|_| !asks_alone)
                .map(policy_time),
            minor_private_tags: care.private_labels,
            guardians: Set::new(guardians).unwrap_or_default(),
            quorum: care.quorum,
        }))
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

/// A directive about an adopted id's records, as if it had been about the one that adopted it. What
/// the adopted id issued itself is the patient's own word.
fn adopt(mut directive: Directive, adopted: &PatientId, by: &Symbol) -> Directive {
    if directive.issuer.is(&symbol(&adopted.0)) {
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
