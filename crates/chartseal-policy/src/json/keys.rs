//! The keys of a directive that stands by itself: a misspelt selector would select everything.

use alloc::borrow::ToOwned;
use alloc::string::String;

use serde_json::{Map, Value};

use super::JsonError;
use super::form::DirectiveForm;
use crate::Effect;

const EVERY: &[&str] = &["kind", "id", "seq"];
const CONSENT: &[&str] = &["issuer", "patient", "issued", "from", "until", "supersedes"];
const SELECTORS: &[&str] = &[
    "to",
    "purposes",
    "actions",
    "classes",
    "records",
    "encounters",
    "authors",
    "data_from",
    "data_until",
    "tags",
    "except",
];
const GRANT: &[&str] = &["conf", "parent", "delegable"];
const RESTRICT: &[&str] = &["conf_at_least", "override", "nested_grants"];
const REVOKE: &[&str] = &["issuer", "target"];
const APPROVE: &[&str] = &["guardian", "target", "t"];
const EMERGENCY: &[&str] = &["actor", "patient", "from", "reason", "closed"];

/// Refuses a directive with a key that its kind does not have, on an exception too.
pub(super) fn all_known(form: &DirectiveForm, value: &Value) -> Result<(), JsonError> {
    let Some(members) = value.as_object() else {
        return Ok(());
    };
    match form {
        DirectiveForm::Grant(_) => only(members, &[EVERY, CONSENT, SELECTORS, GRANT])?,
        DirectiveForm::Restrict(_) => only(members, &[EVERY, CONSENT, SELECTORS, RESTRICT])?,
        DirectiveForm::Revoke { .. } => only(members, &[EVERY, REVOKE])?,
        DirectiveForm::Approve { .. } => only(members, &[EVERY, APPROVE])?,
        DirectiveForm::Emergency { .. } => only(members, &[EVERY, EMERGENCY])?,
    }
    exceptions(members)
}

/// The parser has bounded the depth to 128.
fn exceptions(members: &Map<String, Value>) -> Result<(), JsonError> {
    let nodes = members.get("except").and_then(Value::as_array);
    for node in nodes.into_iter().flatten().filter_map(Value::as_object) {
        let is_permit = node.get("effect").and_then(Value::as_str) == Some(Effect::Permit.as_str());
        let conf: &[&str] = if is_permit {
            &["effect", "conf"]
        } else {
            &["effect", "conf_at_least"]
        };
        only(node, &[SELECTORS, conf])?;
        exceptions(node)?;
    }
    Ok(())
}

fn only(members: &Map<String, Value>, known: &[&[&str]]) -> Result<(), JsonError> {
    let is_known = |key: &&String| known.iter().any(|keys| keys.contains(&key.as_str()));
    let Some(stranger) = members.keys().find(|key| !is_known(key)) else {
        return Ok(());
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let may_be_shown = stranger.len() <= 40 && stranger.bytes().all(plain);
    let key = if may_be_shown { stranger } else { "a key" };
    Err(JsonError::UnknownKey {
        key: key.to_owned(),
    })
}
