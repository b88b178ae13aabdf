//! One measured number beside another.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What ours takes, what the other takes, and how the two must compare.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name.
    pub id: &'static str,
    /// What ours takes, in `unit`.
    pub ours: f64,
    /// What the other takes, in `unit`.
    pub theirs: f64,
    /// What the other is: a peer, or a limit that nothing can beat.
    pub other: &'static str,
    /// What both are measured in; less is better.
    pub unit: &'static str,
    /// How the two must compare; `None` if the figure is only stated.
    pub required: Option<Required>,
}

/// How ours and the other must compare.
#[derive(Clone, Copy, Debug)]
pub enum Required {
    /// Ours is at least this many times as fast: the ratio is theirs ÷ ours.
    Faster(f64),
    /// Ours takes at most this many times as much: the ratio is ours ÷ theirs.
    Within(f64),
}

impl Figure {
    /// Theirs ÷ ours where ours must be faster; else ours ÷ theirs.
    pub fn ratio(&self) -> f64 {
        match self.required {
            Some(Required::Faster(_)) => self.theirs / self.ours,
            Some(Required::Within(_)) | None => self.ours / self.theirs,
        }
    }

    /// Whether what is required holds.
    pub fn holds(&self) -> bool {
        match self.required {
            Some(Required::Faster(least)) => self.ratio() >= least,
            Some(Required::Within(most)) => self.ratio() <= most,
            None => true,
        }
    }

    /// Its entry in the document that `cargo xtask bench --json` prints.
    pub fn entry(&self) -> Value {
        let (required, bound) = match self.required {
            Some(Required::Faster(least)) => (Some(least), Some("at least")),
            Some(Required::Within(most)) => (Some(most), Some("at most")),
            None => (None, None),
        };
        json!({
            "id": self.id, "ours": self.ours, "theirs": self.theirs, "other": self.other,
            "unit": self.unit, "ratio": self.ratio(), "bound": bound, "required": required,
            "holds": self.holds(),
        })
    }
}

/// The median times of both, in nanoseconds for each of the `n` things that one call does. They take
/// turns, so that a busy moment of the machine meets both.
pub fn in_turns<A, B>(n: u32, ours: impl FnMut() -> A, theirs: impl FnMut() -> B) -> (f64, f64) {
    in_turns_of(1, n, ours, theirs)
}

/// As [`in_turns`], with so many calls in each turn: for what takes much memory. The first call of a turn finds the
/// allocator as the other left it, and may wait for the system to map pages that it had given back.
pub fn in_turns_of<A, B>(
    calls: usize,
    n: u32,
    mut ours: impl FnMut() -> A,
    mut theirs: impl FnMut() -> B,
) -> (f64, f64) {
    const ROUNDS: usize = 31;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        a.extend((0..calls).map(|_| time(&mut ours)));
        b.extend((0..calls).map(|_| time(&mut theirs)));
    }
    (median(a) / f64::from(n), median(b) / f64::from(n))
}

/// How long some work takes once.
pub fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    // Given out of the timing, so that freeing a result is not measured.
    let result = black_box(work());
    let elapsed = start.elapsed();
    drop(result);
    elapsed
}

/// The median of some times, in nanoseconds.
pub fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    let middle = times.get(times.len() / 2);
    middle.map_or(f64::NAN, |time| time.as_secs_f64() * 1e9)
}

/// The least of some times, in nanoseconds: what others do on the machine only ever adds to one.
pub fn best(times: &[Duration]) -> f64 {
    let least = times.iter().min();
    least.map_or(f64::NAN, |time| time.as_secs_f64() * 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_holds_within_its_bound_and_always_if_there_is_none() {
        let figure = |required| Figure {
            id: "a",
            ours: 2.0,
            theirs: 3.0,
            other: "b",
            unit: "ns",
            required,
        };
        for (required, ratio, holds) in [
            (None, 2.0 / 3.0, true),
            (Some(Required::Faster(1.5)), 1.5, true),
            (Some(Required::Faster(1.6)), 1.5, false),
            (Some(Required::Within(0.7)), 2.0 / 3.0, true),
            (Some(Required::Within(0.6)), 2.0 / 3.0, false),
        ] {
            let entry = figure(required).entry();
            assert_eq!(entry["ratio"], ratio);
            assert_eq!(entry["holds"], holds);
            assert_eq!(entry["required"].is_null(), required.is_none());
        }
    }

    #[test]
    fn one_slow_round_does_not_move_a_median() {
        let times = [9000, 1, 2].map(Duration::from_nanos);
        assert!((median(times.to_vec()) - 2.0).abs() < 1e-6);
        let (a, b) = in_turns(10, || std::thread::sleep(Duration::from_micros(100)), || ());
        assert!(a > 9_000.0 && b < a);
    }
}
