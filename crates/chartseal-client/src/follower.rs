use std::num::NonZeroUsize;

use chartseal_api::Blocks;
use chartseal_audit::verify_certificate;
use chartseal_ledger::{Block, BlockError, Genesis, Overlay, execute_on};
use chartseal_wire::{Certificate, TxId};
use thiserror::Error;

/// The chain as its committees certified it: every block is executed here, and counts once its certificate, or that of a
/// block after it, is verified.
pub struct Follower {
    head: Overlay,
    bytes: u64,
}

/// What new blocks brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// How many blocks.
    pub blocks: u64,
    /// Their transactions, with the block's height.
    pub transactions: Vec<(TxId, u64)>,
}

/// Why blocks are not believed. The state before them stays.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FollowError {
    /// Bytes that are no block.
    #[error("block {height} is not in its format")]
    Malformed {
        /// Where it should have been.
        height: u64,
    },
    /// A block that does not follow from the one before it.
    #[error("block {height} is not what the ledger's rules give: {why}")]
    Block {
        /// Its height.
        height: u64,
        /// The rule.
        why: Box<BlockError>,
    },
    /// A certificate that the committee did not sign.
    #[error("block {height} is not certified by its committee: {why}")]
    Certificate {
        /// The block's height.
        height: u64,
        /// What is wrong.
        why: String,
    },
}

impl Follower {
    /// At the genesis, which is known from elsewhere.
    pub fn new(genesis: &Genesis) -> Self {
        Self {
            head: genesis.overlay(),
            bytes: genesis.block().bytes().len() as u64,
        }
    }

    /// The newest certified state.
    pub fn head(&self) -> &Overlay {
        &self.head
    }

    /// The bytes of all blocks up to it.
    pub fn chain_bytes(&self) -> u64 {
        self.bytes
    }

    /// Its height.
    pub fn height(&self) -> u64 {
        self.head.height()
    }

    /// Executes the blocks after the head, and takes those for which the newest certificate among them vouches. Blocks
    /// that are known already are passed over.
    ///
    /// # Errors
    /// [`FollowError`]; then nothing is taken.
    pub fn take(&mut self, blocks: &Blocks, threads: NonZeroUsize) -> Result<Settled, FollowError> {
        let mut tip = self.head.clone();
        let (mut settled, mut pending) = (Settled::default(), Settled::default());
        let (mut certified, mut bytes) = (None, self.bytes);
        for found in &blocks.blocks {
            let height = tip.height() + 1;
            let block = Block::from_bytes(&found.block.0);
            let block = block.map_err(|_| FollowError::Malformed { height })?;
            if block.header.height <= self.head.height() {
                continue;
            }
            let executed = execute_on(&tip, &block, threads).map_err(|why| FollowError::Block {
                height,
                why: Box::new(why),
            })?;
            pending.blocks += 1;
            bytes += found.block.0.len() as u64;
            let ids = block.transactions.iter().map(|it| (it.id(), height));
            pending.transactions.extend(ids);
            if let Some(certificate) = &found.certificate {
                let failed = |why: String| FollowError::Certificate { height, why };
                let certificate = Certificate::parse(&certificate.0);
                let certificate = certificate.map_err(|why| failed(why.to_string()))?;
                // The committee is that of the state before the block.
                verify_certificate(&certificate, &block.header, tip.committee())
                    .map_err(|why| failed(why.to_owned()))?;
                certified = Some((executed.overlay.clone(), bytes));
                settled.blocks += pending.blocks;
                settled.transactions.append(&mut pending.transactions);
                pending.blocks = 0;
            }
            tip = executed.overlay;
        }
        if let Some((head, bytes)) = certified {
            (self.head, self.bytes) = (head, bytes);
        }
        Ok(settled)
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let height = self.height();
        f.debug_struct("Follower")
            .field("height", &height)
            .finish_non_exhaustive()
    }
}
