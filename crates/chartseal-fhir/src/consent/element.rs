//! One JSON element of a Consent, read strictly: what is not asked for is an error.

use serde_json::{Map, Value};

use super::error::{ConsentError, Refusal};

/// An object, and the path at which it stands.
#[derive(Clone)]
pub(super) struct Element<'a> {
    at: String,
    members: &'a Map<String, Value>,
}

impl<'a> Element<'a> {
    pub(super) fn new(at: &str, value: &'a Value) -> Result<Self, ConsentError> {
        let at = at.to_owned();
        match value {
            Value::Object(members) => Ok(Self { at, members }),
            _ => Err(refuse_at(at, Refusal::BadValue)),
        }
    }

    pub(super) fn refuse(&self, refusal: Refusal) -> ConsentError {
        refuse_at(self.at.clone(), refusal)
    }

    /// The error for one of its members.
    pub(super) fn refuse_member(&self, name: &str, refusal: Refusal) -> ConsentError {
        refuse_at(format!("{}.{name}", self.at), refusal)
    }

    /// Refuses every member that is not among these.
    pub(super) fn only(&self, names: &[&[&str]]) -> Result<(), ConsentError> {
        let known = |key: &String| names.iter().any(|names| names.contains(&key.as_str()));
        if self.members.keys().all(known) {
            return Ok(());
        }
        Err(self.refuse(Refusal::UnknownElement))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, ConsentError> {
        match self.members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(self.refuse_member(name, Refusal::BadValue)),
        }
    }

    pub(super) fn needed_text(&self, name: &str) -> Result<&'a str, ConsentError> {
        self.text(name)?
            .ok_or_else(|| self.refuse_member(name, Refusal::BadValue))
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, ConsentError> {
        let member = self.members.get(name);
        member
            .map(|value| Self::new(&format!("{}.{name}", self.at), value))
            .transpose()
    }

    /// The objects of a list; `None` if it is absent, an error if it is empty.
    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<Self>>, ConsentError> {
        let Some(value) = self.members.get(name) else {
            return Ok(None);
        };
        let Value::Array(values) = value else {
            return Err(self.refuse_member(name, Refusal::BadValue));
        };
        if values.is_empty() {
            return Err(self.refuse_member(name, Refusal::BadValue));
        }
        let elements = values.iter().enumerate();
        elements
            .map(|(index, value)| Self::new(&format!("{}.{name}[{index}]", self.at), value))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// A Coding's system and code.
    pub(super) fn coding(&self) -> Result<(&'a str, &'a str), ConsentError> {
        Ok((self.needed_text("system")?, self.needed_text("code")?))
    }

    /// The codings of a `CodeableConcept`; one that is only text is refused.
    pub(super) fn codings(&self) -> Result<Vec<Self>, ConsentError> {
        self.list("coding")?
            .ok_or_else(|| self.refuse_member("coding", Refusal::BadValue))
    }
}

fn refuse_at(at: String, refusal: Refusal) -> ConsentError {
    ConsentError { at, refusal }
}
