//! One chain, event by event: visits come, transactions wait for a block, blocks follow one another, custodians answer what is final.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::measured::{
    BLOCK, CPU_PER_BLOCK_S, CPU_PER_CHECK_S, CPU_PER_RELEASE_S, CPU_PER_TRANSACTION_S, EXECUTE_S,
    INTERVAL_S, RECORDS, VALIDATORS, visit,
};
use super::number::{Rng, quantile, sorted};
use crate::written::{real, whole};

/// What a chain is given to carry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Validators, 3*f* + 1; each is a custodian too.
    pub(super) validators: u64,
    /// Visits a second.
    pub(super) visits: f64,
    /// One-way delay between any two validators, in seconds.
    pub(super) one_way: f64,
    /// Cores of a validator.
    pub(super) cores: f64,
    /// For how long, in seconds.
    pub(super) seconds: f64,
}

impl Load {
    /// Transactions a second.
    pub(super) fn transactions(&self) -> f64 {
        self.visits * real(visit(self.validators))
    }

    /// What a block costs each validator: as measured at four, and both rounds' further votes.
    fn cpu_per_block(&self) -> f64 {
        CPU_PER_BLOCK_S + 2.0 * real(self.validators - VALIDATORS) * CPU_PER_CHECK_S
    }

    /// A node's CPU time in a second, in cores, at so many blocks a second: as a validator, and as the custodian that takes in a visit's
    /// shares and gives them out once.
    pub(super) fn cpu(&self, blocks: f64) -> f64 {
        let custody = self.visits * real(RECORDS + 1) * CPU_PER_RELEASE_S;
        self.transactions() * CPU_PER_TRANSACTION_S + blocks * self.cpu_per_block() + custody
    }

    /// Blocks a second without queues: one each interval, or one for each group of transactions that comes alone.
    pub(super) fn blocks(&self) -> f64 {
        // A visit's transactions come in four groups: filing, acknowledging, asking, receipts.
        let groups = 4.0 * self.visits;
        groups / (1.0 + groups * (2.0 * self.one_way + INTERVAL_S))
    }
}

/// What came of it, times in seconds.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// From a node's hand to final, p50 and p99.
    pub(super) last: (f64, f64),
    /// From a reader's request until *t* custodians' receipts are final and their shares are there.
    pub(super) read: (f64, f64),
    /// From filing until all acknowledgements are final.
    pub(super) durable: (f64, f64),
    pub(super) blocks_a_second: f64,
    /// Transactions of the largest block.
    pub(super) largest: u64,
    /// Of a validator's cores, the share that is busy.
    pub(super) busy: f64,
}

/// Assumed: what a custodian takes until its answer is handed in, on average: a share opened or sealed, a sync.
const CUSTODIAN_S: f64 = 0.010;
/// Assumed: by how much a delay varies, on average.
const JITTER: f64 = 0.1;
/// The clock of the queue: microseconds.
const TICKS: f64 = 1e6;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A visit's grant and records are handed in.
    Files,
    /// A visit's records are asked for.
    Asks,
    /// A transaction has reached the leader's pool.
    Pooled(Waiting),
    /// A leader may propose.
    Proposes,
    /// A block's transactions are final.
    Final(usize),
}

/// A transaction: when it was handed in, and what waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    since: u64,
    of: Kind,
    visit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Filing,
    Acknowledgement,
    Request,
    Receipt,
}

/// A visit's or a read's beginning, and how many of its transactions are still to come.
#[derive(Clone, Copy, Debug)]
struct Open {
    since: u64,
    filing: u64,
    acknowledgements: u64,
    receipts: u64,
}

/// Runs a chain under its load from empty on; the first tenth is not counted.
pub(super) fn run(load: &Load, rng: &mut Rng) -> Outcome {
    Chain::new(load).run(rng)
}

struct Chain<'a> {
    load: &'a Load,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    scheduled: u64,
    pool: VecDeque<Waiting>,
    is_idle: bool,
    blocks: Vec<Vec<Waiting>>,
    largest: u64,
    open: Vec<Open>,
    last: Vec<f64>,
    read: Vec<f64>,
    durable: Vec<f64>,
    /// By how much work takes longer because cores are busy.
    slowed: f64,
}

impl<'a> Chain<'a> {
    fn new(load: &'a Load) -> Self {
        let busy = load.cpu(load.blocks()) / load.cores;
        Self {
            load,
            queue: BinaryHeap::new(),
            scheduled: 0,
            pool: VecDeque::new(),
            is_idle: true,
            blocks: Vec::new(),
            largest: 0,
            open: Vec::new(),
            last: Vec::new(),
            read: Vec::new(),
            durable: Vec::new(),
            slowed: 1.0 / (1.0 - busy).max(0.05),
        }
    }

    fn at(&mut self, time: u64, event: Event) {
        self.scheduled += 1;
        self.queue.push(Reverse((time, self.scheduled, event)));
    }

    fn delay(&self, rng: &mut Rng) -> u64 {
        let one_way = self.load.one_way;
        let jitter = rng.exponential(one_way * JITTER);
        whole((one_way * (1.0 - JITTER) + jitter) * TICKS)
    }

    /// The slowest that a quorum waits for: a delay and the most that it varies by among so many.
    fn quorum_delay(&self, rng: &mut Rng) -> u64 {
        let first = self.delay(rng);
        first.max(self.delay(rng))
    }

    fn submit(&mut self, since: u64, of: Kind, visit: usize, rng: &mut Rng) {
        let there = since + self.delay(rng);
        self.at(there, Event::Pooled(Waiting { since, of, visit }));
    }

    fn run(mut self, rng: &mut Rng) -> Outcome {
        let end = whole(self.load.seconds * TICKS);
        self.at(0, Event::Files);
        self.at(0, Event::Asks);
        while let Some(Reverse((now, _, event))) = self.queue.pop() {
            if now > end {
                break;
            }
            match event {
                Event::Files => self.file(now, rng),
                Event::Asks => self.ask(now, rng),
                Event::Pooled(waiting) => {
                    self.pool.push_back(waiting);
                    if self.is_idle {
                        self.is_idle = false;
                        self.at(now, Event::Proposes);
                    }
                }
                Event::Proposes => self.propose(now, rng),
                Event::Final(block) => self.settle(now, block, rng),
            }
        }
        self.outcome()
    }

    fn begin(&mut self, now: u64) -> usize {
        let n = self.load.validators;
        self.open.push(Open {
            since: now,
            filing: 1 + RECORDS,
            acknowledgements: RECORDS * n,
            // The reader waits for 2f + 1 of them.
            receipts: (2 * n).div_ceil(3),
        });
        self.open.len() - 1
    }

    fn file(&mut self, now: u64, rng: &mut Rng) {
        let visit = self.begin(now);
        for _ in 0..=RECORDS {
            self.submit(now, Kind::Filing, visit, rng);
        }
        let next = now + whole(rng.exponential(1.0 / self.load.visits) * TICKS);
        self.at(next, Event::Files);
    }

    fn ask(&mut self, now: u64, rng: &mut Rng) {
        let visit = self.begin(now);
        self.submit(now, Kind::Request, visit, rng);
        let next = now + whole(rng.exponential(1.0 / self.load.visits) * TICKS);
        self.at(next, Event::Asks);
    }

    fn propose(&mut self, now: u64, rng: &mut Rng) {
        let taken: Vec<Waiting> = self.pool.drain(..self.pool.len().min(BLOCK)).collect();
        if taken.is_empty() {
            self.is_idle = true;
            return;
        }
        self.largest = self.largest.max(taken.len() as u64);
        // The leader executes, then the voters do.
        let work = 2.0 * real(taken.len() as u64) * EXECUTE_S;
        let work = whole((work + INTERVAL_S) * self.slowed * TICKS);
        let notarized = now + self.quorum_delay(rng) + self.quorum_delay(rng) + work;
        // Until it is final four delays go by, as was measured; the fixed part overlaps with them.
        let beside = whole(INTERVAL_S * self.slowed * TICKS);
        let settled = notarized + self.quorum_delay(rng) + self.delay(rng) - beside;
        self.blocks.push(taken);
        self.at(settled, Event::Final(self.blocks.len() - 1));
        self.at(notarized, Event::Proposes);
    }

    fn settle(&mut self, now: u64, block: usize, rng: &mut Rng) {
        let is_counted = now > whole(self.load.seconds * TICKS / 10.0);
        let block = self.blocks.get_mut(block).map(std::mem::take);
        for waiting in block.unwrap_or_default() {
            let took = |since: u64| real(now - since) / TICKS;
            if is_counted {
                self.last.push(took(waiting.since));
            }
            let Some(open) = self.open.get_mut(waiting.visit) else {
                continue;
            };
            let left = match waiting.of {
                Kind::Filing => &mut open.filing,
                Kind::Acknowledgement => &mut open.acknowledgements,
                Kind::Request => {
                    self.answers(now, waiting.visit, Kind::Receipt, 1, rng);
                    continue;
                }
                Kind::Receipt => &mut open.receipts,
            };
            let was = *left;
            *left = was.saturating_sub(1);
            if was != 1 {
                continue;
            }
            let since = open.since;
            match waiting.of {
                Kind::Filing => {
                    self.answers(now, waiting.visit, Kind::Acknowledgement, RECORDS, rng);
                }
                Kind::Acknowledgement if is_counted => self.durable.push(took(since)),
                // The shares' way to the reader.
                Kind::Receipt if is_counted => {
                    self.read.push(took(since) + self.load.one_way);
                }
                _ => {}
            }
        }
    }

    /// Every custodian answers what is final.
    fn answers(&mut self, now: u64, visit: usize, of: Kind, each: u64, rng: &mut Rng) {
        for _ in 0..self.load.validators {
            let work = whole(rng.exponential(CUSTODIAN_S * self.slowed) * TICKS);
            let since = now + self.delay(rng) + work;
            for _ in 0..each {
                self.submit(since, of, visit, rng);
            }
        }
    }

    fn outcome(self) -> Outcome {
        let both = |values: Vec<f64>| {
            let values = sorted(values);
            (quantile(&values, 0.5), quantile(&values, 0.99))
        };
        let blocks = real(self.blocks.len() as u64) / self.load.seconds;
        Outcome {
            blocks_a_second: blocks,
            largest: self.largest,
            busy: self.load.cpu(blocks) / self.load.cores,
            last: both(self.last),
            read: both(self.read),
            durable: both(self.durable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At 50 transactions a second, as in `network/latency-20ms` and `network/latency-80ms`.
    #[test]
    fn a_chain_takes_as_long_over_far_links_as_was_measured() {
        for (one_way, measured) in [(0.020, 0.129), (0.080, 0.490)] {
            let load = Load {
                validators: 4,
                visits: 50.0 / 16.0,
                one_way,
                cores: 8.0,
                seconds: 120.0,
            };
            let took = run(&load, &mut Rng::new(1, 1)).last.0;
            assert!((took / measured - 1.0).abs() < 0.12, "{took}, {measured}");
        }
    }

    #[test]
    fn everything_is_final_and_later_if_there_is_more() {
        let load = |visits| Load {
            validators: 7,
            visits,
            one_way: 0.005,
            cores: 8.0,
            seconds: 20.0,
        };
        let (few, many) = (load(1.0), load(60.0));
        let few = run(&few, &mut Rng::new(1, 1));
        let many = run(&many, &mut Rng::new(1, 1));
        assert!(many.last.0 > few.last.0 && many.last.1 < 1.0, "{many:?}");
        assert!(few.read.0 > 2.0 * few.last.0 * 0.8 && few.busy < many.busy);
    }
}
