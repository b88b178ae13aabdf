//! Directives by themselves in the JSON form: what is written is read as the same, and nothing is guessed.
#![cfg(feature = "json")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod states;

use chartseal_policy::json::{self, JsonError};
use chartseal_policy::{
    Declaration, Directive, Effect, Exception, Exceptions, Grant, Issuer, MemoryWorld, OrgRole,
    Position, Purpose, Restriction, Revocation, Scope, Set, Symbol, Terms, Time,
};
use chartseal_policy::{Grantee, Window};
use proptest::prelude::*;
use serde_json::{Value, json};

fn by_ann(terms: Terms) -> Directive {
    Directive {
        id: "id".parse().unwrap(),
        position: Position::default(),
        issuer: Issuer::Actor("ann".parse().unwrap()),
        patient: "ann".parse().unwrap(),
        issued: None,
        terms,
    }
}

proptest! {
    #![proptest_config(states::config(300, 100_000))]

    #[test]
    fn what_is_written_is_read_as_the_same_directive(
        world in states::world(), directives in states::directives(), request in states::request(),
    ) {
        let case = json!({"n": 1, "directives": directives, "request": states::plausible(request)});
        let document = json!({"world": world, "cases": [case]}).to_string();
        let cases = json::read(document.as_bytes()).unwrap();
        for case in cases {
            for directive in case.world.policy.patients().flat_map(|one| case.world.policy.directives(one)) {
                let written = json::write_directive(directive).unwrap();
                prop_assert!(!written.contains('\n'));
                let read = json::read_directive(written.as_bytes(), &case.world);
                prop_assert_eq!(read.as_ref(), Ok(directive), "{}", written);
            }
        }
    }

    #[test]
    fn any_tree_of_exceptions_is_written_as_it_stands(depths in prop::collection::vec((1..=6_u32, any::<bool>()), 0..20)) {
        let mut above = 0;
        let nodes = depths.into_iter().map(|(depth, permit)| {
            above = depth.min(above + 1);
            let effect = if permit { Effect::Permit } else { Effect::Deny };
            Exception { depth: above, effect, scope: Scope::default() }
        });
        let except = Exceptions::new(nodes.collect::<Vec<_>>()).unwrap();
        let directive = by_ann(Terms::Restrict(Restriction { except, ..Restriction::default() }));
        let written = json::write_directive(&directive).unwrap();
        prop_assert_eq!(json::read_directive(written.as_bytes(), &MemoryWorld::new()), Ok(directive));
    }

    #[test]
    fn no_text_panics(text in ".{0,60}") {
        let _ = json::read_directive(text.as_bytes(), &MemoryWorld::new());
    }
}

#[test]
fn what_json_can_not_say_is_not_written() {
    let binary = Symbol::new([0xff]).unwrap();
    let orgrole = Grantee::OrgRole(OrgRole {
        org: "Organization/a".parse().unwrap(),
        role: "nurse".parse().unwrap(),
    });
    let one = |to| Terms::Grant(Grant::to(to, Purpose::Treat));
    let mut quorum = by_ann(one(Grantee::Any));
    quorum.issuer = Issuer::Actor("quorum".parse().unwrap());
    let mut unnamed = by_ann(one(Grantee::Any));
    unnamed.id = binary.clone();
    let mut dated = by_ann(Terms::Revoke(Revocation {
        target: "G".parse().unwrap(),
    }));
    dated.issued = Some(Time(1));
    for directive in [
        by_ann(one(orgrole)),
        by_ann(one(Grantee::Actor(binary))),
        quorum,
        unnamed,
        dated,
    ] {
        let written = json::write_directive(&directive);
        assert_eq!(written, Err(JsonError::Unwritable), "{directive:?}");
    }
}

#[test]
fn an_exception_keeps_its_own_level_and_windows_stay() {
    let mut grant = Grant::to("org:H1".parse().unwrap(), Purpose::Treat);
    grant.window = Window {
        from: Some(Time(1)),
        until: Some(Time(2)),
    };
    grant.supersedes = Set::one("old".parse().unwrap());
    let written = json::write_directive(&by_ann(Terms::Grant(grant))).unwrap();
    assert_eq!(
        written,
        r#"{"kind":"grant","id":"id","seq":[0,0],"issuer":"ann","patient":"ann","from":1,"until":2,"to":["org:H1"],"purposes":["TREAT"],"supersedes":["old"]}"#
    );
    let blank = Declaration {
        from: Time(1),
        has_reason: false,
        closed: None,
    };
    let written = json::write_directive(&by_ann(Terms::Emergency(blank))).unwrap();
    assert!(written.ends_with(r#""from":1,"reason":""}"#), "{written}");
}

#[test]
fn a_directive_by_itself_is_read_strictly() {
    let good = json!({"kind": "grant", "id": "G", "seq": [1, 0], "issuer": "P", "patient": "P",
                      "to": ["any:*"], "purposes": ["TREAT"], "except": [{"effect": "deny"}]});
    let read =
        |value: &Value| json::read_directive(value.to_string().as_bytes(), &MemoryWorld::new());
    assert!(read(&good).is_ok());
    let with = |pointer: &str, key: &str| {
        let mut changed = good.clone();
        let place = changed.pointer_mut(pointer).unwrap();
        place
            .as_object_mut()
            .unwrap()
            .insert(key.into(), json!("N"));
        changed
    };
    for (changed, said) in [
        (with("", "clases"), "clases"),
        (with("", "conf_at_least"), "conf_at_least"),
        (with("", "override"), "override"),
        (with("/except/0", "clases"), "clases"),
        (with("/except/0", "issuer"), "issuer"),
        (with("/except/0", "conf"), "conf"),
        (with("", "Ann Example"), "a key"),
    ] {
        let key = said.to_owned();
        assert_eq!(read(&changed), Err(JsonError::UnknownKey { key }));
    }
    let lost = json!({"kind": "revoke", "id": "R", "seq": [2, 0], "issuer": "P", "target": "G"});
    assert_eq!(read(&lost), Err(JsonError::NoTarget));
    let mut world = MemoryWorld::new();
    world.apply(read(&good).unwrap()).unwrap();
    let Ok(revocation) = json::read_directive(lost.to_string().as_bytes(), &world) else {
        panic!("its target is there")
    };
    assert_eq!(revocation.patient, "P".parse().unwrap());
    let line = json::read_directive(b"{\n\"kind\": 1}", &world);
    assert!(
        matches!(line, Err(JsonError::Form { line: 2, .. })),
        "{line:?}"
    );
}
