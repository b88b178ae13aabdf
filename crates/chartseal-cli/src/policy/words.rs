//! What stands in a document, for a person.

use chartseal_policy::json::Case;
use chartseal_policy::{
    Actor, Code, Declaration, Directive, Effect, Exceptions, Grantee, Issuer, Override, Position,
    Record, Scope, Set, Symbol, Terms, Time, Window,
};

use crate::text::{WIDTH, has_colour, wrap};

/// An id or label: the text, unless that would do something to a terminal.
pub fn name(symbol: &Symbol) -> String {
    match std::str::from_utf8(symbol.as_bytes()) {
        Ok(text) if !text.chars().any(char::is_control) => text.into(),
        _ => symbol.to_string(),
    }
}

/// An id as the document wrote it.
pub fn text(symbol: &Symbol) -> String {
    String::from_utf8_lossy(symbol.as_bytes()).into_owned()
}

/// In UTC.
pub fn time(time: Time) -> String {
    let text = chartseal_wire::Time(time.0).to_string();
    text.replace(".000Z", "Z")
}

/// Height and index.
pub fn position(position: Position) -> String {
    format!("position {}/{}", position.height, position.index)
}

/// The line above what is said of a case.
pub fn heading(case: &Case) -> String {
    let n = case.n.trim_matches('"');
    let title = case.title.as_deref().map(|title| format!(": {title}"));
    let plain = format!("Case {n}{}", title.unwrap_or_default());
    let plain: String = plain.chars().filter(|one| !one.is_control()).collect();
    paint("1", &wrap(&plain, WIDTH, "  "))
}

/// A permit in green, a deny in yellow, if there is colour.
pub fn effect(effect: Effect) -> String {
    match effect {
        Effect::Permit => paint("32", "permit"),
        Effect::Deny => paint("33", "deny"),
    }
}

fn paint(code: &str, text: &str) -> String {
    if has_colour() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.into()
    }
}

/// The rule that ended a decision.
pub fn meaning(code: Code) -> &'static str {
    match code {
        Code::Own => "it is the patient's own record",
        Code::Guardian => "a guardian asks",
        Code::Granted => "a grant permits it, and nothing forbids it",
        Code::Emergency => "the glass is broken, by a declared emergency",
        Code::Malformed => {
            "an unknown purpose or action, a record of another patient, or one from the future"
        }
        Code::NotVisible => "there is no such record",
        Code::ReleaseDelayed => "the record is not yet released to the patient",
        Code::MinorNoCapacity => "the patient is under the age of minor consent",
        Code::ActorStanding => "the actor is unknown, suspended, or without a valid credential",
        Code::MinorPrivate => "the record is the minor's own matter",
        Code::Law => "network law forbids it",
        Code::Restricted => "a restriction, or an exception inside a grant, forbids it",
        Code::NoGrant => "nothing permits it",
        Code::EmergencyNotDeclared => "no emergency is declared",
        Code::EmergencyRole => "the actor holds no emergency role",
        Code::EmergencyReadOnly => "an emergency covers reading and searching only",
        Code::RestrictedAbsolute => "a restriction forbids it that no emergency overrides",
        Code::EmergencyReviewOverdue => {
            "the organization left too many emergencies without a review"
        }
    }
}

/// Who an actor is: organization, roles.
pub fn actor(actor: &Actor) -> String {
    let org = actor.org.iter().map(name);
    let words: Vec<String> = org.chain(actor.roles.iter().map(name)).collect();
    words.join(", ")
}

/// What a record is: class, confidentiality, tags.
pub fn record(record: &Record) -> String {
    let mut words = vec![name(&record.class), record.conf.to_string()];
    words.extend(record.tags.iter().map(name));
    words.join(", ")
}

/// A directive in one sentence.
pub fn says(directive: &Directive) -> String {
    let by = match &directive.issuer {
        Issuer::Actor(id) => name(id),
        Issuer::Quorum => "the quorum".into(),
    };
    match &directive.terms {
        Terms::Grant(grant) => {
            let mut parts = vec![statement(Effect::Permit, &grant.scope)];
            parts.extend(window("", grant.window));
            if grant.delegable > 0 {
                parts.push(format!("may be passed on {} deep", grant.delegable));
            }
            let parent = grant.parent.iter();
            parts.extend(parent.map(|id| format!("passed on from {}", name(id))));
            parts.extend(others(&grant.supersedes, &grant.except));
            format!("grant by {by}: {}", parts.join("; "))
        }
        Terms::Restrict(restriction) => {
            let mut parts = vec![statement(Effect::Deny, &restriction.scope)];
            parts.extend(window("", restriction.window));
            if restriction.overridable == Override::Never {
                parts.push("no emergency overrides it".into());
            }
            parts.extend(others(&restriction.supersedes, &restriction.except));
            if restriction.nested_grants {
                parts.push("what it excepts it grants".into());
            }
            format!("restriction by {by}: {}", parts.join("; "))
        }
        Terms::Revoke(revocation) => {
            format!("revocation by {by}, of {}", name(&revocation.target))
        }
        Terms::Approve(approval) => {
            let (of, at) = (name(&approval.target), time(approval.at));
            format!("approval by {by}, of {of}, at {at}")
        }
        Terms::Emergency(declared) => {
            let Declaration {
                from,
                has_reason,
                closed,
            } = declared;
            let reason = if *has_reason { "with" } else { "without" };
            let closed = closed.map(|at| format!(", closed at {}", time(at)));
            format!(
                "emergency declared by {by} {reason} a reason, at {}{}",
                time(*from),
                closed.unwrap_or_default()
            )
        }
    }
}

fn others(supersedes: &Set<Symbol>, except: &Exceptions) -> Vec<String> {
    let mut parts = Vec::new();
    if !supersedes.is_empty() {
        parts.push(format!("in place of {}", list(supersedes, name)));
    }
    for node in except.nodes() {
        let depth = usize::try_from(node.depth).unwrap_or(1);
        let within = " within that".repeat(depth.saturating_sub(1));
        let statement = statement(node.effect, &node.scope);
        parts.push(format!("except{within} that {statement}"));
    }
    parts
}

/// What a directive or an exception says, with what it leaves to defaults.
fn statement(effect: Effect, scope: &Scope) -> String {
    let to = scope.to.as_ref().filter(|to| !to.contains(&Grantee::Any));
    let to = to.map(|to| list(to, grantee));
    let purposes = scope
        .purposes
        .as_ref()
        .map(|all| list(all, ToString::to_string));
    let actions = scope
        .actions
        .as_ref()
        .map(|all| list(all, ToString::to_string));
    let mut parts = vec![match effect {
        Effect::Permit => format!(
            "{} may {} for {}",
            to.unwrap_or_else(|| "anybody".into()),
            actions.unwrap_or_else(|| "read".into()),
            purposes.unwrap_or_else(|| "no purpose".into()),
        ),
        Effect::Deny => {
            let may = to.map_or_else(|| "nobody may".into(), |to| format!("{to} may not"));
            let purposes = purposes.map(|all| format!(" for {all}"));
            format!(
                "{may} {}{}",
                actions.unwrap_or_else(|| "do anything".into()),
                purposes.unwrap_or_default()
            )
        }
    }];
    for (what, selected) in [
        ("class", &scope.classes),
        ("record", &scope.records),
        ("encounter", &scope.encounters),
        ("author", &scope.authors),
    ] {
        let selected = selected.as_ref();
        parts.extend(selected.map(|all| format!("{what} {}", list(all, name))));
    }
    parts.extend(window("authored ", scope.data));
    match (effect, scope.conf) {
        (Effect::Permit, conf) => parts.push(format!("up to {}", conf.unwrap_or_default())),
        (Effect::Deny, Some(conf)) => parts.push(format!("{conf} and above")),
        (Effect::Deny, None) => {}
    }
    let tags = scope.tags.as_ref();
    parts.extend(tags.map(|all| format!("tagged {}", list(all, name))));
    parts.join(", ")
}

fn window(lead: &str, Window { from, until }: Window) -> Vec<String> {
    let words: Vec<String> = [("from", from), ("until", until)]
        .into_iter()
        .filter_map(|(word, at)| at.map(|at| format!("{word} {}", time(at))))
        .collect();
    if words.is_empty() {
        return words;
    }
    vec![format!("{lead}{}", words.join(" "))]
}

fn grantee(grantee: &Grantee) -> String {
    match grantee {
        Grantee::Any => "anybody".into(),
        Grantee::Actor(id) => name(id),
        Grantee::Org(id) => format!("the members of {}", name(id)),
        Grantee::Role(id) => format!("the role {}", name(id)),
        Grantee::OrgRole(at) => format!("the role {} at {}", name(&at.role), name(&at.org)),
    }
}

fn list<T>(set: &Set<T>, word: impl Fn(&T) -> String) -> String {
    if set.is_empty() {
        return "nothing".into();
    }
    set.iter().map(word).collect::<Vec<_>>().join(", ")
}
