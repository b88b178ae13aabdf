use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::{
    Actor, Directive, Grantee, Listing, Network, Patient, PolicyError, PolicyState, Record, Symbol,
    World,
};

/// A [`World`] in memory: for apps that use this crate alone, for tools and for tests.
///
/// ```
/// use chartseal_policy::{MemoryWorld, World};
///
/// let world = MemoryWorld::new();
/// assert!(world.is_gated(&"PSY".parse()?));
/// # Ok::<(), chartseal_policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryWorld {
    /// Actors by id.
    pub actors: BTreeMap<Symbol, Actor>,
    /// Patients by id.
    pub patients: BTreeMap<Symbol, Patient>,
    /// Records by id.
    pub records: BTreeMap<Symbol, Record>,
    /// Network law and emergency policy.
    pub network: Network,
    /// Tags that a permit must name.
    pub gated: BTreeSet<Symbol>,
    /// Reviews overdue, by organization.
    pub overdue: BTreeMap<Symbol, u32>,
    /// The directives. Applying them here is the same as [`MemoryWorld::apply`].
    pub policy: PolicyState,
}

/// The gated tags of the semantics page, HL7's sensitivity codes and `INBOX`.
const GATED: [&str; 6] = ["PSY", "SUD", "HIV", "SDV", "GDIS", "INBOX"];

impl Default for MemoryWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryWorld {
    /// An empty world, in which `PSY`, `SUD`, `HIV`, `SDV`, `GDIS` and `INBOX` are gated.
    pub fn new() -> Self {
        Self {
            actors: BTreeMap::new(),
            patients: BTreeMap::new(),
            records: BTreeMap::new(),
            network: Network::default(),
            gated: GATED
                .iter()
                .filter_map(|tag| Symbol::new(tag).ok())
                .collect(),
            overdue: BTreeMap::new(),
            policy: PolicyState::new(),
        }
    }

    /// Adds a directive. Whether it has any effect is judged at each decision.
    ///
    /// # Errors
    /// As [`PolicyState::apply`].
    pub fn apply(&mut self, directive: Directive) -> Result<(), PolicyError> {
        self.policy.apply(directive)
    }
}

impl World for MemoryWorld {
    fn actor(&self, id: &Symbol) -> Option<Cow<'_, Actor>> {
        self.actors.get(id).map(Cow::Borrowed)
    }

    fn patient(&self, id: &Symbol) -> Option<Cow<'_, Patient>> {
        self.patients.get(id).map(Cow::Borrowed)
    }

    fn record(&self, id: &Symbol) -> Option<Cow<'_, Record>> {
        self.records.get(id).map(Cow::Borrowed)
    }

    fn network(&self) -> &Network {
        &self.network
    }

    fn is_gated(&self, tag: &Symbol) -> bool {
        self.gated.contains(tag)
    }

    fn overdue_reviews(&self, org: &Symbol) -> u32 {
        self.overdue.get(org).copied().unwrap_or(0)
    }

    fn directives(&self, patient: &Symbol) -> Cow<'_, [Directive]> {
        Cow::Borrowed(self.policy.directives(patient))
    }
}

impl Listing for MemoryWorld {
    fn actor_ids(&self) -> Vec<Symbol> {
        self.actors.keys().cloned().collect()
    }

    fn record_ids(&self, patient: &Symbol) -> Vec<Symbol> {
        let theirs = self
            .records
            .iter()
            .filter(|(_, record)| record.patient == *patient);
        theirs.map(|(id, _)| id.clone()).collect()
    }

    fn patient_ids_open_to(&self, id: &Symbol) -> Vec<Symbol> {
        let mut patients: BTreeSet<_> = self
            .patients
            .get_key_value(id)
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        if let Some(actor) = self.actors.get(id) {
            for grantee in Grantee::all_of(id, actor) {
                patients.extend(self.policy.naming(&grantee));
            }
            let wards = self.patients.iter().filter(|(_, patient)| {
                patient
                    .guardians
                    .iter()
                    .any(|guardian| guardian.actor == *id)
            });
            patients.extend(wards.map(|(ward, _)| ward));
        }
        patients.into_iter().cloned().collect()
    }
}
