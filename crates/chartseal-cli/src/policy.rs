//! `chartseal policy …`.
//!
//! | module | what |
//! |---|---|
//! | `explain` | why a request is decided so |
//! | `who` | who sees what, and what needs attention |
//! | `diff` | what a directive would change |
//! | `import`, `sample` | a FHIR Consent as a document, with requests that it speaks of |
//! | `words` | directives, codes and times for a person |

use std::io::{self, Write};
use std::path::Path;

use chartseal_policy::json::{self, Case};
use serde_json::Value;

use crate::args::{Cases, Policy};
use crate::exit::Exit;
use crate::failure::{Failure, read_input};
use crate::text::print_json;

mod diff;
mod explain;
mod import;
mod sample;
mod who;
mod words;

/// The longest document, in bytes: 64 MiB.
const MAX_DOCUMENT: u64 = 64 << 20;

/// Runs the command.
pub fn run(command: &Policy) -> Result<Exit, Failure> {
    match command {
        Policy::Check { file } => check(file),
        Policy::Explain(args) => explain::run(args),
        Policy::Who(args) => who::run(args),
        Policy::Diff(args) => diff::run(args),
        Policy::Import(args) => import::run(args),
    }
}

fn check(file: &Path) -> Result<Exit, Failure> {
    let document = read(file)?;
    let report = json::check(document.as_bytes()).map_err(|why| bad(file, why))?;
    let mut out = io::stdout().lock();
    for line in report.lines() {
        writeln!(out, "{line}")?;
    }
    for unmet in report.cases.iter().flat_map(|case| &case.unmet) {
        eprintln!("chartseal: {unmet}");
    }
    Ok(if report.is_met() {
        Exit::Done
    } else {
        Exit::Refuted
    })
}

/// The cases that were asked for: those of one name, or all.
fn cases(args: &Cases) -> Result<Vec<Case>, Failure> {
    let document = read(&args.file)?;
    let mut cases = json::read(document.as_bytes()).map_err(|why| bad(&args.file, why))?;
    if let Some(n) = &args.case {
        let quoted = Value::from(n.as_str()).to_string();
        cases.retain(|case| case.n == *n || case.n == quoted);
        if cases.is_empty() {
            return Err(bad(&args.file, "has no case of that name"));
        }
    }
    Ok(cases)
}

/// A document as text. That the command before a pipe had nothing to say is told as such.
fn read(file: &Path) -> Result<String, Failure> {
    let document = read_input(file, MAX_DOCUMENT)?;
    if document.trim().is_empty() {
        return Err(bad(
            file,
            "empty; a document with world and cases is needed",
        ));
    }
    Ok(document)
}

/// A case's name as JSON.
fn name(case: &Case) -> Value {
    serde_json::from_str(&case.n).unwrap_or_default()
}

/// A file that can't be used; `-` is called by its name.
fn bad(file: &Path, why: impl std::fmt::Display) -> Failure {
    let is_stdin = file == Path::new("-");
    Failure::bad(if is_stdin { Path::new("stdin") } else { file }, why)
}

/// Refuses to read two files from stdin.
fn at_most_one_stdin<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    let stdin = files.into_iter().filter(|file| *file == Path::new("-"));
    if stdin.count() > 1 {
        return Err(Failure::new("stdin is one file; only one can be -"));
    }
    Ok(())
}
