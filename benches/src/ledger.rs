//! Blocks of visits, executed and kept durably, beside the signature checks that nobody can do without;
//! what a larger state costs; what patients and transactions take in memory and on disk.

mod scale;
mod workload;

use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use chartseal_codec::to_bytes;
use chartseal_ledger::store;
use chartseal_ledger::{
    Block, BlockError, Commit, Executed, LedgerStore, Overlay, SignedTransaction, execute_ahead,
};
use chartseal_node::{LedgerStoreError, RedbLedger};
use chartseal_wire::domain::{TRANSACTION, tagged};
use ed25519_dalek::VerifyingKey;
use tempfile::TempDir;

use crate::policy::resident;
use crate::{Figure, Required, median};
pub use scale::{DECADES, scale};
use workload::{VISIT, Workload};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// What [`apply`] measures.
pub const APPLY: [&str; 2] = ["ledger/apply", "ledger/replay"];
/// What [`audit_replay`] measures.
pub const AUDIT_REPLAY: [&str; 2] = ["audit/replay", "audit/replay-command"];
/// What [`growth`] measures.
pub const GROWTH: [&str; 5] = [
    "ledger/apply-100k",
    "ledger/memory-per-patient",
    "ledger/disk-per-patient",
    "ledger/memory-per-transaction",
    "ledger/disk-per-transaction",
];
/// What [`growth_to_a_million`] measures.
pub const MILLION: [&str; 5] = [
    "ledger/apply-1m",
    "ledger/memory-per-patient-1m",
    "ledger/disk-per-patient-1m",
    "ledger/memory-per-transaction-1m",
    "ledger/disk-per-transaction-1m",
];

const PATIENTS: u64 = 10_000;
/// Visits of a block: 2,048 transactions, about what an ordering at full rate puts into one.
const VISITS: u64 = 128;
/// Blocks that are applied, one after another, in a round: so many that the last one's commit, which no
/// other block is executed beside, counts for little, as on a chain that goes on.
const BLOCKS: usize = 16;
const ROUNDS: usize = 5;
/// Rounds where both sides wait for memory differently, which neighbours on one machine take from each other.
const MANY_ROUNDS: usize = 15;
const FILE: &str = "ledger";

/// Blocks applied to a state of 10,000 patients and kept, then read back and replayed, against checking
/// their transactions' signatures by as many threads.
pub fn apply() -> Result<Vec<Figure>> {
    let mut chain = Chain::of(PATIENTS)?;
    let (mut applied, mut replayed) = (Turns::default(), Turns::default());
    for _ in 0..MANY_ROUNDS {
        let before = chain.head.clone();
        let blocks = chain.next(BLOCKS)?;
        let checks = checks(&blocks)?;
        applied.ours.push(timed(|| chain.apply(&blocks))?.1);
        applied.theirs.push(timed(|| check_all(&checks))?.1);
        replayed.ours.push(timed(|| chain.replay(&before))?.1);
        replayed.theirs.push(timed(|| check_all(&checks))?.1);
    }
    let [apply, replay] = APPLY;
    let other = "bare verify_strict";
    let required = Some(Required::Faster(0.8));
    Ok(vec![
        applied.figure(apply, other, required),
        replayed.figure(replay, other, required),
    ])
}

/// A whole chain executed from genesis on, and the whole of what `chartseal audit replay DIR` does, which
/// checks every table of the store too; against checking all signatures by as many threads.
pub fn audit_replay() -> Result<Vec<Figure>> {
    let mut chain = Chain::of(1_000)?;
    for _ in 0..3 {
        let blocks = chain.next(BLOCKS)?;
        chain.apply(&blocks)?;
    }
    let blocks = (1..=chain.head.height()).map(|height| chain.store.block(height));
    let blocks: Vec<Block> = blocks
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    let checks = checks(&blocks)?;
    drop(blocks);
    let genesis = chain.workload.genesis.overlay();
    let (mut replayed, mut command) = (Turns::default(), Turns::default());
    for _ in 0..ROUNDS {
        let all = || {
            let found = store::verify(&chain.store, |_| ())?;
            if !found.damage.is_empty() {
                return Err("the store is damaged".into());
            }
            chain.replay(&genesis)
        };
        replayed.ours.push(timed(|| chain.replay(&genesis))?.1);
        replayed.theirs.push(timed(|| check_all(&checks))?.1);
        command.ours.push(timed(all)?.1);
        command.theirs.push(timed(|| check_all(&checks))?.1);
    }
    let (n, other) = (checks.len() as u64, "bare verify_strict");
    let [replay, whole] = AUDIT_REPLAY;
    let required = Some(Required::Faster(0.8));
    Ok(vec![
        replayed.each(n, replay, other, required),
        command.each(n, whole, other, None),
    ])
}

/// Leaves a node's directory for `chartseal audit replay DIR`: 1,000 patients, and so many transactions of
/// visits, by which the state grows; or of relabellings, by which it does not.
pub fn leave_chain(dir: &Path, transactions: u64, are_visits: bool) -> Result<()> {
    let mut workload = Workload::new()?;
    fs::create_dir_all(dir)?;
    fs::write(dir.join("genesis"), to_bytes(&workload.genesis))?;
    let mut store = RedbLedger::open(&dir.join("ledger.redb"))?;
    let mut head = enrol(&mut workload, &mut store, 1_000)?;
    let mut left = transactions;
    // Some visits, so that there are records.
    let mut first = 2_u64;
    while left > 0 {
        let is_visit = are_visits || first > 0;
        first = first.saturating_sub(1);
        let n = left.min(VISITS * VISIT);
        let (block, executed) = if is_visit {
            workload.visits(&head, n.div_ceil(VISIT))?
        } else {
            workload.relabellings(&head, n)?
        };
        store.commit(&Commit::new(&block, &executed))?;
        head = executed.overlay;
        left -= n;
    }
    println!(
        "{} blocks, {} values of state",
        head.height(),
        head.map().iter().count()
    );
    Ok(())
}

/// At 100,000 patients against 10,000: a transaction may cost as much more as the logarithm does.
pub fn growth() -> Result<Vec<Figure>> {
    growth_to(100_000, 5.0 / 4.0, GROWTH)
}

/// At a million patients against 10,000.
pub fn growth_to_a_million() -> Result<Vec<Figure>> {
    growth_to(1_000_000, 6.0 / 4.0, MILLION)
}

fn growth_to(patients: u64, most: f64, ids: [&'static str; 5]) -> Result<Vec<Figure>> {
    let mut small = Chain::of(PATIENTS)?;
    let empty = Size::of(&mut Chain::of(0)?)?;
    let mut large = Chain::of(patients)?;
    let enrolled = Size::of(&mut large)?;
    let in_use = large.store.bytes_in_use()?;
    let mut cost = Turns::default();
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let (of_large, of_small) = (large.next(BLOCKS)?, small.next(BLOCKS)?);
        cost.ours.push(timed(|| large.apply(&of_large))?.1);
        cost.theirs.push(timed(|| small.apply(&of_small))?.1);
        bytes += of_large
            .iter()
            .map(|block| block.bytes().len())
            .sum::<usize>();
    }
    drop(small);
    let visited = resident()? as u64;
    let transactions = VISITS * VISIT * (BLOCKS * ROUNDS) as u64;
    let stated = |id, ours, n, theirs, other, unit| Figure {
        id,
        ours: each(ours, n),
        theirs: each(theirs, n),
        other,
        unit,
        required: None,
    };
    let [at, memory, disk, memory_each, disk_each] = ids;
    let kept = large.store.bytes_in_use()?.saturating_sub(in_use);
    let (state, block) = ("its values and their keys", "its bytes in a block");
    let (patient, transaction) = ("bytes/patient", "bytes/transaction");
    let values = enrolled.values - empty.values;
    let later = visited.saturating_sub(enrolled.memory);
    Ok(vec![
        cost.figure(at, "at 10,000 patients", Some(Required::Within(most))),
        stated(
            memory,
            enrolled.memory - empty.memory,
            patients,
            values,
            state,
            patient,
        ),
        stated(
            disk,
            enrolled.disk - empty.disk,
            patients,
            values,
            state,
            patient,
        ),
        stated(
            memory_each,
            later,
            transactions,
            bytes as u64,
            block,
            transaction,
        ),
        stated(
            disk_each,
            kept,
            transactions,
            bytes as u64,
            block,
            transaction,
        ),
    ])
}

/// What ours and the other took, round by round.
#[derive(Default)]
struct Turns {
    ours: Vec<Duration>,
    theirs: Vec<Duration>,
}

impl Turns {
    fn figure(self, id: &'static str, other: &'static str, required: Option<Required>) -> Figure {
        self.each(VISITS * VISIT * BLOCKS as u64, id, other, required)
    }

    /// Of so many transactions.
    fn each(
        self,
        transactions: u64,
        id: &'static str,
        other: &'static str,
        required: Option<Required>,
    ) -> Figure {
        let times = [self.ours, self.theirs];
        let [ours, theirs] = times.map(|times| median(times) / each(transactions, 1));
        Figure {
            id,
            ours,
            theirs,
            other,
            unit: "ns/transaction",
            required,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 bytes")]
fn each(bytes: u64, n: u64) -> f64 {
    bytes as f64 / n as f64
}

/// What some work gives, and how long it takes.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let begun = Instant::now();
    let outcome = work()?;
    Ok((outcome, begun.elapsed()))
}

/// Keeps the blocks that enrol so many patients, behind those that the store has, or genesis; gives the state after them.
fn enrol(workload: &mut Workload, store: &mut RedbLedger, patients: u64) -> Result<Overlay> {
    if store.head()?.is_none() {
        let (block, executed) = (workload.genesis.block(), workload.genesis.executed());
        store.commit(&Commit::new(&block, &executed))?;
    }
    let mut head = store::reload(store)?.overlay;
    while let Some((block, executed)) = workload.enrolments(&head, patients)? {
        store.commit(&Commit::new(&block, &executed))?;
        head = executed.overlay;
    }
    Ok(head)
}

/// A chain in a file, with patients enrolled.
struct Chain {
    workload: Workload,
    head: Overlay,
    store: RedbLedger,
    dir: TempDir,
}

impl Chain {
    fn of(patients: u64) -> Result<Self> {
        let mut workload = Workload::new()?;
        let dir = TempDir::new()?;
        let mut store = RedbLedger::open(&dir.path().join(FILE))?;
        let head = enrol(&mut workload, &mut store, patients)?;
        Ok(Self {
            workload,
            head,
            store,
            dir,
        })
    }

    /// The next blocks, not yet applied.
    fn next(&mut self, blocks: usize) -> Result<Vec<Block>> {
        let mut parent = self.head.clone();
        let next = (0..blocks).map(|_| {
            let (block, executed) = self.workload.visits(&parent, VISITS)?;
            parent = executed.overlay;
            Ok(block)
        });
        next.collect()
    }

    /// Executes blocks, and keeps each while the next one is executed and those behind it are checked.
    fn apply(&mut self, blocks: &[Block]) -> Result<()> {
        let Self { head, store, .. } = self;
        thread::scope(|scope| {
            let (executed, to_keep) = mpsc::sync_channel::<(&Block, Executed)>(1);
            let keeper = scope.spawn(move || {
                for (block, executed) in to_keep {
                    store.commit(&Commit::new(block, &executed))?;
                }
                Ok::<(), LedgerStoreError>(())
            });
            let mut kept = blocks.iter();
            execute_ahead(blocks.iter().cloned().map(Ok), |block| {
                let effect = block.execute(head).map_err(Box::new)?;
                *head = effect.overlay.clone();
                // The keeper says itself why it takes no more.
                if let Some(block) = kept.next() {
                    let _ = executed.send((block, effect));
                }
                Ok::<_, Box<BlockError>>(())
            })?;
            drop(executed);
            Ok(keeper.join().map_err(|_| "the store panicked")??)
        })
    }

    /// Reads the newest blocks back and executes them anew, from the state before them; compares the entries too.
    fn replay(&self, from: &Overlay) -> Result<()> {
        let until = self.head.height();
        let replayed = store::replay(&self.store, from, until, |_, _| ())?;
        if replayed.head() == self.head.head() {
            Ok(())
        } else {
            Err("replaying gives another head".into())
        }
    }
}

/// What a chain takes, in bytes.
struct Size {
    /// Resident, of this process.
    memory: u64,
    /// The store's file, compacted.
    disk: u64,
    /// The state's values and their keys.
    values: u64,
}

impl Size {
    fn of(chain: &mut Chain) -> Result<Self> {
        while chain.store.compact()? {}
        let values = chain.head.map().iter();
        let values = values.map(|(key, value)| key.0.len() + value.len());
        Ok(Self {
            memory: resident()? as u64,
            disk: fs::metadata(chain.dir.path().join(FILE))?.len(),
            values: values.sum::<usize>() as u64,
        })
    }
}

/// A key, a message and a signature, as they stand in a block.
pub(crate) struct Check {
    key: [u8; 32],
    message: Vec<u8>,
    signature: [u8; 64],
}

impl Check {
    fn of(signed: &SignedTransaction) -> Result<Self> {
        Ok(Self {
            key: signed.parse()?.actor_key.0,
            message: tagged(TRANSACTION, &signed.bytes),
            signature: signed.signature.0,
        })
    }

    fn holds(&self) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&self.signature);
        VerifyingKey::from_bytes(&self.key)
            .is_ok_and(|key| key.verify_strict(&self.message, &signature).is_ok())
    }
}

fn checks(blocks: &[Block]) -> Result<Vec<Check>> {
    checks_of(blocks.iter().flat_map(|block| &block.transactions))
}

/// The bare checks of some transactions.
pub(crate) fn checks_of<'a>(
    transactions: impl Iterator<Item = &'a SignedTransaction>,
) -> Result<Vec<Check>> {
    transactions.map(Check::of).collect()
}

/// By as many threads as the machine runs at a time, with an equal share each.
pub(crate) fn check_all(checks: &[Check]) -> Result<()> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let hold = |share: &[Check]| share.iter().all(Check::holds);
    let all_hold = thread::scope(|scope| {
        let shares = checks.chunks(checks.len().div_ceil(threads).max(1));
        let threads: Vec<_> = shares
            .map(|share| scope.spawn(move || hold(share)))
            .collect();
        threads
            .into_iter()
            .all(|thread| thread.join().unwrap_or(false))
    });
    if all_hold {
        Ok(())
    } else {
        Err("a signature does not verify".into())
    }
}
