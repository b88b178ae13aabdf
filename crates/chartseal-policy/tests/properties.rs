//! What the semantics page says must hold for all inputs, over 100,000 generated states and more for
//! each property. `CHARTSEAL_MODEL_HISTORIES` sets the number of histories that they come from.
#![cfg(feature = "json")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod histories;
mod states;

use std::borrow::Cow;
use std::cell::Cell;

use chartseal_policy::{
    Action, Actor, Code, Decision, Directive, Effect, Grantee, Issuer, MemoryWorld, Moment,
    Network, Patient, PolicyState, Position, Purpose, Reader, Record, Request, Restriction,
    Revocation, Scope, Set, Symbol, Terms, World, decide, who_can_see,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use histories::History;

/// Tries a property on many histories; it says of how many states it was seen to hold.
fn holds<S: Strategy>(
    with: S,
    property: impl Fn(History, S::Value) -> Result<usize, TestCaseError>,
) {
    let ordinary = if states::is_long() { 150_000 } else { 15_000 };
    let histories = histories::asked().unwrap_or(ordinary);
    let tried = Cell::new(0);
    histories::runner(histories, 0)
        .run(&(History::any(3), with), |(history, with)| {
            tried.set(tried.get() + property(history, with)?);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    println!("{} states", tried.get());
    assert!(histories < ordinary || tried.get() >= 100_000);
}

/// Shows each state of a history in turn, the one without directives first, with a request.
fn each_state(
    history: &History,
    mut show: impl FnMut(&MemoryWorld, &Request) -> Result<(), TestCaseError>,
) -> Result<usize, TestCaseError> {
    let read = history.read();
    let mut world = read.world;
    let mut requests = read.requests.iter().cycle();
    let directives = read.directives.into_iter().flatten().map(Some);
    let mut states = 0;
    for directive in std::iter::once(None).chain(directives) {
        if let Some(directive) = directive {
            world.apply(directive).unwrap();
        }
        show(&world, requests.next().unwrap())?;
        states += 1;
    }
    Ok(states)
}

/// The same world with one more directive.
fn with(world: &MemoryWorld, directive: &Directive) -> MemoryWorld {
    let mut world = world.clone();
    world.apply(directive.clone()).unwrap();
    world
}

/// A directive without exceptions, that supersedes nothing.
fn plain(directive: impl Strategy<Value = Value>) -> impl Strategy<Value = Directive> {
    (directive, 0..=6).prop_map(|(mut written, height)| {
        let fields = written.as_object_mut().unwrap();
        fields.remove("except");
        fields.remove("supersedes");
        written = states::merge(written, &json!({"id": "new", "seq": [height, 0]}));
        let history = History {
            world: json!({"actors": {}, "patients": {}, "records": {}}),
            directives: vec![written],
            requests: vec![
                json!({"actor": "P", "patient": "P", "record": "r0", "action": "read",
                                  "purpose": "TREAT", "t": 0, "pos": [0, 0]}),
            ],
        };
        history.read().directives.remove(0).unwrap()
    })
}

/// The grants of the patient whom the request is about.
fn grants<'a>(world: &'a MemoryWorld, request: &Request) -> impl Iterator<Item = &'a Directive> {
    let all = world.policy.directives(&request.patient).iter();
    all.filter(|one| matches!(one.terms, Terms::Grant(_)))
}

/// A directive that comes after all that are generated, and before most requests.
fn last(issuer: Issuer, patient: &Symbol, terms: Terms) -> Directive {
    Directive {
        id: symbol("last"),
        position: Position {
            height: 7,
            index: 0,
        },
        issuer,
        patient: patient.clone(),
        issued: None,
        terms,
    }
}

fn revocation(of: &Directive) -> Terms {
    Terms::Revoke(Revocation {
        target: of.id.clone(),
    })
}

fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

#[test]
fn adding_a_restriction_never_opens() {
    holds(plain(states::restriction()), |history, new| {
        each_state(&history, |world, request| {
            let before = decide(world, request).effect;
            let after = decide(&with(world, &new), request).effect;
            prop_assert!(before == Effect::Permit || after == Effect::Deny);
            Ok(())
        })
    });
}

#[test]
fn adding_a_grant_never_closes() {
    holds(plain(states::grant()), |history, new| {
        each_state(&history, |world, request| {
            let before = decide(world, request).effect;
            let after = decide(&with(world, &new), request).effect;
            prop_assert!(before == Effect::Deny || after == Effect::Permit);
            Ok(())
        })
    });
}

#[test]
fn revoking_a_grant_never_opens() {
    holds("P|mum|dr1", |mut history, issuer| {
        for one in &mut history.directives {
            if one["kind"] == "grant" {
                one.as_object_mut().unwrap().remove("except");
            }
        }
        let issuer = Issuer::Actor(symbol(&issuer));
        each_state(&history, |world, request| {
            let before = decide(world, request).effect;
            for target in grants(world, request) {
                let end = last(issuer.clone(), &request.patient, revocation(target));
                let after = decide(&with(world, &end), request).effect;
                prop_assert!(before == Effect::Permit || after == Effect::Deny);
            }
            Ok(())
        })
    });
}

/// Whether a grant that its own issuer ended, so, is a basis after all.
fn an_end_is_final(ends: impl Fn(&Directive) -> Terms) {
    holds(Just(()), |history, ()| {
        each_state(&history, |world, request| {
            for target in grants(world, request) {
                let end = last(target.issuer.clone(), &request.patient, ends(target));
                let after = decide(&with(world, &end), request);
                let counts = request.position > end.position;
                prop_assert!(!counts || !after.by.contains(&target.id));
            }
            Ok(())
        })
    });
}

#[test]
fn a_revoked_grant_is_never_a_basis() {
    an_end_is_final(revocation);
}

#[test]
fn a_superseded_grant_is_never_a_basis() {
    an_end_is_final(|target| {
        Terms::Restrict(Restriction {
            scope: Scope {
                to: Some(Set::<Grantee>::default()),
                ..Scope::default()
            },
            supersedes: Set::one(target.id.clone()),
            ..Restriction::default()
        })
    });
}

#[test]
fn the_order_of_storage_changes_nothing() {
    holds(any::<prop::sample::Index>(), |history, by| {
        each_state(&history, |world, request| {
            let mut other = world.policy.directives(&request.patient).to_vec();
            other.reverse();
            let shift = by.index(other.len().max(1));
            other.rotate_left(shift);
            let mut shuffled = world.clone();
            shuffled.policy = PolicyState::new();
            for directive in other {
                shuffled.apply(directive).unwrap();
            }
            prop_assert_eq!(decide(world, request), decide(&shuffled, request));
            Ok(())
        })
    });
}

#[test]
fn another_patients_directives_change_nothing() {
    let others = states::directives().prop_map(|directives| {
        let of_k = directives.into_iter().enumerate().map(|(i, mut one)| {
            one["id"] = json!(format!("other{i}"));
            if one.get("patient").is_some() {
                one["patient"] = json!("K");
            }
            one
        });
        of_k.collect::<Vec<_>>()
    });
    holds(others, |history, others| {
        // What they say of directives that are P's, K says: all of them are K's.
        let theirs = History {
            directives: [history.directives.clone(), others].concat(),
            ..history.clone()
        };
        let k = symbol("K");
        let read = theirs.read().directives.into_iter().flatten();
        let foreign = read.filter(|one| one.id.to_string().starts_with("other"));
        let foreign: Vec<_> = foreign
            .map(|one| Directive {
                patient: k.clone(),
                ..one
            })
            .collect();
        each_state(&history, |world, request| {
            if request.patient == k {
                return Ok(());
            }
            let mut fuller = world.clone();
            for one in &foreign {
                fuller.apply(one.clone()).unwrap();
            }
            prop_assert_eq!(decide(world, request), decide(&fuller, request));
            Ok(())
        })
    });
}

#[test]
fn every_permit_but_the_familys_names_its_basis() {
    holds(Just(()), |history, ()| {
        each_state(&history, |world, request| {
            let decision = decide(world, request);
            let family = matches!(decision.code, Code::Own | Code::Guardian);
            let denied = decision.effect == Effect::Deny;
            prop_assert!(denied || family || !decision.by.is_empty());
            prop_assert!(!denied || decision.obligations.is_empty());
            prop_assert!(decision.by.is_sorted() && decision.obligations.is_sorted());
            Ok(())
        })
    });
}

#[test]
fn emergencies_change_nothing_unless_the_glass_is_broken() {
    holds(Just(()), |history, ()| {
        each_state(&history, |world, request| {
            if request.purpose == Some(Purpose::Btg) {
                return Ok(());
            }
            let mut rest = world.clone();
            rest.policy = PolicyState::new();
            let all = world.policy.directives(&request.patient).iter();
            for one in all.filter(|one| !matches!(one.terms, Terms::Emergency(_))) {
                rest.apply(one.clone()).unwrap();
            }
            let before = decide(world, request);
            let after = Decision {
                explanation: before.explanation.clone(),
                ..decide(&rest, request)
            };
            prop_assert_eq!(before, after);
            Ok(())
        })
    });
}

#[test]
fn who_can_see_answers_exactly_what_decide_permits() {
    holds(Just(()), |history, ()| {
        each_state(&history, |world, request| {
            let Some(record) = world.records.get(&request.record) else {
                return Ok(());
            };
            let mut readers = Vec::new();
            for actor in world.actors.keys() {
                for purpose in Purpose::ALL.iter().copied() {
                    let read = Request {
                        actor: actor.clone(),
                        patient: record.patient.clone(),
                        action: Some(Action::Read),
                        purpose: Some(purpose),
                        ..request.clone()
                    };
                    if decide(world, &read).effect == Effect::Permit {
                        let actor = actor.clone();
                        readers.push(Reader { actor, purpose });
                    }
                }
            }
            let moment = Moment {
                time: request.time,
                position: request.position,
            };
            prop_assert_eq!(who_can_see(world, &request.record, moment), readers);
            Ok(())
        })
    });
}

#[test]
fn blinded_labels_give_the_same_answers() {
    holds(any::<u8>(), |history, key| {
        let hide = |value: &Value| hidden(value.clone(), key);
        let hide_all = |values: &[Value]| values.iter().map(hide).collect();
        let blind = History {
            world: hide(&history.world),
            directives: hide_all(&history.directives),
            requests: hide_all(&history.requests),
        };
        let mut plain = Vec::new();
        each_state(&history, |world, request| {
            plain.push(decide(world, request));
            Ok(())
        })?;
        let mut plain = plain.into_iter();
        let gated = ["PSY", "SUD", "HIV", "SDV", "GDIS", "INBOX"];
        let gated = gated.map(|tag| symbol(&label(tag, key)));
        each_state(&blind, |world, request| {
            let mut world = world.clone();
            world.gated = gated.iter().cloned().collect();
            let blinded = Blinded { world, key };
            prop_assert_eq!(plain.next(), Some(decide(&blinded, request)));
            Ok(())
        })
    });
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
