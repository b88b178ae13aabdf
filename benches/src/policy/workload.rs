//! A network of patients and the requests that are asked of it: the same for every engine.
//!
//! Ids and labels are short texts, so that engines which keep such inline are at their best.

use chartseal_policy::{
    Action, Actor, Confidentiality, Directive, Grant, Grantee, Issuer, MemoryWorld, OrgRole,
    Patient, PolicyError, Position, Purpose, Record, Request, Restriction, Scope, Set, Symbol,
    Terms, Time, Window,
};

/// When everything is asked.
pub const NOW: Time = Time(1_790_000_000_000);
/// Where everything is asked: after all directives.
pub const LAST: Position = Position {
    height: u64::MAX,
    index: 0,
};
/// The tags that a permit must name.
pub const GATED: [&str; 2] = ["PSY", "SUD"];

const ACTORS: u64 = 1_000;
/// Of whom so many are named by their ids in grants; with the organizations, the roles and the roles
/// at an organization, 500 grantees.
const NAMED: u64 = 300;
const ORGS: u64 = 100;
const ROLES: u64 = 50;
const RECORDS_EACH: u64 = 4;
const CLASSES: [&str; 4] = [
    "Observation",
    "Condition",
    "MedicationRequest",
    "DiagnosticReport",
];
const DAY: u64 = 86_400_000;

/// How large a network is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many patients.
    pub patients: u64,
    /// Grants of each.
    pub grants_each: u64,
    /// Restrictions of each patient, beside the grants.
    pub restrictions_each: u64,
}

impl Size {
    /// 10,000 grants of 1,000 patients.
    pub const USUAL: Self = Self {
        patients: 1_000,
        grants_each: 10,
        restrictions_each: 0,
    };
}

/// Numbers that are the same everywhere (splitmix64).
pub struct Numbers(u64);

impl Numbers {
    /// Those of a seed.
    pub fn from(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next one, below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        let at = self.below(of.len() as u64);
        of.get(usize::try_from(at).ok()?).copied()
    }
}

/// A network without directives. What belongs to one patient does not depend on how many there are.
///
/// # Errors
/// None: the ids and lists are short enough.
pub fn network(size: Size) -> Result<MemoryWorld, PolicyError> {
    let mut world = MemoryWorld::new();
    world.gated.clear();
    for tag in GATED {
        world.gated.insert(tag.parse()?);
    }
    for n in 0..ACTORS {
        let actor = Actor {
            org: Some(org(n)?),
            roles: Set::one(role(n)?),
            ..Actor::default()
        };
        world.actors.insert(actor_id(n)?, actor);
    }
    for patient in 0..size.patients {
        world
            .patients
            .insert(patient_id(patient)?, Patient::default());
        let mut numbers = Numbers::from(patient);
        for n in 0..RECORDS_EACH {
            let record = record(patient, &mut numbers)?;
            world.records.insert(record_id(patient, n)?, record);
        }
    }
    Ok(world)
}

/// The directives of all patients, patient by patient.
///
/// # Errors
/// None, as for [`network`].
pub fn directives(size: Size) -> Result<Vec<Directive>, PolicyError> {
    let mut all = Vec::new();
    for patient in 0..size.patients {
        all.extend(of_patient(size, patient)?);
    }
    Ok(all)
}

/// One patient's directives.
///
/// # Errors
/// None, as for [`network`].
pub fn of_patient(size: Size, patient: u64) -> Result<Vec<Directive>, PolicyError> {
    let mut numbers = Numbers::from(!patient);
    let mut all = Vec::new();
    for n in 0..size.grants_each {
        let terms = Terms::Grant(grant(patient, &mut numbers)?);
        all.push(directive(patient, &format!("g{patient}-{n}"), n, terms)?);
    }
    for n in 0..size.restrictions_each {
        let terms = Terms::Restrict(restriction(patient, &mut numbers)?);
        let position = size.grants_each + n;
        all.push(directive(
            patient,
            &format!("r{patient}-{n}"),
            position,
            terms,
        )?);
    }
    Ok(all)
}

/// A network with all its directives.
///
/// # Errors
/// None, as for [`network`].
pub fn world(size: Size) -> Result<MemoryWorld, PolicyError> {
    let mut world = network(size)?;
    for patient in 0..size.patients {
        for directive in of_patient(size, patient)? {
            world.apply(directive)?;
        }
    }
    Ok(world)
}

/// Requests about the first `patients`, most of them by somebody whom one of the grants speaks of.
///
/// # Errors
/// None, as for [`network`].
pub fn requests(
    world: &MemoryWorld,
    patients: u64,
    count: usize,
    seed: u64,
) -> Result<Vec<Request>, PolicyError> {
    let mut numbers = Numbers::from(seed);
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let patient = numbers.below(patients);
        let id = patient_id(patient)?;
        let mut actor = actor_id(numbers.below(ACTORS))?;
        let directives = world.policy.directives(&id);
        let at = numbers.below((directives.len() as u64).max(1));
        let any = usize::try_from(at).ok().and_then(|at| directives.get(at));
        let mut purpose = numbers.pick(&[
            Purpose::Treat,
            Purpose::Coc,
            Purpose::Ertreat,
            Purpose::Hresch,
            Purpose::Hpaymt,
        ]);
        if let (Some(directive), false) = (any, numbers.one_in(4)) {
            actor = addressee(directive, &mut numbers)?.unwrap_or(actor);
            if let (Terms::Grant(grant), false) = (&directive.terms, numbers.one_in(4)) {
                let named = grant.scope.purposes.iter().flatten().next();
                purpose = named.copied().or(purpose);
            }
        }
        let actions = [Action::Read, Action::Read, Action::Read, Action::Search];
        all.push(Request {
            actor,
            patient: id,
            record: record_id(patient, numbers.below(RECORDS_EACH))?,
            action: numbers.pick(&actions),
            purpose,
            time: NOW,
            position: LAST,
        });
    }
    Ok(all)
}

/// An actor of whom a directive speaks.
fn addressee(directive: &Directive, numbers: &mut Numbers) -> Result<Option<Symbol>, PolicyError> {
    let scope = match &directive.terms {
        Terms::Grant(grant) => &grant.scope,
        Terms::Restrict(restriction) => &restriction.scope,
        _ => return Ok(None),
    };
    let first = scope.to.as_ref().and_then(|to| to.iter().next());
    let number = |symbol: &Symbol| {
        let digits = symbol
            .as_bytes()
            .iter()
            .filter(|byte| byte.is_ascii_digit());
        digits.fold(0, |n, digit| n * 10 + u64::from(digit - b'0'))
    };
    let n = match first {
        Some(Grantee::Actor(actor)) => return Ok(Some(actor.clone())),
        Some(Grantee::Org(org)) => number(org) + ORGS * numbers.below(ACTORS / ORGS),
        Some(Grantee::OrgRole(at)) => number(&at.org) + ORGS * numbers.below(ACTORS / ORGS),
        Some(Grantee::Role(role)) => number(role) + ROLES * numbers.below(ACTORS / ROLES),
        Some(Grantee::Any) | None => return Ok(None),
    };
    actor_id(n).map(Some)
}

fn record(patient: u64, numbers: &mut Numbers) -> Result<Record, PolicyError> {
    let class = numbers.pick(&CLASSES).unwrap_or_default();
    let tags = match numbers.below(8) {
        0 => Set::one("PSY".parse()?),
        1 => Set::new(["PSY".parse()?, "SUD".parse()?])?,
        _ => Set::default(),
    };
    let restricted = !tags.is_empty() || numbers.one_in(10);
    Ok(Record {
        patient: patient_id(patient)?,
        class: class.parse()?,
        conf: if restricted {
            Confidentiality::R
        } else {
            Confidentiality::N
        },
        tags,
        author: None,
        encounter: None,
        authored: Time(NOW.0 - DAY * (1 + numbers.below(1_000))),
        release_at: None,
    })
}

fn grant(patient: u64, numbers: &mut Numbers) -> Result<Grant, PolicyError> {
    let purpose = numbers.pick(&[
        Purpose::Treat,
        Purpose::Treat,
        Purpose::Treat,
        Purpose::Hresch,
        Purpose::Hpaymt,
    ]);
    let mut scope = Scope {
        to: Some(Set::one(grantee(numbers)?)),
        purposes: purpose.map(Set::one),
        ..Scope::default()
    };
    if numbers.one_in(2) {
        scope.actions = Some(Set::new([Action::Read, Action::Search])?);
    }
    if numbers.one_in(3) {
        scope.classes = Some(classes(numbers)?);
    }
    if numbers.one_in(3) {
        scope.conf = Some(Confidentiality::R);
        scope.tags = Some(Set::one("PSY".parse()?));
    }
    if numbers.one_in(8) {
        let record = record_id(patient, numbers.below(RECORDS_EACH))?;
        scope.records = Some(Set::one(record));
    }
    Ok(Grant {
        scope,
        window: window(numbers),
        ..Grant::default()
    })
}

fn restriction(patient: u64, numbers: &mut Numbers) -> Result<Restriction, PolicyError> {
    let mut scope = Scope::default();
    if !numbers.one_in(8) {
        scope.to = Some(Set::one(grantee(numbers)?));
    }
    if numbers.one_in(3) {
        scope.purposes = Some(Set::one(Purpose::Hresch));
    }
    if numbers.one_in(2) {
        scope.classes = Some(classes(numbers)?);
    }
    match numbers.below(4) {
        0 => scope.tags = Some(Set::new(["PSY".parse()?, "SUD".parse()?])?),
        1 => scope.conf = Some(Confidentiality::R),
        2 => {
            let record = record_id(patient, numbers.below(RECORDS_EACH))?;
            scope.records = Some(Set::one(record));
        }
        _ => {}
    }
    Ok(Restriction {
        scope,
        window: window(numbers),
        ..Restriction::default()
    })
}

/// Three of four hold now; the others are over or still to come.
fn window(numbers: &mut Numbers) -> Window {
    let from = NOW.0 - DAY * (1 + numbers.below(300));
    let until = NOW.0 + DAY * (1 + numbers.below(300));
    let (from, until) = match numbers.below(8) {
        0 => (from, NOW.0),
        1 => (NOW.0 + 1, until),
        _ => (from, until),
    };
    Window {
        from: Some(Time(from)),
        until: Some(Time(until)),
    }
}

fn classes(numbers: &mut Numbers) -> Result<Set<Symbol>, PolicyError> {
    let mut two = Vec::new();
    for _ in 0..2 {
        two.push(numbers.pick(&CLASSES).unwrap_or_default().parse()?);
    }
    Set::new(two)
}

fn grantee(numbers: &mut Numbers) -> Result<Grantee, PolicyError> {
    Ok(match numbers.below(10) {
        0..6 => Grantee::Actor(actor_id(numbers.below(NAMED))?),
        6 | 7 => Grantee::Org(org(numbers.below(ORGS))?),
        8 => Grantee::Role(role(numbers.below(ROLES))?),
        _ => {
            let n = numbers.below(ROLES);
            Grantee::OrgRole(OrgRole {
                org: org(n)?,
                role: role(n)?,
            })
        }
    })
}

/// By the patient, who is of age.
fn directive(patient: u64, id: &str, n: u64, terms: Terms) -> Result<Directive, PolicyError> {
    Ok(Directive {
        id: id.parse()?,
        position: Position {
            height: n + 1,
            index: 0,
        },
        issuer: Issuer::Actor(patient_id(patient)?),
        patient: patient_id(patient)?,
        issued: Some(Time(1)),
        terms,
    })
}

fn patient_id(n: u64) -> Result<Symbol, PolicyError> {
    format!("patient{n}").parse()
}

fn actor_id(n: u64) -> Result<Symbol, PolicyError> {
    format!("actor{n}").parse()
}

fn record_id(patient: u64, n: u64) -> Result<Symbol, PolicyError> {
    format!("record{patient}-{n}").parse()
}

fn org(n: u64) -> Result<Symbol, PolicyError> {
    format!("org{}", n % ORGS).parse()
}

fn role(n: u64) -> Result<Symbol, PolicyError> {
    format!("role{}", n % ROLES).parse()
}
