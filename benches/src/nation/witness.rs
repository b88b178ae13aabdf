//! A region whose quorum colludes, and who notices: witnesses in the other regions, patients' apps, people who compare.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::country::Region;
use super::growth::ACROSS_S;
use super::number::{Rng, quantile, sorted};
use crate::written::{real, whole};

/// Assumed: the share of patients whose app verifies, and how often it does.
const ACTIVE: f64 = 0.3;
const CHECK_EVERY_S: f64 = 7.0 * DAY_S;
/// Assumed: how often witnesses' newest cosigned checkpoints are compared by somebody who sees all of them.
pub(super) const COMPARE_EVERY_S: f64 = 3_600.0;
/// Assumed: how often a year somebody's export is laid beside another view of the same chain (a court, a second app, a move).
const MEETINGS_A_YEAR: f64 = 0.01;
/// Assumed: of the time, how much a witness can't be reached.
const AWAY: f64 = 0.01;
/// Bytes of a checkpoint with its log's signature, of a consistency proof's line, of a cosignature's line, of an HTTP exchange.
const CHECKPOINT: f64 = 350.0;
const PROOF_LINE: f64 = 45.0;
const COSIGNATURE: f64 = 150.0;
const EXCHANGE: f64 = 600.0;
const DAY_S: f64 = 86_400.0;
const YEAR_S: f64 = 365.0 * DAY_S;
/// For how long a fork is followed.
const HORIZON_S: f64 = 20.0 * YEAR_S;

/// What witnesses cost if every chain asks all of them once in `every` seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Requests a second at one witness, each with one sync of its state.
    pub(super) requests: f64,
    /// Bytes a day at one witness, and between all regions.
    pub(super) a_day: f64,
    pub(super) nation: f64,
}

/// Of so many chains, each witnessed by so many.
pub(super) fn cost(chains: f64, witnesses: f64, every: f64) -> Cost {
    // Consistency between two sizes of some 2^30 takes at most 31 hashes.
    let exchange = CHECKPOINT + 31.0 * PROOF_LINE + COSIGNATURE + EXCHANGE;
    let (requests, exchanges) = (chains / every, chains * witnesses / every * DAY_S);
    Cost {
        requests,
        a_day: requests * exchange * DAY_S,
        nation: exchanges * exchange,
    }
}

/// A chain whose history is rewritten for everybody: the time until the next checkpoint, which no honest witness cosigns. p50 and p99.
pub(super) fn rewritten(every: f64, trials: u64, rng: &mut Rng) -> (f64, f64) {
    let until = (0..trials).map(|_| rng.unit() * every + 2.0 * ACROSS_S + rng.exponential(0.1));
    let until = sorted(until.collect());
    (quantile(&until, 0.5), quantile(&until, 0.99))
}

/// The same without witnesses: the time until an app that kept a state looks again, on average.
pub(super) fn rewritten_unwitnessed(region: &Region) -> f64 {
    CHECK_EVERY_S / (region.people * ACTIVE)
}

/// The probability that fewer than `k` of so many witnesses can be reached.
pub(super) fn too_few(witnesses: u64, k: u64) -> f64 {
    let mut each = 1.0;
    for _ in 0..witnesses {
        each *= AWAY;
    }
    // From none reachable on, the next term of the binomial each time.
    let mut sum = 0.0;
    for up in 0..k {
        sum += each;
        each *= real(witnesses - up) / real(up + 1) * (1.0 - AWAY) / AWAY;
    }
    sum
}

/// A quorum shows one history to some patients, and another to everybody else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fork {
    /// Patients whose apps verify. Who never looks is not deceived by an export.
    pub(super) victims: u64,
    pub(super) witnesses: u64,
    /// How many of them a patient's policy asks for; 0: none.
    pub(super) k: u64,
    /// How many of them sign whatever they are shown.
    pub(super) corrupt: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noticed {
    /// Seconds until somebody knows, p50 and p99; the horizon if nobody does.
    pub(super) after: (f64, f64),
    /// Of the trials, those in which nobody knew within the horizon.
    pub(super) never: f64,
    /// False exports that were proved until then, on average.
    pub(super) proved: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A victim's app verifies.
    Check,
    /// Witnesses' checkpoints are compared.
    Compare,
    /// Somebody lays two views beside each other.
    Meet,
}

impl Fork {
    /// Each honest witness cosigns one history, each corrupt one both: so both have `k` if 2*k* ≤ *w* + *c*.
    pub(super) fn is_possible(&self) -> bool {
        2 * self.k <= self.witnesses + self.corrupt
    }

    /// Whether an honest witness has to cosign the victims' history: what is compared then shows it.
    fn is_on_record(&self) -> bool {
        self.k > self.corrupt
    }

    /// Runs it so many times, with a checkpoint in `every` seconds, and what witnesses cosigned compared in `compared`.
    pub(super) fn run(&self, every: f64, compared: f64, trials: u64, rng: &mut Rng) -> Noticed {
        let (mut times, mut proved, mut never) = (Vec::new(), 0, 0_u64);
        for _ in 0..trials {
            let (after, accepted) = self.trial(every, compared, rng);
            never += u64::from(after.is_none());
            times.push(after.unwrap_or(HORIZON_S));
            proved += accepted;
        }
        let times = sorted(times);
        Noticed {
            after: (quantile(&times, 0.5), quantile(&times, 0.99)),
            never: real(never) / real(trials),
            proved: real(proved) / real(trials),
        }
    }

    fn trial(&self, every: f64, compared: f64, rng: &mut Rng) -> (Option<f64>, u64) {
        let mut queue = BinaryHeap::new();
        let mut at = |time: f64, event| queue.push(Reverse((whole(time * 1e3), event)));
        // Independent apps' checks are one stream, as often as all of them check.
        let between = CHECK_EVERY_S / real(self.victims);
        let meetings = YEAR_S / MEETINGS_A_YEAR / real(self.victims);
        at(rng.exponential(between), Event::Check);
        at(rng.exponential(meetings), Event::Meet);
        if self.k > 0 && self.is_possible() && self.is_on_record() {
            let cosigned = rng.unit() * every;
            at(cosigned + rng.unit() * compared, Event::Compare);
        }
        let mut proved = 0;
        while let Some(Reverse((now, event))) = queue.pop() {
            let now = real(now) / 1e3;
            if now > HORIZON_S {
                break;
            }
            match event {
                Event::Check if self.is_possible() => {
                    proved += 1;
                    let next = now + rng.exponential(between);
                    queue.push(Reverse((whole(next * 1e3), Event::Check)));
                }
                // Too few cosignatures: "refuted", `CS-AUD-09`.
                Event::Check | Event::Compare | Event::Meet => return (Some(now), proved),
            }
        }
        (None, proved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORK: Fork = Fork {
        victims: 100,
        witnesses: 15,
        k: 11,
        corrupt: 0,
    };

    #[test]
    fn two_histories_need_more_corrupt_witnesses_than_quorums_have_in_common() {
        for (k, corrupt, possible) in [
            (0, 0, true),
            (7, 0, true),
            (8, 0, false),
            (8, 1, true),
            (11, 6, false),
            (11, 7, true),
        ] {
            assert_eq!(
                Fork { k, corrupt, ..FORK }.is_possible(),
                possible,
                "{k}, {corrupt}"
            );
        }
    }

    #[test]
    fn a_fork_that_cannot_be_witnessed_is_refuted_at_the_first_look_and_never_proved() {
        let noticed = FORK.run(60.0, COMPARE_EVERY_S, 50, &mut Rng::new(1, 1));
        assert!(noticed.proved < 1e-9 && noticed.after.1 < 7.0 * DAY_S);
        let bare = Fork { k: 0, ..FORK }.run(60.0, COMPARE_EVERY_S, 50, &mut Rng::new(1, 1));
        assert!(
            bare.after.0 > 30.0 * DAY_S && bare.proved > 100.0,
            "{bare:?}"
        );
        let compared = Fork { k: 5, ..FORK }.run(60.0, COMPARE_EVERY_S, 50, &mut Rng::new(1, 1));
        assert!(compared.after.1 <= COMPARE_EVERY_S + 60.0);
    }

    #[test]
    fn witnesses_that_are_away_are_binomial() {
        assert!((too_few(1, 1) - AWAY).abs() < 1e-12);
        assert!((too_few(2, 1) - AWAY * AWAY).abs() < 1e-12);
        assert!((too_few(2, 2) - (1.0 - (1.0 - AWAY) * (1.0 - AWAY))).abs() < 1e-12);
    }
}
