//! The country: people, their visits and where they go. Public figures with their sources, and what is assumed where there are none.

/// One region: a chain of its own.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) name: &'static str,
    /// People who live there.
    pub(super) people: f64,
    /// Validators, 3*f* + 1.
    pub(super) validators: u64,
    /// Of the visits there, the share by people from elsewhere.
    pub(super) outside: f64,
    /// Where people from elsewhere come from: a weight for each region.
    pub(super) origins: Vec<f64>,
    /// Visits there in a year.
    pub(super) visits: f64,
    /// Where its people go: a share for each region, its own with them.
    pub(super) goes: Vec<f64>,
}

/// Germany's 16 Länder: name, thousands of people (statistikportal.de, mean of 2018), the share of in-patients from elsewhere in 2011 in
/// per mille (Statistisches Landesamt Bremen, 28 November 2013; 67, Lower Saxony's, where it names none), neighbours.
#[rustfmt::skip]
const LAENDER: [(&str, u32, u32, &[usize]); 16] = [
    ("Baden-Württemberg", 11_046, 67, &[1, 6, 10]),
    ("Bavaria", 13_037, 51, &[0, 6, 12, 15]),
    ("Berlin", 3_629, 150, &[3]),
    ("Brandenburg", 2_508, 67, &[2, 7, 8, 12, 13]),
    ("Bremen", 682, 374, &[8]),
    ("Hamburg", 1_836, 307, &[8, 14]),
    ("Hesse", 6_255, 67, &[0, 1, 8, 9, 10, 15]),
    ("Mecklenburg-Vorpommern", 1_610, 67, &[3, 8, 14]),
    ("Lower Saxony", 7_973, 67, &[3, 4, 5, 6, 7, 9, 13, 14, 15]),
    ("North Rhine-Westphalia", 17_922, 33, &[6, 8, 10]),
    ("Rhineland-Palatinate", 4_079, 103, &[0, 6, 9, 11]),
    ("Saarland", 992, 109, &[10]),
    ("Saxony", 4_080, 51, &[1, 3, 13, 15]),
    ("Saxony-Anhalt", 2_216, 67, &[3, 8, 12, 15]),
    ("Schleswig-Holstein", 2_893, 67, &[5, 7, 8]),
    ("Thuringia", 2_147, 67, &[1, 6, 8, 12, 13]),
];

/// Consultations for each person and year in Germany in 2021 (OECD, *Health at a Glance 2023*; the OECD's average is 6.0).
pub(super) const VISITS_EACH: f64 = 9.6;
/// Of those from elsewhere, the share from neighbours: of Hamburg's in-patients of 2009 nine in ten (Statistikamt Nord 12/2011).
const FROM_NEIGHBOURS: f64 = 0.9;
/// Moves between Länder in 2021, 1.06 million, for each person.
pub(super) const MOVES_EACH: f64 = 1.06 / 83.2;
/// Out-patient emergencies in hospitals in 2024, for each person (Destatis, 3 December 2025: 156 for 1,000 people).
pub(super) const EMERGENCIES_EACH: f64 = 0.156;
/// Assumed: of those, the patients who can consent to nothing, so that a glass is broken.
pub(super) const UNCONSCIOUS: f64 = 0.02;

/// Who makes a country of how many people and visits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// All people; the Länder share them as they do Germany's.
    pub(super) people: f64,
    /// Visits for each person and year.
    pub(super) visits_each: f64,
}

impl Size {
    /// Germany as it is.
    pub(super) fn germany() -> Self {
        let people = LAENDER.iter().map(|land| f64::from(land.1)).sum::<f64>() * 1_000.0;
        Self {
            people,
            visits_each: VISITS_EACH,
        }
    }
}

/// Validators of a region: more organizations where there are more hospitals, and never fewer than two that may fail.
fn validators(people: f64) -> u64 {
    match people {
        people if people < 2e6 => 7,
        people if people < 8e6 => 10,
        _ => 13,
    }
}

/// The regions, with their visits.
pub(super) fn regions(size: Size) -> Vec<Region> {
    let all: f64 = LAENDER.iter().map(|land| f64::from(land.1)).sum();
    let people = LAENDER.map(|land| f64::from(land.1) / all * size.people);
    let regions = LAENDER.iter().zip(people).enumerate();
    let mut regions: Vec<Region> = regions
        .map(|(place, (land, own))| {
            let near = |other: usize| land.3.contains(&other);
            let total = |of_near: bool| -> f64 {
                let others = people
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != place);
                let others = others.filter(|(other, _)| near(*other) == of_near);
                others.map(|(_, people)| people).sum()
            };
            let (nears, fars) = (total(true), total(false));
            let origins = people.iter().enumerate().map(|(other, people)| {
                if other == place {
                    0.0
                } else if near(other) {
                    FROM_NEIGHBOURS * people / nears
                } else {
                    (1.0 - FROM_NEIGHBOURS) * people / fars
                }
            });
            Region {
                name: land.0,
                people: own,
                validators: validators(own),
                outside: f64::from(land.2) / 1_000.0,
                origins: origins.collect(),
                visits: own * size.visits_each,
                goes: Vec::new(),
            }
        })
        .collect();
    settle(&mut regions, size.visits_each);
    regions
}

/// Finds the visits in each region: those of its own people who don't go elsewhere, and as many from elsewhere as its share says.
fn settle(regions: &mut [Region], visits_each: f64) {
    let away = |regions: &[Region], home: usize| -> Vec<f64> {
        let to = |region: &Region| {
            let origin = region.origins.get(home).copied().unwrap_or(0.0);
            region.visits * region.outside * origin
        };
        regions.iter().map(to).collect()
    };
    for _ in 0..64 {
        let homes = 0..regions.len();
        let visits: Vec<f64> = homes
            .zip(regions.iter())
            .map(|(home, region)| {
                let at_home = region.people * visits_each - away(regions, home).iter().sum::<f64>();
                at_home / (1.0 - region.outside)
            })
            .collect();
        for (region, visits) in regions.iter_mut().zip(visits) {
            region.visits = visits;
        }
    }
    for home in 0..regions.len() {
        let mut goes = away(regions, home);
        let Some(region) = regions.get_mut(home) else {
            continue;
        };
        let all = region.people * visits_each;
        let left: f64 = goes.iter().sum();
        if let Some(own) = goes.get_mut(home) {
            *own = all - left;
        }
        region.goes = goes.into_iter().map(|visits| visits / all).collect();
    }
}

/// How a year's visits lie in time.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    /// Of the year's visits, each hour's share.
    hours: Vec<f64>,
}

/// January to December: a tenth more in winter and less in August (Waller and Hodgkin, 17 practices over three years: no month is
/// further from the mean).
const MONTHS: [f64; 12] = [
    1.10, 1.10, 1.05, 1.00, 0.98, 0.95, 0.93, 0.90, 0.96, 1.00, 1.04, 1.00,
];
/// Monday to Sunday: 1.29 million appointments on a Monday and 1.09 on a Friday in England (NHS Digital, July 2021, as Full Fact quotes it);
/// a line between them, and a tenth of a day at the weekend, are assumed.
const DAYS: [f64; 7] = [1.29, 1.24, 1.19, 1.14, 1.09, 0.12, 0.08];
/// Of a day's visits, each hour's per mille. Assumed: surgeries in the morning, fewer in the afternoon, emergencies at night.
const HOURS: [u32; 24] = [
    2, 2, 2, 2, 2, 2, 2, 40, 108, 124, 130, 114, 68, 58, 84, 88, 78, 48, 20, 8, 6, 5, 4, 3,
];
/// Assumed: what the Monday after the holidays has more, in a wave of influenza.
const WAVE: f64 = 1.15;
/// Hours of a week.
pub(super) const WEEK: usize = 7 * 24;

impl Calendar {
    /// The year begins on a Monday, which is after the holidays.
    pub(super) fn new() -> Self {
        let mut hours = Vec::new();
        for day in 0..364_usize {
            let month = MONTHS.get(day * 12 / 364).copied().unwrap_or(1.0);
            let weekday = DAYS.get(day % 7).copied().unwrap_or(1.0);
            let wave = if day == 0 { WAVE } else { 1.0 };
            let of_day = |share: u32| f64::from(share) * month * weekday * wave;
            hours.extend(HOURS.map(of_day));
        }
        let all: f64 = hours.iter().sum();
        for hour in &mut hours {
            *hour /= all;
        }
        Self { hours }
    }

    /// Visits a second in an hour of the year, of so many in the year.
    pub(super) fn rate(&self, hour: usize, visits: f64) -> f64 {
        self.hours.get(hour).copied().unwrap_or(0.0) * visits / 3_600.0
    }

    /// Each hour's visits a second.
    pub(super) fn rates(&self, visits: f64) -> impl Iterator<Item = f64> {
        self.hours.iter().map(move |share| share * visits / 3_600.0)
    }

    /// The busiest hour's visits a second.
    pub(super) fn peak(&self, visits: f64) -> f64 {
        self.rates(visits).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_visit_is_somewhere_and_regions_have_their_share_from_elsewhere() {
        let size = Size::germany();
        let regions = regions(size);
        let visits: f64 = regions.iter().map(|region| region.visits).sum();
        assert!((visits / (size.people * VISITS_EACH) - 1.0).abs() < 1e-9);
        for (place, region) in regions.iter().enumerate() {
            assert!((region.goes.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let own = region.people * VISITS_EACH * region.goes[place];
            let outside = 1.0 - own / region.visits;
            assert!((outside - region.outside).abs() < 1e-6, "{}", region.name);
            assert_eq!(region.validators % 3, 1);
        }
    }

    #[test]
    fn neighbours_are_so_both_ways() {
        for (place, land) in LAENDER.iter().enumerate() {
            assert!(
                land.3
                    .iter()
                    .all(|other| LAENDER[*other].3.contains(&place))
            );
        }
    }

    #[test]
    fn a_year_has_all_its_visits_and_a_peak_on_a_monday_morning() {
        assert_eq!(HOURS.iter().sum::<u32>(), 1_000);
        let calendar = Calendar::new();
        let all: f64 = calendar.rates(1e9).map(|rate| rate * 3_600.0).sum();
        assert!((all / 1e9 - 1.0).abs() < 1e-9);
        assert!((calendar.peak(1e9) - calendar.rate(10, 1e9)).abs() < 1e-9);
        assert!(calendar.peak(1e9) > 5.0 * 1e9 / 364.0 / 24.0 / 3_600.0);
    }
}
