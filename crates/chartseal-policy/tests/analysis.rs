//! The analyses answer exactly what asking `decide` about everything would.
#![cfg(feature = "json")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod states;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use chartseal_policy::{
    Access, Action, Directive, Effect, Expiring, Finding, MemoryWorld, Millis, Moment, PolicyError,
    Position, Purpose, Readable, Reader, Request, Status, Symbol, Terms, Time, dead_grants, decide,
    diff, expiring, json, overdue_reviews, validity, what_can_i_see, who_can_see,
};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// A state, a directive that somebody thinks of, and when; the requester of a plausible request.
#[derive(Clone, Debug)]
struct Scene {
    world: MemoryWorld,
    proposed: Option<Directive>,
    moment: Moment,
    actor: Symbol,
}

fn scenes() -> impl Strategy<Value = Scene> {
    let request = states::request().prop_map(states::plausible);
    let all = (
        states::world(),
        states::directives(),
        states::directives(),
        request,
    );
    all.prop_map(|(world, directives, others, request)| {
        // Mostly something new, sometimes the end of a grant that there is.
        let grant = directives.iter().find(|one| one["kind"] == "grant");
        let end = grant.filter(|_| others.len() % 2 == 0);
        let end = end.map(
            |grant| json!({"kind": "revoke", "issuer": grant["issuer"], "target": grant["id"]}),
        );
        let mut proposed = end.or_else(|| others.into_iter().next());
        if let Some(proposed) = &mut proposed {
            proposed["id"] = json!("new");
            proposed["seq"] = json!([10, 0]);
        }
        let proposed = Vec::from_iter(proposed);
        let with = read(&world, &[directives.clone(), proposed].concat(), &request);
        let case = read(&world, &directives, &request);
        let new = "new".parse().unwrap();
        Scene {
            proposed: with.world.policy.directive(&symbol("P"), &new).cloned(),
            world: case.world,
            moment: Moment {
                time: case.request.time,
                position: case.request.position,
            },
            actor: case.request.actor,
        }
    })
}

fn read(world: &Value, directives: &[Value], request: &Value) -> json::Case {
    let document = json!({"world": world, "cases": [
        {"n": 0, "directives": directives, "overrides": {}, "request": request}
    ]});
    json::read(document.to_string().as_bytes())
        .unwrap()
        .remove(0)
}

fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

fn ask(
    world: &MemoryWorld,
    actor: &Symbol,
    (record, action, purpose): (&Symbol, Action, Purpose),
    at: Moment,
) -> Request {
    Request {
        actor: actor.clone(),
        patient: world.records[record].patient.clone(),
        record: record.clone(),
        action: Some(action),
        purpose: Some(purpose),
        time: at.time,
        position: at.position,
    }
}

/// How often something happened in a test, so that no test holds of nothing.
#[derive(Default)]
struct Reached(RefCell<BTreeMap<&'static str, usize>>);

impl Reached {
    fn note(&self, what: &'static str, times: usize) {
        *self.0.borrow_mut().entry(what).or_default() += times;
    }
}

/// Tries scenes, and expects to have met everything `expected` some ten times at least.
fn holds(
    config: ProptestConfig,
    expected: &[&str],
    test: impl Fn(Scene, &Reached) -> Result<(), TestCaseError>,
) {
    let reached = Reached::default();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    TestRunner::new_with_rng(config, rng)
        .run(&scenes(), |scene| test(scene, &reached))
        .unwrap_or_else(|failure| panic!("{failure}"));
    let reached = reached.0.into_inner();
    println!("{reached:?}");
    for what in expected {
        assert!(
            reached.get(what).is_some_and(|count| *count >= 10),
            "{what}: {reached:?}"
        );
    }
}

#[test]
fn who_can_see_answers_exactly_the_pairs_for_which_decide_permits_a_read() {
    let config = states::config(150, 100_000);
    holds(
        config,
        &["readers"],
        |Scene { world, moment, .. }, reached| {
            for record in world.records.keys() {
                let mut readers = Vec::new();
                for actor in world.actors.keys() {
                    for purpose in Purpose::ALL.iter().copied() {
                        let request = ask(&world, actor, (record, Action::Read, purpose), moment);
                        if decide(&world, &request).effect == Effect::Permit {
                            readers.push(Reader {
                                actor: actor.clone(),
                                purpose,
                            });
                        }
                    }
                }
                reached.note("readers", readers.len());
                prop_assert_eq!(who_can_see(&world, record, moment), readers);
            }
            prop_assert!(who_can_see(&world, &symbol("r9"), moment).is_empty());
            Ok(())
        },
    );
}

#[test]
fn what_can_i_see_answers_exactly_the_reads_that_decide_permits() {
    let config = states::config(150, 100_000);
    holds(
        config,
        &["readable"],
        |Scene { world, moment, .. }, reached| {
            for actor in world.actors.keys().chain([&symbol("ghost")]) {
                let mut readable = BTreeSet::new();
                for (id, record) in &world.records {
                    for purpose in Purpose::ALL.iter().copied() {
                        let request = ask(&world, actor, (id, Action::Read, purpose), moment);
                        if decide(&world, &request).effect == Effect::Permit {
                            let patient = record.patient.clone();
                            readable.insert(Readable {
                                patient,
                                record: id.clone(),
                                purpose,
                            });
                        }
                    }
                }
                reached.note("readable", readable.len());
                prop_assert_eq!(
                    what_can_i_see(&world, actor, moment),
                    Vec::from_iter(readable)
                );
            }
            Ok(())
        },
    );
}

#[test]
fn diff_answers_exactly_what_decide_says_otherwise_with_the_directive() {
    let config = states::config(150, 10_000);
    holds(
        config,
        &["gained", "lost"],
        |Scene {
             world,
             proposed,
             moment,
             ..
         },
         reached| {
            let Some(proposed) = proposed else {
                return Ok(());
            };
            let Position { height, index } = proposed.position;
            let at = Moment {
                position: Position {
                    height,
                    index: index + 1,
                },
                ..moment
            };
            let mut with = world.clone();
            with.apply(proposed.clone()).unwrap();
            let (mut gained, mut lost) = (Vec::new(), Vec::new());
            for actor in world.actors.keys() {
                for (record, _) in world
                    .records
                    .iter()
                    .filter(|(_, one)| one.patient == proposed.patient)
                {
                    for action in Action::ALL.iter().copied() {
                        for purpose in Purpose::ALL.iter().copied() {
                            let request = ask(&world, actor, (record, action, purpose), at);
                            let before = decide(&world, &request).effect;
                            let after = decide(&with, &request).effect;
                            let access = Access {
                                actor: actor.clone(),
                                record: record.clone(),
                                action,
                                purpose,
                            };
                            match (before, after) {
                                (Effect::Deny, Effect::Permit) => gained.push(access),
                                (Effect::Permit, Effect::Deny) => lost.push(access),
                                _ => {}
                            }
                        }
                    }
                }
            }
            reached.note("gained", gained.len());
            reached.note("lost", lost.len());
            let diff_found = diff(&world, &proposed, moment.time).unwrap();
            prop_assert_eq!(diff_found.gained, gained);
            prop_assert_eq!(diff_found.lost, lost);
            prop_assert_eq!(
                diff(&with, &proposed, moment.time),
                Err(PolicyError::DuplicateDirective)
            );
            Ok(())
        },
    );
}

#[test]
fn a_diff_knows_that_every_restriction_shuts_what_is_not_yet_sorted() {
    let world = json!({
        "actors": {"dr1": {}}, "patients": {"P": {}},
        "records": {"r0": {"patient": "P", "class": "Obs", "tags": ["INBOX"], "authored": 0}},
    });
    let grant = json!({"kind": "grant", "id": "g", "seq": [1, 0], "issuer": "P", "patient": "P",
                       "to": ["actor:dr1"], "purposes": ["HRESCH"], "tags": ["INBOX"]});
    let restriction = json!({"kind": "restrict", "id": "new", "seq": [2, 0], "issuer": "P",
                             "patient": "P", "classes": ["Cond"]});
    let request = json!({"actor": "dr1", "patient": "P", "record": "r0", "action": "read",
                         "purpose": "HRESCH", "t": 100, "pos": [3, 0]});
    let before = read(&world, std::slice::from_ref(&grant), &request);
    let after = read(&world, &[grant, restriction], &request).world;
    let proposed = after
        .policy
        .directive(&symbol("P"), &symbol("new"))
        .unwrap();
    let change = diff(&before.world, proposed, before.request.time).unwrap();
    let shut = Access {
        actor: symbol("dr1"),
        record: symbol("r0"),
        action: Action::Read,
        purpose: Purpose::Hresch,
    };
    assert_eq!((change.gained, change.lost), (vec![], vec![shut]));
}

/// The generated bounds are round, and none is later.
fn times_from(time: Time) -> impl Iterator<Item = Time> {
    (time.0..=2_100).step_by(100).map(Time)
}

#[test]
fn a_grant_is_dead_if_it_is_valid_at_no_later_time() {
    let reached = ["dead", "alive"];
    holds(
        states::config(400, 100_000),
        &reached,
        |Scene { world, moment, .. }, reached| {
            let patient = symbol("P");
            let dead = dead_grants(&world, &patient, moment);
            for directive in world.policy.directives(&patient) {
                let is_grant = matches!(directive.terms, Terms::Grant(_));
                if !is_grant || directive.position >= moment.position {
                    prop_assert!(dead.iter().all(|one| one.id != directive.id));
                    continue;
                }
                let mut later = times_from(moment.time)
                    .map(|time| validity(&world, directive, Moment { time, ..moment }));
                let is_valid = later.any(|status| status.is_ok());
                let found = dead.iter().find(|one| one.id == directive.id);
                prop_assert_eq!(found.is_none(), is_valid, "{:?} {:?}", directive, found);
                reached.note(if is_valid { "alive" } else { "dead" }, 1);
            }
            Ok(())
        },
    );
}

#[test]
fn a_grant_whose_delegator_will_be_in_standing_again_in_time_is_not_dead() {
    let passed_on = |until: u64| {
        let world = json!({
            "actors": {"dr1": {"credential": [[0, 300], [600, 900]]}, "dr2": {}},
            "patients": {"P": {}}, "records": {},
        });
        let directives = [
            json!({"kind": "grant", "id": "g1", "seq": [1, 0], "issuer": "P", "patient": "P",
                   "to": ["actor:dr1"], "purposes": ["TREAT"], "delegable": 1}),
            json!({"kind": "grant", "id": "g2", "seq": [2, 0], "issuer": "dr1", "patient": "P",
                   "to": ["actor:dr2"], "purposes": ["TREAT"], "parent": "g1", "until": until}),
        ];
        let request = json!({"actor": "dr2", "patient": "P", "record": "r0", "action": "read",
                             "purpose": "TREAT", "t": 400, "pos": [9, 0]});
        let case = read(&world, &directives, &request);
        let dead = |time| {
            let position = case.request.position;
            let moment = Moment {
                time: Time(time),
                position,
            };
            dead_grants(&case.world, &symbol("P"), moment)
        };
        (dead(400), dead(900))
    };
    let lost = |all: &[Finding]| {
        all.iter()
            .any(|one| one.status == Status::DelegatorStanding)
    };
    let (between, after) = passed_on(1_000);
    assert!(between.is_empty(), "{between:?}");
    assert!(lost(&after), "{after:?}");
    // It ends before the delegator is back.
    assert!(lost(&passed_on(600).0));
    assert!(passed_on(601).0.is_empty());
}

#[test]
fn what_is_void_decides_nothing_and_what_decides_is_valid() {
    let reached = ["valid", "void", "revoked", "emergency"];
    holds(
        states::config(400, 100_000),
        &reached,
        |Scene {
             mut world,
             proposed,
             moment,
             actor,
             ..
         },
         reached| {
            let patient = symbol("P");
            if let Some(new) = proposed {
                world.apply(new).unwrap();
            }
            for record in world
                .records
                .keys()
                .filter(|id| world.records[*id].patient == patient)
            {
                for purpose in [Purpose::Treat, Purpose::Etreat, Purpose::Btg] {
                    let request = ask(&world, &actor, (record, Action::Read, purpose), moment);
                    for finding in decide(&world, &request).explanation {
                        let directive = world.policy.directive(&patient, &finding.id).unwrap();
                        let valid = validity(&world, directive, moment);
                        match &finding.status {
                            Status::Permits | Status::Denies => {
                                prop_assert_eq!(valid, Ok(()));
                                reached.note("valid", 1);
                            }
                            Status::Declares => {
                                prop_assert_eq!(valid, Ok(()));
                                reached.note("emergency", 1);
                            }
                            Status::Revoked { by } => {
                                let by = world.policy.directive(&patient, by).unwrap();
                                prop_assert_eq!(validity(&world, by, moment), Ok(()));
                                prop_assert!(valid.is_err());
                                reached.note("revoked", 1);
                            }
                            _ => reached.note("void", usize::from(valid.is_err())),
                        }
                    }
                }
            }
            Ok(())
        },
    );
}

#[test]
fn grants_that_expire_soon_are_those_that_are_valid_now_and_not_at_the_end() {
    let within = Millis(500);
    holds(
        states::config(400, 100_000),
        &["soon"],
        |Scene { world, moment, .. }, reached| {
            let patient = symbol("P");
            let soon = expiring(&world, &patient, moment, within);
            let mut expected = Vec::new();
            for directive in world.policy.directives(&patient) {
                let Terms::Grant(grant) = &directive.terms else {
                    continue;
                };
                let is_valid =
                    |time| validity(&world, directive, Moment { time, ..moment }).is_ok();
                if let Some(until) = grant.window.until
                    && is_valid(moment.time)
                    && until.0 <= moment.time.0 + within.0
                {
                    prop_assert!(!is_valid(until));
                    expected.push(Expiring {
                        until,
                        id: directive.id.clone(),
                    });
                }
            }
            expected.sort();
            reached.note("soon", soon.len());
            prop_assert_eq!(soon, expected);
            Ok(())
        },
    );
}

#[test]
fn a_past_position_is_replayed_as_it_was() {
    holds(
        states::config(150, 100_000),
        &["readers", "changed"],
        |Scene {
             world,
             moment,
             actor,
             ..
         },
         reached| {
            for height in 0..=7 {
                let at = Moment {
                    position: Position { height, index: 0 },
                    ..moment
                };
                let past = MemoryWorld {
                    policy: world.policy.before(at.position),
                    ..world.clone()
                };
                let record = symbol("r0");
                let readers = who_can_see(&world, &record, at);
                reached.note("readers", readers.len());
                reached.note(
                    "changed",
                    usize::from(readers != who_can_see(&world, &record, moment)),
                );
                prop_assert_eq!(&readers, &who_can_see(&past, &record, at));
                prop_assert_eq!(
                    what_can_i_see(&world, &actor, at),
                    what_can_i_see(&past, &actor, at)
                );
                let patient = symbol("P");
                prop_assert_eq!(
                    dead_grants(&world, &patient, at),
                    dead_grants(&past, &patient, at)
                );
            }
            Ok(())
        },
    );
}

#[test]
fn an_organization_that_is_late_with_reviews_is_named_once_and_barred_from_the_limit_on() {
    holds(
        states::config(200, 10_000),
        &["late", "barred", "not barred"],
        |Scene { world, .. }, reached| {
            let late = overdue_reviews(&world);
            let count = world.overdue.get(&symbol("H2")).copied().unwrap_or(0);
            let has_actor = world
                .actors
                .values()
                .any(|actor| actor.org == Some(symbol("H2")));
            if count == 0 || !has_actor {
                prop_assert!(late.is_empty());
                return Ok(());
            }
            prop_assert_eq!(late.len(), 1);
            let limit = world
                .network
                .emergency
                .as_ref()
                .map_or(0, |policy| policy.max_overdue);
            reached.note("late", 1);
            for one in late {
                prop_assert_eq!(
                    (&one.org, one.count, one.is_barred),
                    (&symbol("H2"), count, count >= limit)
                );
                reached.note(
                    if one.is_barred {
                        "barred"
                    } else {
                        "not barred"
                    },
                    1,
                );
            }
            Ok(())
        },
    );
}
