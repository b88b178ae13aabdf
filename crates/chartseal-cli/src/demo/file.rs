//! Step 3: every clinical resource sealed, dealt and anchored.

use std::collections::BTreeMap;

use chartseal::{Class, Document, Filed, Offer};
use chartseal_ledger::state::Deposited;
use indicatif::{ProgressBar, ProgressStyle};

use crate::demo::page::Outcome;
use crate::demo::visit::{MINUTE, Visit, plural};
use crate::failure::Failure;

/// Step 3.
pub fn records(visit: &mut Visit<'_>) -> Result<(), Failure> {
    visit
        .page
        .step("The family doctor files every clinical resource")?;
    let resources: Vec<_> = visit.bundle.clinical().cloned().collect();
    let documents: Vec<Document<'_>> = resources.iter().filter_map(Document::from_fhir).collect();
    let bar = progress_bar(documents.len());
    let (network, people) = visit.cast()?;
    let kit = people.patient.filing_kit();
    let filed = people.author.file(network, &kit, &documents, |done| {
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    visit.filed = resources.into_iter().zip(filed).collect();

    let sealed = visit
        .filed
        .iter()
        .filter(|(_, filed)| filed.header.is_some())
        .count();
    let classes = by_class(visit);
    let words: Vec<String> = classes
        .iter()
        .map(|(class, count)| format!("{count} {class}"))
        .collect();
    let what = format!(
        "{} sealed, dealt to the custodians, anchored",
        plural(sealed, "record")
    );
    visit.page.line(&what, Outcome::Good, &words.join(", "))?;
    let administrative = visit.bundle.resources().len() - visit.filed.len();
    if administrative > 0 {
        let what = format!(
            "{} about organizations and staff: context, not sealed",
            plural(administrative, "resource")
        );
        visit.page.line(&what, Outcome::Note, "")?;
    }
    visit.granted = choose(&documents, visit.granted.clone());
    check_durable(visit)?;
    check_duplicates(visit, &documents)?;
    first_export(visit)?;
    visit.pass(MINUTE, 0);
    Ok(())
}

/// What the patient will grant: laboratory results, if there are ordinary ones; else the ordinary records
/// of the most frequent class; if every record is sensitive, those that are as the first one.
fn choose(documents: &[Document<'_>], laboratory: Offer) -> Offer {
    let ordinary = documents
        .iter()
        .filter(|d| d.tags.is_empty() && d.confidentiality <= laboratory.confidentiality);
    let mut counts: BTreeMap<Class, usize> = BTreeMap::new();
    for document in ordinary {
        *counts.entry(document.class).or_default() += 1;
    }
    if counts.contains_key(&Class::LABORATORY) {
        return laboratory;
    }
    match (
        counts.iter().max_by_key(|(_, count)| **count),
        documents.first(),
    ) {
        (Some((class, _)), _) => Offer {
            classes: vec![*class],
            ..laboratory
        },
        (None, Some(first)) => Offer {
            classes: vec![first.class],
            tags: first.tags.clone(),
            confidentiality: first.confidentiality,
            ..laboratory
        },
        (None, None) => laboratory,
    }
}

fn by_class(visit: &Visit<'_>) -> BTreeMap<&'static str, usize> {
    let mut classes = BTreeMap::new();
    for labels in visit
        .filed
        .iter()
        .filter_map(|(resource, _)| resource.labels())
    {
        *classes.entry(labels.class.as_str()).or_insert(0) += 1;
    }
    classes
}

/// All custodians hold and acknowledged their share of every record.
fn check_durable(visit: &mut Visit<'_>) -> Result<(), Failure> {
    let durable = visit.network.read_each(&visit.filed, |state, (_, filed)| {
        let record = state.record(&filed.record);
        let deposit = record.and_then(|record| state.deposit(&record.header));
        deposit.is_some_and(|deposit| deposit.status() == Deposited::Durable)
    })?;
    let durable = durable.into_iter().all(|is_durable| is_durable);
    visit.checks.check(
        "P7",
        durable,
        "every record's key shares are with all four custodians",
    );
    Ok(())
}

/// Filing everything again files nothing.
fn check_duplicates(visit: &mut Visit<'_>, documents: &[Document<'_>]) -> Result<(), Failure> {
    let expected: Vec<_> = visit.filed.iter().map(|(_, filed)| filed.record).collect();
    let (network, people) = visit.cast()?;
    let before = people.patient.records(network)?.len();
    let kit = people.patient.filing_kit();
    let again: Vec<Filed> = people.author.file(network, &kit, documents, |_| ())?;
    let after = people.patient.records(network)?.len();
    let same = again.iter().map(|filed| filed.record).eq(expected);
    let held = same && before == after && again.iter().all(|filed| filed.header.is_none());
    visit.checks.check(
        "P10",
        held,
        "filing the whole bundle a second time adds no record",
    );

    let duplicates = visit.bundle.duplicates();
    if let Some(duplicate) = duplicates.first() {
        let what = format!(
            "{} in the bundle",
            plural(duplicates.len(), "repeated resource")
        );
        let result = format!(
            "one record each: {} is the same as {}",
            duplicate.path, duplicate.first
        );
        visit.page.line(&what, Outcome::Good, &result)?;
    }
    let stored: std::collections::BTreeSet<_> =
        visit.filed.iter().map(|(_, filed)| filed.record).collect();
    let held = stored.len() == visit.filed.len();
    visit
        .checks
        .check("P10", held, "each different resource is one record");
    Ok(())
}

/// What the patient's app keeps, to be sure later that nothing before was changed.
fn first_export(visit: &mut Visit<'_>) -> Result<(), Failure> {
    let trust = visit.trust()?;
    let (network, people) = visit.cast()?;
    let export = people.patient.export(network, None)?;
    let verdict = chartseal::verify(&export, &trust, None, &chartseal::Options::default());
    let chartseal::Verdict::Proved(report) = verdict else {
        visit.checks.check(
            "P4",
            false,
            format!("the first export is proved ({verdict})"),
        );
        return Ok(());
    };
    visit
        .checks
        .check("P4", true, "the history is proved right after filing");
    visit.kept = Some((export, report.kept));
    Ok(())
}

fn progress_bar(len: usize) -> ProgressBar {
    // On stderr, and only if that is a terminal.
    let bar = ProgressBar::new(len as u64);
    if let Ok(style) = ProgressStyle::with_template("sealing {bar:40} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar.set_position(0);
    bar
}
