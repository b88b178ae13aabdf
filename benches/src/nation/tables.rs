//! The plan's tables: what the parts found, in words and units.

mod kept;
mod noticed;

use super::chain::{self, Load, Outcome};
use super::country::{Calendar, EMERGENCIES_EACH, Region, Size, UNCONSCIOUS, regions};
use super::growth::{self, CORES, Growth, WATTS_PER_CORE, WITHIN_REGION_S};
use super::measured::{THROUGHPUT, visit};
use super::number::Rng;
use super::outage;
use super::people::{self, Found};
use super::table::Table;
use crate::written::{bytes, commas, figure, percent, span, whole};

/// Witnesses that a patient's policy asks for.
const NEEDED: u64 = 11;
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
            noticed::records(&far, &near),
            self.emergency(&outcomes, &far),
            self.checkpoints(effort),
            self.forks(effort),
            self.compared(effort),
            self.one_chain(effort),
            self.energy(&growths),
            kept::sizes(),
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
}

/// How many chains it takes for people of whom so many fit on one.
fn chains(people: f64, fit: f64) -> u64 {
    whole((people / fit).ceil())
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
