use std::collections::{BTreeSet, VecDeque};

use chartseal_ledger::{Block, SignedTransaction};
use chartseal_wire::{Hash, Time, TxId};

use crate::ordering::{Finalized, Ordering, OrderingError, Replica};

/// The most transactions that are offered to one proposer.
const MAX_CANDIDATES: usize = 2_048;

/// Orders in one process: first come, first served; the replicas propose in turn.
#[derive(Debug)]
pub struct Sequencer<R> {
    replicas: Vec<R>,
    pool: VecDeque<SignedTransaction>,
}

impl<R: Replica> Sequencer<R> {
    /// A sequencer of these replicas, which are all at the same block.
    pub fn new(replicas: Vec<R>) -> Self {
        Self {
            replicas,
            pool: VecDeque::new(),
        }
    }

    /// The height after a running replica's head, if the others have more.
    fn next_height(&self, at: usize, newest: u64) -> Option<u64> {
        let replica = self
            .replicas
            .get(at)
            .filter(|replica| replica.is_running())?;
        let height = replica.head().height;
        (height < newest).then_some(height + 1)
    }

    fn find_block(&self, height: u64) -> Result<Block, OrderingError<R::Error>> {
        for replica in &self.replicas {
            let org = replica.organization();
            let block = replica
                .block(height)
                .map_err(|source| OrderingError::Replica { org, source })?;
            if let Some(block) = block {
                return Ok(block);
            }
        }
        Err(OrderingError::MissingBlock(height))
    }

    /// One block of the oldest transactions in the pool.
    fn order_block(
        &mut self,
        now: Time,
        finalized: &mut Finalized,
    ) -> Result<(), OrderingError<R::Error>> {
        let running: Vec<usize> = (0..self.replicas.len())
            .filter(|at| self.replicas.get(*at).is_some_and(Replica::is_running))
            .collect();
        let quorum = self.quorum();
        let too_few = OrderingError::NoQuorum {
            running: running.len(),
            quorum,
        };
        if running.len() < quorum {
            return Err(too_few);
        }

        let candidates: Vec<_> = self.pool.iter().take(MAX_CANDIDATES).cloned().collect();
        let height = running
            .first()
            .and_then(|at| self.replicas.get(*at))
            .map_or(0, |r| r.head().height);
        let turn = usize::try_from(height).unwrap_or(0) % running.len();
        let proposer = running
            .get(turn)
            .and_then(|at| self.replicas.get(*at))
            .ok_or(too_few)?;
        let org = proposer.organization();
        let time = now.max(proposer.head().time);
        let outcome = proposer.propose(time, &candidates);
        let (block, rejected) = outcome.map_err(|source| OrderingError::Replica { org, source })?;

        if !block.transactions.is_empty() {
            let mut roots: Vec<Hash> = Vec::with_capacity(running.len());
            for replica in self
                .replicas
                .iter_mut()
                .filter(|replica| replica.is_running())
            {
                let org = replica.organization();
                let root = replica.execute(&block);
                let root = root.map_err(|source| OrderingError::Replica { org, source })?;
                roots.push(root);
                if roots.first() != Some(&root) || root != block.header.state_root {
                    return Err(OrderingError::Disagreement {
                        org,
                        height: block.header.height,
                    });
                }
            }
            let leaf = block.header.leaf();
            for replica in self
                .replicas
                .iter_mut()
                .filter(|replica| replica.is_running())
            {
                let org = replica.organization();
                replica
                    .commit(leaf)
                    .map_err(|source| OrderingError::Replica { org, source })?;
            }
            finalized.headers.push(block.header.clone());
        }
        // Those that fit neither the block nor a reason to refuse them stay for the next one.
        let settled: BTreeSet<TxId> = block
            .transactions
            .iter()
            .map(SignedTransaction::id)
            .chain(rejected.iter().map(|rejection| rejection.tx))
            .collect();
        if settled.is_empty() {
            return Err(OrderingError::Stalled { org });
        }
        self.pool
            .retain(|transaction| !settled.contains(&transaction.id()));
        finalized.rejected.extend(rejected);
        Ok(())
    }
}

impl<R: Replica> Ordering for Sequencer<R> {
    type Replica = R;

    fn replicas(&self) -> &[R] {
        &self.replicas
    }

    fn replicas_mut(&mut self) -> &mut [R] {
        &mut self.replicas
    }

    fn catch_up(&mut self) -> Result<(), OrderingError<R::Error>> {
        let newest = self
            .replicas
            .iter()
            .map(|replica| replica.head().height)
            .max()
            .unwrap_or(0);
        for at in 0..self.replicas.len() {
            while let Some(height) = self.next_height(at, newest) {
                let block = self.find_block(height)?;
                let Some(replica) = self.replicas.get_mut(at) else {
                    break;
                };
                let org = replica.organization();
                let failed = |source| OrderingError::Replica { org, source };
                let root = replica.execute(&block).map_err(failed)?;
                if root != block.header.state_root {
                    return Err(OrderingError::Disagreement { org, height });
                }
                replica.commit(block.header.leaf()).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn submit(&mut self, transaction: SignedTransaction) -> TxId {
        let id = transaction.id();
        self.pool.push_back(transaction);
        id
    }

    fn finalize(&mut self, now: Time) -> Result<Finalized, OrderingError<R::Error>> {
        let mut finalized = Finalized::default();
        while !self.pool.is_empty() {
            if let Err(error) = self.order_block(now, &mut finalized) {
                self.pool.clear();
                return Err(error);
            }
        }
        Ok(finalized)
    }
}
