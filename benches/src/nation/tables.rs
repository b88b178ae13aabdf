//! The plan's tables: what the parts found, in words and units.

use super::chain::{self, Load, Outcome};
use super::country::{Calendar, EMERGENCIES_EACH, Region, Size, UNCONSCIOUS, regions};
use super::growth::{self, ACROSS_S, CORES, Growth, WATTS_IDLE, WATTS_PER_CORE, WITHIN_REGION_S};
use super::measured::{ENTRY, MOST_EMERGENCIES, REVIEW_HOURS, THROUGHPUT, visit};
use super::number::{Rng, bytes, commas, figure, percent, real, span, whole};
use super::outage;
use super::people::{self, Found};
use super::table::Table;
use super::witness::{self, COMPARE_EVERY_S, Fork, Noticed};

/// Witnesses that a patient's policy asks for, and between how many seconds a chain asks them.
const NEEDED: u64 = 11;
const CHECKPOINT_S: f64 = 60.0;
/// The memory for which chains are made small enough, in bytes, and for how many years.
const MEMORY: f64 = 512.0 * GB;
const YEARS: f64 = 10.0;
const GB: f64 = 1e9;
const YEAR_S: f64 = 365.0 * 86_400.0;

/// How much is simulated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Of each chain's busiest hour.
    pub(super) seconds: f64,
    /// People whose records are looked at.
    pub(super) people: u64,
    /// How often each fork is run.
    pub(super) trials: u64,
}

/// A nation of a size, and chance.
pub(super) struct Nation {
    size: Size,
    seed: u64,
    calendar: Calendar,
    regions: Vec<Region>,
}

impl Nation {
    pub(super) fn new(size: Size, seed: u64) -> Self {
        Self {
            size,
            seed,
            calendar: Calendar::new(),
            regions: regions(size),
        }
    }

    /// All tables, in the document's order.
    pub(super) fn tables(&self, effort: Effort) -> Vec<Table> {
        let [far, near] = [(1.0, 1), (1.0 / 3.0, 4)].map(|(travel, stream)| {
            let mut rng = Rng::new(self.seed, stream);
            let each = self.size.visits_each;
            people::look(&self.regions, effort.people, each, travel, NEEDED, &mut rng)
        });
        let growths = self.growths();
        let peaks = growths.iter().zip(100..);
        let outcomes: Vec<Outcome> = peaks
            .map(|(growth, stream)| self.peak(growth, effort.seconds, stream))
            .collect();
        vec![
            self.country(&growths, &far),
            self.load(&growths, &outcomes),
            self.keeps(),
            self.fits(),
            self.validators(effort),
            self.outages(),
            self.catch_up(),
            records(&far, &near),
            self.emergency(&outcomes, &far),
            self.checkpoints(effort),
            self.forks(effort),
            self.compared(effort),
            self.one_chain(effort),
            self.energy(&growths),
            sizes(),
        ]
    }

    fn growths(&self) -> Vec<Growth> {
        let of = |region| Growth::of(region, &self.calendar);
        self.regions.iter().map(of).collect()
    }

    fn peak(&self, growth: &Growth, seconds: f64, stream: u64) -> Outcome {
        let load = Load {
            seconds,
            ..growth.load
        };
        chain::run(&load, &mut Rng::new(self.seed, stream))
    }

    /// The smallest region, the one in the middle, and the largest.
    fn three(&self) -> Vec<&Region> {
        let mut by_size: Vec<&Region> = self.regions.iter().collect();
        by_size.sort_by(|a, b| a.people.total_cmp(&b.people));
        let last = by_size.len().saturating_sub(1);
        let at = |place: usize| by_size.get(place).copied();
        [0, last / 2, last].into_iter().filter_map(at).collect()
    }

    /// The largest region's chain.
    fn largest(&self) -> Growth {
        let growths = self.growths().into_iter();
        let largest = growths.max_by(|a, b| a.people.total_cmp(&b.people));
        largest.unwrap_or_else(|| growth::national(self.size, 4, &self.calendar))
    }

    fn visits(&self) -> f64 {
        self.size.people * self.size.visits_each
    }

    /// One in each other region.
    fn witnesses(&self) -> u64 {
        self.regions.len() as u64 - 1
    }

    fn country(&self, growths: &[Growth], found: &Found) -> Table {
        let head = ["", "a year", "in an average hour", "in the busiest hour"];
        let mut table = Table::new("country", &head);
        let of_peak = self.calendar.peak(1.0) * 3_600.0;
        let mut row = |what: &str, year: f64| {
            let hours = [1.0, 1.0 / 8_766.0, of_peak].map(|share| figure(year * share));
            table.row(std::iter::once(what.to_owned()).chain(hours));
        };
        let unconscious = self.size.people * EMERGENCIES_EACH * UNCONSCIOUS;
        row("visits", self.visits());
        row(
            "of them in another region than the patient's",
            self.visits() * found.elsewhere,
        );
        row(
            "emergencies in hospitals",
            self.size.people * EMERGENCIES_EACH,
        );
        row("of them with a patient who can't consent", unconscious);
        row(
            "of these away from their region",
            unconscious * found.elsewhere,
        );
        row(
            "transactions",
            growths.iter().map(Growth::transactions).sum(),
        );
        table
    }

    fn load(&self, growths: &[Growth], outcomes: &[Outcome]) -> Table {
        let head = [
            "region",
            "people",
            "*n*, *f*",
            "visits/s",
            "transactions/s",
            "of 2,450/s",
            "blocks/s",
            "cores busy",
            "final p50, p99",
            "read p50, p99",
            "durable p50",
        ];
        let mut table = Table::new("load", &head);
        for ((region, growth), outcome) in self.regions.iter().zip(growths).zip(outcomes) {
            let transactions = growth.load.transactions();
            table.row([
                region.name.into(),
                figure(region.people),
                format!("{}, {}", region.validators, (region.validators - 1) / 3),
                figure(growth.peak),
                figure(transactions),
                percent(transactions / THROUGHPUT.0),
                figure(outcome.blocks_a_second),
                figure(outcome.busy * CORES),
                pair(outcome.last),
                pair(outcome.read),
                span(outcome.durable.0),
            ]);
        }
        table
    }

    fn keeps(&self) -> Table {
        let regions = self.three();
        let names: Vec<&str> = regions.iter().map(|region| region.name).collect();
        let growths = regions
            .into_iter()
            .map(|region| Growth::of(region, &self.calendar));
        let growths: Vec<Growth> = growths.collect();
        let mut table = Table::new("keeps", &[&["a node in"], names.as_slice()].concat());
        let mut row = |what: &str, of: &dyn Fn(&Growth) -> String| {
            table.row(std::iter::once(what.to_owned()).chain(growths.iter().map(of)));
        };
        row("transactions a year", &|g| figure(g.transactions()));
        row("blocks a year", &|g| figure(g.blocks));
        row("memory: the people", &|g| bytes(g.memory_at_start));
        row("memory: each year's visits", &|g| bytes(g.memory_a_year));
        row("memory after 10 years", &|g| bytes(g.memory(YEARS)));
        row("512 GB are full after", &|g| years(g.full_after(MEMORY)));
        row("2 TB are full after", &|g| {
            years(g.full_after(2_000.0 * GB))
        });
        row("disk: the chain, each year", &|g| bytes(g.disk_a_year));
        row("disk: ciphertext, each year", &|g| {
            bytes(g.ciphertext_a_year)
        });
        row("disk after 10 years", &|g| bytes(g.disk(YEARS)));
        row("a custodian's own history, each year", &|g| bytes(g.visits * ENTRY));
        row("link in the busiest hour, each way", &link);
        table
    }

    fn fits(&self) -> Table {
        let head = [
            "memory of a node",
            "people on a chain for 1 year",
            "chains",
            "people on a chain for 10 years",
            "chains",
        ];
        let mut table = Table::new("fits", &head);
        for memory in [64.0, 256.0, 512.0, 1_000.0, 2_000.0] {
            let mut cells = vec![bytes(memory * GB)];
            for years in [1.0, YEARS] {
                let people = growth::people_that_fit(memory * GB, years, self.size.visits_each);
                cells.push(figure(people));
                cells.push(commas(chains(self.size.people, people)));
            }
            table.row(cells);
        }
        table
    }

    fn validators(&self, effort: Effort) -> Table {
        let head = [
            "validators",
            "transactions a visit",
            "transactions/s",
            "of 2,450/s",
            "largest block",
            "cores busy",
            "final p50, p99",
            "read p50, p99",
            "disk: the chain, each year",
            "energy of a visit",
        ];
        let mut table = Table::new("validators", &head);
        let of = self.largest();
        for (n, stream) in [4, 7, 10, 13, 19, 31].into_iter().zip(200..) {
            let growth = Growth::new(of.people, of.visits, n, WITHIN_REGION_S, &self.calendar);
            let transactions = growth.load.transactions();
            let outcome = self.peak(&growth, effort.seconds / 2.0, stream);
            table.row([
                n.to_string(),
                visit(n).to_string(),
                figure(transactions),
                percent(transactions / THROUGHPUT.0),
                commas(outcome.largest),
                figure(outcome.busy * CORES),
                pair(outcome.last),
                pair(outcome.read),
                bytes(growth.disk_a_year),
                joules(growth.cpu_s * WATTS_PER_CORE / growth.visits),
            ]);
        }
        table
    }

    fn outages(&self) -> Table {
        let head = [
            "region",
            "stands still for",
            "visits that wait",
            "their transactions",
            "made good after",
            "broken glasses unanswered",
            "its people's visits elsewhere",
        ];
        let mut table = Table::new("outages", &head);
        for region in self.three() {
            for hours in [1, 6, 24] {
                let outage = outage::of_chain(region, &self.calendar, hours);
                table.row([
                    region.name.into(),
                    format!("{hours} h"),
                    figure(outage.visits),
                    figure(outage.transactions),
                    span(outage.drained_s),
                    figure(outage.emergencies),
                    figure(outage.elsewhere),
                ]);
            }
        }
        table
    }

    fn catch_up(&self) -> Table {
        let regions = self.three();
        let names: Vec<&str> = regions.iter().map(|region| region.name).collect();
        let head = [&["away for"], names.as_slice()].concat();
        let mut table = Table::new("catch-up", &head);
        for hours in [1, 6, 24, 72] {
            let took = regions
                .iter()
                .map(|region| outage::of_node(region, &self.calendar, hours));
            let cells = took.map(|took| took.map_or_else(|| "more than a week".into(), span));
            table.row(std::iter::once(format!("{hours} h")).chain(cells));
        }
        table
    }

    fn emergency(&self, outcomes: &[Outcome], found: &Found) -> Table {
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

    fn checkpoints(&self, effort: Effort) -> Table {
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

    fn forks(&self, effort: Effort) -> Table {
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
    fn compared(&self, effort: Effort) -> Table {
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

    fn one_chain(&self, effort: Effort) -> Table {
        let head = [
            "",
            "the largest regional chain",
            "one chain of 4",
            "one chain of 16",
            "one chain of 64",
        ];
        let mut table = Table::new("one-chain", &head);
        let chains = [4, 16, 64].map(|n| growth::national(self.size, n, &self.calendar));
        let all: Vec<Growth> = std::iter::once(self.largest()).chain(chains).collect();
        let mut row = |what: &str, of: &dyn Fn(&Growth) -> String| {
            table.row(std::iter::once(what.to_owned()).chain(all.iter().map(of)));
        };
        row("transactions/s in the busiest hour", &|g| {
            figure(g.load.transactions())
        });
        row("of 3,760/s, of 2,450/s", &|g| {
            let share = |of: f64| percent(g.load.transactions() / of);
            format!("{}, {}", share(THROUGHPUT.1), share(THROUGHPUT.0))
        });
        row("cores busy", &|g| figure(g.load.cpu(g.load.blocks())));
        row("final p50, p99", &|g| {
            if g.load.transactions() > THROUGHPUT.1 {
                return "not carried".into();
            }
            pair(self.peak(g, effort.seconds / 2.0, 300).last)
        });
        row("memory of a node, each year", &|g| bytes(g.memory_a_year));
        row("2 TB are full after", &|g| {
            years(g.full_after(2_000.0 * GB))
        });
        row("disk of a node, each year", &|g| {
            bytes(g.disk_a_year + g.ciphertext_a_year)
        });
        row("link in the busiest hour, each way", &link);
        row(
            "people whose pseudonyms, times and labels an operator sees",
            &|g| figure(g.people),
        );
        row("visits that wait if it stands still for 6 h", &|g| {
            let morning = self.calendar.rates(g.visits).skip(8).take(6);
            figure(morning.map(|rate| rate * 3_600.0).sum())
        });
        table
    }

    fn energy(&self, growths: &[Growth]) -> Table {
        let mut table = Table::new("energy", &["", "the nation"]);
        let nodes = growths.iter().map(|growth| growth.validators).sum();
        let cores = growths.iter().map(|growth| growth.cpu_s).sum::<f64>() / YEAR_S;
        let of_peak =
            |growth: &Growth| growth.load.cpu(growth.load.blocks()) * real(growth.validators);
        let at_peak = growths.iter().map(of_peak).sum();
        let each = |watts: f64| joules(watts * YEAR_S / self.visits());
        let machines = real(nodes) * WATTS_IDLE;
        let mut row = |what: &str, value: String| table.row([what.into(), value]);
        row("nodes", commas(nodes));
        row(
            "cores busy: mean of the year, busiest hour",
            two(cores, at_peak, figure),
        );
        let watts = |cores: f64| format!("{} W", figure(cores * WATTS_PER_CORE));
        row(
            "power of these cores: mean, busiest hour",
            two(cores, at_peak, watts),
        );
        row("energy of a visit by it", each(cores * WATTS_PER_CORE));
        row(
            "power of the machines that stand there",
            format!("{} kW", figure(machines / 1e3)),
        );
        row(
            "energy of a visit, machines included",
            each(cores * WATTS_PER_CORE + machines),
        );
        table
    }
}

fn records(far: &Found, near: &Found) -> Table {
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

/// Nations of other sizes and habits: people are distributed alike.
fn sizes() -> Table {
    let head = [
        "people",
        "visits each",
        "transactions/s, all regions",
        "largest region",
        "memory a year, largest region",
        "disk a year, largest region",
        "chains at 512 GB for 10 years",
    ];
    let mut table = Table::new("sizes", &head);
    for (people, visits_each) in [
        (10e6, 6.0),
        (60e6, 6.0),
        (60e6, 9.6),
        (82.905e6, 9.6),
        (82.905e6, 17.0),
    ] {
        let size = Size {
            people,
            visits_each,
        };
        let nation = Nation::new(size, 0);
        let growths = nation.growths();
        let largest = nation.largest();
        let all = growths
            .iter()
            .map(|growth| growth.load.transactions())
            .sum();
        let fit = growth::people_that_fit(MEMORY, YEARS, visits_each);
        table.row([
            figure(people),
            figure(visits_each),
            figure(all),
            figure(largest.load.transactions()),
            bytes(largest.memory_a_year),
            bytes(largest.disk_a_year + largest.ciphertext_a_year),
            commas(chains(people, fit)),
        ]);
    }
    table
}

/// How many chains it takes for people of whom so many fit on one.
fn chains(people: f64, fit: f64) -> u64 {
    whole((people / fit).ceil())
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

fn link(growth: &Growth) -> String {
    format!("{} Mbit/s", figure(growth.traffic() * 8.0 / 1e6))
}

fn pair((p50, p99): (f64, f64)) -> String {
    two(p50, p99, span)
}

fn two(a: f64, b: f64, of: impl Fn(f64) -> String) -> String {
    format!("{}, {}", of(a), of(b))
}

fn joules(x: f64) -> String {
    format!("{} J", figure(x))
}

fn years(years: f64) -> String {
    span(years * YEAR_S)
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
