//! Generated worlds, directives and requests, as JSON: a few ids and round times, so that what is
//! generated meets.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

/// Whether `CHARTSEAL_LONG` asks for a long run.
pub(crate) fn is_long() -> bool {
    std::env::var_os("CHARTSEAL_LONG").is_some()
}

/// How a test tries so many cases, and so many in a long run. What a strategy or an assumption throws
/// away does not count, however much it is.
pub(crate) fn config(ordinary: u32, long: u32) -> ProptestConfig {
    ProptestConfig {
        cases: if is_long() { long } else { ordinary },
        max_local_rejects: u32::MAX,
        max_global_rejects: u32::MAX,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// An object of the fields that are there.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let present = fields
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}

/// An object with the fields of two.
pub(crate) fn merge(mut left: Value, right: &Value) -> Value {
    for (key, value) in right.as_object().unwrap() {
        left[key] = value.clone();
    }
    left
}

fn time() -> impl Strategy<Value = u64> {
    (0_u64..=20).prop_map(|step| step * 100)
}

fn maybe<T: Strategy>(chance: f64, strategy: T) -> impl Strategy<Value = Option<Value>>
where
    T::Value: Into<Value>,
{
    weighted(chance, strategy.prop_map(Into::into))
}

/// Some of these, seldom none.
fn some_of(all: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let most = all.len().min(3);
    prop_oneof![
        12 => subsequence(all, 1..=most),
        1 => Just(vec![]),
    ]
    .prop_map(|items| json!(items))
}

fn window() -> impl Strategy<Value = Value> {
    (weighted(0.5, time()), weighted(0.5, time())).prop_map(|(from, until)| json!([from, until]))
}

const TAGS: &[&str] = &["PSY", "SUD", "SDV", "TEEN", "INBOX"];
const GRANTEES: &[&str] = &[
    "actor:dr1",
    "actor:dr2",
    "actor:er",
    "actor:mum",
    "org:H1",
    "role:physician",
    "orgrole:H1/nurse",
    "orgrole:H1/physician",
    "any:*",
];
const PURPOSES: &[&str] = &["TREAT", "ETREAT", "COC", "HRESCH", "BTG", "FAMRQT"];
/// Grantees that mostly include somebody who asks.
fn grantees() -> impl Strategy<Value = Value> {
    prop_oneof![2 => Just(json!(["any:*"])), 3 => some_of(GRANTEES)]
}

/// Purposes that mostly include one that is asked for.
fn purposes() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => Just(json!(["TREAT"])),
        1 => Just(json!(["BTG", "TREAT"])),
        3 => some_of(PURPOSES),
    ]
}

const IDS: &[&str] = &[
    "d0", "d1", "d2", "d3", "d4", "g1", "g2", "g3", "q", "nowhere",
];

fn actor(org: &'static str, role: &'static str) -> impl Strategy<Value = Value> {
    let credential = prop_oneof![
        Just(json!([])),
        vec(window(), 1..3).prop_map(|all| json!(all))
    ];
    let role = prop_oneof![8 => Just(vec![role]), 1 => Just(vec![])];
    (
        maybe(0.08, credential),
        maybe(0.04, time()),
        maybe(0.9, Just(org)),
        role,
    )
        .prop_map(|(credential, suspended, org, roles)| {
            object([
                ("credential", credential),
                ("suspended_from", suspended),
                ("org", org),
                ("roles", Some(json!(roles))),
            ])
        })
}

fn actors() -> impl Strategy<Value = Value> {
    (
        actor("H1", "physician"),
        actor("H2", "physician"),
        actor("H1", "nurse"),
        actor("H2", "emergency"),
        actor("home", "kin"),
    )
        .prop_map(|(dr1, dr2, nurse, er, mum)| {
            json!({"dr1": dr1, "dr2": dr2, "nurse": nurse, "er": er, "mum": mum,
                   "dad": {"org": "home"}, "P": {}, "K": {}})
        })
}

fn patient() -> impl Strategy<Value = Value> {
    let quorum = (
        1_u32..=2,
        subsequence(&["mum", "dad", "dr2"], 1..=3),
        maybe(0.7, time()),
    )
        .prop_map(|(k, members, ttl)| {
            object([
                ("k", Some(json!(k))),
                ("members", Some(json!(members))),
                ("ttl", ttl),
            ])
        });
    let guardians = (maybe(0.7, window()), maybe(0.4, window()))
        .prop_map(|(mum, dad)| object([("mum", mum), ("dad", dad)]));
    let adult = prop_oneof![2 => Just(None), 1 => time().prop_map(|t| Some(json!(t)))];
    (
        adult,
        maybe(0.5, time()),
        maybe(0.4, some_of(&["SDV", "TEEN"])),
        guardians,
        maybe(0.6, quorum),
    )
        .prop_map(|(adult, consent, private, guardians, quorum)| {
            object([
                ("adult_from", adult),
                ("minor_consent_from", consent),
                ("minor_private_tags", private),
                ("guardians", Some(guardians)),
                ("quorum", quorum),
            ])
        })
}

fn record() -> impl Strategy<Value = Value> {
    let tags = prop_oneof![3 => Just(json!([])), 2 => some_of(TAGS)];
    (
        prop_oneof![30 => Just("P"), 1 => Just("K")],
        select(&["Obs", "Cond"]),
        maybe(0.5, select(&["U", "L", "M", "N", "R", "V"])),
        tags,
        maybe(0.8, select(&["dr1", "dr2"])),
        maybe(0.8, select(&["e1", "e2"])),
        (0_u64..=6).prop_map(|step| step * 100),
        maybe(0.15, time()),
    )
        .prop_map(
            |(patient, class, conf, tags, author, encounter, authored, release)| {
                object([
                    ("patient", Some(json!(patient))),
                    ("class", Some(json!(class))),
                    ("conf", conf),
                    ("tags", Some(tags)),
                    ("author", author),
                    ("encounter", encounter),
                    ("authored", Some(json!(authored))),
                    ("release_at", release),
                ])
            },
        )
}

fn law() -> impl Strategy<Value = Value> {
    let unless = some_of(GRANTEES).prop_map(|to| json!({"to": to}));
    (
        maybe(0.6, some_of(TAGS)),
        maybe(0.8, some_of(PURPOSES)),
        maybe(0.5, unless),
    )
        .prop_map(|(tags, purposes, unless)| {
            object([
                ("effect", Some(json!("deny"))),
                ("tags", tags),
                ("purposes", purposes),
                ("unless", unless),
            ])
        })
}

pub(crate) fn world() -> BoxedStrategy<Value> {
    let policy =
        (time(), any::<bool>(), 1_u32..=2).prop_map(|(ttl, allow_absolute, max_overdue)| {
            json!({"ttl": ttl * 2, "roles": ["emergency"], "max_overdue": max_overdue,
               "allow_absolute": allow_absolute})
        });
    let law = vec(law(), 0..=1);
    let overdue = subsequence(vec!["a", "b"], 0..=2);
    (
        actors(),
        patient(),
        vec(record(), 3),
        maybe(0.9, policy),
        maybe(0.3, law),
        overdue,
    )
        .prop_map(|(actors, patient, records, policy, law, overdue)| {
            let law = law.map(|law| {
                let named = law.as_array().unwrap().iter().enumerate();
                let rules = named.map(|(i, rule)| merge(json!({"id": format!("law{i}")}), rule));
                json!(rules.collect::<Vec<_>>())
            });
            object([
                ("actors", Some(actors)),
                ("patients", Some(json!({"P": patient, "K": {}}))),
                (
                    "records",
                    Some(json!({"r0": records[0], "r1": records[1], "r2": records[2]})),
                ),
                ("emergency_policy", policy),
                ("law", law),
                ("overdue_reviews", Some(json!({"H2": overdue}))),
            ])
        })
        .boxed()
}

/// Selectors; `chance` is that of each to be there.
fn scope(chance: f64) -> impl Strategy<Value = Value> {
    let lists = (
        maybe(
            chance,
            some_of(&["read", "search", "create", "amend", "export"]),
        ),
        maybe(chance, some_of(&["Obs", "Cond"])),
        maybe(chance, some_of(&["r0", "r1", "r2"])),
        maybe(chance, some_of(&["e1", "e2"])),
        maybe(chance, some_of(&["dr1", "dr2"])),
        maybe(chance * 2.0, some_of(TAGS)),
    );
    let bounds = (maybe(chance, time()), maybe(chance, time()));
    let level = || select(&["U", "L", "M", "N", "R", "V"]);
    let levels = (maybe(0.5, level()), maybe(chance, level()));
    (lists, bounds, levels).prop_map(|(lists, bounds, levels)| {
        object([
            ("actions", lists.0),
            ("classes", lists.1),
            ("records", lists.2),
            ("encounters", lists.3),
            ("authors", lists.4),
            ("tags", lists.5),
            ("data_from", bounds.0),
            ("data_until", bounds.1),
            ("conf", levels.0),
            ("conf_at_least", levels.1),
        ])
    })
}

fn node() -> impl Strategy<Value = Value> {
    let flat = (
        select(&["permit", "deny"]),
        maybe(0.4, grantees()),
        maybe(0.7, purposes()),
        scope(0.1),
    )
        .prop_map(|(effect, to, purposes, scope)| {
            merge(
                object([
                    ("effect", Some(json!(effect))),
                    ("to", to),
                    ("purposes", purposes),
                ]),
                &scope,
            )
        });
    flat.prop_recursive(3, 6, 2, |inner| {
        (inner.clone(), vec(inner, 0..=2))
            .prop_map(|(node, except)| merge(node, &json!({"except": except})))
    })
}

/// What a grant and a restriction share.
fn consent(named: f64) -> impl Strategy<Value = Value> {
    let who = (
        prop_oneof![6 => Just("P"), 2 => Just("mum"), 1 => Just("dad"), 1 => Just("dr1")],
        prop_oneof![40 => Just("P"), 1 => Just("K")],
        maybe(0.97, grantees()),
        maybe(named, purposes()),
    );
    let when = (maybe(0.6, time()), maybe(0.25, time()), maybe(0.25, time()));
    let except = prop_oneof![3 => Just(None), 1 => vec(node(), 1..=2).prop_map(|e| Some(json!(e)))];
    (who, when, scope(0.08), except, maybe(0.1, some_of(IDS))).prop_map(
        |(who, when, scope, except, supersedes)| {
            let fields = object([
                ("issuer", Some(json!(who.0))),
                ("patient", Some(json!(who.1))),
                ("to", who.2),
                ("purposes", who.3),
                ("issued", when.0),
                ("from", when.1),
                ("until", when.2),
                ("except", except),
                ("supersedes", supersedes),
            ]);
            merge(fields, &scope)
        },
    )
}

pub(crate) fn grant() -> impl Strategy<Value = Value> {
    (
        consent(0.95),
        maybe(0.15, select(IDS)),
        maybe(0.2, 0_u32..3),
    )
        .prop_map(|(consent, parent, delegable)| {
            let own = object([
                ("kind", Some(json!("grant"))),
                ("parent", parent),
                ("delegable", delegable),
            ]);
            merge(consent, &own)
        })
}

pub(crate) fn restriction() -> impl Strategy<Value = Value> {
    (
        consent(0.3),
        maybe(0.4, select(&["emergency", "never"])),
        maybe(0.4, any::<bool>()),
    )
        .prop_map(|(consent, overridable, nested)| {
            let own = object([
                ("kind", Some(json!("restrict"))),
                ("override", overridable),
                ("nested_grants", nested),
            ]);
            merge(consent, &own)
        })
}

fn revocation() -> impl Strategy<Value = Value> {
    (select(&["P", "mum", "dr1", "dr2", "quorum"]), select(IDS))
        .prop_map(|(issuer, target)| json!({"kind": "revoke", "issuer": issuer, "target": target}))
}

fn approval() -> impl Strategy<Value = Value> {
    (
        select(&["mum", "dad", "dr2"]),
        select(IDS),
        maybe(0.8, time()),
    )
        .prop_map(|(guardian, target, t)| {
            object([
                ("kind", Some(json!("approve"))),
                ("guardian", Some(json!(guardian))),
                ("target", Some(json!(target))),
                ("t", t),
            ])
        })
}

fn emergency() -> impl Strategy<Value = Value> {
    let reason = prop_oneof![9 => Just("trauma"), 1 => Just(""), 1 => Just(" \t\r\n")];
    let actor = prop_oneof![3 => Just("er"), 1 => Just("dr1")];
    (
        actor,
        (0_u64..=10).prop_map(|step| step * 100),
        reason,
        maybe(0.2, time()),
    )
        .prop_map(|(actor, from, reason, closed)| {
            object([
                ("kind", Some(json!("emergency"))),
                ("actor", Some(json!(actor))),
                ("patient", Some(json!("P"))),
                ("from", Some(json!(from))),
                ("reason", Some(json!(reason))),
                ("closed", closed),
            ])
        })
}

/// What makes one grant of a chain another than the rest, mostly so that the chain does not hold.
fn twist() -> impl Strategy<Value = (usize, Value)> {
    let fields = prop_oneof![
        2 => (0_u32..=2).prop_map(|times| json!({"delegable": times})),
        2 => node().prop_map(|node| json!({"except": [node]})),
        2 => grantees().prop_map(|to| json!({"to": to})),
        1 => select(&["P", "mum", "dr1", "dr2", "quorum"]).prop_map(|by| json!({"issuer": by})),
        1 => Just(json!({"patient": "K"})),
        1 => some_of(IDS).prop_map(|ids| json!({"supersedes": ids})),
    ];
    (0_usize..3, fields)
}

/// Three grants passed on, each a copy of the one before it but for a field or two.
fn delegation() -> impl Strategy<Value = Vec<Value>> {
    let change = || {
        prop_oneof![8 => Just(json!({})), 1 => scope(0.1), 1 => window().prop_map(|window| {
            object([
                ("from", Some(window[0].clone()).filter(Value::is_number)),
                ("until", Some(window[1].clone()).filter(Value::is_number)),
            ])
        })]
    };
    let purposes = subsequence(vec!["TREAT", "ETREAT", "BTG"], 1..=2);
    (
        scope(0.05),
        purposes,
        change(),
        change(),
        change(),
        any::<bool>(),
        weighted(0.3, twist()),
    )
        .prop_map(|(scope, purposes, first, second, third, to_er, twist)| {
            let last = if to_er { "actor:er" } else { "actor:nurse" };
            let mut grants: Vec<Value> = Vec::new();
            let mut last_scope = merge(scope, &json!({"purposes": purposes}));
            for (i, (issuer, to, change)) in [
                ("P", "actor:dr1", first),
                ("dr1", "actor:dr2", second),
                ("dr2", last, third),
            ]
            .into_iter()
            .enumerate()
            {
                last_scope = merge(last_scope, &change);
                let mut grant = merge(
                    last_scope.clone(),
                    &json!({"kind": "grant", "id": format!("g{}", i + 1), "issuer": issuer,
                            "patient": "P", "to": [to], "delegable": 2 - i, "seq": [2 + i, 0]}),
                );
                if i > 0 {
                    grant["parent"] = json!(format!("g{i}"));
                }
                grants.push(grant);
            }
            if let Some((at, fields)) = twist {
                grants[at] = merge(grants[at].take(), &fields);
            }
            grants
        })
}

/// A quorum's grant with approvals.
fn by_quorum() -> impl Strategy<Value = Vec<Value>> {
    let approvals = vec((approval(), 1_u64..=3), 1..=3);
    (consent(0.95), approvals).prop_map(|(consent, approvals)| {
        let grant = json!({"kind": "grant", "id": "q", "issuer": "quorum", "seq": [3, 1]});
        let approvals = approvals
            .into_iter()
            .enumerate()
            .map(|(i, (approval, height))| {
                let own = json!({"id": format!("a{i}"), "seq": [height, 1], "target": "q"});
                merge(approval, &own)
            });
        std::iter::once(merge(consent, &grant))
            .chain(approvals)
            .collect()
    })
}

/// A declared emergency, and a restriction that may be absolute.
fn glass() -> impl Strategy<Value = Vec<Value>> {
    (0_u64..=6, scope(0.05), select(&["emergency", "never"])).prop_map(
        |(step, scope, overridable)| {
            let declared = json!({"kind": "emergency", "id": "e0", "seq": [1, 0], "actor": "er",
                                  "patient": "P", "from": step * 100, "reason": "fall"});
            let closed = json!({"kind": "restrict", "id": "x0", "seq": [1, 1], "issuer": "P",
                                "patient": "P", "override": overridable});
            vec![declared, merge(scope, &closed)]
        },
    )
}

fn loose() -> impl Strategy<Value = Vec<Value>> {
    let one = prop_oneof![
        5 => grant().boxed(),
        3 => restriction().boxed(),
        2 => revocation().boxed(),
        1 => approval().boxed(),
        3 => emergency().boxed(),
    ];
    vec((one, 0_u64..=6, 0_u64..=1), 0..=9).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        let place = |(i, (one, height, index)): (usize, (Value, u64, u64))| {
            merge(one, &json!({"id": format!("d{i}"), "seq": [height, index]}))
        };
        numbered.map(place).collect()
    })
}

/// A patient's directives, in no order.
pub(crate) fn directives() -> BoxedStrategy<Vec<Value>> {
    let chain = prop_oneof![3 => Just(vec![]), 2 => delegation().boxed()];
    let quorum = prop_oneof![4 => Just(vec![]), 1 => by_quorum().boxed()];
    let glass = prop_oneof![4 => Just(vec![]), 1 => glass().boxed()];
    (loose(), chain, quorum, glass)
        .prop_map(|(a, b, c, d)| [a, b, c, d].concat())
        .prop_shuffle()
        .boxed()
}

pub(crate) fn request() -> impl Strategy<Value = Value> {
    let who = prop_oneof![
        3 => Just("dr1"), 3 => Just("dr2"), 3 => Just("nurse"), 4 => Just("er"), 2 => Just("mum"),
        1 => Just("dad"), 2 => Just("P"), 1 => Just("K"), 1 => Just("ghost"),
    ];
    let purpose = prop_oneof![
        6 => Just("TREAT"), 3 => Just("ETREAT"), 1 => Just("ERTREAT"), 1 => Just("COC"),
        1 => Just("HRESCH"), 5 => Just("BTG"), 3 => Just("FAMRQT"), 1 => Just("PWATRNY"),
        3 => Just("PATRQT"), 1 => Just("FOO"),
    ];
    let action = prop_oneof![
        20 => Just("read"), 2 => Just("search"), 1 => Just("amend"), 1 => Just("export"),
        1 => Just("create"), 1 => Just("peek"),
    ];
    let record = prop_oneof![5 => Just("r0"), 5 => Just("r1"), 5 => Just("r2"), 1 => Just("r9")];
    let patient = prop_oneof![30 => Just("P"), 1 => Just("K")];
    let pos = prop_oneof![7 => Just(50_u64), 1 => 0_u64..=6];
    let t = prop_oneof![1 => time().boxed(), 4 => (6_u64..=20).prop_map(|step| step * 100).boxed()];
    (who, purpose, action, record, patient, t, pos).prop_map(
        |(actor, purpose, action, record, patient, t, height)| {
            json!({"actor": actor, "purpose": purpose, "action": action, "record": record,
                   "patient": patient, "t": t, "pos": [height, 0]})
        },
    )
}

/// A request that the state's directives are likely to speak of.
pub(crate) fn plausible(mut request: Value) -> Value {
    let purpose = match request["actor"].as_str().unwrap() {
        "P" => "PATRQT",
        "mum" | "dad" => "FAMRQT",
        "er" => "BTG",
        _ => "TREAT",
    };
    request["purpose"] = json!(purpose);
    request["patient"] = json!("P");
    request
}
