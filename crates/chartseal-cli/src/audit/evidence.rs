//! `chartseal audit evidence`: that a network signed two histories.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chartseal_audit::{Contradiction, Equivocated, Equivocation, NoEquivocation, TrustPolicy};
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_wire::note::MAX_NOTE;
use clap::Subcommand;
use serde_json::{Value, json};

use super::{MAX_EXPORT, read_policy};
use crate::exit::Exit;
use crate::failure::{Failure, read_file, read_text};
use crate::records::output::Output;
use crate::text::print_json;

/// The longest file of evidence that is read, in bytes: two statements of a note and, above it, at most 4 MiB for the
/// header, its proof and its certificate with the handovers before it; and what frames them.
const MAX_EVIDENCE: u64 = 2 * (MAX_NOTE as u64 + (4 << 20)) + 64;

/// `audit evidence …`.
#[derive(Debug, Subcommand)]
pub enum AuditEvidence {
    /// Make evidence of two exports that contradict each other; no patient's data is in it.
    Make(EvidenceMake),
    /// Check evidence that somebody else made.
    Check(EvidenceCheck),
}

/// `audit evidence make`.
#[derive(Debug, clap::Args)]
pub struct EvidenceMake {
    /// An export: a `.tlog-proof` file.
    #[arg(value_name = "FILE")]
    pub one: PathBuf,
    /// Another export of the same network.
    #[arg(value_name = "OTHER")]
    pub other: PathBuf,
    #[command(flatten)]
    pub common: Common,
    /// Where the evidence goes; nothing is overwritten.
    #[arg(long, value_name = "EVIDENCE")]
    pub out: PathBuf,
}

/// `audit evidence check`.
#[derive(Debug, clap::Args)]
pub struct EvidenceCheck {
    /// The evidence.
    #[arg(value_name = "EVIDENCE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub common: Common,
}

/// What both have in common.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Whose signatures count: a C2SP tlog-policy.
    #[arg(long, value_name = "POLICY")]
    pub trust: PathBuf,
    /// Print one JSON document (schema `chartseal.evidence/1`).
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(command: &AuditEvidence) -> Result<Exit, Failure> {
    match command {
        AuditEvidence::Make(args) => make(args),
        AuditEvidence::Check(args) => check(args),
    }
}

/// Nothing is written that does not prove anything.
fn make(args: &EvidenceMake) -> Result<Exit, Failure> {
    let policy = read_policy(&args.common.trust)?;
    let one = read_text(&args.one, MAX_EXPORT)?;
    let other = read_text(&args.other, MAX_EXPORT)?;
    let between = Equivocation::between(&one, &other);
    let evidence = between.map_err(|why| {
        let both = format!("{}, {}", args.one.display(), args.other.display());
        Failure::bad(Path::new(&both), format!("not two exports: {why}"))
    })?;
    let verdict = evidence.verify(&policy);
    if verdict.is_ok() {
        let bytes = to_bytes(&evidence);
        // Nobody could check what is longer than a statement may be.
        let read: Result<Equivocation, _> = from_bytes(&bytes);
        read.map_err(|why| Failure::new(format!("no evidence that can be passed on: {why}")))?;
        let mut out = Output::public(&args.out)?;
        out.write_all(&bytes)?;
        out.finish_new()?;
    }
    say(&verdict, &args.common)
}

fn check(args: &EvidenceCheck) -> Result<Exit, Failure> {
    let policy: TrustPolicy = read_policy(&args.common.trust)?;
    let bytes = read_file(&args.file, MAX_EVIDENCE)?;
    let evidence: Result<Equivocation, _> = from_bytes(&bytes);
    let evidence = evidence.map_err(|why| Failure::bad(&args.file, why))?;
    say(&evidence.verify(&policy), &args.common)
}

fn say(verdict: &Result<Equivocated, NoEquivocation>, args: &Common) -> Result<Exit, Failure> {
    let (exit, word) = match verdict {
        Ok(_) => (Exit::Done, "proved"),
        Err(NoEquivocation::CannotTell(_)) => (Exit::CannotTell, "cannot_tell"),
        Err(_) => (Exit::Refuted, "refuted"),
    };
    if args.json {
        print_json(&document(word, verdict))?;
        return Ok(exit);
    }
    let mut out = io::stdout().lock();
    match verdict {
        Ok(proved) => write!(out, "{proved}"),
        Err(why) => writeln!(out, "Not proved: {}", why.to_string().trim_end()),
    }?;
    Ok(exit)
}

fn document(word: &str, verdict: &Result<Equivocated, NoEquivocation>) -> Value {
    match verdict {
        Ok(proved) => {
            let (what, at) = match proved.contradiction {
                Contradiction::Block { height } => ("block", height),
                Contradiction::Log { size } => ("log", size),
            };
            json!({
                "schema": "chartseal.evidence/1",
                "verdict": word,
                "origin": proved.origin,
                "contradiction": {"of": what, "at": at},
                "both": proved.both,
            })
        }
        Err(why) => json!({
            "schema": "chartseal.evidence/1",
            "verdict": word,
            "why": why.to_string().trim_end(),
        }),
    }
}
