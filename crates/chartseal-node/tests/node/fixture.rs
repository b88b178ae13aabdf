//! Four nodes, an author and a patient, without the facade: every byte can be made wrong.

use std::collections::BTreeMap;

use chartseal_consensus::{Ordering, Sequencer};
use chartseal_envelope::rand_core::CryptoRng;
use chartseal_envelope::{
    Content, CustodianSet as EnvelopeSet, Deal, Dealer, Header, KemKeyPair, KemPublicKey,
    RecordInfo, RecordVersion, Release, SetId, SigningKeyPair, SubjectId, Suite, SystemRng,
    Threshold, deal, seal_with_rng,
};
use chartseal_ledger::body::{
    AccessRequested, CustodianSet, DirectiveIssued, Erased, PatientEnrolled, PractitionerEnrolled,
    RecordAdded,
};
use chartseal_ledger::{
    AdmissionError, Body, Genesis, Label, Labels, Params, SignedTransaction, TRANSACTION_VERSION,
    Transaction,
};
use chartseal_node::keys::{public, sign};
use chartseal_node::{Clock, Envelope, EnvelopeFront, Node, NodeError, NodeKeys, Stores};
use chartseal_policy::{Confidentiality, Grant, Grantee, Purpose, Set, Symbol, Terms};
use chartseal_vault::StoreKey;
use chartseal_wire::history::Token;
use chartseal_wire::{
    ActorId, Committee, Entry, Event, Hash, HeaderDigest, OrgId, PatientId, RecordId, Time, TxId,
};

pub(crate) const START: Time = Time(1_772_442_000_000);
pub(crate) const PATIENT: PatientId = PatientId([0x50; 16]);
pub(crate) const AUTHOR: ActorId = ActorId([0x41; 16]);
/// What every record says.
pub(crate) const TEXT: &[u8] = b"HbA1c 6.1 %";

pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    pub(crate) sequencer: Sequencer<Node>,
    pub(crate) clock: Clock,
    pub(crate) author: SigningKeyPair,
    pub(crate) patient: SigningKeyPair,
    sequences: BTreeMap<[u8; 32], u64>,
}

/// A sealed record, with the secrets that deal it.
pub(crate) struct Sealed {
    pub(crate) envelope: Envelope,
    pub(crate) dealer: Dealer,
    pub(crate) anchor: RecordAdded,
}

/// Under which tests keep shares: directories are opened before their nodes' keys are made.
pub(crate) fn store_key() -> StoreKey {
    StoreKey::from_secret_bytes(&[9; 32])
}

pub(crate) fn org(at: usize) -> OrgId {
    OrgId([u8::try_from(at).unwrap() + 1; 16])
}

/// What four organizations start from, with their nodes' keys and the first one's office.
pub(crate) fn found() -> (Genesis, Vec<NodeKeys>, SigningKeyPair) {
    let (genesis, keys, mut offices) = found_by(4, Params::default());
    (genesis, keys, offices.swap_remove(0))
}

/// What so many organizations start from, with their nodes' keys and their offices.
pub(crate) fn found_by(
    organizations: usize,
    params: Params,
) -> (Genesis, Vec<NodeKeys>, Vec<SigningKeyPair>) {
    let numbers = 0..organizations;
    let keys: Vec<NodeKeys> = numbers
        .clone()
        .map(|_| NodeKeys::generate().unwrap())
        .collect();
    let offices: Vec<SigningKeyPair> = numbers
        .map(|_| SigningKeyPair::generate().unwrap())
        .collect();
    let organizations = keys.iter().zip(&offices).enumerate();
    let organizations =
        organizations.map(|(at, (keys, office))| keys.organization(org(at), public(office)));
    let organizations: Vec<_> = organizations.collect();
    let ids: Vec<OrgId> = organizations.iter().map(|org| org.id).collect();
    let genesis = Genesis::new(START, [3; 32], params, organizations, &ids);
    (genesis.unwrap(), keys, offices)
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self::with(|_| Stores::in_memory().unwrap())
    }

    /// An enrolled author and patient, and the doctor who may read everything is the author.
    pub(crate) fn with(mut stores: impl FnMut(usize) -> Stores) -> Self {
        let (genesis, keys, office) = found();
        let clock = Clock::manual(START);
        let nodes = keys.into_iter().enumerate().map(|(at, keys)| {
            Node::open(&genesis, org(at), keys, stores(at), clock.clone()).unwrap()
        });
        let sequencer = Sequencer::new(nodes.collect());
        let mut chain = Self {
            genesis,
            sequencer,
            clock,
            author: SigningKeyPair::generate().unwrap(),
            patient: SigningKeyPair::generate().unwrap(),
            sequences: BTreeMap::new(),
        };
        let author = physician(AUTHOR, &chain.author);
        let patient = patient(&chain.genesis, &chain.patient);
        let author = chain.signed(&office, author);
        let patient = chain.signed(&office, patient);
        chain.order(vec![author, patient]);
        chain
    }

    pub(crate) fn nodes(&mut self) -> &mut [Node] {
        self.sequencer.replicas_mut()
    }

    pub(crate) fn node(&self, at: usize) -> &Node {
        &self.sequencer.replicas()[at]
    }

    pub(crate) fn signed(
        &mut self,
        by: &SigningKeyPair,
        body: impl Into<Body>,
    ) -> SignedTransaction {
        let seq = self.sequences.entry(public(by).0).or_default();
        *seq += 1;
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain: self.genesis.chain_id(),
            actor_key: public(by),
            seq: *seq,
            expires: 1_000_000,
            body: body.into(),
        };
        transaction.sign(|message| sign(by, message))
    }

    pub(crate) fn order(&mut self, transactions: Vec<SignedTransaction>) {
        assert_eq!(self.try_order(transactions), []);
    }

    /// What was not admitted.
    pub(crate) fn try_order(
        &mut self,
        transactions: Vec<SignedTransaction>,
    ) -> Vec<AdmissionError> {
        for transaction in transactions {
            self.sequencer.submit(transaction);
        }
        let finalized = self.sequencer.finalize(self.clock.now()).unwrap();
        finalized
            .rejected
            .into_iter()
            .map(|rejection| rejection.why)
            .collect()
    }

    pub(crate) fn by_author(&mut self, body: impl Into<Body>) -> TxId {
        let (author, body) = (copy(&self.author), body.into());
        let transaction = self.signed(&author, body);
        let id = transaction.id();
        self.order(vec![transaction]);
        id
    }

    pub(crate) fn by_patient(&mut self, body: impl Into<Body>) -> TxId {
        let (patient, body) = (copy(&self.patient), body.into());
        let transaction = self.signed(&patient, body);
        let id = transaction.id();
        self.order(vec![transaction]);
        id
    }

    pub(crate) fn info(&self, record: u8) -> RecordInfo {
        info_of(self.genesis.committee(), [record; 16])
    }

    /// A record as an honest author makes it, not anchored yet.
    pub(crate) fn seal(&self, record: u8) -> Sealed {
        Self::seal_as(&self.info(record), &self.author)
    }

    pub(crate) fn seal_as(info: &RecordInfo, author: &SigningKeyPair) -> Sealed {
        Self::seal_with(info, author, &mut SystemRng::new().unwrap())
    }

    pub(crate) fn seal_with(
        info: &RecordInfo,
        author: &SigningKeyPair,
        rng: &mut impl CryptoRng,
    ) -> Sealed {
        let content = Content {
            media_type: "text/plain",
            attributes: &[],
            bytes: TEXT,
        };
        let sealed = seal_with_rng(info, &content, author, rng).unwrap();
        let anchor = RecordAdded {
            record: RecordId(info.record_id.0),
            patient: PATIENT,
            version: info.version.number(),
            header: digest(&sealed.header),
            supersedes: info
                .version
                .supersedes()
                .map(|header| HeaderDigest(header.0)),
            body: sealed.seal.body_digest().0,
            length: sealed.seal.body_len(),
            confidentiality: Confidentiality::N,
            labels: Labels::new([Label([info.record_id.0[0]; 16]); Labels::COUNT]),
            encounter: None,
            authored: START,
            release_at: None,
            custodians: CustodianSet {
                epoch: 0,
                t: 3,
                n: 4,
            },
            fingerprint: sealed.seal.body_digest().0,
        };
        Sealed {
            envelope: Envelope {
                front: EnvelopeFront {
                    header: sealed.header,
                    seal: sealed.seal,
                },
                body: sealed.body,
            },
            dealer: sealed.dealer,
            anchor,
        }
    }

    /// The deals of some records, one for each node.
    pub(crate) fn deal(&self, records: &[&Sealed]) -> Vec<Deal> {
        let dealers: Vec<&Dealer> = records.iter().map(|record| &record.dealer).collect();
        let keys: Vec<KemPublicKey> = self
            .sequencer
            .replicas()
            .iter()
            .map(|node| node.keys().kem.public_key().clone())
            .collect();
        deal(&dealers, &keys).unwrap()
    }

    /// A record that every custodian has, and the acknowledgements are on the chain.
    pub(crate) fn record(&mut self, record: u8) -> Sealed {
        let sealed = self.seal(record);
        self.file(sealed)
    }

    /// Its next version.
    pub(crate) fn amend(&mut self, before: &Sealed) -> Sealed {
        let header = &before.envelope.front.header;
        let mut info = self.info(before.anchor.record.0[0]);
        info.version = RecordVersion::after(header).unwrap();
        let sealed = Self::seal_as(&info, &self.author);
        self.file(sealed)
    }

    fn file(&mut self, sealed: Sealed) -> Sealed {
        self.by_author(sealed.anchor.clone());
        let deals = self.deal(&[&sealed]);
        let mut acknowledgements = Vec::new();
        for (node, deal) in self.nodes().iter_mut().zip(&deals) {
            let deposited = node
                .deposit(std::slice::from_ref(&sealed.envelope), deal)
                .unwrap();
            assert_eq!(deposited.refused, []);
            acknowledgements.extend(deposited.acknowledgements);
        }
        assert_eq!(acknowledgements.len(), 4);
        self.order(acknowledgements);
        sealed
    }

    /// The author may read the patient's records 0 to 15.
    pub(crate) fn grant(&mut self) -> TxId {
        let labels = (0..16).map(|label| Symbol::new([label; 16]).unwrap());
        let mut grant = Grant::to(Grantee::actor(AUTHOR.0).unwrap(), Purpose::Treat);
        grant.scope.tags = Some(Set::new(labels).unwrap());
        self.by_patient(DirectiveIssued {
            patient: PATIENT,
            terms: Terms::Grant(grant),
            sealed: None,
        })
    }

    /// What a custodian gives for a request, after its receipt is on the chain.
    pub(crate) fn release(
        &mut self,
        at: usize,
        request: &TxId,
        reader: &KemKeyPair,
    ) -> Result<Vec<Release>, NodeError> {
        let receipts = self.nodes()[at].receipts(request, reader.public_key())?;
        self.order(receipts);
        self.node(at).release(request, reader.public_key())
    }

    pub(crate) fn request(&mut self, records: &[u8]) -> (TxId, KemKeyPair) {
        let reader = KemKeyPair::generate().unwrap();
        let records = records.iter().map(|record| RecordId([*record; 16]));
        let records: Vec<RecordId> = records.collect();
        (self.by_author(reading(&records, &reader)), reader)
    }

    pub(crate) fn erase(&mut self, record: u8) {
        self.by_patient(Erased {
            record: RecordId([record; 16]),
        });
    }
}

/// A practitioner's enrolment.
pub(crate) fn physician(actor: ActorId, keys: &SigningKeyPair) -> PractitionerEnrolled {
    PractitionerEnrolled {
        actor,
        key: public(keys),
        kem: [1; 32],
        roles: Set::one(Symbol::new(b"physician").unwrap()),
        credential: chartseal_policy::Window::default(),
        countersignature: None,
    }
}

/// The patient's enrolment, to which they agreed.
pub(crate) fn patient(genesis: &Genesis, keys: &SigningKeyPair) -> PatientEnrolled {
    let mut body = PatientEnrolled {
        patient: PATIENT,
        key: public(keys),
        kem: [2; 32],
        history_salt: [4; 32],
        agreement: None,
        adult_from: Time(0),
        minor_consent_from: None,
    };
    let agreed = body.to_agree(&genesis.chain_id());
    body.agreement = Some(sign(keys, &agreed));
    body
}

/// A record of the patient that is dealt to the first committee.
pub(crate) fn info_of(committee: &Committee, record: [u8; 16]) -> RecordInfo {
    let count = |of: u64| u8::try_from(of).unwrap();
    let threshold = Threshold::new(count(2 * committee.f() + 1), count(committee.n()));
    RecordInfo {
        suite: Suite::XWing,
        record_id: chartseal_envelope::RecordId(record),
        subject: SubjectId(PATIENT.0),
        version: RecordVersion::FIRST,
        custodians: EnvelopeSet {
            id: SetId(committee.hash().0),
            epoch: 0,
            threshold: threshold.unwrap(),
        },
    }
}

pub(crate) fn digest(header: &Header) -> HeaderDigest {
    HeaderDigest(header.digest().0)
}

/// The same key pair again.
pub(crate) fn copy(keys: &SigningKeyPair) -> SigningKeyPair {
    SigningKeyPair::from_secret_bytes(keys.expose_secret_bytes())
}

/// Asks to read some records of the patient, for a visit.
pub(crate) fn reading(records: &[RecordId], reader: &KemKeyPair) -> AccessRequested {
    AccessRequested {
        patient: PATIENT,
        records: records.to_vec(),
        action: Token::new("read").unwrap(),
        purpose: Token::new("TREAT").unwrap(),
        reason_code: Token::new("visit").unwrap(),
        reason: Hash([1; 32]),
        reader: reader.key_id().0,
    }
}

/// Whether a history has a request's permit for a record, and how many receipts.
pub(crate) fn trace_of(entries: &[Entry], request: &TxId, record: &RecordId) -> (bool, usize) {
    let permitted = entries.iter().any(|entry| {
        entry.tx == *request
            && matches!(&entry.event, Event::Access(access)
                if access.records.iter().any(|one| one.record == *record))
    });
    let receipts = entries.iter().filter(|entry| {
        matches!(&entry.event, Event::Released(released)
            if released.request == *request && released.records.contains(record))
    });
    (permitted, receipts.count())
}
