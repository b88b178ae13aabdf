//! Transactions that wait for a block.
//!
//! A node pools what clients hand in and what other nodes gossip. The pool is bounded and fair: nobody's
//! flood keeps somebody else's transaction out, or late.
//!
//! - **Admission.** What breaks one of the ledger's rules for every transaction (`CS-LED-01` to `09`) at
//!   the newest *final* state is refused. So whoever fills the pool signs with an enrolled key.
//! - **Replacement.** Nobody pays, so nothing outbids: of two transactions with one key and sequence number
//!   the first stays. Once the ledger refuses it at a final state it makes room.
//! - **Room.** A key has at most [`Limits::per_actor`] waiting. When the pool is full, whoever has most in it
//!   loses their latest to a newcomer who has less.
//! - **Removal** happens when a block is *final*, never when one is proposed: proposals fail.
//! - **Turns.** A block takes one transaction of each key, then a second of each, and so on, in each
//!   key's own order; the next block goes on behind the key that came last.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use chartseal_ledger::{AdmissionError, Overlay, SignedTransaction, TRANSACTION_VERSION, propose};
use chartseal_wire::domain::TRANSACTION;
use chartseal_wire::key::BadSignature;
use chartseal_wire::{DecompressedKey, PublicKey, TxId};
use thiserror::Error;

use crate::engine::NOTICE;
use crate::refusal::is_sudden;

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most transactions of one key.
    pub per_actor: usize,
    /// The most transactions.
    pub transactions: usize,
    /// The most bytes of transactions, signatures left out.
    pub bytes: usize,
}

impl Default for Limits {
    /// 256 a key, 32,768 in all, 64 MiB.
    fn default() -> Self {
        Self {
            per_actor: 256,
            transactions: 32_768,
            bytes: 64 * 1024 * 1024,
        }
    }
}

/// Why the pool does not take a transaction. Nothing changes then.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PoolError {
    /// `CS-POOL-01`: it breaks a rule of the ledger at the newest final state.
    #[error("the ledger refuses the transaction: {0}")]
    Refused(#[from] AdmissionError),
    /// `CS-POOL-02`: it waits already.
    #[error("transaction {0} waits already")]
    Known(TxId),
    /// `CS-POOL-03`: another one came first.
    #[error("transaction {by} of the same key and sequence number waits already")]
    Occupied {
        /// Which.
        by: TxId,
    },
    /// `CS-POOL-04`: the key has enough waiting.
    #[error("{max} transactions of this key wait; send more when some are final")]
    ActorFull {
        /// The most of one key.
        max: usize,
    },
    /// `CS-POOL-05`: no room, and nobody has more waiting than this key.
    #[error("the pool is full: {transactions} transactions, {bytes} bytes")]
    Full {
        /// How many wait.
        transactions: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// `CS-POOL-06`: no validator takes it into the next block.
    #[error("the committee changes {NOTICE} blocks after the one that says so, at the earliest")]
    Sudden,
}

impl PoolError {
    /// The id of the rule; a refused transaction's own is in its source.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Refused(_) => "CS-POOL-01",
            Self::Known(_) => "CS-POOL-02",
            Self::Occupied { .. } => "CS-POOL-03",
            Self::ActorFull { .. } => "CS-POOL-04",
            Self::Full { .. } => "CS-POOL-05",
            Self::Sudden => "CS-POOL-06",
        }
    }

    /// Whether no honest node passes such a transaction on, whatever its state: its bytes or its
    /// signature are wrong.
    pub fn is_hostile(&self) -> bool {
        matches!(
            self,
            Self::Refused(
                AdmissionError::TooLarge { .. }
                    | AdmissionError::NotCanonical(_)
                    | AdmissionError::Version { .. }
                    | AdmissionError::WrongChain
                    | AdmissionError::Signature
            )
        )
    }
}

/// Transactions that wait for a block.
#[derive(Clone, Debug)]
pub struct Pool {
    limits: Limits,
    actors: BTreeMap<PublicKey, Queue>,
    ids: BTreeMap<TxId, (PublicKey, u64)>,
    /// By the last height at which they may be in a block.
    expiries: BTreeSet<(u64, PublicKey, u64)>,
    /// What a proposer refused, to be judged once a block is final.
    suspects: BTreeSet<(PublicKey, u64)>,
    /// How many keys have so many bytes waiting: who has most is found without looking at all.
    loads: BTreeSet<(usize, PublicKey)>,
    bytes: usize,
    /// The key whose turn came last.
    last: Option<PublicKey>,
}

/// What waits of one key, by sequence number.
#[derive(Clone, Debug, Default)]
struct Queue {
    waiting: BTreeMap<u64, Waiting>,
    /// What they count for together.
    load: usize,
}

#[derive(Clone, Debug)]
struct Waiting {
    transaction: SignedTransaction,
    id: TxId,
    expires: u64,
    /// Whether a client of this node handed it in: this node gossips it until it is final.
    own: bool,
    /// Whether it waited when the overdue ones were last asked for.
    seen: bool,
}

/// A transaction that a final state admits, its signature not looked at: that takes longer than all else, and nobody
/// should wait for it.
#[derive(Debug)]
pub(crate) struct Candidate {
    key: PublicKey,
    seq: u64,
    waiting: Waiting,
    /// That state's.
    height: u64,
}

/// A candidate whose signature verified.
#[derive(Debug)]
pub(crate) struct Verified(Candidate);

impl Candidate {
    /// Reads a transaction; `own`: a client handed it in here.
    ///
    /// # Errors
    /// [`PoolError::Refused`], [`PoolError::Sudden`].
    pub(crate) fn read(
        transaction: SignedTransaction,
        head: &Overlay,
        own: bool,
    ) -> Result<Self, PoolError> {
        let (key, seq, expires) = admit(&transaction, head)?;
        let waiting = Waiting {
            id: transaction.id(),
            transaction,
            expires,
            own,
            seen: false,
        };
        Ok(Self {
            key,
            seq,
            waiting,
            height: head.height(),
        })
    }

    /// # Errors
    /// [`AdmissionError::Signature`].
    pub(crate) fn verify(self, points: &Points) -> Result<Verified, PoolError> {
        let SignedTransaction { bytes, signature } = &self.waiting.transaction;
        let point = points.of(&self.key);
        let verified = point.and_then(|point| point.verify(TRANSACTION, bytes, signature));
        verified.map_err(|_| AdmissionError::Signature)?;
        Ok(Verified(self))
    }
}

/// Keys whose points were found before: to find one takes a tenth of the time of a check. Only keys that a final state knows
/// come here.
#[derive(Debug, Default)]
pub(crate) struct Points(Mutex<BTreeMap<PublicKey, DecompressedKey>>);

impl Points {
    /// How many are remembered: 1 MB.
    const MOST: usize = 4_096;

    fn of(&self, key: &PublicKey) -> Result<DecompressedKey, BadSignature> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(point) = known().get(key) {
            return Ok(point.clone());
        }
        let point = key.decompress()?;
        let mut known = known();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(*key, point.clone());
        Ok(point)
    }
}

/// What left the pool because a block is final.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// The ledger refuses these at a final state.
    pub refused: Vec<(TxId, AdmissionError)>,
    /// These are in no block up to their last height.
    pub expired: Vec<TxId>,
}

impl Pool {
    /// An empty pool.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            actors: BTreeMap::new(),
            ids: BTreeMap::new(),
            expiries: BTreeSet::new(),
            suspects: BTreeSet::new(),
            loads: BTreeSet::new(),
            bytes: 0,
            last: None,
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The bytes of those that wait, signatures left out.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether this one waits.
    pub fn contains(&self, id: &TxId) -> bool {
        self.ids.contains_key(id)
    }

    /// Of each of these whether it waits here with exactly this signature: then the signature was verified when it came.
    pub fn verified(&self, transactions: &[SignedTransaction]) -> Vec<bool> {
        let verified = transactions.iter().map(|transaction| {
            let (key, seq) = self.ids.get(&transaction.id())?;
            let waiting = self.actors.get(key)?.waiting.get(seq)?;
            Some(waiting.transaction == *transaction)
        });
        verified.map(|waits| waits == Some(true)).collect()
    }

    /// Takes a transaction that the newest final state admits; `own`: a client handed it in here.
    ///
    /// # Errors
    /// [`PoolError`].
    pub fn insert(
        &mut self,
        transaction: SignedTransaction,
        head: &Overlay,
        own: bool,
    ) -> Result<TxId, PoolError> {
        let candidate = Candidate::read(transaction, head, own)?;
        // The costly check comes after everything that refuses without it, and before anybody else's
        // transaction makes room.
        self.check(&candidate)?;
        self.take(candidate.verify(&Points::default())?, head)
    }

    /// Whether there is a place for a candidate, whatever its signature.
    ///
    /// # Errors
    /// [`PoolError`].
    pub(crate) fn check(&mut self, candidate: &Candidate) -> Result<(), PoolError> {
        let Some(mine) = self.actors.get_mut(&candidate.key) else {
            return Ok(());
        };
        if let Some(first) = mine.waiting.get_mut(&candidate.seq) {
            if first.id != candidate.waiting.id {
                return Err(PoolError::Occupied { by: first.id });
            }
            first.own |= candidate.waiting.own;
            return Err(PoolError::Known(first.id));
        }
        if mine.waiting.len() >= self.limits.per_actor {
            let max = self.limits.per_actor;
            return Err(PoolError::ActorFull { max });
        }
        Ok(())
    }

    /// Takes a candidate whose signature verified, if it still has a place at the newest final state.
    ///
    /// # Errors
    /// [`PoolError`].
    pub(crate) fn take(
        &mut self,
        Verified(candidate): Verified,
        head: &Overlay,
    ) -> Result<TxId, PoolError> {
        if candidate.height != head.height() {
            admit(&candidate.waiting.transaction, head)?;
        }
        self.check(&candidate)?;
        let Candidate {
            key, seq, waiting, ..
        } = candidate;
        self.make_room(&key, waiting.transaction.bytes.len())?;
        let id = waiting.id;
        self.add(key, seq, waiting);
        Ok(id)
    }

    /// Makes room for a transaction of so many bytes, at the cost of who has most waiting.
    fn make_room(&mut self, key: &PublicKey, size: usize) -> Result<(), PoolError> {
        loop {
            let fits = self.ids.len() < self.limits.transactions
                && self.bytes.saturating_add(size) <= self.limits.bytes;
            if fits {
                return Ok(());
            }
            let (transactions, bytes) = (self.ids.len(), self.bytes);
            let full = PoolError::Full {
                transactions,
                bytes,
            };
            let mine = self.load(key).saturating_add(size);
            let Some((load, greedy)) = self.loads.last().copied() else {
                return Err(full);
            };
            let latest = self
                .actors
                .get(&greedy)
                .and_then(|of| of.waiting.keys().next_back());
            match latest {
                Some(latest) if load > mine => {
                    let latest = *latest;
                    self.remove(&greedy, latest);
                }
                _ => return Err(full),
            }
        }
    }

    /// Candidates for a block on `parent`: at most so many, and so many bytes, key by key in turn. They
    /// stay in the pool.
    pub fn candidates(
        &mut self,
        parent: &Overlay,
        max_transactions: usize,
        max_bytes: usize,
    ) -> Vec<SignedTransaction> {
        let (state, height) = (parent.state(), parent.height().saturating_add(1));
        let behind = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let until = self.last.map_or(Bound::Unbounded, Bound::Included);
        let first = self.actors.range((behind, Bound::Unbounded));
        // Without a last key the first range has all of them.
        let second = self
            .last
            .map(|_| self.actors.range((Bound::Unbounded, until)));
        let mut queues: Vec<_> = first
            .chain(second.into_iter().flatten())
            .map(|(key, of)| {
                // What an ancestor that is not final yet has in it is not offered again.
                let used = state.key(key).map_or(u64::MAX, |known| known.seq);
                let unused = (Bound::Excluded(used), Bound::Unbounded);
                (key, of.waiting.range(unused))
            })
            .collect();
        let (mut chosen, mut bytes, mut last) = (Vec::new(), 0_usize, None);
        while !queues.is_empty() && chosen.len() < max_transactions {
            queues.retain_mut(|(key, queue)| {
                let next = queue.find(|(_, waiting)| waiting.expires >= height);
                let Some((_, waiting)) = next else {
                    return false;
                };
                let size = waiting.transaction.bytes.len();
                let fits = bytes.saturating_add(size) <= max_bytes;
                if fits && chosen.len() < max_transactions {
                    bytes = bytes.saturating_add(size);
                    chosen.push(waiting.transaction.clone());
                    last = Some(**key);
                }
                // A key's own order is kept: what comes behind one that finds no room waits too.
                fits
            });
        }
        if last.is_some() {
            self.last = last;
        }
        chosen
    }

    /// Notes what a proposer refused. It stays: the parent may be none in the end. The next final
    /// block decides.
    pub fn suspect(&mut self, refused: impl IntoIterator<Item = TxId>) {
        for id in refused {
            if let Some(place) = self.ids.get(&id) {
                self.suspects.insert(*place);
            }
        }
    }

    /// Drops what a final block settled: what is in it or can no longer be in any, what expired, and of
    /// what proposers refused what the new state refuses too.
    pub fn settle(
        &mut self,
        head: &Overlay,
        actors: impl IntoIterator<Item = PublicKey>,
    ) -> Settled {
        let mut settled = Settled::default();
        let state = head.state();
        for key in actors {
            let used = state.key(&key).map_or(0, |known| known.seq);
            let old = self
                .actors
                .get(&key)
                .into_iter()
                .flat_map(|of| of.waiting.range(..=used));
            let old: Vec<u64> = old.map(|(seq, _)| *seq).collect();
            for seq in old {
                self.remove(&key, seq);
            }
        }
        while let Some((expires, key, seq)) = self.expiries.first().copied() {
            if expires > head.height() {
                break;
            }
            settled.expired.extend(self.remove(&key, seq));
        }
        for (key, seq) in std::mem::take(&mut self.suspects) {
            let of = self.actors.get(&key);
            let waiting = of.and_then(|of| of.waiting.first_key_value());
            // A later one may rest on the one before it, which waits too.
            let Some((_, waiting)) = waiting.filter(|(first, _)| **first == seq) else {
                continue;
            };
            let alone = propose(head, head.head().time, [waiting.transaction.clone()]);
            for (id, why) in alone.rejected {
                self.remove(&key, seq);
                settled.refused.push((id, why));
            }
        }
        settled
    }

    /// What clients of this node handed in, and was here already when this was last asked: at most so many, in the
    /// order of their keys. What is new was sent just now, and is mostly final before it is overdue.
    pub fn overdue(&mut self, max: usize) -> Vec<SignedTransaction> {
        let all = self.actors.values_mut();
        let all = all.flat_map(|of| of.waiting.values_mut());
        let own = all.filter(|waiting| waiting.own);
        let overdue = own.filter_map(|waiting| {
            let is_overdue = std::mem::replace(&mut waiting.seen, true);
            is_overdue.then(|| waiting.transaction.clone())
        });
        overdue.take(max).collect()
    }

    fn load(&self, key: &PublicKey) -> usize {
        self.actors.get(key).map_or(0, |of| of.load)
    }

    fn add(&mut self, key: PublicKey, seq: u64, waiting: Waiting) {
        let queue = self.actors.entry(key).or_default();
        self.loads.remove(&(queue.load, key));
        queue.load += waiting.load();
        self.loads.insert((queue.load, key));
        self.ids.insert(waiting.id, (key, seq));
        self.expiries.insert((waiting.expires, key, seq));
        self.bytes += waiting.transaction.bytes.len();
        queue.waiting.insert(seq, waiting);
    }

    fn remove(&mut self, key: &PublicKey, seq: u64) -> Option<TxId> {
        let queue = self.actors.get_mut(key)?;
        let waiting = queue.waiting.remove(&seq)?;
        self.loads.remove(&(queue.load, *key));
        queue.load -= waiting.load();
        if queue.waiting.is_empty() {
            self.actors.remove(key);
        } else {
            self.loads.insert((queue.load, *key));
        }
        self.ids.remove(&waiting.id);
        self.expiries.remove(&(waiting.expires, *key, seq));
        self.suspects.remove(&(*key, seq));
        self.bytes -= waiting.transaction.bytes.len();
        Some(waiting.id)
    }
}

impl Waiting {
    /// What it counts for when room is made: a small one is not free.
    fn load(&self) -> usize {
        self.transaction.bytes.len() + 512
    }
}

/// The ledger's rules for every transaction, at the block after `head`; the signature is left to be
/// checked. Gives whose it is, its sequence number, and its last height.
fn admit(
    transaction: &SignedTransaction,
    head: &Overlay,
) -> Result<(PublicKey, u64, u64), PoolError> {
    let (bytes, height) = (transaction.bytes.len(), head.height().saturating_add(1));
    if bytes > chartseal_ledger::MAX_TRANSACTION_BYTES {
        return Err(AdmissionError::TooLarge { bytes }.into());
    }
    let parsed = transaction.parse().map_err(AdmissionError::NotCanonical)?;
    let state = head.state();
    if parsed.version != TRANSACTION_VERSION {
        let found = parsed.version;
        return Err(AdmissionError::Version { found }.into());
    }
    if parsed.chain != state.chain() {
        return Err(AdmissionError::WrongChain.into());
    }
    if parsed.expires < height {
        let expires = parsed.expires;
        return Err(AdmissionError::Expired { expires, height }.into());
    }
    let key = state
        .key(&parsed.actor_key)
        .ok_or(AdmissionError::UnknownKey)?;
    if key.revoked {
        return Err(AdmissionError::RevokedKey.into());
    }
    if parsed.seq <= key.seq {
        let (found, last) = (parsed.seq, key.seq);
        return Err(AdmissionError::Sequence { found, last }.into());
    }
    if is_sudden(&parsed.body, head.height()) {
        return Err(PoolError::Sudden);
    }
    Ok((parsed.actor_key, parsed.seq, parsed.expires))
}
