//! The network's genesis, and keys for everybody in it.

use chartseal_consensus::engine::Keys;
use chartseal_ledger::body::{
    AccessRequested, CommitteeChanged, Countersignature, NextMember, Organization,
};
use chartseal_ledger::{
    Body, Genesis, Params, SignedTransaction, State, TRANSACTION_VERSION, Transaction,
};
use chartseal_wire::history::Token;
use chartseal_wire::{ChainId, Hash, OrgId, PatientId, PublicKey, RecordId, Signature, Time};
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use super::links;

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

    /// A request for many records.
    pub fn ask_for_many(
        &self,
        chain: ChainId,
        seq: u64,
        expires: u64,
        patient: u8,
    ) -> SignedTransaction {
        let records = (0..128_u16).map(|number| {
            let mut record = [patient; 16];
            record[..2].copy_from_slice(&number.to_be_bytes());
            RecordId(record)
        });
        self.request(chain, seq, expires, patient, records.collect())
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

/// Of each epoch after the first, the members: an organization, and the validator whose key it has. One joins and one
/// leaves; one rotates its key; that one is suspended, and the one that left is back.
const TERMS: [[(usize, usize); 4]; 3] = [
    [(0, 0), (1, 1), (2, 2), (4, 4)],
    [(0, 5), (1, 1), (2, 2), (4, 4)],
    [(3, 3), (1, 1), (2, 2), (4, 4)],
];

/// How many organizations and validators there are in [`next_committee`]'s epochs.
pub const ORGANIZATIONS: usize = 5;
pub const VALIDATORS: usize = 6;

/// The change to the next epoch, from a height on, as the present one's quorum decides it; `None` after the last.
pub fn next_committee(state: State<'_>, expires: u64, from: u64) -> Option<SignedTransaction> {
    let present = state.committee();
    let at = usize::try_from(present.epoch()).unwrap();
    let members = TERMS
        .get(at)?
        .iter()
        .map(|(org, validator_number)| NextMember {
            org: id(*org),
            validator: validator(*validator_number).public(),
            custodian_kem: [0; 32],
        });
    let mut body = CommitteeChanged {
        epoch: present.epoch() + 1,
        from,
        members: members.collect(),
        approvals: Vec::new(),
    };
    let message = body.to_approve(&state.chain());
    let office = |number| Person::new(0xa0, number);
    body.approvals = (0..ORGANIZATIONS)
        .filter(|number| present.index_of(&id(*number)).is_some())
        .take(usize::try_from(present.quorum()).unwrap())
        .map(|number| Countersignature {
            org: id(number),
            signature: Signature(office(number).0.sign(&message).to_bytes()),
        })
        .collect();
    // Organization 2 is a member of all of them.
    let sender = office(2);
    let transaction = Transaction {
        version: TRANSACTION_VERSION,
        chain: state.chain(),
        actor_key: sender.public(),
        seq: state.sequence(&sender.public()) + 1,
        expires,
        body: Body::from(body),
    };
    Some(transaction.sign(|message| Signature(sender.0.sign(message).to_bytes())))
}

/// The actors of one organization.
pub fn actors_of(organization: usize) -> Vec<Person> {
    vec![
        Person::new(0xa0, organization),
        Person::new(0xb0, organization),
    ]
}

/// An organization's office and its custodian: two actors each that genesis knows.
pub fn actors(organizations: usize) -> Vec<Person> {
    let offices = (0..organizations).map(|number| Person::new(0xa0, number));
    let custodians = (0..organizations).map(|number| Person::new(0xb0, number));
    offices.chain(custodians).collect()
}

pub fn validator(number: usize) -> Keys {
    Keys::from_seed(&Zeroizing::new(links::seed(number))).unwrap()
}

pub fn genesis(validators: usize) -> Genesis {
    genesis_of(validators, validators)
}

fn id(number: usize) -> OrgId {
    OrgId([u8::try_from(number).unwrap() + 1; 16])
}

/// Organizations, of which the first ones are the committee.
pub fn genesis_of(organizations: usize, members: usize) -> Genesis {
    let organization = |number| Organization {
        id: id(number),
        enrolment_key: Person::new(0xa0, number).public(),
        custodian_key: Person::new(0xb0, number).public(),
        custodian_kem: [0; 32],
        validator: validator(number).public(),
    };
    let organizations = (0..organizations).map(organization).collect();
    let committee: Vec<_> = (0..members).map(id).collect();
    let params = Params::default();
    Genesis::new(Time(START_MS), [7; 32], params, organizations, &committee).unwrap()
}
