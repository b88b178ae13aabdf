//! What patients verify, what an emergency takes, and who notices a forger.

use super::super::chain::Outcome;
use super::super::country::{EMERGENCIES_EACH, Region, UNCONSCIOUS};
use super::super::growth::{self, ACROSS_S};
use super::super::measured::{MOST_EMERGENCIES, REVIEW_HOURS};
use super::super::number::Rng;
use super::super::people::{self, Found};
use super::super::table::Table;
use super::super::witness::{self, COMPARE_EVERY_S, Fork, Noticed};
use super::{Effort, MEMORY, NEEDED, Nation, YEAR_S, YEARS, chains, pair};
use crate::written::{bytes, commas, figure, percent, real, span, whole};

/// Between how many seconds a chain asks its witnesses.
const CHECKPOINT_S: f64 = 60.0;

impl Nation {
    pub(super) fn checkpoints(&self, effort: Effort) -> Table {
        let fit = growth::people_that_fit(MEMORY, YEARS, self.size.visits_each);
        let many = chains(self.size.people, fit);
        let of_many = format!("a day in the nation with {many} chains");
        let head = [
            "checkpoint every",
            "requests/s at a witness",
            "a day at a witness",
            "a day in the nation",
            of_many.as_str(),
            "a rewritten chain is noticed after p50, p99",
        ];
        let mut table = Table::new("checkpoints", &head);
        let (chains, witnesses) = (real(self.regions.len() as u64), real(self.witnesses()));
        let mut rng = Rng::new(self.seed, 2);
        for every in [10.0, CHECKPOINT_S, 600.0, 3_600.0] {
            let cost = witness::cost(chains, witnesses, every);
            table.row([
                span(every),
                figure(cost.requests),
                bytes(cost.a_day),
                bytes(cost.nation),
                bytes(cost.nation * real(many) / chains),
                pair(witness::rewritten(every, effort.trials * 10, &mut rng)),
            ]);
        }
        let three = self.three();
        let next = |region: Option<&&Region>| {
            span(region.map_or(0.0, |region| witness::rewritten_unwitnessed(region)))
        };
        let (small, large) = (next(three.first()), next(three.last()));
        let dash = || String::from("none");
        table.row([
            "no witnesses".into(),
            dash(),
            dash(),
            dash(),
            dash(),
            format!("{large} (largest region) to {small} (smallest), mean: the next app looks that kept a state"),
        ]);
        table
    }

    pub(super) fn forks(&self, effort: Effort) -> Table {
        let head = [
            "policy",
            "corrupt witnesses",
            "both histories cosigned",
            "1 patient: known after p50, p99; false exports proved",
            "100 patients",
            "10,000 patients",
            "too few witnesses reachable",
        ];
        let mut table = Table::new("forks", &head);
        let witnesses = self.witnesses();
        let mut rng = Rng::new(self.seed, 3);
        for (k, corrupt) in [
            (0, 0),
            (1, 0),
            (5, 0),
            (8, 0),
            (8, 1),
            (NEEDED, 0),
            (NEEDED, 6),
            (NEEDED, 7),
            (NEEDED, NEEDED),
        ] {
            let fork = Fork {
                victims: 1,
                witnesses,
                k,
                corrupt,
            };
            let is_asked = k > 0;
            let mut cells = if is_asked {
                let both = if fork.is_possible() { "yes" } else { "no" };
                vec![
                    format!("{k} of {witnesses}"),
                    corrupt.to_string(),
                    both.into(),
                ]
            } else {
                vec!["no witnesses".into(), String::new(), "not asked".into()]
            };
            for victims in [1, 100, 10_000] {
                let fork = Fork { victims, ..fork };
                let noticed = fork.run(CHECKPOINT_S, COMPARE_EVERY_S, effort.trials, &mut rng);
                cells.push(known(&noticed));
            }
            cells.push(if is_asked {
                of_a_year(witness::too_few(witnesses, k))
            } else {
                String::new()
            });
            table.row(cells);
        }
        table
    }

    /// A fork that honest witnesses have to cosign, by how often a chain asks them and how often that is compared.
    pub(super) fn compared(&self, effort: Effort) -> Table {
        let head = [
            "checkpoint every",
            "compared with each checkpoint",
            "every hour",
            "every day",
        ];
        let mut table = Table::new("compared", &head);
        let fork = Fork {
            victims: 1,
            witnesses: self.witnesses(),
            k: 5,
            corrupt: 0,
        };
        let mut rng = Rng::new(self.seed, 5);
        for every in [10.0, CHECKPOINT_S, 600.0, 3_600.0] {
            let cells = [every, COMPARE_EVERY_S, 86_400.0]
                .map(|compared| pair(fork.run(every, compared, effort.trials, &mut rng).after));
            table.row(std::iter::once(span(every)).chain(cells));
        }
        table
    }

    pub(super) fn emergency(&self, outcomes: &[Outcome], found: &Found) -> Table {
        let mut table = Table::new("emergency", &["", "median region", "worst region"]);
        let mut row = |what: &str, mut values: Vec<f64>, of: &dyn Fn(f64) -> String| {
            values.sort_by(f64::total_cmp);
            let middle = values.get(values.len() / 2).copied().unwrap_or_default();
            let worst = values.last().copied().unwrap_or_default();
            table.row([what.into(), of(middle), of(worst)]);
            worst
        };
        let declared = outcomes.iter().map(|outcome| outcome.last.0).collect();
        row("declaration final, p50", declared, &span);
        let read = outcomes.iter().map(|outcome| outcome.read.0).collect();
        row("request and receipts final, shares there, p50", read, &span);
        // There and back, twice.
        let across = |outcome: &Outcome| outcome.last.0 + outcome.read.0 + 4.0 * ACROSS_S;
        let all = outcomes.iter().map(across).collect();
        let worst = row("the whole from another region", all, &span);
        let waiting = |region: &Region| {
            let declared = region.people * EMERGENCIES_EACH * UNCONSCIOUS * REVIEW_HOURS / 8_766.0;
            declared / real(region.validators)
        };
        let waiting = self.regions.iter().map(waiting).collect();
        let what = format!(
            "declarations without a review of one organization, of {MOST_EMERGENCIES} that are let through"
        );
        row(&what, waiting, &figure);
        let most = people::most(found);
        table.row([
            format!("the most chains of a person, {most}, one after the other"),
            String::new(),
            span(worst * real(most)),
        ]);
        table
    }
}

pub(super) fn records(far: &Found, near: &Found) -> Table {
    let mut table = Table::new("records", &["", "p50", "p90", "p99", "most"]);
    for (found, travel) in [(far, "as in-patients"), (near, "a third as often")] {
        let years = ["1 year", "10 years"].into_iter();
        for ((chains, several), years) in found.chains.iter().zip(found.several).zip(years) {
            let what = format!(
                "chains after {years}, going elsewhere {travel} ({} have several)",
                percent(several)
            );
            let cells = chains.iter().map(|n| commas(whole(*n)));
            table.row(std::iter::once(what).chain(cells));
        }
    }
    let mut row = |what: &str, values: [f64; 2], of: fn(f64) -> String| {
        let [p50, p99] = values.map(of);
        table.row([what.into(), p50, String::new(), p99, String::new()]);
    };
    row("entries of a year, all chains", far.entries, figure);
    row("their exports", far.bytes, bytes);
    row("verified in", far.verify_s, span);
    row("exports of ten years, all chains", far.whole_bytes, bytes);
    row("verified in", far.whole_verify_s, span);
    table
}

fn known(noticed: &Noticed) -> String {
    let (p50, p99) = noticed.after;
    let after = if noticed.never > 0.5 {
        format!("not in 20 years ({} of runs)", percent(noticed.never))
    } else if noticed.never > 0.01 {
        format!("{}, not in 20 years", span(p50))
    } else {
        pair((p50, p99))
    };
    format!("{after}; {}", figure(noticed.proved))
}

/// A probability as the time of a year that it stands for.
fn of_a_year(probability: f64) -> String {
    let s = probability * YEAR_S;
    if s < 0.001 {
        "never".into()
    } else {
        format!("{} a year", span(s))
    }
}
