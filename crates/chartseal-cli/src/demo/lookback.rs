//! Step 10: the history is exported and verified; then tampered with.

use chartseal::{Kept, Options, TrustPolicy, Verdict, verify};
use chartseal_audit::Rule;
use chartseal_wire::Event;

use crate::demo::page::Outcome;
use crate::demo::report;
use crate::demo::tamper;
use crate::demo::visit::{Visit, plural};
use crate::failure::Failure;

/// Step 10.
pub fn look_back(visit: &mut Visit<'_>) -> Result<(), Failure> {
    visit
        .page
        .step("The patient looks back: the history, verified by chartseal-audit alone")?;
    let trust = visit.trust()?;
    let (network, people) = visit.cast()?;
    let export = people.patient.export(network, None)?;
    let kept = prove(visit, &export, &trust, None)?;
    certified(visit)?;
    every_attempt_is_there(visit, &export, &trust);
    grown_from_the_first(visit, &trust)?;

    visit
        .page
        .line("Then somebody tampers with the export:", Outcome::Note, "")?;
    for forgery in tamper::forgeries(&export).map_err(Failure::new)? {
        let verdict = verify(&forgery.file, &trust, None, &Options::default());
        refuted(visit, forgery.what, forgery.rule, &verdict)?;
    }
    let Some((old, _)) = &visit.kept else {
        return Ok(());
    };
    let verdict = verify(old, &trust, kept.as_ref(), &Options::default());
    refuted(
        visit,
        "an old export is replayed",
        Rule::RolledBack,
        &verdict,
    )
}

/// The same by the committee's own certificate, from its pinned hash.
fn certified(visit: &mut Visit<'_>) -> Result<(), Failure> {
    let (network, people) = visit.cast()?;
    let export = people.patient.export_certified(network, None)?;
    let policy = visit.network.committee_policy();
    visit
        .directory
        .write("exports/committee.policy", policy.as_bytes())
        .map_err(Failure::new)?;
    let trust = TrustPolicy::parse(&policy).map_err(Failure::new)?;
    let verdict = verify(&export, &trust, None, &Options::default());
    let certified = match &verdict {
        Verdict::Proved(report) => report.certified.as_ref(),
        _ => None,
    };
    let what = "proved again by the committee's certificate of the newest block alone";
    let (outcome, signers) = match certified {
        Some(by) => (
            Outcome::Good,
            format!("{} of {} validators voted for it", by.signers.len(), by.of),
        ),
        None => (Outcome::Refused, verdict.to_string()),
    };
    let held = certified.is_some();
    visit.page.line(what, outcome, &signers)?;
    visit.checks.check(
        "P6",
        held,
        "the newest block is certified by the committee that the genesis names",
    );
    Ok(())
}

/// Verifies an export, prints the verdict and writes it down.
pub fn prove(
    visit: &mut Visit<'_>,
    export: &str,
    trust: &TrustPolicy,
    kept: Option<&Kept>,
) -> Result<Option<Kept>, Failure> {
    visit.export_bytes = export.len() as u64;
    visit
        .directory
        .write("exports/patient.tlog-proof", export.as_bytes())
        .map_err(Failure::new)?;
    let policy = visit.network.trust_policy();
    visit
        .directory
        .write("exports/trust.policy", policy.as_bytes())
        .map_err(Failure::new)?;
    match verify(export, trust, kept, &Options::default()) {
        Verdict::Proved(report) => {
            let entries: u64 = report
                .histories
                .iter()
                .map(chartseal_audit::History::total)
                .sum();
            let attempts: u64 = report
                .histories
                .iter()
                .map(|h| h.permitted + h.denied)
                .sum();
            let what = format!(
                "proved: {entries} entries, complete; {} ({})",
                plural(
                    usize::try_from(attempts).unwrap_or(usize::MAX),
                    "access attempt"
                ),
                if report.anomalies.is_empty() {
                    "nothing odd"
                } else {
                    "see the anomalies"
                }
            );
            let signed = format!(
                "signed by {} of {} organizations, {} needed; {} bytes",
                report.quorum.signed,
                report.quorum.of,
                report.quorum.needed,
                export.len()
            );
            visit.page.line(&what, Outcome::Good, &signed)?;
            visit.checks.check(
                "P4",
                true,
                "the exported history is proved authentic and complete",
            );
            visit.checks.check(
                "P4",
                report.anomalies.is_empty(),
                "the proved history shows no anomaly",
            );
            visit.verdict = Some(report::Verdict {
                result: "proved",
                entries,
                signers: report.quorum.signed,
                quorum: report.quorum.needed,
                anomalies: report
                    .anomalies
                    .iter()
                    .map(|anomaly| anomaly.kind.to_string())
                    .collect(),
            });
            Ok(Some(report.kept))
        }
        other => {
            visit.page.line(&other.to_string(), Outcome::Refused, "")?;
            visit.checks.check(
                "P4",
                false,
                format!("the exported history is proved ({other})"),
            );
            let result = if matches!(other, Verdict::Refuted(_)) {
                "refuted"
            } else {
                "cannot_tell"
            };
            let quorum = visit.network.quorum();
            visit.verdict = Some(report::Verdict {
                result,
                entries: 0,
                signers: 0,
                quorum,
                anomalies: Vec::new(),
            });
            Ok(None)
        }
    }
}

/// Every attempt of the visit is in the proved history, with its code.
fn every_attempt_is_there(visit: &mut Visit<'_>, export: &str, trust: &TrustPolicy) {
    let Verdict::Proved(report) = verify(export, trust, None, &Options::default()) else {
        return;
    };
    let proved: Vec<(u64, String)> = report
        .histories
        .iter()
        .flat_map(|history| history.entries.iter())
        .filter_map(|entry| match &entry.event {
            Event::Access(access) => {
                let permitted = access.records.iter().find(|outcome| outcome.permitted);
                let code = permitted
                    .or(access.records.first())
                    .map(|outcome| outcome.code.to_string());
                Some((entry.height, code.unwrap_or_default()))
            }
            _ => None,
        })
        .collect();
    let made: Vec<(u64, String)> = visit
        .attempts
        .iter()
        .map(|a| (a.height, a.code.clone()))
        .collect();
    // The order of the page is not always the order of the chain.
    let (mut proved, mut made) = (proved, made);
    proved.sort();
    made.sort();
    let what = format!(
        "the proved history has exactly the {} attempts of the visit, each with its code",
        made.len()
    );
    visit.checks.check("P3", proved == made, what);
}

/// An incremental export continues what was verified at the beginning.
fn grown_from_the_first(visit: &mut Visit<'_>, trust: &TrustPolicy) -> Result<(), Failure> {
    let Some((_, kept)) = visit.kept.clone() else {
        return Ok(());
    };
    let (network, people) = visit.cast()?;
    let newer = people.patient.export(network, Some(&kept))?;
    let grown = matches!(
        verify(&newer, trust, Some(&kept), &Options::default()),
        Verdict::Proved(_)
    );
    let what = "the chain of the beginning is a prefix of today's: nothing final was altered";
    visit.checks.check("P6", grown, what);
    visit.page.line(
        "an export of what is new since the beginning continues the first one",
        Outcome::Good,
        "",
    )?;
    Ok(())
}

fn refuted(
    visit: &mut Visit<'_>,
    what: &str,
    rule: Rule,
    verdict: &Verdict,
) -> Result<(), Failure> {
    let (held, found) = match verdict {
        Verdict::Refuted(refutation) => {
            let found = format!("{}: {}", refutation.rule, refutation.detail);
            (refutation.rule == rule, found)
        }
        other => (false, other.to_string()),
    };
    visit.page.line(what, Outcome::Refused, &found)?;
    visit
        .checks
        .check("P4", held, format!("{what}: refuted by {rule}"));
    Ok(())
}
