//! One organization's node while its chain grows: what each operation costs at every decade of patients, with a hundred
//! entries of histories for each of them.
//!
//! The chain's blocks are made by [`Workload`] and kept by the store; at each decade a [`Node`] is opened on the folder, as
//! after a restart, and everything is asked of it. Its shares are as many as the records; those of the workload's records
//! are random bytes of a share's size, as nobody sealed them.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chartseal_audit::{Kept, Options, TrustPolicy, Verdict, verify};
use chartseal_consensus::Replica as _;
use chartseal_envelope::{
    Content, CustodianSet, KemKeyPair, KemPublicKey, RecordInfo, RecordVersion, SealedRecord,
    SetId, SigningKeyPair, SubjectId, Suite, Threshold, deal, seal,
};
use chartseal_ledger::store::{Commit, LedgerStore as _, export_snapshot, reload};
use chartseal_ledger::{Block, SignedTransaction};
use chartseal_node::{
    Certified, Clock, Envelope, EnvelopeFront, ExportRequest, LedgerStoreError, Node, NodeKeys,
    RedbLedger, Stores,
};
use chartseal_vault::{FileSecretStore, SecretStore as _, ShareKey};
use chartseal_wire::checkpoint::origin;
use chartseal_wire::{OrgId, PatientId, ProofFile, SignedNote, Subject};
use tempfile::TempDir;

use super::workload::{VISIT, Workload};
use super::{Result, VISITS};
use crate::made::{ORGANIZATIONS, PATIENT, hash, id16};
use crate::median;
use crate::policy::resident;

/// The decades of [`scale`].
pub const DECADES: [u64; 4] = [100, 1_000, 10_000, 100_000];

/// Entries of all histories for each patient.
const ENTRIES_EACH: u64 = 100;
/// How often something is measured: full blocks, and the rest.
const BLOCKS: usize = 5;
const TIMES: usize = 31;
/// Shares that are put into the store at once.
const BATCH: u64 = 10_000;
/// The witness in the verifier's policy, which is the node itself.
const WITNESS: &str = "node";

/// What each operation costs at so many patients, as a table in Markdown; with each decade printed to the terminal when it
/// is measured.
pub fn scale(decades: &[u64]) -> Result<String> {
    let mut chain = Growing::new()?;
    let mut columns = Vec::new();
    for patients in decades {
        chain.grow(*patients)?;
        let column = chain.measure()?;
        eprintln!("{column:?}");
        columns.push(column);
    }
    table(&columns)
}

/// What was measured at one decade: what it is, and how much.
type Column = Vec<(&'static str, String)>;

fn table(columns: &[Column]) -> Result<String> {
    let first = columns.first().ok_or("nothing was measured")?;
    let mut text = String::new();
    for (at, (what, _)) in first.iter().enumerate() {
        let cells = columns.iter().filter_map(|column| column.get(at));
        let cells: Vec<&str> = cells.map(|(_, cell)| cell.as_str()).collect();
        writeln!(text, "| {what} | {} |", cells.join(" | "))?;
        if at == 0 {
            writeln!(text, "|{}", "---|".repeat(1 + cells.len()))?;
        }
    }
    Ok(text)
}

/// A chain in a node's folder.
struct Growing {
    workload: Workload,
    keys: NodeKeys,
    /// The other custodians' keys, to whom nothing is given.
    others: Vec<KemPublicKey>,
    dir: TempDir,
    entries: u64,
    shares: u64,
    /// Records that were sealed.
    sealed: u64,
}

impl Growing {
    fn new() -> Result<Self> {
        let keys = NodeKeys::generate()?;
        let others = (1..ORGANIZATIONS).map(|_| Ok(KemKeyPair::generate()?.public_key().clone()));
        Ok(Self {
            workload: Workload::for_node(&keys)?,
            keys,
            others: others.collect::<Result<_>>()?,
            dir: TempDir::new()?,
            entries: 0,
            shares: 0,
            sealed: 0,
        })
    }

    /// Enrols so many patients, and lets them be treated until there are so many entries for each.
    fn grow(&mut self, patients: u64) -> Result<()> {
        let mut store = RedbLedger::open(&self.dir.path().join("ledger.redb"))?;
        if store.head()?.is_none() {
            let genesis = &self.workload.genesis;
            store.commit(&Commit::new(&genesis.block(), &genesis.executed()))?;
        }
        let mut head = reload(&store)?.overlay;
        while let Some((block, executed)) = self.workload.enrolments(&head, patients)? {
            self.entries += executed.entries.len() as u64;
            store.commit(&Commit::new(&block, &executed))?;
            head = executed.overlay;
        }
        while self.entries < patients * ENTRIES_EACH {
            let (block, executed) = self.workload.visits(&head, VISITS)?;
            self.entries += executed.entries.len() as u64;
            store.commit(&Commit::new(&block, &executed))?;
            head = executed.overlay;
        }
        drop(store);
        self.fill_shares()
    }

    /// Puts a share into the store for each record of the workload.
    fn fill_shares(&mut self) -> Result<()> {
        let store = FileSecretStore::<ShareKey>::open(self.share_dir(), &self.keys.store)?;
        let share = self.own_share()?;
        while self.shares < self.workload.records() {
            let until = self.workload.records().min(self.shares + BATCH);
            let keys = (self.shares..until).map(|n| ShareKey::of_deal(&hash("header", n), 0));
            let batch: Vec<(ShareKey, &[u8])> = keys.map(|key| (key, share.as_slice())).collect();
            store.put_batch(&batch)?;
            self.shares = until;
        }
        Ok(())
    }

    fn share_dir(&self) -> PathBuf {
        self.dir.path().join("shares")
    }

    /// As many bytes as a share takes in the store.
    fn own_share(&self) -> Result<Vec<u8>> {
        let author = SigningKeyPair::generate()?;
        let sealed = self.seal(id16("share", 0), 0, &author)?;
        let own = [self.keys.kem.public_key().clone()];
        let keys = own.iter().chain(&self.others).cloned().collect::<Vec<_>>();
        let deals = deal(&[&sealed.dealer], &keys)?;
        let deal = deals.first().ok_or("no deal")?;
        let dealing = sealed.dealer.dealing();
        let accepted =
            chartseal_envelope::accept_all(&self.keys.kem, deal.index(), &[dealing], deal)?;
        let share = accepted.held.first().ok_or("no share")?;
        Ok(share.to_storage_bytes().to_vec())
    }

    /// A record of 1 KiB for this network's custodians.
    fn seal(
        &self,
        record: [u8; 16],
        patient: u64,
        author: &SigningKeyPair,
    ) -> Result<SealedRecord> {
        let info = RecordInfo {
            suite: Suite::XWing,
            record_id: chartseal_envelope::RecordId(record),
            subject: SubjectId(id16(PATIENT, patient)),
            version: RecordVersion::FIRST,
            custodians: CustodianSet {
                id: SetId(self.workload.genesis.committee().hash().0),
                epoch: 0,
                threshold: Threshold::new(3, 4)?,
            },
        };
        let content = Content {
            media_type: "text/plain",
            attributes: &[],
            bytes: &[7; 1_024],
        };
        Ok(seal(&info, &content, author)?)
    }

    fn measure(&mut self) -> Result<Column> {
        let keys = NodeKeys::from_secret_bytes(&self.keys.to_secret_bytes())?;
        let stores = Stores::open(self.dir.path(), &keys.store)?;
        let clock = Clock::manual(self.workload.now());
        let genesis = &self.workload.genesis;
        let begun = Instant::now();
        let mut node = Node::follow(genesis, organization(), keys, stores, clock.clone())?;
        let started = begun.elapsed();
        let memory = resident()?;

        let mut column: Column = Vec::new();
        let mut say = |what, much| column.push((what, much));
        let counts = node.ledger().counts()?;
        say("patients", count(self.workload.patients()));
        say("entries of histories", count(counts.entries));
        say("transactions", count(counts.transactions));
        say("records", count(self.workload.records()));
        say("values of the state", count(counts.state));
        say("start, the whole state compared", seconds(started));
        say("memory of the process", bytes(memory as u64));
        say("disk", bytes(self.disk()?));

        let full = self.full_blocks(&mut node)?;
        say(
            "a transaction in a block of 2,048: executed, kept durably",
            micro(full / f64::from(u32::try_from(VISITS * VISIT)?)),
        );
        clock.advance_ms(self.workload.now().0 - clock.now().0);
        let policy = policy(&node)?;
        let lone = self.lone(&mut node, &policy)?;
        clock.advance_ms(self.workload.now().0 - clock.now().0);
        say("a block of one transaction: the same", micro(lone.block));

        let whole = self.whole(&node, &policy)?;
        say(
            "a value of the state with its proof",
            micro(self.values(&node)),
        );
        say(
            "a transaction of such a block with its proof",
            micro(transactions(&node)?),
        );
        say(
            "a patient's history, entries (median)",
            count(whole.entries),
        );
        say("exported", micro(whole.export));
        say("verified by the patient", micro(whole.verify));
        say("its file", bytes(whole.bytes));
        say("one new entry exported", micro(lone.export));
        say("verified", micro(lone.verify));
        say("its file (one entry)", bytes(lone.bytes));

        let (deposited, released) = self.custody(&mut node, &clock)?;
        say("a record of 1 KiB deposited", micro(deposited));
        say("released for a request", micro(released));

        let (took, size) = snapshot(&node)?;
        say("a snapshot exported", seconds(took));
        say("its size", bytes(size));
        Ok(column)
    }

    fn disk(&self) -> Result<u64> {
        let files = ["ledger.redb", "shares/secrets.redb", "side/secrets.redb"];
        let sizes = files.map(|file| fs::metadata(self.dir.path().join(file)));
        let sizes: std::io::Result<Vec<_>> = sizes.into_iter().collect();
        Ok(sizes?.iter().map(fs::Metadata::len).sum())
    }

    fn full_blocks(&mut self, node: &mut Node) -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..BLOCKS {
            let (block, executed) = self.workload.visits(node.head(), VISITS)?;
            self.entries += executed.entries.len() as u64;
            drop(executed);
            times.push(timed(|| take(node, &block))?.1);
        }
        Ok(median(times))
    }

    /// Blocks of one transaction, each of which adds an entry to a patient's history; what is new in it for the patient who
    /// verified the history before.
    fn lone(&mut self, node: &mut Node, policy: &TrustPolicy) -> Result<Cost> {
        let (mut blocks, mut exports, mut verified) = (Vec::new(), Vec::new(), Vec::new());
        let mut size = 0;
        for _ in 0..TIMES / 3 {
            let patient = patient(self.workload.next_relabelled());
            let file = export(node, &request(patient, 0, None))?;
            let kept = proved(&file.to_string(), policy, None)?;
            let (block, executed) = self.workload.relabellings(node.head(), 1)?;
            self.entries += executed.entries.len() as u64;
            drop(executed);
            blocks.push(timed(|| take(node, &block))?.1);
            let seen = kept.histories().map(|(_, seen)| seen).sum();
            let since = || request(patient, seen, Some(kept.log_size()));
            let (file, took) = timed(|| export(node, &since()))?;
            exports.push(took);
            let file = file.to_string();
            size = file.len() as u64;
            verified.push(timed(|| proved(&file, policy, Some(&kept)))?.1);
        }
        Ok(Cost {
            block: median(blocks),
            export: median(exports),
            verify: median(verified),
            bytes: size,
            entries: 1,
        })
    }

    /// Whole histories of patients who came with this decade.
    fn whole(&self, node: &Node, policy: &TrustPolicy) -> Result<Cost> {
        let (mut exports, mut verified) = (Vec::new(), Vec::new());
        let (mut sizes, mut entries) = (Vec::new(), Vec::new());
        for patient in self.some_patients(TIMES as u64) {
            let (file, took) = timed(|| export(node, &request(patient, 0, None)))?;
            exports.push(took);
            let file = file.to_string();
            sizes.push(file.len() as u64);
            let (kept, took) = timed(|| proved(&file, policy, None))?;
            verified.push(took);
            entries.push(kept.histories().map(|(_, seen)| seen).sum());
        }
        Ok(Cost {
            block: f64::NAN,
            export: median(exports),
            verify: median(verified),
            bytes: middle(sizes),
            entries: middle(entries),
        })
    }

    fn some_patients(&self, n: u64) -> impl Iterator<Item = Subject> {
        let all = self.workload.patients();
        let n = n.min(all);
        // A prime step, so that they are not neighbours of one block.
        (0..n).map(move |at| patient((all - 1) - at * 7_919 % all.div_ceil(2)))
    }

    /// What nobody asked for since the node started.
    fn values(&self, node: &Node) -> f64 {
        let state = node.head().map();
        let times = self.some_patients(1_000).map(|subject| {
            let begun = Instant::now();
            let key = subject.slot();
            black_box((state.get(&key), state.prove(&key)));
            begun.elapsed()
        });
        median(times.collect())
    }

    /// A deposit of a sealed record, and its release.
    fn custody(&mut self, node: &mut Node, clock: &Clock) -> Result<(f64, f64)> {
        let own = [self.keys.kem.public_key().clone()];
        let kems = own.iter().chain(&self.others).cloned().collect::<Vec<_>>();
        let reader = KemKeyPair::generate()?;
        let (mut deposits, mut releases) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            self.sealed += 1;
            let record = id16("sealed", self.sealed);
            let patient = self.sealed % self.workload.patients().min(100);
            let author = self.workload.author();
            let sealed = self.seal(record, patient, &author)?;
            let anchored = self.workload.anchor(node.head(), patient, &sealed)?;
            take(node, &anchored)?;
            let deals = deal(&[&sealed.dealer], &kems)?;
            let deal = deals.first().ok_or("no deal")?;
            let envelope = Envelope {
                front: EnvelopeFront {
                    header: sealed.header,
                    seal: sealed.seal,
                },
                body: sealed.body,
            };
            let (deposited, took) =
                timed(|| Ok(node.deposit(std::slice::from_ref(&envelope), deal)?))?;
            if deposited.acknowledgements.len() != 1 {
                return Err("the deposit was refused".into());
            }
            deposits.push(took);
            let reader_key = reader.key_id().0;
            let header = &envelope.front.header;
            let (block, request) = self
                .workload
                .read(node.head(), patient, header, reader_key)?;
            take(node, &block)?;
            clock.advance_ms(self.workload.now().0 - clock.now().0);
            releases.push(timed(|| Ok(node.release(&request, reader.public_key())?))?.1);
        }
        Ok((median(deposits), median(releases)))
    }
}

/// Medians.
struct Cost {
    block: f64,
    export: f64,
    verify: f64,
    bytes: u64,
    entries: u64,
}

/// Whose node it is.
fn organization() -> OrgId {
    OrgId(id16("org", 0))
}

fn patient(id: u64) -> Subject {
    Subject::Patient(PatientId(id16(PATIENT, id)))
}

fn take(node: &mut Node, block: &Block) -> Result<()> {
    node.execute(block)?;
    Ok(node.commit(block.header.leaf())?)
}

fn export(node: &Node, request: &ExportRequest) -> Result<ProofFile> {
    let checkpoint = node.checkpoint();
    let signatures = vec![
        node.sign_checkpoint(&checkpoint)?,
        node.cosign_checkpoint(&checkpoint)?,
    ];
    let text = checkpoint.to_string();
    Ok(node.export(request, SignedNote { text, signatures })?)
}

/// Of full blocks all over the chain.
fn transactions(node: &Node) -> Result<f64> {
    let at = Certified {
        file: export(node, &ExportRequest::default())?.to_string(),
        state: node.head().clone(),
    };
    let step = (node.head().height() / (4 * TIMES as u64)).max(1);
    let mut times = Vec::new();
    for height in (1..=node.head().height()).step_by(usize::try_from(step)?) {
        let block = node.ledger().block(height)?.ok_or("no such block")?;
        let Some(id) = block.transactions.first().map(SignedTransaction::id) else {
            continue;
        };
        if block.transactions.len() as u64 != VISITS * VISIT {
            continue;
        }
        let (proof, took) = timed(|| Ok(node.prove_transaction(&at, &id)?))?;
        proof.ok_or("a transaction is not found")?;
        times.push(took);
    }
    Ok(median(times))
}

/// Whoever trusts this node alone.
fn policy(node: &Node) -> Result<TrustPolicy> {
    let origin = origin(&node.chain());
    let log = node.keys().log_vkey(&origin).ok_or("no log key")?;
    let witness = node.keys().cosigner_vkey(&organization()).ok_or("no key")?;
    let text = format!("log {log}\nwitness {WITNESS} {witness}\nquorum {WITNESS}\n");
    Ok(TrustPolicy::parse(&text)?)
}

fn request(subject: Subject, first: u64, log_size: Option<u64>) -> ExportRequest {
    ExportRequest {
        histories: vec![(subject, first)],
        log_size,
    }
}

fn proved(file: &str, policy: &TrustPolicy, kept: Option<&Kept>) -> Result<Kept> {
    match verify(file, policy, kept, &Options::default()) {
        Verdict::Proved(report) => Ok(report.kept),
        other => Err(other.to_string().into()),
    }
}

fn snapshot(node: &Node) -> Result<(Duration, u64)> {
    let mut size = 0;
    let sink = |chunk: &[u8]| {
        size += chunk.len() as u64;
        Ok::<_, LedgerStoreError>(())
    };
    let ((), took) = timed(|| Ok(export_snapshot(node.ledger(), sink)?))?;
    Ok((took, size))
}

/// What some work gives, and how long it takes.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let begun = Instant::now();
    let outcome = work()?;
    Ok((outcome, begun.elapsed()))
}

fn middle(mut counts: Vec<u64>) -> u64 {
    counts.sort_unstable();
    counts.get(counts.len() / 2).copied().unwrap_or(0)
}

fn count(n: u64) -> String {
    let digits = n.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// Of nanoseconds.
fn micro(ns: f64) -> String {
    if ns < 1e5 {
        format!("{:.1} µs", ns / 1e3)
    } else {
        format!("{:.2} ms", ns / 1e6)
    }
}

fn seconds(took: Duration) -> String {
    if took.as_secs() < 1 {
        format!("{} ms", took.as_millis())
    } else {
        format!("{:.1} s", took.as_secs_f64())
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 bytes")]
fn bytes(n: u64) -> String {
    let n = n as f64;
    if n < 1e6 {
        format!("{:.1} kB", n / 1e3)
    } else if n < 1e9 {
        format!("{:.1} MB", n / 1e6)
    } else {
        format!("{:.2} GB", n / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decade_is_measured_on_proved_answers() {
        let table = scale(&[20, 40]).unwrap();
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(rows.first(), Some(&"| patients | 20 | 40 |"));
        assert!(
            rows.iter().all(|row| row.matches('|').count() == 4),
            "{table}"
        );
        assert!(!table.contains("NaN"), "{table}");
    }

    #[test]
    fn counts_and_sizes_are_written_for_people() {
        assert_eq!(count(7), "7");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(bytes(12_345), "12.3 kB");
        assert_eq!(micro(12_345.0), "12.3 µs");
        assert_eq!(micro(12_345_678.0), "12.35 ms");
    }
}
