//! One provision: its selectors, read in each dialect's names.

use chartseal_policy::{
    Confidentiality, Effect, Exceptions, Grantee, Purpose, Scope, Set, Symbol, Time, Window,
};

use super::codes::{self, SecurityLabels};
use super::element::Element;
use super::error::{ConsentError, Refusal};
use super::{ConsentOptions, Dialect};
use crate::parts;
use crate::time::Timestamp;

/// A provision with what it selects, and the provisions nested in it.
pub(super) struct Rule<'a> {
    pub(super) element: Element<'a>,
    /// Permit or deny; R5 has none, each level negates the one above.
    pub(super) effect: Option<Effect>,
    pub(super) period: Option<Window>,
    pub(super) selectors: Selectors<'a>,
    pub(super) nested: Vec<Rule<'a>>,
}

/// What a provision selects; `None` is what it does not say.
#[derive(Clone, Default)]
pub(super) struct Selectors<'a> {
    to: Option<Set<Grantee>>,
    purposes: Option<Set<Purpose>>,
    actions: Option<Vec<(&'a str, &'a str)>>,
    types: Option<Vec<&'a str>>,
    records: Option<Set<Symbol>>,
    encounters: Option<Set<Symbol>>,
    authors: Option<Set<Symbol>>,
    data: Option<Window>,
    labels: Option<SecurityLabels>,
}

const ANYWHERE: &[&str] = &[
    "id",
    "period",
    "actor",
    "securityLabel",
    "purpose",
    "dataPeriod",
    "data",
    "provision",
];
const IN_R4: &[&str] = &["type", "action", "class", "code"];
const IN_PCF: &[&str] = &["type"];
const IN_R5: &[&str] = &[
    "action",
    "documentType",
    "resourceType",
    "code",
    "expression",
];

impl<'a> Rule<'a> {
    /// Reads a provision that lies `depth` levels below the root.
    pub(super) fn read(
        element: Element<'a>,
        depth: u32,
        dialect: Dialect,
        options: &ConsentOptions,
    ) -> Result<Self, ConsentError> {
        if depth > Exceptions::MAX_DEPTH {
            return Err(element.refuse(Refusal::TooLarge));
        }
        element.only(&[
            ANYWHERE,
            match dialect {
                Dialect::R4 => IN_R4,
                Dialect::R5 => IN_R5,
                Dialect::Pcf => IN_PCF,
            },
        ])?;
        for name in ["code", "documentType", "expression"] {
            if element.has(name) {
                return Err(element.refuse_member(name, Refusal::NotSelectable));
            }
        }
        let effect = match element.text("type")? {
            None => None,
            Some("permit") => Some(Effect::Permit),
            Some("deny") => Some(Effect::Deny),
            Some(_) => return Err(element.refuse_member("type", Refusal::BadValue)),
        };
        let selectors = Selectors::read(&element, dialect, options)?;
        let period = period(&element, "period", options)?;
        let mut nested = Vec::new();
        for below in element.list("provision")?.unwrap_or_default() {
            if dialect == Dialect::Pcf && depth > 0 {
                return Err(below.refuse(Refusal::UnknownElement));
            }
            nested.push(Self::read(below, depth + 1, dialect, options)?);
        }
        Ok(Self {
            element,
            effect,
            period,
            selectors,
            nested,
        })
    }

    /// What it selects, as a node of this effect.
    pub(super) fn scope(&self, effect: Effect) -> Result<Scope, ConsentError> {
        self.selectors.scope(effect, &self.element)
    }
}

impl<'a> Selectors<'a> {
    fn read(
        element: &Element<'a>,
        dialect: Dialect,
        options: &ConsentOptions,
    ) -> Result<Self, ConsentError> {
        let coded = |name| coded(element, name);
        let mut selectors = Self {
            to: grantees(element, options)?,
            data: period(element, "dataPeriod", options)?,
            types: coded(if dialect == Dialect::R5 {
                "resourceType"
            } else {
                "class"
            })?
            .map(|codes| {
                let types = codes.into_iter().map(|(at, code)| {
                    codes::resource_type(code).map_err(|refusal| at.refuse(refusal))
                });
                types.collect()
            })
            .transpose()?,
            ..Self::default()
        };
        if let Some(purposes) = coded("purpose")? {
            let purposes = purposes
                .into_iter()
                .map(|(at, code)| codes::purpose(code).map_err(|refusal| at.refuse(refusal)))
                .collect::<Result<Vec<_>, _>>()?;
            selectors.purposes = Some(set(element, purposes)?);
        }
        if let Some(labels) = coded("securityLabel")? {
            let mut read = SecurityLabels::default();
            for (at, label) in labels {
                read.add(label).map_err(|refusal| at.refuse(refusal))?;
            }
            selectors.labels = Some(read);
        }
        if let Some(actions) = element.list("action")? {
            let mut read = Vec::new();
            for action in actions {
                for coding in action.codings()? {
                    read.push(coding.coding()?);
                }
            }
            selectors.actions = Some(read);
        }
        selectors.read_data(element)?;
        Ok(selectors)
    }

    /// `data`: FHIR does not say whether several meanings are "all of" or "any of".
    fn read_data(&mut self, element: &Element<'a>) -> Result<(), ConsentError> {
        let Some(data) = element.list("data")? else {
            return Ok(());
        };
        let mut meaning = None;
        let mut named = Vec::new();
        for one in data {
            one.only(&[&["id", "meaning", "reference"]])?;
            let says = one.needed_text("meaning")?;
            if meaning.is_some_and(|before| before != says) {
                return Err(one.refuse(Refusal::DataMeaning));
            }
            meaning = Some(says);
            let (resource_type, symbol) = needed_reference(&one)?;
            if says == "related" && resource_type != "Encounter" {
                return Err(one.refuse(Refusal::DataMeaning));
            }
            named.push(symbol);
        }
        let named = Some(set(element, named)?);
        match meaning {
            Some("instance") => self.records = named,
            Some("related") => self.encounters = named,
            Some("authoredby") => self.authors = named,
            _ => return Err(element.refuse_member("data", Refusal::DataMeaning)),
        }
        Ok(())
    }

    /// Whether it selects nothing in particular.
    pub(super) fn are_empty(&self) -> bool {
        matches!(
            self,
            Self {
                to: None,
                purposes: None,
                actions: None,
                types: None,
                records: None,
                encounters: None,
                authors: None,
                data: None,
                labels: None,
            }
        )
    }

    /// With what it does not say taken from the permit around it; an error if both select by the same.
    ///
    /// IHE's examples show that purposes and labels of an addition stand instead of the outer ones.
    /// Of all else neither "both" nor "instead" is said.
    pub(super) fn within(self, outer: &Self) -> Result<Self, Refusal> {
        let outer = outer.clone();
        Ok(Self {
            to: either(self.to, outer.to)?,
            purposes: self.purposes.or(outer.purposes),
            actions: either(self.actions, outer.actions)?,
            types: either(self.types, outer.types)?,
            records: either(self.records, outer.records)?,
            encounters: either(self.encounters, outer.encounters)?,
            authors: either(self.authors, outer.authors)?,
            data: either(self.data, outer.data)?,
            labels: self.labels.or(outer.labels),
        })
    }

    pub(super) fn scope(
        &self,
        effect: Effect,
        element: &Element<'a>,
    ) -> Result<Scope, ConsentError> {
        let (conf, tags) = match &self.labels {
            Some(labels) => labels
                .resolve(effect)
                .map_err(|refusal| element.refuse_member("securityLabel", refusal))?,
            None => (None, None),
        };
        let actions = self.actions.as_ref().map(|codes| {
            let mut actions = Vec::new();
            for code in codes {
                let these = codes::actions(*code, effect);
                actions.extend(these.map_err(|refusal| element.refuse_member("action", refusal))?);
            }
            set(element, actions)
        });
        Ok(Scope {
            to: self.to.clone(),
            purposes: self.purposes.clone(),
            actions: actions.transpose()?,
            classes: self.classes(effect, element)?,
            records: self.records.clone(),
            encounters: self.encounters.clone(),
            authors: self.authors.clone(),
            data: self.data.unwrap_or(Window::ALWAYS),
            conf: conf.or(match effect {
                Effect::Permit => Some(Confidentiality::N),
                Effect::Deny => None,
            }),
            tags,
        })
    }

    /// A deny reaches every class that holds resources of the types; a permit needs whole classes.
    fn classes(
        &self,
        effect: Effect,
        element: &Element<'a>,
    ) -> Result<Option<Set<Symbol>>, ConsentError> {
        let Some(types) = &self.types else {
            return Ok(None);
        };
        let mut classes = Vec::new();
        for named in types {
            let holding = parts::of_types(&[named]);
            if holding.is_empty() {
                return Err(element.refuse(Refusal::NotSelectable));
            }
        }
        for (class, is_whole) in parts::of_types(types) {
            if effect == Effect::Permit && !is_whole {
                return Err(element.refuse(Refusal::PartOfClass));
            }
            let class = Symbol::new(class.as_str());
            classes.push(class.map_err(|_| element.refuse(Refusal::TooLarge))?);
        }
        set(element, classes).map(Some)
    }
}

/// The one that is there; an error if both are.
pub(super) fn either<T>(one: Option<T>, other: Option<T>) -> Result<Option<T>, Refusal> {
    match (one, other) {
        (Some(_), Some(_)) => Err(Refusal::TwiceSelected),
        (one, other) => Ok(one.or(other)),
    }
}

/// A reference's resource type and the reference itself, as written.
pub(super) fn reference(element: &Element<'_>) -> Result<(String, Symbol), ConsentError> {
    let refuse = || element.refuse(Refusal::BadReference);
    let text = element.text("reference")?.ok_or_else(refuse)?;
    let resource_type = reference_type(text).ok_or_else(refuse)?;
    let symbol = Symbol::new(text).map_err(|_| refuse())?;
    Ok((resource_type.to_owned(), symbol))
}

/// The type of a reference of the form `Type/id` or `URL/Type/id`.
pub(super) fn reference_type(text: &str) -> Option<&str> {
    let (rest, id) = text.rsplit_once('/')?;
    let (base, resource_type) = match rest.rsplit_once('/') {
        Some((base, resource_type)) => (Some(base), resource_type),
        None => (None, rest),
    };
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let good = base.is_none_or(|base| base.starts_with("http"))
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !id.is_empty()
        && id.bytes().all(is_id)
        && resource_type.starts_with(|first: char| first.is_ascii_uppercase())
        && resource_type.bytes().all(|byte| byte.is_ascii_alphabetic());
    good.then_some(resource_type)
}

fn needed_reference(element: &Element<'_>) -> Result<(String, Symbol), ConsentError> {
    let inner = element.object("reference")?;
    reference(&inner.ok_or_else(|| element.refuse_member("reference", Refusal::BadValue))?)
}

fn grantees(
    element: &Element<'_>,
    options: &ConsentOptions,
) -> Result<Option<Set<Grantee>>, ConsentError> {
    let Some(actors) = element.list("actor")? else {
        return Ok(None);
    };
    let mut grantees = Vec::new();
    for actor in actors {
        actor.only(&[&["id", "role", "reference"]])?;
        let role = actor.object("role")?;
        let role = role.ok_or_else(|| actor.refuse(Refusal::ActorRole))?;
        for coding in role.codings()? {
            if !codes::is_recipient(coding.coding()?) {
                return Err(coding.refuse(Refusal::ActorRole));
            }
        }
        let (resource_type, symbol) = needed_reference(&actor)?;
        let text = std::str::from_utf8(symbol.as_bytes()).unwrap_or_default();
        let known = options.grantees.get(text).cloned();
        let plain = grantee_of(&resource_type, &symbol);
        let grantee = known.or(plain);
        grantees.push(grantee.ok_or_else(|| actor.refuse(Refusal::UnknownGrantee))?);
    }
    set(element, grantees).map(Some)
}

/// Whom a reference of this type means where the caller says nothing else.
pub(super) fn grantee_of(resource_type: &str, reference: &Symbol) -> Option<Grantee> {
    match resource_type {
        "Practitioner" | "Patient" | "RelatedPerson" | "Device" => {
            Some(Grantee::Actor(reference.clone()))
        }
        "Organization" => Some(Grantee::Org(reference.clone())),
        _ => None,
    }
}

/// A Period as a half-open window: its end is inclusive, to the day or to what it is written to.
pub(super) fn period(
    element: &Element<'_>,
    name: &str,
    options: &ConsentOptions,
) -> Result<Option<Window>, ConsentError> {
    let Some(period) = element.object(name)? else {
        return Ok(None);
    };
    period.only(&[&["id", "start", "end"]])?;
    let start = span(&period, "start", options)?.map(|(first, _)| first);
    let end = span(&period, "end", options)?.map(|(_, next)| next);
    if start.is_none() && end.is_none() {
        return Err(period.refuse(Refusal::BadValue));
    }
    if start.zip(end).is_some_and(|(start, end)| end <= start) {
        return Err(period.refuse(Refusal::EmptyPeriod));
    }
    Ok(Some(Window {
        from: start.map(policy_time),
        until: end.map(policy_time),
    }))
}

/// The first instant that a member's date names and the first after it, in milliseconds.
pub(super) fn span(
    element: &Element<'_>,
    name: &str,
    options: &ConsentOptions,
) -> Result<Option<(i64, i64)>, ConsentError> {
    let Some(text) = element.text(name)? else {
        return Ok(None);
    };
    let span = Timestamp::span(text, options.zone.0.into());
    span.map(Some)
        .ok_or_else(|| element.refuse_member(name, Refusal::BadDate))
}

/// Whatever lies before the epoch is at 0, where the policy's times begin.
pub(super) fn policy_time(millis: i64) -> Time {
    Time(u64::try_from(millis).unwrap_or(0))
}

type Coded<'a> = Vec<(Element<'a>, (&'a str, &'a str))>;

/// A list of Codings.
fn coded<'a>(element: &Element<'a>, name: &str) -> Result<Option<Coded<'a>>, ConsentError> {
    let Some(list) = element.list(name)? else {
        return Ok(None);
    };
    let coded = list.into_iter().map(|one| {
        let coding = one.coding()?;
        Ok((one, coding))
    });
    coded.collect::<Result<_, _>>().map(Some)
}

fn set<T: Ord>(element: &Element<'_>, values: Vec<T>) -> Result<Set<T>, ConsentError> {
    Set::new(values).map_err(|_| element.refuse(Refusal::TooLarge))
}
