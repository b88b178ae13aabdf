//! What one node takes in, signs and serves, whoever asks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use chartseal_codec::{Bytes, from_bytes, to_bytes};
use chartseal_consensus::Replica;
use chartseal_envelope::{
    Content, CustodianSet as EnvelopeSet, Deal, KemKeyPair, KemPublicKey, RecordInfo,
    RecordVersion, SealedRecord, SetId, SigningKeyPair, SubjectId, Suite, Threshold, deal, seal,
};
use chartseal_ledger::body::{CustodianSet, PatientEnrolled, PractitionerEnrolled, RecordAdded};
use chartseal_ledger::{
    Body, Genesis, Labels, Params, SignedTransaction, TRANSACTION_VERSION, Transaction,
};
use chartseal_node::keys::{public, sign};
use chartseal_node::{
    Clock, DepositFault, Envelope, EnvelopeFront, Node, NodeError, NodeKeys, Stores,
};
use chartseal_policy::{Confidentiality, Set, Window};
use chartseal_vault::{FileSecretStore, SecretStore, SideKey};
use chartseal_wire::{
    ActorId, Checkpoint, Hash, HeaderDigest, OrgId, PatientId, RecordId, SealedText, Time,
};

const PATIENT: PatientId = PatientId([0xa1; 16]);
const AUTHOR: ActorId = ActorId([0xb1; 16]);
const RECORD: RecordId = RecordId([0xc1; 16]);

/// Four organizations, of which the first one's node runs, with a patient and an author.
struct World {
    node: Node,
    office: SigningKeyPair,
    author: SigningKeyPair,
    custodians: Vec<KemPublicKey>,
}

impl World {
    fn new(stores: Stores) -> Self {
        let keys: Vec<NodeKeys> = (0..4).map(|_| NodeKeys::generate().unwrap()).collect();
        let offices: Vec<SigningKeyPair> = (0..4)
            .map(|_| SigningKeyPair::generate().unwrap())
            .collect();
        let organizations: Vec<_> = (1..)
            .zip(keys.iter().zip(&offices))
            .map(|(id, (keys, office))| keys.organization(OrgId([id; 16]), public(office)))
            .collect();
        let committee: Vec<OrgId> = organizations.iter().map(|org| org.id).collect();
        let clock = Clock::manual(Time(1_000_000));
        let genesis = Genesis::new(
            clock.now(),
            [9; 32],
            Params::default(),
            organizations,
            &committee,
        );
        let custodians = keys.iter().map(|one| one.kem.public_key().clone());
        let custodians = custodians.collect();
        let (own, office) = (
            keys.into_iter().next().unwrap(),
            offices.into_iter().next().unwrap(),
        );
        let node = Node::open(&genesis.unwrap(), committee[0], own, stores, clock).unwrap();
        let mut world = Self {
            node,
            office,
            author: SigningKeyPair::generate().unwrap(),
            custodians,
        };
        let patient = SigningKeyPair::generate().unwrap();
        let enrolments: [Body; 2] = [
            PatientEnrolled {
                patient: PATIENT,
                key: public(&patient),
                kem: [1; 32],
                history_salt: [2; 32],
                agreement: None,
                adult_from: Time(0),
                minor_consent_from: None,
            }
            .into(),
            PractitionerEnrolled {
                actor: AUTHOR,
                key: public(&world.author),
                kem: [3; 32],
                roles: Set::default(),
                credential: Window::default(),
                countersignature: None,
            }
            .into(),
        ];
        for (seq, body) in (1..).zip(enrolments) {
            let signed = world.signed(&world.office, seq, body);
            world.order(signed);
        }
        world
    }

    fn signed(&self, keys: &SigningKeyPair, seq: u64, body: impl Into<Body>) -> SignedTransaction {
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain: self.node.chain(),
            actor_key: public(keys),
            seq,
            expires: 100,
            body: body.into(),
        };
        transaction.sign(|message| sign(keys, message))
    }

    /// Makes a block of one transaction final.
    fn order(&mut self, transaction: SignedTransaction) {
        let time = self.node.head().head().time;
        let (block, rejected) = self.node.propose(time, &[transaction]).unwrap();
        assert!(rejected.is_empty(), "{rejected:?}");
        self.node.execute(&block).unwrap();
        self.node.commit(block.header.leaf()).unwrap();
    }

    /// A record by the author, and the deal of its key to this node.
    fn seal(&self, content: &[u8]) -> (SealedRecord, Deal) {
        let info = RecordInfo {
            suite: Suite::XWing,
            record_id: chartseal_envelope::RecordId(RECORD.0),
            subject: SubjectId(PATIENT.0),
            version: RecordVersion::FIRST,
            custodians: EnvelopeSet {
                id: SetId(self.node.state().committee().hash().0),
                epoch: 0,
                threshold: Threshold::new(3, 4).unwrap(),
            },
        };
        let content = Content {
            media_type: "text/plain",
            attributes: &[],
            bytes: content,
        };
        let sealed = seal(&info, &content, &self.author).unwrap();
        let deals = deal(&[&sealed.dealer], &self.custodians).unwrap();
        (sealed, deals.into_iter().next().unwrap())
    }

    fn anchor(&mut self, sealed: &SealedRecord) {
        let body = RecordAdded {
            record: RECORD,
            patient: PATIENT,
            version: 1,
            header: HeaderDigest(sealed.header.digest().0),
            supersedes: None,
            body: sealed.seal.body_digest().0,
            length: sealed.seal.body_len(),
            confidentiality: Confidentiality::N,
            labels: Labels::inbox(),
            encounter: None,
            authored: Time(0),
            release_at: None,
            custodians: CustodianSet {
                epoch: 0,
                t: 3,
                n: 4,
            },
            fingerprint: [4; 32],
        };
        let signed = self.signed(&self.author, 1, body);
        self.order(signed);
    }

    /// Why the record is refused; `None`: it was taken in and acknowledged.
    fn deposit(&mut self, envelope: Envelope, deal: &Deal) -> Option<DepositFault> {
        let deposited = self.node.deposit(&[envelope], deal).unwrap();
        let refused = deposited.refused.into_iter().next();
        assert_eq!(
            deposited.acknowledgements.len(),
            usize::from(refused.is_none())
        );
        refused.map(|(_, why)| why)
    }
}

fn envelope(sealed: &SealedRecord) -> Envelope {
    Envelope {
        front: EnvelopeFront {
            header: sealed.header.clone(),
            seal: sealed.seal.clone(),
        },
        body: sealed.body.clone(),
    }
}

#[test]
fn a_record_without_its_authors_seal_is_not_taken_in() {
    let mut world = World::new(Stores::in_memory().unwrap());
    let (sealed, deal) = world.seal(b"text");
    world.anchor(&sealed);
    let mut forged = envelope(&sealed);
    let mut seal = to_bytes(&forged.front.seal);
    // The signature comes last.
    *seal.last_mut().unwrap() ^= 1;
    forged.front.seal = from_bytes(&seal).unwrap();
    let refused = world.deposit(forged, &deal);
    assert!(
        matches!(refused, Some(DepositFault::Seal(_))),
        "{refused:?}"
    );
    assert_eq!(world.deposit(envelope(&sealed), &deal), None);
}

#[test]
fn a_record_that_is_not_anchored_as_it_comes_is_not_taken_in() {
    let mut world = World::new(Stores::in_memory().unwrap());
    let (sealed, deal) = world.seal(b"text");
    let refused = world.deposit(envelope(&sealed), &deal);
    assert_eq!(refused, Some(DepositFault::NotAnchored));
    world.anchor(&sealed);
    // The same author, patient and id, sealed once more: the chain knows the other one.
    let (again, deal_again) = world.seal(b"text");
    let refused = world.deposit(envelope(&again), &deal_again);
    assert_eq!(refused, Some(DepositFault::NotAnchored));
    assert_eq!(world.deposit(envelope(&sealed), &deal), None);
}

#[test]
fn a_share_that_is_not_of_the_records_deal_is_not_acknowledged() {
    let mut world = World::new(Stores::in_memory().unwrap());
    let (sealed, deal) = world.seal(b"text");
    let (_, other_deal) = world.seal(b"text");
    world.anchor(&sealed);
    let refused = world.deposit(envelope(&sealed), &other_deal);
    assert!(
        matches!(refused, Some(DepositFault::Share(_))),
        "{refused:?}"
    );
    assert_eq!(world.deposit(envelope(&sealed), &deal), None);
}

#[test]
fn a_validator_signs_no_checkpoint_but_its_own_chains() {
    let mut world = World::new(Stores::in_memory().unwrap());
    let old = world.node.checkpoint();
    let (sealed, _) = world.seal(b"text");
    world.anchor(&sealed);
    let own = world.node.checkpoint();
    assert_ne!(own, old);
    for good in [&old, &own] {
        assert!(world.node.cosign_checkpoint(good).is_ok());
        assert!(world.node.sign_checkpoint(good).is_ok());
    }
    let bad = [
        Checkpoint {
            root: Hash([7; 32]),
            ..own.clone()
        },
        Checkpoint {
            root: old.root,
            ..own.clone()
        },
        Checkpoint {
            size: own.size + 1,
            ..own.clone()
        },
        Checkpoint {
            origin: "another log".into(),
            ..own.clone()
        },
    ];
    for bad in bad {
        let cosigned = world.node.cosign_checkpoint(&bad);
        assert!(matches!(cosigned, Err(NodeError::Checkpoint)), "{bad:?}");
        let signed = world.node.sign_checkpoint(&bad);
        assert!(matches!(signed, Err(NodeError::Checkpoint)), "{bad:?}");
    }
}

#[test]
fn a_text_that_is_not_the_one_committed_to_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let text = |sealed: &[u8]| SealedText {
        salt: [5; 32],
        sealed: Bytes(sealed.to_vec()),
    };
    let (good, bad) = (text(b"the reason"), text(b"another reason"));
    // Whoever can write the node's disk puts one text in the place of another.
    let side = FileSecretStore::<SideKey>::open(dir.path().join("side")).unwrap();
    let place = SideKey(good.commitment().0);
    side.put_batch(&[(place, &to_bytes(&bad))]).unwrap();
    drop(side);
    let world = World::new(Stores::open(dir.path()).unwrap());
    let served = world.node.text(&good.commitment());
    assert!(matches!(served, Err(NodeError::Text)), "{served:?}");
    world.node.put_texts(std::slice::from_ref(&bad)).unwrap();
    assert_eq!(world.node.text(&bad.commitment()).unwrap(), Some(bad));
}

#[test]
fn a_kem_key_that_is_not_the_one_of_its_id_is_not_served() {
    let dir = tempfile::tempdir().unwrap();
    let key = || KemKeyPair::generate().unwrap().public_key().clone();
    let (good, bad) = (key(), key());
    let side = FileSecretStore::<SideKey>::open(dir.path().join("side")).unwrap();
    let place = SideKey(good.key_id().0);
    side.put_batch(&[(place, &bad.to_bytes())]).unwrap();
    drop(side);
    let world = World::new(Stores::open(dir.path()).unwrap());
    assert!(world.node.kem_key(&good.key_id().0).is_err());
    assert_eq!(world.node.kem_key(&[6; 32]).unwrap(), None);
}
