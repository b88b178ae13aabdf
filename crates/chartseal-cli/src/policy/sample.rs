//! Requests that a directive speaks of, so that there is something to ask about it.

use chartseal_policy::{
    Action, Confidentiality, Directive, Effect, Grantee, Purpose, Scope, Set, Symbol, Terms, Window,
};
use serde_json::{Map, Value, json};

use super::words;

/// A request that one statement of a directive speaks of, with the record and the actor for it.
pub struct Sample {
    /// Of which exception; 0 is the directive itself.
    pub exception: usize,
    /// The records and actors of its world.
    pub overrides: Value,
    /// The request.
    pub request: Value,
}

/// One sample for a grant or a restriction, and one for each of its exceptions; none for what nothing
/// can match.
pub fn samples(directive: &Directive) -> Vec<Sample> {
    let (effect, scope, window, except) = match &directive.terms {
        Terms::Grant(grant) => (Effect::Permit, &grant.scope, grant.window, &grant.except),
        Terms::Restrict(restriction) => {
            let Window { from, until } = restriction.window;
            let window = Window { from, until };
            (
                Effect::Deny,
                &restriction.scope,
                window,
                &restriction.except,
            )
        }
        Terms::Revoke(_) | Terms::Approve(_) | Terms::Emergency(_) => return Vec::new(),
    };
    let mut path = vec![Statement { effect, scope }];
    let mut samples: Vec<Sample> = sample(directive, window, &path, 0).into_iter().collect();
    for (index, node) in except.nodes().iter().enumerate() {
        path.truncate(usize::try_from(node.depth).unwrap_or(usize::MAX));
        path.push(Statement {
            effect: node.effect,
            scope: &node.scope,
        });
        samples.extend(sample(directive, window, &path, index + 1));
    }
    samples
}

/// A directive's root, or an exception.
struct Statement<'a> {
    effect: Effect,
    scope: &'a Scope,
}

/// A sample for the last statement of a path from the root; all of them must match it.
fn sample(
    directive: &Directive,
    window: Window,
    path: &[Statement<'_>],
    exception: usize,
) -> Option<Sample> {
    let last = path.last()?;
    let scopes = || path.iter().map(|statement| statement.scope);
    let purpose = Purpose::ALL.iter().find(|purpose| {
        scopes().all(|scope| {
            scope
                .purposes
                .as_ref()
                .is_none_or(|all| all.cover(**purpose))
        })
    })?;
    let action = Action::ALL.iter().find(|action| {
        path.iter().all(
            |Statement { effect, scope }| match (&scope.actions, effect) {
                (Some(actions), _) => actions.contains(action),
                (None, Effect::Permit) => **action == Action::Read,
                (None, Effect::Deny) => true,
            },
        )
    })?;
    let grantee = first_of(scopes().map(|scope| {
        let to = scope.to.as_ref();
        to.filter(|to| !to.contains(&Grantee::Any))
    }))
    .ok()?;
    let (actor, about_actor) = somebody(grantee);
    let record = first_of(scopes().map(|scope| scope.records.as_ref())).ok()?;
    let record = record.map_or_else(|| "some-record".into(), words::text);
    let class = first_of(scopes().map(|scope| scope.classes.as_ref())).ok()?;
    let author = first_of(scopes().map(|scope| scope.authors.as_ref())).ok()?;
    let encounter = first_of(scopes().map(|scope| scope.encounters.as_ref())).ok()?;

    let data = scopes().map(|scope| scope.data).reduce(within)?;
    let made = directive.issued.unwrap_or_default().0;
    let asked = instant(window, made);
    let authored = instant(data, asked);
    let mut about_record = json!({
        "patient": words::text(&directive.patient),
        "class": class.map_or_else(|| "observation".into(), words::text),
        "conf": level(path)?.as_str(),
        "tags": tags(last),
        "authored": authored,
    });
    if let Value::Object(members) = &mut about_record {
        let add = |members: &mut Map<String, Value>, name: &str, id: Option<&Symbol>| {
            members.extend(id.map(|id| (name.into(), words::text(id).into())));
        };
        add(members, "author", author);
        add(members, "encounter", encounter);
    }
    Some(Sample {
        exception,
        request: json!({
            "actor": actor,
            "patient": words::text(&directive.patient),
            "record": record,
            "action": action.as_str(),
            "purpose": purpose.as_str(),
            "t": asked.max(authored),
            "pos": [1, 0],
        }),
        overrides: json!({
            "actors": {actor: about_actor},
            "records": {record: about_record},
        }),
    })
}

/// No request can match all of a path.
struct NothingMatches;

/// The first value that is in every list, if there are lists; an error if none is in all.
fn first_of<'a, T: Ord + 'a>(
    lists: impl Iterator<Item = Option<&'a Set<T>>>,
) -> Result<Option<&'a T>, NothingMatches> {
    let lists: Vec<&Set<T>> = lists.flatten().collect();
    let Some((last, others)) = lists.split_last() else {
        return Ok(None);
    };
    let mut values = last.iter();
    values
        .find(|value| others.iter().all(|list| list.contains(value)))
        .map(Some)
        .ok_or(NothingMatches)
}

/// An actor of whom a grantee speaks.
fn somebody(grantee: Option<&Grantee>) -> (String, Value) {
    match grantee {
        None | Some(Grantee::Any) => ("somebody".into(), json!({})),
        Some(Grantee::Actor(id)) => (words::text(id), json!({})),
        Some(Grantee::Org(org)) => ("somebody".into(), json!({"org": words::text(org)})),
        Some(Grantee::Role(role)) => ("somebody".into(), json!({"roles": [words::text(role)]})),
        Some(Grantee::OrgRole(at)) => {
            let (org, role) = (words::text(&at.org), words::text(&at.role));
            ("somebody".into(), json!({"org": org, "roles": [role]}))
        }
    }
}

/// The level that the last statement names, else N, else the highest; of those that the path matches.
fn level(path: &[Statement<'_>]) -> Option<Confidentiality> {
    let matches = |level: &Confidentiality| {
        path.iter().all(|Statement { effect, scope }| match effect {
            Effect::Permit => *level <= scope.conf.unwrap_or_default(),
            Effect::Deny => scope.conf.is_none_or(|least| *level >= least),
        })
    };
    let wanted = path.last()?.scope.conf.unwrap_or_default();
    let all = Confidentiality::ALL.iter().copied();
    Some(wanted)
        .filter(matches)
        .or_else(|| all.filter(matches).max())
}

/// All tags that a permit names; of a deny one is enough.
fn tags(statement: &Statement<'_>) -> Vec<String> {
    let named = statement.scope.tags.iter().flatten().map(words::text);
    match statement.effect {
        Effect::Permit => named.collect(),
        Effect::Deny => named.take(1).collect(),
    }
}

/// What lies in both windows.
fn within(a: Window, b: Window) -> Window {
    let until = a.until.into_iter().chain(b.until).min();
    Window {
        from: a.from.max(b.from),
        until,
    }
}

/// An instant inside a window: this one, else the nearest.
fn instant(window: Window, wanted: u64) -> u64 {
    let last = window
        .until
        .map_or(u64::MAX, |until| until.0.saturating_sub(1));
    wanted.min(last).max(window.from.unwrap_or_default().0)
}
