//! What a node keeps, sends and burns: memory, disk, traffic and energy, of a region's chain and of others.

use super::chain::Load;
use super::country::{Calendar, Region, Size};
use super::measured::{
    BYTES_PER_TRANSACTION, CIPHERTEXT_PER_RECORD, DISK_PER_BLOCK, DISK_PER_PATIENT,
    DISK_PER_TRANSACTION, IDLE_CPU, IDLE_DISK, MEMORY_PER_PATIENT, MEMORY_PER_TRANSACTION, RECORDS,
    VALIDATORS, VISIT, visit,
};
use crate::written::real;

/// Assumed: one-way delay between two hospitals of a region, in seconds.
pub(super) const WITHIN_REGION_S: f64 = 0.008;
/// Assumed: between two of different regions.
pub(super) const ACROSS_S: f64 = 0.015;
/// Assumed: cores of a validator's machine.
pub(super) const CORES: f64 = 8.0;
/// `docs/benches.md`'s: watts of a core.
pub(super) const WATTS_PER_CORE: f64 = 10.0;
/// Assumed: watts of a machine that does nothing, its share of the building included.
pub(super) const WATTS_IDLE: f64 = 100.0;
/// Bytes of a vote: its proposal, the signature, the frame.
const VOTE: f64 = 200.0;
/// Bytes of a signature in a certificate.
const SIGNATURE: f64 = 64.0;

/// One chain's year.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    pub(super) validators: u64,
    pub(super) people: f64,
    /// Visits in the year.
    pub(super) visits: f64,
    /// The busiest hour's visits a second.
    pub(super) peak: f64,
    /// Of a node, in bytes: once for the people; then each year.
    pub(super) memory_at_start: f64,
    pub(super) memory_a_year: f64,
    pub(super) disk_at_start: f64,
    pub(super) disk_a_year: f64,
    pub(super) ciphertext_a_year: f64,
    /// Blocks of the year.
    pub(super) blocks: f64,
    /// All its nodes' CPU time in the year, in core-seconds.
    pub(super) cpu_s: f64,
    /// The load of the busiest hour.
    pub(super) load: Load,
}

impl Growth {
    /// Of a region as it is.
    pub(super) fn of(region: &Region, calendar: &Calendar) -> Self {
        Self::new(
            region.people,
            region.visits,
            region.validators,
            WITHIN_REGION_S,
            calendar,
        )
    }

    /// Of a chain of so many people, visits and validators, with links of so many seconds.
    pub(super) fn new(
        people: f64,
        visits: f64,
        validators: u64,
        one_way: f64,
        calendar: &Calendar,
    ) -> Self {
        let load = |visits: f64| Load {
            validators,
            visits,
            one_way,
            cores: CORES,
            seconds: 60.0,
        };
        let hours = || calendar.rates(visits).map(load);
        let blocks = hours().map(|load| load.blocks() * 3_600.0).sum::<f64>() * 365.0 / 364.0;
        let busy: f64 = hours().map(|load| load.cpu(load.blocks()) + IDLE_CPU).sum();
        let n = real(validators);
        let more = real(2 * (validators - VALIDATORS) / 3) * SIGNATURE;
        let each = real(visit(validators));
        Self {
            validators,
            people,
            visits,
            peak: calendar.peak(visits),
            memory_at_start: people * MEMORY_PER_PATIENT,
            memory_a_year: visits * real(VISIT) * MEMORY_PER_TRANSACTION,
            disk_at_start: people * DISK_PER_PATIENT,
            disk_a_year: visits * each * DISK_PER_TRANSACTION
                + blocks * (DISK_PER_BLOCK + more)
                + IDLE_DISK * 365.0,
            ciphertext_a_year: visits * real(RECORDS) * CIPHERTEXT_PER_RECORD,
            blocks,
            cpu_s: busy * 3_600.0 * n * 365.0 / 364.0,
            load: load(calendar.peak(visits)),
        }
    }

    /// A node's memory after so many years, in bytes.
    pub(super) fn memory(&self, years: f64) -> f64 {
        self.memory_at_start + self.memory_a_year * years
    }

    /// A node's disk after so many years, ciphertext included.
    pub(super) fn disk(&self, years: f64) -> f64 {
        self.disk_at_start + (self.disk_a_year + self.ciphertext_a_year) * years
    }

    /// After how many years a node's memory is full.
    pub(super) fn full_after(&self, memory: f64) -> f64 {
        ((memory - self.memory_at_start) / self.memory_a_year).max(0.0)
    }

    /// Bytes a second that a node takes in during the busiest hour: every transaction once by gossip and once in a block, votes of both
    /// rounds, ciphertext. It sends about as much.
    pub(super) fn traffic(&self) -> f64 {
        let transactions = self.load.transactions() * BYTES_PER_TRANSACTION;
        let votes = self.load.blocks() * 2.0 * real(self.validators - 1) * VOTE;
        let ciphertext = self.peak * real(RECORDS) * CIPHERTEXT_PER_RECORD;
        2.0 * transactions + votes + ciphertext
    }

    /// Transactions in the year.
    pub(super) fn transactions(&self) -> f64 {
        self.visits * real(visit(self.validators))
    }
}

/// How many people a chain bears whose nodes have so much memory after so many years.
pub(super) fn people_that_fit(memory: f64, years: f64, visits_each: f64) -> f64 {
    let each = MEMORY_PER_PATIENT + visits_each * real(VISIT) * MEMORY_PER_TRANSACTION * years;
    memory / each
}

/// One chain for the whole nation, at so many validators.
pub(super) fn national(size: Size, validators: u64, calendar: &Calendar) -> Growth {
    let visits = size.people * size.visits_each;
    Growth::new(size.people, visits, validators, ACROSS_S, calendar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_keeps_grows_with_people_visits_and_validators() {
        let calendar = Calendar::new();
        let of = |people, validators| {
            let visits = people * 10.0;
            Growth::new(people, visits, validators, WITHIN_REGION_S, &calendar)
        };
        let (small, large, wide) = (of(1e6, 4), of(2e6, 4), of(1e6, 7));
        assert!((large.memory(1.0) / small.memory(1.0) - 2.0).abs() < 1e-9);
        assert!(large.disk_a_year > 1.5 * small.disk_a_year);
        assert!((wide.memory(1.0) - small.memory(1.0)).abs() < 1.0);
        assert!(wide.disk_a_year > 1.4 * small.disk_a_year && wide.cpu_s > small.cpu_s);
        let people = people_that_fit(small.memory(3.0), 3.0, 10.0);
        assert!((people / 1e6 - 1.0).abs() < 1e-9);
    }
}
