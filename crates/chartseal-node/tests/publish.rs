//! The block log as static files: published by a node, followed by a witness.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::path::Path;

use chartseal_ledger::store::{Commit, LedgerStore};
use chartseal_ledger::{Genesis, MemoryStore, Params, propose};
use chartseal_node::{NodeKeys, PublishError, keys, publish};
use chartseal_tiles::{Directory, TileError, TileLog, Witness};
use chartseal_wire::block::header_leaf;
use chartseal_wire::checkpoint::origin;
use chartseal_wire::{Checkpoint, OrgId, PublicKey, SignedNote, Time};

const NOW: u64 = 1_800_000_000;

struct Log {
    keys: NodeKeys,
    genesis: Genesis,
    org: OrgId,
}

impl Log {
    fn new() -> Self {
        let keys = NodeKeys::generate().unwrap();
        let org = keys.organization(OrgId([1; 16]), PublicKey([7; 32]));
        let id = org.id;
        let salt = [9; 32];
        let genesis = Genesis::new(Time(1_000), salt, Params::default(), vec![org], &[id]);
        let genesis = genesis.unwrap();
        Self {
            keys,
            genesis,
            org: id,
        }
    }

    /// A chain of empty blocks, `step` ms apart.
    fn chain(&self, blocks: u64, step: u64) -> MemoryStore {
        let mut ledger = MemoryStore::new();
        let mut executed = self.genesis.executed();
        let block = self.genesis.block();
        ledger.commit(&Commit::new(&block, &executed)).unwrap();
        for at in 1..blocks {
            let next = propose(&executed.overlay, Time(1_000 + at * step), []);
            let commit = Commit::new(&next.block, &next.executed);
            ledger.commit(&commit).unwrap();
            executed = next.executed;
        }
        ledger
    }

    fn origin(&self) -> String {
        origin(&self.genesis.header().chain)
    }

    fn publish(
        &self,
        ledger: &MemoryStore,
        to: &Path,
    ) -> Result<Checkpoint, PublishError<<MemoryStore as LedgerStore>::Error>> {
        let key = self.keys.log_vkey(&self.origin()).unwrap();
        publish(ledger, &self.origin(), Directory::new(to), |checkpoint| {
            let text = checkpoint.to_string();
            let line = key.line(&text, 0, |bytes| keys::sign(&self.keys.log, bytes));
            SignedNote {
                text,
                signatures: vec![line],
            }
        })
    }
}

#[test]
fn a_chain_is_published_block_by_block_and_followed_by_a_witness() {
    let (log, dir) = (Log::new(), tempfile::tempdir().unwrap());
    let files = dir.path().join("log");
    let witness = log.keys.cosigner_vkey(&log.org).unwrap();
    let sign = |bytes: &[u8]| keys::sign(&log.keys.cosigner, bytes);
    let mut witness = Witness::open(witness, dir.path().join("witness"), sign).unwrap();
    witness.trust(log.keys.log_vkey(&log.origin()).unwrap());
    for blocks in [1, 2, 2, 30, 300] {
        let ledger = log.chain(blocks, 1);
        let checkpoint = log.publish(&ledger, &files).unwrap();
        assert_eq!(checkpoint.size, blocks);
        let cosigned = witness.follow(&Directory::new(&files), NOW).unwrap();
        assert_eq!(cosigned.size, blocks);
        // What a monitor reads are the headers of the chain.
        let mut tiles = TileLog::open(Directory::new(&files), checkpoint).unwrap();
        let entries = tiles.entries(blocks - 1).unwrap();
        let leaf = chartseal_merkle::leaf_hash(&entries[0]);
        let header = ledger.header(blocks - 1).unwrap().unwrap();
        assert_eq!(leaf, header_leaf(&header));
        assert!(entries[0].ends_with(&header));
    }
}

#[test]
fn a_node_publishes_no_fork_and_nothing_from_an_old_copy() {
    let (log, dir) = (Log::new(), tempfile::tempdir().unwrap());
    log.publish(&log.chain(20, 1), dir.path()).unwrap();
    let checkpoint = std::fs::read(dir.path().join("checkpoint")).unwrap();
    let behind = log.publish(&log.chain(19, 1), dir.path());
    assert!(matches!(
        behind,
        Err(PublishError::Behind {
            published: 20,
            here: 19
        })
    ));
    for blocks in [20, 21, 400] {
        let forked = log.publish(&log.chain(blocks, 2), dir.path());
        assert!(matches!(forked, Err(PublishError::Forked(20))));
    }
    let other = Log::new();
    let foreign = other.publish(&other.chain(30, 1), dir.path());
    assert!(matches!(
        foreign,
        Err(PublishError::Tiles(TileError::Origin { .. }))
    ));
    assert_eq!(
        std::fs::read(dir.path().join("checkpoint")).unwrap(),
        checkpoint
    );
    assert_eq!(log.publish(&log.chain(21, 1), dir.path()).unwrap().size, 21);
}
