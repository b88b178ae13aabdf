//! `chartseal audit report`: a proved export for people and for other programs.
//!
//! | module | what |
//! |---|---|
//! | `history` | the whole history as a page |
//! | `disclosures` | HIPAA's accounting of disclosures, as a page |
//! | `fhir` | FHIR AuditEvents |
//! | `page` | HTML that prints well |
//! | `names` | what a reader calls the ids |

mod disclosures;
mod fhir;
mod history;
mod names;
mod page;

use std::io::Write;
use std::path::Path;

use chartseal_audit::{Options, Report, Verdict};
use chartseal_codec::to_hex;
use sha2::{Digest, Sha256};

use super::{exit, lock, read_policy, read_state, verify_file};
use crate::args::{AuditReport, ReportForm};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::records::output::Output;
use names::Names;

/// A proved export, and what a report says besides.
struct Subject<'a> {
    report: &'a Report,
    names: Names,
    /// The SHA-256 of the export and of the policy, to find them again.
    export: String,
    policy: String,
}

/// Runs the command.
pub fn run(args: &AuditReport) -> Result<Exit, Failure> {
    let policy = read_policy(&args.trust)?;
    let names = args.names.as_deref().map(Names::read).transpose()?;
    let _lock = args.state.as_deref().map(lock).transpose()?;
    let kept = args.state.as_deref().map(read_state).transpose()?.flatten();
    let options = Options::default();
    let (text, verdict) = verify_file(&args.file, &policy, kept.as_ref(), &options)?;
    // There is no report of what isn't proved: on paper nobody would see the difference.
    let Verdict::Proved(report) = &verdict else {
        eprint!("{verdict}");
        return Ok(exit(&verdict));
    };
    let subject = Subject {
        report,
        names: names.unwrap_or_default(),
        export: to_hex(&Sha256::digest(text.as_bytes())),
        policy: digest_of(&args.trust)?,
    };
    let written = match args.form {
        ReportForm::Html => history::page(&subject),
        ReportForm::Hipaa => disclosures::page(&subject),
        ReportForm::Fhir => fhir::bundle(&subject)?,
    };
    let mut out = Output::public(args.out.as_deref().unwrap_or(Path::new("-")))?;
    out.write_all(written.as_bytes())?;
    out.finish()?;
    Ok(Exit::Done)
}

fn digest_of(path: &Path) -> Result<String, Failure> {
    let bytes = crate::failure::read_file(path, super::MAX_POLICY)?;
    Ok(to_hex(&Sha256::digest(bytes)))
}
