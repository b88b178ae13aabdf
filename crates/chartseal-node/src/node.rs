use std::collections::BTreeMap;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_envelope::{KemPublicKey, ShareIndex};
use chartseal_ledger::store::{Commit, LedgerStore, Reloaded, reload};
use chartseal_ledger::{
    Block, Body, Executed, Genesis, Overlay, SignedTransaction, State, TRANSACTION_VERSION,
    Transaction,
};
use chartseal_merkle::{Hash, Log};
use chartseal_vault::SideKey;
use chartseal_wire::domain::{SIDE_TEXT, tagged_sha256};
use chartseal_wire::{
    Certificate, ChainId, HeaderDigest, OrgId, RecordId, SealedText, Subject, TxId,
};

use crate::clock::Clock;
use crate::conduct::Conduct;
use crate::custodian::share_index;
use crate::error::NodeError;
use crate::keys::{NodeKeys, public, sign};
use crate::ledger_store::RedbLedger;
use crate::metrics::{Counters, Metrics};
use crate::stores::Stores;

/// How many blocks a node's own transactions stay valid.
const EXPIRES_AFTER: u64 = 1_000;

/// One organization's server: a replica of the ledger, a custodian of key shares, a vault.
#[derive(Debug)]
pub struct Node {
    pub(crate) org: OrgId,
    pub(crate) keys: NodeKeys,
    pub(crate) clock: Clock,
    pub(crate) conduct: Conduct,
    pub(crate) head: Overlay,
    /// Executed on the head, not yet final: by header leaf.
    pub(crate) executed: BTreeMap<Hash, (Block, Executed)>,
    pub(crate) stores: Stores,
    /// The leaves of the block log, the head's included.
    pub(crate) headers: Log,
    pub(crate) counters: Counters,
    seq: u64,
}

impl Node {
    /// Starts a node on its stores: from genesis if they are empty, else from where it stopped.
    ///
    /// # Errors
    /// [`NodeError`] if the organization is no member, the stores hold another chain, or are damaged.
    pub fn open(
        genesis: &Genesis,
        org: OrgId,
        keys: NodeKeys,
        stores: Stores,
        clock: Clock,
    ) -> Result<Self, NodeError> {
        if genesis.committee().index_of(&org).is_none() {
            return Err(NodeError::NotAMember(org));
        }
        Self::follow(genesis, org, keys, stores, clock)
    }

    /// Starts the node of an organization that need not be a member yet.
    ///
    /// # Errors
    /// [`NodeError`] if the stores hold another chain, or are damaged.
    pub fn follow(
        genesis: &Genesis,
        org: OrgId,
        keys: NodeKeys,
        mut stores: Stores,
        clock: Clock,
    ) -> Result<Self, NodeError> {
        if stores.ledger.head()?.is_none() {
            stores
                .ledger
                .commit(&Commit::new(&genesis.block(), &genesis.executed()))?;
        }
        let Reloaded {
            overlay: head,
            log: headers,
        } = reload(&stores.ledger)?;
        // A chain that began with a snapshot has its first header too.
        if stores.ledger.header(0)? != Some(genesis.header().bytes()) {
            return Err(NodeError::OtherChain);
        }
        let seq = head.state().sequence(&public(&keys.custodian));
        Ok(Self {
            org,
            keys,
            clock,
            conduct: Conduct::default(),
            head,
            executed: BTreeMap::new(),
            stores,
            headers,
            counters: Counters::default(),
            seq,
        })
    }

    /// Whose node it is.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Its index, from 1, among the custodians to whom an epoch's records are dealt.
    ///
    /// # Errors
    /// [`NodeError::NotAMember`].
    pub fn index_in(&self, epoch: u64) -> Result<ShareIndex, NodeError> {
        share_index(self.state(), &self.org, epoch).ok_or(NodeError::NotAMember(self.org))
    }

    /// Its index among the custodians to whom a record was dealt; of a record that the chain does not have, among the
    /// present ones.
    ///
    /// # Errors
    /// [`NodeError::NotAMember`].
    pub fn index_for(&self, record: &RecordId) -> Result<ShareIndex, NodeError> {
        let dealt = self.state().record(record);
        let present = self.state().committee().epoch();
        self.index_in(dealt.map_or(present, |record| record.custodians.epoch))
    }

    /// Its keys.
    pub fn keys(&self) -> &NodeKeys {
        &self.keys
    }

    /// The chain.
    pub fn chain(&self) -> ChainId {
        self.head.head().chain
    }

    /// The newest final block, and everything after it.
    pub fn head(&self) -> &Overlay {
        &self.head
    }

    /// The chain as it is stored, for reading: to verify it, or to export a snapshot.
    pub fn ledger(&self) -> &RedbLedger {
        &self.stores.ledger
    }

    /// The state after the newest final block.
    pub fn state(&self) -> State<'_> {
        self.head.state()
    }

    /// How it behaves: honestly, unless a demonstration or a test says otherwise.
    pub fn conduct(&self) -> Conduct {
        self.conduct
    }

    /// What it counted since it was opened.
    pub fn metrics(&self) -> Metrics {
        self.counters.read()
    }

    /// Changes how it behaves.
    pub fn set_conduct(&mut self, conduct: Conduct) {
        self.conduct = conduct;
    }

    /// Keeps the sealed texts to which a transaction commits.
    ///
    /// # Errors
    /// [`NodeError`] if the node is stopped or its store refuses.
    pub fn put_texts(&self, tx: &TxId, texts: &[SealedText]) -> Result<(), NodeError> {
        self.check_running()?;
        let rows: Vec<(SideKey, Vec<u8>)> = texts
            .iter()
            .map(|text| (side_key(tx, &text.commitment()), to_bytes(text)))
            .collect();
        self.put_side(&rows)
    }

    /// A sealed text by its transaction and commitment; `None` if it never came, or was erased.
    ///
    /// # Errors
    /// [`NodeError`] if the node is stopped or the text is damaged.
    pub fn text(&self, tx: &TxId, commitment: &Hash) -> Result<Option<SealedText>, NodeError> {
        self.check_running()?;
        let Some(bytes) = self.stores.side.get(&side_key(tx, commitment))? else {
            return self.older_text(commitment);
        };
        let text: SealedText = from_bytes(bytes.expose()).map_err(|why| NodeError::Damaged {
            what: "a sealed text",
            why,
        })?;
        if text.commitment() != *commitment {
            return Err(NodeError::Text);
        }
        Ok(Some(text))
    }

    /// A text as the first version of the program kept it: under its commitment alone. Envelopes' fronts and
    /// KEM keys lie under such keys too, and are none.
    pub(crate) fn older_text(&self, commitment: &Hash) -> Result<Option<SealedText>, NodeError> {
        let row = self.stores.side.get(&SideKey(commitment.0))?;
        let text = row.and_then(|row| from_bytes::<SealedText>(row.expose()).ok());
        Ok(text.filter(|text| text.commitment() == *commitment))
    }

    /// Keeps somebody's KEM public key under its id, to which the chain commits.
    ///
    /// # Errors
    /// [`NodeError`] if the node is stopped or its store refuses.
    pub fn put_kem_key(&self, key: &KemPublicKey) -> Result<(), NodeError> {
        self.check_running()?;
        self.put_side(&[(SideKey(key.key_id().0), key.to_bytes())])
    }

    /// The KEM public key of this id; `None` if it never came.
    ///
    /// # Errors
    /// [`NodeError`] if the node is stopped or the key is damaged.
    pub fn kem_key(&self, id: &[u8; 32]) -> Result<Option<KemPublicKey>, NodeError> {
        self.check_running()?;
        let Some(bytes) = self.stores.side.get(&SideKey(*id))? else {
            return Ok(None);
        };
        let key = KemPublicKey::from_bytes(bytes.expose())?;
        if key.key_id().0 == *id {
            Ok(Some(key))
        } else {
            Err(NodeError::Text)
        }
    }

    /// A history's entries from index `from` on, as bytes.
    ///
    /// # Errors
    /// [`NodeError`] if the node is stopped or its store refuses.
    pub fn history(&self, subject: &Subject, from: u64) -> Result<Vec<Vec<u8>>, NodeError> {
        self.check_running()?;
        Ok(self.stores.ledger.history(subject, from, usize::MAX)?)
    }

    /// The header digests of a record's versions that were anchored, oldest first.
    ///
    /// # Errors
    /// [`NodeError`] if its store refuses or is damaged.
    pub fn versions(&self, record: &RecordId) -> Result<Vec<HeaderDigest>, NodeError> {
        let versions = self.belongings(record)?.versions.into_values();
        Ok(versions.map(|(header, _)| header).collect())
    }

    /// The size of all blocks that are kept, in bytes.
    ///
    /// # Errors
    /// [`NodeError`] if its store refuses.
    pub fn chain_bytes(&self) -> Result<u64, NodeError> {
        let mut total = 0;
        for height in self.stores.ledger.kept()?.blocks_from..=self.head.height() {
            let block = self.stores.ledger.block(height)?;
            total += block.map_or(0, |block| block.bytes().len() as u64);
        }
        Ok(total)
    }

    /// Drops the transactions of blocks below a height, and gives their room back. What this node proves
    /// it proves as before; other nodes fetch those blocks elsewhere. Gives how many blocks were pruned.
    ///
    /// # Errors
    /// [`NodeError`] above the head's height, if the node is stopped, or if its store refuses.
    pub fn prune(&mut self, below: u64) -> Result<u64, NodeError> {
        self.check_running()?;
        let pruned = self.stores.ledger.prune(below)?;
        self.stores.ledger.compact()?;
        Ok(pruned)
    }

    /// Makes a block that a quorum made final the head, durably. It is the head's child, and `executed` is
    /// what executing it on the head gave.
    pub(crate) fn keep_final(
        &mut self,
        block: &Block,
        executed: &Executed,
        certificate: Option<&Certificate>,
    ) -> Result<(), NodeError> {
        self.keep_all_final(&[(block, executed, certificate)])
    }

    /// The same of blocks that follow one another: all of them or none.
    pub(crate) fn keep_all_final(
        &mut self,
        blocks: &[(&Block, &Executed, Option<&Certificate>)],
    ) -> Result<(), NodeError> {
        self.check_running()?;
        let commits = blocks.iter();
        let commits = commits
            .map(|(block, executed, certificate)| (Commit::new(block, executed), *certificate));
        let commits: Vec<_> = commits.collect();
        self.stores.ledger.commit_all(&commits)?;
        for (block, executed, _) in blocks {
            self.headers.append(block.header.leaf());
            self.head = executed.overlay.clone();
        }
        self.executed.clear();
        Ok(())
    }

    pub(crate) fn put_side(&self, rows: &[(SideKey, Vec<u8>)]) -> Result<(), NodeError> {
        let rows: Vec<(SideKey, &[u8])> = rows
            .iter()
            .map(|(key, bytes)| (*key, bytes.as_slice()))
            .collect();
        Ok(self.stores.side.put_batch(&rows)?)
    }

    /// A transaction of this custodian.
    pub(crate) fn transaction(&mut self, body: impl Into<Body>) -> SignedTransaction {
        // Blocks that it caught up with may have transactions of its own, of before it lost its disk.
        let last = self.state().sequence(&public(&self.keys.custodian));
        self.seq = self.seq.max(last) + 1;
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain: self.chain(),
            actor_key: public(&self.keys.custodian),
            seq: self.seq,
            expires: self.head.height().saturating_add(EXPIRES_AFTER),
            body: body.into(),
        };
        transaction.sign(|message| sign(&self.keys.custodian, message))
    }

    pub(crate) fn check_running(&self) -> Result<(), NodeError> {
        if self.conduct == Conduct::Stopped {
            Err(NodeError::Stopped(self.org))
        } else {
            Ok(())
        }
    }
}

/// Where the side store keeps the text to which a transaction commits. By the commitment alone, whoever
/// repeats that of another's text could have it destroyed by the erasure of a record of their own.
pub(crate) fn side_key(tx: &TxId, commitment: &Hash) -> SideKey {
    SideKey(tagged_sha256(SIDE_TEXT, &[tx.0, commitment.0].concat()))
}
