use std::sync::Arc;

use chartseal_codec::{DecodeError, Decoder, Encode as _, Encoder};
use chartseal_ledger::SignedTransaction;
use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_p2p::{Blocker, Receiver, Recipients, Sender};
use commonware_runtime::{Clock, Spawner};
use tokio::sync::mpsc;

use super::shared::Shared;

/// The most bytes of one message of gossip.
pub const MAX_FRAME_BYTES: usize = 512 * 1024;
/// The most transactions of one message.
const MAX_FRAME_TRANSACTIONS: usize = 512;
/// How many transactions of its own clients a node sends again in one go.
const MAX_AGAIN: usize = 4_096;

/// Sends and takes transactions on a channel of their own.
///
/// Whoever a client hands a transaction to sends it to all validators, once at once and again while it is
/// overdue. Nobody passes on what others sent: every validator is connected to every other.
pub(crate) fn start<E, S, R, B>(
    context: E,
    shared: Arc<Shared>,
    mut submitted: mpsc::UnboundedReceiver<SignedTransaction>,
    (mut sender, mut receiver): (S, R),
    mut blocker: B,
) where
    E: Spawner + Clock,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    context.spawn(move |context| async move {
        let pause = shared.settings.gossip_again;
        let mut again = context.current() + pause;
        loop {
            select! {
                first = submitted.recv() => {
                    let Some(first) = first else {
                        return;
                    };
                    let mut batch = vec![first];
                    while batch.len() < MAX_FRAME_TRANSACTIONS {
                        match submitted.try_recv() {
                            Ok(next) => batch.push(next),
                            Err(_) => break,
                        }
                    }
                    send(&mut sender, &batch);
                },
                () = context.sleep_until(again) => {
                    again = context.current() + pause;
                    let overdue = shared.core().pool.overdue(MAX_AGAIN);
                    send(&mut sender, &overdue);
                },
                // After all else: the branches are looked at in their order, and peers can send without end.
                message = receiver.recv() => {
                    let Ok((peer, bytes)) = message else {
                        return;
                    };
                    if let Err(why) = take(&shared, bytes.as_ref()) {
                        tracing::warn!(?peer, why, "peer gossips what no honest validator does");
                        let _ = blocker.block(peer);
                    }
                },
            }
        }
    });
}

/// Pools what a peer sent. What merely comes too late or finds no room is nobody's fault.
///
/// # Errors
/// What no honest validator sends.
fn take(shared: &Shared, bytes: &[u8]) -> Result<(), &'static str> {
    let transactions =
        read_frame(bytes).map_err(|_| "a message that is no list of transactions")?;
    let mut arrived = false;
    for transaction in transactions {
        match shared.pool(transaction, false) {
            Ok(_) => arrived = true,
            Err(error) if error.is_hostile() => return Err(error.rule()),
            Err(_) => {}
        }
    }
    if arrived {
        shared.arrived();
    }
    Ok(())
}

/// Sends transactions to all validators, in as many messages as it takes.
fn send<S: Sender<PublicKey = PublicKey>>(sender: &mut S, transactions: &[SignedTransaction]) {
    let mut rest = transactions;
    while !rest.is_empty() {
        let mut bytes = 16;
        let fits = rest
            .iter()
            .take(MAX_FRAME_TRANSACTIONS)
            .take_while(|transaction| {
                bytes += transaction.bytes.len() + 80;
                bytes <= MAX_FRAME_BYTES
            });
        let count = fits.count().max(1);
        let (now, later) = rest.split_at(count.min(rest.len()));
        let _ = sender.send(Recipients::All, frame(now), false);
        rest = later;
    }
}

/// A message: the list of its transactions.
fn frame(transactions: &[SignedTransaction]) -> Vec<u8> {
    let mut e = Encoder::new();
    e.array(transactions.len());
    for transaction in transactions {
        transaction.encode(&mut e);
    }
    e.finish()
}

/// The transactions of a message of gossip, whose bytes are hostile.
///
/// # Errors
/// Bytes that are no canonical list of 1 to 512 transactions, or more than [`MAX_FRAME_BYTES`].
pub fn read_frame(bytes: &[u8]) -> Result<Vec<SignedTransaction>, DecodeError> {
    let mut d = Decoder::new(bytes);
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(d.invalid("a message of gossip is larger than 512 KiB"));
    }
    let transactions: Vec<SignedTransaction> = d.at("gossip").list(MAX_FRAME_TRANSACTIONS)?;
    d.finish()?;
    if transactions.is_empty() {
        return Err(Decoder::new(bytes).invalid("a message of gossip is empty"));
    }
    Ok(transactions)
}
