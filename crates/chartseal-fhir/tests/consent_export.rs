//! A directive that PCF can express is the same directive after export and import.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::cell::Cell;

use chartseal_fhir::{Consent, ConsentOptions, Dialect, ExportError, Imported, PcfContext};
use chartseal_policy::{
    Action, Actor, Confidentiality, Declaration, Directive, Effect, EmergencyPolicy, Exception,
    Exceptions, Grant, Grantee, Issuer, MemoryWorld, Millis, Override, Patient, Position, Purpose,
    Record, Request, Restriction, Revocation, Scope, Set, Symbol, Terms, Time, Window, decide,
};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};

const PATIENT: &str = "Patient/ann";
const ACTORS: [&str; 3] = ["Practitioner/one", "Practitioner/two", PATIENT];
const RECORDS: [&str; 2] = ["Observation/one", "Observation/two"];
const AUTHORS: [&str; 2] = ["Practitioner/two", "Organization/lab"];
const ENCOUNTERS: [&str; 2] = ["Encounter/one", "Encounter/two"];
const TAGS: [&str; 5] = ["PSY", "SUD", "HIV", "SDV", "GDIS"];

fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

fn context() -> PcfContext {
    PcfContext {
        organization: "Organization/clinic".to_owned(),
        source: "DocumentReference/signed".to_owned(),
        policy: "urn:example:policy".to_owned(),
    }
}

fn options() -> ConsentOptions {
    let mut options = ConsentOptions::default();
    let on_call = "role:on-call".parse().unwrap();
    options.grantees.insert("Group/on-call".to_owned(), on_call);
    options
}

fn imported(terms: &Terms) -> Imported {
    Consent::import(SIMPLE, Dialect::Pcf, &ConsentOptions::default())
        .unwrap()
        .into_iter()
        .map(|one| Imported {
            terms: terms.clone(),
            ..one
        })
        .next()
        .unwrap()
}

const SIMPLE: &[u8] = br#"{"resourceType": "Consent", "status": "active",
  "scope": {"coding": [{"code": "patient-privacy",
    "system": "http://terminology.hl7.org/CodeSystem/consentscope"}]},
  "patient": {"reference": "Patient/ann"}, "performer": [{"reference": "Patient/ann"}],
  "dateTime": "1970-01-01T00:00:00.000Z",
  "provision": {"type": "deny"}}"#;

/// A set of some of these, now and then none.
fn some_of<T: Ord + Clone + std::fmt::Debug + 'static>(
    pool: Vec<T>,
) -> impl Strategy<Value = Set<T>> {
    let most = pool.len();
    let least = usize::from(most > 0);
    prop_oneof![19 => subsequence(pool, least..=most), 1 => Just(Vec::new())]
        .prop_map(|values| Set::new(values).unwrap())
}

fn symbols(pool: &[&str]) -> impl Strategy<Value = Set<Symbol>> + use<> {
    some_of(pool.iter().map(|text| symbol(text)).collect())
}

fn grantees() -> impl Strategy<Value = Set<Grantee>> {
    let named = [
        "any:*",
        "actor:Practitioner/one",
        "actor:Practitioner/two",
        "org:Organization/clinic",
        "role:on-call",
        "role:nurse",
    ];
    some_of(named.iter().map(|text| text.parse().unwrap()).collect())
}

fn window() -> impl Strategy<Value = Window> {
    (weighted(0.2, 0..60_u64), weighted(0.2, 0..60_u64)).prop_map(|(from, until)| Window {
        from: from.map(Time),
        until: until.map(Time),
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    let actions = prop_oneof![
        9 => Just(None),
        2 => Just(Some(Set::one(Action::Read))),
        2 => Just(Some(Set::new(Action::ALL.iter().copied()).unwrap())),
        1 => Just(Some(Set::one(Action::Export))),
    ];
    let purposes = weighted(0.8, some_of(Purpose::ALL.to_vec()));
    let records = weighted(0.15, symbols(&RECORDS));
    let encounters = weighted(0.15, symbols(&ENCOUNTERS));
    let authors = weighted(0.15, symbols(&AUTHORS));
    let conf = weighted(0.4, select(Confidentiality::ALL));
    let tags = weighted(0.3, symbols(&TAGS));
    let classes = weighted(0.03, symbols(&["laboratory"]));
    (
        (weighted(0.7, grantees()), purposes, actions, classes),
        (records, encounters, authors),
        (window(), conf, tags),
    )
        .prop_map(
            |((to, purposes, actions, classes), (records, encounters, authors), rest)| {
                let (data, conf, tags) = rest;
                Scope {
                    to,
                    purposes,
                    actions,
                    classes,
                    records,
                    encounters,
                    authors,
                    data,
                    conf,
                    tags,
                }
            },
        )
}

fn exceptions() -> impl Strategy<Value = Exceptions> {
    let node = (1..=2_u32, select(Effect::ALL), scope());
    prop_oneof![Just(Vec::new()).boxed(), vec(node, 1..3).boxed(),].prop_map(|nodes| {
        let mut above = 0;
        let nodes = nodes.into_iter().map(|(depth, effect, scope)| {
            let depth = depth.min(above + 1);
            above = depth;
            Exception {
                depth,
                effect,
                scope,
            }
        });
        Exceptions::new(nodes).unwrap()
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    (
        any::<bool>(),
        scope(),
        window(),
        exceptions(),
        any::<bool>(),
        0..10_u32,
    )
        .prop_map(|(is_grant, scope, window, except, nested_grants, odd)| {
            if is_grant {
                let delegable = u32::from(odd == 0);
                return Terms::Grant(Grant {
                    scope,
                    window,
                    delegable,
                    except,
                    ..Grant::default()
                });
            }
            let overridable = if odd == 0 {
                Override::Never
            } else {
                Override::Emergency
            };
            Terms::Restrict(Restriction {
                scope,
                window,
                overridable,
                except,
                nested_grants,
                ..Restriction::default()
            })
        })
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![Just(Action::Read), select(Action::ALL)]
}

#[derive(Clone, Debug)]
struct Asked {
    request: Request,
    record: Record,
    /// Beside the directive there is a grant of everything, so that a deny shows.
    is_open: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    let tags = prop_oneof![
        2 => Just(Set::default()),
        2 => symbols(&TAGS[..2]),
        1 => Just(Set::one(symbol("INBOX"))),
    ];
    let pick = |pool: &'static [&'static str]| select(pool).prop_map(symbol);
    (
        (
            pick(&ACTORS[..2]),
            pick(&RECORDS),
            action(),
            select(Purpose::ALL),
            0..60_u64,
        ),
        (
            select(Confidentiality::ALL),
            tags,
            weighted(0.5, pick(&AUTHORS)),
        ),
        (weighted(0.5, pick(&ENCOUNTERS)), 0..60_u64, any::<bool>()),
    )
        .prop_map(
            |((actor, id, action, purpose, time), (conf, tags, author), rest)| {
                let (encounter, authored, is_open) = rest;
                let record = Record {
                    patient: symbol(PATIENT),
                    class: symbol("laboratory"),
                    conf,
                    tags,
                    author,
                    encounter,
                    authored: Time(authored.min(time)),
                    release_at: None,
                };
                let request = Request {
                    actor,
                    patient: symbol(PATIENT),
                    record: id,
                    action: Some(action),
                    purpose: Some(purpose),
                    time: Time(time),
                    position: Position {
                        height: 9,
                        index: 0,
                    },
                };
                Asked {
                    request,
                    record,
                    is_open,
                }
            },
        )
}

fn world(asked: &Asked, terms: &Terms) -> MemoryWorld {
    let mut world = MemoryWorld::new();
    world.patients.insert(symbol(PATIENT), Patient::default());
    let nurse = Actor {
        org: Some(symbol("Organization/clinic")),
        roles: Set::one(symbol("nurse")),
        ..Actor::default()
    };
    let on_call = Actor {
        roles: Set::one(symbol("on-call")),
        ..Actor::default()
    };
    world.actors.insert(symbol(ACTORS[0]), nurse);
    world.actors.insert(symbol(ACTORS[1]), on_call);
    world
        .records
        .insert(asked.request.record.clone(), asked.record.clone());
    world.network.emergency = Some(EmergencyPolicy {
        ttl: Millis(1_000),
        roles: Set::one(symbol("on-call")),
        max_overdue: 3,
        allow_absolute: true,
    });
    let mut apply = |id: &str, issuer: &str, terms: Terms| {
        let directive = Directive {
            id: symbol(id),
            position: Position {
                height: 1,
                index: 0,
            },
            issuer: Issuer::Actor(symbol(issuer)),
            patient: symbol(PATIENT),
            issued: Some(Time(0)),
            terms,
        };
        world.apply(directive).unwrap();
    };
    apply("it", PATIENT, terms.clone());
    if asked.is_open {
        let mut open = Grant::to(Grantee::Any, Purpose::Treat);
        open.scope.purposes = Some(Set::new(Purpose::ALL.iter().copied()).unwrap());
        open.scope.actions = Some(Set::new(Action::ALL.iter().copied()).unwrap());
        open.scope.conf = Some(Confidentiality::V);
        open.scope.tags =
            Some(Set::new(TAGS.iter().chain(&["INBOX"]).map(|tag| symbol(tag))).unwrap());
        apply("open", PATIENT, Terms::Grant(open));
        let declared = Declaration {
            from: Time(0),
            has_reason: true,
            closed: None,
        };
        apply("trauma", ACTORS[1], Terms::Emergency(declared));
    }
    world
}

#[test]
fn export_and_import_decide_identically() {
    let (expressible, permits, denies) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(15_000)
    });
    let result = runner.run(&(terms(), vec(asked(), 24)), |(terms, asked)| {
        let before = imported(&terms);
        let Ok(json) = Consent::export_pcf(&before, &context(), &options()) else {
            return Ok(());
        };
        expressible.set(expressible.get() + 1);
        let after = Consent::import(&json, Dialect::Pcf, &options()).unwrap();
        let [after] = &*after else {
            panic!("{} directives from one", after.len())
        };
        prop_assert_eq!(&before.patient, &after.patient);
        prop_assert_eq!(&before.issuer, &after.issuer);
        prop_assert_eq!(before.issued, after.issued);
        for asked in asked {
            let before = decide(&world(&asked, &before.terms), &asked.request);
            let after = decide(&world(&asked, &after.terms), &asked.request);
            prop_assert_eq!(&before, &after);
            if before.by.contains(&symbol("it")) {
                let count = if before.effect == Effect::Permit {
                    &permits
                } else {
                    &denies
                };
                count.set(count.get() + 1);
            }
        }
        Ok(())
    });
    result.unwrap();
    let counts = [expressible.get(), permits.get(), denies.get()];
    println!("expressible, permits by it, denies by it: {counts:?}");
    assert!(counts.iter().all(|count| *count > 500), "{counts:?}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one row for each refusal")]
fn what_pcf_cant_say_is_refused_for_its_own_reason() {
    let grant = Grant::to("actor:Practitioner/one".parse().unwrap(), Purpose::Treat);
    let of_grant = |change: fn(&mut Grant)| {
        let mut grant = grant.clone();
        change(&mut grant);
        Terms::Grant(grant)
    };
    let of_restriction = |change: fn(&mut Restriction)| {
        let mut restriction = Restriction::default();
        change(&mut restriction);
        Terms::Restrict(restriction)
    };
    let bad = [
        (
            Terms::Revoke(Revocation {
                target: symbol("it"),
            }),
            ExportError::Kind,
        ),
        (of_grant(|it| it.delegable = 1), ExportError::Delegation),
        (
            of_grant(|it| it.parent = Some(symbol("it"))),
            ExportError::Delegation,
        ),
        (
            of_grant(|it| it.supersedes = Set::one(symbol("it"))),
            ExportError::Supersedes,
        ),
        (of_grant(|it| it.scope.to = None), ExportError::Void),
        (of_grant(|it| it.scope.purposes = None), ExportError::Void),
        (
            of_grant(|it| it.scope.to = Some(Set::default())),
            ExportError::EmptyList,
        ),
        (
            of_grant(|it| it.scope.to = Some(Set::one(Grantee::Role(symbol("nurse"))))),
            ExportError::Reference,
        ),
        (
            of_grant(|it| it.scope.to = Some(Set::one(Grantee::Actor(symbol("one"))))),
            ExportError::Reference,
        ),
        (
            of_grant(|it| it.scope.to = Some(Set::one(Grantee::Org(symbol("Patient/ann"))))),
            ExportError::Reference,
        ),
        (
            of_grant(|it| it.scope.actions = Some(Set::one(Action::Search))),
            ExportError::Actions,
        ),
        (
            of_grant(|it| it.scope.classes = Some(Set::one(symbol("laboratory")))),
            ExportError::Classes,
        ),
        (
            of_grant(|it| it.scope.tags = Some(Set::one(symbol("INBOX")))),
            ExportError::Tag,
        ),
        (
            of_grant(|it| it.window.until = Some(Time(0))),
            ExportError::EmptyWindow,
        ),
        (
            of_grant(|it| it.window.until = Some(Time(u64::MAX))),
            ExportError::Time,
        ),
        (
            of_grant(|it| it.except = tree([(1, Effect::Permit)])),
            ExportError::NestedPermit,
        ),
        (
            of_grant(|it| it.except = tree([(1, Effect::Deny), (2, Effect::Deny)])),
            ExportError::Depth,
        ),
        (
            of_restriction(|it| it.overridable = Override::Never),
            ExportError::Absolute,
        ),
        (
            of_restriction(|it| it.except = tree([(1, Effect::Permit)])),
            ExportError::NestedPermit,
        ),
        (
            of_restriction(|it| {
                it.scope.records = Some(Set::one(symbol(RECORDS[0])));
                it.scope.authors = Some(Set::one(symbol(AUTHORS[0])));
            }),
            ExportError::Data,
        ),
        (
            of_restriction(|it| {
                it.scope.conf = Some(Confidentiality::R);
                it.scope.tags = Some(Set::one(symbol("PSY")));
            }),
            ExportError::MixedLabels,
        ),
    ];
    for (terms, expected) in bad {
        let refused = Consent::export_pcf(&imported(&terms), &context(), &options());
        assert_eq!(refused, Err(expected));
    }
    let good = imported(&Terms::Grant(grant));
    let export = |one: &Imported| Consent::export_pcf(one, &context(), &options());
    assert!(export(&good).is_ok());
    let undated = Imported {
        issued: None,
        ..good.clone()
    };
    assert_eq!(export(&undated), Err(ExportError::NoDate));
    let unsigned = Imported {
        issuer: None,
        ..good
    };
    assert_eq!(export(&unsigned), Err(ExportError::NoIssuer));
}

fn tree<const N: usize>(nodes: [(u32, Effect); N]) -> Exceptions {
    let scope = Scope {
        purposes: Some(Set::one(Purpose::Treat)),
        ..Scope::default()
    };
    let node = |(depth, effect)| Exception {
        depth,
        effect,
        scope: scope.clone(),
    };
    Exceptions::new(nodes.map(node)).unwrap()
}
