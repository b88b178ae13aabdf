use std::collections::BTreeMap;
use std::error::Error;

use chartseal_envelope::{Header, SealedRecord, SigningKeyPair};
use chartseal_ledger::body::{
    AccessRequested, DepositAcknowledged, DirectiveIssued, Organization, Relabelled, Relabelling,
    Released,
};
use chartseal_ledger::{
    Block, Body, Executed, Genesis, Overlay, Params, SignedTransaction, TRANSACTION_VERSION,
    Transaction, propose,
};
use chartseal_node::NodeKeys;
use chartseal_policy::{Grant, Grantee, Purpose, Set, Symbol, Terms};
use chartseal_wire::history::Token;
use chartseal_wire::{
    Hash, HeaderDigest, OrgId, PatientId, PublicKey, RecordId, RequestId, Signature, Time,
};
use ed25519_dalek::{Signer, SigningKey};

use crate::made::{self, ORGANIZATIONS, PATIENT, PRACTITIONER, hash, id16, labels};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;
type Keys = BTreeMap<(&'static str, u64), SigningKey>;

const OFFICE: &str = "office";
const CUSTODIAN: &str = "custodian";

/// Practitioners of all organizations.
const PRACTITIONERS: u64 = 64;
/// Patients who come to be treated, unless all do; the others are there.
const ACTIVE: u64 = 4_096;
/// Records of one visit.
const RECORDS: u64 = 2;
/// Transactions of one visit: a grant, the records with their acknowledgements, a request for them, and
/// its receipts.
pub(super) const VISIT: u64 = 1 + RECORDS * (1 + ORGANIZATIONS) + 1 + ORGANIZATIONS;
const START: u64 = 1_700_000_000_000;

/// A network whose blocks are made ahead of what is measured.
pub(super) struct Workload {
    /// The chain's beginning.
    pub(super) genesis: Genesis,
    keys: Keys,
    seqs: BTreeMap<(&'static str, u64), u64>,
    /// How many patients at most come to be treated.
    active: u64,
    patients: u64,
    visits: u64,
    relabelled: u64,
    time: u64,
}

impl Workload {
    /// A network without people.
    pub(super) fn new() -> Result<Self> {
        let organizations = (0..ORGANIZATIONS).map(organization).collect();
        Self::of(organizations, BTreeMap::new(), ACTIVE)
    }

    /// The same with the first organization's node, where all patients come to be treated.
    pub(super) fn for_node(node: &NodeKeys) -> Result<Self> {
        let mut organizations: Vec<_> = (0..ORGANIZATIONS).map(organization).collect();
        if let Some(own) = organizations.first_mut() {
            *own = node.organization(own.id, own.enrolment_key);
        }
        let custodian = SigningKey::from_bytes(node.custodian.expose_secret_bytes());
        let keys = BTreeMap::from([((CUSTODIAN, 0), custodian)]);
        Self::of(organizations, keys, u64::MAX)
    }

    fn of(organizations: Vec<Organization>, keys: Keys, active: u64) -> Result<Self> {
        let committee: Vec<OrgId> = organizations.iter().map(|org| org.id).collect();
        let params = Params::default();
        let genesis = Genesis::new(Time(START), [7; 32], params, organizations, &committee)?;
        Ok(Self {
            genesis,
            keys,
            seqs: BTreeMap::new(),
            active,
            patients: 0,
            visits: 0,
            relabelled: 0,
            time: START,
        })
    }

    /// The next block on the way to so many patients; the first one enrols the practitioners too.
    /// `None`: all are there.
    pub(super) fn enrolments(
        &mut self,
        parent: &Overlay,
        patients: u64,
    ) -> Result<Option<(Block, Executed)>> {
        let first = self.patients;
        if first == patients {
            return Ok(None);
        }
        let practitioners = if first == 0 { PRACTITIONERS } else { 0 };
        let room = Block::MAX_TRANSACTIONS as u64 - PRACTITIONERS;
        self.patients = patients.min(first + room);
        let practitioners = (0..practitioners).map(|id| self.practitioner(id));
        let mut signed = practitioners.collect::<Result<Vec<_>>>()?;
        signed.extend((first..self.patients).map(|id| self.patient(id)));
        self.block(parent, signed).map(Some)
    }

    /// The next block: so many visits.
    pub(super) fn visits(&mut self, parent: &Overlay, n: u64) -> Result<(Block, Executed)> {
        let visits: Result<Vec<_>> = (0..n).map(|_| self.visit()).collect();
        self.block(parent, visits?.concat())
    }

    /// The next block: so many times that a patient gives a record of theirs its labels again. Only histories
    /// grow by it, and the sequence numbers.
    pub(super) fn relabellings(&mut self, parent: &Overlay, n: u64) -> Result<(Block, Executed)> {
        let signed = (0..n).map(|_| {
            let patient = self.next_relabelled();
            self.relabelled += 1;
            let record = RecordId(id16("record", patient * RECORDS));
            let labels = labels(patient);
            let body = Relabelled::of(vec![Relabelling { record, labels }]);
            self.sign(PATIENT, patient, body)
        });
        let signed = signed.collect();
        self.block(parent, signed)
    }

    fn block(
        &mut self,
        parent: &Overlay,
        transactions: Vec<SignedTransaction>,
    ) -> Result<(Block, Executed)> {
        let expected = transactions.len();
        self.time += 1_000;
        let proposed = propose(parent, Time(self.time), transactions);
        if let Some((_, error)) = proposed.rejected.first() {
            return Err(error.clone().into());
        }
        if proposed.block.transactions.len() != expected {
            return Err("the block has no room for its transactions".into());
        }
        Ok((proposed.block, proposed.executed))
    }

    fn practitioner(&mut self, id: u64) -> Result<SignedTransaction> {
        let key = public(&self.key(PRACTITIONER, id));
        let body = made::practitioner(id, key)?;
        Ok(self.sign(OFFICE, id % ORGANIZATIONS, body))
    }

    /// The active ones agree; of the others, who never sign, nobody derives a key.
    fn patient(&mut self, id: u64) -> SignedTransaction {
        let mut body = made::patient(id, PublicKey(hash("key", id)));
        if id < self.active {
            let key = self.key(PATIENT, id);
            body.key = public(&key);
            body.agreement = Some(signature(&key, &body.to_agree(&self.genesis.chain_id())));
        }
        self.sign(OFFICE, id % ORGANIZATIONS, body)
    }

    /// A patient lets one practitioner read, another files records, the first one reads them.
    fn visit(&mut self) -> Result<Vec<SignedTransaction>> {
        let visit = self.visits;
        self.visits += 1;
        let patient = visit % self.active.min(self.patients);
        let (author, reader) = (visit % PRACTITIONERS, (visit + 1) % PRACTITIONERS);
        let mut signed = vec![self.grant(patient, reader)?];
        let records: Vec<RecordId> = (0..RECORDS)
            .map(|n| RecordId(id16("record", visit * RECORDS + n)))
            .collect();
        for (n, record) in (visit * RECORDS..).zip(&records) {
            let added = made::record(patient, n, Time(self.time));
            let header = added.header;
            signed.push(self.sign(PRACTITIONER, author, added));
            signed.extend(self.acknowledgements(*record, header));
        }
        let key = hash("reader", visit);
        signed.extend(self.reading(patient, &records, reader, key)?);
        Ok(signed)
    }

    /// Lets a practitioner read a patient's records.
    fn grant(&mut self, patient: u64, reader: u64) -> Result<SignedTransaction> {
        let mut grant = Grant::to(Grantee::actor(id16(PRACTITIONER, reader))?, Purpose::Treat);
        let tags = labels(patient).as_slice().to_vec();
        let tags: Result<Vec<_>, _> = tags.iter().map(|tag| Symbol::new(tag.0)).collect();
        grant.scope.tags = Some(Set::new(tags?)?);
        let directive = DirectiveIssued {
            patient: PatientId(id16(PATIENT, patient)),
            terms: Terms::Grant(grant),
            sealed: None,
        };
        Ok(self.sign(PATIENT, patient, directive))
    }

    /// Of all custodians.
    fn acknowledgements(
        &mut self,
        record: RecordId,
        header: HeaderDigest,
    ) -> Vec<SignedTransaction> {
        let indexes = 1..=ORGANIZATIONS;
        let bodies = indexes.map(|index| DepositAcknowledged {
            record,
            header,
            index,
        });
        bodies
            .map(|body| self.sign(CUSTODIAN, body.index - 1, body))
            .collect()
    }

    /// A request for records by a practitioner with this key, and all custodians' receipts.
    fn reading(
        &mut self,
        patient: u64,
        records: &[RecordId],
        reader: u64,
        key: [u8; 32],
    ) -> Result<Vec<SignedTransaction>> {
        let asked = AccessRequested {
            patient: PatientId(id16(PATIENT, patient)),
            records: records.to_vec(),
            action: token("read")?,
            purpose: token("TREAT")?,
            reason_code: token("care")?,
            reason: Hash(hash("reason", self.visits)),
            reader: key,
        };
        let asked = self.sign(PRACTITIONER, reader, asked);
        let request = asked.id();
        let mut signed = vec![asked];
        for custodian in 0..ORGANIZATIONS {
            let records = records.to_vec();
            signed.push(self.sign(CUSTODIAN, custodian, Released { request, records }));
        }
        Ok(signed)
    }

    /// The next block: a record that was really sealed, by the first practitioner.
    pub(super) fn anchor(
        &mut self,
        parent: &Overlay,
        patient: u64,
        sealed: &SealedRecord,
    ) -> Result<Block> {
        let mut added = made::record(patient, 0, Time(self.time));
        added.record = RecordId(sealed.header.record_id().0);
        added.header = HeaderDigest(sealed.header.digest().0);
        added.body = sealed.seal.body_digest().0;
        added.length = sealed.seal.body_len();
        added.fingerprint = added.body;
        let signed = self.sign(PRACTITIONER, 0, added);
        Ok(self.block(parent, vec![signed])?.0)
    }

    /// The next block: that record acknowledged, and read by the next practitioner with this key; and the request.
    pub(super) fn read(
        &mut self,
        parent: &Overlay,
        patient: u64,
        header: &Header,
        key: [u8; 32],
    ) -> Result<(Block, RequestId)> {
        let record = RecordId(header.record_id().0);
        let mut signed = self.acknowledgements(record, HeaderDigest(header.digest().0));
        signed.push(self.grant(patient, 1)?);
        let reading = self.reading(patient, &[record], 1, key)?;
        let request = reading.first().ok_or("no request")?.id();
        signed.extend(reading);
        Ok((self.block(parent, signed)?.0, request))
    }

    /// The first practitioner's key.
    pub(super) fn author(&mut self) -> SigningKeyPair {
        SigningKeyPair::from_secret_bytes(self.key(PRACTITIONER, 0).as_bytes())
    }

    /// The time of the newest block.
    pub(super) fn now(&self) -> Time {
        Time(self.time)
    }

    /// How many are enrolled.
    pub(super) fn patients(&self) -> u64 {
        self.patients
    }

    /// How many records visits left.
    pub(super) fn records(&self) -> u64 {
        self.visits * RECORDS
    }

    /// Whose record is relabelled next.
    pub(super) fn next_relabelled(&self) -> u64 {
        self.relabelled % self.visits.min(self.active.min(self.patients))
    }

    fn sign(&mut self, role: &'static str, id: u64, body: impl Into<Body>) -> SignedTransaction {
        let key = self.key(role, id);
        let seq = self.seqs.entry((role, id)).or_default();
        *seq += 1;
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain: self.genesis.chain_id(),
            actor_key: public(&key),
            seq: *seq,
            expires: u64::MAX,
            body: body.into(),
        };
        transaction.sign(|message| signature(&key, message))
    }

    fn key(&mut self, role: &'static str, id: u64) -> SigningKey {
        let key = self.keys.entry((role, id));
        key.or_insert_with(|| signing_key(role, id)).clone()
    }
}

fn organization(id: u64) -> Organization {
    Organization {
        id: OrgId(id16("org", id)),
        enrolment_key: public(&signing_key(OFFICE, id)),
        custodian_key: public(&signing_key(CUSTODIAN, id)),
        custodian_kem: hash("kem", id),
        validator: public(&signing_key("validator", id)),
    }
}

fn token(text: &str) -> Result<Token> {
    Ok(Token::new(text).ok_or("not a token")?)
}

fn signing_key(role: &str, id: u64) -> SigningKey {
    SigningKey::from_bytes(&hash(role, id))
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn signature(key: &SigningKey, message: &[u8]) -> Signature {
    Signature(key.sign(message).to_bytes())
}
