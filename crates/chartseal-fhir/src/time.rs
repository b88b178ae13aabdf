//! Points in time as FHIR writes them.

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, negative before it.
///
/// ```
/// use chartseal_fhir::Timestamp;
///
/// let instant = Timestamp::parse("2019-02-01T00:00:00+01:00").unwrap();
/// assert_eq!(instant.as_millis(), 1_548_975_600_000);
/// // A partial date stands for the first moment, in UTC, of the period it names.
/// assert_eq!(Timestamp::parse("2019"), Timestamp::parse("2019-01-01T00:00:00Z"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Reads a FHIR R4 `date`, `dateTime` or `instant` (hl7.org/fhir/R4/datatypes.html#dateTime).
    ///
    /// `YYYY`, `YYYY-MM` and `YYYY-MM-DD` give the first moment of that period in UTC; a time of
    /// day needs seconds and an offset. Digits past the millisecond are cut off; second 60 (a leap
    /// second) is the next minute's first. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let mut parts = date.split('-');
        let year = number(parts.next()?, 4)?;
        let month = parts.next().map_or(Some(1), |part| number(part, 2))?;
        let day = parts.next().map_or(Some(1), |part| number(part, 2))?;
        let in_range = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day);
        if !in_range || parts.next().is_some() || (time.is_some() && date.len() != 10) {
            return None;
        }
        let midnight = days_since_epoch(year, month, day) * 86_400_000;
        let within_day = time.map_or(Some(0), millis_of_day)?;
        Some(Self(midnight + within_day))
    }

    /// The first instant that a FHIR value names and the first after it, in milliseconds.
    ///
    /// A date without a time of day lies in a zone `offset` minutes east of UTC; a time of day says
    /// its own. A day, month or year ends when the next begins, a second or a millisecond likewise.
    pub(crate) fn span(text: &str, offset: i64) -> Option<(i64, i64)> {
        let first = Self::parse(text)?.0;
        if let Some((_, time)) = text.split_once('T') {
            let length = if time.contains('.') { 1 } else { 1000 };
            return Some((first, first + length));
        }
        let mut parts = text.split('-');
        let year = number(parts.next()?, 4)?;
        let month = parts.next().and_then(|part| number(part, 2));
        let days = match (month, parts.next()) {
            (None, _) => days_since_epoch(year + 1, 1, 1) - days_since_epoch(year, 1, 1),
            (Some(month), None) => days_in(year, month),
            (Some(_), Some(_)) => 1,
        };
        let local = first - offset * 60_000;
        Some((local, local + days * 86_400_000))
    }

    /// An instant as FHIR writes it, in UTC and to the millisecond; `None` outside of the years 1 to
    /// 9999.
    pub(crate) fn instant(millis: i64) -> Option<String> {
        let (days, within) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
        // The mean year is 365.2425 days, so this guess is at most one year off.
        let guess = 1970 + days * 400 / 146_097;
        let year = (guess - 1..=guess + 1)
            .rev()
            .find(|year| days_since_epoch(*year, 1, 1) <= days)?;
        if !(1..=9999).contains(&year) {
            return None;
        }
        let month = (1..=12)
            .rev()
            .find(|month| days_since_epoch(year, *month, 1) <= days)?;
        let day = days - days_since_epoch(year, month, 1) + 1;
        let (hour, minute) = (within / 3_600_000, within / 60_000 % 60);
        let (second, milli) = (within / 1000 % 60, within % 1000);
        Some(format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
        ))
    }

    /// Milliseconds since the epoch.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, with everything before it at 0, where the policy's times begin.
    pub fn as_policy_millis(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }
}

/// Milliseconds from UTC midnight for `hh:mm:ss[.fff…](Z|±hh:mm)`; outside one day with an offset.
fn millis_of_day(time: &str) -> Option<i64> {
    let zone_at = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at_checked(zone_at)?;
    let (whole, fraction) = match clock.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (clock, None),
    };
    let mut parts = whole.split(':');
    let hour = number(parts.next()?, 2)?;
    let minute = number(parts.next()?, 2)?;
    let second = number(parts.next()?, 2)?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let millis = fraction.map_or(Some(0), fraction_millis)?;
    let local = ((hour * 60 + minute) * 60 + second) * 1000 + millis;
    Some(local - offset_minutes(zone)? * 60_000)
}

fn fraction_millis(digits: &str) -> Option<i64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let leading = digits.bytes().chain(*b"00").take(3);
    Some(leading.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

fn offset_minutes(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    let in_range = minutes <= 59 && (hours <= 13 || (hours == 14 && minutes == 0));
    in_range.then_some(sign * (hours * 60 + minutes))
}

/// A number of exactly `width` ASCII digits.
fn number(text: &str, width: usize) -> Option<i64> {
    let digits = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year; day 0 of that count
/// is 0000-03-01, which is 719 468 days before the epoch.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    fn millis(text: &str) -> Option<i64> {
        Timestamp::parse(text).map(Timestamp::as_millis)
    }

    #[test]
    fn known_instants_are_exact() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29T12:00:00+00:00", 951_825_600_000),
            ("2012-04-14T10:35:23Z", 1_334_399_723_000),
            ("2015-02-07T13:28:17.239+02:00", 1_423_308_497_239),
            ("2019-05-30T21:20:25.123456-04:00", 1_559_265_625_123),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("1905-08-23", -2_031_004_800_000),
            ("2018", 1_514_764_800_000),
            ("1973-06", 107_740_800_000),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_instant_is_read_back_as_it_was_written() {
        for millis in (-62_135_596_800_000..253_402_300_800_000_i64).step_by(86_399_999_977) {
            let text = Timestamp::instant(millis).unwrap();
            assert_eq!(super::tests::millis(&text), Some(millis), "{text}");
        }
        assert_eq!(Timestamp::instant(-62_135_596_800_001), None);
        assert_eq!(Timestamp::instant(253_402_300_800_000), None);
    }

    #[test]
    fn a_value_ends_where_the_next_of_its_kind_begins() {
        let instant = |text| millis(text).unwrap();
        for (text, offset, first, next) in [
            ("2016", 0, "2016-01-01T00:00:00Z", "2017-01-01T00:00:00Z"),
            ("2016-02", 0, "2016-02-01T00:00:00Z", "2016-03-01T00:00:00Z"),
            (
                "2016-12-31",
                60,
                "2016-12-31T00:00:00+01:00",
                "2017-01-01T00:00:00+01:00",
            ),
            (
                "2016-12-31",
                -300,
                "2016-12-31T05:00:00Z",
                "2017-01-01T05:00:00Z",
            ),
            (
                "2016-12-31T10:00:00Z",
                60,
                "2016-12-31T10:00:00Z",
                "2016-12-31T10:00:01Z",
            ),
            (
                "2016-12-31T10:00:00.5Z",
                60,
                "2016-12-31T10:00:00.500Z",
                "2016-12-31T10:00:00.501Z",
            ),
        ] {
            let span = Timestamp::span(text, offset);
            assert_eq!(span, Some((instant(first), instant(next))), "{text}");
        }
        assert_eq!(Timestamp::span("2016-13", 0), None);
    }

    #[test]
    fn every_day_of_nine_centuries_follows_the_one_before() {
        let mut expected = Timestamp::parse("1600-01-01").unwrap().as_millis();
        for year in 1600..2500 {
            for month in 1..=12 {
                for day in 1..=super::days_in(year, month) {
                    assert_eq!(
                        millis(&format!("{year:04}-{month:02}-{day:02}")),
                        Some(expected)
                    );
                    expected += 86_400_000;
                }
            }
        }
    }

    #[test]
    fn what_fhir_does_not_write_is_refused() {
        for text in [
            "",
            "19",
            "2019-1",
            "2019-13",
            "2019-02-29",
            "2019-02-01T10:00",
            "2019-02-01T10:00:00",
            "2019-02-01T24:00:00Z",
            "2019-02-01T10:00:00.Z",
            "2019-02-01T10:00:00+1:00",
            "2019-02-01T10:00:00+14:30",
            "2019-02T10:00:00Z",
            "2019-02-01 10:00:00Z",
            "+019-02-01",
            "0000-01-01",
            "２０１９",
            "2019-02-01-01",
            "2019-02-01T10:00:00ZZ",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
