//! From a directive to a PCF Consent, where PCF can say the same.

use chartseal_policy::{
    Action, Effect, Exceptions, Grantee, Restriction, Scope, Set, Symbol, Terms, Time, Window,
};
use serde_json::{Map, Value, json};

use super::error::ExportError;
use super::{ConsentOptions, Imported, codes, rule};
use crate::labels::Tag;
use crate::time::Timestamp;

/// What PCF requires of a Consent besides what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcfContext {
    /// The organization that presented the policy and enforces it, such as `Organization/clinic`.
    pub organization: String,
    /// The signed consent, such as `DocumentReference/42`.
    pub source: String,
    /// The policy that was presented.
    pub policy: String,
}

pub(super) fn pcf(
    directive: &Imported,
    context: &PcfContext,
    options: &ConsentOptions,
) -> Result<Vec<u8>, ExportError> {
    let root = match &directive.terms {
        Terms::Grant(grant) => {
            if grant.parent.is_some() || grant.delegable > 0 {
                return Err(ExportError::Delegation);
            }
            supersedes_nothing(&grant.supersedes)?;
            if grant.scope.to.is_none() {
                return Err(ExportError::Void);
            }
            let within = |effect| effect == Effect::Deny;
            Provision::new(Effect::Permit, &grant.scope, options)?
                .with_period(&grant.window)?
                .with_nested(&grant.except, within, options)?
        }
        Terms::Restrict(restriction) => {
            let Restriction {
                scope,
                window,
                except,
                nested_grants,
                ..
            } = restriction;
            supersedes_nothing(&restriction.supersedes)?;
            if restriction.overridable != chartseal_policy::Override::Emergency {
                return Err(ExportError::Absolute);
            }
            let within = |effect| effect == Effect::Deny || *nested_grants;
            Provision::new(Effect::Deny, scope, options)?
                .with_period(window)?
                .with_nested(except, within, options)?
        }
        _ => return Err(ExportError::Kind),
    };
    let issuer = directive.issuer.as_ref().ok_or(ExportError::NoIssuer)?;
    let given = directive.issued.ok_or(ExportError::NoDate)?;
    let patient = reference(&directive.patient, |kind| kind == "Patient")?;
    let consent = json!({
        "resourceType": "Consent",
        "meta": {"profile": ["https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consentAdvanced"]},
        "status": "active",
        "scope": concept(codes::CONSENT_SCOPE, "patient-privacy"),
        "category": [concept("http://loinc.org", "59284-0")],
        "patient": patient,
        "dateTime": instant(given)?,
        "performer": [reference(issuer, |_| true)?],
        "organization": [{"reference": context.organization}],
        "sourceReference": {"reference": context.source},
        "policy": [{"uri": context.policy}],
        "provision": root.0,
    });
    Ok(consent.to_string().into_bytes())
}

/// A provision in JSON.
struct Provision(Map<String, Value>);

impl Provision {
    fn new(effect: Effect, scope: &Scope, options: &ConsentOptions) -> Result<Self, ExportError> {
        let mut provision = Self(Map::new());
        provision.put("type", Some(json!(effect.as_str())));
        if effect == Effect::Permit && scope.purposes.is_none() {
            return Err(ExportError::Void);
        }
        has_usual_actions(effect, scope.actions.as_ref())?;
        if scope.classes.is_some() {
            return Err(ExportError::Classes);
        }
        provision.put("actor", actors(scope.to.as_ref(), options)?);
        let purpose =
            |purpose: &chartseal_policy::Purpose| Ok(coding(codes::ACT_REASON, purpose.as_str()));
        provision.put("purpose", list(scope.purposes.as_ref(), purpose)?);
        provision.put("securityLabel", labels(effect, scope)?);
        provision.put("data", data(scope)?);
        provision.put("dataPeriod", period(&scope.data)?);
        Ok(provision)
    }

    fn put(&mut self, name: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value);
        }
    }

    fn with_period(mut self, window: &Window) -> Result<Self, ExportError> {
        self.put("period", period(window)?);
        Ok(self)
    }

    /// One level of exceptions, each of an effect that PCF places there.
    fn with_nested(
        mut self,
        except: &Exceptions,
        is_exception: impl Fn(Effect) -> bool,
        options: &ConsentOptions,
    ) -> Result<Self, ExportError> {
        let nested = except.nodes().iter().map(|node| {
            if node.depth > 1 {
                return Err(ExportError::Depth);
            }
            if !is_exception(node.effect) {
                return Err(ExportError::NestedPermit);
            }
            let provision = Self::new(node.effect, &node.scope, options)?;
            Ok(Value::Object(provision.0))
        });
        let nested = nested.collect::<Result<Vec<_>, _>>()?;
        let nested = (!nested.is_empty()).then_some(Value::Array(nested));
        self.put("provision", nested);
        Ok(self)
    }
}

fn supersedes_nothing(supersedes: &Set<Symbol>) -> Result<(), ExportError> {
    if supersedes.is_empty() {
        Ok(())
    } else {
        Err(ExportError::Supersedes)
    }
}

/// PCF has no actions: what is left out must be what the engine reads into it.
fn has_usual_actions(effect: Effect, actions: Option<&Set<Action>>) -> Result<(), ExportError> {
    let usual = match effect {
        Effect::Permit => &[Action::Read],
        Effect::Deny => Action::ALL,
    };
    match actions {
        Some(actions) if !actions.iter().eq(usual) => Err(ExportError::Actions),
        _ => Ok(()),
    }
}

fn actors(
    to: Option<&Set<Grantee>>,
    options: &ConsentOptions,
) -> Result<Option<Value>, ExportError> {
    if to.is_some_and(|to| to.contains(&Grantee::Any)) {
        return Ok(None);
    }
    list(to, |grantee| {
        let role = concept(codes::PARTICIPATION, "IRCP");
        Ok(json!({"role": role, "reference": grantee_reference(grantee, options)?}))
    })
}

/// The reference that an import with these options reads as this grantee.
fn grantee_reference(grantee: &Grantee, options: &ConsentOptions) -> Result<Value, ExportError> {
    let mapped = options.grantees.iter().find(|(text, to)| {
        let is_reference = rule::reference_type(text).is_some() && Symbol::new(text).is_ok();
        *to == grantee && is_reference
    });
    if let Some((text, _)) = mapped {
        return Ok(json!({ "reference": text }));
    }
    let (Grantee::Actor(symbol) | Grantee::Org(symbol)) = grantee else {
        return Err(ExportError::Reference);
    };
    let means_the_same = |text: &str, kind: &str| {
        !options.grantees.contains_key(text)
            && rule::grantee_of(kind, symbol).as_ref() == Some(grantee)
    };
    let text = std::str::from_utf8(symbol.as_bytes()).map_err(|_| ExportError::Reference)?;
    reference(symbol, |kind| means_the_same(text, kind))
}

/// A symbol as a reference to a resource of a type that its place allows.
fn reference(symbol: &Symbol, is_right: impl Fn(&str) -> bool) -> Result<Value, ExportError> {
    let text = std::str::from_utf8(symbol.as_bytes()).map_err(|_| ExportError::Reference)?;
    match rule::reference_type(text) {
        Some(kind) if is_right(kind) => Ok(json!({ "reference": text })),
        _ => Err(ExportError::Reference),
    }
}

/// A permit always names its ceiling; a deny may name a level or tags, not both.
fn labels(effect: Effect, scope: &Scope) -> Result<Option<Value>, ExportError> {
    let level = match effect {
        Effect::Permit => Some(scope.conf.unwrap_or_default()),
        Effect::Deny => scope.conf,
    };
    // A permit may name no tags by an empty list; a deny by an empty list matches nothing.
    let tags = scope.tags.as_ref();
    let tags = tags.filter(|tags| effect == Effect::Deny || !tags.is_empty());
    if effect == Effect::Deny && level.is_some() && tags.is_some() {
        return Err(ExportError::MixedLabels);
    }
    let tags = list(tags, |tag| {
        let is_tag = |known: &&Tag| known.as_str().as_bytes() == tag.as_bytes();
        let tag = Tag::ALL.iter().find(is_tag).ok_or(ExportError::Tag)?;
        Ok(coding(codes::ACT_CODE, tag.as_str()))
    })?;
    let mut labels: Vec<Value> = level
        .iter()
        .map(|level| coding(codes::CONFIDENTIALITY, level.as_str()))
        .collect();
    if let Some(Value::Array(tags)) = tags {
        labels.extend(tags);
    }
    Ok((!labels.is_empty()).then_some(Value::Array(labels)))
}

fn data(scope: &Scope) -> Result<Option<Value>, ExportError> {
    let all = [
        (&scope.records, "instance"),
        (&scope.authors, "authoredby"),
        (&scope.encounters, "related"),
    ];
    let mut named = all.iter().filter(|(symbols, _)| symbols.is_some());
    match (named.next(), named.next()) {
        (None, _) => Ok(None),
        (Some((symbols, meaning)), None) => list(symbols.as_ref(), |symbol| {
            let is_right = |kind: &str| *meaning != "related" || kind == "Encounter";
            Ok(json!({"meaning": meaning, "reference": reference(symbol, is_right)?}))
        }),
        _ => Err(ExportError::Data),
    }
}

/// A Period; its end is inclusive, so it names the last millisecond inside.
fn period(window: &Window) -> Result<Option<Value>, ExportError> {
    let from = window.from.unwrap_or_default();
    if window.until.is_some_and(|until| until <= from) {
        return Err(ExportError::EmptyWindow);
    }
    let mut period = Map::new();
    if let Some(from) = window.from {
        period.insert("start".to_owned(), json!(instant(from)?));
    }
    if let Some(until) = window.until {
        period.insert("end".to_owned(), json!(instant(Time(until.0 - 1))?));
    }
    Ok((!period.is_empty()).then_some(Value::Object(period)))
}

fn instant(time: Time) -> Result<String, ExportError> {
    let millis = i64::try_from(time.0).ok();
    millis.and_then(Timestamp::instant).ok_or(ExportError::Time)
}

/// A selector's values in JSON; `None` if it is absent.
fn list<T>(
    values: Option<&Set<T>>,
    to_json: impl Fn(&T) -> Result<Value, ExportError>,
) -> Result<Option<Value>, ExportError> {
    let Some(values) = values else {
        return Ok(None);
    };
    if values.iter().next().is_none() {
        return Err(ExportError::EmptyList);
    }
    let values = values.iter().map(to_json).collect::<Result<_, _>>()?;
    Ok(Some(Value::Array(values)))
}

fn coding(system: &str, code: &str) -> Value {
    json!({"system": system, "code": code})
}

fn concept(system: &str, code: &str) -> Value {
    json!({"coding": [coding(system, code)]})
}
