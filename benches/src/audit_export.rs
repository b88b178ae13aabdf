//! An export as a network of four gives it, made from the published formats alone.

use std::collections::BTreeMap;

use chartseal_codec::{Bytes, to_bytes};
use chartseal_merkle::{Frontier, Hash, Log, Map, MapKey, empty_root, leaf_hash};
use chartseal_wire::checkpoint::origin;
use chartseal_wire::export::Growth;
use chartseal_wire::history::{
    Access, DirectiveIssued, Entry, Erased, Event, Outcome, RecordAdded, Released, Token,
};
use chartseal_wire::note::{KeyKind, NoteSignature};
use chartseal_wire::{
    ActorId, BlockHeader, ChainId, Checkpoint, Export, HeaderDigest, HistorySection, OrgId,
    PatientId, ProofFile, PublicKey, RecordId, Signature, SignedNote, Subject, Time, TxId,
    VerifierKey,
};
use ed25519_dalek::{Signer, SigningKey};

/// Blocks before the first entry's.
const BLOCKS: u64 = 10_000;
const CHAIN: ChainId = ChainId([0xcc; 32]);
const PATIENT: Subject = Subject::Patient(PatientId([1; 16]));

/// A chain of 10,000 blocks, whose state has a patient's history among other values; then one more entry
/// in the next block.
pub(crate) struct History {
    entries: Vec<Vec<u8>>,
    log: Log,
    blocks: [(BlockHeader, Map); 2],
}

impl History {
    /// A history of `entries` records, the smallest entries that there are, beside `others` values of
    /// the state.
    pub(crate) fn new(entries: u64, others: u64) -> Self {
        Self::of(entries, others, record)
    }

    /// The same, in the proportions and sizes of what the demo's patient exports: of 20 entries a grant,
    /// ten records, three requests for six of them that are permitted by the grant, five receipts for five,
    /// an erasure.
    #[allow(
        dead_code,
        reason = "the peers' benches compile this file too, and compare records alone"
    )]
    pub(crate) fn of_visits(entries: u64, others: u64) -> Self {
        Self::of(entries, others, visit)
    }

    fn of(entries: u64, others: u64, event: fn(u64) -> Event) -> Self {
        let height = |n| BLOCKS + u64::from(n == entries);
        let entries: Vec<_> = (0..=entries)
            .map(|n| entry(n, height(n), event(n)))
            .collect();
        let values =
            (0..others).map(|n| (MapKey(leaf_hash(&n.to_be_bytes()).0), Some(vec![1; 64])));
        let state = Map::new().update(values.collect());
        let mut log: Log = (0..BLOCKS).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut frontier = Frontier::new();
        let (newest, earlier) = entries.split_last().expect("one at least");
        for entry in earlier {
            frontier.append(Entry::leaf(entry));
        }
        let first = block(&mut log, &state, &frontier);
        frontier.append(Entry::leaf(newest));
        let second = block(&mut log, &state, &frontier);
        Self {
            entries,
            log,
            blocks: [first, second],
        }
    }

    /// The history without its last entry, whole.
    pub(crate) fn export(&self) -> String {
        let count = self.entries.len() - 1;
        self.file(0, 0, count, None)
    }

    /// Its last entry, for somebody who has the others.
    pub(crate) fn newer(&self) -> String {
        let first = self.entries.len() - 1;
        let proof = self.log.prove_consistency(BLOCKS + 1, BLOCKS + 2);
        let proof = proof.expect("within the log");
        let growth = Growth {
            from: BLOCKS + 1,
            proof,
        };
        self.file(1, first, first + 1, Some(growth))
    }

    /// The bytes of its entries, without the last.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.entries.split_last().expect("one at least").1.concat()
    }

    fn file(&self, block: usize, first: usize, end: usize, growth: Option<Growth>) -> String {
        let (header, state) = &self.blocks[block];
        let mut frontier = Frontier::new();
        let all = self.entries.iter().take(end);
        all.for_each(|entry| frontier.append(Entry::leaf(entry)));
        let shown = self.entries[first..end].iter().cloned().map(Bytes);
        let export = Export {
            header: header.clone(),
            histories: vec![HistorySection {
                subject: PATIENT,
                first: first as u64,
                log: frontier,
                entries: shown.collect(),
                proof: state.prove(&PATIENT.slot()),
            }],
            growth,
            texts: Vec::new(),
            finality: None,
        };
        let size = header.height + 1;
        let checkpoint = Checkpoint {
            origin: origin(&CHAIN),
            size,
            root: self.log.root_at(size).expect("within the log"),
        };
        let text = checkpoint.to_string();
        let keys = (0..3).map(cosigner);
        let lines = keys.map(|key| line(key, &text, 1_800_000_000));
        ProofFile {
            extra: to_bytes(&export),
            index: header.height,
            proof: self
                .log
                .prove_inclusion(header.height, size)
                .expect("within the log"),
            checkpoint: SignedNote {
                signatures: [line(log_key(), &text, 0)]
                    .into_iter()
                    .chain(lines)
                    .collect(),
                text,
            },
        }
        .to_string()
    }
}

/// The policy of four validators, of whom three must have cosigned.
pub(crate) fn policy() -> String {
    let mut lines = vec![format!("log {}", log_key().0)];
    lines.extend((0..4).map(|i| format!("witness v{i} {}", cosigner(i).0)));
    lines.push("group validators 3 v0 v1 v2 v3".into());
    lines.push("quorum validators\n".into());
    lines.join("\n")
}

fn entry(n: u64, height: u64, event: Event) -> Vec<u8> {
    to_bytes(&Entry {
        height,
        time: Time(1_790_000_000_000 + n),
        tx: tx(n),
        actor: ActorId([7; 16]),
        org: OrgId([1; 16]),
        event,
    })
}

/// The transaction behind entry `n`.
fn tx(n: u64) -> TxId {
    TxId(leaf_hash(&[n.to_be_bytes(), *b"an entry"].concat()).0)
}

/// The record that entry `n` adds.
fn record_id(n: u64) -> RecordId {
    RecordId(leaf_hash(&tx(n).0).0[..16].try_into().expect("16 bytes"))
}

fn record(n: u64) -> Event {
    Event::RecordAdded(RecordAdded {
        record: record_id(n),
        version: 1,
        header: HeaderDigest(tx(n).0),
        supersedes: None,
    })
}

fn visit(n: u64) -> Event {
    let first = n - n % 20;
    let records = |count| (1..=count).map(move |at| first + at);
    let outcome = |at| Outcome {
        record: record_id(at),
        header: Some(HeaderDigest(tx(at).0)),
        permitted: true,
        code: token("granted"),
        basis: vec![token(&tx(first).to_string())],
        obligations: vec![token("log")],
    };
    match n % 20 {
        0 => Event::Directive(DirectiveIssued {
            kind: token("grant"),
            target: None,
            from: Some(Time(1_790_000_000_000)),
            until: Some(Time(1_890_000_000_000)),
        }),
        1..=10 => record(n),
        11..=13 => Event::Access(Access {
            action: token("read"),
            purpose: token("TREAT"),
            reason_code: token("appointment"),
            reason: Hash(tx(n).0),
            foreign_claim: false,
            records: records(6).map(outcome).collect(),
            release_until: Some(Time(1_790_000_600_000 + n)),
        }),
        receipt @ 14..=18 => Event::Released(Released {
            request: tx(first + 11 + receipt % 3),
            custodian: 1 + receipt % 4,
            records: records(5).map(record_id).collect(),
        }),
        _ => Event::Erased(Erased {
            record: record_id(first + 1),
        }),
    }
}

fn token(text: &str) -> Token {
    Token::new(text).expect("a token")
}

fn block(log: &mut Log, state: &Map, frontier: &Frontier) -> (BlockHeader, Map) {
    let slot = BTreeMap::from([(PATIENT.slot(), Some(to_bytes(frontier)))]);
    let state = state.update(slot);
    let header = BlockHeader {
        version: 1,
        chain: CHAIN,
        epoch: 0,
        height: log.size(),
        parent: Hash::ZERO,
        time: Time(1_790_000_100_000 + log.size()),
        tx_root: empty_root(),
        state_root: state.root(),
        log_root: log.root(),
        log_size: log.size(),
        next_committee: Hash([7; 32]),
    };
    log.append(header.leaf());
    (header, state)
}

fn log_key() -> (VerifierKey, SigningKey) {
    key(&origin(&CHAIN), KeyKind::Log, 0x50)
}

fn cosigner(index: u8) -> (VerifierKey, SigningKey) {
    key(
        &format!("v{index}.example"),
        KeyKind::Cosigner,
        0x60 + index,
    )
}

fn key(name: &str, kind: KeyKind, seed: u8) -> (VerifierKey, SigningKey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey(key.verifying_key().to_bytes());
    (VerifierKey::new(name, kind, public).expect("a name"), key)
}

fn line((vkey, key): (VerifierKey, SigningKey), text: &str, time: u64) -> NoteSignature {
    vkey.line(text, time, |bytes| Signature(key.sign(bytes).to_bytes()))
}
