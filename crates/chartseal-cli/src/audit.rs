//! `chartseal audit …`.
//!
//! | module | what |
//! |---|---|
//! | here | verification, and the state that it keeps |
//! | `evidence` | that a network signed two histories |
//! | `explain` | what was checked, in plain words |
//! | `report` | a proved export as HTML, FHIR, HIPAA's accounting |
//! | `trust` | how a policy comes to be trusted |
//! | `witness` | cosigning a published log |

pub mod evidence;
mod explain;
mod report;
mod trust;
pub mod witness;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use chartseal_audit::{
    Freshness, Kept, Options, Refutation, Report, Rule, TrustPolicy, Verdict, verify,
};
use chartseal_node::Clock;
use serde_json::{Value, json};

use crate::args::{Audit, AuditTrust, AuditVerify};
use crate::exit::Exit;
use crate::failure::{Failure, read_file, read_text};
use crate::ledger;
use crate::records::output::sync_folder_of;
use crate::text::print_json;

/// The longest export, policy and kept state that are read, in bytes.
const MAX_EXPORT: u64 = 256 << 20;
const MAX_POLICY: u64 = 64 << 10;
const MAX_STATE: u64 = 1 << 20;

/// Runs the command.
pub fn run(command: &Audit) -> Result<Exit, Failure> {
    match command {
        Audit::Verify(args) => audit_verify(args),
        Audit::Explain(args) => explain::run(args),
        Audit::Report(args) => report::run(args),
        Audit::Trust(AuditTrust::Show(args)) => trust::show(args),
        Audit::Trust(AuditTrust::Pin(args)) => trust::pin(args),
        Audit::Evidence(command) => evidence::run(command),
        Audit::Replay(args) => ledger::verify(args),
        Audit::Witness(args) => witness::run(args),
    }
}

fn audit_verify(args: &AuditVerify) -> Result<Exit, Failure> {
    let policy = read_policy(&args.trust)?;
    // Held until the new state is written, so that two verifiers don't overwrite each other.
    let _lock = args.state.as_deref().map(lock).transpose()?;
    let kept = args.state.as_deref().map(read_state).transpose()?.flatten();
    let freshness = args.max_age.map(|age| Freshness {
        now: Clock::System.now(),
        max_age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
    });
    let options = Options {
        freshness,
        ..Options::default()
    };
    let (_, verdict) = verify_file(&args.file, &policy, kept.as_ref(), &options)?;

    if let (Verdict::Proved(report), Some(state)) = (&verdict, &args.state) {
        write_state(state, &report.kept)?;
    }
    if args.json {
        print_json(&document(&verdict))?;
    } else {
        write!(io::stdout().lock(), "{verdict}")?;
    }
    Ok(exit(&verdict))
}

fn exit(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Proved(_) => Exit::Done,
        Verdict::Refuted(_) => Exit::Refuted,
        Verdict::CannotTell(_) => Exit::CannotTell,
    }
}

/// Whose signatures count.
pub fn read_policy(path: &Path) -> Result<TrustPolicy, Failure> {
    let policy = read_text(path, MAX_POLICY)?;
    TrustPolicy::parse(&policy).map_err(|why| Failure::bad(path, why))
}

/// An export's text, and what it proves.
pub fn verify_file(
    path: &Path,
    policy: &TrustPolicy,
    kept: Option<&Kept>,
    options: &Options,
) -> Result<(String, Verdict), Failure> {
    let file = read_file(path, MAX_EXPORT)?;
    Ok(match String::from_utf8(file) {
        Ok(file) => {
            let verdict = verify(&file, policy, kept, options);
            (file, verdict)
        }
        // As with every other damage: the file was read, and is not what it should be.
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let verdict = Verdict::Refuted(Refutation {
                rule: Rule::File,
                detail: format!("no UTF-8 text at byte {at}"),
                equivocation: None,
            });
            (String::new(), verdict)
        }
    })
}

/// The JSON document `chartseal.audit/1` (`docs/schema/audit.schema.json`).
fn document(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Proved(report) => proved(report),
        Verdict::Refuted(refutation) => json!({
            "schema": "chartseal.audit/1",
            "result": "refuted",
            "rule": refutation.rule.id(),
            "says": refutation.rule.says(),
            "found": refutation.detail,
            "equivocation": refutation.equivocation.as_ref().map(|e| json!({"first": e.first, "second": e.second})),
        }),
        Verdict::CannotTell(doubt) => json!({
            "schema": "chartseal.audit/1",
            "result": "cannot_tell",
            "doubt": doubt.code(),
            "why": doubt.to_string(),
        }),
    }
}

fn proved(report: &Report) -> Value {
    let histories: Vec<Value> = report
        .histories
        .iter()
        .map(|history| {
            json!({
                "subject": subject(&history.subject),
                "first": history.first,
                "entries": history.entries.len(),
                "total": history.total(),
                "permitted": history.permitted,
                "denied": history.denied,
                "emergencies": history.emergencies,
                "open_reviews": history.open_reviews.len(),
                "releases": history.releases,
                "erasures": history.erasures,
                "redacted": history.redacted,
                "unjudged": history.unjudged,
                "unremembered": history.is_unremembered,
            })
        })
        .collect();
    let anomalies: Vec<Value> = report
        .anomalies
        .iter()
        .map(|anomaly| json!({"subject": subject(&anomaly.subject), "entry": anomaly.entry, "what": anomaly.kind.to_string()}))
        .collect();
    json!({
        "schema": "chartseal.audit/1",
        "result": "proved",
        "origin": report.origin,
        "height": report.height,
        "time": report.time.to_string(),
        "fresh_as_of": report.fresh_as_of.to_string(),
        "quorum": {"name": report.quorum.name, "signed": report.quorum.signed, "needed": report.quorum.needed, "of": report.quorum.of},
        "witnesses": report.witnesses.iter().map(|w| json!({"name": w.name, "time": w.time.to_string()})).collect::<Vec<_>>(),
        "certified": report.certified.as_ref().map(|one| json!({
            "epoch": one.epoch,
            "signers": one.signers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "of": one.of,
            "handovers": one.handovers,
        })),
        "log": {"size": report.log_size, "root": report.log_root.to_string()},
        "histories": histories,
        "anomalies": anomalies,
        "assumptions": report.assumptions,
    })
}

fn subject(subject: &chartseal_wire::Subject) -> String {
    match subject {
        chartseal_wire::Subject::Patient(id) => format!("patient {id}"),
        chartseal_wire::Subject::Actor(id) => format!("actor {id}"),
    }
}

/// Locks the state file's own lock file: a state that is replaced can't be locked itself.
fn lock(state: &Path) -> Result<File, Failure> {
    let path = beside(state, ".lock");
    let open = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file =
        open.map_err(|error| Failure::bad(&path, format!("cannot lock the state: {error}")))?;
    file.lock()
        .map_err(|error| Failure::bad(&path, format!("cannot lock the state: {error}")))?;
    Ok(file)
}

fn read_state(state: &Path) -> Result<Option<Kept>, Failure> {
    match state.try_exists() {
        Ok(false) => return Ok(None),
        Ok(true) => {}
        Err(error) => return Err(Failure::bad(state, format!("cannot read it: {error}"))),
    }
    let bytes = read_file(state, MAX_STATE)?;
    let kept = Kept::from_bytes(&bytes);
    kept.map(Some)
        .map_err(|why| Failure::bad(state, format!("not a kept state ({why}); restore it")))
}

/// Replaces the state as a whole: a crash leaves the old one or the new one, and after this the new one.
fn write_state(state: &Path, kept: &Kept) -> Result<(), Failure> {
    let fresh = beside(state, ".new");
    let write = || -> io::Result<()> {
        let mut file = File::create(&fresh)?;
        file.write_all(&kept.to_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, state)?;
        sync_folder_of(state)
    };
    write().map_err(|error| Failure::bad(state, format!("cannot keep the state: {error}")))
}

fn beside(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_judged_is_counted_in_the_document() {
        let file = include_str!("../../chartseal-audit/tests/vectors/visit.tlog-proof");
        let policy = include_str!("../../chartseal-audit/tests/vectors/trust.policy");
        let policy = TrustPolicy::parse(policy).unwrap();
        let Verdict::Proved(mut report) = verify(file, &policy, None, &Options::default()) else {
            panic!("a good export is proved");
        };
        report.histories[0].unjudged = 7;
        assert_eq!(proved(&report)["histories"][0]["unjudged"], 7);
    }
}
