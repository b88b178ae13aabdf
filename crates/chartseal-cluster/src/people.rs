use std::fs;
use std::path::Path;

use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::body::AccessRequested;
use chartseal_ledger::{Body, SignedTransaction, TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};
use chartseal_wire::history::Token;
use chartseal_wire::{ChainId, Hash, PatientId, PublicKey, RecordId};

/// The enrolment key of a network's organization, by its number from 0, as `net init` left it.
pub fn office(place: &Path, number: usize) -> SigningKeyPair {
    let file = place.join("offices").join(format!("{}.key", number + 1));
    SigningKeyPair::from_secret_bytes(&fs::read(file).unwrap().try_into().unwrap())
}

/// Who signs transactions on one chain, one after the other.
#[derive(Debug)]
pub struct Author {
    keys: SigningKeyPair,
    chain: ChainId,
    seq: u64,
}

impl Author {
    /// With a key that signed nothing on this chain yet.
    pub fn new(keys: SigningKeyPair, chain: ChainId) -> Self {
        Self {
            keys,
            chain,
            seq: 0,
        }
    }

    /// The key's public half.
    pub fn key(&self) -> PublicKey {
        public(&self.keys)
    }

    /// A signature by the key.
    pub fn sign_message(&self, message: &[u8]) -> chartseal_wire::Signature {
        sign(&self.keys, message)
    }

    /// The next transaction: with a sequence number of its own.
    pub fn sign(&mut self, body: impl Into<Body>) -> SignedTransaction {
        self.seq += 1;
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain: self.chain,
            actor_key: self.key(),
            seq: self.seq,
            expires: 10_000_000,
            body: body.into(),
        };
        transaction.sign(|message| sign(&self.keys, message))
    }

    /// An attempt: the ledger takes every one.
    pub fn ask(&mut self) -> SignedTransaction {
        self.sign(AccessRequested {
            patient: PatientId([1; 16]),
            records: vec![RecordId([1; 16])],
            action: Token::new("read").unwrap(),
            purpose: Token::new("TREAT").unwrap(),
            reason_code: Token::new("visit").unwrap(),
            reason: Hash([0; 32]),
            reader: [0; 32],
        })
    }
}
