//! What outlives a crash, and the history that honest validators agree on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use chartseal_consensus::{Keeper, KeeperError, StoreKeeper};
use chartseal_ledger::{
    Block, Committee, Executed, Genesis, LedgerStore as _, MemoryStore, Overlay,
};
use chartseal_wire::{Certificate, Hash, TxId};

/// A validator's disk: a commit is on it, or it is not.
#[derive(Clone)]
pub struct Disk(
    Arc<Mutex<StoreKeeper<MemoryStore>>>,
    Arc<Mutex<BTreeMap<u64, Certificate>>>,
);

impl Disk {
    pub fn new(genesis: &Genesis) -> Self {
        let keeper = StoreKeeper::open(genesis, MemoryStore::new()).unwrap();
        Self(Arc::new(Mutex::new(keeper)), Arc::default())
    }

    /// The disk as a process that starts anew finds it: everything is read back and compared.
    pub fn reopen(&self, genesis: &Genesis) {
        let mut keeper = self.0.lock().unwrap();
        let store = keeper.store().clone();
        *keeper = StoreKeeper::open(genesis, store).unwrap();
    }

    pub fn height(&self) -> u64 {
        self.0.lock().unwrap().head().height()
    }

    pub fn block(&self, height: u64) -> Block {
        let keeper = self.0.lock().unwrap();
        keeper.store().block(height).unwrap().unwrap()
    }

    /// The certificate that came with a block.
    pub fn certificate(&self, height: u64) -> Option<Certificate> {
        self.1.lock().unwrap().get(&height).cloned()
    }

    pub fn committee_of(&self, epoch: u64) -> Committee {
        let keeper = self.0.lock().unwrap();
        keeper.head().state().committee_of(epoch).unwrap()
    }

    pub fn place(&self, id: &TxId) -> Option<u64> {
        let keeper = self.0.lock().unwrap();
        let place = keeper.store().transaction(id).unwrap();
        place.map(|place| place.height)
    }

    /// The root of the state itself, not what the header says of it.
    pub fn root(&self) -> Hash {
        self.0.lock().unwrap().head().map().root()
    }
}

impl Keeper for Disk {
    fn head(&self) -> Overlay {
        self.0.lock().unwrap().head()
    }

    fn commit(
        &mut self,
        block: &Block,
        executed: &Executed,
        certificate: Option<&Certificate>,
    ) -> Result<(), KeeperError> {
        if let Some(certificate) = certificate {
            let mut certificates = self.1.lock().unwrap();
            certificates.insert(block.header.height, certificate.clone());
        }
        self.0.lock().unwrap().commit(block, executed, certificate)
    }

    fn header(&self, height: u64) -> Result<Option<Vec<u8>>, KeeperError> {
        self.0.lock().unwrap().header(height)
    }

    fn block(&self, height: u64) -> Result<Option<Block>, KeeperError> {
        Keeper::block(&*self.0.lock().unwrap(), height)
    }
}

/// The one history, as it was first seen.
#[derive(Default)]
pub struct Agreed {
    /// Leaf and state root by height.
    blocks: Vec<(Hash, Hash)>,
    transactions: BTreeMap<TxId, u64>,
    /// Who is how far.
    seen: BTreeMap<usize, u64>,
    /// Each transaction's height that some client was told is final.
    pub acknowledged: BTreeSet<(TxId, u64)>,
}

impl Agreed {
    /// Compares what an honest validator kept since the last time with what the others kept.
    pub fn check(&mut self, validator: usize, disk: &Disk) {
        let height = disk.height();
        let from = self.seen.get(&validator).map_or(0, |seen| seen + 1);
        for height in from..=height {
            let block = disk.block(height);
            let found = (block.header.leaf(), block.header.state_root);
            let at = usize::try_from(height).unwrap();
            if let Some(agreed) = self.blocks.get(at) {
                assert_eq!(*agreed, found, "two histories at height {height}");
                continue;
            }
            assert_eq!(self.blocks.len(), at);
            self.blocks.push(found);
            for transaction in &block.transactions {
                let twice = self.transactions.insert(transaction.id(), height);
                assert_eq!(twice, None, "a transaction is applied twice");
            }
        }
        let at = usize::try_from(height).unwrap();
        assert_eq!(
            self.blocks[at].1,
            disk.root(),
            "the state is not that of its root"
        );
        self.seen.insert(validator, height);
    }

    pub fn height(&self) -> u64 {
        self.blocks.len().saturating_sub(1) as u64
    }

    pub fn transactions(&self) -> usize {
        self.transactions.len()
    }

    /// Whatever a client was told is final is there, on this disk too.
    pub fn check_acknowledged(&self, disk: &Disk) {
        for (id, height) in &self.acknowledged {
            assert_eq!(
                disk.place(id),
                Some(*height),
                "an acknowledged transaction is lost"
            );
        }
    }
}
