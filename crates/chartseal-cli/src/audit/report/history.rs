//! The whole history as a page.

use chartseal_audit::{Certified, History, Report};
use chartseal_wire::Entry;

use super::Subject;
use super::names::Names;
use super::page::Page;
use crate::events::{self, Decided};

/// The page.
pub fn page(subject: &Subject<'_>) -> String {
    let (report, names) = (subject.report, &subject.names);
    let mut page = Page::new("Access history: who did what with these medical records");
    page.boxed(
        "verdict",
        &format!(
            "Proved: what follows is authentic, and complete up to {}.",
            time(report.fresh_as_of)
        ),
    );
    summary(&mut page, subject);
    for history in &report.histories {
        let whose = whose(history, names);
        page.sheet(&format!("History of {whose}"), |page| {
            entries(page, history, names);
        });
    }
    page.sheet("What this rests on", |page| {
        page.list(&report.assumptions);
        page.paragraph("It does not say that an entry is true: an entry is what the network decided, and what people and custodians signed. What somebody did with a record once they could read it is in no such list.");
    });
    page.finish(&footer(subject))
}

fn summary(page: &mut Page, subject: &Subject<'_>) {
    let (report, names) = (subject.report, &subject.names);
    page.heading("At a glance");
    let mut facts = vec![
        ("Network", network(&report.origin)),
        ("Signed by", signed_by(report)),
    ];
    if let Some(one) = &report.certified {
        facts.push(("Certified by", certified_by(one, names)));
    }
    facts.push((
        "Block",
        format!("{} of {}", report.height, time(report.time)),
    ));
    page.facts(&facts);
    let rows = report.histories.iter().map(|one| {
        vec![
            whose(one, names),
            one.total().to_string(),
            one.permitted.to_string(),
            one.denied.to_string(),
            one.emergencies.to_string(),
            one.releases.to_string(),
            one.erasures.to_string(),
        ]
    });
    page.table(
        "What happened",
        &[
            "History of",
            "Entries",
            "Accesses permitted",
            "Accesses denied",
            "In emergencies",
            "Releases of keys",
            "Erasures",
        ],
        rows,
    );
    if report.anomalies.is_empty() {
        page.paragraph("The entries show nothing that should not be.");
    } else {
        page.boxed("warn", "The entries show what should not be:");
        page.list(report.anomalies.iter().map(|one| {
            let whose = super::super::subject(&one.subject);
            names.put(&format!("{whose}, entry {}: {}", one.entry, one.kind))
        }));
    }
}

/// Whom the policy's quorum counts, and how it is met.
fn signed_by(report: &Report) -> String {
    let quorum = &report.quorum;
    let mut signers: Vec<String> = report
        .witnesses
        .iter()
        .map(|one| one.name.clone())
        .collect();
    let committee = report.certified.as_ref();
    signers.extend(committee.map(|one| format!("the committee of epoch {}", one.epoch)));
    let counts = format!(
        "{} of {}, of which {} are needed",
        quorum.signed, quorum.of, quorum.needed
    );
    // Under the policy `quorum none` nobody need sign.
    if signers.is_empty() {
        return counts;
    }
    format!("{}: {counts}", signers.join(", "))
}

/// The organizations whose validators signed the committee's certificate.
fn certified_by(one: &Certified, names: &Names) -> String {
    let orgs = one
        .signers
        .iter()
        .map(|org| names.or_id(&org.to_string()).to_owned());
    let orgs: Vec<String> = orgs.collect();
    let (signed, of, epoch) = (one.signers.len(), one.of, one.epoch);
    let since = match one.handovers {
        0 => String::new(),
        1 => ", after one change of the committee".into(),
        many => format!(", after {many} changes of the committee"),
    };
    format!(
        "{}: {signed} of the {of} validators of epoch {epoch}{since}",
        orgs.join(", ")
    )
}

fn entries(page: &mut Page, history: &History, names: &Names) {
    if history.first > 0 {
        let first = history.first;
        page.paragraph(&format!(
            "Entries before {first} were verified earlier and are not listed."
        ));
    }
    if history.entries.is_empty() {
        page.paragraph("Nothing has happened.");
        return;
    }
    let rows = (history.first..).zip(history.entries.iter());
    let rows = rows.map(|(index, entry)| row(index, &entry, names));
    page.table(
        "All entries, in their order. Times are in UTC.",
        &["No.", "When", "Who", "What"],
        rows,
    );
}

fn row(index: u64, entry: &Entry, names: &Names) -> Vec<String> {
    let told = events::tell(&entry.event);
    let (actor, org) = (entry.actor.to_string(), entry.org.to_string());
    let mut who = names.or_id(&actor).to_owned();
    if org != actor {
        who = format!("{who}\nfor {}", names.or_id(&org));
    }
    let mut what = capital(&names.put(&told.says)) + ".";
    // Decisions that are alike together.
    for group in told.outcomes.chunk_by(|a, b| a.says() == b.says()) {
        let Some(first) = group.first() else { continue };
        let records = group.iter().map(|one: &Decided| names.or_id(&one.record));
        let records: Vec<&str> = records.collect();
        let says = capital(&first.says());
        what = format!("{what}\n{says}: {}", records.join(", "));
    }
    vec![index.to_string(), time(entry.time), who, what]
}

/// The patient or whoever acted, by name if it is known.
pub fn whose(history: &History, names: &Names) -> String {
    let whose = super::super::subject(&history.subject);
    let id = whose.rsplit(' ').next().unwrap_or_default();
    match names.get(id) {
        Some(name) => name.into(),
        None => whose,
    }
}

/// To the second: `2026-11-22 19:37:24`.
pub fn time(time: chartseal_wire::Time) -> String {
    let text = time.to_string();
    let (date, clock) = text.split_once('T').unwrap_or((&text, ""));
    let clock = clock.split('.').next().unwrap_or_default();
    format!("{date} {clock} UTC")
}

/// A chain's log, as words that break.
pub fn network(origin: &str) -> String {
    origin.replacen("chartseal/chain/", "Chartseal chain ", 1)
}

/// What finds the proof again.
pub fn footer(subject: &Subject<'_>) -> Vec<String> {
    vec![
        format!(
            "Made by chartseal {} from an export with the SHA-256 digest {} and a trust policy with the \
             fingerprint {}.",
            env!("CARGO_PKG_VERSION"),
            subject.export,
            subject.policy
        ),
        "This page is a copy for reading; the proof is the export. Check it with: chartseal audit \
         verify EXPORT --trust POLICY. Names, if there are any, come from whoever made this page: the \
         network knows ids only."
            .into(),
    ]
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}
