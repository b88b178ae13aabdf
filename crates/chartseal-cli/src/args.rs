//! What a person may type.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Exit codes, for every command.
const EXIT_CODES: &str = "\
Exit codes: 0 done or proved; 1 refuted, or an expectation or promise unmet; 2 can't tell; \
3 misuse, unreadable or bad input.

Not audited, no medical device: synthetic data only, for now.";

/// Patients in control of their medical records: sealed, consented, logged, provable.
#[derive(Debug, Parser)]
#[command(name = "chartseal", version = VERSION, after_help = EXIT_CODES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("CHARTSEAL_COMMIT"),
    ")"
);

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Carry one patient through a clinic visit, on an embedded network of four organizations.
    Demo(Demo),
    /// Verify exported histories.
    #[command(subcommand)]
    Audit(Audit),
    /// Decide access requests against consents.
    #[command(subcommand)]
    Policy(Policy),
}

/// `demo`.
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// A FHIR R4 Bundle of one patient, as JSON; without it, the one built in.
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
    /// Keep everything here for inspection; made if missing, else it must be empty.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Print one JSON document (schema `chartseal.demo/1`) instead of a page.
    #[arg(long)]
    pub json: bool,
}

/// `audit …`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check one export against a trust policy, offline.
    Verify(AuditVerify),
}

/// `audit verify`.
#[derive(Debug, clap::Args)]
pub struct AuditVerify {
    /// The export: a `.tlog-proof` file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Whose signatures count, and how many: a C2SP tlog-policy.
    #[arg(long, value_name = "POLICY")]
    pub trust: PathBuf,
    /// What was verified before: a newer export must extend it. Written anew when the verdict is
    /// "proved"; a missing file is a first time.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Answer "can't tell" if the export is older than this: 90s, 30m, 24h, 7d.
    #[arg(long, value_name = "T", value_parser = parse_age)]
    pub max_age: Option<Duration>,
    /// Print one JSON document (schema `chartseal.audit/1`).
    #[arg(long)]
    pub json: bool,
}

/// `policy …`.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Answer each case of a document, and compare with what it expects.
    Check {
        /// A document with `world` and `cases`.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// An age as a number and a unit.
fn parse_age(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 60 * 60,
        Some("d") => 24 * 60 * 60,
        _ => return Err("expected a number and s, m, h or d, such as 24h".into()),
    };
    let count: u64 = digits
        .parse()
        .map_err(|_| "expected a whole number before the unit")?;
    let seconds = count.checked_mul(unit).ok_or("that age is too long")?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_a_number_and_a_unit() {
        assert_eq!(parse_age("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_age("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for bad in [
            "",
            "h",
            "24",
            "1.5h",
            "-1h",
            "1w",
            "99999999999999999999d",
            "1hh",
        ] {
            assert!(parse_age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_parser_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
