use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::{Actor, Directive, Network, Patient, PolicyError, Record, Symbol, World};

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
    directives: BTreeMap<Symbol, Held>,
}

/// One patient's directives, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Held {
    ids: BTreeSet<Symbol>,
    directives: Vec<Directive>,
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
            directives: BTreeMap::new(),
        }
    }

    /// Adds a directive. Whether it has any effect is judged at each decision.
    ///
    /// # Errors
    /// [`PolicyError::DuplicateDirective`] if the patient has one of the same id.
    pub fn apply(&mut self, directive: Directive) -> Result<(), PolicyError> {
        let held = self
            .directives
            .entry(directive.patient.clone())
            .or_default();
        if !held.ids.insert(directive.id.clone()) {
            return Err(PolicyError::DuplicateDirective);
        }
        held.directives.push(directive);
        Ok(())
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
        let held = self.directives.get(patient);
        Cow::Borrowed(held.map_or(&[], |held| held.directives.as_slice()))
    }
}
