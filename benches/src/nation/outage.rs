//! A region's chain that stands still for hours, and a node that was away, minute by minute of the busiest week.

use super::country::{Calendar, EMERGENCIES_EACH, Region, UNCONSCIOUS, WEEK};
use super::measured::{CATCH_UP, THROUGHPUT, visit};
use crate::written::real;

/// Monday at eight.
const BEGIN_MINUTE: u64 = 8 * 60;

/// A region's chain stood still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    /// Visits whose records wait in their authors' apps at its end, and the transactions of them.
    pub(super) visits: f64,
    pub(super) transactions: f64,
    /// Until nothing waits any more, from the moment that the chain is back.
    pub(super) drained_s: f64,
    /// Broken glasses for which no custodian could release.
    pub(super) emergencies: f64,
    /// Visits of its people in other regions meanwhile, which the other chains took, and which could read nothing of this chain's.
    pub(super) elsewhere: f64,
}

/// The arrivals of each minute from Monday at eight on, in visits.
fn minutes(region: &Region, calendar: &Calendar) -> impl Iterator<Item = f64> {
    let visits = region.visits;
    let minutes = BEGIN_MINUTE..;
    minutes.map(move |minute| {
        let hour = usize::try_from(minute / 60).unwrap_or(usize::MAX) % WEEK;
        calendar.rate(hour, visits) * 60.0
    })
}

/// Of a region's chain, for so many hours; it then carries the least that was measured.
pub(super) fn of_chain(region: &Region, calendar: &Calendar, hours: u64) -> Outage {
    let each = real(visit(region.validators));
    let mut arrivals = minutes(region, calendar);
    let away: usize = usize::try_from(hours * 60).unwrap_or(0);
    let visits: f64 = arrivals.by_ref().take(away).sum();
    let mut left = visits * each;
    let mut drained = 0_u64;
    for arrived in arrivals.take(WEEK * 60) {
        if left <= 0.0 {
            break;
        }
        left += arrived * each - THROUGHPUT.0 * 60.0;
        drained += 1;
    }
    let of_year = real(hours) / 8_766.0;
    let stays = region.people * of_stayers(region);
    Outage {
        visits,
        transactions: visits * each,
        drained_s: real(drained) * 60.0,
        emergencies: region.people * EMERGENCIES_EACH * UNCONSCIOUS * of_year,
        elsewhere: stays * visits / region.visits,
    }
}

/// Visits of a person of this region elsewhere, in a year.
fn of_stayers(region: &Region) -> f64 {
    let own = region.visits * (1.0 - region.outside);
    let all = own
        / region
            .goes
            .iter()
            .copied()
            .fold(f64::MIN_POSITIVE, f64::max);
    (all - own) / region.people
}

/// How long a node that was away for so many hours takes to have its chain's newest block, in seconds; `None`: within a week it does not.
pub(super) fn of_node(region: &Region, calendar: &Calendar, hours: u64) -> Option<f64> {
    let each = real(visit(region.validators));
    let mut arrivals = minutes(region, calendar);
    let away: usize = usize::try_from(hours * 60).unwrap_or(0);
    let mut left: f64 = arrivals.by_ref().take(away).sum::<f64>() * each;
    for (minute, arrived) in (1_u64..).zip(arrivals.take(WEEK * 60)) {
        left += arrived * each - CATCH_UP * 60.0;
        if left <= 0.0 {
            return Some(real(minute) * 60.0);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::country::{Size, regions};
    use super::*;

    #[test]
    fn a_longer_outage_takes_longer_to_make_good() {
        let calendar = Calendar::new();
        let regions = regions(Size::germany());
        for region in &regions {
            let (one, six) = (
                of_chain(region, &calendar, 1),
                of_chain(region, &calendar, 6),
            );
            assert!(one.visits < six.visits && one.drained_s <= six.drained_s);
            let (one, six) = (of_node(region, &calendar, 1), of_node(region, &calendar, 6));
            assert!(one.unwrap() <= six.unwrap());
        }
    }
}
