//! What an entry of a history says: in a sentence, and field by field.

use chartseal_codec::to_hex;
use chartseal_wire::Event;
use chartseal_wire::history::{Access, DirectiveIssued, Outcome, StatusChanged, Token};
use serde_json::{Value, json};

/// An event told to a person and to a program.
pub struct Told {
    /// A lasting word for it.
    pub kind: &'static str,
    /// A sentence without its subject and its full stop: "asked to read 1 record, for TREAT: denied".
    pub says: String,
    /// Its fields, in the order of the format.
    pub facts: Vec<(&'static str, Value)>,
    /// What was decided for each record.
    pub outcomes: Vec<Decided>,
}

/// A decision about one record.
pub struct Decided {
    pub record: String,
    pub permitted: bool,
    /// Why, and on what basis; `None` in the requester's own history, which holds a commitment to it.
    pub why: Option<Why>,
}

/// The reasons of a decision.
pub struct Why {
    pub code: String,
    pub basis: Vec<String>,
    pub obligations: Vec<String>,
}

impl Decided {
    pub fn new(outcome: &Outcome) -> Self {
        Self {
            record: outcome.record.to_string(),
            permitted: outcome.permitted,
            why: Some(Why {
                code: outcome.code.to_string(),
                basis: strings(&outcome.basis),
                obligations: strings(&outcome.obligations),
            }),
        }
    }

    /// `permitted (granted)`, `denied`.
    pub fn says(&self) -> String {
        let effect = effect(self.permitted);
        match &self.why {
            Some(why) => format!("{effect} ({})", why.code),
            None => effect.into(),
        }
    }

    pub fn json(&self) -> Value {
        let why = self.why.as_ref();
        json!({
            "record": self.record,
            "permitted": self.permitted,
            "code": why.map(|why| &why.code),
            "basis": why.map(|why| &why.basis),
            "obligations": why.map(|why| &why.obligations),
        })
    }
}

impl Told {
    /// Fields as a list, so that their order lasts; outcomes beside them.
    pub fn json(&self) -> Value {
        let facts = self.facts.iter();
        let facts = facts.map(|(name, value)| json!({"name": name, "value": value}));
        json!({
            "kind": self.kind,
            "says": self.says,
            "fields": facts.collect::<Vec<_>>(),
            "outcomes": self.outcomes.iter().map(Decided::json).collect::<Vec<_>>(),
        })
    }

    fn new(kind: &'static str, says: impl Into<String>, facts: Vec<(&'static str, Value)>) -> Self {
        Self {
            kind,
            says: says.into(),
            facts,
            outcomes: Vec::new(),
        }
    }
}

/// Tells an event.
#[expect(
    clippy::too_many_lines,
    reason = "one arm for each event, so that none is forgotten"
)]
pub fn tell(event: &Event) -> Told {
    match event {
        Event::Enrolled(one) => {
            let how = if one.provisional {
                " provisionally, without their own signature"
            } else {
                ""
            };
            Told::new(
                "enrolled",
                format!("enrolled {}{how}", one.subject),
                vec![
                    ("subject", text(one.subject)),
                    ("provisional", json!(one.provisional)),
                ],
            )
        }
        Event::RecordAdded(one) => {
            let says = match one.version {
                1 => format!("filed record {}", one.record),
                version => format!("filed version {version} of record {}", one.record),
            };
            Told::new(
                "record_added",
                says,
                vec![
                    ("record", text(one.record)),
                    ("version", json!(one.version)),
                    ("header", text(one.header)),
                    ("supersedes", maybe(one.supersedes)),
                ],
            )
        }
        Event::Directive(one) => Told::new(
            "directive",
            directive(one),
            vec![
                ("directive", text(&one.kind)),
                ("target", maybe(one.target)),
                ("from", maybe(one.from)),
                ("until", maybe(one.until)),
            ],
        ),
        Event::Emergency(one) => Told::new(
            "emergency",
            format!(
                "declared an emergency ({}) until {}",
                one.reason_code, one.until
            ),
            vec![
                ("reason_code", text(&one.reason_code)),
                ("reason", text(one.reason)),
                ("until", text(one.until)),
            ],
        ),
        Event::Access(one) => Told {
            outcomes: one.records.iter().map(Decided::new).collect(),
            ..Told::new(
                "access",
                access(one),
                vec![
                    ("action", text(&one.action)),
                    ("purpose", text(&one.purpose)),
                    ("reason_code", text(&one.reason_code)),
                    ("reason", text(one.reason)),
                    ("foreign_claim", json!(one.foreign_claim)),
                    ("release_until", maybe(one.release_until)),
                ],
            )
        },
        Event::OwnAccess(one) => {
            let permitted = one.records.iter().filter(|one| one.permitted).count();
            let outcomes = one.records.iter().map(|one| Decided {
                record: one.record.to_string(),
                permitted: one.permitted,
                why: None,
            });
            Told {
                outcomes: outcomes.collect(),
                ..Told::new(
                    "own_access",
                    asked(&one.action, &one.purpose, one.records.len(), permitted),
                    vec![
                        ("action", text(&one.action)),
                        ("purpose", text(&one.purpose)),
                        ("reason_code", text(&one.reason_code)),
                        ("patient", text(one.patient)),
                    ],
                )
            }
        }
        Event::Released(one) => Told::new(
            "released",
            format!(
                "released key shares of {}, as custodian {}",
                records(one.records.len()),
                one.custodian
            ),
            vec![
                ("request", text(one.request)),
                ("custodian", json!(one.custodian)),
                ("records", list(&one.records)),
            ],
        ),
        Event::Reviewed(one) => {
            let found = if one.justified {
                "justified"
            } else {
                "not justified"
            };
            Told::new(
                "reviewed",
                format!("reviewed an emergency access: {found}"),
                vec![
                    ("request", text(one.request)),
                    ("justified", json!(one.justified)),
                ],
            )
        }
        Event::Erased(one) => Told::new(
            "erased",
            format!("erased record {}", one.record),
            vec![("record", text(one.record))],
        ),
        Event::Destroyed(one) => Told::new(
            "destroyed",
            format!(
                "attested to have destroyed what custodian {} held of an erased record",
                one.custodian
            ),
            vec![
                ("record", text(one.record)),
                ("custodian", json!(one.custodian)),
            ],
        ),
        Event::KeyChanged(one) => {
            let says = match one.new {
                Some(_) => "replaced a signing key",
                None => "revoked a signing key",
            };
            Told::new(
                "key_changed",
                format!("{says} of {}", one.subject),
                vec![
                    ("subject", text(one.subject)),
                    ("old", text(one.old)),
                    ("new", maybe(one.new)),
                ],
            )
        }
        Event::Relabelled(one) => Told::new(
            "relabelled",
            format!("gave {} other labels", records(one.records.len())),
            vec![("records", list(&one.records))],
        ),
        Event::SlotAdded(one) => Told::new(
            "slot_added",
            format!("sealed the key of record {} to the patient", one.record),
            vec![
                ("record", text(one.record)),
                ("header", text(one.header)),
                ("kem", json!(to_hex(&one.kem))),
                ("request", maybe(one.request)),
            ],
        ),
        Event::SlotRemoved(one) => Told::new(
            "slot_removed",
            format!("removed the patient's own key to record {}", one.record),
            vec![("record", text(one.record)), ("header", text(one.header))],
        ),
        Event::Redealt(one) => Told::new(
            "redealt",
            format!("dealt the key of record {} anew", one.record),
            vec![
                ("record", text(one.record)),
                ("header", text(one.header)),
                ("deal", json!(one.deal)),
                ("request", maybe(one.request)),
            ],
        ),
        Event::GuardianAppointed(one) => Told::new(
            "guardian_appointed",
            format!("appointed guardian {} ({})", one.guardian, one.ground),
            vec![
                ("guardian", text(one.guardian)),
                ("ground", text(&one.ground)),
                ("from", maybe(one.from)),
                ("until", maybe(one.until)),
            ],
        ),
        Event::GuardianRemoved(one) => Told::new(
            "guardian_removed",
            format!("removed guardian {}", one.guardian),
            vec![("guardian", text(one.guardian))],
        ),
        Event::QuorumSet(one) => Told::new(
            "quorum_set",
            match one.k {
                0 => "ended the guardians' quorum".into(),
                k => format!("let {k} of {} guardians grant together", one.members.len()),
            },
            vec![("k", json!(one.k)), ("members", list(&one.members))],
        ),
        Event::StatusChanged(one) => Told::new(
            "status_changed",
            status(one),
            vec![("status", text(&one.status)), ("from", maybe(one.from))],
        ),
        Event::RecoveryPlanned(one) => Told::new(
            "recovery_planned",
            match one.bundle {
                Some(_) => format!(
                    "planned that {} of {} guardians can restore a lost key",
                    one.k,
                    one.guardians.len()
                ),
                None => "ended the plan for a lost key".into(),
            },
            vec![
                ("bundle", maybe(one.bundle)),
                ("guardians", list(&one.guardians)),
                ("k", json!(one.k)),
                ("delay_ms", json!(one.delay_ms)),
            ],
        ),
        Event::RecoveryStarted(one) => Told::new(
            "recovery_started",
            format!(
                "began to replace a lost key; it can be vetoed until {}",
                one.due
            ),
            vec![
                ("key", text(one.key)),
                ("guardians", list(&one.guardians)),
                ("due", text(one.due)),
            ],
        ),
        Event::RecoveryVetoed(one) => Told::new(
            "recovery_vetoed",
            "vetoed the replacement of the key",
            vec![("recovery", text(one.recovery))],
        ),
        Event::RecoveryCompleted(one) => Told::new(
            "recovery_completed",
            "completed the replacement of a lost key",
            vec![
                ("recovery", text(one.recovery)),
                ("bundle", text(one.bundle)),
            ],
        ),
        Event::Adopted(one) => Told::new(
            "adopted",
            format!("said that {} is the same person as {}", one.adopted, one.by),
            vec![("adopted", text(one.adopted)), ("by", text(one.by))],
        ),
        Event::DuplicateOf(one) => Told::new(
            "duplicate_of",
            format!("said that record {} repeats {}", one.record, one.of),
            vec![("record", text(one.record)), ("of", text(one.of))],
        ),
        Event::Flood(one) => Told::new(
            "flood",
            format!(
                "made {} more denied attempts from {} to {}: counted, not listed",
                one.count, one.from, one.until
            ),
            vec![
                ("patient", text(one.patient)),
                ("foreign_claim", json!(one.foreign_claim)),
                ("from", text(one.from)),
                ("until", text(one.until)),
                ("count", json!(one.count)),
                ("root", text(one.root)),
            ],
        ),
        Event::Disputed(one) => Told::new(
            "disputed",
            format!(
                "said that version {} of record {} is wrong",
                one.version, one.record
            ),
            vec![
                ("record", text(one.record)),
                ("version", json!(one.version)),
                ("reason", text(one.reason)),
            ],
        ),
        Event::DisputeAnswered(one) => Told::new(
            "dispute_answered",
            match one.rectified {
                Some(version) => format!("rectified record {} by version {version}", one.record),
                None => format!("answered a dispute: record {} stands", one.record),
            },
            vec![
                ("record", text(one.record)),
                ("dispute", text(one.dispute)),
                ("rectified", json!(one.rectified)),
                ("reason", text(one.reason)),
            ],
        ),
        Event::HoldPlaced(one) => Told::new(
            "hold_placed",
            format!(
                "placed a legal hold ({}) on record {}",
                one.reason_code, one.record
            ),
            vec![
                ("record", text(one.record)),
                ("reason_code", text(&one.reason_code)),
            ],
        ),
        Event::HoldLifted(one) => Told::new(
            "hold_lifted",
            format!("lifted the legal hold on record {}", one.record),
            vec![("record", text(one.record)), ("hold", text(one.hold))],
        ),
        Event::CommitteeChanged(one) => Told::new(
            "committee_changed",
            format!(
                "changed the committee: {} members from block {} on",
                one.members.len(),
                one.from
            ),
            vec![
                ("epoch", json!(one.epoch)),
                ("from_height", json!(one.from)),
                ("members", list(&one.members)),
            ],
        ),
        Event::DirectivesRelabelled(one) => Told::new(
            "directives_relabelled",
            "gave directives other labels",
            vec![
                ("directives", list(&one.directives)),
                ("private", json!(one.private)),
            ],
        ),
        // The format may grow before this program does.
        _ => Told::new(
            "other",
            "did something that this program has no words for",
            Vec::new(),
        ),
    }
}

/// `1 record`, `3 records`.
pub fn records(count: usize) -> String {
    match count {
        1 => "1 record".into(),
        count => format!("{count} records"),
    }
}

fn access(one: &Access) -> String {
    let permitted = one.records.iter().filter(|one| one.permitted).count();
    let mut says = asked(&one.action, &one.purpose, one.records.len(), permitted);
    if one.foreign_claim {
        says += "; under another patient's name";
    }
    says
}

fn asked(action: &Token, purpose: &Token, count: usize, permitted: usize) -> String {
    let result = match permitted {
        0 => "denied".into(),
        permitted if permitted == count => "permitted".into(),
        permitted => format!("{permitted} permitted, {} denied", count - permitted),
    };
    format!(
        "asked to {action} {}, for {purpose}: {result}",
        records(count)
    )
}

fn directive(one: &DirectiveIssued) -> String {
    let what = match one.kind.as_str() {
        "grant" => "granted access",
        "restrict" => "restricted access",
        "revoke" => "revoked a directive",
        "approve" => "approved a directive",
        "quorum_grant" => "granted access by the guardians' quorum",
        _ => "issued a directive",
    };
    let from = one.from.map(|from| format!(" from {from}"));
    let until = one.until.map(|until| format!(" until {until}"));
    format!(
        "{what}{}{}",
        from.unwrap_or_default(),
        until.unwrap_or_default()
    )
}

fn status(one: &StatusChanged) -> String {
    let what = match one.status.as_str() {
        "majority" => "recorded when the patient comes of age",
        "minor_consent" => "recorded when the minor patient may consent",
        "incapacity" => "recorded that the patient can't decide for themselves",
        "capacity" => "recorded that the patient decides for themselves again",
        "death" => "recorded the patient's death",
        _ => "changed the patient's status",
    };
    match one.from {
        Some(from) => format!("{what}: {from}"),
        None => what.into(),
    }
}

fn effect(permitted: bool) -> &'static str {
    if permitted { "permitted" } else { "denied" }
}

#[expect(clippy::needless_pass_by_value, reason = "ids are small and copied")]
fn text(value: impl ToString) -> Value {
    Value::String(value.to_string())
}

fn maybe(value: Option<impl ToString>) -> Value {
    value.map_or(Value::Null, text)
}

fn strings(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn list(values: &[impl ToString]) -> Value {
    json!(strings(values))
}
