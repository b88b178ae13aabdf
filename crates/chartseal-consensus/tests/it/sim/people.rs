//! The network's genesis, and keys for everybody in it.

use chartseal_consensus::engine::Keys;
use chartseal_ledger::body::{AccessRequested, Organization};
use chartseal_ledger::{
    Body, Genesis, Params, SignedTransaction, TRANSACTION_VERSION, Transaction,
};
use chartseal_wire::history::Token;
use chartseal_wire::{ChainId, Hash, OrgId, PatientId, PublicKey, RecordId, Signature, Time};
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

/// When simulated time begins, in ms since 1970.
pub const START_MS: u64 = 1_800_000_000_000;

#[derive(Clone, Debug)]
pub struct Person(SigningKey);

impl Person {
    fn new(kind: u8, number: usize) -> Self {
        let mut seed = [kind; 32];
        seed[0] = u8::try_from(number).unwrap();
        Self(SigningKey::from_bytes(&seed))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// An access request: always an attempt that is decided and entered, whatever the answer.
    pub fn ask(&self, chain: ChainId, seq: u64, expires: u64, patient: u8) -> SignedTransaction {
        self.request(chain, seq, expires, patient, vec![RecordId([patient; 16])])
    }

    /// A request for nothing, which the ledger refuses.
    pub fn nonsense(&self, chain: ChainId, seq: u64, expires: u64) -> SignedTransaction {
        self.request(chain, seq, expires, 1, Vec::new())
    }

    fn request(
        &self,
        chain: ChainId,
        seq: u64,
        expires: u64,
        patient: u8,
        records: Vec<RecordId>,
    ) -> SignedTransaction {
        let body = AccessRequested {
            patient: PatientId([patient; 16]),
            records,
            action: Token::new("read").unwrap(),
            purpose: Token::new("TREAT").unwrap(),
            reason_code: Token::new("visit").unwrap(),
            reason: Hash([0; 32]),
            reader: [0; 32],
        };
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain,
            actor_key: self.public(),
            seq,
            expires,
            body: Body::from(body),
        };
        transaction.sign(|message| Signature(self.0.sign(message).to_bytes()))
    }
}

/// An organization's office and its custodian: two actors each that genesis knows.
pub fn actors(organizations: usize) -> Vec<Person> {
    let offices = (0..organizations).map(|number| Person::new(0xa0, number));
    let custodians = (0..organizations).map(|number| Person::new(0xb0, number));
    offices.chain(custodians).collect()
}

pub fn validator(number: usize) -> Keys {
    let mut seed = Zeroizing::new([0xc0; 32]);
    seed[0] = u8::try_from(number).unwrap();
    Keys::from_seed(&seed).unwrap()
}

pub fn genesis(validators: usize) -> Genesis {
    let id = |number: usize| OrgId([u8::try_from(number).unwrap() + 1; 16]);
    let organization = |number| Organization {
        id: id(number),
        enrolment_key: Person::new(0xa0, number).public(),
        custodian_key: Person::new(0xb0, number).public(),
        custodian_kem: [0; 32],
        validator: validator(number).public(),
    };
    let organizations = (0..validators).map(organization).collect();
    let committee: Vec<_> = (0..validators).map(id).collect();
    let params = Params::default();
    Genesis::new(Time(START_MS), [7; 32], params, organizations, &committee).unwrap()
}
