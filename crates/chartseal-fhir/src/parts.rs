//! Which resources make up a record class: what a resource type, or a type and a category, names of it.

use crate::labels;
use crate::types::{Class, ResourceType};

/// The resources of one type that are filed under a class.
pub(crate) struct Part {
    pub(crate) resource_type: &'static str,
    pub(crate) of: Which,
}

/// Which resources of the type.
pub(crate) enum Which {
    /// All of them.
    All,
    /// Those of a category, by one of these codes of a system.
    Category(&'static str, Vec<&'static str>),
    /// Those of no category that has a class.
    Uncategorized,
}

pub(crate) const OBSERVATION_CATEGORY: &str =
    "http://terminology.hl7.org/CodeSystem/observation-category";
pub(crate) const SERVICE_SECTION: &str = "http://terminology.hl7.org/CodeSystem/v2-0074";

/// The parts of a class, after the tables of `types` and `labels`.
pub(crate) fn of_class(class: Class) -> Vec<Part> {
    let mut parts = Vec::new();
    for resource_type in ResourceType::all().filter(|one| one.class() == Some(class)) {
        let resource_type = resource_type.as_str();
        let of = match resource_type {
            "Observation" | "DiagnosticReport" => Which::Uncategorized,
            _ => Which::All,
        };
        parts.push(Part { resource_type, of });
    }
    // Observation categories are lower-case words, diagnostic sections upper-case abbreviations.
    let is_word = |code: &&str| code.starts_with(|first: char| first.is_ascii_lowercase());
    let (words, sections): (Vec<_>, Vec<_>) = labels::category_codes(class)
        .iter()
        .partition(|code| is_word(code));
    for (resource_type, system, codes) in [
        ("Observation", OBSERVATION_CATEGORY, words),
        ("DiagnosticReport", SERVICE_SECTION, sections),
    ] {
        if !codes.is_empty() {
            let of = Which::Category(system, codes);
            parts.push(Part { resource_type, of });
        }
    }
    parts
}

/// The classes that hold resources of these types, each with whether it holds nothing else.
pub(crate) fn of_types(types: &[&str]) -> Vec<(Class, bool)> {
    let named = |part: &Part| types.contains(&part.resource_type);
    let classes = Class::ALL.iter().map(|class| (*class, of_class(*class)));
    classes
        .filter(|(_, parts)| parts.iter().any(named))
        .map(|(class, parts)| (class, parts.iter().all(named)))
        .collect()
}
