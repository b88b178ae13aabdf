//! From what is meant to what is written.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use super::{JsonError, read};
use crate::{
    Directive, Effect, Exception, Exceptions, Grantee, Issuer, Override, Position, Scope, Set,
    Symbol, Terms, Time, Window,
};

/// One line. What would be read as something else is refused: so whatever is written is exact.
pub(super) fn directive(directive: &Directive) -> Result<String, JsonError> {
    let written = object(directive)?;
    let again = read::written(written.as_bytes(), &text(&directive.patient)?);
    if again.as_ref() == Ok(directive) {
        return Ok(written);
    }
    Err(JsonError::Unwritable)
}

fn object(directive: &Directive) -> Result<String, JsonError> {
    let Directive {
        id,
        position: Position { height, index },
        issuer,
        patient,
        issued,
        terms,
    } = directive;
    let issuer = match issuer {
        Issuer::Actor(id) => text(id)?,
        Issuer::Quorum => "quorum".into(),
    };
    let mut json = Object::new();
    json.put("kind", terms.kind());
    json.put("id", &text(id)?);
    json.put("seq", &(height, index));
    match terms {
        Terms::Grant(grant) => {
            json.consent(&issuer, (patient, *issued, grant.window))?;
            json.scope(Effect::Permit, &grant.scope)?;
            if let Some(parent) = &grant.parent {
                json.put("parent", &text(parent)?);
            }
            if grant.delegable > 0 {
                json.put("delegable", &grant.delegable);
            }
            json.end(&grant.supersedes, &grant.except)
        }
        Terms::Restrict(restriction) => {
            json.consent(&issuer, (patient, *issued, restriction.window))?;
            json.scope(Effect::Deny, &restriction.scope)?;
            if restriction.overridable != Override::default() {
                json.put("override", restriction.overridable.as_str());
            }
            if restriction.nested_grants {
                json.put("nested_grants", &true);
            }
            json.end(&restriction.supersedes, &restriction.except)
        }
        Terms::Revoke(revocation) => {
            json.put("issuer", &issuer);
            json.put("target", &text(&revocation.target)?);
            Ok(json.close())
        }
        Terms::Approve(approval) => {
            json.put("guardian", &issuer);
            json.put("target", &text(&approval.target)?);
            json.put("t", &approval.at.0);
            Ok(json.close())
        }
        Terms::Emergency(declaration) => {
            json.put("actor", &issuer);
            json.put("patient", &text(patient)?);
            json.put("from", &declaration.from.0);
            json.put("reason", if declaration.has_reason { "given" } else { "" });
            json.time("closed", declaration.closed);
            Ok(json.close())
        }
    }
}

/// An object, as far as it is written.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".into())
    }

    fn close(self) -> String {
        self.0 + "}"
    }

    fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        // Numbers, strings and lists of strings always have a JSON form.
        let value = serde_json::to_string(value).unwrap_or_default();
        self.raw(name, &value);
    }

    fn raw(&mut self, name: &str, value: &str) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        for part in [comma, "\"", name, "\":", value] {
            self.0 += part;
        }
    }

    fn time(&mut self, name: &str, time: Option<Time>) {
        if let Some(time) = time {
            self.put(name, &time.0);
        }
    }

    fn list<T>(
        &mut self,
        name: &str,
        list: Option<&Set<T>>,
        word: impl Fn(&T) -> Result<String, JsonError>,
    ) -> Result<(), JsonError> {
        if let Some(list) = list {
            let words: Vec<String> = list.iter().map(word).collect::<Result<_, _>>()?;
            self.put(name, &words);
        }
        Ok(())
    }

    fn consent(
        &mut self,
        by: &str,
        (patient, issued, window): (&Symbol, Option<Time>, Window),
    ) -> Result<(), JsonError> {
        self.put("issuer", by);
        self.put("patient", &text(patient)?);
        self.time("issued", issued);
        self.time("from", window.from);
        self.time("until", window.until);
        Ok(())
    }

    fn scope(&mut self, effect: Effect, scope: &Scope) -> Result<(), JsonError> {
        self.list("to", scope.to.as_ref(), grantee)?;
        self.list("purposes", scope.purposes.as_ref(), |one| {
            Ok(one.to_string())
        })?;
        self.list("actions", scope.actions.as_ref(), |one| Ok(one.to_string()))?;
        self.list("classes", scope.classes.as_ref(), text)?;
        self.list("records", scope.records.as_ref(), text)?;
        self.list("encounters", scope.encounters.as_ref(), text)?;
        self.list("authors", scope.authors.as_ref(), text)?;
        self.time("data_from", scope.data.from);
        self.time("data_until", scope.data.until);
        if let Some(conf) = scope.conf {
            let name = match effect {
                Effect::Permit => "conf",
                Effect::Deny => "conf_at_least",
            };
            self.put(name, conf.as_str());
        }
        self.list("tags", scope.tags.as_ref(), text)
    }

    fn end(mut self, supersedes: &Set<Symbol>, except: &Exceptions) -> Result<String, JsonError> {
        if !supersedes.is_empty() {
            self.list("supersedes", Some(supersedes), text)?;
        }
        if !except.is_empty() {
            self.raw("except", &tree(except.nodes())?);
        }
        Ok(self.close())
    }
}

/// A preorder list of nodes as nested lists.
fn tree(nodes: &[Exception]) -> Result<String, JsonError> {
    let mut json = String::from("[");
    let mut open = 0;
    for node in nodes {
        if node.depth > open {
            if open > 0 {
                json += ",\"except\":[";
            }
        } else {
            json += "}";
            (node.depth..open).for_each(|_| json += "]}");
            json += ",";
        }
        open = node.depth;
        let mut object = Object::new();
        object.put("effect", node.effect.as_str());
        object.scope(node.effect, &node.scope)?;
        json += &object.0;
    }
    (1..open).for_each(|_| json += "}]");
    Ok(json + "}]")
}

fn text(symbol: &Symbol) -> Result<String, JsonError> {
    let text = core::str::from_utf8(symbol.as_bytes());
    text.map(Into::into).map_err(|_| JsonError::Unwritable)
}

fn grantee(grantee: &Grantee) -> Result<String, JsonError> {
    Ok(match grantee {
        Grantee::Any => "any:*".into(),
        Grantee::Actor(id) => format!("actor:{}", text(id)?),
        Grantee::Org(id) => format!("org:{}", text(id)?),
        Grantee::Role(id) => format!("role:{}", text(id)?),
        Grantee::OrgRole(at) => format!("orgrole:{}/{}", text(&at.org)?, text(&at.role)?),
    })
}
