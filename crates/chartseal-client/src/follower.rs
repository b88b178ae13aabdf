use std::num::NonZeroUsize;

use chartseal_api::{Blocks, FinalBlock};
use chartseal_audit::verify_certificate;
use chartseal_ledger::{Block, BlockError, Executed, Genesis, Overlay, execute_on};
use chartseal_wire::{BlockHeader, Certificate, TxId};
use thiserror::Error;

use crate::held::{HeldChain, HeldError, Histories, Judged};

/// A block as a node gave it, executed on the state before it.
#[derive(Clone, Debug)]
pub struct NextBlock {
    /// The block.
    pub block: Block,
    /// What it brings.
    pub executed: Executed,
    /// The certificate that came with it, verified: it vouches for the blocks before it too.
    pub certificate: Option<Certificate>,
}

impl NextBlock {
    /// Executes what a node says is the next block after a state, and verifies the certificate that it gives with it.
    /// `None`: the state has it already. A block without a certificate is only what somebody says.
    ///
    /// # Errors
    /// [`FollowError`].
    pub fn after(
        state: &Overlay,
        found: &FinalBlock,
        threads: NonZeroUsize,
    ) -> Result<Option<Self>, FollowError> {
        let height = state.height() + 1;
        let block = Block::from_bytes(&found.block.0);
        let block = block.map_err(|_| FollowError::Malformed { height })?;
        if block.header.height < height {
            return Ok(None);
        }
        let executed = execute_on(state, &block, threads);
        let executed = executed.map_err(|why| FollowError::Block {
            height,
            why: Box::new(why),
        })?;
        let failed = |why: String| FollowError::Certificate { height, why };
        let certificate = found.certificate.as_ref();
        let certificate = certificate
            .map(|certificate| Certificate::parse(&certificate.0))
            .transpose()
            .map_err(|why| failed(why.to_string()))?;
        if let Some(certificate) = &certificate {
            // The committee is that of the state before the block.
            verify_certificate(certificate, &block.header, state.committee())
                .map_err(|why| failed(why.to_owned()))?;
        }
        Ok(Some(Self {
            block,
            executed,
            certificate,
        }))
    }
}

/// The chain as its committees certified it: every block is executed here, and counts once its certificate, or that of a
/// block after it, is verified.
///
/// ```no_run
/// use chartseal_client::{Follower, Held, HeldState, Histories};
/// # fn example(genesis: chartseal_ledger::Genesis, follower: Follower) -> Result<(), Box<dyn std::error::Error>> {
/// // What it knows, for the next run.
/// let state = HeldState::Followed(follower.held(&Histories::new())?);
/// std::fs::write("held", Held::new(genesis.chain_id(), Vec::new(), state).bytes())?;
/// // The next run: every block before is known, and believed by its committees' certificates alone.
/// let held = Held::read(&std::fs::read("held")?, &genesis.chain_id())?;
/// if let HeldState::Followed(chain) = held.state {
///     let (again, _histories) = Follower::from_held(&genesis, &chain)?;
///     assert_eq!(again.head().head(), follower.head().head());
/// }
/// # Ok(())
/// # }
/// ```
pub struct Follower {
    head: Certified,
    /// Of all blocks up to it: what is held is checked by them.
    headers: Vec<BlockHeader>,
    /// Executed on the head, while no certificate vouches for it.
    pending: Option<Pending>,
}

/// The most blocks that are executed without a certificate: nodes keep one for every 64 or so.
pub const MAX_PENDING: u64 = 4_096;

/// A state, the bytes of all blocks up to it, and the newest certificate of each epoch, with its block's height.
#[derive(Clone)]
struct Certified {
    state: Overlay,
    bytes: u64,
    certificates: Vec<(u64, Certificate)>,
}

/// What comes after the head, and what it would bring.
#[derive(Clone)]
struct Pending {
    tip: Certified,
    headers: Vec<BlockHeader>,
    settled: Settled,
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
    /// Too many blocks for which no certificate vouches.
    #[error("no certificate vouches for the {MAX_PENDING} blocks before block {height}")]
    Uncertified {
        /// The height.
        height: u64,
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
            head: Certified {
                state: genesis.overlay(),
                bytes: genesis.block().bytes().len() as u64,
                certificates: Vec::new(),
            },
            headers: vec![genesis.header()],
            pending: None,
        }
    }

    /// At what an earlier run held of this chain, with the histories in it. No node is asked: the committees' certificates
    /// from the genesis on vouch for it.
    ///
    /// # Errors
    /// [`HeldError`].
    pub fn from_held(genesis: &Genesis, held: &HeldChain) -> Result<(Self, Histories), HeldError> {
        let Judged {
            state,
            bytes,
            headers,
            certificates,
            histories,
        } = held.judged(genesis)?;
        let follower = Self {
            head: Certified {
                state,
                bytes,
                certificates,
            },
            headers,
            pending: None,
        };
        Ok((follower, histories))
    }

    /// What the next run of the app goes on from: the newest certified state, and those of these histories that are as it
    /// has them. Some 300 bytes for each block, and the state.
    ///
    /// # Errors
    /// [`HeldError::Uncertified`] if no node gave the certificate with which an epoch ended.
    pub fn held(&self, histories: &Histories) -> Result<HeldChain, HeldError> {
        for pair in self.headers.windows(2) {
            let [last, next] = pair else {
                continue;
            };
            let mut certified = self.head.certificates.iter();
            if next.epoch != last.epoch && certified.all(|(height, _)| *height != last.height) {
                let height = last.height;
                return Err(HeldError::Uncertified { height });
            }
        }
        let Certified {
            state,
            bytes,
            certificates,
        } = &self.head;
        HeldChain::new(state, *bytes, &self.headers, certificates, histories)
    }

    /// The newest certified state.
    pub fn head(&self) -> &Overlay {
        &self.head.state
    }

    /// The bytes of all blocks up to it.
    pub fn chain_bytes(&self) -> u64 {
        self.head.bytes
    }

    /// Its height.
    pub fn height(&self) -> u64 {
        self.head.state.height()
    }

    /// The height of the block that it needs next: nodes give some at a time, and a certificate may come later.
    pub fn next(&self) -> u64 {
        let tip = self.pending.as_ref().map(|pending| &pending.tip);
        tip.unwrap_or(&self.head).state.height() + 1
    }

    /// Executes the next blocks, and takes those for which the newest certificate among them vouches. Later ones are
    /// remembered. Blocks that are known already are passed over.
    ///
    /// # Errors
    /// [`FollowError`]; then nothing is taken, and what no certificate vouches for is forgotten.
    pub fn take(&mut self, blocks: &Blocks, threads: NonZeroUsize) -> Result<Settled, FollowError> {
        let mut pending = self.pending.take().unwrap_or_else(|| Pending {
            tip: self.head.clone(),
            headers: Vec::new(),
            settled: Settled::default(),
        });
        let mut certified = None;
        for found in &blocks.blocks {
            let Pending {
                tip,
                headers,
                settled,
            } = &mut pending;
            let Some(next) = NextBlock::after(&tip.state, found, threads)? else {
                continue;
            };
            let height = next.block.header.height;
            tip.state = next.executed.overlay;
            tip.bytes += found.block.0.len() as u64;
            settled.blocks += 1;
            let ids = next.block.transactions.iter();
            settled.transactions.extend(ids.map(|it| (it.id(), height)));
            headers.push(next.block.header);
            if let Some(certificate) = next.certificate {
                let known = &mut tip.certificates;
                known.retain(|(_, known)| known.epoch != certificate.epoch);
                known.push((height, certificate));
                certified = Some(pending.clone());
            } else if height - self.height() > MAX_PENDING {
                return Err(FollowError::Uncertified { height });
            }
        }
        let Some(certified) = certified else {
            self.pending = Some(pending);
            return Ok(Settled::default());
        };
        self.head = certified.tip;
        let known = certified.settled;
        pending.headers.drain(..certified.headers.len());
        self.headers.extend(certified.headers);
        if pending.settled.blocks > known.blocks {
            pending.settled.blocks -= known.blocks;
            pending
                .settled
                .transactions
                .drain(..known.transactions.len());
            self.pending = Some(pending);
        }
        Ok(known)
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
