//! A small network in memory, made of nothing but the published formats: it writes whatever a test
//! tells it to write, and signs it.

use std::collections::BTreeMap;

use chartseal_audit::{
    Freshness, Kept, Options, Refutation, Report, Rule, TrustPolicy, Verdict, verify,
};
use chartseal_codec::{Bytes, Decode, Decoder, Encoder, canonical_struct, to_bytes};
use chartseal_merkle::{Frontier, Log, Map};
use chartseal_wire::checkpoint::origin;
use chartseal_wire::export::{Finality, Growth, Handover};
use chartseal_wire::history::{
    Access, DirectiveIssued, EmergencyDeclared, Enrolled, Erased, Outcome, RecordAdded, Released,
    Reviewed, Token,
};
use chartseal_wire::note::{KeyKind, NoteSignature};
use chartseal_wire::{
    ActorId, BlockHeader, Certificate, ChainId, Checkpoint, Committee, Entry, Event, Export, Hash,
    HeaderDigest, HistorySection, Member, OrgId, PatientId, ProofFile, PublicKey, RecordId,
    SealedText, Signature, SignedNote, Subject, Time, TxId, VerifierKey,
};
use ed25519_dalek::{Signer, SigningKey};

pub(crate) const PATIENT: PatientId = PatientId([0xa1; 16]);
pub(crate) const OTHER: PatientId = PatientId([0xa2; 16]);
pub(crate) const DOCTOR: ActorId = ActorId([0xd1; 16]);
pub(crate) const SURGEON: ActorId = ActorId([0xd2; 16]);
pub(crate) const REVIEWER: ActorId = ActorId([0xd3; 16]);
pub(crate) const LAB: RecordId = RecordId([0x11; 16]);
pub(crate) const NOTE: RecordId = RecordId([0x12; 16]);
/// 2026-11-22T00:00:00Z.
pub(crate) const START: u64 = 1_795_305_600_000;
/// The number of entries of the patient's history after [`Network::visit`].
pub(crate) const VISIT: u64 = 13;
/// The time between two blocks, in ms.
pub(crate) const STEP: u64 = 1000;

pub(crate) fn subject() -> Subject {
    Subject::Patient(PATIENT)
}

pub(crate) fn token(text: &str) -> Token {
    Token::new(text).unwrap()
}

/// A chain of blocks with their states, and the keys of its four validators.
pub(crate) struct Network {
    pub(crate) chain: ChainId,
    pub(crate) headers: Vec<BlockHeader>,
    pub(crate) log: Log,
    /// The state after each block.
    pub(crate) states: Vec<Map>,
    /// Every entry's bytes, with the height of its block.
    pub(crate) histories: BTreeMap<Subject, Vec<(u64, Vec<u8>)>>,
    pub(crate) texts: Vec<SealedText>,
    /// Whether headers name committees.
    has_committees: bool,
    /// The committee of epoch 1, if it is not as the others.
    pub(crate) second: Option<Committee>,
    /// The heights of the blocks that name the next epoch's.
    pub(crate) handovers: Vec<u64>,
    next_tx: u8,
}

impl Network {
    /// A chain with a genesis block.
    pub(crate) fn new(chain: u8) -> Self {
        Self::with_committees(chain, false)
    }

    /// A chain whose blocks a committee certifies, after `handovers` changes of it.
    pub(crate) fn certified(handovers: usize) -> Self {
        let mut net = Self::with_committees(0xcc, true);
        net.event(subject(), PATIENT.into(), enrolled(PATIENT));
        for _ in 0..handovers {
            net.hand_over();
            net.event(subject(), DOCTOR, added(LAB));
        }
        net
    }

    fn with_committees(chain: u8, has_committees: bool) -> Self {
        let mut net = Self {
            chain: ChainId([chain; 32]),
            headers: Vec::new(),
            log: Log::new(),
            states: Vec::new(),
            histories: BTreeMap::new(),
            texts: Vec::new(),
            has_committees,
            second: None,
            handovers: Vec::new(),
            next_tx: 0,
        };
        net.seal();
        net
    }

    /// A visit: enrolment, two records, a grant, a read, a refusal, a revocation, an emergency with
    /// its review. Another patient lives beside it.
    pub(crate) fn visit() -> Self {
        let mut net = Self::new(0xcc);
        net.event(Subject::Patient(OTHER), OTHER.into(), enrolled(OTHER));
        net.event(subject(), PATIENT.into(), enrolled(PATIENT));
        net.event(subject(), DOCTOR, added(LAB));
        net.event(subject(), DOCTOR, added(NOTE));
        let grant = net.event(subject(), PATIENT.into(), directive("grant", None));
        let read = net.access(DOCTOR, &[(LAB, true, "granted", Some(grant))]);
        for custodian in 1..=3 {
            net.event(subject(), DOCTOR, released(read, custodian, &[LAB]));
        }
        net.access(DOCTOR, &[(NOTE, false, "no_grant", None)]);
        net.event(subject(), PATIENT.into(), directive("revoke", Some(grant)));
        net.declare(SURGEON);
        let broken = net.access(SURGEON, &[(NOTE, true, "emergency", None)]);
        net.event(subject(), REVIEWER, reviewed(broken));
        net
    }

    /// One event in a block of its own; gives its transaction.
    pub(crate) fn event(&mut self, subject: Subject, actor: ActorId, event: Event) -> TxId {
        let entry = self.entry(actor, event);
        let tx = entry.tx;
        self.raw(subject, to_bytes(&entry));
        self.seal();
        tx
    }

    /// The entry that an event in the next block would be.
    pub(crate) fn entry(&mut self, actor: ActorId, event: Event) -> Entry {
        self.next_tx += 1;
        self.entry_of(actor, TxId([self.next_tx; 32]), event)
    }

    pub(crate) fn entry_of(&self, actor: ActorId, tx: TxId, event: Event) -> Entry {
        Entry {
            height: self.headers.len() as u64,
            time: self.now(),
            tx,
            actor,
            org: OrgId([0x01; 16]),
            event,
        }
    }

    /// Bytes in a history as they are, for the next block.
    pub(crate) fn raw(&mut self, subject: Subject, entry: Vec<u8>) {
        let height = self.headers.len() as u64;
        self.histories
            .entry(subject)
            .or_default()
            .push((height, entry));
    }

    /// A request with its decision and its sealed reason.
    pub(crate) fn access(
        &mut self,
        actor: ActorId,
        records: &[(RecordId, bool, &str, Option<TxId>)],
    ) -> TxId {
        let text = self.text();
        let now = self.now();
        let records: Vec<Outcome> = records
            .iter()
            .map(|(record, permitted, code, basis)| Outcome {
                record: *record,
                header: Some(HeaderDigest([3; 32])),
                permitted: *permitted,
                code: token(code),
                basis: basis.iter().map(|id| token(&id.to_string())).collect(),
                obligations: vec![],
            })
            .collect();
        let access = Access {
            action: token("read"),
            purpose: token("TREAT"),
            reason_code: token("follow-up"),
            reason: text,
            foreign_claim: false,
            release_until: records
                .iter()
                .any(|r| r.permitted)
                .then(|| now.plus_ms(600_000)),
            records,
        };
        self.event(subject(), actor, Event::Access(access))
    }

    pub(crate) fn declare(&mut self, actor: ActorId) -> TxId {
        let declared = EmergencyDeclared {
            reason_code: token("trauma"),
            reason: self.text(),
            until: self.now().plus_ms(3_600_000),
        };
        self.event(subject(), actor, Event::Emergency(declared))
    }

    /// A sealed text, and its commitment.
    pub(crate) fn text(&mut self) -> Hash {
        let salt = [0x40 + u8::try_from(self.texts.len()).unwrap(); 32];
        let text = SealedText {
            salt,
            sealed: Bytes(vec![9; 5]),
        };
        let commitment = text.commitment();
        self.texts.push(text);
        commitment
    }

    /// The time of the next block.
    pub(crate) fn now(&self) -> Time {
        Time(START + STEP * self.headers.len() as u64)
    }

    /// Makes a block of what was written since the last one.
    pub(crate) fn seal(&mut self) {
        let height = self.headers.len() as u64;
        let changes = self.histories.iter().map(|(subject, entries)| {
            let mut log = Frontier::new();
            for (_, entry) in entries {
                log.append(Entry::leaf(entry));
            }
            (subject.slot(), Some(to_bytes(&log)))
        });
        let state = Map::new().update(changes.collect());
        let epoch = |is_over: &dyn Fn(u64) -> bool| {
            self.handovers.iter().filter(|at| is_over(**at)).count() as u64
        };
        let header = BlockHeader {
            version: 1,
            chain: self.chain,
            epoch: epoch(&|at| at < height),
            height,
            parent: self.headers.last().map_or(Hash::ZERO, BlockHeader::leaf),
            time: self.now(),
            tx_root: chartseal_merkle::empty_root(),
            state_root: state.root(),
            log_root: self.log.root(),
            log_size: height,
            next_committee: if self.has_committees {
                self.committee(epoch(&|at| at <= height)).hash()
            } else {
                Hash([7; 32])
            },
        };
        self.log.append(header.leaf());
        self.headers.push(header);
        self.states.push(state);
    }

    /// A block that names the committee of the next epoch.
    pub(crate) fn hand_over(&mut self) {
        self.handovers.push(self.headers.len() as u64);
        self.seal();
    }

    /// The newest block's certificate, and how its committee came into office.
    pub(crate) fn finality(&self) -> Finality {
        let size = self.log.size();
        let handover = |at: &u64| {
            let header = self.headers[usize::try_from(*at).unwrap()].clone();
            Handover {
                proof: self.log.prove_inclusion(header.height, size).unwrap(),
                certificate: self.certify(&header),
                next: self.committee(header.epoch + 1),
                header,
            }
        };
        let newest = self.headers.last().unwrap();
        let before = self.handovers.iter().filter(|at| **at < newest.height);
        Finality {
            first: committee(0),
            handovers: before.map(handover).collect(),
            certificate: self.certify(newest),
        }
    }

    fn committee(&self, epoch: u64) -> Committee {
        let second = self.second.clone().filter(|one| one.epoch() == epoch);
        second.unwrap_or_else(|| committee(epoch))
    }

    /// A header's certificate by as many as are needed.
    fn certify(&self, header: &BlockHeader) -> Certificate {
        let committee = self.committee(header.epoch);
        let quorum = usize::try_from(committee.quorum()).unwrap();
        let by: Vec<usize> = (0..quorum).collect();
        sign_off(header, &committee, header.epoch, &by)
    }

    /// A full export with the certificate, which no witness cosigned.
    pub(crate) fn certified_export(&self) -> Parts {
        let mut parts = self.export();
        parts.export.finality = Some(self.finality());
        parts.cosigners.clear();
        parts
    }

    /// The policy of a committee, and of witnesses that need not sign.
    pub(crate) fn committee_policy(&self, epoch: u64) -> String {
        let policy = self.policy_text();
        let head = policy.split("group").next().unwrap();
        let hash = committee(epoch).hash();
        format!("{head}committee network {hash}\nquorum network\n")
    }

    /// A full export of the patient's history.
    pub(crate) fn export(&self) -> Parts {
        self.export_of(&[(subject(), 0)], self.headers.len() - 1)
    }

    /// The patient's history from an entry on, and how the log grew from a size.
    pub(crate) fn export_since(&self, first: u64, from: u64) -> Parts {
        let mut parts = self.export_of(&[(subject(), first)], self.headers.len() - 1);
        let proof = self.log.prove_consistency(from, self.log.size()).unwrap();
        parts.export.growth = Some(Growth { from, proof });
        parts
    }

    /// Histories after a block, under the newest checkpoint.
    pub(crate) fn export_of(&self, subjects: &[(Subject, u64)], height: usize) -> Parts {
        let histories = subjects.iter().map(|(subject, first)| {
            let all = self.histories.get(subject).map_or(&[][..], Vec::as_slice);
            let entries = all.iter().filter(|(at, _)| *at <= height as u64);
            let mut log = Frontier::new();
            for (_, entry) in entries.clone() {
                log.append(Entry::leaf(entry));
            }
            let entries = entries.skip(usize::try_from(*first).unwrap());
            HistorySection {
                subject: *subject,
                first: *first,
                log,
                entries: entries.map(|(_, entry)| Bytes(entry.clone())).collect(),
                proof: self.states[height].prove(&subject.slot()),
            }
        });
        let histories: Vec<HistorySection> = histories.collect();
        let made: Vec<u8> = histories
            .iter()
            .flat_map(|h| &h.entries)
            .flat_map(|e| e.0.clone())
            .collect();
        let is_made = |text: &&SealedText| {
            let commitment = text.commitment();
            made.windows(32).any(|window| window == commitment.as_ref())
        };
        let size = self.log.size();
        Parts {
            export: Export {
                header: self.headers[height].clone(),
                histories,
                growth: None,
                texts: self.texts.iter().filter(is_made).cloned().collect(),
                finality: None,
            },
            index: height as u64,
            proof: self.log.prove_inclusion(height as u64, size).unwrap(),
            checkpoint: Checkpoint {
                origin: origin(&self.chain),
                size,
                root: self.log.root(),
            },
            proposer: Some(1),
            cosigners: vec![0, 1, 2],
            signed_at: self.now().0 / 1000,
        }
    }

    pub(crate) fn policy(&self) -> TrustPolicy {
        TrustPolicy::parse(&self.policy_text()).unwrap()
    }

    /// The policy of four validators, of whom three must have cosigned.
    pub(crate) fn policy_text(&self) -> String {
        let origin = origin(&self.chain);
        let mut lines: Vec<String> = (0..4)
            .map(|i| format!("log {}", proposer(&origin, i).0))
            .collect();
        lines.extend((0..4).map(|i| format!("witness v{} {}", i + 1, cosigner(i).0)));
        lines.push("group validators 3 v1 v2 v3 v4".into());
        lines.push("quorum validators\n".into());
        lines.join("\n")
    }

    pub(crate) fn verify(&self, parts: &Parts) -> Verdict {
        self.ask(parts, None).verdict()
    }

    /// A file under this network's policy, and perhaps what was kept.
    pub(crate) fn ask(&self, parts: &Parts, kept: Option<&Kept>) -> Question {
        self.ask_text(parts.text(), kept)
    }

    pub(crate) fn ask_text(&self, file: String, kept: Option<&Kept>) -> Question {
        Question {
            file,
            policy: self.policy_text(),
            kept: kept.cloned(),
            options: Options::default(),
        }
    }

    pub(crate) fn report(&self, parts: &Parts) -> Report {
        proved(self.verify(parts))
    }
}

/// The committee of an epoch: four organizations, with keys of their own in each.
pub(crate) fn committee(epoch: u64) -> Committee {
    committee_of(epoch, 4)
}

pub(crate) fn committee_of(epoch: u64, members: u8) -> Committee {
    let member = |n: u8| Member {
        org: OrgId([n; 16]),
        validator: PublicKey(validator(epoch, n).verifying_key().to_bytes()),
    };
    Committee::new(epoch, (1..=members).map(member).collect()).unwrap()
}

/// The key of member `n` in an epoch.
pub(crate) fn validator(epoch: u64, n: u8) -> SigningKey {
    let (round, place) = (epoch / 13, u8::try_from(epoch % 13).unwrap());
    let mut seed = [0x90 + 8 * place + n; 32];
    if round > 0 {
        seed[..8].copy_from_slice(&round.to_be_bytes());
    }
    SigningKey::from_bytes(&seed)
}

/// A header's certificate by these of its committee's validators, counted by their keys from 0.
pub(crate) fn certify(header: &BlockHeader, by: &[usize]) -> Certificate {
    sign_off(header, &committee(header.epoch), header.epoch, by)
}

/// A certificate by these validators of any committee.
pub(crate) fn sign_off(
    header: &BlockHeader,
    committee: &Committee,
    epoch: u64,
    by: &[usize],
) -> Certificate {
    let made = |signatures: &[(u64, Signature)]| {
        let views = (epoch, header.height + 300, header.height + 299);
        Certificate::new(views, header.leaf(), committee.n(), signatures).unwrap()
    };
    let blank: Vec<_> = by
        .iter()
        .map(|at| (*at as u64, Signature([0; 64])))
        .collect();
    let message = made(&blank).message(&header.chain);
    let signed: Vec<_> = by
        .iter()
        .map(|at| {
            let member = committee.validators()[*at];
            let key = validator(committee.epoch(), member.org.0[0]);
            (*at as u64, Signature(key.sign(&message).to_bytes()))
        })
        .collect();
    made(&signed)
}

/// A state as older versions wrote it: it remembers histories' frontiers, and nothing of their entries.
pub(crate) fn older(kept: &Kept) -> Kept {
    struct History {
        subject: Subject,
        log: Frontier,
        memory: Option<Memory>,
    }
    struct Memory {
        unreviewed: Vec<Unreviewed>,
        declarations: Vec<(ActorId, Time)>,
        holds: Vec<(TxId, RecordId)>,
        erased: Vec<RecordId>,
    }
    struct Unreviewed {
        request: TxId,
        actor: ActorId,
        entry: u64,
        until: Time,
    }
    canonical_struct!(History {
        subject,
        log,
        memory
    });
    canonical_struct!(Memory {
        unreviewed,
        declarations,
        holds,
        erased
    });
    canonical_struct!(Unreviewed {
        request,
        actor,
        entry,
        until
    });
    let bytes = kept.to_bytes();
    let mut d = Decoder::new(&bytes);
    if (d.array(6), d.uint()) != (Ok(6), Ok(3)) {
        return kept.clone();
    }
    let statement = d.text(1 << 20).unwrap();
    let note = ProofFile::parse(statement).map(|file| file.checkpoint.to_string());
    let note = note.unwrap_or_else(|_| statement.to_owned());
    let (height, time) = (d.uint().unwrap(), d.uint().unwrap());
    let histories: Vec<History> = d.list(64).unwrap();
    let committee: Option<(u64, Hash)> = Option::decode(&mut d).unwrap();
    let (fields, version) = if committee.is_some() { (6, 2) } else { (5, 1) };
    let mut e = Encoder::new();
    e.array(fields)
        .uint(version)
        .text(&note)
        .uint(height)
        .uint(time);
    let logs = histories.into_iter().map(|one| (one.subject, one.log));
    e.item(&logs.collect::<Vec<_>>());
    if let Some(committee) = &committee {
        e.item(committee);
    }
    let bytes = e.finish();
    let older = Kept::from_bytes(&bytes).unwrap();
    assert_eq!(older.to_bytes(), bytes);
    older
}

/// What a verifier is asked.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) file: String,
    pub(crate) policy: String,
    pub(crate) kept: Option<Kept>,
    pub(crate) options: Options,
}

impl Question {
    pub(crate) fn verdict(&self) -> Verdict {
        let policy = TrustPolicy::parse(&self.policy).unwrap();
        verify(&self.file, &policy, self.kept.as_ref(), &self.options)
    }
}

/// Everything that a file is made of; a test changes what it likes before it is written and signed.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) export: Export,
    pub(crate) index: u64,
    pub(crate) proof: Vec<Hash>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) proposer: Option<u8>,
    /// Who cosigns, in this order.
    pub(crate) cosigners: Vec<u8>,
    /// When they do, in seconds since 1970.
    pub(crate) signed_at: u64,
}

impl Parts {
    pub(crate) fn file(&self) -> ProofFile {
        let text = self.checkpoint.to_string();
        let log = self
            .proposer
            .map(|i| sign(proposer(&self.checkpoint.origin, i), &text, 0));
        let cosigned = self
            .cosigners
            .iter()
            .map(|i| sign(cosigner(*i), &text, self.signed_at));
        ProofFile {
            extra: to_bytes(&self.export),
            index: self.index,
            proof: self.proof.clone(),
            checkpoint: SignedNote {
                signatures: log.into_iter().chain(cosigned).collect(),
                text,
            },
        }
    }

    pub(crate) fn text(&self) -> String {
        self.file().to_string()
    }

    pub(crate) fn entries(&mut self) -> &mut Vec<Bytes> {
        &mut self.export.histories[0].entries
    }
}

pub(crate) fn sign((vkey, key): (VerifierKey, SigningKey), text: &str, time: u64) -> NoteSignature {
    vkey.line(text, time, |bytes| Signature(key.sign(bytes).to_bytes()))
}

/// A validator's key for proposals. 4 and above are nobody's.
pub(crate) fn proposer(origin: &str, index: u8) -> (VerifierKey, SigningKey) {
    named(origin, KeyKind::Log, 0x50 + index)
}

/// A validator's key for cosignatures. 4 and above are nobody's.
pub(crate) fn cosigner(index: u8) -> (VerifierKey, SigningKey) {
    named(
        &format!("v{}.example", index + 1),
        KeyKind::Cosigner,
        0x60 + index,
    )
}

pub(crate) fn named(name: &str, kind: KeyKind, seed: u8) -> (VerifierKey, SigningKey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey(key.verifying_key().to_bytes());
    (VerifierKey::new(name, kind, public).unwrap(), key)
}

pub(crate) fn enrolled(patient: PatientId) -> Event {
    Event::Enrolled(Enrolled {
        subject: patient.into(),
        provisional: false,
    })
}

pub(crate) fn added(record: RecordId) -> Event {
    Event::RecordAdded(RecordAdded {
        record,
        version: 1,
        header: HeaderDigest([3; 32]),
        supersedes: None,
    })
}

pub(crate) fn directive(kind: &str, target: Option<TxId>) -> Event {
    Event::Directive(DirectiveIssued {
        kind: token(kind),
        target,
        from: None,
        until: None,
    })
}

pub(crate) fn released(request: TxId, custodian: u64, records: &[RecordId]) -> Event {
    Event::Released(Released {
        request,
        custodian,
        records: records.to_vec(),
    })
}

pub(crate) fn reviewed(request: TxId) -> Event {
    Event::Reviewed(Reviewed {
        request,
        justified: true,
    })
}

pub(crate) fn erased(record: RecordId) -> Event {
    Event::Erased(Erased { record })
}

pub(crate) fn proved(verdict: Verdict) -> Report {
    match verdict {
        Verdict::Proved(report) => *report,
        other => panic!("{other}"),
    }
}

pub(crate) fn refuted(verdict: Verdict) -> Refutation {
    match verdict {
        Verdict::Refuted(refutation) => refutation,
        other => panic!("{other}"),
    }
}

pub(crate) fn assert_breaks(verdict: Verdict, rule: Rule) {
    let refutation = refuted(verdict);
    assert_eq!(refutation.rule, rule, "{refutation}");
}

pub(crate) fn fresh(now: u64, max_age_ms: u64) -> Options {
    let freshness = Some(Freshness {
        now: Time(now),
        max_age_ms,
    });
    Options {
        freshness,
        ..Options::default()
    }
}
