//! HL7's code systems, as far as they are understood: closed tables, unknown codes refused.

use chartseal_policy::{Action, Confidentiality, Effect, PolicyError, Purpose, Set, Symbol};

use super::error::Refusal;
use crate::labels::Tag;
use crate::sensitive;

pub(super) const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
pub(super) const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
pub(super) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
pub(super) const CONSENT_SCOPE: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
pub(super) const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const CONSENT_ACTION: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
const RESOURCE_TYPES: [&str; 2] = [
    "http://hl7.org/fhir/resource-types",
    "http://hl7.org/fhir/fhir-types",
];

pub(super) fn purpose((system, code): (&str, &str)) -> Result<Purpose, Refusal> {
    let known = (system == ACT_REASON).then(|| code.parse().ok()).flatten();
    known.ok_or(Refusal::UnknownPurpose)
}

/// A deny of access denies taking out of the system too; a permit of access does not permit it.
pub(super) fn actions(
    (system, code): (&str, &str),
    effect: Effect,
) -> Result<&'static [Action], Refusal> {
    match (system, code, effect) {
        (CONSENT_ACTION, "access", Effect::Permit) => Ok(&[Action::Read, Action::Search]),
        (CONSENT_ACTION, "access", Effect::Deny) => {
            Ok(&[Action::Read, Action::Search, Action::Export])
        }
        (CONSENT_ACTION, "collect", _) => Ok(&[Action::Create]),
        (CONSENT_ACTION, "correct", _) => Ok(&[Action::Amend]),
        _ => Err(Refusal::UnknownAction),
    }
}

pub(super) fn is_recipient((system, code): (&str, &str)) -> bool {
    system == PARTICIPATION && matches!(code, "IRCP" | "PRCP")
}

/// The resource type that a `class` names.
pub(super) fn resource_type<'a>((system, code): (&str, &'a str)) -> Result<&'a str, Refusal> {
    if RESOURCE_TYPES.contains(&system) {
        Ok(code)
    } else {
        Err(Refusal::NotSelectable)
    }
}

/// A provision's security labels: levels and sensitivity codes.
#[derive(Clone, Default)]
pub(super) struct SecurityLabels {
    levels: Vec<Confidentiality>,
    codes: Vec<String>,
}

impl SecurityLabels {
    pub(super) fn add(&mut self, (system, code): (&str, &str)) -> Result<(), Refusal> {
        match system {
            CONFIDENTIALITY => {
                let level = code.parse().map_err(|_| Refusal::UnknownLabel)?;
                self.levels.push(level);
            }
            ACT_CODE if sensitive::of_act_code(code).next().is_some() => {
                self.codes.push(code.to_owned());
            }
            _ => return Err(Refusal::UnknownLabel),
        }
        Ok(())
    }

    /// The ceiling and the gated tags of a permit, or the least level and the tags of a deny.
    ///
    /// A level is a high-water mark, as R4 says: the highest counts in a permit, in a deny the
    /// lowest. A permit takes a code only if it says what the tag says; a deny every code that
    /// files a record under a tag.
    pub(super) fn resolve(
        &self,
        effect: Effect,
    ) -> Result<(Option<Confidentiality>, Option<Set<Symbol>>), Refusal> {
        let level = match effect {
            Effect::Permit => self.levels.iter().max(),
            Effect::Deny => self.levels.iter().min(),
        };
        match (effect, level) {
            (Effect::Permit, None) => return Err(Refusal::TagWithoutLevel),
            (Effect::Deny, Some(_)) if !self.codes.is_empty() => return Err(Refusal::MixedLabels),
            _ => {}
        }
        let mut tags = Vec::new();
        for code in &self.codes {
            match effect {
                Effect::Permit => tags.push(same_tag(code).ok_or(Refusal::UnknownLabel)?),
                Effect::Deny => tags.extend(sensitive::of_act_code(code)),
            }
        }
        let tags = (!tags.is_empty()).then(|| symbols(&tags)).transpose();
        Ok((level.copied(), tags.map_err(|_| Refusal::TooLarge)?))
    }
}

/// The tag that a code names as a whole. ETH is HL7's older code for substance use, PCF's still.
fn same_tag(code: &str) -> Option<Tag> {
    match code {
        "ETH" => Some(Tag::Sud),
        _ => Tag::from_code(code),
    }
}

fn symbols(tags: &[Tag]) -> Result<Set<Symbol>, PolicyError> {
    let symbols = tags.iter().map(|tag| Symbol::new(tag.as_str()));
    Set::new(symbols.collect::<Result<Vec<_>, _>>()?)
}
