//! `chartseal policy diff`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use chartseal_policy::json::{self, Case};
use chartseal_policy::{
    Access, Action, Diff, Directive, Moment, Position, Purpose, Status, Symbol, Time, diff,
    validity,
};
use serde_json::{Value, json};

use super::words;
use crate::args::PolicyDiff;
use crate::exit::Exit;
use crate::failure::{Failure, read_input};
use crate::text::{WIDTH, table, wrap};

/// The longest directive, in bytes: 1 MiB.
const MAX_DIRECTIVE: u64 = 1 << 20;

/// Runs the command.
pub fn run(args: &PolicyDiff) -> Result<Exit, Failure> {
    super::at_most_one_stdin([args.cases.file.as_path(), &args.directive])?;
    let cases = super::cases(&args.cases)?;
    let directive = read_input(&args.directive, MAX_DIRECTIVE)?;
    let changes: Vec<Change<'_>> = cases
        .iter()
        .map(|case| Change::new(case, &directive, args))
        .collect::<Result<_, _>>()?;
    if args.cases.json {
        let cases: Vec<Value> = changes.iter().map(Change::document).collect();
        super::print_json(&json!({"schema": "chartseal.policy.diff/1", "cases": cases}))?;
        return Ok(Exit::Done);
    }
    let mut out = io::stdout().lock();
    for (index, change) in changes.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        change.print(&mut out)?;
    }
    Ok(Exit::Done)
}

/// What a directive would change in a case.
struct Change<'a> {
    case: &'a Case,
    directive: Directive,
    time: Time,
    /// Why it counts for nothing then.
    void: Option<Status>,
    diff: Diff,
}

impl<'a> Change<'a> {
    fn new(case: &'a Case, directive: &str, args: &PolicyDiff) -> Result<Self, Failure> {
        let of_case = |why: &dyn std::fmt::Display| {
            super::bad(&args.directive, format!("case {}: {why}", case.n))
        };
        let directive =
            json::read_directive(directive.as_bytes(), &case.world).map_err(|why| of_case(&why))?;
        let time = args.at.map_or(case.request.time, Time);
        let diff = diff(&case.world, &directive, time).map_err(|why| of_case(&why))?;
        let moment = Moment {
            time,
            position: after(directive.position),
        };
        let void = validity(&case.world, &directive, moment).err();
        Ok(Self {
            case,
            directive,
            time,
            void,
            diff,
        })
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}", words::heading(self.case))?;
        let line = |text: &str| wrap(text, WIDTH - 2, "  ");
        let id = words::name(&self.directive.id);
        writeln!(
            out,
            "If {id} stood at {}, then just after it, at {}:",
            words::position(self.directive.position),
            words::time(self.time)
        )?;
        writeln!(out, "  {}", line(&words::says(&self.directive)))?;
        if let Some(status) = &self.void {
            writeln!(
                out,
                "  {}",
                line(&format!("It would count for nothing: {status}."))
            )?;
        }
        for (word, accesses) in [("gain", &self.diff.gained), ("lose", &self.diff.lost)] {
            if accesses.is_empty() {
                writeln!(out, "Nobody would {word} anything.")?;
            } else {
                writeln!(out, "Would {word}:")?;
                write!(
                    out,
                    "{}",
                    table(&["who", "may", "for", "record"], &rows(accesses), "  ")
                )?;
            }
        }
        Ok(())
    }

    /// One case of `chartseal.policy.diff/1` (`docs/schema/policy-diff.schema.json`).
    fn document(&self) -> Value {
        let accesses = |all: &[Access]| -> Value {
            let one = |access: &Access| {
                json!({
                    "actor": words::text(&access.actor),
                    "record": words::text(&access.record),
                    "action": access.action.as_str(),
                    "purpose": access.purpose.as_str(),
                })
            };
            all.iter().map(one).collect()
        };
        json!({
            "n": super::name(self.case),
            "title": self.case.title,
            "t": self.time.0,
            "directive": words::text(&self.directive.id),
            "void": self.void.as_ref().map(ToString::to_string),
            "gained": accesses(&self.diff.gained),
            "lost": accesses(&self.diff.lost),
        })
    }
}

/// The position after one.
fn after(position: Position) -> Position {
    match position.index.checked_add(1) {
        Some(index) => Position { index, ..position },
        None => Position {
            height: position.height.saturating_add(1),
            index: 0,
        },
    }
}

/// Accesses in as few rows as tell them all: what is the same stands together.
fn rows(accesses: &[Access]) -> Vec<Vec<String>> {
    let mut purposes: BTreeMap<(&Symbol, &Symbol, Action), BTreeSet<Purpose>> = BTreeMap::new();
    for one in accesses {
        let key = (&one.actor, &one.record, one.action);
        purposes.entry(key).or_default().insert(one.purpose);
    }
    let mut actions: BTreeMap<_, BTreeSet<Action>> = BTreeMap::new();
    for ((actor, record, action), purposes) in purposes {
        actions
            .entry((actor, record, purposes))
            .or_default()
            .insert(action);
    }
    let mut records: BTreeMap<_, BTreeSet<&Symbol>> = BTreeMap::new();
    for ((actor, record, purposes), actions) in actions {
        records
            .entry((actor, actions, purposes))
            .or_default()
            .insert(record);
    }
    let mut actors: BTreeMap<_, BTreeSet<&Symbol>> = BTreeMap::new();
    for ((actor, actions, purposes), records) in records {
        actors
            .entry((actions, purposes, records))
            .or_default()
            .insert(actor);
    }
    let names = |all: BTreeSet<&Symbol>| joined(all.into_iter().map(words::name), ", ");
    actors
        .into_iter()
        .map(|((actions, purposes, records), actors)| {
            vec![
                names(actors),
                joined(actions, " "),
                joined(purposes, " "),
                names(records),
            ]
        })
        .collect()
}

fn joined<T: ToString>(words: impl IntoIterator<Item = T>, between: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string()).collect();
    words.join(between)
}
