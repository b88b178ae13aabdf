//! What a person may type.

use std::path::PathBuf;
use std::time::Duration;

use chartseal_fhir::{Timestamp, UtcOffset};
use clap::{Parser, Subcommand};

use crate::audit::evidence::AuditEvidence;
use crate::audit::witness::AuditWitness;
use crate::ledger::args::Ledger;
use crate::records::args as records;

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
    /// Look into a node's ledger, and verify it.
    #[command(subcommand)]
    Ledger(Ledger),
    /// Decide access requests against consents.
    #[command(subcommand)]
    Policy(Policy),
    /// Make, start, look at and stop a network of nodes, each a process of its own.
    #[command(subcommand)]
    Net(crate::net::Net),
    /// Run one node of a network.
    #[command(subcommand)]
    Node(crate::node::Node),
    /// Change who runs the network: an organization joins, leaves, rotates its keys or is suspended, by a quorum's vote.
    #[command(subcommand)]
    Committee(crate::committee::Committee),
    /// Make and show keys.
    #[command(subcommand)]
    Key(records::Key),
    /// Seal a record, and deal the shares of its key to custodians.
    Seal(records::Seal),
    /// Open a record.
    Open(records::Open),
    /// Deal a record's shares again, or to other custodians.
    Deal(records::Deal),
    /// As a custodian: release your share to a reader.
    Release(records::Release),
    /// As a reader: put releases together to the key of a record.
    Combine(records::Combine),
    /// Show every field of an object, without any key.
    Inspect(records::Inspect),
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
    /// Run the visit on this running network (`net init --for-demo --api-port PORT`, `net up`), not on one of its own.
    #[arg(long, value_name = "DIR")]
    pub network: Option<PathBuf>,
    /// As apps on phones do: execute no block, and ask its nodes for the values that each step takes, with their proofs.
    #[arg(long, requires = "network")]
    pub light: bool,
    /// Print one JSON document (schema `chartseal.demo/1`) instead of a page.
    #[arg(long)]
    pub json: bool,
}

/// `audit …`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check one export against a trust policy, offline.
    Verify(AuditVerify),
    /// Say in plain words what was checked, and on which assumption.
    Explain(AuditExplain),
    /// Write a proved export for people or other programs: as HTML, FHIR or HIPAA's accounting.
    Report(AuditReport),
    /// Come to trust a policy: look at it, compare its fingerprint, pin it.
    #[command(subcommand)]
    Trust(AuditTrust),
    /// Execute a whole chain anew from its blocks, and check who certified or signed it.
    Replay(crate::ledger::args::Verify),
    /// Make and check evidence that a network signed two histories.
    #[command(subcommand)]
    Evidence(AuditEvidence),
    /// Cosign a published log, if it continues what was cosigned before.
    Witness(AuditWitness),
}

/// `audit explain`.
#[derive(Debug, clap::Args)]
pub struct AuditExplain {
    /// The export: a `.tlog-proof` file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Whose signatures count; without it, nobody's.
    #[arg(long, value_name = "POLICY")]
    pub trust: Option<PathBuf>,
    /// What was verified before; it is read, never written.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Print one JSON document (schema `chartseal.audit.explain/1`).
    #[arg(long)]
    pub json: bool,
}

/// `audit report`.
#[derive(Debug, clap::Args)]
pub struct AuditReport {
    /// The export: a `.tlog-proof` file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Whose signatures count: a C2SP tlog-policy.
    #[arg(long, value_name = "POLICY")]
    pub trust: PathBuf,
    /// What was verified before, which an export of newer entries continues; it is read, never written.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// In which form.
    #[arg(long = "as", value_enum, value_name = "FORM", default_value_t = ReportForm::Html)]
    pub form: ReportForm,
    /// A JSON object from ids to names: `{"0a1b…": "Dr. Day, Harbour Clinic"}`.
    #[arg(long, value_name = "FILE")]
    pub names: Option<PathBuf>,
    /// The report; stdout without it.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What a report is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportForm {
    /// One page to read and print: the whole history.
    Html,
    /// A Bundle of FHIR R4 `AuditEvent` (IHE BALP).
    Fhir,
    /// One page: the accounting of disclosures of 45 CFR 164.528.
    Hipaa,
}

/// `audit trust …`.
#[derive(Debug, Subcommand)]
pub enum AuditTrust {
    /// Show whom a policy trusts, and its fingerprint, to compare with what you have on paper.
    Show(TrustShow),
    /// Keep a policy as the trusted one, if it has the fingerprint that you were told.
    Pin(TrustPin),
}

/// `audit trust show`.
#[derive(Debug, clap::Args)]
pub struct TrustShow {
    /// A C2SP tlog-policy.
    #[arg(value_name = "POLICY")]
    pub policy: PathBuf,
    /// Show the fingerprint as a QR code too.
    #[arg(long, conflicts_with = "json")]
    pub qr: bool,
    /// Print one JSON document (schema `chartseal.audit.trust/1`).
    #[arg(long)]
    pub json: bool,
}

/// `audit trust pin`.
#[derive(Debug, clap::Args)]
pub struct TrustPin {
    /// The policy to trust.
    #[arg(value_name = "POLICY")]
    pub policy: PathBuf,
    /// The fingerprint that you have by another way: 64 hex digits; spaces, dashes and colons don't count.
    #[arg(long, value_name = "DIGITS")]
    pub fingerprint: String,
    /// Where the trusted policy is kept, for `--trust`.
    #[arg(long = "as", value_name = "FILE")]
    pub place: PathBuf,
    /// Replace another policy that is pinned there; the old one is kept beside it.
    #[arg(long)]
    pub replace: bool,
    /// Print one JSON document (schema `chartseal.audit.pin/1`).
    #[arg(long)]
    pub json: bool,
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
        /// A document with `world` and `cases`; `-` for stdin.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Say why each case is decided so: every directive, with the first condition that it failed.
    Explain(PolicyExplain),
    /// Say who can read a patient's records, and which consents need attention.
    Who(PolicyWho),
    /// Say who would gain and who would lose what by one more directive.
    Diff(PolicyDiff),
    /// Turn a FHIR Consent into a document for the other verbs.
    Import(PolicyImport),
}

/// The cases of a document.
#[derive(Debug, clap::Args)]
pub struct Cases {
    /// A document with `world` and `cases`; `-` for stdin.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only the case whose `n` this is.
    #[arg(long, value_name = "N")]
    pub case: Option<String>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `policy explain`.
#[derive(Debug, clap::Args)]
pub struct PolicyExplain {
    #[command(flatten)]
    pub cases: Cases,
    /// `full`: what the patient and the auditor see; `opaque`: what the requester is told.
    #[arg(long, value_enum, default_value_t = View::Full)]
    pub view: View,
}

/// Whose view of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum View {
    Full,
    Opaque,
}

/// `policy who`.
#[derive(Debug, clap::Args)]
pub struct PolicyWho {
    #[command(flatten)]
    pub cases: Cases,
    /// Of this patient's records, instead of those of the patient of the case's request.
    #[arg(long, value_name = "ID")]
    pub patient: Option<String>,
    /// Of this record only.
    #[arg(long, value_name = "ID", conflicts_with = "patient")]
    pub record: Option<String>,
    /// What can this actor read, of all patients?
    #[arg(long, value_name = "ID", conflicts_with_all = ["patient", "record"])]
    pub actor: Option<String>,
    /// At this time instead of the request's: FHIR's `2026-03-02T10:00:00Z`, or milliseconds.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub at: Option<u64>,
    /// A grant ends soon if it ends within so long: 12h, 30d.
    #[arg(long, value_name = "T", value_parser = parse_age, default_value = "30d")]
    pub soon: Duration,
}

/// `policy diff`.
#[derive(Debug, clap::Args)]
pub struct PolicyDiff {
    #[command(flatten)]
    pub cases: Cases,
    /// The directive, as JSON in the form that cases hold; `-` for stdin.
    #[arg(long, value_name = "FILE")]
    pub directive: PathBuf,
    /// At this time instead of the request's: FHIR's `2026-03-02T10:00:00Z`, or milliseconds.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub at: Option<u64>,
}

/// `policy import`.
#[derive(Debug, clap::Args)]
pub struct PolicyImport {
    /// The Consent resource, as JSON; `-` for stdin.
    #[arg(value_name = "CONSENT")]
    pub file: PathBuf,
    /// How it is written; a document does not tell reliably.
    #[arg(long, value_enum)]
    pub dialect: Dialect,
    /// Where its dates begin and end, as a distance from UTC such as `+01:00`.
    #[arg(long, value_name = "OFFSET", default_value = "Z", value_parser = parse_zone, allow_hyphen_values = true)]
    pub zone: UtcOffset,
    /// Whom references mean: a JSON object such as `{"Group/on-call": "role:on-call"}`; `-` for stdin.
    #[arg(long, value_name = "FILE")]
    pub grantees: Option<PathBuf>,
    /// Who agreed to it, if it doesn't name exactly one.
    #[arg(long, value_name = "REFERENCE")]
    pub issuer: Option<String>,
    /// Add it to each case of this document, instead of asking it about samples; `-` for stdin.
    #[arg(long, value_name = "FILE")]
    pub into: Option<PathBuf>,
}

/// How a Consent is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// FHIR R4.
    R4,
    /// FHIR R5.
    R5,
    /// IHE Privacy Consent on FHIR, a profile of R4.
    Pcf,
}

/// Milliseconds since 1970, or a date.
fn parse_time(text: &str) -> Result<u64, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(millis) = text.parse()
    {
        return Ok(millis);
    }
    let wrong = "expected a date such as 2026-03-02T10:00:00Z, or milliseconds since 1970";
    let time = Timestamp::parse(text).ok_or(wrong)?;
    Ok(time.as_policy_millis())
}

/// `Z`, `+01:00`, `-05:30`.
fn parse_zone(text: &str) -> Result<UtcOffset, String> {
    let wrong = "expected Z or a distance from UTC such as +01:00, at most 14:00";
    if text == "Z" {
        return Ok(UtcOffset::UTC);
    }
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(wrong.into()),
    };
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i16>().ok())?
    };
    let (hours, minutes) = rest.split_once(':').ok_or(wrong)?;
    let (hours, minutes) = (number(hours).ok_or(wrong)?, number(minutes).ok_or(wrong)?);
    let offset = (minutes < 60).then(|| UtcOffset::from_minutes(sign * (hours * 60 + minutes)));
    offset.flatten().ok_or_else(|| wrong.into())
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
    fn times_are_dates_or_milliseconds() {
        assert_eq!(parse_time("1000"), Ok(1000));
        assert_eq!(parse_time("1970-01-01T00:00:01Z"), Ok(1000));
        for bad in ["", "noon", "-1", "2026-13-01", "2026-03-02 10:00"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn zones_are_distances_from_utc() {
        assert_eq!(parse_zone("Z"), Ok(UtcOffset::UTC));
        assert_eq!(parse_zone("-05:30").ok(), UtcOffset::from_minutes(-330));
        for bad in [
            "",
            "UTC",
            "1:00",
            "+1:00",
            "+01:60",
            "+14:01",
            "+-1:00",
            "+01",
            "Europe/Zurich",
        ] {
            assert!(parse_zone(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_parser_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
