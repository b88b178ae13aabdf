//! A logarithm, chance from one seed, and what is in the middle.

use crate::written::{real, whole};

/// The natural logarithm of a positive normal number by arithmetic alone, so that every machine gives the same digits.
pub(super) fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    const ONE: u64 = 1023 << 52;
    let bits = x.to_bits();
    let exponent = real(bits >> 52) - 1023.0;
    let mantissa = f64::from_bits(bits & MANTISSA | ONE);
    // ln m = 2 artanh s, and s is below 1/3: 24 terms are more than a double holds.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let (mut term, mut sum) = (s, 0.0);
    for n in 0..24_u32 {
        sum += term / f64::from(2 * n + 1);
        term *= s * s;
    }
    exponent * std::f64::consts::LN_2 + 2.0 * sum
}

/// Chance: splitmix64, the same numbers for the same seed and stream.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// What a part of the simulation draws from: no part's numbers depend on how many another one drew.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        rng.next();
        rng
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Above 0, at most 1.
    pub(super) fn unit(&mut self) -> f64 {
        real((self.next() >> 11) + 1) / real(1 << 53)
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() <= probability
    }

    /// A time until something that happens once in `mean`.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * ln(self.unit())
    }

    /// How often it happens in a period in which it happens `mean` times on average.
    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        let mut n = 0;
        let mut at = self.exponential(1.0);
        while at < mean {
            n += 1;
            at += self.exponential(1.0);
        }
        n
    }

    /// A place among weights, as often as its weight is.
    pub(super) fn place(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (place, weight) in weights.iter().enumerate() {
            left -= weight;
            if left <= 0.0 {
                return place;
            }
        }
        weights.len().saturating_sub(1)
    }
}

/// The value that `q` of all values do not exceed; zero of none.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let place = usize::try_from(whole(q * real(last as u64) + 0.5)).unwrap_or(last);
    sorted.get(place.min(last)).copied().unwrap_or(0.0)
}

/// Sorts, for [`quantile`].
pub(super) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_that_of_the_library() {
        for x in [1e-12, 0.1, 0.5, 1.0, 1.5, 2.0, 10.0, 1e9] {
            assert!((ln(x) - x.ln()).abs() < 1e-12, "{x}");
        }
    }

    #[test]
    fn chance_has_the_means_that_it_is_asked_for() {
        let mut rng = Rng::new(1, 2);
        let n = 100_000_u64;
        let mean = (0..n).map(|_| rng.exponential(3.0)).sum::<f64>() / real(n);
        assert!((mean - 3.0).abs() < 0.05, "{mean}");
        let mean = real((0..n).map(|_| rng.poisson(9.6)).sum()) / real(n);
        assert!((mean - 9.6).abs() < 0.05, "{mean}");
        let second = (0..n).filter(|_| rng.place(&[1.0, 3.0]) == 1).count() as u64;
        assert!((real(second) / real(n) - 0.75).abs() < 0.01);
    }
}
