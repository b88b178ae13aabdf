//! The attack: learns from examples what tells two cases apart, whatever it is, and how often it is
//! right.

use std::collections::{BTreeMap, BTreeSet};

/// What is seen of one thing: every value that the node has of it, as `name=value`.
pub(crate) type Seen = BTreeSet<String>;

/// Naive Bayes over everything that is seen. What came up only once or twice in the examples is
/// passed over: ids and digests are new each time, unless something links them.
pub(crate) struct Attack {
    counts: BTreeMap<String, [f64; 2]>,
    totals: [f64; 2],
}

impl Attack {
    pub(crate) fn learn<'a>(examples: impl IntoIterator<Item = (&'a Seen, bool)>) -> Self {
        let mut attack = Self {
            counts: BTreeMap::new(),
            totals: [0.0; 2],
        };
        for (seen, case) in examples {
            let case = usize::from(case);
            attack.totals[case] += 1.0;
            for value in seen {
                attack.counts.entry(value.clone()).or_default()[case] += 1.0;
            }
        }
        attack
    }

    /// The odds, as a logarithm, that this is the case `true`.
    pub(crate) fn odds(&self, seen: &Seen) -> f64 {
        let weight = |[no, yes]: [f64; 2]| {
            let share = |count: f64, of: f64| (count + 0.5) / (of + 1.0);
            (share(yes, self.totals[1]) / share(no, self.totals[0])).ln()
        };
        let known = seen.iter().filter_map(|value| self.counts.get(value));
        known
            .filter(|counts| counts[0] + counts[1] > 3.0)
            .map(|counts| weight(*counts))
            .sum()
    }
}

/// How often the attack was right.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    pub(crate) trials: u32,
    pub(crate) right: u32,
}

impl Score {
    pub(crate) fn count(&mut self, is_right: bool) {
        self.trials += 1;
        self.right += u32::from(is_right);
    }

    /// How much more often than a coin: from -1/2 to 1/2.
    pub(crate) fn advantage(self) -> f64 {
        f64::from(self.right) / f64::from(self.trials) - 0.5
    }

    /// How far the true advantage is from the measured one at most, but with this probability
    /// (Hoeffding).
    pub(crate) fn margin(self, but_for: f64) -> f64 {
        ((2.0 / but_for).ln() / (2.0 * f64::from(self.trials))).sqrt()
    }

    pub(crate) fn print(self, game: &str) {
        eprintln!(
            "| {game} | {} | {:+.3} ± {:.3} |",
            self.trials,
            self.advantage(),
            self.margin(0.01)
        );
    }

    /// Nothing was learnt, as far as so many trials can show: a coin fails this once in a billion runs.
    pub(crate) fn assert_nothing(self, game: &str) {
        self.print(game);
        let most = self.margin(1e-9);
        assert!(
            self.advantage().abs() < most,
            "{game}: {self:?}, at most {most}"
        );
    }

    /// The attack works: it is right far more often than a coin.
    pub(crate) fn assert_at_least(self, least: f64, game: &str) {
        self.print(game);
        assert!(
            f64::from(self.right) >= (0.5 + least) * f64::from(self.trials),
            "{game}: {self:?}, at least {least}"
        );
    }
}

/// `SplitMix64` (Steele, Lea, Flood, 2014): the same choices in every run.
pub(crate) struct Choices(u64);

impl Choices {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap() % bound
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.below(2) == 1
    }
}

/// Learns from the first `examples`, and guesses the case of each other one.
pub(crate) fn guess_cases(samples: &[(Seen, bool)], examples: usize) -> Score {
    let (examples, rest) = samples.split_at(examples);
    let attack = Attack::learn(examples.iter().map(|(seen, case)| (seen, *case)));
    let mut score = Score::default();
    for (seen, case) in rest {
        score.count((attack.odds(seen) > 0.0) == *case);
    }
    score
}

/// Learns from the first `examples` pairs what those that belong together have in common; then says
/// for the first of each other pair which of two goes with it.
pub(crate) fn guess_partners<T>(
    pairs: &[(T, T)],
    examples: usize,
    in_common: impl Fn(&T, &T) -> Seen,
) -> Score {
    let (known, rest) = pairs.split_at(examples);
    let mut together = Vec::new();
    for (at, (one, other)) in known.iter().enumerate() {
        let stranger = &known[(at + 1) % known.len()].1;
        together.push((in_common(one, other), true));
        together.push((in_common(one, stranger), false));
    }
    let attack = Attack::learn(together.iter().map(|(seen, case)| (seen, *case)));
    let (mut score, mut choices) = (Score::default(), Choices::of(7));
    for (at, (one, other)) in rest.iter().enumerate() {
        let stranger = &rest[(at + 1) % rest.len()].1;
        let (right, wrong) = (
            attack.odds(&in_common(one, other)),
            attack.odds(&in_common(one, stranger)),
        );
        // Where it can't tell, it guesses.
        let guesses = choices.coin();
        score.count(right > wrong || (right >= wrong && guesses));
    }
    score
}
