//! Any bytes as a world, directives that are made in it, and requests.

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_policy::{
    Action, Actor, Approval, Code, Confidentiality, Decision, Declaration, Directive, Effect,
    EmergencyPolicy, Exception, Exceptions, Grant, Grantee, Guardian, Issuer, LawRule, MemoryWorld,
    Millis, Moment, OrgRole, Override, Patient, PolicyError, PolicyState, Position, Purpose,
    Quorum, Record, Request, Restriction, Revocation, Scope, Set, Symbol, Terms, Time, Window,
    decide, validity,
};

/// Reads the input as choices among a few ids and round times, applies the directives one by one,
/// and asks after each. It panics where an answer is not what every answer must be.
pub(super) fn apply_then_decide(input: &[u8]) -> bool {
    scene(&mut Choices(input)).is_ok_and(|applied| applied > 0)
}

/// The input, a byte for each choice; then always the first.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn one<T: Copy>(&mut self, of: &[T], otherwise: T) -> T {
        let at = usize::from(self.byte()) % of.len().max(1);
        of.get(at).copied().unwrap_or(otherwise)
    }

    fn yes(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// One time in four.
    fn maybe<T>(
        &mut self,
        one: impl FnOnce(&mut Self) -> Result<T, PolicyError>,
    ) -> Result<Option<T>, PolicyError> {
        match self.byte() % 4 {
            1 => one(self).map(Some),
            _ => Ok(None),
        }
    }

    fn some<T: Ord>(
        &mut self,
        one: impl Fn(&mut Self) -> Result<T, PolicyError>,
    ) -> Result<Set<T>, PolicyError> {
        let len = self.byte() % 4;
        let values: Result<Vec<T>, _> = (0..len).map(|_| one(self)).collect();
        Set::new(values?)
    }

    fn number(&mut self) -> u64 {
        u64::from(self.byte() % 8)
    }

    fn time(&mut self) -> Time {
        Time(self.number() * 100)
    }

    fn id(&mut self, all: &[&'static str]) -> Result<Symbol, PolicyError> {
        self.one(all, "p").parse()
    }

    fn window(&mut self) -> Result<Window, PolicyError> {
        Ok(Window {
            from: self.maybe(|c| Ok(c.time()))?,
            until: self.maybe(|c| Ok(c.time()))?,
        })
    }

    fn position(&mut self) -> Position {
        let height = self.number();
        let index = u32::from(self.yes());
        Position { height, index }
    }

    fn purpose(&mut self) -> Purpose {
        self.one(Purpose::ALL, Purpose::Treat)
    }

    fn grantee(&mut self) -> Result<Grantee, PolicyError> {
        Ok(match self.byte() % 5 {
            0 => Grantee::Actor(self.id(&ACTORS)?),
            1 => Grantee::Org(self.id(&ORGS)?),
            2 => Grantee::Role(self.id(&ROLES)?),
            3 => Grantee::OrgRole(OrgRole {
                org: self.id(&ORGS)?,
                role: self.id(&ROLES)?,
            }),
            _ => Grantee::Any,
        })
    }

    fn scope(&mut self) -> Result<Scope, PolicyError> {
        Ok(Scope {
            to: self.maybe(|c| c.some(Self::grantee))?,
            purposes: self.maybe(|c| c.some(|c| Ok(c.purpose())))?,
            actions: self.maybe(|c| c.some(|c| Ok(c.one(Action::ALL, Action::Read))))?,
            classes: self.maybe(|c| c.some(|c| c.id(&CLASSES)))?,
            records: self.maybe(|c| c.some(|c| c.id(&RECORDS)))?,
            encounters: self.maybe(|c| c.some(|c| c.id(&CLASSES)))?,
            authors: self.maybe(|c| c.some(|c| c.id(&ACTORS)))?,
            data: self.window()?,
            conf: self.maybe(|c| Ok(c.one(Confidentiality::ALL, Confidentiality::N)))?,
            tags: self.maybe(|c| c.some(|c| c.id(&TAGS)))?,
        })
    }

    fn exceptions(&mut self) -> Result<Exceptions, PolicyError> {
        let mut nodes = Vec::new();
        let mut depth = 0;
        for _ in 0..self.byte() % 4 {
            depth = 1 + u32::from(self.byte()) % (depth + 1);
            nodes.push(Exception {
                depth,
                effect: self.one(Effect::ALL, Effect::Deny),
                scope: self.scope()?,
            });
        }
        Exceptions::new(nodes)
    }

    fn terms(&mut self) -> Result<Terms, PolicyError> {
        Ok(match self.byte() % 8 {
            0..=2 => Terms::Grant(Grant {
                scope: Scope {
                    to: Some(self.some(Self::grantee)?),
                    purposes: Some(self.some(|c| Ok(c.purpose()))?),
                    ..self.scope()?
                },
                window: self.window()?,
                delegable: u32::from(self.byte() % 4),
                parent: self.maybe(|c| c.id(&DIRECTIVES))?,
                supersedes: self.some(|c| c.id(&DIRECTIVES))?,
                except: self.exceptions()?,
            }),
            3 | 4 => Terms::Restrict(Restriction {
                scope: self.scope()?,
                window: self.window()?,
                overridable: self.one(Override::ALL, Override::Never),
                supersedes: self.some(|c| c.id(&DIRECTIVES))?,
                except: self.exceptions()?,
                nested_grants: self.yes(),
            }),
            5 => Terms::Revoke(Revocation {
                target: self.id(&DIRECTIVES)?,
            }),
            6 => Terms::Approve(Approval {
                target: self.id(&DIRECTIVES)?,
                at: self.time(),
            }),
            _ => Terms::Emergency(Declaration {
                from: self.time(),
                has_reason: self.yes(),
                closed: self.maybe(|c| Ok(c.time()))?,
            }),
        })
    }

    fn directive(&mut self) -> Result<Directive, PolicyError> {
        Ok(Directive {
            id: self.id(&DIRECTIVES)?,
            position: self.position(),
            issuer: match self.byte() % 6 {
                0 => Issuer::Quorum,
                1 | 2 => Issuer::Actor(self.id(&ACTORS)?),
                _ => Issuer::Actor("p".parse()?),
            },
            patient: self.id(&PATIENTS)?,
            issued: self.maybe(|c| Ok(c.time()))?,
            terms: self.terms()?,
        })
    }

    fn world(&mut self) -> Result<MemoryWorld, PolicyError> {
        let mut world = MemoryWorld::new();
        for id in ACTORS.into_iter().take(3) {
            let actor = Actor {
                org: self.maybe(|c| c.id(&ORGS))?,
                roles: self.some(|c| c.id(&ROLES))?,
                credential: self.maybe(|c| c.some(Self::window))?,
                suspended_from: self.maybe(|c| Ok(c.time()))?,
            };
            world.actors.insert(id.parse()?, actor);
        }
        let patient = Patient {
            adult_from: self.maybe(|c| Ok(c.time()))?.unwrap_or_default(),
            minor_consent_from: self.maybe(|c| Ok(c.time()))?,
            minor_private_tags: self.some(|c| c.id(&TAGS))?,
            guardians: self.some(|c| {
                Ok(Guardian {
                    actor: c.id(&ACTORS)?,
                    window: c.window()?,
                })
            })?,
            quorum: self.maybe(|c| {
                Ok(Quorum {
                    k: u32::from(c.byte() % 4),
                    members: c.some(|c| c.id(&ACTORS))?,
                    ttl: c.maybe(|c| Ok(Millis(c.time().0)))?,
                })
            })?,
        };
        world.patients.insert("p".parse()?, patient);
        world.patients.insert("k".parse()?, Patient::default());
        for id in RECORDS {
            let record = Record {
                patient: self.id(&PATIENTS)?,
                class: self.id(&CLASSES)?,
                conf: self.one(Confidentiality::ALL, Confidentiality::N),
                tags: self.some(|c| c.id(&TAGS))?,
                author: self.maybe(|c| c.id(&ACTORS))?,
                encounter: self.maybe(|c| c.id(&CLASSES))?,
                authored: self.time(),
                release_at: self.maybe(|c| Ok(c.time()))?,
            };
            world.records.insert(id.parse()?, record);
        }
        let law = self.maybe(|c| {
            Ok(LawRule {
                id: "law".parse()?,
                tags: c.maybe(|c| c.some(|c| c.id(&TAGS)))?,
                purposes: c.maybe(|c| c.some(|c| Ok(c.purpose())))?,
                unless: c.some(Self::grantee)?,
            })
        })?;
        world.network.law = Vec::from_iter(law);
        world.network.emergency = self.maybe(|c| {
            Ok(EmergencyPolicy {
                ttl: Millis(c.time().0),
                roles: c.some(|c| c.id(&ROLES))?,
                max_overdue: u32::from(c.byte() % 3),
                allow_absolute: c.yes(),
            })
        })?;
        let overdue = u32::from(self.byte() % 3);
        world.overdue.insert("o1".parse()?, overdue);
        Ok(world)
    }

    fn request(&mut self) -> Result<Request, PolicyError> {
        Ok(Request {
            actor: self.id(&ACTORS)?,
            patient: self.id(&PATIENTS)?,
            record: self.id(&RECORDS)?,
            action: match self.byte() % 8 {
                0 => None,
                1 => Some(self.one(Action::ALL, Action::Read)),
                _ => Some(Action::Read),
            },
            purpose: match self.byte() % 8 {
                0 => None,
                _ => Some(self.purpose()),
            },
            time: Time(self.time().0 + 300),
            position: match self.byte() % 4 {
                0 => self.position(),
                _ => Position {
                    height: 8,
                    index: 0,
                },
            },
        })
    }
}

const ACTORS: [&str; 5] = ["a", "b", "c", "p", "nobody"];
const PATIENTS: [&str; 6] = ["p", "p", "p", "p", "p", "k"];
const RECORDS: [&str; 2] = ["r0", "r1"];
const DIRECTIVES: [&str; 8] = ["d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"];
const CLASSES: [&str; 2] = ["x", "y"];
const ORGS: [&str; 2] = ["o1", "o2"];
const ROLES: [&str; 2] = ["nurse", "doctor"];
const TAGS: [&str; 4] = ["PSY", "SUD", "INBOX", "plain"];

/// How many directives were applied.
fn scene(choices: &mut Choices<'_>) -> Result<usize, PolicyError> {
    let mut world = choices.world()?;
    let mut request = choices.request()?;
    check(&world, &request)?;
    while !choices.0.is_empty() && world.policy.len() < DIRECTIVES.len() {
        let directive = choices.directive()?;
        let before = world.policy.clone();
        if world.apply(directive).is_err() {
            assert!(
                world.policy == before,
                "a refused directive changes nothing"
            );
        }
        if choices.yes() {
            request = choices.request()?;
        }
        check(&world, &request)?;
    }
    Ok(world.policy.len())
}

/// What every answer must be.
fn check(world: &MemoryWorld, request: &Request) -> Result<(), PolicyError> {
    let decision = decide(world, request);
    let is_permit = decision.effect == Effect::Permit;
    assert!(
        decision.code.effect() == decision.effect
            && decision.obligations.is_empty() != is_permit
            && decision
                .valid_until
                .is_none_or(|until| until > request.time),
        "{decision:?}"
    );
    assert!(
        from_bytes(&to_bytes(&world.policy)).is_ok_and(|back: PolicyState| back == world.policy),
        "a state is read back from its bytes"
    );
    check_basis(world, request, &decision);

    let mut other = world.clone();
    other.policy = state(world, |_| true)?;
    assert!(
        decide(&other, request) == decision,
        "the order of storage decides nothing"
    );
    other.policy = state(world, |directive| match &directive.terms {
        Terms::Grant(_) | Terms::Emergency(_) => false,
        Terms::Restrict(restriction) => !restriction.nested_grants,
        Terms::Revoke(_) | Terms::Approve(_) => true,
    })?;
    let closed = decide(&other, request);
    assert!(
        !rests_on_directives(closed.code),
        "nothing is granted where nobody grants: {closed:?}"
    );

    let mut other = world.clone();
    other.apply(Directive {
        id: "closed".parse()?,
        position: Position::default(),
        issuer: Issuer::Actor(request.patient.clone()),
        patient: request.patient.clone(),
        issued: None,
        terms: Terms::Restrict(Restriction::default()),
    })?;
    let closed = decide(&other, request).code;
    assert!(
        closed != Code::Granted || request.position == Position::default(),
        "a restriction of everything leaves nothing granted"
    );
    Ok(())
}

/// What an answer names came before, counts, and gives somebody in good standing what is asked.
fn check_basis(world: &MemoryWorld, request: &Request, decision: &Decision) {
    if !rests_on_directives(decision.code) {
        return;
    }
    let moment = Moment {
        time: request.time,
        position: request.position,
    };
    let actor = world.actors.get(&request.actor);
    let stands = actor.is_some_and(|actor| actor.in_standing(request.time));
    let counts = |id: &Symbol| {
        let directive = world.policy.directive(&request.patient, id);
        directive.is_some_and(|directive| validity(world, directive, moment).is_ok())
    };
    assert!(
        stands && !decision.by.is_empty() && decision.by.iter().all(counts),
        "{decision:?}"
    );
}

fn rests_on_directives(code: Code) -> bool {
    matches!(code, Code::Granted | Code::Emergency)
}

/// The directives of a world that are wanted, in another order.
fn state(
    world: &MemoryWorld,
    wanted: impl Fn(&Directive) -> bool,
) -> Result<PolicyState, PolicyError> {
    let mut state = PolicyState::new();
    for patient in world.policy.patients() {
        let all = world.policy.directives(patient).iter().rev();
        for directive in all.filter(|one| wanted(one)) {
            state.apply(directive.clone())?;
        }
    }
    Ok(state)
}
