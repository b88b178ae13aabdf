use std::sync::Arc;

use chartseal_ledger::Overlay;
use chartseal_wire::{Certificate, PublicKey};
use commonware_actor::Feedback;
use commonware_consensus::marshal::Update;
use commonware_consensus::types::Height;
use commonware_consensus::{Heightable as _, Reporter};
use commonware_runtime::Spawner;
use commonware_utils::Acknowledgement as _;
use thiserror::Error;
use tokio::sync::mpsc;

use super::Marshal;
use super::block::EngineBlock;
use super::shared::Shared;
use super::start::PRUNED_AT_ONCE;
use crate::certificate::{CertificateError, from_engine};
use crate::keeper::KeeperError;
use crate::refusal::{Refusal, judge};

/// Hands final blocks to the task that keeps them.
#[derive(Clone)]
pub(crate) struct Finality {
    updates: mpsc::UnboundedSender<Update<EngineBlock>>,
}

/// Why a final block can't be kept. The validator stops: to go on would be to answer from a wrong state.
#[derive(Debug, Error)]
enum Fatal {
    #[error(
        "final block {height} is not on this node's head, {head}: its ledger and the engine's files are of different days; restore them together, or start from empty ones"
    )]
    Gap { height: u64, head: u64 },
    #[error(
        "a quorum made final at height {height} what this node has otherwise: it keeps another chain"
    )]
    OtherBlock { height: u64 },
    #[error("a quorum made final at height {height} what this node refuses: {refusal}")]
    Refused { height: u64, refusal: Refusal },
    #[error("the committee's term can't begin: {0}")]
    Committee(#[from] CertificateError),
    #[error("final block {height} can't be kept: {source}")]
    Keeper { height: u64, source: KeeperError },
}

impl Reporter for Finality {
    type Activity = Update<EngineBlock>;

    fn report(&mut self, update: Update<EngineBlock>) -> Feedback {
        // At most `max_pending_acks` blocks wait here, so the queue needs no bound of its own.
        match self.updates.send(update) {
            Ok(()) => Feedback::Ok,
            Err(_) => Feedback::Closed,
        }
    }
}

/// Starts the task that keeps final blocks, in order, each durable before the next.
pub(crate) fn start<E: Spawner>(context: E, shared: Arc<Shared>, marshal: Marshal) -> Finality {
    let (updates, mut queue) = mpsc::unbounded_channel::<Update<EngineBlock>>();
    // A commit waits for the disk.
    context.dedicated().spawn(move |_| async move {
        while let Some(update) = queue.recv().await {
            let Update::Block(block, acknowledgement) = update else {
                continue;
            };
            let certificate = marshal.get_finalization(block.height()).await;
            let certificate = certificate.as_ref().and_then(from_engine);
            if let Err(fatal) = keep(&shared, block.inner(), certificate.as_ref()) {
                shared.fail(fatal.to_string());
                // The acknowledgement is dropped: the engine stops too, and delivers it again after a restart.
                return;
            }
            acknowledgement.acknowledge();
            let height = block.height().get();
            if height % PRUNED_AT_ONCE == 0 {
                let from = height.saturating_sub(shared.settings.kept_blocks);
                marshal.prune(Height::new(from));
            }
        }
    });
    Finality { updates }
}

fn keep(
    shared: &Shared,
    block: &EngineBlock,
    certificate: Option<&Certificate>,
) -> Result<(), Fatal> {
    let height = block.block().header.height;
    let (head, leaf, executed) = {
        let core = shared.core();
        let speculation = &core.speculation;
        (
            speculation.head().clone(),
            speculation.leaf(),
            speculation.executed(&block.leaf()),
        )
    };
    if height <= head.height() {
        return again(shared, block);
    }
    if height != head.height() + 1 {
        let head = head.height();
        return Err(Fatal::Gap { height, head });
    }
    if block.block().header.parent != leaf {
        return Err(Fatal::OtherBlock { height });
    }
    let executed = match executed {
        Some(executed) => executed,
        None => judge(
            &head,
            block.block(),
            head.committee().epoch(),
            &[],
            shared.settings.threads,
        )
        .map(Arc::new)
        .map_err(|refusal| Fatal::Refused { height, refusal })?,
    };
    shared
        .keeper()
        .commit(block.block(), &executed, certificate)
        .map_err(|source| Fatal::Keeper { height, source })?;
    settle(shared, block, &executed.overlay)
}

/// A block that was kept before: delivery is at least once.
fn again(shared: &Shared, block: &EngineBlock) -> Result<(), Fatal> {
    let height = block.block().header.height;
    let kept = shared
        .keeper()
        .header(height)
        .map_err(|source| Fatal::Keeper { height, source })?;
    if kept == Some(block.block().header.bytes()) {
        Ok(())
    } else {
        Err(Fatal::OtherBlock { height })
    }
}

/// What a durable block changes in memory: the head, the pool, what clients are told.
fn settle(shared: &Shared, block: &EngineBlock, overlay: &Overlay) -> Result<(), Fatal> {
    let transactions = &block.block().transactions;
    let actors: Vec<PublicKey> = transactions
        .iter()
        .filter_map(|transaction| transaction.parse().ok())
        .map(|parsed| parsed.actor_key)
        .collect();
    {
        let mut core = shared.core();
        if shared.epochs.advance(overlay)? {
            core.begin_epoch(overlay.committee().epoch());
        }
        core.speculation.finalize(overlay.clone());
        let settled = core.pool.settle(overlay, actors);
        core.remember(block.block(), settled);
    }
    shared.finals.send_replace(overlay.height());
    shared.is_executed();
    Ok(())
}
