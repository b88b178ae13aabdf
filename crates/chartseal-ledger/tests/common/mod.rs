//! A small network with keys for everybody, and a chain that grows by proposing and executing.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]
#![allow(clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use chartseal_ledger::body::{
    AccessRequested, Countersignature, CustodianSet, DirectiveIssued, Organization,
    PatientEnrolled, PractitionerEnrolled, RecordAdded,
};
use chartseal_ledger::{
    AdmissionError, Block, Body, Commit, Effect, Executed, Genesis, Label, Labels, LedgerStore,
    MemoryStore, Overlay, Params, SignedTransaction, TRANSACTION_VERSION, Transaction, execute,
    propose,
};
use chartseal_policy::{Confidentiality, Grant, Grantee, Purpose, Set, Symbol, Terms, Window};
use chartseal_wire::history::{Outcome, Token};
use chartseal_wire::{
    ActorId, Entry, Hash, HeaderDigest, OrgId, PatientId, PublicKey, RecordId, Signature, Subject,
    Time, TxId,
};
use ed25519_dalek::{Signer, SigningKey};

pub const START: u64 = 1_700_000_000_000;
pub const DELAY: u64 = 3_600_000;

/// A key pair from a name, so that every run has the same.
#[derive(Clone)]
pub struct Key(SigningKey);

impl Key {
    pub fn new(name: &str) -> Self {
        let mut seed = [0; 32];
        seed[..name.len()].copy_from_slice(name.as_bytes());
        Self(SigningKey::from_bytes(&seed))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

pub fn office(org: u8) -> Key {
    Key::new(&format!("office {org}"))
}

pub fn custodian(org: u8) -> Key {
    Key::new(&format!("custodian {org}"))
}

pub fn org(org: u8) -> OrgId {
    OrgId([0xf0 | org; 16])
}

pub fn organization(id: u8) -> Organization {
    Organization {
        id: org(id),
        enrolment_key: office(id).public(),
        custodian_key: custodian(id).public(),
        custodian_kem: [id; 32],
        validator: Key::new(&format!("validator {id}")).public(),
    }
}

pub fn params() -> Params {
    Params {
        emergency_role_delay_ms: DELAY,
        ..Params::default()
    }
}

/// Organizations 1 to 5, of which 1 to 4 are the committee.
pub fn genesis_with(params: Params) -> Genesis {
    let organizations = (1..=5).map(organization).collect();
    let committee: Vec<_> = (1..=4).map(org).collect();
    Genesis::new(Time(START), [0x5a; 32], params, organizations, &committee).unwrap()
}

pub fn genesis() -> Genesis {
    genesis_with(params())
}

/// The chain as one node has it. Each block is proposed, executed anew by itself, and committed.
pub struct Chain {
    pub head: Overlay,
    pub store: MemoryStore,
    pub blocks: Vec<Block>,
    pub last: Executed,
    seq: BTreeMap<PublicKey, u64>,
    pub now: u64,
}

impl Chain {
    pub fn new() -> Self {
        Self::of(&genesis())
    }

    pub fn of(genesis: &Genesis) -> Self {
        let (block, executed) = (genesis.block(), genesis.executed());
        let mut store = MemoryStore::new();
        store.commit(&Commit::new(&block, &executed)).unwrap();
        Self {
            head: executed.overlay.clone(),
            store,
            blocks: vec![block],
            last: executed,
            seq: BTreeMap::new(),
            now: START,
        }
    }

    /// A chain with patients 1 and 2, a doctor (10, of organization 1), another (11, of 2), an
    /// emergency physician (12, of 1) and a privacy officer (13, of 1); the delay is over.
    pub fn populated() -> Self {
        Self::populated_with(params())
    }

    pub fn populated_with(params: Params) -> Self {
        let mut chain = Self::of(&genesis_with(params));
        chain.enrol_everybody();
        chain
    }

    /// Whom [`populated`](Self::populated) has.
    pub fn enrol_everybody(&mut self) {
        let chain_id = self.head.head().chain;
        for id in [1, 2] {
            self.ok(&office(1), enrol_patient(&self.head, id));
        }
        for (id, org, roles) in [
            (10, 1, &["doctor"][..]),
            (11, 2, &["doctor"]),
            (12, 1, &["doctor", "emergency"]),
            (13, 1, &["privacy"]),
        ] {
            self.ok(&office(org), enrol_practitioner(chain_id, id, org, roles));
        }
        self.now += DELAY;
    }

    pub fn transaction(&self, key: &Key, seq: u64, body: impl Into<Body>) -> Transaction {
        Transaction {
            version: TRANSACTION_VERSION,
            chain: self.head.head().chain,
            actor_key: key.public(),
            seq,
            expires: self.head.height() + 100,
            body: body.into(),
        }
    }

    pub fn next_seq(&self, key: &Key) -> u64 {
        self.seq.get(&key.public()).copied().unwrap_or(0) + 1
    }

    /// As if the key had signed up to this number.
    pub fn skip_to(&mut self, key: &Key, seq: u64) {
        self.seq.insert(key.public(), seq);
    }

    /// Signs a body with the key's next sequence number.
    pub fn sign(&mut self, key: &Key, body: impl Into<Body>) -> SignedTransaction {
        let seq = self.next_seq(key);
        self.seq.insert(key.public(), seq);
        self.transaction(key, seq, body)
            .sign(|message| key.sign(message))
    }

    /// A block of these transactions, a second later; all must be admitted.
    pub fn block(&mut self, transactions: Vec<SignedTransaction>) -> Executed {
        self.now += 1_000;
        let proposed = propose(&self.head, Time(self.now), transactions);
        assert_eq!(proposed.rejected, vec![]);
        let executed = execute(&self.head, &proposed.block).unwrap();
        assert_eq!(executed.overlay.head(), proposed.executed.overlay.head());
        self.store
            .commit(&Commit::new(&proposed.block, &executed))
            .unwrap();
        self.blocks.push(proposed.block);
        self.head = executed.overlay.clone();
        self.last = executed.clone();
        executed
    }

    /// One transaction in a block of its own.
    pub fn ok(&mut self, key: &Key, body: impl Into<Body>) -> TxId {
        let signed = self.sign(key, body);
        let id = signed.id();
        self.block(vec![signed]);
        id
    }

    /// A request and its decision.
    pub fn ask(&mut self, key: &Key, body: AccessRequested) -> (TxId, Vec<Outcome>) {
        let id = self.ok(key, body);
        match &self.last.receipts[0].effect {
            Effect::Decided(decided) => (id, decided.records.clone()),
            other => panic!("not a decision: {other:?}"),
        }
    }

    /// The rule by which a body is refused; nothing changes.
    pub fn refused(&mut self, key: &Key, body: impl Into<Body>) -> &'static str {
        let seq = self.next_seq(key);
        let signed = self
            .transaction(key, seq, body)
            .sign(|message| key.sign(message));
        self.refused_raw(signed).rule()
    }

    pub fn refused_raw(&mut self, signed: SignedTransaction) -> AdmissionError {
        let empty = propose(&self.head, Time(self.now + 1_000), []);
        let mut proposed = propose(&self.head, Time(self.now + 1_000), [signed]);
        assert!(
            proposed.block.transactions.is_empty(),
            "the transaction was admitted"
        );
        let root = |one: &Executed| one.overlay.map().root();
        assert_eq!(
            root(&proposed.executed),
            root(&empty.executed),
            "state was touched"
        );
        assert!(proposed.executed.changes.is_empty() && proposed.executed.entries.is_empty());
        proposed.rejected.pop().unwrap().1
    }

    /// A history's entries from the store, checked against the head's slot.
    pub fn history(&self, subject: Subject) -> Vec<Entry> {
        let bytes = self.store.history(&subject, 0, usize::MAX).unwrap();
        let mut frontier = chartseal_merkle::Frontier::new();
        for bytes in &bytes {
            frontier.append(Entry::leaf(bytes));
        }
        assert_eq!(
            self.head.state().frontier(&subject),
            frontier,
            "the history is complete"
        );
        bytes
            .iter()
            .map(|bytes| chartseal_codec::from_bytes(bytes).unwrap())
            .collect()
    }

    pub fn record(&self, id: u8) -> RecordAdded {
        record(id, 1, self.now)
    }
}

pub fn directive(owner: u8, terms: Terms) -> DirectiveIssued {
    DirectiveIssued {
        patient: patient(owner),
        terms,
        sealed: None,
    }
}

/// A chain with record 20 of patient 1, by practitioner 10.
pub fn with_record() -> (Chain, RecordAdded) {
    let mut chain = Chain::populated();
    let record = chain.record(20);
    chain.ok(&actor_key(10), record.clone());
    (chain, record)
}

/// The same, and a request by practitioner 11 that was permitted.
pub fn permitted() -> (Chain, TxId) {
    let (mut chain, _) = with_record();
    chain.ok(&patient_key(1), directive(1, grant(11, None)));
    let (request, outcomes) = chain.ask(&actor_key(11), ask(1, &[20], "TREAT"));
    assert!(outcomes[0].permitted);
    (chain, request)
}

pub fn patient(id: u8) -> PatientId {
    PatientId([id; 16])
}

pub fn patient_key(id: u8) -> Key {
    Key::new(&format!("patient {id}"))
}

pub fn actor(id: u8) -> ActorId {
    ActorId([id; 16])
}

pub fn actor_key(id: u8) -> Key {
    Key::new(&format!("practitioner {id}"))
}

pub fn record_id(id: u8) -> RecordId {
    RecordId([id; 16])
}

pub fn header(id: u8, version: u8) -> HeaderDigest {
    let mut digest = [id; 32];
    digest[0] = version;
    HeaderDigest(digest)
}

pub fn token(text: &str) -> Token {
    Token::new(text).unwrap()
}

/// A patient who agrees.
pub fn enrol_patient(head: &Overlay, id: u8) -> PatientEnrolled {
    let mut body = PatientEnrolled {
        patient: patient(id),
        key: patient_key(id).public(),
        kem: [id; 32],
        history_salt: [id ^ 0xff; 32],
        agreement: None,
        adult_from: Time(0),
        minor_consent_from: None,
    };
    let message = body.to_agree(&head.head().chain);
    body.agreement = Some(patient_key(id).sign(&message));
    body
}

/// A child who comes of age long after the tests.
pub fn enrol_child(head: &Overlay, id: u8) -> PatientEnrolled {
    let mut body = enrol_patient(head, id);
    body.adult_from = MAJORITY;
    body.agreement = Some(patient_key(id).sign(&body.to_agree(&head.head().chain)));
    body
}

/// 2030-01-01.
pub const MAJORITY: Time = Time(1_893_456_000_000);

pub fn symbols(words: &[&str]) -> Set<Symbol> {
    Set::new(words.iter().map(|word| Symbol::new(word).unwrap())).unwrap()
}

/// A practitioner of `of`, countersigned by the next organization.
pub fn enrol_practitioner(
    chain: chartseal_wire::ChainId,
    id: u8,
    of: u8,
    roles: &[&str],
) -> PractitionerEnrolled {
    let mut body = PractitionerEnrolled {
        actor: actor(id),
        key: actor_key(id).public(),
        kem: [id; 32],
        roles: symbols(roles),
        credential: Window::ALWAYS,
        countersignature: None,
    };
    if roles.contains(&"emergency") {
        let signature = office(of + 1).sign(&body.to_countersign(&chain, &org(of)));
        body.countersignature = Some(Countersignature {
            org: org(of + 1),
            signature,
        });
    }
    body
}

/// Labels of a record: its class, a tag, and decoys.
pub fn labels() -> Labels {
    Labels::new([1, 2, 3, 4, 5, 6].map(|label| Label([label; 16])))
}

/// The first version of a normal record of patient `owner`.
pub fn record(id: u8, owner: u8, now: u64) -> RecordAdded {
    RecordAdded {
        record: record_id(id),
        patient: patient(owner),
        version: 1,
        header: header(id, 1),
        supersedes: None,
        body: [id; 32],
        length: 1_000,
        confidentiality: Confidentiality::N,
        labels: labels(),
        encounter: None,
        authored: Time(now),
        release_at: None,
        custodians: CustodianSet {
            epoch: 0,
            t: 3,
            n: 4,
        },
        fingerprint: [id; 32],
    }
}

/// The next version of the same.
pub fn amended(record: &RecordAdded) -> RecordAdded {
    let version = record.version + 1;
    let mut header = record.header;
    header.0[0] = u8::try_from(version).unwrap();
    let mut fingerprint = record.fingerprint;
    fingerprint[0] = header.0[0] ^ 0x80;
    let supersedes = Some(record.header);
    RecordAdded {
        version,
        header,
        supersedes,
        fingerprint,
        ..record.clone()
    }
}

pub fn ask(owner: u8, records: &[u8], purpose: &str) -> AccessRequested {
    AccessRequested {
        patient: patient(owner),
        records: records.iter().copied().map(record_id).collect(),
        action: token("read"),
        purpose: token(purpose),
        reason_code: token("care"),
        reason: Hash([7; 32]),
        reader: [8; 32],
    }
}

/// A grant of reading what bears [`labels`], for treatment, to one practitioner.
pub fn grant(to: u8, until: Option<u64>) -> Terms {
    let mut grant = Grant::to(Grantee::actor([to; 16]).unwrap(), Purpose::Treat);
    let tags = labels()
        .as_slice()
        .iter()
        .map(|label| Symbol::new(label.0).unwrap())
        .collect::<Vec<_>>();
    grant.scope.tags = Some(Set::new(tags).unwrap());
    grant.window.until = until.map(chartseal_policy::Time);
    Terms::Grant(grant)
}
