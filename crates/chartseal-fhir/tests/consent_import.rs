//! What a Consent means in each dialect, and each reason for which one is refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeSet;

use chartseal_fhir::{
    Consent, ConsentError, ConsentOptions, Dialect, Imported, Refusal, UtcOffset,
};
use chartseal_policy::{Action, Confidentiality, Effect, Purpose, Set, Terms, Time, Window};
use proptest::prelude::*;
use serde_json::{Value, json};

const CODES: &str = "http://terminology.hl7.org/CodeSystem/";

fn code(system: &str, code: &str) -> Value {
    json!({"system": format!("{CODES}{system}"), "code": code})
}

fn treat() -> Value {
    json!([code("v3-ActReason", "TREAT")])
}

/// A Consent of R4 and PCF with this root provision.
fn consent(provision: &Value) -> Value {
    json!({
        "resourceType": "Consent",
        "status": "active",
        "scope": {"coding": [code("consentscope", "patient-privacy")]},
        "patient": {"reference": "Patient/ann"},
        "performer": [{"reference": "Patient/ann"}],
        "dateTime": "2026-03-02",
        "provision": provision,
    })
}

fn with(mut consent: Value, name: &str, value: Value) -> Value {
    consent[name] = value;
    consent
}

fn read(consent: &Value, dialect: Dialect) -> Result<Vec<Imported>, ConsentError> {
    Consent::import(
        consent.to_string().as_bytes(),
        dialect,
        &ConsentOptions::default(),
    )
}

fn permit(name: &str, value: Value) -> Value {
    with(json!({"type": "permit", "purpose": treat()}), name, value)
}

fn deny(name: &str, value: Value) -> Value {
    with(json!({"type": "deny"}), name, value)
}

fn actor(role: &str, reference: &str) -> Value {
    let role = json!({"coding": [code("v3-ParticipationType", role)]});
    json!([{"role": role, "reference": {"reference": reference}}])
}

fn base_policy(of: &str) -> Value {
    json!({"coding": [code("v3-ActCode", of)]})
}

fn data(meaning: &str, reference: &str) -> Value {
    json!([{"meaning": meaning, "reference": {"reference": reference}}])
}

fn class(name: &str) -> Value {
    json!([{"system": "http://hl7.org/fhir/resource-types", "code": name}])
}

fn action(name: &str) -> Value {
    json!([{"coding": [code("consentaction", name)]}])
}

/// A Consent that is refused for one reason, at one element.
#[expect(clippy::too_many_lines, reason = "one row for each refusal")]
fn refused() -> Vec<(Dialect, Value, Refusal, &'static str)> {
    use Dialect::{Pcf, R4, R5};
    let level = |level| code("v3-Confidentiality", level);
    let tag = |tag| code("v3-ActCode", tag);
    let plain = || consent(&permit("id", json!("a")));
    let untyped = |value| json!({"purpose": treat(), "provision": value});
    let nested = |value: Value| permit("provision", json!([value]));
    let deep = (0..20).fold(json!({"type": "deny"}), |below, _| {
        deny("provision", json!([below]))
    });
    let silent = json!({"resourceType": "Consent", "status": "active",
                        "subject": {"reference": "Patient/ann"}});
    let r5 = with(silent.clone(), "decision", json!("deny"));
    let period = json!({"start": "2026-03-02", "end": "2026-03-01"});
    let day = json!({"end": "2026-03-02"});
    vec![
        (R4, json!([]), Refusal::BadValue, "Consent"),
        (
            R4,
            json!({"resourceType": "Patient"}),
            Refusal::NotAConsent,
            "Consent",
        ),
        (
            R4,
            with(plain(), "status", json!("draft")),
            Refusal::NotActive,
            "Consent.status",
        ),
        (
            R4,
            with(
                plain(),
                "scope",
                json!({"coding": [code("consentscope", "adr")]}),
            ),
            Refusal::OtherScope,
            "Consent.scope",
        ),
        (
            R4,
            with(plain(), "modifierExtension", json!([{}])),
            Refusal::UnknownElement,
            "Consent",
        ),
        (
            R4,
            with(plain(), "implicitRules", json!("urn:x")),
            Refusal::UnknownElement,
            "Consent",
        ),
        (
            Pcf,
            with(plain(), "policyRule", base_policy("OPTIN")),
            Refusal::UnknownElement,
            "Consent.policyRule",
        ),
        (
            R4,
            with(plain(), "policyRule", base_policy("OPTINR")),
            Refusal::UnknownPolicyRule,
            "Consent.policyRule",
        ),
        (
            R4,
            with(plain(), "patient", json!({"display": "Ann"})),
            Refusal::BadReference,
            "Consent.patient",
        ),
        (
            R4,
            with(plain(), "patient", json!({"reference": "Group/all"})),
            Refusal::BadReference,
            "Consent.patient",
        ),
        (
            R4,
            with(plain(), "dateTime", json!("02.03.2026")),
            Refusal::BadDate,
            "Consent.dateTime",
        ),
        (
            R4,
            with(plain(), "policyRule", json!("OPTIN")),
            Refusal::BadValue,
            "Consent.policyRule",
        ),
        (
            Pcf,
            consent(&permit("extension", json!([]))),
            Refusal::UnknownElement,
            "Consent.provision",
        ),
        (
            Pcf,
            consent(&permit("action", action("access"))),
            Refusal::UnknownElement,
            "Consent.provision",
        ),
        (
            R4,
            consent(&permit("code", json!([]))),
            Refusal::NotSelectable,
            "Consent.provision.code",
        ),
        (
            R4,
            consent(&permit(
                "class",
                json!([{"system": "urn:ietf:bcp:13", "code": "text/xml"}]),
            )),
            Refusal::NotSelectable,
            "Consent.provision.class[0]",
        ),
        (
            R4,
            consent(&permit("class", class("Organization"))),
            Refusal::NotSelectable,
            "Consent.provision",
        ),
        (
            R4,
            consent(&permit("class", class("Observation"))),
            Refusal::PartOfClass,
            "Consent.provision",
        ),
        (
            R4,
            consent(&permit("purpose", json!([]))),
            Refusal::BadValue,
            "Consent.provision.purpose",
        ),
        (
            R4,
            consent(&permit("purpose", json!([code("v3-ActReason", "HMARKT")]))),
            Refusal::UnknownPurpose,
            "Consent.provision.purpose[0]",
        ),
        (
            R4,
            consent(&permit("action", action("disclose"))),
            Refusal::UnknownAction,
            "Consent.provision.action",
        ),
        (
            R4,
            consent(&permit("actor", actor("CST", "Organization/a"))),
            Refusal::ActorRole,
            "Consent.provision.actor[0].role.coding[0]",
        ),
        (
            R4,
            consent(&permit("actor", actor("IRCP", "PractitionerRole/a"))),
            Refusal::UnknownGrantee,
            "Consent.provision.actor[0]",
        ),
        (
            R4,
            consent(&permit("actor", actor("IRCP", "#contained"))),
            Refusal::BadReference,
            "Consent.provision.actor[0].reference",
        ),
        (
            R4,
            consent(&permit("actor", actor("IRCP", "Practitioner/a/_history/2"))),
            Refusal::BadReference,
            "Consent.provision.actor[0].reference",
        ),
        (
            R4,
            consent(&permit("securityLabel", json!([tag("STD")]))),
            Refusal::UnknownLabel,
            "Consent.provision.securityLabel[0]",
        ),
        (
            R4,
            consent(&permit("securityLabel", json!([level("R"), tag("MH")]))),
            Refusal::UnknownLabel,
            "Consent.provision.securityLabel",
        ),
        (
            R4,
            consent(&permit("securityLabel", json!([tag("PSY")]))),
            Refusal::TagWithoutLevel,
            "Consent.provision.securityLabel",
        ),
        (
            R4,
            consent(&deny("securityLabel", json!([level("R"), tag("PSY")]))),
            Refusal::MixedLabels,
            "Consent.provision.securityLabel",
        ),
        (
            R4,
            consent(&permit("data", data("dependents", "Observation/a"))),
            Refusal::DataMeaning,
            "Consent.provision.data",
        ),
        (
            R4,
            consent(&permit("data", data("related", "CarePlan/a"))),
            Refusal::DataMeaning,
            "Consent.provision.data[0]",
        ),
        (
            R4,
            consent(&permit("period", period)),
            Refusal::EmptyPeriod,
            "Consent.provision.period",
        ),
        (
            R4,
            consent(&nested(deny("period", day.clone()))),
            Refusal::PeriodOnException,
            "Consent.provision.provision[0].period",
        ),
        (
            R4,
            with(
                consent(&permit("period", day)),
                "policyRule",
                base_policy("OPTOUT"),
            ),
            Refusal::PeriodOnException,
            "Consent.provision.period",
        ),
        (
            R4,
            with(
                consent(&untyped(json!([deny("id", json!("a"))]))),
                "policyRule",
                base_policy("OPTIN"),
            ),
            Refusal::UntypedRoot,
            "Consent.provision",
        ),
        (
            Pcf,
            consent(&json!({"purpose": treat()})),
            Refusal::UntypedRoot,
            "Consent.provision",
        ),
        (
            R4,
            consent(&nested(json!({"purpose": treat()}))),
            Refusal::UntypedNested,
            "Consent.provision.provision[0]",
        ),
        (
            R4,
            consent(&with(
                permit("period", json!({"end": "2026"})),
                "provision",
                json!([{"type": "permit", "period": {"end": "2027"}}]),
            )),
            Refusal::TwiceSelected,
            "Consent.provision.provision[0]",
        ),
        (
            R4,
            consent(&with(
                permit("data", data("authoredby", "Device/a")),
                "provision",
                json!([{"type": "permit", "data": data("authoredby", "Device/b")}]),
            )),
            Refusal::TwiceSelected,
            "Consent.provision.provision[0]",
        ),
        (
            R4,
            consent(
                &json!({"period": {"end": "2026"}, "provision": [{"type": "deny", "period": {"end": "2027"}}]}),
            ),
            Refusal::TwiceSelected,
            "Consent.provision.provision[0]",
        ),
        (
            R4,
            consent(&json!({"type": "permit"})),
            Refusal::NoPurpose,
            "Consent.provision",
        ),
        (
            R4,
            consent(&deny("provision", json!([{"type": "permit"}]))),
            Refusal::NoPurpose,
            "Consent.provision.provision[0]",
        ),
        (
            R4,
            consent(&permit(
                "provision",
                json!([{"type": "permit"}, {"type": "deny"}]),
            )),
            Refusal::MixedNested,
            "Consent.provision",
        ),
        (
            R4,
            consent(&nested(deny(
                "provision",
                json!([permit("provision", json!([{"type": "permit"}]))]),
            ))),
            Refusal::PermitInPermit,
            "Consent.provision.provision[0].provision[0].provision[0]",
        ),
        (R5, silent, Refusal::NoProvision, "Consent"),
        (
            R5,
            with(r5.clone(), "decision", json!("permit")),
            Refusal::NoPurpose,
            "Consent.decision",
        ),
        (
            R5,
            with(r5.clone(), "grantee", json!([])),
            Refusal::UnknownElement,
            "Consent",
        ),
        (
            R5,
            with(r5, "provision", json!([{"type": "permit"}])),
            Refusal::UnknownElement,
            "Consent.provision[0]",
        ),
        (R4, consent(&deep), Refusal::TooLarge, ""),
    ]
}

#[test]
fn each_refusal_names_its_own_reason_and_element() {
    let mut met = BTreeSet::from([Refusal::NotJson.name()]);
    for (dialect, consent, refusal, at) in refused() {
        let error = read(&consent, dialect).unwrap_err();
        assert_eq!(error.refusal, refusal, "{consent}: {error}");
        assert!(at.is_empty() || error.at == at, "{consent}: {error}");
        met.insert(refusal.name());
    }
    let all: BTreeSet<&str> = Refusal::ALL.iter().map(|one| one.name()).collect();
    assert_eq!(met, all);
}

#[test]
fn what_is_no_one_json_document_is_refused() {
    let import = |json: &[u8]| Consent::import(json, Dialect::R4, &ConsentOptions::default());
    let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
    let twice = r#"{"resourceType": "Consent", "a": {"b": 1, "b": 2}}"#;
    for bad in [
        b"".as_slice(),
        b"{",
        b"\xff",
        deep.as_bytes(),
        twice.as_bytes(),
    ] {
        assert_eq!(import(bad).unwrap_err().refusal, Refusal::NotJson);
    }
}

#[test]
fn no_refusal_repeats_the_consent() {
    for (dialect, consent, ..) in refused() {
        let error = read(&consent, dialect).unwrap_err();
        let text = format!("{error} {error:?}");
        for canary in ["ann", "Ann", "02.03", "HMARKT", "contained", "urn:"] {
            assert!(!text.contains(canary), "{text}");
        }
    }
    let plain = read(&consent(&permit("id", json!("a"))), Dialect::Pcf).unwrap();
    assert_eq!(format!("{plain:?}"), "[Imported(grant, ..)]");
}

#[test]
fn every_refusal_is_on_the_page() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fhir.md");
    let page = std::fs::read_to_string(page).unwrap();
    for refusal in Refusal::ALL {
        assert!(page.contains(refusal.name()), "{}", refusal.name());
    }
}

fn grant(consent: &Value) -> chartseal_policy::Grant {
    match &read(consent, Dialect::R4).unwrap()[..] {
        [
            Imported {
                terms: Terms::Grant(grant),
                ..
            },
        ] => grant.clone(),
        other => panic!("{} directives", other.len()),
    }
}

fn restriction(consent: &Value, dialect: Dialect) -> chartseal_policy::Restriction {
    match &read(consent, dialect).unwrap()[..] {
        [
            Imported {
                terms: Terms::Restrict(restriction),
                ..
            },
        ] => restriction.clone(),
        other => panic!("{} directives", other.len()),
    }
}

#[test]
fn a_day_ends_at_the_next_midnight_of_the_named_zone() {
    let day = json!({"start": "2026-03-02", "end": "2026-03-02"});
    let consent = consent(&permit("period", day)).to_string();
    let hour = 3_600_000;
    let midnight = 1_772_409_600_000; // 2026-03-02T00:00:00Z
    for (minutes, east) in [(0, 0), (60, hour), (-300, -5 * hour)] {
        let zone = UtcOffset::from_minutes(minutes).unwrap();
        let options = ConsentOptions {
            zone,
            ..ConsentOptions::default()
        };
        let imported = Consent::import(consent.as_bytes(), Dialect::R4, &options).unwrap();
        let Terms::Grant(grant) = &imported[0].terms else {
            panic!("no grant")
        };
        let at = |millis: i64| Some(Time(u64::try_from(millis - east).unwrap()));
        let window = Window {
            from: at(midnight),
            until: at(midnight + 24 * hour),
        };
        assert_eq!(grant.window, window);
        assert_eq!(imported[0].issued, at(midnight));
    }
}

#[test]
fn an_opt_out_denies_everything_but_what_its_exceptions_grant() {
    let root = permit("actor", actor("PRCP", "Practitioner/a"));
    let typed = with(consent(&root), "policyRule", base_policy("OPTOUT"));
    let frame = json!({"provision": [root]});
    let framed = with(consent(&frame), "policyRule", base_policy("OPTOUT"));
    let r5 = json!({
        "resourceType": "Consent", "status": "active", "decision": "deny",
        "subject": {"reference": "Patient/ann"}, "date": "2026-03-02",
        "provision": [{"purpose": treat(), "actor": actor("PRCP", "Practitioner/a")}],
    });
    for (consent, dialect) in [
        (typed, Dialect::R4),
        (framed, Dialect::R4),
        (r5, Dialect::R5),
    ] {
        let restriction = restriction(&consent, dialect);
        assert_eq!(restriction.scope, chartseal_policy::Scope::default());
        assert!(restriction.nested_grants);
        let [node] = restriction.except.nodes() else {
            panic!("not one exception")
        };
        assert_eq!((node.depth, node.effect), (1, Effect::Permit));
        assert_eq!(node.scope.purposes, Some(Set::one(Purpose::Treat)));
        assert_eq!(
            node.scope.to,
            Some(Set::one("actor:Practitioner/a".parse().unwrap()))
        );
    }
    let mut bare = with(consent(&json!({})), "policyRule", base_policy("OPTOUT"));
    bare.as_object_mut().unwrap().remove("provision");
    assert_eq!(
        restriction(&bare, Dialect::R4),
        chartseal_policy::Restriction::default()
    );
}

#[test]
fn a_frame_lends_its_period_to_what_is_nested_in_it() {
    let frame = json!({"period": {"end": "1970-01-01"}, "provision": [permit("id", json!("a"))]});
    let framed = with(consent(&frame), "policyRule", base_policy("OPTIN"));
    assert_eq!(grant(&framed).window.until, Some(Time(86_400_000)));
}

#[test]
fn a_permit_nested_in_a_permit_adds_a_grant_within_the_outer_limits() {
    let added = json!({"type": "permit", "purpose": [code("v3-ActReason", "HPAYMT")],
                       "data": data("instance", "Observation/a")});
    let root = with(
        permit("period", json!({"end": "1970-01-01"})),
        "provision",
        json!([added]),
    );
    let root = with(root, "data", data("authoredby", "Practitioner/a"));
    let both = read(&consent(&root), Dialect::R4).unwrap();
    let [
        _,
        Imported {
            terms: Terms::Grant(added),
            ..
        },
    ] = &both[..]
    else {
        panic!("not two")
    };
    assert_eq!(added.window.until, Some(Time(86_400_000)));
    assert_eq!(added.scope.purposes, Some(Set::one(Purpose::Hpaymt)));
    assert_eq!(
        added.scope.records,
        Some(Set::one("Observation/a".parse().unwrap()))
    );
    assert_eq!(
        added.scope.authors,
        Some(Set::one("Practitioner/a".parse().unwrap()))
    );
}

#[test]
fn r5_negates_from_level_to_level() {
    let deepest = json!({"securityLabel": [code("v3-ActCode", "MH")]});
    let consent = json!({
        "resourceType": "Consent", "status": "active", "decision": "deny",
        "subject": {"reference": "Patient/ann"},
        "provision": [{"purpose": treat(), "provision": [deepest]}],
    });
    let except = restriction(&consent, Dialect::R5).except;
    let nodes: Vec<_> = except
        .nodes()
        .iter()
        .map(|node| (node.depth, node.effect))
        .collect();
    assert_eq!(nodes, [(1, Effect::Permit), (2, Effect::Deny)]);
    let tags = Some(Set::one("PSY".parse().unwrap()));
    assert_eq!(except.nodes()[1].scope.tags, tags);
}

#[test]
fn a_deny_reads_wide_and_a_permit_narrow() {
    let labels = json!([
        code("v3-Confidentiality", "N"),
        code("v3-Confidentiality", "R")
    ]);
    let permitted = consent(&with(
        permit("action", action("access")),
        "securityLabel",
        labels.clone(),
    ));
    let scope = grant(&permitted).scope;
    assert_eq!(scope.conf, Some(Confidentiality::R));
    assert_eq!(
        scope.actions,
        Some(Set::new([Action::Read, Action::Search]).unwrap())
    );
    let denied = consent(&with(
        deny("action", action("access")),
        "securityLabel",
        labels,
    ));
    let scope = restriction(&denied, Dialect::R4).scope;
    assert_eq!(scope.conf, Some(Confidentiality::N));
    let actions = [Action::Read, Action::Search, Action::Export];
    assert_eq!(scope.actions, Some(Set::new(actions).unwrap()));

    let whole = grant(&consent(&permit("class", class("AllergyIntolerance")))).scope;
    assert_eq!(whole.classes, Some(Set::one("allergy".parse().unwrap())));
    let wide = restriction(&consent(&deny("class", class("Observation"))), Dialect::R4).scope;
    for name in [
        "observation",
        "laboratory",
        "vital-signs",
        "imaging",
        "survey",
    ] {
        assert!(
            wide.classes
                .as_ref()
                .unwrap()
                .contains(&name.parse().unwrap()),
            "{name}"
        );
    }
}

proptest! {
    #[test]
    fn no_document_panics(
        which in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let all = refused();
        let (dialect, consent, ..) = &all[which.index(all.len())];
        let mut json = consent.to_string().into_bytes();
        let at = cut.index(json.len());
        json[at] = byte;
        let _ = Consent::import(&json, *dialect, &ConsentOptions::default());
    }
}
