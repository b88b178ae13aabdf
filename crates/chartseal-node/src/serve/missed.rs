//! Blocks that became final while this node was away, fetched from other organizations' services before its validator starts.
//!
//! The engine fetches them too, but one by one, backwards from the newest, each with the engine's own bookkeeping. Here they
//! come by the hundred, in order, and each is executed and kept as it comes. Nobody is believed: a block counts once its
//! certificate, or that of a block after it, is verified. What is left then, or all of it if no service answers, is for the
//! engine.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use chartseal_client::{MAX_PENDING, NextBlock, Remote};

use crate::error::NodeError;
use crate::node::Node;

/// For how long at most: meanwhile nobody can ask the node anything.
const LONGEST: Duration = Duration::from_secs(60);

/// Takes what others have and the node lacks. Gives how many blocks that were.
///
/// # Errors
/// [`NodeError`] if the node can't keep them. Whoever gives none, or wrong ones, is passed over.
pub(super) fn fetch(
    node: &mut Node,
    others: &[Remote],
    threads: NonZeroUsize,
) -> Result<u64, NodeError> {
    let (before, begun) = (node.head().height(), Instant::now());
    for other in others {
        let mut pending = Vec::new();
        while begun.elapsed() < LONGEST && fetch_some(node, other, &mut pending, threads)? {}
    }
    Ok(node.head().height() - before)
}

/// Takes some of one node's blocks; those for which no certificate vouches yet are `pending`. Whether there may be more.
fn fetch_some(
    node: &mut Node,
    other: &Remote,
    pending: &mut Vec<NextBlock>,
    threads: NonZeroUsize,
) -> Result<bool, NodeError> {
    let tip = |node: &Node, pending: &[NextBlock]| {
        let last = pending.last().map(|last| last.executed.overlay.clone());
        last.unwrap_or_else(|| node.head().clone())
    };
    let from = tip(node, pending).height() + 1;
    let Ok(found) = other.blocks(from, Duration::ZERO) else {
        return Ok(false);
    };
    for found in &found.blocks {
        let next = match NextBlock::after(&tip(node, pending), found, threads) {
            Ok(Some(next)) => next,
            Ok(None) => continue,
            Err(why) => {
                tracing::warn!(organization = %other.org(), %why, "another node gives blocks that are not the chain's");
                return Ok(false);
            }
        };
        let is_certified = next.certificate.is_some();
        pending.push(next);
        if is_certified {
            for next in pending.drain(..) {
                node.keep_final(&next.block, &next.executed, next.certificate.as_ref())?;
            }
        } else if pending.len() as u64 > MAX_PENDING {
            tracing::warn!(organization = %other.org(), "another node gives blocks for which no certificate vouches");
            return Ok(false);
        }
    }
    Ok(tip(node, pending).height() >= from)
}
