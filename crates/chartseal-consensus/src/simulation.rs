//! A validator on the engine's deterministic runtime and simulated network, for tests of whole networks.
//!
//! The engine is generic, and takes minutes to compile where it is made concrete. Here that happens once, in
//! this crate; tests only call [`start`]. The types are the engine's own: this module is behind the feature
//! `simulation`, which nothing but tests turns on.

use std::future::Future;
use std::pin::Pin;

use chartseal_ledger::Genesis;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::Recipients;
use commonware_p2p::simulated::{Oracle, Receiver, SplitOrigin, SplitSender};
use commonware_runtime::IoBuf;
use commonware_runtime::deterministic::Context;

use crate::engine::{Channels, Keys, Running, Settings, StartError, start as start_on};
use crate::keeper::Keeper;

/// Where a message goes, of those whom its sender means. A plain function, so that all links have one type.
pub type Forward = fn(SplitOrigin, &Recipients<PublicKey>, &IoBuf) -> Option<Recipients<PublicKey>>;
/// The sending end of a simulated channel.
pub type SimulatedSender = SplitSender<PublicKey, Context, Forward>;
/// The receiving end.
pub type SimulatedReceiver = Receiver<PublicKey>;

/// Starts a validator in a simulation, under the name that its key has in the network.
pub fn start(
    context: Context,
    settings: Settings,
    genesis: Genesis,
    keys: Keys,
    keeper: Box<dyn Keeper>,
    channels: Channels<SimulatedSender, SimulatedReceiver>,
    network: Oracle<PublicKey, Context>,
) -> Pin<Box<dyn Future<Output = Result<Running, StartError>> + Send>> {
    Box::pin(async move {
        let (peers, blocker) = (network.manager(), network.control(keys.name()));
        let started = start_on(
            context, settings, &genesis, &keys, keeper, channels, peers, blocker,
        );
        Box::pin(started).await
    })
}
