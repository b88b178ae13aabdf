use chartseal_ledger::{Block, BlockError, Body, Executed, Overlay, Params, execute_verified};
use chartseal_wire::Time;
use std::num::NonZeroUsize;
use thiserror::Error;

use crate::engine::NOTICE;

/// Why a validator votes against a proposed block, for good.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// `CS-BFT-10`: its time is further before the voter's clock than the network allows, and time
    /// won't mend that. A time too far *ahead* is waited for instead.
    #[error(
        "block's time {} is more than {max_ms} ms before the clock, which shows {}",
        .block.0, .clock.0
    )]
    Backdated {
        /// The block's time, in ms.
        block: Time,
        /// The voter's clock, in ms.
        clock: Time,
        /// The most by which they may differ, in ms.
        max_ms: u64,
    },
    /// `CS-BFT-11`: it decides on a committee that comes into office too soon for all to know of it then.
    #[error("block names a committee from height {from} on, {NOTICE} blocks ahead of {} at least", .height)]
    Notice {
        /// The next epoch's first height.
        from: u64,
        /// The block's.
        height: u64,
    },
    /// `CS-BFT-12`: the next epoch's block, by a validator of this one.
    #[error("block is of epoch {block}, its view of epoch {view}")]
    Epoch {
        /// The block's.
        block: u64,
        /// The view's.
        view: u64,
    },
    /// The ledger's rules, `CS-LED-80` to `91`.
    #[error(transparent)]
    Block(#[from] BlockError),
}

impl Refusal {
    /// The id of the rule that the block breaks; of a refused transaction, the transaction's own.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Backdated { .. } => "CS-BFT-10",
            Self::Notice { .. } => "CS-BFT-11",
            Self::Epoch { .. } => "CS-BFT-12",
            Self::Block(BlockError::Transaction { source, .. }) => source.rule(),
            Self::Block(error) => error.rule(),
        }
    }
}

/// Executes a proposal of an epoch's view on its parent: the rules that hold whatever the clock shows. `verified` are
/// signatures that this validator verified before, as [`execute_verified`] has them.
pub(crate) fn judge(
    parent: &Overlay,
    block: &Block,
    view: u64,
    verified: &[bool],
    threads: NonZeroUsize,
) -> Result<Executed, Refusal> {
    let (epoch, height) = (block.header.epoch, block.header.height);
    if epoch != view {
        return Err(Refusal::Epoch { block: epoch, view });
    }
    let executed = execute_verified(parent, block, verified, threads)?;
    if parent.state().next_committee().is_none() {
        let after = &executed.overlay;
        let begins = after.committee().epoch() != parent.committee().epoch();
        let next = after.state().next_committee().map(|next| next.from);
        let from = next.or(begins.then(|| height.saturating_add(1)));
        if let Some(from) = from.filter(|from| !is_noticed(*from, height)) {
            return Err(Refusal::Notice { from, height });
        }
    }
    Ok(executed)
}

/// Whether a committee that a block at this height decides on comes into office late enough.
fn is_noticed(from: u64, height: u64) -> bool {
    from > height.saturating_add(NOTICE)
}

/// Whether a transaction changes the committee too soon to be in the next block.
pub(crate) fn is_sudden(body: &Body, head: u64) -> bool {
    let Body::CommitteeChanged(body) = body else {
        return false;
    };
    !is_noticed(body.from, head.saturating_add(1))
}

/// What a voter's clock says of a block's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timeliness {
    Timely,
    /// It will be in so many ms.
    Early(u64),
    /// It never will be again.
    Late,
}

/// Compares a block's time with a clock.
pub(crate) fn timeliness(params: &Params, block: Time, clock: Time) -> Timeliness {
    if params.is_timely(block, clock) {
        Timeliness::Timely
    } else if block > clock {
        let ahead = block.0.saturating_sub(clock.0);
        Timeliness::Early(ahead.saturating_sub(params.max_time_drift_ms))
    } else {
        Timeliness::Late
    }
}
