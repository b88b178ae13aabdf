//! Blocks that became final while this node was away, fetched from other organizations' services before its validator starts.
//!
//! The engine fetches them too, but one by one, backwards from the newest, each with the engine's own bookkeeping. Here they
//! come by the hundred, in order, and are executed and kept while the next ones come; the node can be asked for nothing
//! meanwhile. Nobody is believed: a block counts once
//! its certificate, or that of a block after it, is verified. What is left then, or all of it if no service answers, is for
//! the engine.

use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use chartseal_api::FinalBlock;
use chartseal_client::{NextBlock, Remote};

use crate::error::NodeError;
use crate::node::Node;

/// How long others may be waited for in all while there is nothing to execute: whoever gives its blocks slowly on purpose keeps
/// a validator from starting.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is said how far it is.
const SAID: Duration = Duration::from_secs(10);
/// The most blocks that are executed without a certificate, all of which are in memory: nodes keep one for every 64 or so.
const MAX_PENDING: usize = 128;

/// Takes what others have and the node lacks. Gives how many blocks that were.
///
/// # Errors
/// [`NodeError`] if the node can't keep them. Whoever gives none, or wrong ones, is passed over.
pub(super) fn fetch(
    node: &mut Node,
    others: &[Remote],
    threads: NonZeroUsize,
) -> Result<u64, NodeError> {
    let (before, mut said) = (node.head().height(), Instant::now());
    let mut waited = Duration::ZERO;
    for other in others {
        if waited >= PATIENCE {
            break;
        }
        let mut from = node.head().height() + 1;
        let mut pending = Vec::new();
        let begun = Instant::now();
        let mut found = ask(other, from);
        waited += begun.elapsed();
        while !found.is_empty() && waited < PATIENCE {
            from += found.len() as u64;
            let (next, taken, goes_on) = thread::scope(|scope| {
                let next = scope.spawn(|| ask(other, from));
                let goes_on = take(node, other, &found, &mut pending, threads);
                let taken = Instant::now();
                (next.join().unwrap_or_default(), taken, goes_on)
            });
            if !goes_on? {
                break;
            }
            waited += taken.elapsed();
            found = next;
            if said.elapsed() > SAID {
                said = Instant::now();
                let height = node.head().height();
                tracing::info!(height, "fetching what became final meanwhile");
            }
        }
    }
    Ok(node.head().height() - before)
}

/// The next blocks that a node has; none if it does not answer.
fn ask(other: &Remote, from: u64) -> Vec<FinalBlock> {
    let found = other.blocks(from, Duration::ZERO);
    found.map(|found| found.blocks).unwrap_or_default()
}

/// Executes a node's blocks, and keeps those for which a certificate vouches; the later ones are `pending`. Whether more of
/// that node's are wanted: not if these are wrong, or known.
fn take(
    node: &mut Node,
    other: &Remote,
    found: &[FinalBlock],
    pending: &mut Vec<NextBlock>,
    threads: NonZeroUsize,
) -> Result<bool, NodeError> {
    let organization = other.org();
    let mut is_new = false;
    for found in found {
        let tip = pending.last().map(|last| &last.executed.overlay);
        let next = match NextBlock::after(tip.unwrap_or(node.head()), found, threads) {
            Ok(Some(next)) => next,
            Ok(None) => continue,
            Err(why) => {
                tracing::warn!(%organization, %why, "another node gives blocks that are not the chain's");
                return Ok(false);
            }
        };
        is_new = true;
        let is_certified = next.certificate.is_some();
        pending.push(next);
        if is_certified {
            let certified = pending.iter();
            let certified =
                certified.map(|next| (&next.block, &next.executed, next.certificate.as_ref()));
            node.keep_all_final(&certified.collect::<Vec<_>>())?;
            pending.clear();
        } else if pending.len() > MAX_PENDING {
            tracing::warn!(%organization, "another node gives blocks for which no certificate vouches");
            return Ok(false);
        }
    }
    Ok(is_new)
}
