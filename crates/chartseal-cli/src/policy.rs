//! `chartseal policy …`.

use std::io::{self, Write};
use std::path::Path;

use crate::args::Policy;
use crate::exit::Exit;
use crate::failure::{Failure, read_file};

/// The longest document, in bytes: 64 MiB.
const MAX_DOCUMENT: u64 = 64 << 20;

/// Runs the command.
pub fn run(command: &Policy) -> Result<Exit, Failure> {
    match command {
        Policy::Check { file } => check(file),
    }
}

fn check(file: &Path) -> Result<Exit, Failure> {
    let document = read_file(file, MAX_DOCUMENT)?;
    let report = chartseal_policy::json::check(&document).map_err(|why| Failure::bad(file, why))?;
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
