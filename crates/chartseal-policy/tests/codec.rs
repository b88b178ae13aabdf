//! Canonical bytes: one encoding for a value, frozen, and nothing else is read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use chartseal_codec::{Decode, Encode, from_bytes, to_bytes};
use chartseal_policy::{
    Action, Actor, Approval, Confidentiality, Declaration, Directive, Effect, EmergencyPolicy,
    Exception, Exceptions, Grant, Grantee, Guardian, Issuer, LawRule, Millis, Network, OrgRole,
    Override, Patient, Position, Purpose, Quorum, Record, Request, Restriction, Revocation, Scope,
    Set, Symbol, Terms, Time, Window,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

fn symbols<const N: usize>(texts: [&str; N]) -> Set<Symbol> {
    Set::new(texts.map(symbol)).unwrap()
}

fn between(from: u64, until: u64) -> Window {
    Window {
        from: Some(Time(from)),
        until: Some(Time(until)),
    }
}

fn visit() -> Terms {
    let grant = Grant::to(Grantee::actor("drNew").unwrap(), Purpose::Treat);
    Terms::Grant(Grant {
        window: between(900, 2_000),
        ..grant
    })
}

fn everything() -> Terms {
    let every_grantee = Set::new([
        Grantee::Any,
        Grantee::Actor(symbol("a")),
        Grantee::Org(symbol("o")),
        Grantee::Role(symbol("r")),
        Grantee::OrgRole(OrgRole {
            org: symbol("o"),
            role: symbol("r"),
        }),
    ]);
    let scope = Scope {
        to: Some(every_grantee.unwrap()),
        purposes: Some(Set::new(Purpose::ALL.iter().copied()).unwrap()),
        actions: Some(Set::new(Action::ALL.iter().copied()).unwrap()),
        classes: Some(symbols(["Condition", "Observation"])),
        records: Some(Set::default()),
        encounters: Some(symbols(["e1"])),
        authors: Some(symbols(["drOld"])),
        data: between(1, u64::MAX),
        conf: Some(Confidentiality::V),
        tags: Some(symbols(["PSY", "SUD"])),
    };
    let node = |depth, effect| Exception {
        depth,
        effect,
        scope: Scope::default(),
    };
    let tree = [
        node(1, Effect::Deny),
        node(2, Effect::Permit),
        node(1, Effect::Deny),
    ];
    Terms::Grant(Grant {
        scope,
        window: between(5, 6),
        delegable: 3,
        parent: Some(symbol("p")),
        supersedes: symbols(["s1", "s2"]),
        except: Exceptions::new(tree).unwrap(),
    })
}

fn never() -> Terms {
    Terms::Restrict(Restriction {
        scope: Scope {
            tags: Some(symbols(["PSY"])),
            ..Scope::default()
        },
        overridable: Override::Never,
        nested_grants: true,
        ..Restriction::default()
    })
}

/// Every frozen value by its name in `vectors/terms.txt`.
fn frozen() -> Vec<(&'static str, Terms)> {
    let closed = Some(Time(1_000));
    vec![
        ("grant: a visit", visit()),
        ("grant: every field", everything()),
        (
            "restrict: everything",
            Terms::Restrict(Restriction::default()),
        ),
        ("restrict: a tag, for good", never()),
        (
            "revoke",
            Terms::Revoke(Revocation {
                target: Symbol::new([0xab; 32]).unwrap(),
            }),
        ),
        (
            "approve",
            Terms::Approve(Approval {
                target: symbol("G"),
                at: Time(900),
            }),
        ),
        (
            "emergency: open",
            Terms::Emergency(Declaration {
                from: Time(950),
                has_reason: true,
                closed: None,
            }),
        ),
        (
            "emergency: closed, no reason",
            Terms::Emergency(Declaration {
                from: Time(950),
                has_reason: false,
                closed,
            }),
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[test]
fn no_byte_of_the_terms_moves() {
    let expected = include_str!("vectors/terms.txt");
    let mut actual = String::new();
    for (name, terms) in frozen() {
        writeln!(
            actual,
            "{name}
{}",
            hex(&to_bytes(&terms))
        )
        .unwrap();
    }
    assert_eq!(actual, expected, "the wire format changed:\n{actual}");
    for (_, terms) in frozen() {
        assert_eq!(from_bytes::<Terms>(&to_bytes(&terms)).unwrap(), terms);
    }
}

#[test]
fn no_byte_of_a_directive_moves() {
    let directive = Directive {
        id: symbol("R"),
        position: Position {
            height: 500,
            index: 2,
        },
        issuer: Issuer::Actor(symbol("P")),
        patient: symbol("P"),
        issued: Some(Time(7)),
        terms: Terms::Revoke(Revocation {
            target: symbol("G"),
        }),
    };
    assert_eq!(
        hex(&to_bytes(&directive)),
        "864152821901f402820141504150078203814147"
    );
    assert_eq!(hex(&to_bytes(&Issuer::Quorum)), "8102");
}

#[test]
fn codes_have_the_numbers_and_names_of_the_tables() {
    let purposes: Vec<_> = Purpose::ALL
        .iter()
        .map(|one| (one.wire(), one.as_str()))
        .collect();
    let names = [
        "TREAT", "COC", "ETREAT", "ERTREAT", "HPAYMT", "HOPERAT", "HRESCH", "CLINTRL", "PATRQT",
        "FAMRQT", "PWATRNY", "BTG", "PUBHLTH",
    ];
    assert_eq!(purposes, (1..).zip(names).collect::<Vec<_>>());
    let levels: Vec<_> = Confidentiality::ALL
        .iter()
        .map(|one| one.as_str())
        .collect();
    assert_eq!(levels, ["U", "L", "M", "N", "R", "V"]);
    assert!(Confidentiality::ALL.is_sorted());
    for purpose in Purpose::ALL {
        assert_eq!(purpose.as_str().parse(), Ok(*purpose));
        assert_eq!(from_bytes::<Purpose>(&to_bytes(purpose)), Ok(*purpose));
    }
    assert!("treat".parse::<Purpose>().is_err());
    assert!(from_bytes::<Purpose>(&[14]).is_err());
}

#[test]
fn a_list_out_of_order_or_repeated_is_refused() {
    let list = |items: &[u8]| {
        let mut bytes = vec![0x80 | u8::try_from(items.len()).unwrap()];
        bytes.extend(items);
        from_bytes::<Set<Action>>(&bytes)
    };
    assert!(list(&[1, 2]).is_ok());
    assert!(list(&[2, 1]).is_err());
    assert!(list(&[1, 1]).is_err());
}

#[test]
fn caps_hold_when_a_value_is_made_and_when_it_is_read() {
    let ids = |n: u32| (0..n).map(|i| Symbol::new(i.to_be_bytes()).unwrap());
    assert_eq!(Set::new(ids(4_096)).unwrap().len(), 4_096);
    assert!(Set::new(ids(4_097)).is_err());
    let mut too_long = vec![0x99, 0x10, 0x01];
    too_long.extend(ids(4_097).flat_map(|id| to_bytes(&id)));
    assert!(from_bytes::<Set<Symbol>>(&too_long).is_err());

    let node = |depth| Exception {
        depth,
        effect: Effect::Deny,
        scope: Scope::default(),
    };
    let wide = |n: usize| Exceptions::new((0..n).map(|_| node(1)));
    assert!(wide(256).is_ok() && wide(257).is_err());
    let deep = |n: u32| Exceptions::new((1..=n).map(node));
    assert!(deep(16).is_ok() && deep(17).is_err());
    assert!(Exceptions::new([node(1), node(3)]).is_err());
    assert!(Exceptions::new([node(0)]).is_err());
    let skips = to_bytes(&vec![node(1), node(3)]);
    assert!(from_bytes::<Exceptions>(&skips).is_err());

    assert!(
        Symbol::new([0; 64]).is_ok() && Symbol::new([0; 65]).is_err() && Symbol::new([]).is_err()
    );
    assert!(from_bytes::<Symbol>(&[0x40]).is_err());
}

fn any_symbol() -> impl Strategy<Value = Symbol> {
    vec(any::<u8>(), 1..=64).prop_map(|bytes| Symbol::new(bytes).unwrap())
}

fn set<T: Ord + std::fmt::Debug>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Set<T>> {
    vec(item, 0..5).prop_map(|items| Set::new(items).unwrap())
}

fn time() -> impl Strategy<Value = Time> {
    any::<u64>().prop_map(Time)
}

fn window() -> impl Strategy<Value = Window> {
    (of(time()), of(time())).prop_map(|(from, until)| Window { from, until })
}

fn grantee() -> impl Strategy<Value = Grantee> {
    prop_oneof![
        Just(Grantee::Any),
        any_symbol().prop_map(Grantee::Actor),
        any_symbol().prop_map(Grantee::Org),
        any_symbol().prop_map(Grantee::Role),
        (any_symbol(), any_symbol())
            .prop_map(|(org, role)| Grantee::OrgRole(OrgRole { org, role })),
    ]
}

fn purposes() -> impl Strategy<Value = Set<Purpose>> {
    set(select(Purpose::ALL))
}

fn scope() -> impl Strategy<Value = Scope> {
    let labels = || of(set(any_symbol()));
    (
        (
            of(set(grantee())),
            of(purposes()),
            of(set(select(Action::ALL))),
        ),
        (labels(), labels(), labels(), labels(), labels()),
        window(),
        of(select(Confidentiality::ALL)),
    )
        .prop_map(|(who, labels, data, conf)| Scope {
            to: who.0,
            purposes: who.1,
            actions: who.2,
            classes: labels.0,
            records: labels.1,
            encounters: labels.2,
            authors: labels.3,
            tags: labels.4,
            data,
            conf,
        })
}

fn exceptions() -> impl Strategy<Value = Exceptions> {
    vec((1_u32..=16, select(Effect::ALL), scope()), 0..4).prop_map(|nodes| {
        let mut above = 0;
        let nodes = nodes.into_iter().map(|(depth, effect, scope)| {
            above = depth.min(above + 1);
            Exception {
                depth: above,
                effect,
                scope,
            }
        });
        Exceptions::new(nodes).unwrap()
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    let grant = (
        scope(),
        window(),
        any::<u32>(),
        of(any_symbol()),
        set(any_symbol()),
        exceptions(),
    )
        .prop_map(|(scope, window, delegable, parent, supersedes, except)| {
            Terms::Grant(Grant {
                scope,
                window,
                delegable,
                parent,
                supersedes,
                except,
            })
        });
    let restriction = (
        scope(),
        window(),
        select(Override::ALL),
        set(any_symbol()),
        exceptions(),
        any::<bool>(),
    )
        .prop_map(
            |(scope, window, overridable, supersedes, except, nested_grants)| {
                Terms::Restrict(Restriction {
                    scope,
                    window,
                    overridable,
                    supersedes,
                    except,
                    nested_grants,
                })
            },
        );
    prop_oneof![
        4 => grant,
        4 => restriction,
        1 => any_symbol().prop_map(|target| Terms::Revoke(Revocation { target })),
        1 => (any_symbol(), time()).prop_map(|(target, at)| Terms::Approve(Approval { target, at })),
        1 => (time(), any::<bool>(), of(time())).prop_map(|(from, has_reason, closed)| {
            Terms::Emergency(Declaration { from, has_reason, closed })
        }),
    ]
}

fn directive() -> impl Strategy<Value = Directive> {
    let issuer = prop_oneof![any_symbol().prop_map(Issuer::Actor), Just(Issuer::Quorum)];
    (
        any_symbol(),
        any::<(u64, u32)>(),
        issuer,
        any_symbol(),
        of(time()),
        terms(),
    )
        .prop_map(
            |(id, (height, index), issuer, patient, issued, terms)| Directive {
                id,
                position: Position { height, index },
                issuer,
                patient,
                issued,
                terms,
            },
        )
}

fn returns<T: Encode + Decode + PartialEq + std::fmt::Debug>(
    value: &T,
) -> Result<(), TestCaseError> {
    let read = from_bytes::<T>(&to_bytes(value));
    prop_assert_eq!(read.as_ref(), Ok(value));
    Ok(())
}

proptest! {
    #[test]
    fn a_directive_returns_from_its_bytes(directive in directive()) {
        returns(&directive)?;
        returns(&directive.terms)?;
    }

    #[test]
    fn what_the_engine_reads_returns_from_its_bytes(
        id in any_symbol(), ids in set(any_symbol()), window in window(), time in time(),
        purposes in of(purposes()), conf in select(Confidentiality::ALL), n in any::<u32>(),
        some in any::<bool>(),
    ) {
        let maybe = Some(id.clone()).filter(|_| some);
        returns(&Actor {
            org: maybe.clone(),
            roles: ids.clone(),
            credential: Some(Set::one(window)).filter(|_| some),
            suspended_from: Some(time),
        })?;
        returns(&Patient {
            adult_from: time,
            minor_consent_from: Some(time).filter(|_| some),
            minor_private_tags: ids.clone(),
            guardians: Set::one(Guardian { actor: id.clone(), window }),
            quorum: Some(Quorum { k: n, members: ids.clone(), ttl: Some(Millis(time.0)) }),
        })?;
        returns(&Record {
            patient: id.clone(),
            class: id.clone(),
            conf,
            tags: ids.clone(),
            author: maybe.clone(),
            encounter: maybe,
            authored: time,
            release_at: Some(time).filter(|_| some),
        })?;
        returns(&Network {
            law: vec![LawRule {
                id: id.clone(),
                tags: Some(ids.clone()).filter(|_| some),
                purposes,
                unless: Set::one(Grantee::Any),
            }],
            emergency: Some(EmergencyPolicy {
                ttl: Millis(time.0), roles: ids, max_overdue: n, allow_absolute: some,
            }),
        })?;
        returns(&Request {
            actor: id.clone(),
            patient: id.clone(),
            record: id,
            action: Some(Action::Read).filter(|_| some),
            purpose: None,
            time,
            position: Position { height: time.0, index: n },
        })?;
    }

    #[test]
    fn whatever_is_read_has_these_bytes_and_no_others(
        terms in terms(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = to_bytes(&terms);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = from_bytes::<Terms>(&bytes) {
            prop_assert_eq!(to_bytes(&read), bytes);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(read) = from_bytes::<Terms>(&bytes) {
            prop_assert_eq!(to_bytes(&read), bytes.clone());
        }
        let _ = from_bytes::<Directive>(&bytes);
    }

    #[test]
    fn a_grantee_returns_from_its_text(org in "[!-.0-~]{1,20}", role in "[!-~]{1,20}") {
        let forms = [
            format!("actor:{role}"), format!("org:{role}"), format!("role:{role}"),
            format!("orgrole:{org}/{role}"), "any:*".to_owned(),
        ];
        for form in forms {
            prop_assert_eq!(form.parse::<Grantee>().unwrap().to_string(), form);
        }
    }
}

#[test]
fn a_grantee_of_another_form_is_refused() {
    for text in [
        "",
        "any",
        "any:",
        "any:all",
        "actor",
        "actor:",
        "group:a",
        "orgrole:o",
        "orgrole:o/",
        "orgrole:/r",
        "Any:*",
    ] {
        assert!(text.parse::<Grantee>().is_err(), "{text}");
    }
}

#[test]
fn a_hostile_tree_is_refused_without_recursion() {
    // A list of nodes is flat, so the deepest nesting that a decoder meets is that of the types.
    let nested = vec![0x81; 100_000];
    assert!(from_bytes::<Terms>(&nested).is_err());
}
