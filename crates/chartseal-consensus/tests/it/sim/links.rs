//! Links between validators, what is cut, and where the messages of twins go.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::time::Duration;

use chartseal_consensus::engine::{Channels, Recall, max_message_bytes};
use chartseal_consensus::simulation::{Forward, SimulatedReceiver, SimulatedSender};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_p2p::simulated::{self, Link, Network, Oracle, SplitOrigin, SplitTarget};
use commonware_p2p::utils::mux;
use commonware_p2p::{Recipients, Sender as _};
use commonware_runtime::{Clock as _, IoBuf, Quota, Spawner as _, Supervisor as _, deterministic};
use commonware_utils::Probability;

use super::faults::Malice;
use super::heard;
use super::people;
use super::plan::{Plan, Rng};

pub type Wires = Oracle<PublicKey, deterministic::Context>;
/// Both ends of each of a validator's channels.
pub type Ends = Vec<(SimulatedSender, SimulatedReceiver)>;

pub const VOTES: u64 = 0;
pub const CERTIFICATES: u64 = 1;
/// Requests for certificates.
pub const RESOLVER: u64 = 2;
/// Requests for blocks.
pub const BACKFILL: u64 = 3;
pub const BLOCKS: u64 = 4;
pub const TRANSACTIONS: u64 = 5;
/// Votes that a validator is reminded of.
pub const RECALL: u64 = 6;
const CHANNELS: u64 = 7;
pub const MAX_VALIDATORS: usize = 7;

/// The seed of a validator's key.
pub fn seed(number: usize) -> [u8; 32] {
    let mut seed = [0xc0; 32];
    seed[0] = u8::try_from(number).unwrap();
    seed
}

/// A validator's key as the engine signs with it.
pub fn signing_key(number: usize) -> PrivateKey {
    PrivateKey::decode(Copying(&seed(number))).unwrap()
}

/// A validator's name in the network.
pub fn name(number: usize) -> PublicKey {
    let key = people::validator(number).public();
    PublicKey::decode(Copying(key.0.as_slice())).unwrap()
}

fn names(plan: &Plan) -> Vec<PublicKey> {
    (0..plan.validators).map(name).collect()
}

fn link(plan: &Plan, loss: u64) -> Link {
    Link {
        latency: Duration::from_millis(plan.latency.0),
        jitter: Duration::from_millis(plan.latency.1),
        success_rate: Probability::new(1_000 - loss, 1_000).unwrap(),
    }
}

/// A network of a plan's validators, all linked.
pub async fn lay(context: &deterministic::Context, plan: &Plan) -> Wires {
    let config = simulated::Config {
        max_size: max_message_bytes(u32::try_from(plan.validators).unwrap()),
        max_peers_per_set: NonZeroUsize::new(16).unwrap(),
        disconnect_on_block: true,
        tracked_peer_sets: NonZeroUsize::MIN,
    };
    let network = context.child("network");
    let (network, mut wires) = Network::new_with_peers(network, config, names(plan)).await;
    network.start();
    link_all(plan, &mut wires, plan.loss).await;
    wires
}

/// Everybody reaches everybody, but for those that the plan holds apart.
pub async fn link_all(plan: &Plan, wires: &mut Wires, loss: u64) {
    let names = names(plan);
    for (i, one) in names.iter().enumerate() {
        for (j, other) in names.iter().enumerate() {
            let is_cut = plan.apart && i >= plan.byzantine && j >= plan.byzantine;
            if i != j && !is_cut {
                let _ = wires.remove_link(one.clone(), other.clone()).await;
                let link = link(plan, loss);
                wires
                    .add_link(one.clone(), other.clone(), link)
                    .await
                    .unwrap();
            }
        }
    }
}

/// Cuts some links, each direction for itself: any shape of partition, one-way ones too.
pub async fn cut(plan: &Plan, wires: &mut Wires, rng: &mut Rng) {
    let alone = usize::try_from(rng.range(0, plan.validators as u64)).unwrap();
    let shape = rng.range(0, 3);
    let names = names(plan);
    for (i, one) in names.iter().enumerate() {
        for (j, other) in names.iter().enumerate() {
            let is_cut = match shape {
                // One validator alone; two halves; some links.
                0 => (i == alone) != (j == alone),
                1 => (i % 2 == 0) != (j % 2 == 0),
                _ => rng.one_in(3),
            };
            if i != j && is_cut {
                let _ = wires.remove_link(one.clone(), other.clone()).await;
            }
        }
    }
}

/// Cuts one validator off.
pub async fn cut_off(plan: &Plan, wires: &mut Wires, number: usize) {
    for other in names(plan) {
        let _ = wires.remove_link(name(number), other.clone()).await;
        let _ = wires.remove_link(other, name(number)).await;
    }
}

/// A validator's channels; the second ones are a twin's, or of whoever lies or floods in its name. They send to all others as
/// the first ones do, and get what these need to get.
pub async fn register(
    context: &deterministic::Context,
    plan: &Plan,
    wires: &Wires,
    number: usize,
) -> (Ends, Ends) {
    let malice = plan.malice_of(number);
    let is_twin = malice == Malice::TwoBlocks;
    let control = wires.control(name(number));
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for channel in 0..CHANNELS {
        let quota = Quota::per_second(std::num::NonZeroU32::new(10_000).unwrap());
        let (sender, receiver) = control.register(channel, quota).await.unwrap();
        // Whoever runs a twin has both told that they may vote.
        let is_apart = is_twin && channel != RECALL;
        let forward: Forward = match (is_apart, plan.byzantine) {
            (false, _) => to_all,
            (true, 2) => to_half_of_honest,
            (true, _) => to_half,
        };
        let (one, other) = sender.split_with(forward);
        let context = context.child("split").with_attribute("channel", channel);
        let route = move |(from, message): &(PublicKey, IoBuf)| match malice {
            Malice::TwoBlocks if !is_apart => SplitTarget::Both,
            Malice::TwoBlocks if !is_left(from) => SplitTarget::Secondary,
            Malice::LiesInSync | Malice::FloodValid if is_overheard(channel) => SplitTarget::Both,
            Malice::LiesInSync if is_request(channel, message) => SplitTarget::Secondary,
            _ => SplitTarget::Primary,
        };
        let (to_one, to_other) = receiver.split_with(context, route);
        first.push((one, to_one));
        second.push((other, to_other));
    }
    (first, second)
}

/// Whether who lies or floods makes something of what comes.
fn is_overheard(channel: u64) -> bool {
    matches!(channel, CERTIFICATES | BLOCKS)
}

/// Whether a message asks for something.
fn is_request(channel: u64, message: &IoBuf) -> bool {
    match channel {
        RESOLVER => mux::parse(message.clone())
            .is_ok_and(|(_, message)| heard::request(message.as_ref()).is_some()),
        BACKFILL => heard::request(message.as_ref()).is_some(),
        RECALL => Recall::from_bytes(message.as_ref()) == Ok(Recall::Ask),
        _ => false,
    }
}

/// To everybody.
#[expect(clippy::unnecessary_wraps, reason = "one type with the other routes")]
fn to_all(_: SplitOrigin, to: &Recipients<PublicKey>, _: &IoBuf) -> Option<Recipients<PublicKey>> {
    Some(to.clone())
}

/// Of two twins, to one half each: who is in which follows from the key.
fn to_half(
    origin: SplitOrigin,
    to: &Recipients<PublicKey>,
    _: &IoBuf,
) -> Option<Recipients<PublicKey>> {
    let mine = |key: &&PublicKey| is_left(key) == (origin == SplitOrigin::Primary);
    let to: Vec<_> = match to {
        Recipients::All => {
            let all: Vec<_> = (0..MAX_VALIDATORS).map(name).collect();
            all.iter().filter(mine).cloned().collect()
        }
        Recipients::Some(some) => some.iter().filter(mine).cloned().collect(),
        Recipients::One(one) => Some(one).into_iter().filter(mine).cloned().collect(),
    };
    (!to.is_empty()).then_some(Recipients::Some(to))
}

/// The same where the first two validators are twins, which don't talk to each other.
fn to_half_of_honest(
    origin: SplitOrigin,
    to: &Recipients<PublicKey>,
    message: &IoBuf,
) -> Option<Recipients<PublicKey>> {
    let Some(Recipients::Some(mut to)) = to_half(origin, to, message) else {
        return None;
    };
    to.retain(|key| *key != name(0) && *key != name(1));
    (!to.is_empty()).then_some(Recipients::Some(to))
}

/// The validators with odd numbers: with four, each half has an honest one, whoever is a twin.
fn is_left(key: &PublicKey) -> bool {
    static LEFT: LazyLock<BTreeSet<PublicKey>> =
        LazyLock::new(|| (1..MAX_VALIDATORS).step_by(2).map(name).collect());
    LEFT.contains(key)
}

pub fn channels<S, R>(pairs: Vec<(S, R)>) -> Channels<S, R> {
    let mut pairs = pairs.into_iter();
    let mut next = || pairs.next().unwrap();
    Channels {
        votes: next(),
        certificates: next(),
        resolver: next(),
        backfill: next(),
        blocks: next(),
        transactions: next(),
        recall: next(),
    }
}

/// Sends garbage on every channel.
pub fn flood(context: &deterministic::Context, channels: Ends) {
    for (number, (mut sender, receiver)) in channels.into_iter().enumerate() {
        let context = context.child("flood").with_attribute("channel", number);
        context.spawn(move |context| async move {
            let _keep = receiver;
            let mut rng = Rng::new(number as u64);
            loop {
                let length = usize::try_from(rng.range(1, 2_000)).unwrap();
                let garbage: Vec<u8> = (0..length).map(|_| rng.next().to_le_bytes()[0]).collect();
                let _ = sender.send(Recipients::All, garbage, false);
                context.sleep(Duration::from_millis(20)).await;
            }
        });
    }
}
