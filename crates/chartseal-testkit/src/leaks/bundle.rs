//! What a bundle tells, by kind.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A name of a person or a place of care, or a part of one.
    Name,
    /// A date of birth.
    BirthDate,
    /// A part of an address, coordinates included.
    Address,
    /// An identifier, a reference, a telephone number.
    Identifier,
    /// A code or the words for it.
    Code,
    /// A date or an instant.
    Date,
    /// A number as it is written: a measured value, an amount.
    Number,
    /// Any other text.
    Text,
    /// A whole resource, byte for byte.
    Resource,
    /// What a test adds: reasons, secrets.
    Other,
}

impl Kind {
    /// The kinds that a bundle's texts have.
    pub const OF_BUNDLES: [Self; 8] = [
        Self::Name,
        Self::BirthDate,
        Self::Address,
        Self::Identifier,
        Self::Code,
        Self::Date,
        Self::Number,
        Self::Text,
    ];
}

/// Calls `each` with every text and number of a JSON value, and with what makes a full name.
pub(super) fn walk(value: &Value, each: &mut impl FnMut(Kind, &str)) {
    // A stack of its own: how deep a resource is nested is the file's choice.
    let mut stack = vec![(value, Kind::Text)];
    while let Some((value, kind)) = stack.pop() {
        match value {
            Value::String(text) => each(refined(kind, text), text),
            Value::Number(number) if kind == Kind::Address => each(kind, &number.to_string()),
            Value::Number(number) => each(Kind::Number, &number.to_string()),
            Value::Array(items) => stack.extend(items.iter().map(|item| (item, kind))),
            Value::Object(members) => {
                full_names(value, &mut |name| each(Kind::Name, name));
                // An extension's URL says what its value is.
                let url = members.get("url").and_then(Value::as_str);
                let kind = url.map_or(kind, |url| of_extension(url, kind));
                let members = members.iter();
                stack.extend(members.map(|(key, value)| (value, of_member(key, kind))));
            }
            _ => {}
        }
    }
}

/// Calls `each` with every number as it is written: `1.10` is not `1.1`.
pub(super) fn numbers(json: &[u8], each: &mut impl FnMut(&str)) {
    let (mut in_text, mut is_escaped) = (false, false);
    let outside_texts = json.split(|byte| {
        let is_quote = *byte == b'"' && !is_escaped;
        is_escaped = in_text && *byte == b'\\' && !is_escaped;
        in_text ^= is_quote;
        in_text || !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
    });
    for token in outside_texts.filter(|token| token.iter().any(u8::is_ascii_digit)) {
        each(&String::from_utf8_lossy(token));
    }
}

/// The resources of a bundle, byte for byte.
pub(super) fn resources(json: &[u8]) -> Result<Vec<&RawValue>, serde_json::Error> {
    let bundle: BTreeMap<&str, &RawValue> = serde_json::from_slice(json)?;
    let mut resources = Vec::new();
    if let Some(entries) = bundle.get("entry") {
        let entries: Vec<BTreeMap<&str, &RawValue>> = serde_json::from_str(entries.get())?;
        resources.extend(entries.iter().filter_map(|entry| entry.get("resource")));
    }
    Ok(resources)
}

fn of_member(key: &str, around: Kind) -> Kind {
    match key {
        "birthDate" => Kind::BirthDate,
        "name" | "mothersMaidenName" => Kind::Name,
        "address" | "valueAddress" | "position" => Kind::Address,
        "identifier" | "telecom" | "id" | "reference" | "fullUrl" => Kind::Identifier,
        "code" | "coding" | "valueCode" => Kind::Code,
        "url" | "system" => Kind::Text,
        _ => around,
    }
}

fn of_extension(url: &str, around: Kind) -> Kind {
    match url.rsplit('/').next() {
        Some("patient-mothersMaidenName") => Kind::Name,
        Some("patient-birthPlace" | "geolocation") => Kind::Address,
        _ => around,
    }
}

fn refined(kind: Kind, text: &str) -> Kind {
    let is_date = text.len() >= 10
        && text
            .bytes()
            .take(10)
            .zip(b"0000-00-00")
            .all(|(found, pattern)| match pattern {
                b'0' => found.is_ascii_digit(),
                _ => found == b'-',
            });
    if kind == Kind::Text && is_date {
        Kind::Date
    } else {
        kind
    }
}

/// A person's name is kept in parts; who hashes it puts them together.
fn full_names(value: &Value, each: &mut impl FnMut(&str)) {
    let (Some(family), Some(given)) = (value["family"].as_str(), value["given"].as_array()) else {
        return;
    };
    let given: Vec<&str> = given.iter().filter_map(Value::as_str).collect();
    let given = given.join(" ");
    each(&format!("{given} {family}"));
    each(&format!("{family} {given}"));
    each(&format!("{family}, {given}"));
}
