//! Keys for everybody, from a number, and what people hand in.

use std::collections::VecDeque;
use std::convert::Infallible;

use chartseal_consensus::engine::Keys;
use chartseal_envelope::rand_core::{TryCryptoRng, TryRng};
use chartseal_envelope::{KemKeyPair, SigningKeyPair, Suite};
use chartseal_ledger::{
    Body, Genesis, Params, SignedTransaction, TRANSACTION_VERSION, Transaction,
};
use chartseal_node::NodeKeys;
use chartseal_node::keys::{public, sign};
use chartseal_vault::StoreKey;
use chartseal_wire::{ActorId, ChainId, TxId};
use zeroize::Zeroizing;

use super::links;
use super::plan::Rng;
use crate::fixture::{START, org};

/// What the shared plan needs; there are no more than four here.
pub(super) const VALIDATORS: usize = 4;
/// Those who ask for records; the first of them is their author.
pub(super) const DOCTORS: usize = 3;
/// Where the patient and the first organization's office are among the people.
pub(super) const PATIENT_AT: usize = DOCTORS;
pub(super) const OFFICE_AT: usize = DOCTORS + 1;

/// A plan's numbers where the envelope wants randomness: the same again in each run.
pub(super) struct Coins<'a>(pub(super) &'a mut Rng);

impl TryRng for Coins<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::try_from(self.0.next() >> 32).unwrap())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Coins<'_> {}

/// A validator's key, the same in each world: links know validators by it.
pub(super) fn validator(number: usize) -> Keys {
    Keys::from_seed(&Zeroizing::new(links::seed(number))).unwrap()
}

/// A node's keys.
pub(super) fn node_keys(number: usize) -> NodeKeys {
    let secret = |kind: u8| {
        let mut secret = [kind; 32];
        secret[0] = u8::try_from(number).unwrap();
        secret
    };
    NodeKeys {
        custodian: SigningKeyPair::from_secret_bytes(&secret(0xb0)),
        kem: KemKeyPair::from_secret_bytes(Suite::XWing, &secret(0xb1)),
        cosigner: SigningKeyPair::from_secret_bytes(&links::seed(number)),
        log: SigningKeyPair::from_secret_bytes(&secret(0xb2)),
        store: StoreKey::from_secret_bytes(&secret(0xb3)),
    }
}

/// What four organizations start from. Permits end so long after the decision, in ms.
pub(super) fn genesis(office: &SigningKeyPair, release_window_ms: u64) -> Genesis {
    let organizations = (0..VALIDATORS).map(|at| {
        let own = SigningKeyPair::from_secret_bytes(&[0xa0 + u8::try_from(at).unwrap(); 32]);
        let enrolment = if at == 0 {
            public(office)
        } else {
            public(&own)
        };
        node_keys(at).organization(org(at), enrolment)
    });
    let members: Vec<_> = (0..VALIDATORS).map(org).collect();
    let params = Params {
        release_window_ms,
        ..Params::default()
    };
    Genesis::new(START, [3; 32], params, organizations.collect(), &members).unwrap()
}

pub(super) fn doctor(at: usize) -> ActorId {
    ActorId([0x40 + u8::try_from(at).unwrap(); 16])
}

/// Somebody with a key, and what they hand in: one transaction after the other, each until it is final.
pub(super) struct Person {
    pub(super) keys: SigningKeyPair,
    seq: u64,
    pub(super) waiting: VecDeque<SignedTransaction>,
    /// Which validator has the first one, and until when they wait for it there.
    pub(super) asked: Option<(usize, u64)>,
    /// How often it was refused.
    pub(super) refusals: u32,
}

impl Person {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self {
            keys: SigningKeyPair::generate_with_rng(&mut Coins(rng)),
            seq: 0,
            waiting: VecDeque::new(),
            asked: None,
            refusals: 0,
        }
    }

    /// Signs what is handed in next.
    pub(super) fn sends(&mut self, chain: ChainId, body: impl Into<Body>) -> TxId {
        self.seq += 1;
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain,
            actor_key: public(&self.keys),
            seq: self.seq,
            expires: 1_000_000,
            body: body.into(),
        };
        let signed = transaction.sign(|message| sign(&self.keys, message));
        let id = signed.id();
        self.waiting.push_back(signed);
        id
    }

    /// Goes on to the next one.
    pub(super) fn settled(&mut self) {
        self.waiting.pop_front();
        (self.asked, self.refusals) = (None, 0);
    }
}
