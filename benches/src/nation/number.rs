//! Numbers between counting and measuring, chance from one seed, and how figures are written.

/// A count as a measure.
#[expect(clippy::cast_precision_loss, reason = "counts here are below 2^53")]
pub(super) fn real(n: u64) -> f64 {
    n as f64
}

/// A measure, rounded down to a count; nothing below zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "measures here are finite and below 2^53; `as` gives zero below zero"
)]
pub(super) fn whole(x: f64) -> u64 {
    x as u64
}

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

/// To three digits, with commas between thousands: what a figure of a plan is good for.
pub(super) fn figure(x: f64) -> String {
    if x == 0.0 {
        return "0".into();
    }
    let mut step = 1.0;
    while x.abs() / step >= 1_000.0 {
        step *= 10.0;
    }
    match x.abs() {
        x if x < 0.001 => format!("{x:.5}"),
        x if x < 0.1 => format!("{x:.3}"),
        x if x < 1.0 => format!("{x:.2}"),
        x if x < 9.95 => format!("{x:.1}"),
        _ => commas(whole((x / step).round() * step)),
    }
}

/// A count with commas between thousands.
pub(super) fn commas(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in decimal units.
pub(super) fn bytes(x: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut x, mut at) = (x, 0);
    while x >= 999.5 && at + 1 < units.len() {
        x /= 1_000.0;
        at += 1;
    }
    format!("{} {}", figure(x), units.get(at).unwrap_or(&"B"))
}

/// Seconds in the unit that reads best.
pub(super) fn span(s: f64) -> String {
    let (x, unit) = match s {
        s if s < 0.9995 => (s * 1_000.0, "ms"),
        s if s < 120.0 => (s, "s"),
        s if s < 3_600.0 => (s / 60.0, "min"),
        s if s < 2.0 * 86_400.0 => (s / 3_600.0, "h"),
        s if s < 2.0 * 365.0 * 86_400.0 => (s / 86_400.0, "days"),
        s => (s / (365.0 * 86_400.0), "years"),
    };
    format!("{} {unit}", figure(x))
}

/// A share of a hundred.
pub(super) fn percent(x: f64) -> String {
    format!("{} %", figure(x * 100.0))
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

    #[test]
    fn figures_have_three_digits() {
        let of = [0.0, 0.002, 0.123, 4.56, 45.6, 1_234.0, 1_234_567.0];
        let texts = of.map(figure);
        assert_eq!(
            texts,
            ["0", "0.002", "0.12", "4.6", "46", "1,230", "1,230,000"]
        );
        assert_eq!(bytes(1_499_000.0), "1.5 MB");
        assert_eq!(span(90.0), "90 s");
        assert_eq!(span(0.1), "100 ms");
    }
}
