//! One measured number beside another.

use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};

/// What ours takes, what the other takes, and how far apart the two may be.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Its name: `crate/what`.
    pub id: &'static str,
    /// What ours takes, in `unit`.
    pub ours: f64,
    /// What the other takes, in `unit`.
    pub theirs: f64,
    /// What the other is: a peer, or a limit that nothing can beat.
    pub other: &'static str,
    /// What both are measured in; less is better.
    pub unit: &'static str,
    /// The most that ours ÷ theirs may be; `None` if the figure is only stated.
    pub required: Option<f64>,
}

impl Figure {
    /// Ours ÷ theirs.
    pub fn ratio(&self) -> f64 {
        self.ours / self.theirs
    }

    /// Its entry in the document that `cargo xtask bench --json` prints.
    pub fn entry(&self) -> Value {
        let holds = self.required.is_none_or(|most| self.ratio() <= most);
        json!({
            "id": self.id, "ours": self.ours, "theirs": self.theirs, "other": self.other,
            "unit": self.unit, "ratio": self.ratio(), "required": self.required, "holds": holds,
        })
    }
}

/// The median times of both, in nanoseconds for each of the `n` things that one call does. They take
/// turns, so that a busy moment of the machine meets both.
pub fn in_turns<A, B>(
    n: u32,
    mut ours: impl FnMut() -> A,
    mut theirs: impl FnMut() -> B,
) -> (f64, f64) {
    const ROUNDS: usize = 31;
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        a.push(nanoseconds(&mut ours));
        b.push(nanoseconds(&mut theirs));
    }
    (median(a) / f64::from(n), median(b) / f64::from(n))
}

fn nanoseconds<T>(work: &mut impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    black_box(work());
    start.elapsed().as_secs_f64() * 1e9
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_holds_up_to_what_is_required_and_always_if_nothing_is() {
        let figure = |required| Figure {
            id: "a",
            ours: 3.0,
            theirs: 2.0,
            other: "b",
            unit: "ns",
            required,
        };
        for (required, holds) in [(None, true), (Some(1.5), true), (Some(1.4), false)] {
            assert_eq!(figure(required).entry()["holds"], holds);
        }
    }

    #[test]
    fn one_slow_round_does_not_move_a_median() {
        assert!((median(vec![9000.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        let (a, b) = in_turns(
            10,
            || std::thread::sleep(std::time::Duration::from_micros(100)),
            || (),
        );
        assert!(a > 9_000.0 && b < a);
    }
}
