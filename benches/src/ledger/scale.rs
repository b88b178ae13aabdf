//! One organization's node while its chain grows: what each operation costs at every decade of patients, with a hundred
//! entries of histories for each of them.
//!
//! The chain's blocks are made by [`Workload`] and kept by the store; at each decade a [`Node`] is opened on the folder, as
//! after a restart, and everything is asked of it. Its shares are as many as the records; those of the workload's records
//! are all one share, as nobody sealed them.

mod custody;
mod histories;

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use chartseal_consensus::Replica as _;
use chartseal_envelope::{KemKeyPair, KemPublicKey};
use chartseal_ledger::store::{Commit, LedgerStore as _, export_snapshot};
use chartseal_ledger::{Block, SignedTransaction};
use chartseal_node::{
    Certified, Clock, ExportRequest, LedgerStoreError, Node, NodeKeys, RedbLedger, Stores,
};
use chartseal_vault::{FileSecretStore, SecretStore as _, ShareKey};
use chartseal_wire::{OrgId, PatientId, Subject};
use tempfile::TempDir;

use super::workload::{VISIT, Workload};
use super::{Result, VISITS, enrol, timed};
use crate::made::{ORGANIZATIONS, PATIENT, hash, id16};
use crate::median;
use crate::policy::resident;
use crate::written::{bytes, commas, real, span};
use histories::{export, policy};

/// The decades of [`scale`].
pub const DECADES: [u64; 4] = [100, 1_000, 10_000, 100_000];

/// Entries of all histories for each patient.
const ENTRIES_EACH: u64 = 100;
/// How often something is measured: full blocks, and the rest.
const BLOCKS: usize = 5;
const TIMES: usize = 31;
/// Shares that are put into the store at once.
const BATCH: u64 = 10_000;

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
            shares: 0,
            sealed: 0,
        })
    }

    /// Enrols so many patients, and lets them be treated until there are so many entries for each.
    fn grow(&mut self, patients: u64) -> Result<()> {
        let mut store = RedbLedger::open(&self.dir.path().join("ledger.redb"))?;
        let mut head = enrol(&mut self.workload, &mut store, patients)?;
        // Of the whole store, to count takes a look at every value: once.
        let mut entries = store.counts()?.entries;
        while entries < patients * ENTRIES_EACH {
            let (block, executed) = self.workload.visits(&head, VISITS)?;
            entries += executed.entries.len() as u64;
            store.commit(&Commit::new(&block, &executed))?;
            head = executed.overlay;
        }
        drop(store);
        self.fill_shares()
    }

    /// Puts a share into the store for each record of the workload.
    fn fill_shares(&mut self) -> Result<()> {
        let dir = self.dir.path().join("shares");
        let store = FileSecretStore::<ShareKey>::open(dir, &self.keys.store)?;
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
        say("patients", commas(self.workload.patients()));
        say("entries of histories", commas(counts.entries));
        say("transactions", commas(counts.transactions));
        say("records", commas(self.workload.records()));
        say("values of the state", commas(counts.state));
        say(
            "start, the whole state compared",
            span(started.as_secs_f64()),
        );
        say("memory of the process", bytes(real(memory as u64)));
        say("disk", bytes(real(self.disk()?)));

        let full = self.full_blocks(&mut node)?;
        say(
            "a transaction in a block of 2,048: executed, kept durably",
            span(full / real(VISITS * VISIT)),
        );
        clock.advance_ms(self.workload.now().0 - clock.now().0);
        let policy = policy(&node)?;
        let (lone, newer) = self.lone(&mut node, &policy)?;
        clock.advance_ms(self.workload.now().0 - clock.now().0);
        say("a block of one transaction: the same", span(lone));

        let (entries, whole) = self.whole(&node, &policy)?;
        say(
            "a value of the state with its proof",
            span(self.values(&node)),
        );
        say(
            "a transaction of such a block with its proof",
            span(transactions(&node)?),
        );
        say("a patient's history, entries (median)", commas(entries));
        say("exported", span(whole.export));
        say("verified by the patient", span(whole.verify));
        say("its file", bytes(real(whole.bytes)));
        say("one new entry exported", span(newer.export));
        say("verified", span(newer.verify));
        say("its file (one entry)", bytes(real(newer.bytes)));

        let (deposited, released) = self.custody(&mut node, &clock)?;
        say("a record of 1 KiB deposited", span(deposited));
        say("released for a request", span(released));

        let (took, size) = snapshot(&node)?;
        say("a snapshot exported", span(took.as_secs_f64()));
        say("its size", bytes(real(size)));
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
            let (block, _) = self.workload.visits(node.head(), VISITS)?;
            times.push(timed(|| take(node, &block))?.1);
        }
        Ok(middle_s(times))
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
        middle_s(times.collect())
    }
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
    Ok(middle_s(times))
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

/// The median, in seconds.
fn middle_s(times: Vec<Duration>) -> f64 {
    median(times) / 1e9
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
}
