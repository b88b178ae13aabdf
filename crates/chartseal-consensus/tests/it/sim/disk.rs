//! What outlives a crash.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chartseal_consensus::{Anchor, Keeper, KeeperError, StoreKeeper};
use chartseal_ledger::{
    Block, Committee, Executed, Genesis, LedgerStore as _, MemoryStore, Overlay, execute,
};
use chartseal_wire::{Certificate, Hash, TxId};

use super::agreed::Kept;

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

    /// Takes the blocks of another disk up to its newest certificate, as a node does by others' services before its
    /// validator starts. Gives how many.
    pub fn fetch(&mut self, other: &Self) -> u64 {
        let own = self.height();
        let Some(newest) = other.1.lock().unwrap().last_entry().map(|it| *it.key()) else {
            return 0;
        };
        for height in own + 1..=newest {
            let block = Kept::block(other, height);
            let executed = execute(&self.head(), &block).unwrap();
            let certificate = other.certificate(height);
            self.commit(&block, &executed, certificate.as_ref())
                .unwrap();
        }
        newest.saturating_sub(own)
    }

    /// The certificate that came with a block.
    pub fn certificate(&self, height: u64) -> Option<Certificate> {
        self.1.lock().unwrap().get(&height).cloned()
    }

    pub fn committee_of(&self, epoch: u64) -> Committee {
        let keeper = self.0.lock().unwrap();
        keeper.head().state().committee_of(epoch).unwrap()
    }
}

impl Kept for Disk {
    fn height(&self) -> u64 {
        self.0.lock().unwrap().head().height()
    }

    fn block(&self, height: u64) -> Block {
        let keeper = self.0.lock().unwrap();
        keeper.store().block(height).unwrap().unwrap()
    }

    fn root(&self) -> Hash {
        self.0.lock().unwrap().head().map().root()
    }

    fn place(&self, id: &TxId) -> Option<u64> {
        let keeper = self.0.lock().unwrap();
        let place = keeper.store().transaction(id).unwrap();
        place.map(|place| place.height)
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

    fn anchor(&self) -> Result<Option<Anchor>, KeeperError> {
        let height = self.height();
        let certificate = self.certificate(height);
        Ok(certificate.map(|certificate| (Some(Kept::block(self, height)), certificate)))
    }
}
