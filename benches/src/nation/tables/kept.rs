//! What chains keep, and of what size they may be.

use super::super::country::Size;
use super::super::growth::{self, Growth, WATTS_IDLE, WATTS_PER_CORE};
use super::super::measured::{ENTRY, THROUGHPUT};
use super::super::table::Table;
use super::{Effort, GB, MEMORY, Nation, YEAR_S, YEARS, chains, joules, pair, two};
use crate::written::{bytes, commas, figure, percent, real, span};

impl Nation {
    pub(super) fn keeps(&self) -> Table {
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
        row("a custodian's own history, each year", &|g| {
            bytes(g.visits * ENTRY)
        });
        row("link in the busiest hour, each way", &link);
        table
    }

    pub(super) fn fits(&self) -> Table {
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

    pub(super) fn one_chain(&self, effort: Effort) -> Table {
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

    pub(super) fn energy(&self, growths: &[Growth]) -> Table {
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

/// Nations of other sizes and habits: people are distributed alike.
pub(super) fn sizes() -> Table {
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

fn link(growth: &Growth) -> String {
    format!("{} Mbit/s", figure(growth.traffic() * 8.0 / 1e6))
}

fn years(years: f64) -> String {
    span(years * YEAR_S)
}
