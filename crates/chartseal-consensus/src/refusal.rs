use chartseal_ledger::{Block, BlockError, Body, Executed, Overlay, Params, execute_on};
use chartseal_wire::Time;
use std::num::NonZeroUsize;
use thiserror::Error;

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
    /// `CS-BFT-11`: it names another committee for a later epoch, which this version can't hand over to.
    #[error("block changes the committee, which validators of this version can't follow")]
    CommitteeChange,
    /// The ledger's rules, `CS-LED-80` to `91`.
    #[error(transparent)]
    Block(#[from] BlockError),
}

impl Refusal {
    /// The id of the rule that the block breaks; of a refused transaction, the transaction's own.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Backdated { .. } => "CS-BFT-10",
            Self::CommitteeChange => "CS-BFT-11",
            Self::Block(BlockError::Transaction { source, .. }) => source.rule(),
            Self::Block(error) => error.rule(),
        }
    }
}

/// Executes a proposal on its parent: the rules that hold whatever the clock shows.
pub(crate) fn judge(
    parent: &Overlay,
    block: &Block,
    threads: NonZeroUsize,
) -> Result<Executed, Refusal> {
    let executed = execute_on(parent, block, threads)?;
    if changes_committee(&executed) {
        return Err(Refusal::CommitteeChange);
    }
    Ok(executed)
}

/// Whether a block sets a committee that is not the present one.
fn changes_committee(executed: &Executed) -> bool {
    executed.overlay.state().next_committee().is_some()
}

/// Whether a transaction would.
pub(crate) fn is_committee_change(body: &Body) -> bool {
    matches!(body, Body::CommitteeChanged(_))
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
