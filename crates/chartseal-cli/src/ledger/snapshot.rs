//! `chartseal ledger snapshot …`.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use chartseal_audit::{Options, Verdict};
use chartseal_codec::from_bytes;
use chartseal_ledger::store::{self, Imported, LedgerStore, SnapshotError, export_snapshot};
use chartseal_node::{LedgerStoreError, RedbLedger, Vouchers};
use chartseal_wire::{BlockHeader, Export, ProofFile};
use serde_json::json;

use super::args;
use super::chain::{self, Chain};
use super::snapshot_file::{Reader, Writer};
use crate::audit;
use crate::exit::Exit;
use crate::failure::{Failure, read_text};
use crate::records::output::Output;
use crate::text::{line, print_json, size};

/// The longest file with a header in hex, in bytes.
const MAX_HEADER: u64 = 4_096;

/// What can go wrong while a snapshot is written.
enum ExportError {
    Store(LedgerStoreError),
    Output(io::Error),
}

impl From<LedgerStoreError> for ExportError {
    fn from(error: LedgerStoreError) -> Self {
        Self::Store(error)
    }
}

/// `ledger snapshot export`.
pub fn export(args: &args::Export) -> Result<Exit, Failure> {
    // Whoever takes the snapshot would find damage of headers and state, but too late.
    let chain = Chain::open(&args.read.dir)?;
    if let Some(file) = &args.vouchers {
        let vouchers = Vouchers::of(&chain.store).map_err(|error| chain.bad(&error))?;
        let missing = "its newest block has no certificate; run the node until another is final, and stop it again";
        let vouchers = vouchers.ok_or_else(|| Failure::bad(&args.read.dir, missing))?;
        let mut out = Output::public(file)?;
        write!(out, "{vouchers}")?;
        out.finish_new()?;
    }
    let mut chunks = 0_u64;
    let out = Output::public(&args.out)?;
    let mut writer = Writer::new(BufWriter::new(out))?;
    let written = export_snapshot(&chain.store, |chunk| {
        chunks += 1;
        writer.chunk(chunk).map_err(ExportError::Output)
    });
    written.map_err(|error| match error {
        ExportError::Store(error) => chain.bad(&error),
        ExportError::Output(error) => Failure::Output(error),
    })?;
    let (out, bytes) = writer.finish()?;
    let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    out.finish_new()?;
    let head = chain.head().head();
    if args.read.json {
        print_json(&json!({
            "schema": "chartseal.ledger.snapshot/1",
            "chain": head.chain.to_string(),
            "height": head.height,
            "head": head.leaf().to_string(),
            "chunks": chunks,
            "bytes": bytes,
        }))?;
    } else {
        let out = &mut io::stdout().lock();
        line(out, "snapshot", &args.out.display().to_string())?;
        line(out, "chain", &head.chain.to_string())?;
        line(out, "height", &format!("{}, of {}", head.height, head.time))?;
        line(out, "head", &head.leaf().to_string())?;
        line(out, "size", &format!("{} in {chunks} chunks", size(bytes)))?;
    }
    Ok(Exit::Done)
}

/// `ledger snapshot check`.
pub fn check(args: &args::Check) -> Result<Exit, Failure> {
    let trusted = match trusted(&args.trusted)? {
        Ok(trusted) => trusted,
        Err(untrusted) => return not_trusted(args, &untrusted),
    };
    match read(&args.file, &trusted)? {
        Ok(imported) => {
            tell_checked(args, &imported)?;
            Ok(Exit::Done)
        }
        Err(error) => refuted(args, &error),
    }
}

/// `ledger snapshot import`.
pub fn import(args: &args::Import) -> Result<Exit, Failure> {
    let file = args.into.join(chain::FILE);
    if file.exists() {
        let why = "a ledger is there already; name a new directory";
        return Err(Failure::bad(&args.into, why));
    }
    let trusted = match trusted(&args.check.trusted)? {
        Ok(trusted) => trusted,
        Err(untrusted) => return not_trusted(&args.check, &untrusted),
    };
    let imported = match read(&args.check.file, &trusted)? {
        Ok(imported) => imported,
        Err(error) => return refuted(&args.check, &error),
    };
    fs::create_dir_all(&args.into)
        .map_err(|error| Failure::bad(&args.into, format!("cannot make it: {error}")))?;
    let kept = RedbLedger::open(&file).and_then(|mut store| store.keep(&imported));
    kept.map_err(|error| {
        // An empty ledger would look like one that a node has begun.
        let _ = fs::remove_file(&file);
        Failure::bad(&args.into, chain::unopened(&error))
    })?;
    tell_checked(&args.check, &imported)?;
    Ok(Exit::Done)
}

/// Why an export's header can't be trusted: its verdict.
pub struct Untrusted(pub Verdict);

/// The header to which a snapshot must lead.
pub fn trusted(args: &args::Trusted) -> Result<Result<BlockHeader, Box<Untrusted>>, Failure> {
    if let Some(file) = &args.header {
        let text = read_text(file, MAX_HEADER)?;
        let header = unhex(text.trim()).and_then(|bytes| from_bytes(&bytes).ok());
        let wrong = "no block header in hex, as `chartseal ledger block --header` prints it";
        return header.map(Ok).ok_or_else(|| Failure::bad(file, wrong));
    }
    let (Some(proof), Some(trust)) = (&args.proof, &args.trust) else {
        return Err(Failure::new("--header, or --proof and --trust, is needed"));
    };
    let policy = audit::read_policy(trust)?;
    let (text, verdict) = audit::verify_file(proof, &policy, None, &Options::default())?;
    if !matches!(verdict, Verdict::Proved(_)) {
        return Ok(Err(Box::new(Untrusted(verdict))));
    }
    // Proved: so this is the header that the quorum signed.
    let export = ProofFile::parse(&text).ok();
    let export = export.and_then(|file| from_bytes::<Export>(&file.extra).ok());
    let export = export.ok_or_else(|| Failure::bad(proof, "no export"))?;
    Ok(Ok(export.header))
}

/// Reads a snapshot against a header. Memory holds all of it.
pub fn read(
    file: &Path,
    trusted: &BlockHeader,
) -> Result<Result<Imported, SnapshotError>, Failure> {
    let opened = File::open(file).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "no such file".into(),
            _ => format!("cannot read it: {error}"),
        };
        Failure::bad(file, why)
    })?;
    let bad = |why| Failure::bad(file, why);
    let mut reader = Reader::new(BufReader::new(opened)).map_err(bad)?;
    let mut import = store::Import::new(trusted.clone());
    while let Some(chunk) = reader.next().map_err(bad)? {
        if let Err(error) = import.chunk(&chunk) {
            return Ok(Err(error));
        }
    }
    Ok(import.finish())
}

fn tell_checked(args: &args::Check, imported: &Imported) -> Result<(), Failure> {
    let head = imported.reloaded.overlay.head();
    let histories = imported.histories.len();
    let entries: usize = imported.histories.values().map(Vec::len).sum();
    let values = imported.reloaded.overlay.map().len();
    if args.json {
        return print_json(&json!({
            "schema": "chartseal.ledger.snapshot.check/1",
            "result": "proved",
            "chain": head.chain.to_string(),
            "height": head.height,
            "head": head.leaf().to_string(),
            "values": values,
            "histories": histories,
            "entries": entries,
        }));
    }
    let out = &mut io::stdout().lock();
    writeln!(
        out,
        "Proved: the snapshot is the one that the trusted header names."
    )?;
    line(out, "chain", &head.chain.to_string())?;
    line(out, "height", &format!("{}, of {}", head.height, head.time))?;
    line(out, "head", &head.leaf().to_string())?;
    line(
        out,
        "holds",
        &format!(
            "{} headers, {values} values of state, {histories} histories with {entries} entries",
            head.height + 1
        ),
    )?;
    Ok(())
}

fn refuted(args: &args::Check, error: &SnapshotError) -> Result<Exit, Failure> {
    if args.json {
        print_json(&json!({
            "schema": "chartseal.ledger.snapshot.check/1",
            "result": "refuted",
            "rule": error.rule(),
            "found": error.to_string(),
        }))?;
    } else {
        let out = &mut io::stdout().lock();
        writeln!(out, "Refuted: the snapshot is not of the trusted header.")?;
        line(out, "rule", error.rule())?;
        line(out, "found", &error.to_string())?;
    }
    Ok(Exit::Refuted)
}

fn not_trusted(args: &args::Check, Untrusted(verdict): &Untrusted) -> Result<Exit, Failure> {
    let (result, exit) = match verdict {
        Verdict::Refuted(_) => ("refuted", Exit::Refuted),
        _ => ("cannot_tell", Exit::CannotTell),
    };
    let (rule, found) = match verdict {
        Verdict::Refuted(refutation) => (Some(refutation.rule.id()), refutation.detail.clone()),
        Verdict::CannotTell(doubt) => (None, doubt.to_string()),
        Verdict::Proved(_) => (None, String::new()),
    };
    if args.json {
        print_json(&json!({
            "schema": "chartseal.ledger.snapshot.check/1",
            "result": result,
            "rule": rule,
            "found": found,
        }))?;
    } else {
        write!(
            io::stdout().lock(),
            "The export that should vouch for the header doesn't; the snapshot was not looked at.\n\
             {verdict}"
        )?;
    }
    Ok(exit)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}
