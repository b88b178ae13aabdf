//! A network with many patients, and one node's whole view of it.

use std::collections::BTreeMap;

use chartseal::{
    Clinician, Document, FilingKit, LabelTable, Network, OrgId, Patient, RecordId, Time,
};
use chartseal_codec::{from_bytes, to_bytes};
use chartseal_consensus::Replica;
use chartseal_ledger::Body;
use chartseal_ledger::Label;
use chartseal_ledger::body::{AccessRequested, RecordAdded};
use chartseal_node::Node;
use chartseal_wire::{Hash, PublicKey, Subject, TxId};

use crate::attack::Seen;

pub(crate) struct World {
    pub(crate) network: Network,
    /// Two organizations, with an author each.
    pub(crate) orgs: [OrgId; 2],
    pub(crate) authors: [Clinician; 2],
    pub(crate) doctor: Clinician,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::on(Network::sequenced().unwrap())
    }

    pub(crate) fn on(mut network: Network) -> Self {
        let orgs = [(); 2].map(|()| network.enrol_organization().unwrap());
        let mut enrol = |at: usize| {
            network
                .enrol_practitioner(&orgs[at], &["physician"])
                .unwrap()
        };
        let (authors, doctor) = ([enrol(0), enrol(1)], enrol(0));
        Self {
            network,
            orgs,
            authors,
            doctor,
        }
    }

    /// Some time goes by.
    pub(crate) fn wait(&self, ms: u64) {
        self.network.clock().advance_ms(ms);
    }

    pub(crate) fn patient(&mut self, org: usize) -> Patient {
        self.network.enrol_patient(&self.orgs[org]).unwrap()
    }

    pub(crate) fn file(
        &mut self,
        by: usize,
        kit: &FilingKit,
        documents: &[Document<'_>],
    ) -> Vec<RecordId> {
        let filed = self.authors[by].file(&mut self.network, kit, documents, |_| ());
        filed.unwrap().iter().map(|filed| filed.record).collect()
    }

    pub(crate) fn file_one(
        &mut self,
        by: usize,
        kit: &FilingKit,
        document: &Document<'_>,
    ) -> RecordId {
        self.file(by, kit, std::slice::from_ref(document))[0]
    }

    /// A filing kit whose labels are no secret: what the chain would see without blinding.
    pub(crate) fn unblinded(kit: &FilingKit) -> FilingKit {
        let table: Vec<(String, Label)> = from_bytes(&to_bytes(&kit.labels)).unwrap();
        let table: Vec<(String, Label)> = table
            .into_iter()
            .map(|(category, _)| {
                let hash = blake3::hash(category.as_bytes());
                let label = Label(*hash.as_bytes().first_chunk().unwrap());
                (category, label)
            })
            .collect();
        let labels: LabelTable = from_bytes(&to_bytes(&table)).unwrap();
        let mut unblinded = kit.clone();
        unblinded.labels = labels;
        unblinded
    }

    pub(crate) fn view(&self) -> View<'_> {
        View::of(&self.network.nodes()[0])
    }
}

/// A transaction, where and when it came.
pub(crate) struct Line {
    pub(crate) height: u64,
    pub(crate) index: usize,
    pub(crate) in_block: usize,
    pub(crate) time: Time,
    pub(crate) tx: TxId,
    pub(crate) signer: PublicKey,
    pub(crate) body: Body,
}

/// What one node has: the chain, the histories, the sealed texts.
pub(crate) struct View<'n> {
    node: &'n Node,
    pub(crate) lines: Vec<Line>,
    records: BTreeMap<RecordId, usize>,
    requests: BTreeMap<TxId, usize>,
}

impl<'n> View<'n> {
    pub(crate) fn of(node: &'n Node) -> Self {
        let mut lines = Vec::new();
        for height in 0..=node.head().height() {
            let block = node.block(height).unwrap().unwrap();
            let in_block = block.transactions.len();
            for (index, transaction) in block.transactions.iter().enumerate() {
                let parsed = transaction.parse().unwrap();
                lines.push(Line {
                    height,
                    index,
                    in_block,
                    tx: transaction.id(),
                    time: block.header.time,
                    signer: parsed.actor_key,
                    body: parsed.body,
                });
            }
        }
        let record = |(at, line): (usize, &Line)| match &line.body {
            Body::RecordAdded(added) => Some((added.record, at)),
            _ => None,
        };
        let records = lines.iter().enumerate().filter_map(record).collect();
        let request = |(at, line): (usize, &Line)| {
            matches!(line.body, Body::AccessRequested(_)).then_some((line.tx, at))
        };
        let requests = lines.iter().enumerate().filter_map(request).collect();
        Self {
            node,
            lines,
            records,
            requests,
        }
    }

    pub(crate) fn record(&self, record: RecordId) -> (&Line, &RecordAdded) {
        let line = &self.lines[self.records[&record]];
        match &line.body {
            Body::RecordAdded(added) => (line, added),
            _ => unreachable!(),
        }
    }

    /// What two requests have in common, but for whom they name: when they came, who asked, for what, which records.
    pub(crate) fn requests_in_common(&self, one: TxId, other: TxId) -> Seen {
        let (one, other) = (self.request(one), self.request(other));
        let mut seen: Seen = request_fields(one)
            .intersection(&request_fields(other))
            .map(|field| format!("same {}", field.split('=').next().unwrap_or_default()))
            .collect();
        let asked = |(_, asked): (&Line, &AccessRequested)| asked.records.clone();
        let others = asked(other);
        let common = asked(one).iter().filter(|id| others.contains(id)).count();
        seen.insert(format!("same record={common}"));
        seen.extend(between(one.0, other.0));
        seen
    }

    pub(crate) fn request(&self, id: TxId) -> (&Line, &AccessRequested) {
        let line = &self.lines[self.requests[&id]];
        match &line.body {
            Body::AccessRequested(asked) => (line, asked),
            _ => unreachable!(),
        }
    }

    /// The length of the sealed text to which a transaction commits.
    pub(crate) fn text_len(&self, line: &Line, commitment: &Hash) -> usize {
        let text = self.node.text(&line.tx, commitment).unwrap().unwrap();
        text.sealed.as_ref().len()
    }

    /// Everything that the node has of a record, but for whose it is.
    pub(crate) fn seen(&self, record: RecordId) -> Seen {
        let (line, added) = self.record(record);
        let mut seen = fields(line, added);
        let state = self.node.state().record(&record).unwrap();
        seen.insert(format!("author={:?}", state.author));
        let history = self
            .node
            .history(&Subject::Patient(added.patient), 0)
            .unwrap();
        let bytes: usize = history.iter().map(Vec::len).sum();
        seen.insert(format!("history={} entries", history.len()));
        seen.insert(format!("history={bytes} bytes"));
        let digests: [(&str, &[u8]); 6] = [
            ("record", &added.record.0),
            ("header", &added.header.0),
            ("body", &added.body),
            ("fingerprint", &added.fingerprint),
            (
                "encounter",
                added.encounter.as_ref().map_or(&[], |label| label),
            ),
            ("patient", &added.patient.0),
        ];
        for (name, digest) in digests {
            // Not only whether it comes again, but whether it begins in some way.
            let begin = digest.first().map(|byte| byte >> 5);
            seen.insert(format!("{name} begins {begin:?}"));
        }
        seen
    }

    /// What two records have in common, but for whose they are.
    pub(crate) fn in_common(&self, one: RecordId, other: RecordId) -> Seen {
        let ((first, one), (second, other)) = (self.record(one), self.record(other));
        let mut seen: Seen = fields(first, one)
            .intersection(&fields(second, other))
            .map(|field| format!("same {}", field.split('=').next().unwrap_or_default()))
            .collect();
        let labels = one.labels.as_slice().iter();
        let common = labels
            .filter(|label| other.labels.as_slice().contains(label))
            .count();
        seen.insert(format!("same label={common}"));
        seen.extend(between(first, second));
        let authored = one.authored.0.abs_diff(other.authored.0);
        seen.insert(format!("authored between={}", log2(authored)));
        let lengths = one.length.abs_diff(other.length);
        seen.insert(format!("lengths differ={}", log2(lengths)));
        seen
    }
}

fn fields(line: &Line, added: &RecordAdded) -> Seen {
    let mut seen: Seen = [
        format!("length={}", added.length),
        format!("confidentiality={:?}", added.confidentiality),
        format!("version={} {:?}", added.version, added.supersedes),
        format!("encounter={:?}", added.encounter),
        format!("has encounter={}", added.encounter.is_some()),
        format!("authored={:?}", added.authored),
        format!(
            "authored before={}",
            log2(line.time.0.saturating_sub(added.authored.0))
        ),
        format!("release={:?}", added.release_at),
        format!("custodians={:?}", added.custodians),
        format!("fingerprint={:?}", added.fingerprint),
        format!("body={:?}", added.body),
        format!("index={} of {}", line.index, line.in_block),
    ]
    .into();
    let labels = added.labels.as_slice().iter();
    seen.extend(labels.map(|label| format!("label={label:?}")));
    seen
}

fn request_fields((line, asked): (&Line, &AccessRequested)) -> Seen {
    [
        format!("action={}", asked.action.as_str()),
        format!("purpose={}", asked.purpose.as_str()),
        format!("reason code={}", asked.reason_code.as_str()),
        format!("reason={:?}", asked.reason),
        format!("reader={:?}", asked.reader),
        format!("signer={:?}", line.signer),
        format!("number of records={}", asked.records.len()),
        format!("index={} of {}", line.index, line.in_block),
    ]
    .into()
}

pub(crate) fn log2(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

/// How far apart two transactions are.
fn between(one: &Line, other: &Line) -> [String; 2] {
    let blocks = log2(one.height.abs_diff(other.height));
    let ms = log2(one.time.0.abs_diff(other.time.0));
    [
        format!("blocks between={blocks}"),
        format!("ms between={ms}"),
    ]
}
