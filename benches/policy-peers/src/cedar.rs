//! Cedar: a policy for each grant and restriction, with the ids of ours.

use std::collections::{HashMap, HashSet};
use std::fmt;

use anyhow::{Context as _, Result, anyhow};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, Policy, PolicyId, PolicySet,
    Request, RestrictedExpression,
};
use chartseal_policy::{
    Action, Actor, Code, Confidentiality, Directive, Effect, Grantee, MemoryWorld, Purpose, Record,
    Set, Symbol, Terms, Time, Window, decide,
};

use crate::Answer;
use crate::workload::{NOW, Numbers, Size, requests, world};

/// How policies are handed to Cedar, which evaluates every policy of a set.
#[derive(Clone, Copy)]
pub enum Sets {
    /// All in one.
    One,
    /// Those of a patient in one, which the host finds.
    OfPatients,
}

pub struct Engine {
    authorizer: Authorizer,
    sets: HashMap<String, PolicySet>,
    entities: Entities,
    by_patient: bool,
}

/// A request as Cedar has it, and whose set is asked.
pub struct Asked {
    set: String,
    request: Request,
}

impl Engine {
    pub fn of(world: &MemoryWorld, sets: Sets) -> Result<Self> {
        let by_patient = matches!(sets, Sets::OfPatients);
        let mut sets: HashMap<String, PolicySet> = HashMap::new();
        for patient in world.policy.patients() {
            let name = if by_patient {
                patient.to_string()
            } else {
                String::new()
            };
            let set = sets.entry(name).or_default();
            for directive in world.policy.directives(patient) {
                let text = policy(directive).context("no kind that Cedar can express")?;
                let id = PolicyId::new(directive.id.to_string());
                let policy = Policy::parse(Some(id), &text);
                set.add(policy.with_context(|| text)?)?;
            }
        }
        let actors = world
            .actors
            .iter()
            .map(|(id, actor)| actor_entity(id, actor));
        let records = world
            .records
            .iter()
            .map(|(id, one)| record_entity(world, id, one));
        let entities = actors.chain(records).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            authorizer: Authorizer::new(),
            sets,
            entities: Entities::from_entities(entities, None)?,
            by_patient,
        })
    }

    pub fn request(&self, asked: &chartseal_policy::Request) -> Result<Asked> {
        let (action, purpose) = asked.action.zip(asked.purpose).context("no such code")?;
        let context = Context::from_pairs([
            ("purpose".to_owned(), text(&purpose)),
            (
                "now".to_owned(),
                RestrictedExpression::new_long(long(asked.time)?),
            ),
        ])?;
        let set = if self.by_patient {
            asked.patient.to_string()
        } else {
            String::new()
        };
        Ok(Asked {
            set,
            request: Request::new(
                uid("Actor", &asked.actor)?,
                uid("Action", &action)?,
                uid("Record", &asked.record)?,
                context,
                None,
            )?,
        })
    }

    pub fn answer(&self, asked: &Asked) -> Result<Answer> {
        let set = self.sets.get(&asked.set).context("no set of policies")?;
        let response = self
            .authorizer
            .is_authorized(&asked.request, set, &self.entities);
        let diagnostics = response.diagnostics();
        if let Some(error) = diagnostics.errors().next() {
            return Err(anyhow!("{error}"));
        }
        let by = diagnostics.reason().map(ToString::to_string);
        Ok(Answer::of(response.decision() == Decision::Allow, by))
    }

    /// The answer alone, for measuring.
    pub fn permits(&self, asked: &Asked) -> bool {
        self.sets.get(&asked.set).is_some_and(|set| {
            let response = self
                .authorizer
                .is_authorized(&asked.request, set, &self.entities);
            response.decision() == Decision::Allow
        })
    }
}

/// A directive as a policy; `None` if Cedar has no word for it.
fn policy(directive: &Directive) -> Option<String> {
    let (effect, scope, window) = match &directive.terms {
        Terms::Grant(grant) => (Effect::Permit, &grant.scope, &grant.window),
        Terms::Restrict(restriction) => (Effect::Deny, &restriction.scope, &restriction.window),
        Terms::Revoke(_) | Terms::Approve(_) | Terms::Emergency(_) => return None,
    };
    let verb = match effect {
        Effect::Permit => "permit",
        Effect::Deny => "forbid",
    };
    let mut when = Vec::new();
    let to: Vec<&Grantee> = scope.to.iter().flatten().collect();
    let principal = match (&scope.to, to.as_slice()) {
        (None, _) | (_, [Grantee::Any]) => "principal".to_owned(),
        (_, [Grantee::Actor(id)]) => format!(r#"principal == Actor::"{id}""#),
        (_, [one]) => format!("principal in {}", grantee(one)),
        (_, many) => {
            let all: Vec<String> = many.iter().map(|one| grantee(one)).collect();
            when.push(format!("principal in [{}]", all.join(", ")));
            "principal".to_owned()
        }
    };
    let actions = match (&scope.actions, effect) {
        (None, Effect::Deny) => "action".to_owned(),
        (None, Effect::Permit) => format!(r#"action == Action::"{}""#, Action::Read),
        (Some(actions), _) => {
            let all: Vec<String> = actions
                .iter()
                .map(|one| format!(r#"Action::"{one}""#))
                .collect();
            format!("action in [{}]", all.join(", "))
        }
    };
    if let Some(purposes) = &scope.purposes {
        let covered = Purpose::ALL
            .iter()
            .filter(|code| purposes.iter().any(|one| one.covers(**code)));
        when.push(one_of("context.purpose", covered));
    }
    if let Some(records) = &scope.records {
        let all: Vec<String> = records
            .iter()
            .map(|id| format!(r#"resource == Record::"{id}""#))
            .collect();
        when.push(any(&all));
    }
    when.extend(within("context.now", window));
    when.extend(within("resource.authored", &scope.data));
    when.extend(
        scope
            .classes
            .as_ref()
            .map(|classes| one_of("resource.class", classes)),
    );
    match effect {
        Effect::Permit => {
            let ceiling = rank(scope.conf.unwrap_or_default());
            when.push(format!("resource.conf <= {ceiling}"));
            when.push(match &scope.tags {
                None => "resource.gated.isEmpty()".to_owned(),
                Some(tags) => format!("[{}].containsAll(resource.gated)", quoted(tags)),
            });
        }
        Effect::Deny => {
            when.extend(
                scope
                    .conf
                    .map(|least| format!("resource.conf >= {}", rank(least))),
            );
            let tags = scope.tags.as_ref();
            when.extend(tags.map(|tags| format!("resource.tags.containsAny([{}])", quoted(tags))));
        }
    }
    let when = if when.is_empty() {
        "true".to_owned()
    } else {
        when.join(" && ")
    };
    let patient = &directive.patient;
    Some(format!(
        r#"{verb}({principal}, {actions}, resource in Patient::"{patient}") when {{ {when} }};"#
    ))
}

fn grantee(grantee: &Grantee) -> String {
    match grantee {
        Grantee::Any => r#"Everybody::"*""#.to_owned(),
        Grantee::Actor(id) => format!(r#"Actor::"{id}""#),
        Grantee::Org(id) => format!(r#"Org::"{id}""#),
        Grantee::Role(id) => format!(r#"Role::"{id}""#),
        Grantee::OrgRole(at) => format!(r#"OrgRole::"{}/{}""#, at.org, at.role),
    }
}

fn one_of<T: fmt::Display>(what: &str, values: impl IntoIterator<Item = T>) -> String {
    let each = values
        .into_iter()
        .map(|value| format!(r#"{what} == "{value}""#));
    any(&each.collect::<Vec<_>>())
}

fn any(conditions: &[String]) -> String {
    if conditions.is_empty() {
        return "false".to_owned();
    }
    format!("({})", conditions.join(" || "))
}

fn within(what: &str, window: &Window) -> impl Iterator<Item = String> {
    let from = window.from.map(|from| format!("{what} >= {}", from.0));
    let until = window.until.map(|until| format!("{what} < {}", until.0));
    from.into_iter().chain(until)
}

fn quoted(tags: &Set<Symbol>) -> String {
    let all: Vec<String> = tags.iter().map(|tag| format!(r#""{tag}""#)).collect();
    all.join(", ")
}

fn rank(conf: Confidentiality) -> u64 {
    conf.wire()
}

fn actor_entity(id: &Symbol, actor: &Actor) -> Result<Entity> {
    let mut parents = HashSet::from([uid("Everybody", &"*")?]);
    for role in &actor.roles {
        parents.insert(uid("Role", role)?);
    }
    if let Some(org) = &actor.org {
        parents.insert(uid("Org", org)?);
        for role in &actor.roles {
            parents.insert(uid("OrgRole", &format!("{org}/{role}"))?);
        }
    }
    Ok(Entity::new_no_attrs(uid("Actor", id)?, parents))
}

fn record_entity(world: &MemoryWorld, id: &Symbol, record: &Record) -> Result<Entity> {
    let gated = record.tags.iter().filter(|tag| world.gated.contains(tag));
    let attributes = HashMap::from([
        ("class".to_owned(), text(&record.class)),
        (
            "conf".to_owned(),
            RestrictedExpression::new_long(i64::try_from(rank(record.conf))?),
        ),
        (
            "authored".to_owned(),
            RestrictedExpression::new_long(long(record.authored)?),
        ),
        (
            "tags".to_owned(),
            RestrictedExpression::new_set(record.tags.iter().map(text)),
        ),
        (
            "gated".to_owned(),
            RestrictedExpression::new_set(gated.map(text)),
        ),
    ]);
    let parents = HashSet::from([uid("Patient", &record.patient)?]);
    Ok(Entity::new(uid("Record", id)?, attributes, parents)?)
}

fn uid(kind: &str, id: &impl fmt::Display) -> Result<EntityUid> {
    Ok(EntityUid::from_type_name_and_id(
        kind.parse()?,
        id.to_string().parse()?,
    ))
}

fn text(value: &impl fmt::Display) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_string())
}

fn long(time: Time) -> Result<i64> {
    Ok(i64::try_from(time.0)?)
}

/// How both answered the same requests.
#[derive(Debug, Default)]
pub struct Compared {
    pub granted: u32,
    pub restricted: u32,
    pub no_grant: u32,
    pub malformed: u32,
    pub differ: u32,
}

impl Compared {
    pub fn asked(&self) -> u32 {
        self.granted + self.restricted + self.no_grant + self.malformed
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} differ: {} granted, {} restricted, {} without a grant, {} before the record was made",
            self.differ, self.granted, self.restricted, self.no_grant, self.malformed
        )
    }
}

/// Asks both the same, with restrictions beside the grants and at times on and around every bound.
pub fn compare(asked: usize) -> Result<Compared> {
    let size = Size {
        restrictions_each: 2,
        ..Size::USUAL
    };
    let world = world(size)?;
    let cedar = Engine::of(&world, Sets::OfPatients)?;
    let mut numbers = Numbers::from(7);
    let mut compared = Compared::default();
    for mut request in requests(&world, size.patients, asked, 2)? {
        let directives = world.policy.directives(&request.patient);
        request.time = time(directives, &mut numbers);
        let ours = decide(&world, &request);
        let code = ours.code;
        *match code {
            Code::Granted => &mut compared.granted,
            Code::Restricted => &mut compared.restricted,
            Code::NoGrant => &mut compared.no_grant,
            Code::Malformed => &mut compared.malformed,
            other => return Err(anyhow!("{other} is beyond what Cedar was given")),
        } += 1;
        let theirs = cedar.answer(&cedar.request(&request)?)?;
        // Cedar has no rule about records that are not made yet.
        let differs = code != Code::Malformed && Answer::from(ours) != theirs;
        compared.differ += u32::from(differs);
    }
    Ok(compared)
}

/// Now, or a bound of one of the directives, or just before it.
fn time(directives: &[Directive], numbers: &mut Numbers) -> Time {
    let at = usize::try_from(numbers.below(directives.len() as u64)).unwrap_or_default();
    let window = directives.get(at).and_then(|one| match &one.terms {
        Terms::Grant(grant) => Some(grant.window),
        Terms::Restrict(restriction) => Some(restriction.window),
        _ => None,
    });
    let Window { from, until } = window.unwrap_or_default();
    let bound = match numbers.below(4) {
        0 => from,
        1 => until,
        _ => None,
    };
    bound.map_or(NOW, |Time(bound)| Time(bound - numbers.below(2)))
}
