//! Numbers between counting and measuring, and how figures are written.

/// A count as a measure.
#[expect(clippy::cast_precision_loss, reason = "counts here are below 2^53")]
pub(crate) fn real(n: u64) -> f64 {
    n as f64
}

/// A measure, rounded down to a count; nothing below zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "measures here are finite and below 2^53; `as` gives zero below zero"
)]
pub(crate) fn whole(x: f64) -> u64 {
    x as u64
}

/// To three digits, with commas between thousands: what a figure of a plan is good for.
pub(crate) fn figure(x: f64) -> String {
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
pub(crate) fn commas(n: u64) -> String {
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
pub(crate) fn bytes(x: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut x, mut at) = (x, 0);
    while x >= 999.5 && at + 1 < units.len() {
        x /= 1_000.0;
        at += 1;
    }
    format!("{} {}", figure(x), units.get(at).unwrap_or(&"B"))
}

/// Seconds in the unit that reads best.
pub(crate) fn span(s: f64) -> String {
    let (x, unit) = match s {
        s if s < 0.999_5e-3 => (s * 1e6, "µs"),
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
pub(crate) fn percent(x: f64) -> String {
    format!("{} %", figure(x * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(span(2.34e-6), "2.3 µs");
    }
}
