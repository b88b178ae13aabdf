//! What an app holds of a chain between its runs. Nobody's word is taken for it when it is read again, the file's neither: a
//! followed chain is certified from the genesis' committee on, and values are proved under a header that it certified, or a
//! committee to which it handed over.

use std::collections::BTreeMap;

use chartseal_api::StateProof;
use chartseal_audit::verify_certificate;
use chartseal_codec::{
    Bytes, DecodeError, MAX_LIST, canonical_enum, canonical_struct, from_bytes, to_bytes,
};
use chartseal_ledger::store::{
    Import, Imported, LedgerStore as _, MemoryStore, Refused, SnapshotError, export_snapshot,
};
use chartseal_ledger::{Block, Commit, Genesis, Overlay, State};
use chartseal_merkle::{Frontier, MapChanges, MapKey};
use chartseal_wire::{BlockHeader, Certificate, ChainId, Committee, Entry, OrgId, Subject};
use thiserror::Error;

use crate::light::{Light, LightError};
use crate::partial::ProvedValues;

/// The version of [`Held`]'s format.
pub const HELD_VERSION: u64 = 1;
/// The most bytes of it that are read.
pub const MAX_HELD: usize = 1 << 30;

/// The entries of histories, as the state has them.
pub type Histories = BTreeMap<Subject, Vec<Vec<u8>>>;

/// What an app knows of a chain, for its next run: read without any node, and gone on from when nodes are there.
///
/// Whoever reads the bytes learns what the app looks at, and its own histories: they belong beside the person's other files,
/// under the same protection. Nothing in them opens a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    version: u64,
    chain: ChainId,
    /// Under which keys nodes issue checkpoints, as they said. Nothing rests on it.
    pub log_keys: Vec<(OrgId, String)>,
    /// What is known.
    pub state: HeldState,
}

canonical_struct!(Held {
    version,
    chain,
    log_keys,
    state
});

/// What is known of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldState {
    /// All of it, by who follows the chain: [`Follower::held`](crate::Follower::held).
    Followed(HeldChain),
    /// Some values, by who asks for them.
    Asked(HeldValues),
}

canonical_enum!(HeldState { 1 => Followed(_), 2 => Asked(_) });

/// The state after a certified block, with the headers up to it, histories, and what vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldChain {
    head: BlockHeader,
    /// Of all blocks, as they were counted. Nothing rests on it.
    bytes: u64,
    /// By height: of each epoch's last block, and of the head.
    certificates: Vec<(u64, Certificate)>,
    /// A snapshot of the ledger, as `chartseal_ledger::store` has it.
    snapshot: Vec<Bytes>,
}

canonical_struct!(HeldChain {
    head,
    bytes,
    certificates,
    snapshot
});

/// Values of the state after one block, with what proves them, and histories that are as it has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldValues {
    /// For what was asked.
    pub keys: Vec<MapKey>,
    proof: StateProof,
    histories: Vec<HeldHistory>,
}

canonical_struct!(HeldValues {
    keys,
    proof,
    histories
});

#[derive(Clone, Debug, PartialEq, Eq)]
struct HeldHistory {
    subject: Subject,
    entries: Vec<Bytes>,
}

canonical_struct!(HeldHistory { subject, entries });

/// Why what was held is not gone on with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HeldError {
    /// `CS-HLD-01`: more than [`MAX_HELD`] bytes.
    #[error("it has {0} bytes, more than 1 GiB")]
    TooLarge(usize),
    /// `CS-HLD-02`: damaged, or something else.
    #[error("it is not what an app holds, or damaged: {0}")]
    Format(DecodeError),
    /// `CS-HLD-03`: another version.
    #[error("it has version {0}; this program reads version 1")]
    Version(u64),
    /// `CS-HLD-04`: another chain than the genesis'.
    #[error("it is of chain {found}, and the genesis is of {expected}")]
    OtherChain {
        /// The genesis'.
        expected: ChainId,
        /// The one that it is of.
        found: ChainId,
    },
    /// `CS-HLD-05`: headers, state or histories that are not those of the head.
    #[error("it is not of block {height}, of which it says to be: {why}")]
    Snapshot {
        /// The head's height.
        height: u64,
        /// Which part.
        why: SnapshotError,
    },
    /// `CS-HLD-06`: no certificate.
    #[error("nobody vouches for block {height}: its certificate is missing")]
    Uncertified {
        /// Whose certificate is missing.
        height: u64,
    },
    /// `CS-HLD-07`: a certificate that is none of the block's committee.
    #[error("the certificate of block {height} does not vouch for it: {why}")]
    Certificate {
        /// Of which block.
        height: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// `CS-HLD-08`: a committee that the epoch before did not name.
    #[error("it has another committee for epoch {epoch} than the certified header names")]
    Committee {
        /// The epoch.
        epoch: u64,
    },
    /// `CS-HLD-09`: values that are not proved.
    #[error("its values are not proved: {0}")]
    Values(#[from] LightError),
    /// `CS-HLD-10`: a history that is not as the values have it.
    #[error("the history of {0:?} is not the one that its values name")]
    History(Box<Subject>),
    /// The chain can't be kept: its blocks are not one after the other.
    #[error("the chain can't be held: {0}")]
    Store(#[from] Refused),
}

impl HeldError {
    /// The id of the rule that was broken.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "CS-HLD-01",
            Self::Format(_) => "CS-HLD-02",
            Self::Version(_) => "CS-HLD-03",
            Self::OtherChain { .. } => "CS-HLD-04",
            Self::Snapshot { .. } => "CS-HLD-05",
            Self::Uncertified { .. } => "CS-HLD-06",
            Self::Certificate { .. } => "CS-HLD-07",
            Self::Committee { .. } => "CS-HLD-08",
            Self::Values(_) => "CS-HLD-09",
            Self::History(_) => "CS-HLD-10",
            Self::Store(refused) => refused.rule(),
        }
    }
}

impl Held {
    /// What is known of a chain.
    pub fn new(chain: ChainId, log_keys: Vec<(OrgId, String)>, state: HeldState) -> Self {
        Self {
            version: HELD_VERSION,
            chain,
            log_keys,
            state,
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Reads what was held of a chain. Nothing in it is believed before [`Follower::from_held`](crate::Follower::from_held)
    /// or [`HeldValues::judged`] has judged it.
    ///
    /// # Errors
    /// [`HeldError`].
    pub fn read(bytes: &[u8], chain: &ChainId) -> Result<Self, HeldError> {
        if bytes.len() > MAX_HELD {
            return Err(HeldError::TooLarge(bytes.len()));
        }
        let held: Self = from_bytes(bytes).map_err(HeldError::Format)?;
        if held.version != HELD_VERSION {
            return Err(HeldError::Version(held.version));
        }
        if held.chain != *chain {
            return Err(HeldError::OtherChain {
                expected: *chain,
                found: held.chain,
            });
        }
        Ok(held)
    }
}

/// A followed chain as it is read again.
pub(crate) struct Judged {
    pub(crate) state: Overlay,
    pub(crate) bytes: u64,
    pub(crate) headers: Vec<BlockHeader>,
    pub(crate) certificates: Vec<(u64, Certificate)>,
    pub(crate) histories: Histories,
}

impl HeldChain {
    /// A certified state, with all headers up to it, and what vouches for it.
    pub(crate) fn new(
        state: &Overlay,
        bytes: u64,
        headers: &[BlockHeader],
        certificates: &[(u64, Certificate)],
        histories: &Histories,
    ) -> Result<Self, HeldError> {
        let values = state.map().iter();
        let values = values.map(|(key, value)| (*key, Some(value.into())));
        let values: MapChanges = values.collect();
        // One that was read before it grew is not the state's any more.
        let histories = histories
            .iter()
            .filter(|(subject, entries)| state.state().frontier(subject) == frontier(entries));
        let entries = histories.flat_map(|(subject, entries)| {
            let entries = (0..).zip(entries);
            entries.map(|(index, entry)| (*subject, index, entry.clone()))
        });
        let entries: Vec<(Subject, u64, Vec<u8>)> = entries.collect();
        let (no_values, no_entries) = (MapChanges::new(), Vec::new());
        // A ledger without transactions, of which a snapshot is taken.
        let mut store = MemoryStore::new();
        for header in headers {
            let block = Block {
                header: header.clone(),
                transactions: Vec::new(),
            };
            let (changes, entries) = if header.height == state.height() {
                (&values, &entries)
            } else {
                (&no_values, &no_entries)
            };
            store.commit(&Commit {
                block: &block,
                changes,
                entries,
                receipts: &[],
            })?;
        }
        let mut snapshot = Vec::new();
        export_snapshot(&store, |chunk| {
            snapshot.push(Bytes(chunk.to_vec()));
            Ok::<(), Refused>(())
        })?;
        let held = Self {
            head: state.head().clone(),
            bytes,
            certificates: certificates.to_vec(),
            snapshot,
        };
        Ok(held)
    }

    /// Compares the whole with what the committees of a chain certified, from its genesis' on.
    pub(crate) fn judged(&self, genesis: &Genesis) -> Result<Judged, HeldError> {
        let height = self.head.height;
        let wrong = |why| HeldError::Snapshot { height, why };
        let mut import = Import::new(self.head.clone());
        for chunk in &self.snapshot {
            import.chunk(&chunk.0).map_err(wrong)?;
        }
        let Imported {
            reloaded,
            headers,
            histories,
            ..
        } = import.finish_partial().map_err(wrong)?;
        let state = reloaded.overlay;
        self.check(&headers, state.state(), genesis)?;
        Ok(Judged {
            state,
            bytes: self.bytes,
            headers,
            certificates: self.certificates.clone(),
            histories,
        })
    }

    /// Whether each epoch's last block is certified by its committee, the genesis' the first, and so is the head.
    fn check(
        &self,
        headers: &[BlockHeader],
        state: State<'_>,
        genesis: &Genesis,
    ) -> Result<(), HeldError> {
        if headers.first() != Some(&genesis.header()) {
            return Err(HeldError::OtherChain {
                expected: genesis.chain_id(),
                found: self.head.chain,
            });
        }
        let mut committee = genesis.committee().clone();
        for pair in headers.windows(2) {
            let [last, next] = pair else {
                continue;
            };
            let epoch = next.epoch;
            if epoch == last.epoch {
                continue;
            }
            self.check_block(last, &committee)?;
            let named = state.committee_of(epoch);
            committee = named
                .filter(|named| named.hash() == last.next_committee)
                .ok_or(HeldError::Committee { epoch })?;
        }
        self.check_block(&self.head, &committee)
    }

    fn check_block(&self, header: &BlockHeader, committee: &Committee) -> Result<(), HeldError> {
        let height = header.height;
        // The genesis is known, and nobody certifies it.
        if height == 0 {
            return Ok(());
        }
        let found = self.certificates.iter().find(|(at, _)| *at == height);
        let (_, certificate) = found.ok_or(HeldError::Uncertified { height })?;
        verify_certificate(certificate, header, committee)
            .map_err(|why| HeldError::Certificate { height, why })
    }
}

impl HeldValues {
    /// A node's answer to a question for these keys.
    pub fn new(keys: Vec<MapKey>, proof: StateProof) -> Self {
        Self {
            keys,
            proof,
            histories: Vec::new(),
        }
    }

    /// With those of these histories that are as its values have them: one that was read before it grew is not.
    #[must_use]
    pub fn with(mut self, histories: &Histories, proved: &ProvedValues) -> Self {
        let short = histories.iter().filter(|(subject, entries)| {
            is_of(proved, subject, &frontier(entries)) && entries.len() <= MAX_LIST
        });
        let held = short.map(|(subject, entries)| HeldHistory {
            subject: *subject,
            entries: entries.iter().cloned().map(Bytes).collect(),
        });
        self.histories = held.take(MAX_LIST).collect();
        self
    }

    /// What is proved by it, as `light` judges a node's answer.
    ///
    /// # Errors
    /// [`LightError`]; then nothing is known.
    pub fn values(&self, light: &mut Light) -> Result<ProvedValues, LightError> {
        light.judge_values(&self.keys, self.proof.clone())
    }

    /// The same, and the histories, each compared with the state's own frontier of it.
    ///
    /// # Errors
    /// [`HeldError`]; then nothing is known.
    pub fn judged(&self, light: &mut Light) -> Result<(ProvedValues, Histories), HeldError> {
        let proved = self.values(light)?;
        let mut histories = Histories::new();
        for held in &self.histories {
            let entries = held.entries.iter().map(|entry| entry.0.clone());
            let entries: Vec<Vec<u8>> = entries.collect();
            if !is_of(&proved, &held.subject, &frontier(&entries)) {
                return Err(HeldError::History(Box::new(held.subject)));
            }
            histories.insert(held.subject, entries);
        }
        Ok((proved, histories))
    }
}

/// Whether the state has this of a history.
fn is_of(proved: &ProvedValues, subject: &Subject, frontier: &Frontier) -> bool {
    let found = proved.values.get(&subject.slot());
    found.is_some_and(|found| found.as_deref() == Some(to_bytes(frontier).as_slice()))
}

fn frontier(entries: &[Vec<u8>]) -> Frontier {
    let mut log = Frontier::new();
    Entry::append(&mut log, entries);
    log
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follower::Follower;
    use chartseal_api::{Blocks, FinalBlock};
    use chartseal_ledger::body::Organization;
    use chartseal_ledger::{Params, propose};
    use chartseal_wire::{PublicKey, Signature, Time};
    use core::num::NonZeroUsize;
    use ed25519_dalek::{Signer as _, SigningKey};

    const ORG: OrgId = OrgId([1; 16]);

    fn validator() -> SigningKey {
        SigningKey::from_bytes(&[4; 32])
    }

    fn genesis(time: u64) -> Genesis {
        let key = |seed| SigningKey::from_bytes(&[seed; 32]);
        let public = |key: SigningKey| PublicKey(key.verifying_key().to_bytes());
        let hospital = Organization {
            id: ORG,
            enrolment_key: public(key(1)),
            custodian_key: public(key(2)),
            custodian_kem: [3; 32],
            validator: public(validator()),
        };
        let params = Params::default();
        Genesis::new(Time(time), [7; 32], params, vec![hospital], &[ORG]).unwrap()
    }

    fn certificate(header: &BlockHeader) -> Certificate {
        let of = |signature| {
            let views = (header.epoch, header.height, header.height - 1);
            Certificate::new(views, header.leaf(), 1, &[(0, Signature(signature))]).unwrap()
        };
        let message = of([0; 64]).message(&header.chain);
        of(validator().sign(&message).to_bytes())
    }

    /// A chain of so many blocks after the genesis; those of these heights come with a certificate.
    fn blocks(genesis: &Genesis, count: u64, certified: &[u64]) -> Blocks {
        let mut state = genesis.overlay();
        let blocks = (1..=count).map(|height| {
            let next = propose(&state, Time(2_000 + height), []);
            state = next.executed.overlay;
            let is_certified = certified.contains(&height);
            let certificate = is_certified.then(|| certificate(&next.block.header).bytes());
            FinalBlock {
                block: Bytes(next.block.bytes()),
                certificate: certificate.map(Bytes),
            }
        });
        Blocks {
            blocks: blocks.collect(),
        }
    }

    fn followed(genesis: &Genesis) -> Follower {
        let mut follower = Follower::new(genesis);
        let blocks = blocks(genesis, 5, &[2, 4]);
        follower.take(&blocks, NonZeroUsize::MIN).unwrap();
        follower
    }

    fn chain_of(follower: &Follower) -> HeldChain {
        follower.held(&Histories::new()).unwrap()
    }

    fn held(genesis: &Genesis, chain: HeldChain) -> Vec<u8> {
        Held::new(genesis.chain_id(), vec![], HeldState::Followed(chain)).bytes()
    }

    fn read(genesis: &Genesis, bytes: &[u8]) -> Result<Follower, HeldError> {
        match Held::read(bytes, &genesis.chain_id())?.state {
            HeldState::Followed(chain) => Ok(Follower::from_held(genesis, &chain)?.0),
            HeldState::Asked(_) => panic!("it is followed"),
        }
    }

    #[test]
    fn a_followed_chain_goes_on_from_what_was_held_and_not_from_its_beginning() {
        let genesis = genesis(1_000);
        let follower = followed(&genesis);
        assert_eq!((follower.height(), follower.next()), (4, 6));
        let mut again = read(&genesis, &held(&genesis, chain_of(&follower))).unwrap();
        // What nobody certified is not held.
        assert_eq!((again.height(), again.next()), (4, 5));
        assert_eq!(again.head().head(), follower.head().head());
        assert_eq!(again.head().log(), follower.head().log());
        assert_eq!(again.chain_bytes(), follower.chain_bytes());
        let mut later = blocks(&genesis, 7, &[7]);
        later.blocks.drain(..4);
        let settled = again.take(&later, NonZeroUsize::MIN).unwrap();
        assert_eq!((settled.blocks, again.height()), (3, 7));
        // And so does what is held of that.
        let third = read(&genesis, &held(&genesis, chain_of(&again))).unwrap();
        assert_eq!(third.height(), 7);
        // Before the first certificate it is the genesis.
        let begun = Follower::new(&genesis);
        let again = read(&genesis, &held(&genesis, chain_of(&begun))).unwrap();
        assert_eq!(again.height(), 0);
    }

    #[test]
    fn no_flipped_byte_of_what_was_held_is_believed() {
        let genesis = genesis(1_000);
        let follower = followed(&genesis);
        let bytes = held(&genesis, chain_of(&follower));
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            // The number of the chain's bytes says nothing of what is in it.
            if let Ok(read) = read(&genesis, &other) {
                assert_eq!(read.head().head(), follower.head().head(), "byte {at}");
                assert_ne!(read.chain_bytes(), follower.chain_bytes(), "byte {at}");
            }
        }
        for len in 0..bytes.len() {
            assert!(read(&genesis, &bytes[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn every_rule_is_triggered_alone() {
        let genesis = genesis(1_000);
        let follower = followed(&genesis);
        let whole = || chain_of(&follower);
        let refused = |read: Result<Follower, HeldError>| read.unwrap_err().rule();
        let large = vec![0; MAX_HELD + 1];
        assert_eq!(refused(read(&genesis, &large)), "CS-HLD-01");
        assert_eq!(refused(read(&genesis, b"something else")), "CS-HLD-02");
        let mut later = Held::new(genesis.chain_id(), vec![], HeldState::Followed(whole()));
        later.version = 2;
        assert_eq!(refused(read(&genesis, &later.bytes())), "CS-HLD-03");
        let other = self::genesis(1_001);
        let bytes = held(&genesis, whole());
        assert_eq!(refused(read(&other, &bytes)), "CS-HLD-04");
        // Also if it says that it is of this one.
        let bytes = held(&other, whole());
        assert_eq!(refused(read(&other, &bytes)), "CS-HLD-04");
        let mut chain = whole();
        chain.snapshot.pop();
        assert_eq!(refused(read(&genesis, &held(&genesis, chain))), "CS-HLD-05");
        let mut chain = whole();
        chain.certificates.clear();
        assert_eq!(refused(read(&genesis, &held(&genesis, chain))), "CS-HLD-06");
        let mut chain = whole();
        let (at, _) = chain.certificates[0];
        let stranger = Follower::new(&genesis);
        let of_another = certificate(&BlockHeader {
            height: 9,
            ..stranger.head().head().clone()
        });
        chain.certificates = vec![(at, of_another)];
        assert_eq!(refused(read(&genesis, &held(&genesis, chain))), "CS-HLD-07");

        // A chain whose next committee is in no state.
        let last = BlockHeader {
            height: 1,
            ..genesis.header()
        };
        let head = BlockHeader {
            height: 2,
            epoch: 1,
            ..genesis.header()
        };
        let chain = HeldChain {
            certificates: vec![(1, certificate(&last))],
            head: head.clone(),
            ..whole()
        };
        let headers = [genesis.header(), last, head];
        let found = chain.check(&headers, follower.head().state(), &genesis);
        assert_eq!(found.unwrap_err().rule(), "CS-HLD-08");
    }
}
