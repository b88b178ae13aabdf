//! From what is written to what is meant.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::str::FromStr;

use serde::Deserialize;

use super::form::{
    ActorForm, CaseForm, ConsentForm, DirectiveForm, DocumentForm, EmergencyPolicyForm, LawForm,
    NodeForm, Nullable, OverridesForm, PatientForm, RecordForm, RequestForm, ScopeForm,
};
use super::{Case, Expect, JsonError, Place, keys, text};
use crate::{
    Actor, Approval, Declaration, Directive, Effect, EmergencyPolicy, Exception, Exceptions, Grant,
    Guardian, Issuer, LawRule, MemoryWorld, Millis, Override, Patient, PolicyError, Position,
    Quorum, Record, Request, Restriction, Revocation, Scope, Set, Symbol, Terms, Time, Window,
};

/// A value that a policy may not have, and the field that has it.
type Fault = (&'static str, PolicyError);

/// Names the field of a fault.
trait In<T> {
    fn field(self, field: &'static str) -> Result<T, Fault>;
}

impl<T> In<T> for Result<T, PolicyError> {
    fn field(self, field: &'static str) -> Result<T, Fault> {
        self.map_err(|source| (field, source))
    }
}

/// Entries of all cases' worlds together: else a small document could ask for a lot of memory.
const MAX_ENTRIES: usize = 1 << 20;

pub(super) fn document(bytes: &[u8]) -> Result<Vec<Case>, JsonError> {
    let form: DocumentForm = parse(bytes)?;
    let mut world = MemoryWorld::new();
    replace(
        &mut world,
        Place::World,
        OverridesForm {
            actors: Some(form.world.actors),
            patients: Some(form.world.patients),
            records: Some(form.world.records),
            emergency_policy: Some(Nullable(form.world.emergency_policy)),
            law: Some(Nullable(form.world.law)),
            overdue_reviews: Some(Nullable(form.world.overdue_reviews)),
        },
    )?;
    let entries = world.actors.len() + world.patients.len() + world.records.len();
    let cases = form.cases.len();
    if cases.saturating_mul(entries) > MAX_ENTRIES {
        return Err(JsonError::Worlds { cases, entries });
    }
    let cases = form.cases.into_iter().enumerate();
    cases
        .map(|(index, case)| read_case(&world, Place::Case(index), case))
        .collect()
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, JsonError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        if error.is_data() {
            JsonError::Form { line, column }
        } else {
            JsonError::Syntax { line, column }
        }
    })
}

/// One directive by itself, all of whose keys must be known.
pub(super) fn directive_alone(bytes: &[u8], world: &MemoryWorld) -> Result<Directive, JsonError> {
    let form: DirectiveForm = parse(bytes)?;
    keys::all_known(&form, &parse(bytes)?)?;
    one(form, |target| {
        let id = target.parse().ok()?;
        let mut patients = world.policy.patients();
        let held = patients.find(|patient| world.policy.directive(patient, &id).is_some());
        held.map(text)
    })
}

/// A directive as it was just written, for a patient whom some kinds leave to their target.
pub(super) fn written(bytes: &[u8], patient: &str) -> Result<Directive, JsonError> {
    one(parse(bytes)?, |_| Some(patient.into()))
}

/// A directive by itself, and the patient of its target if it has one.
fn one(
    form: DirectiveForm,
    patient_of: impl Fn(&str) -> Option<String>,
) -> Result<Directive, JsonError> {
    let mut patients = BTreeMap::new();
    if let DirectiveForm::Revoke { target, .. } | DirectiveForm::Approve { target, .. } = &form {
        let patient = patient_of(target).ok_or(JsonError::NoTarget)?;
        patients.insert(target.clone(), patient);
    }
    let directive = directive(form, &patients).map_err(at(Place::Directive))?;
    directive.ok_or(JsonError::NoTarget)
}

fn at(place: Place) -> impl Fn(Fault) -> JsonError {
    move |(field, source)| JsonError::Value {
        place,
        field,
        source,
    }
}

fn read_case(world: &MemoryWorld, place: Place, form: CaseForm) -> Result<Case, JsonError> {
    if !form.n.is_number() && !form.n.is_string() {
        return Err(JsonError::CaseName { place });
    }
    let mut world = world.clone();
    replace(&mut world, place, form.overrides)?;
    add_directives(&mut world, form.directives).map_err(at(place))?;
    Ok(Case {
        n: form.n.to_string(),
        title: form.title.and_then(|title| title.as_str().map(Into::into)),
        world,
        request: request(&form.request).field("request").map_err(at(place))?,
        expect: form.expect.map(|expect| Expect {
            effect: expect.effect,
            code: expect.code,
            by: expect.by,
            obligations_include: expect.obligations_include.unwrap_or_default(),
        }),
    })
}

/// Replaces whole keys of the world.
fn replace(world: &mut MemoryWorld, place: Place, form: OverridesForm) -> Result<(), JsonError> {
    let at = at(place);
    if let Some(actors) = form.actors {
        world.actors = by_id(&actors, actor).field("actors").map_err(&at)?;
    }
    if let Some(patients) = form.patients {
        world.patients = by_id(&patients, patient).field("patients").map_err(&at)?;
    }
    if let Some(records) = form.records {
        world.records = by_id(&records, record).field("records").map_err(&at)?;
    }
    if let Some(Nullable(policy)) = form.emergency_policy {
        let policy = policy.as_ref().map(emergency_policy).transpose();
        world.network.emergency = policy.field("emergency_policy").map_err(&at)?;
    }
    if let Some(Nullable(law)) = form.law {
        let law = law.unwrap_or_default();
        if law.iter().any(|rule| rule.effect != Effect::Deny.as_str()) {
            return Err(JsonError::LawEffect { place });
        }
        let rules: Result<_, _> = law.iter().map(law_rule).collect();
        world.network.law = rules.field("law").map_err(&at)?;
    }
    if let Some(Nullable(overdue)) = form.overdue_reviews {
        let count = |reviews: &Vec<String>| Ok(u32::try_from(reviews.len()).unwrap_or(u32::MAX));
        let overdue = by_id(&overdue.unwrap_or_default(), count);
        world.overdue = overdue.field("overdue_reviews").map_err(&at)?;
    }
    Ok(())
}

fn by_id<F, T>(
    forms: &BTreeMap<String, F>,
    read: impl Fn(&F) -> Result<T, PolicyError>,
) -> Result<BTreeMap<Symbol, T>, PolicyError> {
    forms
        .iter()
        .map(|(id, form)| Ok((id.parse()?, read(form)?)))
        .collect()
}

fn actor(form: &ActorForm) -> Result<Actor, PolicyError> {
    let windows = |windows: &Vec<_>| Set::new(windows.iter().copied().map(window));
    Ok(Actor {
        org: optional(form.org.as_ref())?,
        roles: list(form.roles.as_ref())?.unwrap_or_default(),
        credential: form.credential.as_ref().map(windows).transpose()?,
        suspended_from: form.suspended_from.map(Time),
    })
}

fn patient(form: &PatientForm) -> Result<Patient, PolicyError> {
    let guardian = |(actor, bounds): (&String, &(Option<u64>, Option<u64>))| {
        Ok(Guardian {
            actor: actor.parse()?,
            window: window(*bounds),
        })
    };
    let guardians: Result<Vec<_>, PolicyError> =
        form.guardians.iter().flatten().map(guardian).collect();
    let quorum = form.quorum.as_ref().map(|form| {
        Ok::<_, PolicyError>(Quorum {
            k: form.k,
            members: symbols(&form.members)?,
            ttl: form.ttl.map(Millis),
        })
    });
    Ok(Patient {
        adult_from: Time(form.adult_from.unwrap_or(0)),
        minor_consent_from: form.minor_consent_from.map(Time),
        minor_private_tags: list(form.minor_private_tags.as_ref())?.unwrap_or_default(),
        guardians: Set::new(guardians?)?,
        quorum: quorum.transpose()?,
    })
}

fn record(form: &RecordForm) -> Result<Record, PolicyError> {
    Ok(Record {
        patient: form.patient.parse()?,
        class: form.class.parse()?,
        conf: optional(form.conf.as_ref())?.unwrap_or_default(),
        tags: list(form.tags.as_ref())?.unwrap_or_default(),
        author: optional(form.author.as_ref())?,
        encounter: optional(form.encounter.as_ref())?,
        authored: Time(form.authored),
        release_at: form.release_at.map(Time),
    })
}

fn emergency_policy(form: &EmergencyPolicyForm) -> Result<EmergencyPolicy, PolicyError> {
    Ok(EmergencyPolicy {
        ttl: Millis(form.ttl),
        roles: symbols(&form.roles)?,
        max_overdue: form.max_overdue,
        allow_absolute: form.allow_absolute,
    })
}

fn law_rule(form: &LawForm) -> Result<LawRule, PolicyError> {
    let unless = form.unless.as_ref().and_then(|unless| unless.to.as_ref());
    Ok(LawRule {
        id: form.id.parse()?,
        tags: list(form.tags.as_ref())?,
        purposes: list(form.purposes.as_ref())?,
        unless: list(unless)?.unwrap_or_default(),
    })
}

fn request(form: &RequestForm) -> Result<Request, PolicyError> {
    Ok(Request {
        actor: form.actor.parse()?,
        patient: form.patient.parse()?,
        record: form.record.parse()?,
        action: form.action.parse().ok(),
        purpose: form.purpose.parse().ok(),
        time: Time(form.t),
        position: position(form.pos),
    })
}

fn add_directives(world: &mut MemoryWorld, forms: Vec<DirectiveForm>) -> Result<(), Fault> {
    let mut ids = BTreeSet::new();
    let mut patients = BTreeMap::new();
    for form in &forms {
        let (id, patient) = match form {
            DirectiveForm::Grant(form) | DirectiveForm::Restrict(form) => {
                (&form.id, Some(&form.patient))
            }
            DirectiveForm::Emergency { id, patient, .. } => (id, Some(patient)),
            DirectiveForm::Revoke { id, .. } | DirectiveForm::Approve { id, .. } => (id, None),
        };
        if !ids.insert(id.clone()) {
            return Err(("directives", PolicyError::DuplicateDirective));
        }
        if let Some(patient) = patient {
            patients.insert(id.clone(), patient.clone());
        }
    }
    for form in forms {
        if let Some(directive) = directive(form, &patients)? {
            world.apply(directive).field("directives")?;
        }
    }
    Ok(())
}

/// A directive; `None` if it speaks of one that the case does not have, and so has no effect.
fn directive(
    form: DirectiveForm,
    patients: &BTreeMap<String, String>,
) -> Result<Option<Directive>, Fault> {
    let mut issued = None;
    let (id, seq, by, patient, terms) = match form {
        DirectiveForm::Grant(form) => {
            issued = form.issued;
            let terms = Terms::Grant(grant(&form)?);
            (
                form.id,
                form.seq,
                issuer(&form.issuer),
                Some(form.patient),
                terms,
            )
        }
        DirectiveForm::Restrict(form) => {
            issued = form.issued;
            let terms = Terms::Restrict(restriction(&form)?);
            (
                form.id,
                form.seq,
                issuer(&form.issuer),
                Some(form.patient),
                terms,
            )
        }
        DirectiveForm::Revoke {
            id,
            seq,
            issuer: by,
            target,
        } => {
            let terms = Terms::Revoke(Revocation {
                target: target.parse().field("target")?,
            });
            (id, seq, issuer(&by), patients.get(&target).cloned(), terms)
        }
        DirectiveForm::Approve {
            id,
            seq,
            guardian,
            target,
            t,
        } => {
            let at = Time(t.unwrap_or(0));
            let terms = Terms::Approve(Approval {
                target: target.parse().field("target")?,
                at,
            });
            (
                id,
                seq,
                guardian.parse().map(Issuer::Actor),
                patients.get(&target).cloned(),
                terms,
            )
        }
        DirectiveForm::Emergency {
            id,
            seq,
            actor,
            patient,
            from,
            reason,
            closed,
        } => {
            let has_reason = !Declaration::is_blank(&reason);
            let closed = closed.map(Time);
            let terms = Terms::Emergency(Declaration {
                from: Time(from),
                has_reason,
                closed,
            });
            (
                id,
                seq,
                actor.parse().map(Issuer::Actor),
                Some(patient),
                terms,
            )
        }
    };
    let id = id.parse().field("id")?;
    let Some(patient) = patient else {
        return Ok(None);
    };
    Ok(Some(Directive {
        id,
        position: position(seq),
        issuer: by.field("issuer")?,
        patient: patient.parse().field("patient")?,
        issued: issued.map(Time),
        terms,
    }))
}

/// `quorum`, or an actor's id.
fn issuer(text: &str) -> Result<Issuer, PolicyError> {
    match text {
        "quorum" => Ok(Issuer::Quorum),
        id => id.parse().map(Issuer::Actor),
    }
}

fn grant(form: &ConsentForm) -> Result<Grant, Fault> {
    Ok(Grant {
        scope: scope(Effect::Permit, &form.scope)?,
        window: window((form.from, form.until)),
        delegable: form.delegable.unwrap_or(0),
        parent: optional(form.parent.as_ref()).field("parent")?,
        supersedes: list(form.supersedes.as_ref())
            .field("supersedes")?
            .unwrap_or_default(),
        except: exceptions(form.except.as_deref())?,
    })
}

fn restriction(form: &ConsentForm) -> Result<Restriction, Fault> {
    let overridable: Option<Override> = optional(form.overridable.as_ref()).field("override")?;
    Ok(Restriction {
        scope: scope(Effect::Deny, &form.scope)?,
        window: window((form.from, form.until)),
        overridable: overridable.unwrap_or_default(),
        supersedes: list(form.supersedes.as_ref())
            .field("supersedes")?
            .unwrap_or_default(),
        except: exceptions(form.except.as_deref())?,
        nested_grants: form.nested_grants.unwrap_or(false),
    })
}

fn exceptions(forms: Option<&[NodeForm]>) -> Result<Exceptions, Fault> {
    let mut nodes = Vec::new();
    flatten(forms.unwrap_or_default(), 1, &mut nodes)?;
    Exceptions::new(nodes).field("except")
}

/// Lists a tree in preorder; the parser has bounded its depth to 128.
fn flatten(forms: &[NodeForm], depth: u32, nodes: &mut Vec<Exception>) -> Result<(), Fault> {
    for form in forms {
        let effect = form.effect.parse().field("except")?;
        nodes.push(Exception {
            depth,
            effect,
            scope: scope(effect, &form.scope)?,
        });
        flatten(
            form.except.as_deref().unwrap_or_default(),
            depth.saturating_add(1),
            nodes,
        )?;
    }
    Ok(())
}

fn scope(effect: Effect, form: &ScopeForm) -> Result<Scope, Fault> {
    // The ceiling is a permit's, the least a deny's; each means nothing on the other.
    let conf = match effect {
        Effect::Permit => optional(form.conf.as_ref()).field("conf")?,
        Effect::Deny => optional(form.conf_at_least.as_ref()).field("conf_at_least")?,
    };
    Ok(Scope {
        to: list(form.to.as_ref()).field("to")?,
        purposes: list(form.purposes.as_ref()).field("purposes")?,
        actions: list(form.actions.as_ref()).field("actions")?,
        classes: list(form.classes.as_ref()).field("classes")?,
        records: list(form.records.as_ref()).field("records")?,
        encounters: list(form.encounters.as_ref()).field("encounters")?,
        authors: list(form.authors.as_ref()).field("authors")?,
        data: window((form.data_from, form.data_until)),
        conf,
        tags: list(form.tags.as_ref()).field("tags")?,
    })
}

fn optional<T: FromStr<Err = PolicyError>>(
    text: Option<&String>,
) -> Result<Option<T>, PolicyError> {
    text.map(|text| text.parse()).transpose()
}

fn list<T: FromStr<Err = PolicyError> + Ord>(
    texts: Option<&Vec<String>>,
) -> Result<Option<Set<T>>, PolicyError> {
    texts.map(|texts| symbols(texts)).transpose()
}

fn symbols<T: FromStr<Err = PolicyError> + Ord>(texts: &[String]) -> Result<Set<T>, PolicyError> {
    let values: Result<Vec<T>, _> = texts.iter().map(|text| text.parse()).collect();
    Set::new(values?)
}

fn window((from, until): (Option<u64>, Option<u64>)) -> Window {
    Window {
        from: from.map(Time),
        until: until.map(Time),
    }
}

fn position((height, index): (u64, u32)) -> Position {
    Position { height, index }
}
