use std::collections::BTreeMap;
use std::error::Error;

use chartseal_ledger::body::{
    AccessRequested, DepositAcknowledged, DirectiveIssued, Organization, Relabelled, Relabelling,
    Released,
};
use chartseal_ledger::{
    Block, Body, Executed, Genesis, Overlay, Params, SignedTransaction, TRANSACTION_VERSION,
    Transaction, propose,
};
use chartseal_policy::{Grant, Grantee, Purpose, Set, Symbol, Terms};
use chartseal_wire::history::Token;
use chartseal_wire::{Hash, OrgId, PatientId, PublicKey, RecordId, Signature, Time};
use ed25519_dalek::{Signer, SigningKey};

use crate::made::{self, ORGANIZATIONS, PATIENT, PRACTITIONER, hash, id16, labels};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const OFFICE: &str = "office";
const CUSTODIAN: &str = "custodian";

/// Practitioners of all organizations.
const PRACTITIONERS: u64 = 64;
/// Patients who come to be treated; the others are there.
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
    keys: BTreeMap<(&'static str, u64), SigningKey>,
    seqs: BTreeMap<(&'static str, u64), u64>,
    patients: u64,
    visits: u64,
    relabelled: u64,
    time: u64,
}

impl Workload {
    /// A network without people.
    pub(super) fn new() -> Result<Self> {
        let org = |id| Organization {
            id: OrgId(id16("org", id)),
            enrolment_key: public(&signing_key(OFFICE, id)),
            custodian_key: public(&signing_key(CUSTODIAN, id)),
            custodian_kem: hash("kem", id),
            validator: public(&signing_key("validator", id)),
        };
        let organizations: Vec<_> = (0..ORGANIZATIONS).map(org).collect();
        let committee: Vec<OrgId> = organizations.iter().map(|org| org.id).collect();
        let params = Params::default();
        let genesis = Genesis::new(Time(START), [7; 32], params, organizations, &committee)?;
        Ok(Self {
            genesis,
            keys: BTreeMap::new(),
            seqs: BTreeMap::new(),
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
        let visited = self.visits.min(ACTIVE.min(self.patients));
        let signed = (0..n).map(|_| {
            let patient = self.relabelled % visited;
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
        if id < ACTIVE {
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
        let patient = visit % ACTIVE.min(self.patients);
        let (author, reader) = (visit % PRACTITIONERS, (visit + 1) % PRACTITIONERS);
        let id = PatientId(id16(PATIENT, patient));

        let mut grant = Grant::to(Grantee::actor(id16(PRACTITIONER, reader))?, Purpose::Treat);
        let tags = labels(patient).as_slice().to_vec();
        let tags: Result<Vec<_>, _> = tags.iter().map(|tag| Symbol::new(tag.0)).collect();
        grant.scope.tags = Some(Set::new(tags?)?);
        let directive = DirectiveIssued {
            patient: id,
            terms: Terms::Grant(grant),
            sealed: None,
        };
        let mut signed = vec![self.sign(PATIENT, patient, directive)];

        let records: Vec<RecordId> = (0..RECORDS)
            .map(|n| RecordId(id16("record", visit * RECORDS + n)))
            .collect();
        for (n, record) in (visit * RECORDS..).zip(&records) {
            let added = made::record(patient, n, Time(self.time));
            let header = added.header;
            signed.push(self.sign(PRACTITIONER, author, added));
            for index in 1..=ORGANIZATIONS {
                let record = *record;
                let body = DepositAcknowledged {
                    record,
                    header,
                    index,
                };
                signed.push(self.sign(CUSTODIAN, index - 1, body));
            }
        }
        let asked = AccessRequested {
            patient: id,
            records: records.clone(),
            action: token("read")?,
            purpose: token("TREAT")?,
            reason_code: token("care")?,
            reason: Hash(hash("reason", visit)),
            reader: hash("reader", visit),
        };
        let asked = self.sign(PRACTITIONER, reader, asked);
        let request = asked.id();
        signed.push(asked);
        for custodian in 0..ORGANIZATIONS {
            let records = records.clone();
            signed.push(self.sign(CUSTODIAN, custodian, Released { request, records }));
        }
        Ok(signed)
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
