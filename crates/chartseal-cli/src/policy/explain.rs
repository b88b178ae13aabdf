//! `chartseal policy explain`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chartseal_policy::json::Case;
use chartseal_policy::{
    Action, Decision, Directive, Finding, Moment, Obligation, Purpose, Record, Request, Status,
    World, decide, validity,
};
use serde_json::{Value, json};

use super::words;
use crate::args::{PolicyExplain, View};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::text::{WIDTH, wrap};

/// Runs the command.
pub fn run(args: &PolicyExplain) -> Result<Exit, Failure> {
    let cases = super::cases(&args.cases)?;
    if args.cases.json {
        let cases: Vec<Value> = cases.iter().map(|case| document(case, args.view)).collect();
        let view = match args.view {
            View::Full => "full",
            View::Opaque => "opaque",
        };
        super::print_json(
            &json!({"schema": "chartseal.policy.explain/1", "view": view, "cases": cases}),
        )?;
        return Ok(Exit::Done);
    }
    let mut out = io::stdout().lock();
    for (index, case) in cases.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}", words::heading(case))?;
        asked(&mut out, case, args.view)?;
        let decision = decide(&case.world, &case.request);
        match args.view {
            View::Full => full(&mut out, case, &decision)?,
            View::Opaque => opaque(&mut out, &decision)?,
        }
    }
    Ok(Exit::Done)
}

fn full(out: &mut impl Write, case: &Case, decision: &Decision) -> io::Result<()> {
    let answer = format!(
        "{} ({}): {}",
        words::effect(decision.effect),
        decision.code,
        words::meaning(decision.code)
    );
    line(out, "answer", &answer)?;
    line(out, "by", &joined(decision.by.iter().map(words::name)))?;
    line(
        out,
        "demands",
        &joined(decision.obligations.iter().map(obligation)),
    )?;
    let until = decision.valid_until.map_or_else(
        || "no lapse of time changes it".into(),
        |until| format!("may change by time alone at {}", words::time(until)),
    );
    line(out, "time", &until)?;
    if decision.explanation.is_empty() {
        let directives = case.world.directives(&case.request.patient);
        let why = if directives.is_empty() {
            "there are no directives about the patient's records"
        } else {
            "that rule comes before all directives; none was looked at"
        };
        return line(out, "because", why);
    }
    for (index, (finding, directive)) in findings(case, decision).enumerate() {
        let lead = if index == 0 { "because" } else { "" };
        let why = why(case, finding, directive);
        line(out, lead, &format!("{}: {why}", words::name(&finding.id)))?;
        if let Some(directive) = directive {
            let said = wrap(&words::says(directive), WIDTH - 14, &" ".repeat(14));
            writeln!(out, "{:14}{said}", "")?;
        }
    }
    Ok(())
}

/// What became of each directive, and the directive.
fn findings<'a>(
    case: &'a Case,
    decision: &'a Decision,
) -> impl Iterator<Item = (&'a Finding, Option<&'a Directive>)> {
    let directives = case.world.policy.directives(&case.request.patient).iter();
    let by_id: BTreeMap<_, _> = directives.map(|one| (&one.id, one)).collect();
    let findings = decision.explanation.iter();
    findings.map(move |finding| (finding, by_id.get(&finding.id).copied()))
}

/// What became of a directive; and why it counts for nothing, if it has no answer of its own.
fn why(case: &Case, finding: &Finding, directive: Option<&Directive>) -> String {
    let moment = Moment {
        time: case.request.time,
        position: case.request.position,
    };
    match (&finding.status, directive) {
        (Status::NoAnswer, Some(directive)) => match validity(&case.world, directive, moment) {
            Ok(()) => finding.status.to_string(),
            Err(void) => format!("counts for nothing: {void}"),
        },
        (status, _) => status.to_string(),
    }
}

fn opaque(out: &mut impl Write, decision: &Decision) -> io::Result<()> {
    let opaque = decision.opaque();
    line(out, "answer", &words::effect(opaque.effect))?;
    line(
        out,
        "demands",
        &joined(opaque.obligations.iter().map(obligation)),
    )
}

/// A word and what stands beside it; nothing without the latter.
fn line(out: &mut impl Write, lead: &str, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "  {lead:8}  {}",
        wrap(text, WIDTH - 12, &" ".repeat(12))
    )
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn asked(out: &mut impl Write, case: &Case, view: View) -> io::Result<()> {
    let Request {
        actor,
        patient,
        record,
        action,
        purpose,
        time,
        position,
    } = &case.request;
    let about = |text: String| {
        if text.is_empty() {
            text
        } else {
            format!(" ({text})")
        }
    };
    let who = case.world.actors.get(actor).map(words::actor);
    let what = format!(
        "{}{} to {} {} of {} for {}",
        words::name(actor),
        about(who.unwrap_or_default()),
        action.map_or("do something unknown to", Action::as_str),
        words::name(record),
        words::name(patient),
        purpose.map_or("an unknown purpose", Purpose::as_str),
    );
    line(out, "asks", &what)?;
    // Not even whether there is such a record is for the requester.
    let found = case.world.records.get(record);
    let found = found.filter(|_| view == View::Full);
    line(out, "record", &found.map(described).unwrap_or_default())?;
    let when = format!("{}, {}", words::time(*time), words::position(*position));
    line(out, "at", &when)
}

/// What directives can select a record by.
fn described(record: &Record) -> String {
    let author = record.author.as_ref();
    let encounter = record.encounter.as_ref();
    let words = [
        Some(words::record(record)),
        Some(format!("authored {}", words::time(record.authored))),
        author.map(|id| format!("by {}", words::name(id))),
        encounter.map(|id| format!("encounter {}", words::name(id))),
    ];
    joined(words.into_iter().flatten())
}

fn obligation(one: &Obligation) -> String {
    match one {
        Obligation::Overrides(id) => format!("overrides:{}", words::name(id)),
        plain => plain.to_string(),
    }
}

/// One case of `chartseal.policy.explain/1` (`docs/schema/policy-explain.schema.json`).
fn document(case: &Case, view: View) -> Value {
    let decision = decide(&case.world, &case.request);
    let Request {
        actor,
        patient,
        record,
        action,
        purpose,
        time,
        position,
    } = &case.request;
    let mut document = json!({
        "n": super::name(case),
        "title": case.title,
        "request": {
            "actor": words::text(actor),
            "patient": words::text(patient),
            "record": words::text(record),
            "action": action.map(Action::as_str),
            "purpose": purpose.map(Purpose::as_str),
            "t": time.0,
            "pos": [position.height, position.index],
        },
        "effect": decision.effect.as_str(),
    });
    let obligations = |all: &[Obligation]| -> Value { all.iter().map(exact).collect() };
    let answer = match view {
        View::Opaque => json!({"obligations": obligations(&decision.opaque().obligations)}),
        View::Full => json!({
            "code": decision.code.as_str(),
            "by": decision.by.iter().map(words::text).collect::<Value>(),
            "obligations": obligations(&decision.obligations),
            "valid_until": decision.valid_until.map(|until| until.0),
            "directives": findings(case, &decision)
                .map(|(finding, directive)| {
                    json!({
                        "id": words::text(&finding.id),
                        "kind": directive.map(|one| one.terms.kind()),
                        "finding": why(case, finding, directive),
                    })
                })
                .collect::<Value>(),
        }),
    };
    if let (Value::Object(document), Value::Object(answer)) = (&mut document, answer) {
        document.extend(answer);
    }
    document
}

fn exact(one: &Obligation) -> String {
    match one {
        Obligation::Overrides(id) => format!("overrides:{}", words::text(id)),
        plain => plain.to_string(),
    }
}
