//! The state of all directives: snapshots, an index, and one encoding.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_policy::{
    Approval, Declaration, Directive, Grant, Grantee, Issuer, PolicyError, PolicyState, Position,
    Purpose, Restriction, Revocation, Scope, Set, Symbol, Terms, Time,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn symbol(text: impl AsRef<str>) -> Symbol {
    Symbol::new(text.as_ref()).unwrap()
}

fn directive(patient: &str, id: &str, height: u64, terms: Terms) -> Directive {
    Directive {
        id: symbol(id),
        position: Position { height, index: 0 },
        issuer: Issuer::Actor(symbol("issuer")),
        patient: symbol(patient),
        issued: None,
        terms,
    }
}

fn grant_to(grantee: &str) -> Terms {
    Terms::Grant(Grant::to(grantee.parse().unwrap(), Purpose::Treat))
}

const GRANTEES: &[&str] = &[
    "any:*",
    "actor:a",
    "actor:issuer",
    "org:a",
    "role:a",
    "orgrole:a/b",
];

fn terms() -> impl Strategy<Value = Terms> {
    let grantee = || select(GRANTEES);
    let nested = |to: Option<&str>| {
        Terms::Restrict(Restriction {
            scope: Scope {
                to: to.map(|to| Set::one(to.parse().unwrap())),
                ..Scope::default()
            },
            nested_grants: true,
            ..Restriction::default()
        })
    };
    let target = || symbol("d1");
    prop_oneof![
        4 => grantee().prop_map(grant_to),
        1 => proptest::option::of(grantee()).prop_map(nested),
        1 => Just(Terms::Restrict(Restriction::default())),
        1 => Just(Terms::Revoke(Revocation { target: target() })),
        1 => Just(Terms::Approve(Approval { target: target(), at: Time(5) })),
        1 => Just(Terms::Emergency(Declaration { from: Time(5), has_reason: true, closed: None })),
    ]
}

/// Directives of a few patients, each id once for a patient.
fn directives() -> impl Strategy<Value = Vec<Directive>> {
    let one = (select(&["P", "K", "Q"]), 0_u8..20, 0_u64..10, terms());
    vec(one, 0..40).prop_map(|all| {
        let mut seen = BTreeSet::new();
        let fresh = all
            .into_iter()
            .filter(|(patient, id, ..)| seen.insert((*patient, *id)));
        fresh
            .map(|(patient, id, height, terms)| {
                directive(patient, &format!("d{id}"), height, terms)
            })
            .collect()
    })
}

fn state(directives: impl IntoIterator<Item = Directive>) -> PolicyState {
    let mut state = PolicyState::new();
    for directive in directives {
        state.apply(directive).unwrap();
    }
    state
}

/// Whether a directive may open something to just this grantee.
fn opens_to(directive: &Directive, grantee: &Grantee) -> bool {
    match &directive.terms {
        Terms::Grant(grant) => grant
            .scope
            .to
            .as_ref()
            .is_some_and(|to| to.contains(grantee)),
        Terms::Restrict(one) => {
            let to = one.scope.to.as_ref();
            one.nested_grants && to.map_or(*grantee == Grantee::Any, |to| to.contains(grantee))
        }
        Terms::Emergency(_) => *grantee == Grantee::Actor(symbol("issuer")),
        Terms::Revoke(_) | Terms::Approve(_) => false,
    }
}

proptest! {
    #[test]
    fn a_state_is_one_value_whatever_the_order_and_is_read_back_from_its_bytes(
        (all, other) in directives().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let one = state(all.clone());
        let two = state(other);
        prop_assert_eq!(&one, &two);
        prop_assert_eq!((one.len(), one.is_empty()), (all.len(), all.is_empty()));
        let bytes = to_bytes(&one);
        prop_assert_eq!(&bytes, &to_bytes(&two));
        let back: PolicyState = from_bytes(&bytes).unwrap();
        prop_assert_eq!(&back, &one);
        prop_assert_eq!(to_bytes(&back), bytes);
    }

    #[test]
    fn two_states_of_other_directives_differ(all in directives(), new in terms()) {
        let before = state(all);
        let mut after = before.clone();
        after.apply(directive("P", "new", 1, new)).unwrap();
        prop_assert_ne!(&before, &after);
        prop_assert_ne!(to_bytes(&before), to_bytes(&after));
    }

    #[test]
    fn a_snapshot_keeps_what_it_held(all in directives(), at in any::<prop::sample::Index>()) {
        let at = at.index(all.len() + 1);
        let (first, rest) = all.split_at(at);
        let mut living = state(first.iter().cloned());
        let snapshot = living.clone();
        let held = to_bytes(&snapshot);
        for directive in rest {
            living.apply(directive.clone()).unwrap();
        }
        prop_assert_eq!(to_bytes(&snapshot), held);
        prop_assert_eq!(&snapshot, &state(first.iter().cloned()));
        prop_assert_eq!(living, state(all));
    }

    #[test]
    fn a_past_state_holds_exactly_what_came_before_it(all in directives(), height in 0_u64..11) {
        let position = Position { height, index: 0 };
        let earlier = all.iter().filter(|one| one.position < position).cloned();
        prop_assert_eq!(state(all.clone()).before(position), state(earlier));
    }

    #[test]
    fn the_index_names_exactly_the_patients_whose_directives_may_open_something(all in directives()) {
        let state = state(all.clone());
        for grantee in GRANTEES {
            let grantee: Grantee = grantee.parse().unwrap();
            let opening = all.iter().filter(|one| opens_to(one, &grantee));
            let patients: BTreeSet<_> = opening.map(|one| &one.patient).collect();
            prop_assert!(state.naming(&grantee).eq(patients));
        }
        for one in &all {
            prop_assert_eq!(state.directive(&one.patient, &one.id), Some(one));
        }
        let patients: BTreeSet<_> = all.iter().map(|one| &one.patient).collect();
        prop_assert!(state.patients().eq(patients));
    }

    #[test]
    fn a_refused_directive_changes_nothing(all in directives(), new in terms()) {
        let before = state(all.clone());
        for one in all {
            let mut after = before.clone();
            let again = Directive { terms: new.clone(), ..one };
            prop_assert_eq!(after.apply(again), Err(PolicyError::DuplicateDirective));
            prop_assert_eq!(&after, &before);
        }
    }

    #[test]
    fn no_bytes_panic_and_what_is_read_is_canonical(bytes in vec(any::<u8>(), 0..80)) {
        if let Ok(state) = from_bytes::<PolicyState>(&bytes) {
            prop_assert_eq!(to_bytes(&state), bytes);
        }
    }

    #[test]
    fn a_changed_byte_gives_another_state_or_none(
        all in directives(), at in any::<prop::sample::Index>(), by in 1_u8..,
    ) {
        let state = state(all);
        let mut bytes = to_bytes(&state);
        let at = at.index(bytes.len());
        *bytes.get_mut(at).unwrap() ^= by;
        if let Ok(other) = from_bytes::<PolicyState>(&bytes) {
            prop_assert_ne!(&other, &state);
            prop_assert_eq!(to_bytes(&other), bytes);
        }
    }
}

#[test]
fn directives_out_of_order_or_twice_are_not_read() {
    let grant = |patient, id| directive(patient, id, 1, grant_to("any:*"));
    for (first, second) in [("P", "P"), ("P", "K")] {
        for (one, two) in [("d1", "d1"), ("d2", "d1")] {
            let bytes = to_bytes(&vec![grant(first, one), grant(second, two)]);
            let failed = from_bytes::<PolicyState>(&bytes).unwrap_err().to_string();
            assert!(failed.contains("increasing order"), "{failed}");
        }
    }
}

#[test]
fn no_byte_of_a_state_moves() {
    let state = state([
        directive("P", "G", 3, grant_to("actor:dr")),
        directive("K", "X", 2, Terms::Restrict(Restriction::default())),
        directive(
            "P",
            "A",
            4,
            Terms::Revoke(Revocation {
                target: symbol("G"),
            }),
        ),
    ]);
    let hex = to_bytes(&state)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
    assert_eq!(hex, include_str!("vectors/state.txt").trim());
}

#[test]
fn thirty_thousand_patients_are_applied_and_snapshot_in_a_moment() {
    // A snapshot that copied would take 30,000 times 30,000 steps.
    let mut state = PolicyState::new();
    let mut snapshots = Vec::new();
    for i in 0..30_000 {
        let patient = format!("p{i}");
        state
            .apply(directive(&patient, "G", 1, grant_to("org:H1")))
            .unwrap();
        snapshots.push(state.clone());
    }
    assert!(
        snapshots
            .iter()
            .zip(1..)
            .all(|(snapshot, len)| snapshot.len() == len)
    );
    assert_eq!(state.naming(&"org:H1".parse().unwrap()).count(), 30_000);
}
