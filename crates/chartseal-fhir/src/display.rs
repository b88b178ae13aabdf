//! Short lines about a resource, for the reader who has opened it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::json::{Members, Node};
use crate::resource::{self, Resource};

/// The longest line, in characters.
const MAX_LINE: usize = 120;

impl Resource<'_> {
    /// A human title: what was measured, diagnosed, prescribed; failing that, the resource's type.
    ///
    /// Content of the record: for the eyes of whoever opened it, not for logs. Control characters
    /// become spaces, so that a record can't steer a terminal.
    pub fn title(&self) -> String {
        let node: Node<'_> = serde_json::from_str(self.raw).unwrap_or(Node::Other);
        let coded = TITLE
            .iter()
            .find_map(|field| concept(node.get(field)?.first()?));
        let title = coded.or_else(|| name(node.get("name")?.first()?));
        printable(&title.unwrap_or(Cow::Borrowed(self.resource_type.as_str())))
    }

    /// The title and, of an Observation, its value as the source writes it: `Creatinine 1.10 mg/dL`.
    pub fn summary(&self) -> String {
        let title = self.title();
        let members: Option<Members<'_>> = serde_json::from_str(self.raw).ok();
        match members.and_then(|members| result(&members)) {
            Some(value) => printable(&format!("{title} {value}")),
            None => title,
        }
    }
}

/// Where R4's resources say what they are about; the first that is there counts.
const TITLE: &[&str] = &[
    "code",
    "vaccineCode",
    "medicationCodeableConcept",
    "productCodeableConcept",
    "description",
    "title",
    "category",
    "type",
];

/// A text, or a `CodeableConcept`'s text or first display.
fn concept<'n>(node: &'n Node<'_>) -> Option<Cow<'n, str>> {
    let text = node.text().map(AsRef::as_ref);
    let text = text.or_else(|| node.text_at(&["text"]));
    text.or_else(|| node.text_at(&["coding", "display"]))
        .map(Cow::Borrowed)
}

/// A name, or a `HumanName`.
fn name<'n>(node: &'n Node<'_>) -> Option<Cow<'n, str>> {
    if let Some(text) = node
        .text()
        .map(AsRef::as_ref)
        .or_else(|| node.text_at(&["text"]))
    {
        return Some(Cow::Borrowed(text));
    }
    let given = node.get("given").map(Node::each).unwrap_or_default();
    let parts = given
        .iter()
        .chain(node.get("family"))
        .filter_map(Node::text);
    let parts: Vec<&str> = parts.map(AsRef::as_ref).collect();
    (!parts.is_empty()).then(|| Cow::Owned(parts.join(" ")))
}

/// An Observation's value, or those of its components.
fn result(members: &Members<'_>) -> Option<String> {
    if let Some(value) = value(members) {
        return Some(value);
    }
    let components: Vec<&RawValue> = serde_json::from_str(members.get("component")?.get()).ok()?;
    let components: Vec<String> = components
        .into_iter()
        .filter_map(|raw| {
            let members: Members<'_> = serde_json::from_str(raw.get()).ok()?;
            let node: Node<'_> = serde_json::from_str(raw.get()).ok()?;
            Some(format!(
                "{} {}",
                concept(node.get("code")?)?,
                value(&members)?
            ))
        })
        .collect();
    (!components.is_empty()).then(|| components.join(", "))
}

/// `value[x]`, for the types that a line can hold. A number keeps its digits.
fn value(members: &Members<'_>) -> Option<String> {
    if let Some(quantity) = members.get("valueQuantity") {
        let quantity: Members<'_> = serde_json::from_str(quantity.get()).ok()?;
        let word = |key| {
            quantity
                .get(key)
                .and_then(resource::text)
                .unwrap_or_default()
        };
        let comparator = word("comparator");
        let unit = Some(word("unit"))
            .filter(|unit| !unit.is_empty())
            .unwrap_or(word("code"));
        let number = quantity.get("value")?.get();
        return Some(format!("{comparator}{number} {unit}").trim_end().to_owned());
    }
    if let Some(concept_raw) = members.get("valueCodeableConcept") {
        let node: Node<'_> = serde_json::from_str(concept_raw.get()).ok()?;
        return concept(&node).map(Cow::into_owned);
    }
    let text = members
        .get("valueString")
        .or_else(|| members.get("valueDateTime"));
    let number = || {
        members
            .get("valueInteger")
            .or_else(|| members.get("valueBoolean"))
    };
    text.and_then(resource::text)
        .map(Cow::into_owned)
        .or_else(|| number().map(|raw| raw.get().to_owned()))
}

fn printable(text: &str) -> String {
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut line: String = visible.clone().take(MAX_LINE).collect();
    if visible.count() > MAX_LINE {
        line.pop();
        line.push('…');
    }
    line
}
