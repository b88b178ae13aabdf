use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};

use crate::persistent::Map;
use crate::{Directive, Grantee, Issuer, PolicyError, Position, Symbol, Terms};

/// All directives of all patients: what changes when somebody gives or takes consent.
///
/// A clone is a snapshot: it costs nothing, keeps what it held, and shares the rest. The first change
/// to a patient's directives after one copies that patient's, and nobody else's. So point-in-time
/// replay is to keep the snapshot; [`before`](Self::before) makes it afterwards.
///
/// It is one value for one set of directives, in whatever order they were applied, and has one
/// encoding (`docs/cddl/policy.cddl`).
///
/// ```
/// use chartseal_policy::*;
///
/// let grant = |id: &str, height| Ok::<_, PolicyError>(Directive {
///     id: id.parse()?,
///     position: Position { height, index: 0 },
///     issuer: Issuer::Actor("ann".parse()?),
///     patient: "ann".parse()?,
///     issued: None,
///     terms: Terms::Grant(Grant::to("org:H1".parse()?, Purpose::Treat)),
/// });
/// let mut state = PolicyState::new();
/// state.apply(grant("first", 1)?)?;
/// let snapshot = state.clone();
/// state.apply(grant("second", 2)?)?;
///
/// assert_eq!((snapshot.len(), state.len()), (1, 2));
/// assert_eq!(state.before(Position { height: 2, index: 0 }), snapshot);
/// assert!(state.naming(&"org:H1".parse()?).eq([&"ann".parse()?]));
/// assert_eq!(state.apply(grant("first", 3)?), Err(PolicyError::DuplicateDirective));
/// # Ok::<(), PolicyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyState {
    patients: Map<Symbol, Arc<Held>>,
    /// Which patients' directives may open something to whom.
    reach: Map<Grantee, Map<Symbol, ()>>,
    len: usize,
}

/// One patient's directives, in the order in which they came.
#[derive(Debug, Default)]
struct Held {
    directives: Vec<Directive>,
    /// Where each is, by id.
    places: BTreeMap<Symbol, usize>,
}

impl PolicyState {
    /// The most directives of one patient.
    pub const MAX_PER_PATIENT: usize = 1 << 20;

    /// No directives.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directive. Whether it has any effect is judged at each decision:
    /// [`validity`](crate::validity) tells.
    ///
    /// # Errors
    /// [`PolicyError::DuplicateDirective`] if the patient has one of the same id,
    /// [`PolicyError::TooManyDirectives`] if the patient has [`Self::MAX_PER_PATIENT`]. Then nothing
    /// has changed.
    pub fn apply(&mut self, directive: Directive) -> Result<(), PolicyError> {
        let patient = directive.patient.clone();
        let held = self.patients.get(&patient);
        let is_first = held.is_none();
        if let Some(held) = held {
            if held.places.contains_key(&directive.id) {
                return Err(PolicyError::DuplicateDirective);
            }
            if held.directives.len() >= Self::MAX_PER_PATIENT {
                return Err(PolicyError::TooManyDirectives);
            }
        }
        for grantee in opens_to(&directive) {
            match self.reach.get(&grantee) {
                Some(named) if named.get(&patient).is_some() => continue,
                Some(_) => {}
                None => self.reach.insert(grantee.clone(), Map::default()),
            }
            if let Some(named) = self.reach.get_mut(&grantee) {
                named.insert(patient.clone(), ());
            }
        }
        if is_first {
            let mut held = Held::default();
            held.push(directive);
            self.patients.insert(patient, Arc::new(held));
        } else if let Some(held) = self.patients.get_mut(&patient) {
            Arc::make_mut(held).push(directive);
        }
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// A patient's directives, in the order in which they were applied.
    pub fn directives(&self, patient: &Symbol) -> &[Directive] {
        self.patients
            .get(patient)
            .map_or(&[], |held| held.directives.as_slice())
    }

    /// A directive by its id.
    pub fn directive(&self, patient: &Symbol, id: &Symbol) -> Option<&Directive> {
        let held = self.patients.get(patient)?;
        held.directives.get(*held.places.get(id)?)
    }

    /// The patients who have directives, in order.
    pub fn patients(&self) -> impl Iterator<Item = &Symbol> {
        self.patients.iter().map(|(patient, _)| patient)
    }

    /// The patients with a directive that may open something to this grantee, in order: a grant to
    /// just this grantee, or, for an actor, a declared emergency. One that names no grantee, as a
    /// restriction with nested grants may, is under `any:*`.
    pub fn naming(&self, grantee: &Grantee) -> impl Iterator<Item = &Symbol> {
        let named = self.reach.get(grantee);
        named
            .into_iter()
            .flat_map(|named| named.iter().map(|(patient, ())| patient))
    }

    /// How many directives there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The state as it was at a position: with the directives that come strictly before it.
    #[must_use]
    pub fn before(&self, position: Position) -> Self {
        let mut state = Self::new();
        let all = self.patients.iter().flat_map(|(_, held)| &held.directives);
        for directive in all.filter(|directive| directive.position < position) {
            // They come from a state, so none is refused.
            let applied = state.apply(directive.clone());
            debug_assert!(applied.is_ok());
        }
        state
    }
}

impl Held {
    fn push(&mut self, directive: Directive) {
        self.places
            .insert(directive.id.clone(), self.directives.len());
        if self.directives.len() == self.directives.capacity() {
            self.directives.reserve_exact(room(self.directives.len()));
        }
        self.directives.push(directive);
    }

    /// By id.
    fn in_order(&self) -> impl Iterator<Item = &Directive> {
        self.places
            .values()
            .filter_map(|place| self.directives.get(*place))
    }
}

/// For how many more to make room beside so many: a quarter, so that little of a large state is empty.
fn room(len: usize) -> usize {
    len / 4 + 1
}

/// With room for the directive that a copy is made for.
impl Clone for Held {
    fn clone(&self) -> Self {
        let len = self.directives.len();
        let mut directives = Vec::with_capacity(len + room(len));
        directives.extend_from_slice(&self.directives);
        Self {
            directives,
            places: self.places.clone(),
        }
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.in_order().eq(other.in_order())
    }
}

impl Eq for Held {}

/// To whom a directive may open something.
fn opens_to(directive: &Directive) -> Vec<Grantee> {
    let to = match &directive.terms {
        Terms::Grant(grant) => &grant.scope.to,
        Terms::Restrict(restriction) if restriction.nested_grants => match &restriction.scope.to {
            None => return Vec::from([Grantee::Any]),
            to => to,
        },
        Terms::Emergency(_) => {
            return match &directive.issuer {
                Issuer::Actor(actor) => Vec::from([Grantee::Actor(actor.clone())]),
                Issuer::Quorum => Vec::new(),
            };
        }
        Terms::Restrict(_) | Terms::Revoke(_) | Terms::Approve(_) => return Vec::new(),
    };
    to.iter().flatten().cloned().collect()
}

/// An array of directives in strictly increasing order of patient, then id.
impl Encode for PolicyState {
    fn encode(&self, e: &mut Encoder) {
        e.array(self.len);
        for (_, held) in self.patients.iter() {
            for directive in held.in_order() {
                directive.encode(e);
            }
        }
    }
}

impl Decode for PolicyState {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        // There is no cap but the input: each directive takes bytes of it.
        let len = d.at("PolicyState").array(usize::MAX)?;
        let mut state = Self::new();
        let mut last: Option<(Symbol, Symbol)> = None;
        for _ in 0..len {
            let directive = Directive::decode(d)?;
            let key = (directive.patient.clone(), directive.id.clone());
            if last.is_some_and(|last| last >= key) {
                return Err(d.invalid("directives are not in increasing order of patient and id"));
            }
            last = Some(key);
            state
                .apply(directive)
                .map_err(|_| d.invalid("a patient has too many directives"))?;
        }
        Ok(state)
    }
}
