//! What the semantics page says must hold for all inputs, over generated states: 400 for each
//! property, or with `CHARTSEAL_LONG=1` 100,000.
#![cfg(feature = "json")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod states;

use std::borrow::Cow;

use chartseal_policy::{
    Actor, Code, Decision, Directive, Effect, MemoryWorld, Network, Patient, Record, Request,
    Symbol, World, decide, json,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

fn read(world: &Value, directives: &[Value], request: &Value) -> (MemoryWorld, Request) {
    let document = json!({"world": world, "cases": [
        {"n": 0, "directives": directives, "overrides": {}, "request": request}
    ]});
    let case = json::read(document.to_string().as_bytes())
        .unwrap()
        .remove(0);
    (case.world, case.request)
}

fn answer(world: &Value, directives: &[Value], request: &Value) -> Decision {
    let (world, request) = read(world, directives, request);
    decide(&world, &request)
}

/// A state and a request that its directives are likely to speak of.
fn state() -> impl Strategy<Value = (Value, Vec<Value>, Value)> {
    (
        states::world(),
        states::directives(),
        states::request().prop_map(states::plausible),
    )
}

fn plain(kind: &'static str) -> impl Strategy<Value = Value> {
    states::directives().prop_filter_map("a directive without exceptions", move |all| {
        let mut one = all.into_iter().find(|one| one["kind"] == kind)?;
        let fields = one.as_object_mut().unwrap();
        fields.remove("except");
        fields.remove("supersedes");
        one["id"] = json!("new");
        Some(one)
    })
}

proptest! {
    #![proptest_config(states::config(400, 100_000))]

    #[test]
    fn adding_a_restriction_never_opens((world, directives, request) in state(), new in plain("restrict")) {
        let before = answer(&world, &directives, &request);
        let after = answer(&world, &[directives, vec![new]].concat(), &request);
        prop_assert!(before.effect == Effect::Permit || after.effect == Effect::Deny);
    }

    #[test]
    fn adding_a_grant_never_closes((world, directives, request) in state(), new in plain("grant")) {
        let before = answer(&world, &directives, &request);
        let after = answer(&world, &[directives, vec![new]].concat(), &request);
        prop_assert!(before.effect == Effect::Deny || after.effect == Effect::Permit);
    }

    #[test]
    fn revoking_a_grant_never_opens((world, mut directives, request) in state(), issuer in "P|mum|dr1") {
        for one in &mut directives {
            if one["kind"] == "grant" {
                one.as_object_mut().unwrap().remove("except");
            }
        }
        let before = answer(&world, &directives, &request);
        for target in directives.clone().iter().filter(|one| one["kind"] == "grant") {
            let revoke = json!({"kind": "revoke", "id": "end", "seq": [7, 0], "issuer": issuer,
                                "target": target["id"]});
            let after = answer(&world, &[directives.clone(), vec![revoke]].concat(), &request);
            prop_assert!(before.effect == Effect::Permit || after.effect == Effect::Deny);
        }
    }

    #[test]
    fn a_revoked_grant_is_never_a_basis((world, directives, request) in state()) {
        for target in directives.iter().filter(|one| one["kind"] == "grant") {
            let revoke = json!({"kind": "revoke", "id": "end", "seq": [7, 0],
                                "issuer": target["issuer"], "target": target["id"]});
            let after = answer(&world, &[directives.clone(), vec![revoke]].concat(), &request);
            let named = symbol(target["id"].as_str().unwrap());
            let counts = request["pos"][0].as_u64().unwrap() > 7;
            prop_assert!(!counts || !after.by.contains(&named));
        }
    }

    #[test]
    fn a_superseded_grant_is_never_a_basis((world, directives, request) in state()) {
        for target in directives.iter().filter(|one| one["kind"] == "grant") {
            let next = json!({"kind": "restrict", "id": "next", "seq": [7, 0], "to": [],
                              "issuer": target["issuer"], "patient": target["patient"],
                              "supersedes": [target["id"]]});
            let after = answer(&world, &[directives.clone(), vec![next]].concat(), &request);
            let named = symbol(target["id"].as_str().unwrap());
            let counts = request["pos"][0].as_u64().unwrap() > 7;
            prop_assert!(!counts || !after.by.contains(&named));
        }
    }

    #[test]
    fn the_order_of_storage_changes_nothing(
        (world, directives, request) in state(), by in any::<prop::sample::Index>(),
    ) {
        let mut other = directives.clone();
        other.reverse();
        let shift = by.index(other.len().max(1));
        other.rotate_left(shift);
        prop_assert_eq!(answer(&world, &directives, &request), answer(&world, &other, &request));
    }

    #[test]
    fn another_patients_directives_change_nothing(
        (world, directives, request) in state(), others in states::directives(),
    ) {
        let others = others.into_iter().enumerate().map(|(i, mut other)| {
            other["id"] = json!(format!("other{i}"));
            if other.get("patient").is_some() {
                other["patient"] = json!("K");
            }
            other
        });
        // An approval or a revocation of this patient's would be one of theirs.
        let others = others.filter(|one| one.get("patient").is_some());
        let before = answer(&world, &directives, &request);
        prop_assume!(request["patient"] == "P");
        let all: Vec<_> = directives.into_iter().chain(others).collect();
        let mut after = answer(&world, &all, &request);
        after.explanation.retain(|finding| !finding.id.to_string().starts_with("other"));
        prop_assert_eq!(before, after);
    }

    #[test]
    fn every_permit_but_the_familys_names_its_basis((world, directives, request) in state()) {
        let decision = answer(&world, &directives, &request);
        let family = matches!(decision.code, Code::Own | Code::Guardian);
        let denied = decision.effect == Effect::Deny;
        prop_assert!(denied || family || !decision.by.is_empty());
        prop_assert!(!denied || decision.obligations.is_empty());
        prop_assert!(decision.by.is_sorted() && decision.obligations.is_sorted());
    }

    #[test]
    fn emergencies_change_nothing_unless_the_glass_is_broken((world, directives, request) in state()) {
        prop_assume!(request["purpose"] != "BTG");
        let before = answer(&world, &directives, &request);
        let rest: Vec<_> =
            directives.into_iter().filter(|one| one["kind"] != "emergency").collect();
        let mut after = answer(&world, &rest, &request);
        after.explanation.clone_from(&before.explanation);
        prop_assert_eq!(before, after);
    }

    #[test]
    fn blinded_labels_give_the_same_answers((world, directives, request) in state(), key in any::<u8>()) {
        let plain = answer(&world, &directives, &request);
        let hide = |value| hidden(value, key);
        let hidden_directives: Vec<_> = directives.into_iter().map(hide).collect();
        let (mut world, request) = read(&hide(world), &hidden_directives, &hide(request));
        let gated = ["PSY", "SUD", "HIV", "SDV", "GDIS", "INBOX"].map(|tag| symbol(&label(tag, key)));
        world.gated = gated.into_iter().collect();
        let blinded = Blinded { world, key };
        prop_assert_eq!(plain, decide(&blinded, &request));
    }
}

/// Ids and labels of the generated states; directives' ids are opaque as they are.
const NAMES: [&str; 28] = [
    "dr1",
    "dr2",
    "nurse",
    "er",
    "mum",
    "dad",
    "ghost",
    "P",
    "K",
    "r0",
    "r1",
    "r2",
    "r9",
    "H1",
    "H2",
    "home",
    "physician",
    "kin",
    "emergency",
    "Obs",
    "Cond",
    "e1",
    "e2",
    "PSY",
    "SUD",
    "SDV",
    "TEEN",
    "INBOX",
];

/// Where the name of an emergency role is a keyword.
const KEYWORDS: [&str; 2] = ["kind", "override"];

/// A label that tells nothing.
fn label(name: &str, key: u8) -> String {
    let bytes = name.bytes().map(|byte| format!("{:02x}", byte ^ key));
    format!("b{}", bytes.collect::<String>())
}

/// The same JSON with every id and label blinded.
fn hidden(value: Value, key: u8) -> Value {
    match value {
        Value::String(text) => json!(hidden_text(&text, key)),
        Value::Array(items) => items.into_iter().map(|item| hidden(item, key)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                if KEYWORDS.contains(&name.as_str()) {
                    return (name, value);
                }
                (hidden_text(&name, key), hidden(value, key))
            })
            .collect(),
        other => other,
    }
}

fn hidden_text(text: &str, key: u8) -> String {
    if let Some((form, id)) = text.split_once(':') {
        let parts: Vec<_> = id.split('/').map(|part| hidden_text(part, key)).collect();
        return format!("{form}:{}", parts.join("/"));
    }
    if NAMES.contains(&text) {
        label(text, key)
    } else {
        text.to_owned()
    }
}

/// A world that knows its special tags by their blinded labels only.
struct Blinded {
    world: MemoryWorld,
    key: u8,
}

impl World for Blinded {
    fn actor(&self, id: &Symbol) -> Option<Cow<'_, Actor>> {
        self.world.actor(id)
    }

    fn patient(&self, id: &Symbol) -> Option<Cow<'_, Patient>> {
        self.world.patient(id)
    }

    fn record(&self, id: &Symbol) -> Option<Cow<'_, Record>> {
        self.world.record(id)
    }

    fn network(&self) -> &Network {
        self.world.network()
    }

    fn is_gated(&self, tag: &Symbol) -> bool {
        self.world.is_gated(tag)
    }

    fn overdue_reviews(&self, org: &Symbol) -> u32 {
        self.world.overdue_reviews(org)
    }

    fn directives(&self, patient: &Symbol) -> Cow<'_, [Directive]> {
        self.world.directives(patient)
    }

    fn is_inbox(&self, tag: &Symbol) -> bool {
        *tag == symbol(&label("INBOX", self.key))
    }

    fn is_part2(&self, tag: &Symbol) -> bool {
        *tag == symbol(&label("SUD", self.key))
    }
}
