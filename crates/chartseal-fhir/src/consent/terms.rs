//! From provisions to directives: what each dialect's tree means.

use chartseal_policy::{
    Effect, Exception, Exceptions, Grant, Grantee, Purpose, Restriction, Scope, Set, Terms, Time,
    Window,
};
use serde_json::Value;

use super::codes;
use super::element::Element;
use super::error::{ConsentError, Refusal};
use super::rule::{self, Rule, Selectors};
use super::{ConsentOptions, Dialect, Imported};
use crate::json::{self, Node};

const R4_MEMBERS: &[&str] = &[
    "scope",
    "patient",
    "dateTime",
    "performer",
    "organization",
    "policy",
    "policyRule",
];
const R5_MEMBERS: &[&str] = &[
    "subject",
    "date",
    "period",
    "grantor",
    "manager",
    "controller",
    "regulatoryBasis",
    "policyBasis",
    "policyText",
    "decision",
];
/// What every dialect has. A modifier extension and `implicitRules` are not here: they may change
/// the meaning of everything else.
const MEMBERS: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "language",
    "text",
    "contained",
    "extension",
    "identifier",
    "status",
    "category",
    "sourceAttachment",
    "sourceReference",
    "verification",
    "provision",
];

pub(super) fn import(
    json: &[u8],
    dialect: Dialect,
    options: &ConsentOptions,
) -> Result<Vec<Imported>, ConsentError> {
    let not_json = || ConsentError {
        at: "Consent".to_owned(),
        refusal: Refusal::NotJson,
    };
    let raw = json::document(json).map_err(|_| not_json())?;
    let node: Node<'_> = serde_json::from_str(raw.get()).map_err(|_| not_json())?;
    if node.repeated_key().is_some() {
        return Err(not_json());
    }
    let value: Value = serde_json::from_str(raw.get()).map_err(|_| not_json())?;
    let consent = Element::new("Consent", &value)?;
    if consent.text("resourceType")? != Some("Consent") {
        return Err(consent.refuse(Refusal::NotAConsent));
    }
    let (members, subject, date, issuers) = match dialect {
        Dialect::R4 | Dialect::Pcf => (R4_MEMBERS, "patient", "dateTime", "performer"),
        Dialect::R5 => (R5_MEMBERS, "subject", "date", "grantor"),
    };
    consent.only(&[MEMBERS, members])?;
    if consent.text("status")? != Some("active") {
        return Err(consent.refuse_member("status", Refusal::NotActive));
    }
    if dialect != Dialect::R5 {
        is_about_privacy(&consent)?;
    }
    let patient = consent.object(subject)?;
    let patient = patient.ok_or_else(|| consent.refuse_member(subject, Refusal::BadValue))?;
    let (kind, patient_id) = rule::reference(&patient)?;
    if kind != "Patient" {
        return Err(patient.refuse(Refusal::BadReference));
    }
    let issuer = match consent.list(issuers)?.as_deref() {
        Some([one]) => Some(rule::reference(one)?.1),
        _ => None,
    };
    let given = rule::span(&consent, date, options)?;
    let given: Option<Time> = given.map(|(first, _)| rule::policy_time(first));
    let terms = match dialect {
        Dialect::R4 | Dialect::Pcf => r4(&consent, dialect, options),
        Dialect::R5 => r5(&consent, options).map(|terms| vec![terms]),
    }?;
    let imported = terms.into_iter().map(|terms| Imported {
        patient: patient_id.clone(),
        issuer: issuer.clone(),
        issued: given,
        terms,
    });
    Ok(imported.collect())
}

fn is_about_privacy(consent: &Element<'_>) -> Result<(), ConsentError> {
    let refuse = || consent.refuse_member("scope", Refusal::OtherScope);
    for coding in consent.object("scope")?.ok_or_else(refuse)?.codings()? {
        if coding.coding()? != (codes::CONSENT_SCOPE, "patient-privacy") {
            return Err(refuse());
        }
    }
    Ok(())
}

/// R4 and PCF: the base policy, if it is named, and a root provision.
fn r4(
    consent: &Element<'_>,
    dialect: Dialect,
    options: &ConsentOptions,
) -> Result<Vec<Terms>, ConsentError> {
    let base = base_policy(consent, dialect)?;
    let Some(root) = consent.object("provision")? else {
        return match base {
            None => Err(consent.refuse(Refusal::NoProvision)),
            // Opt-in names no purpose and nobody.
            Some(Effect::Permit) => Err(consent.refuse_member("policyRule", Refusal::NoPurpose)),
            Some(Effect::Deny) => Ok(vec![Terms::Restrict(Restriction::default())]),
        };
    };
    let root = Rule::read(root, 0, dialect, options)?;
    // A root that selects nothing and has no type is a mere frame of what is nested in it.
    let is_frame = dialect == Dialect::R4 && root.selectors.are_empty() && !root.nested.is_empty();
    match (root.effect, base) {
        (None, _) if !is_frame => Err(root.element.refuse(Refusal::UntypedRoot)),
        (None, Some(Effect::Deny)) => {
            let frame = without_period(root)?;
            deny_all_but(&frame.nested, Window::ALWAYS, effect_of).map(|terms| vec![terms])
        }
        (Some(_), Some(Effect::Deny)) => {
            deny_all_but(&[without_period(root)?], Window::ALWAYS, effect_of)
                .map(|terms| vec![terms])
        }
        (None, _) => {
            let mut terms = Vec::new();
            for mut rule in root.nested {
                let refuse = |refusal| rule.element.refuse(refusal);
                rule.period = rule::either(rule.period, root.period).map_err(refuse)?;
                statements(rule, &mut terms)?;
            }
            Ok(terms)
        }
        (Some(_), _) => {
            let mut terms = Vec::new();
            statements(root, &mut terms)?;
            Ok(terms)
        }
    }
}

/// R5: the decision is the base, and only a deny says all that a directive needs.
fn r5(consent: &Element<'_>, options: &ConsentOptions) -> Result<Terms, ConsentError> {
    match consent.text("decision")? {
        None => return Err(consent.refuse(Refusal::NoProvision)),
        Some("deny") => {}
        // It permits everything to everybody for no purpose in particular.
        Some("permit") => return Err(consent.refuse_member("decision", Refusal::NoPurpose)),
        Some(_) => return Err(consent.refuse_member("decision", Refusal::BadValue)),
    }
    let window = rule::period(consent, "period", options)?.unwrap_or(Window::ALWAYS);
    let rules = consent.list("provision")?.unwrap_or_default();
    let rules = rules
        .into_iter()
        .map(|rule| Rule::read(rule, 1, Dialect::R5, options))
        .collect::<Result<Vec<_>, _>>()?;
    deny_all_but(&rules, window, |_, outer| Ok(negated(outer)))
}

fn negated(effect: Effect) -> Effect {
    match effect {
        Effect::Permit => Effect::Deny,
        Effect::Deny => Effect::Permit,
    }
}

/// What a nested provision of R4 says it does.
fn effect_of(rule: &Rule<'_>, _outer: Effect) -> Result<Effect, ConsentError> {
    rule.effect
        .ok_or_else(|| rule.element.refuse(Refusal::UntypedNested))
}

fn without_period(rule: Rule<'_>) -> Result<Rule<'_>, ConsentError> {
    match rule.period {
        None => Ok(rule),
        Some(_) => Err(rule
            .element
            .refuse_member("period", Refusal::PeriodOnException)),
    }
}

/// The base policy of `policyRule`. PCF's `policy` is a text for people and not interpreted.
fn base_policy(consent: &Element<'_>, dialect: Dialect) -> Result<Option<Effect>, ConsentError> {
    let Some(rule) = consent.object("policyRule")? else {
        return Ok(None);
    };
    if dialect == Dialect::Pcf {
        return Err(rule.refuse(Refusal::UnknownElement));
    }
    let [coding] = &*rule.codings()? else {
        return Err(rule.refuse(Refusal::UnknownPolicyRule));
    };
    match coding.coding()? {
        (codes::ACT_CODE, "OPTIN") => Ok(Some(Effect::Permit)),
        (codes::ACT_CODE, "OPTOUT") => Ok(Some(Effect::Deny)),
        _ => Err(rule.refuse(Refusal::UnknownPolicyRule)),
    }
}

/// A provision that stands by itself, and the additions nested in it.
fn statements(rule: Rule<'_>, terms: &mut Vec<Terms>) -> Result<(), ConsentError> {
    match effect_of(&rule, Effect::Deny)? {
        Effect::Deny => {
            let window = rule.period.unwrap_or(Window::ALWAYS);
            terms.push(restriction(
                rule.scope(Effect::Deny)?,
                &rule.nested,
                window,
                effect_of,
            )?);
            Ok(())
        }
        Effect::Permit => grants(rule, terms),
    }
}

/// A permit with denies nested in it is one grant with exceptions. Permits nested in it add to it: each
/// is a grant of its own, with what it does not say taken from the one around it.
fn grants(rule: Rule<'_>, terms: &mut Vec<Terms>) -> Result<(), ConsentError> {
    let mut scope = rule.scope(Effect::Permit)?;
    if scope.purposes.is_none() {
        return Err(rule.element.refuse(Refusal::NoPurpose));
    }
    // PCF: "if empty then all in the community"; R4: no specific actor.
    scope.to = Some(scope.to.unwrap_or(Set::one(Grantee::Any)));
    let effects = rule.nested.iter().map(|one| effect_of(one, Effect::Permit));
    let effects = effects.collect::<Result<Vec<_>, _>>()?;
    let window = rule.period.unwrap_or(Window::ALWAYS);
    let mut grant = Grant {
        scope,
        window,
        ..Grant::default()
    };
    if effects.iter().all(|effect| *effect == Effect::Permit) {
        terms.push(Terms::Grant(grant));
        let outer: Selectors<'_> = rule.selectors;
        for mut added in rule.nested {
            let refuse = |refusal| added.element.refuse(refusal);
            added.period = rule::either(added.period, rule.period).map_err(refuse)?;
            added.selectors = added.selectors.within(&outer).map_err(refuse)?;
            grants(added, terms)?;
        }
        return Ok(());
    }
    if effects.contains(&Effect::Permit) {
        return Err(rule.element.refuse(Refusal::MixedNested));
    }
    let mut tree = Tree {
        nodes: Vec::new(),
        effect_of,
    };
    tree.add(
        &rule.nested,
        (1, Effect::Permit, grant.scope.purposes.as_ref()),
    )?;
    grant.except = tree.finish(&rule.element)?;
    terms.push(Terms::Grant(grant));
    Ok(())
}

/// A base that denies everything, with exceptions.
fn deny_all_but(
    rules: &[Rule<'_>],
    window: Window,
    effect_of: EffectOf,
) -> Result<Terms, ConsentError> {
    restriction(Scope::default(), rules, window, effect_of)
}

fn restriction(
    scope: Scope,
    nested: &[Rule<'_>],
    window: Window,
    effect_of: EffectOf,
) -> Result<Terms, ConsentError> {
    let mut tree = Tree {
        nodes: Vec::new(),
        effect_of,
    };
    tree.add(nested, (1, Effect::Deny, scope.purposes.as_ref()))?;
    let nested_grants = tree.nodes.iter().any(|node| node.effect == Effect::Permit);
    let except = match nested.first() {
        Some(first) => tree.finish(&first.element)?,
        None => Exceptions::default(),
    };
    Ok(Terms::Restrict(Restriction {
        scope,
        window,
        except,
        nested_grants,
        ..Restriction::default()
    }))
}

type EffectOf = fn(&Rule<'_>, Effect) -> Result<Effect, ConsentError>;

/// A directive's exceptions, as they are gathered in preorder.
struct Tree {
    nodes: Vec<Exception>,
    effect_of: EffectOf,
}

impl Tree {
    /// Adds rules at a depth, below a node with an effect and the nearest purposes that were named.
    ///
    /// It recurses at most 16 deep: deeper rules were refused when they were read.
    fn add(
        &mut self,
        rules: &[Rule<'_>],
        (depth, outer, purposes): (u32, Effect, Option<&Set<Purpose>>),
    ) -> Result<(), ConsentError> {
        for rule in rules {
            let effect = (self.effect_of)(rule, outer)?;
            if effect == Effect::Permit && outer == Effect::Permit {
                return Err(rule.element.refuse(Refusal::PermitInPermit));
            }
            if rule.period.is_some() {
                return Err(rule
                    .element
                    .refuse_member("period", Refusal::PeriodOnException));
            }
            let mut scope = rule.scope(effect)?;
            let nearest = scope.purposes.clone().or_else(|| purposes.cloned());
            if effect == Effect::Permit {
                if nearest.is_none() {
                    return Err(rule.element.refuse(Refusal::NoPurpose));
                }
                scope.purposes.clone_from(&nearest);
            }
            self.nodes.push(Exception {
                depth,
                effect,
                scope,
            });
            self.add(&rule.nested, (depth + 1, effect, nearest.as_ref()))?;
        }
        Ok(())
    }

    fn finish(self, element: &Element<'_>) -> Result<Exceptions, ConsentError> {
        Exceptions::new(self.nodes).map_err(|_| element.refuse(Refusal::TooLarge))
    }
}
