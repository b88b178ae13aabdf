//! People over years: which chains they have records on, and what the verification of all of them takes.

use super::country::{MOVES_EACH, Region};
use super::measured::{ENTRY, RECORDS, VERIFY_PER_ENTRY_S};
use super::number::{Rng, quantile, sorted};
use crate::written::{real, whole};

/// Assumed: the share of people who make half of the visits elsewhere (they live near a border, or work beyond it), all in one other
/// region.
const COMMUTERS: f64 = 0.1;
const OF_COMMUTERS: f64 = 0.5;
/// What base64 makes of a byte.
const BASE64: f64 = 4.0 / 3.0;
/// Bytes of a signature's line in a checkpoint, of a header, of a hash.
const LINE: f64 = 150.0;
const HEADER: f64 = 330.0;
const HASH: f64 = 32.0;
/// The strict check of a signature, the slower of the two that `docs/benches.md` has.
const CHECK_S: f64 = 36e-6;

/// What was found of those who were looked at.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Chains with records of a person after one year and after ten: p50, p90, p99, the most.
    pub(super) chains: [[f64; 4]; 2],
    /// The share with records on more than one.
    pub(super) several: [f64; 2],
    /// Entries of a person's histories of one year, all chains together: p50, p99.
    pub(super) entries: [f64; 2],
    /// Bytes of their exports.
    pub(super) bytes: [f64; 2],
    /// Time to verify them, on the machine that was measured.
    pub(super) verify_s: [f64; 2],
    /// The same of first exports after ten years.
    pub(super) whole_bytes: [f64; 2],
    pub(super) whole_verify_s: [f64; 2],
    /// Of all visits, those in another region than the person's.
    pub(super) elsewhere: f64,
}

/// One person's records on a chain: visits in the first year, and in all years.
#[derive(Clone, Copy, Debug, Default)]
struct Chart {
    first: u64,
    all: u64,
}

const YEARS: u64 = 10;

/// Looks at so many people over ten years, who go elsewhere `travel` times as often as the country's figures say.
pub(super) fn look(
    regions: &[Region],
    people: u64,
    visits_each: f64,
    travel: f64,
    witnesses: u64,
    rng: &mut Rng,
) -> Found {
    let homes: Vec<f64> = regions.iter().map(|region| region.people).collect();
    let mut charts = Vec::new();
    let (mut visits, mut elsewhere) = (0, 0);
    for _ in 0..people {
        let home = rng.place(&homes);
        let life = Person::new(home, visits_each, travel, regions, rng).lives(regions, &homes, rng);
        visits += life.charts.iter().map(|chart| chart.all).sum::<u64>();
        elsewhere += life.elsewhere;
        charts.push(life.charts);
    }
    let of_years: [fn(&Chart) -> u64; 2] = [|chart| chart.first, |chart| chart.all];
    let chains = of_years.map(|visits| {
        let of = |charts: &Vec<Chart>| charts.iter().filter(|chart| visits(chart) > 0).count();
        sorted(
            charts
                .iter()
                .map(|charts| real(of(charts) as u64))
                .collect(),
        )
    });
    let several = |chains: &Vec<f64>| {
        let several = chains.iter().filter(|chains| **chains > 1.5).count();
        real(several as u64) / real(people)
    };
    let [one, ten] = of_years.map(|visits| {
        let exports = charts.iter().map(|charts| {
            let all = charts.iter().zip(regions);
            let all = all.filter(|(chart, _)| visits(chart) > 0);
            all.map(|(chart, region)| Export::of(visits(chart), region, witnesses))
                .fold(Export::default(), Export::and)
        });
        exports.collect::<Vec<Export>>()
    });
    let pair = |exports: &[Export], of: fn(&Export) -> f64| {
        let values = sorted(exports.iter().map(of).collect());
        [0.5, 0.99].map(|q| quantile(&values, q))
    };
    Found {
        several: chains.each_ref().map(several),
        chains: chains.map(|values| [0.5, 0.9, 0.99, 1.0].map(|q| quantile(&values, q))),
        entries: pair(&one, |export| export.entries),
        bytes: pair(&one, |export| export.bytes),
        verify_s: pair(&one, |export| export.verify_s),
        whole_bytes: pair(&ten, |export| export.bytes),
        whole_verify_s: pair(&ten, |export| export.verify_s),
        elsewhere: real(elsewhere) / real(visits.max(1)),
    }
}

struct Person {
    home: usize,
    /// How often they go elsewhere, beside their region's people.
    travel: f64,
    /// Visits in a year, on average: exponential among people, which gives quartiles of 4.9, 11.8 and 23.6 at a mean of 17, where
    /// the Zentralinstitut für die kassenärztliche Versorgung counted 4, 10 and 22 in 2007.
    visits: f64,
    /// The region beyond the border, and the probability of going there.
    beyond: Option<(usize, f64)>,
    /// The probability of going anywhere else.
    elsewhere: f64,
}

impl Person {
    fn new(home: usize, visits_each: f64, travel: f64, regions: &[Region], rng: &mut Rng) -> Self {
        let mut person = Self {
            home,
            travel,
            visits: rng.exponential(visits_each),
            beyond: None,
            elsewhere: 0.0,
        };
        person.moves(home, regions, rng);
        person
    }

    fn moves(&mut self, home: usize, regions: &[Region], rng: &mut Rng) {
        self.home = home;
        let others = others(home, regions);
        let away = others.iter().sum::<f64>() * self.travel;
        self.elsewhere = away * (1.0 - OF_COMMUTERS);
        let commutes = rng.happens(COMMUTERS);
        let share = (away * OF_COMMUTERS / COMMUTERS).min(1.0 - self.elsewhere);
        self.beyond = commutes.then(|| (rng.place(&others), share));
    }

    fn lives(mut self, regions: &[Region], homes: &[f64], rng: &mut Rng) -> Life {
        let mut life = Life {
            charts: vec![Chart::default(); regions.len()],
            elsewhere: 0,
        };
        for year in 0..YEARS {
            for _ in 0..rng.poisson(self.visits) {
                let place = self.goes(regions, rng);
                life.elsewhere += u64::from(place != self.home);
                if let Some(chart) = life.charts.get_mut(place) {
                    chart.first += u64::from(year == 0);
                    chart.all += 1;
                }
            }
            if rng.happens(MOVES_EACH) {
                self.moves(rng.place(homes), regions, rng);
            }
        }
        life
    }

    /// The region of the next visit.
    fn goes(&self, regions: &[Region], rng: &mut Rng) -> usize {
        match self.beyond {
            Some((beyond, share)) if rng.happens(share) => beyond,
            _ if rng.happens(self.elsewhere) => rng.place(&others(self.home, regions)),
            _ => self.home,
        }
    }
}

/// Ten years of a person.
struct Life {
    /// In each region.
    charts: Vec<Chart>,
    /// Visits in another region than the home of that time.
    elsewhere: u64,
}

/// Where people of this region go, without itself.
fn others(home: usize, regions: &[Region]) -> Vec<f64> {
    let goes = regions.get(home).map(|region| region.goes.as_slice());
    let goes = goes.unwrap_or_default().iter().enumerate();
    goes.map(|(place, share)| if place == home { 0.0 } else { *share })
        .collect()
}

/// One chain's export of so many visits, or several.
#[derive(Clone, Copy, Debug, Default)]
struct Export {
    entries: f64,
    bytes: f64,
    verify_s: f64,
}

impl Export {
    /// The signatures of a quorum and of the witnesses that the policy asks for, a header, both proofs, the entries.
    fn of(visits: u64, region: &Region, witnesses: u64) -> Self {
        // A visit leaves a grant, its records, a request and each custodian's receipt in the patient's history.
        let entries = real(visits * (1 + RECORDS + 1 + region.validators));
        let signatures = real((2 * region.validators).div_ceil(3) + witnesses);
        // As long as the state's and the log's trees are high: some 2^34 values, 2^30 blocks.
        let proofs = HASH * (34.0 + 30.0);
        let bytes = signatures * LINE + (HEADER + proofs + entries * ENTRY) * BASE64;
        Self {
            entries,
            bytes,
            verify_s: entries * VERIFY_PER_ENTRY_S + signatures * CHECK_S,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            bytes: self.bytes + other.bytes,
            verify_s: self.verify_s + other.verify_s,
        }
    }
}

/// The most chains among which so many ids of one person can lie: what an app asks one after the other.
pub(super) fn most(found: &Found) -> u64 {
    let [_, [.., most]] = found.chains;
    whole(most)
}

#[cfg(test)]
mod tests {
    use super::super::country::{Size, VISITS_EACH, regions};
    use super::*;

    #[test]
    fn people_go_elsewhere_as_often_as_regions_say() {
        let regions = regions(Size::germany());
        let found = look(&regions, 3_000, VISITS_EACH, 1.0, 8, &mut Rng::new(1, 1));
        let all: f64 = regions.iter().map(|region| region.visits).sum();
        let outside: f64 = regions
            .iter()
            .map(|region| region.visits * region.outside)
            .sum();
        assert!(
            (found.elsewhere / (outside / all) - 1.0).abs() < 0.2,
            "{found:?}"
        );
        let [[one, _, _, most_in_one], [ten, .., most_in_ten]] = found.chains;
        assert!(one >= 1.0 && ten >= one && most_in_ten >= most_in_one);
        assert!(found.several[1] > found.several[0] && found.whole_bytes[1] > found.bytes[1]);
    }
}
