//! No read without a trace, over the network that makes it so: each world from one printed number.
//!
//! Four validators run on the engine's deterministic runtime, with the links, faults and liars of `chartseal-consensus`'
//! simulation, from whose files these are taken. Each one's ledger is a [`Node`](chartseal_node::Node) with a disk of its
//! own, which is also a custodian and a vault: it files its receipt into its own validator's pool, as soon as a block that may
//! become final has the request, waits until it is final, and gives its share by its own newest final state only then.
//!
//! An author files, the patient grants, revokes and erases; readers ask, ask again, are cut off and lose answers.
//! Meanwhile validators are killed and started, once a phase all at once; are cut off alone, in halves or along single
//! directions, in some worlds for longer than Δ while readers reach them; lose messages; and have clocks that are off. In
//! half of the worlds one custodian gives its share to anybody, or another one in its place, and serves sealed records that are
//! none (`lies`); in most of these its validator lies too.
//!
//! Held at every step: one history with equal roots; whatever an honest custodian gives is permitted by the plain model
//! of who may read what, at its own height and by its own clock, not later than Δ and twice the skew after a revocation
//! is final, and behind its receipt. Every key that reached a reader is the right one, and has its final permit and *t*
//! receipts, less one where a liar's right share is among those combined; a wrong share is named. At the end everything heals: what was acknowledged is there, what was erased is gone and
//! attested, and whoever is granted something reads it.
//!
//! `CHARTSEAL_LONG=N` runs so many worlds, `CHARTSEAL_SEED=S` the one.

mod custody;
mod ending;
mod model;
mod people;
mod process;
mod visits;
mod world;

// What both simulations need, from the other one's files: there it is seen by more.
#[allow(unreachable_pub, dead_code, reason = "of another test")]
#[path = "../../../../chartseal-consensus/tests/it/sim/agreed.rs"]
mod agreed;
#[allow(unreachable_pub, dead_code, reason = "of another test")]
#[path = "../../../../chartseal-consensus/tests/it/sim/faults.rs"]
mod faults;
#[allow(unreachable_pub, dead_code, reason = "of another test")]
#[path = "../../../../chartseal-consensus/tests/it/sim/flood.rs"]
mod flood;
#[allow(unreachable_pub, dead_code, reason = "of another test")]
#[path = "../../../../chartseal-consensus/tests/it/sim/heard.rs"]
mod heard;
#[allow(unreachable_pub, dead_code, reason = "of another test")]
#[path = "../../../../chartseal-consensus/tests/it/sim/lies.rs"]
mod lies;
#[allow(unreachable_pub, dead_code, reason = "of another test")]
#[path = "../../../../chartseal-consensus/tests/it/sim/links.rs"]
mod links;
#[allow(unreachable_pub, dead_code, reason = "of another test")]
#[path = "../../../../chartseal-consensus/tests/it/sim/plan.rs"]
mod plan;
#[allow(unreachable_pub, reason = "of another test")]
#[path = "../../../../chartseal-consensus/tests/it/sim/settings.rs"]
mod settings;

use world::{Report, run};

/// Worlds in an ordinary run.
const WORLDS: u64 = 11;

/// What happened in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    requests: usize,
    /// Shares that honest custodians gave.
    released: usize,
    /// Keys that reached a reader, and records whose ciphertext they then had.
    opened: usize,
    read: usize,
    refused: usize,
    /// Receipts that were written before their request was final.
    ahead: usize,
    crashes: usize,
    partitions: usize,
    /// Releases by a custodian that did not know of a final revocation or erasure yet.
    late: usize,
    /// How often the liar was named for a wrong share, and ciphertexts of its that were refused.
    named: usize,
    altered: usize,
}

#[test]
fn no_key_reaches_a_reader_without_a_permit_and_receipts_whatever_fails() {
    let number = |name| std::env::var(name).ok().map(|it| it.parse().unwrap());
    let worlds = match (number("CHARTSEAL_SEED"), number("CHARTSEAL_LONG")) {
        (Some(seed), _) => seed..seed + 1,
        (None, many) => 0..many.unwrap_or(WORLDS),
    };
    let is_one = worlds.end - worlds.start == 1;
    let (mut total, mut blocks, mut transactions) = (Tally::default(), 0, 0);
    for seed in worlds.clone() {
        let Report {
            tally,
            height,
            transactions: many,
            ..
        } = run(seed);
        println!("  {height} blocks, {many} transactions, {tally:?}");
        total.requests += tally.requests;
        total.released += tally.released;
        total.opened += tally.opened;
        total.read += tally.read;
        total.refused += tally.refused;
        total.ahead += tally.ahead;
        total.crashes += tally.crashes;
        total.partitions += tally.partitions;
        total.late += tally.late;
        total.named += tally.named;
        total.altered += tally.altered;
        blocks += height;
        transactions += many;
    }
    println!("{worlds:?}: {blocks} blocks, {transactions} transactions, {total:?}");
    // It does happen, all of it.
    let each = usize::try_from(worlds.end - worlds.start).unwrap();
    let is_rich = total.requests > 20 * each
        && total.opened > 5 * each
        && total.read > 4 * each
        && total.refused > 20 * each
        && total.ahead > each
        && total.crashes > each
        && total.partitions > each
        && total.late > 0
        && total.named > each
        && total.altered > each;
    assert!(is_one || is_rich);
}

#[test]
fn one_number_gives_the_same_run_again() {
    assert_eq!(run(9), run(9));
}
