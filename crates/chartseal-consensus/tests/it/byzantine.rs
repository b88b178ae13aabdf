//! What holds if one validator does all that it can: it floods with what is valid, or lies to those that catch up.

use std::collections::BTreeMap;

use crate::sim::{Away, Malice, Plan, Report, run};

/// A flood of what is valid is no reason to speak to its sender no more, so it goes on all the while. It leaves everybody their
/// place in the pools, which it fills, and in blocks, which have room for a quarter of what it sends; and a client is
/// served within as many views as beside a leader that censors it.
#[test]
fn a_flood_of_valid_traffic_costs_nobody_their_place() {
    let mut deeds = BTreeMap::new();
    for seed in 1..=3 {
        let report = run(&Plan::with(seed, Malice::FloodValid));
        add(&mut deeds, &report);
        assert_eq!(report.blocked, 0, "seed {seed}: {report:?}");
        assert_eq!(report.double_votes, 0, "seed {seed}: {report:?}");
        assert!(report.refused.is_empty(), "seed {seed}: {report:?}");
        assert_eq!(report.done.len(), 6);
        assert!(
            report.done.iter().all(|done| *done > 5),
            "seed {seed}: {report:?}"
        );
        let slowest = report.slowest_views.iter().max().unwrap();
        assert!(*slowest <= 1 + 1 + 1 + 2, "seed {seed}: {report:?}");
        // It does get its own transactions in, as far as there is room.
        let served: u64 = report.done.iter().sum();
        assert!(
            report.transactions as u64 > 3 * served,
            "seed {seed}: {report:?}"
        );
    }
    println!("{deeds:?}");
    assert_eq!(deeds.len(), 7, "{deeds:?}");
    assert!(deeds.values().all(|many| *many > 500), "{deeds:?}");
}

/// Whoever was down or cut off asks the liar too. Of what it says nothing is believed, and it keeps nobody from catching up.
#[test]
fn who_catches_up_believes_no_liar() {
    let mut deeds = BTreeMap::new();
    let (mut done, mut missed, mut blocked) = (0, 0, 0);
    for seed in 1..=8 {
        // The others go on, and there is much to fetch; or much else befalls them too.
        let is_rough = seed % 3 == 0;
        let mut plan = Plan {
            away: Some((
                2,
                if seed % 2 == 0 {
                    Away::Down
                } else {
                    Away::CutOff
                },
            )),
            crashes: is_rough,
            partitions: is_rough,
            loss: if is_rough { 100 } else { 0 },
            pause: 100,
            phases: vec![20_000, 20_000],
            ..Plan::with(seed, Malice::LiesInSync)
        };
        if seed % 4 == 0 {
            (plan.validators, plan.byzantine) = (7, 2);
            plan.skews = vec![0; 7];
        }
        let report = run(&plan);
        println!("seed {seed}: {report:?}");
        add(&mut deeds, &report);
        done += report.done.iter().sum::<u64>();
        missed += report.missed;
        blocked += report.blocked;
    }
    println!("{done} done, {missed} missed, {blocked} blocked, {deeds:?}");
    assert!(done > 500, "{done}");
    assert!(missed > 100, "{missed}");
    assert!(blocked > 0, "{blocked}");
    let is_told = |of: &[&str], lie: &str| {
        of.iter()
            .any(|of| deeds.contains_key(&format!("{of}: {lie}")))
    };
    for lie in ["Silence", "Nothing", "Other", "Altered", "Cut"] {
        // A block is asked for by its digest, its height, or its view.
        assert!(is_told(&["block", "height", "view"], lie), "{deeds:?}");
        assert!(is_told(&["votes"], lie), "{deeds:?}");
        assert!(is_told(&["certificate"], lie), "{deeds:?}");
    }
}

/// A liar may keep a validator's votes back, invent some, or say that a view is final that nobody came to. As long as no more
/// than *f* lie or have lost their votes, some honest one gives them back.
#[test]
fn lies_about_lost_votes_have_nobody_vote_twice() {
    let (mut deeds, mut done) = (BTreeMap::new(), 0);
    for seed in 1..=4 {
        let report = run(&Plan {
            validators: 7,
            skews: vec![0; 7],
            crashes: true,
            loses_votes: Some(3),
            phases: vec![20_000],
            ..Plan::with(seed, Malice::LiesInSync)
        });
        println!("seed {seed}: {report:?}");
        assert!(report.evidence.is_empty(), "seed {seed}: {report:?}");
        assert_eq!(report.double_votes, 0, "seed {seed}: {report:?}");
        done += report.done.iter().sum::<u64>();
        add(&mut deeds, &report);
    }
    assert!(done > 200, "{done}");
    let lies = deeds.iter().filter(|(of, _)| of.starts_with("votes"));
    assert!(lies.map(|(_, many)| many).sum::<u64>() > 20, "{deeds:?}");
}

/// One member of all committees is down while they change. It is told of each by whoever votes in it, and by nobody who only
/// says so.
#[test]
fn who_missed_a_change_of_the_committee_hears_of_it_whoever_lies_or_floods() {
    for (malice, seed) in [(Malice::FloodValid, 1), (Malice::LiesInSync, 2)] {
        let report = run(&Plan {
            malice,
            byzantine: 1,
            away: Some((2, Away::Down)),
            crashes: false,
            partitions: false,
            latency: (20, 5),
            loss: 0,
            fetches: false,
            block: 16,
            phases: vec![20_000; 3],
            ..Plan::handing_over(seed)
        });
        println!("{malice:?} {seed}: {report:?}");
        assert_eq!(report.epoch, 3, "{malice:?}, seed {seed}: {report:?}");
        assert!(report.missed > 50, "{malice:?}, seed {seed}: {report:?}");
    }
}

fn add(deeds: &mut BTreeMap<String, u64>, report: &Report) {
    for (name, many) in &report.deeds {
        *deeds.entry(name.clone()).or_default() += many;
    }
}
