//! What a whole chart's shape tells: the category of a record, and whose chart it is.

use std::collections::{BTreeMap, BTreeSet};

use chartseal::{Class, Document};
use chartseal_fhir::Bundle;
use chartseal_ledger::Label;
use chartseal_ledger::body::RecordAdded;
use chartseal_testkit::leaks::files;

use crate::attack::{Attack, Choices, Score, Seen};
use crate::world::{View, World, log2};

/// A record of a chart: its class, which the attacker wants to know, and what is seen, by kind.
struct Record {
    class: Class,
    is_tagged: bool,
    /// How many of its labels are no decoys, as far as the chart tells.
    telling: usize,
    seen: BTreeMap<&'static str, Seen>,
}

/// The twelve charts as one node sees them, each with how many records its source has.
fn charts(data: &std::path::Path) -> Vec<(Vec<Record>, usize)> {
    let mut world = World::new();
    let mut bundles: Vec<_> = files(&data.join("fhir/synthea-r4"))
        .unwrap()
        .into_iter()
        .filter(|file| file.extension().is_some_and(|it| it == "json"))
        .filter(|file| !file.to_str().unwrap().contains("Information"))
        .collect();
    bundles.sort();
    let mut filed = Vec::new();
    for file in bundles {
        let bytes = std::fs::read(file).unwrap();
        let bundle = Bundle::parse(&bytes).unwrap();
        let documents: Vec<Document<'_>> =
            bundle.clinical().filter_map(Document::from_fhir).collect();
        let kit = world.patient(0).filing_kit();
        let records = world.file(0, &kit, &documents);
        let truth = documents
            .iter()
            .map(|document| (document.class, !document.tags.is_empty()));
        filed.push((
            records.into_iter().zip(truth).collect::<Vec<_>>(),
            documents.len(),
        ));
    }
    let view = world.view();
    filed
        .iter()
        .map(|(chart, source)| (chart_of(&view, chart), *source))
        .collect()
}

fn chart_of(view: &View<'_>, chart: &[(chartseal::RecordId, (Class, bool))]) -> Vec<Record> {
    let added: Vec<_> = chart
        .iter()
        .map(|(record, _)| view.record(*record).1)
        .collect();
    // Labels that a record bears beside each label. A class keeps company with decoys alone, a decoy
    // with everything.
    let mut company: BTreeMap<Label, BTreeSet<Label>> = BTreeMap::new();
    let mut often: BTreeMap<Label, u64> = BTreeMap::new();
    for record in &added {
        for label in record.labels.as_slice() {
            company
                .entry(*label)
                .or_default()
                .extend(record.labels.as_slice());
            *often.entry(*label).or_default() += 1;
        }
    }
    // Of the decoys there are eight.
    let mut sociable: Vec<(usize, Label)> = company
        .iter()
        .map(|(label, others)| (others.len(), *label))
        .collect();
    sociable.sort_unstable_by(|one, other| other.cmp(one));
    let decoys: BTreeSet<Label> = sociable.iter().take(8).map(|(_, label)| *label).collect();
    let class_label = |at: usize| {
        let labels = added[at].labels.as_slice().iter();
        labels
            .min_by_key(|label| (company[label].len(), often[label]))
            .copied()
            .unwrap()
    };
    let mut ranks: Vec<(u64, Label)> = (0..added.len())
        .map(class_label)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|label| (often[&label], label))
        .collect();
    ranks.sort_unstable_by(|one, other| other.cmp(one));

    let count =
        |test: &dyn Fn(usize) -> bool| (0..added.len()).filter(|at| test(*at)).count() as u64;
    let length = |at: Option<usize>| {
        let neighbour = at.and_then(|at| added.get(at));
        neighbour.map_or(0, |record| record.length)
    };
    (0..added.len())
        .map(|at| {
            let record = added[at];
            let label = class_label(at);
            let rank = ranks.iter().position(|(_, other)| *other == label).unwrap();
            let share = 100 * often[&label] / added.len() as u64;
            let same_time = count(&|other| added[other].authored == record.authored);
            let same_visit = count(&|other| {
                record.encounter.is_some() && added[other].encounter == record.encounter
            });
            let earlier = count(&|other| other < at && added[other].encounter == record.encounter);
            let seen = BTreeMap::from([
                ("size", Seen::from([format!("length={}", record.length)])),
                (
                    "label frequency",
                    Seen::from([format!("rank={rank}"), format!("share={}", log2(share))]),
                ),
                (
                    "confidentiality",
                    Seen::from([format!("confidentiality={:?}", record.confidentiality)]),
                ),
                (
                    "times and encounters",
                    Seen::from([
                        format!("at that time={}", log2(same_time)),
                        format!("of the encounter={}", log2(same_visit)),
                        format!("earlier of the encounter={}", log2(earlier)),
                        format!("has encounter={}", record.encounter.is_some()),
                        format!("to the minute={}", record.authored.0 % 60_000 == 0),
                    ]),
                ),
                (
                    "order",
                    Seen::from([
                        format!("place={}", log2(at as u64)),
                        format!("before={}", length(at.checked_sub(1))),
                        format!("behind={}", length(at.checked_add(1))),
                    ]),
                ),
            ]);
            let (class, is_tagged) = chart[at].1;
            Record {
                class,
                is_tagged,
                telling: labels_of(record)
                    .filter(|label| !decoys.contains(label))
                    .count(),
                seen,
            }
        })
        .collect()
}

/// Which of two records of one chart has which of two classes: learnt from the other eleven charts.
fn guess_classes(charts: &[(Vec<Record>, usize)], by: &[&str]) -> Score {
    let seen = |record: &Record| -> Seen {
        let kinds = record.seen.iter().filter(|(kind, _)| by.contains(kind));
        kinds.flat_map(|(_, seen)| seen.clone()).collect()
    };
    let (mut score, mut choices) = (Score::default(), Choices::of(8));
    for (own, (chart, _)) in charts.iter().enumerate() {
        let others: Vec<(Class, Seen)> = charts
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != own)
            .flat_map(|(_, (chart, _))| chart.iter().map(|record| (record.class, seen(record))))
            .collect();
        let mut attacks: BTreeMap<(&str, &str), Attack> = BTreeMap::new();
        for _ in 0..200 {
            let one = &chart[choices.below(chart.len())];
            let other = &chart[choices.below(chart.len())];
            let (a, b) = (one.class, other.class);
            let guesses = choices.coin();
            if a == b {
                continue;
            }
            let attack = attacks.entry((a.as_str(), b.as_str())).or_insert_with(|| {
                let examples = others
                    .iter()
                    .filter(|(class, _)| *class == a || *class == b);
                Attack::learn(examples.map(|(class, seen)| (seen, *class == a)))
            });
            let (right, wrong) = (attack.odds(&seen(one)), attack.odds(&seen(other)));
            score.count(right > wrong || (right >= wrong && guesses));
        }
    }
    score
}

#[test]
fn a_charts_shape_tells_classes_persons_and_sensitive_records() {
    let Some(data) = chartseal_testkit::data_dir() else {
        return;
    };
    let charts = charts(&data);
    let kinds = [
        "size",
        "label frequency",
        "confidentiality",
        "times and encounters",
        "order",
    ];
    for kind in kinds {
        guess_classes(&charts, &[kind]).print(&format!("which class, in a chart, by {kind}"));
    }
    let all = guess_classes(&charts, &kinds);
    all.assert_at_least(0.45, "which class, in a chart, by all of that");

    // Whose chart it is, for who knows how many records each of two persons has.
    let mut whose = Score::default();
    for (at, (chart, source)) in charts.iter().enumerate() {
        for (_, other) in &charts[..at] {
            whose.count(chart.len() == *source && source != other);
        }
    }
    whose.assert_at_least(
        0.45,
        "which of two persons a chart is, by its number of records",
    );

    // A sensitive tag raises the confidentiality, which node operators see; and it is one label more
    // that is no decoy.
    let (mut by_confidentiality, mut by_labels) = (Score::default(), Score::default());
    let mut choices = Choices::of(9);
    for (chart, _) in &charts {
        let plain: Vec<&Record> = chart.iter().filter(|record| !record.is_tagged).collect();
        for one in chart.iter().filter(|record| record.is_tagged) {
            for _ in 0..10 {
                let other = plain[choices.below(plain.len())];
                let guesses = choices.coin();
                let confidentiality = |record: &Record| record.seen["confidentiality"].clone();
                let normal = Seen::from(["confidentiality=N".to_owned()]);
                let is_above = confidentiality(one) != normal && confidentiality(other) == normal;
                by_confidentiality.count(is_above);
                let (right, wrong) = (one.telling, other.telling);
                by_labels.count(right > wrong || (right == wrong && guesses));
            }
        }
    }
    by_confidentiality.assert_at_least(
        0.45,
        "which of two records has a sensitive tag, by its confidentiality",
    );
    by_labels.assert_at_least(
        0.4,
        "which of two records has a sensitive tag, in a chart, by its labels alone",
    );
}

fn labels_of(record: &RecordAdded) -> impl Iterator<Item = &Label> {
    record.labels.as_slice().iter()
}
