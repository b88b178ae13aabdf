//! Four nodes, each a process of its own, on this machine: what they carry, how soon it is final, and what they take.
//!
//! The nodes are this program, with the verb `node`: what runs is `chartseal_node::serve`, as in `chartseal node run`.

mod events;
mod image;
mod queries;
mod reading;
mod soak;
mod workload;

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use chartseal_cluster::{Cluster, Drivers, Link, Program, Serves, Setting, Wiring};
use chartseal_ledger::store::LedgerStore as _;
use chartseal_node::serve::{Control, serve};
use chartseal_node::{Clock, RedbLedger};

use crate::ledger::{check_all, checks_of};
use crate::{Figure, Required, median};
pub use events::{HEARD, heard};
pub use image::{IMAGE, image};
pub use queries::{QUERIES, queries};
pub use reading::{READ, read};
pub use soak::{SOAKED, soaked};
use workload::{Workload, await_final};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// What [`carried`] measures.
pub const CARRIED: [&str; 4] = [
    "network/throughput",
    "network/cpu-per-transaction",
    "network/memory-under-load",
    "network/latency-half-load",
];
/// What [`far`] measures.
pub const FAR: [&str; 2] = ["network/latency-20ms", "network/latency-80ms"];
/// What [`idle`] measures.
pub const IDLE: [&str; 2] = ["network/idle-cpu", "network/idle-disk"];
/// What [`caught_up`] measures.
pub const CAUGHT_UP: &str = "network/catch-up";

const NODES: usize = 4;
/// How long a network is at full load before it is measured, and how long it is measured.
const WARM: Duration = Duration::from_secs(5);
const MEASURED: Duration = Duration::from_secs(20);
/// Transactions whose finality is waited for, one after the other.
const PROBES: usize = 101;
/// How often a node is asked whether a transaction is final.
const LOOK: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(60);
/// What `chartseal net init` sets, and the least that a configuration takes.
const HEARTBEAT_MS: u64 = 8_000;
const LEAST_HEARTBEAT_MS: u64 = 10;
const DAY_S: f64 = 86_400.0;

/// Runs a node: what this program's own figures start.
///
/// # Errors
/// Why it does not start, or stopped.
pub fn node(config: &Path) -> Result<()> {
    Ok(serve(config, || ())?)
}

fn network(heartbeat_ms: u64, wiring: Wiring) -> Result<Cluster> {
    network_for(heartbeat_ms, wiring, Serves::Nobody)
}

fn network_for(heartbeat_ms: u64, wiring: Wiring, serves: Serves) -> Result<Cluster> {
    let mut cluster = made_for(heartbeat_ms, wiring, serves)?;
    cluster.up();
    Ok(cluster)
}

/// The same, before any node runs.
fn made_for(heartbeat_ms: u64, wiring: Wiring, serves: Serves) -> Result<Cluster> {
    let program = Program {
        path: std::env::current_exe()?,
        args: vec![OsString::from("node")],
    };
    let setting = Setting {
        heartbeat_ms,
        wiring,
        serves,
        ..Setting::of(NODES)
    };
    Ok(Cluster::make(program, &setting).ok_or("no network can be made here")?)
}

/// What all nodes took, in CPU-seconds.
fn cpu_s(cluster: &Cluster) -> f64 {
    let all = cluster.all().into_iter();
    all.map(|number| cluster.usage(number).cpu_s).sum()
}

/// The most resident memory of a node at this moment, in bytes.
#[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
fn resident(cluster: &Cluster) -> f64 {
    let all = cluster.all().into_iter();
    let most = all.map(|number| cluster.usage(number).resident).max();
    most.unwrap_or(0) as f64
}

/// Transactions a second that are final and durable on every node, while clients hand in as many as the nodes take;
/// beside how many signatures the machine could check for all of them. Then half of that, and how soon one is final;
/// beside a network whose blocks are empty.
pub fn carried() -> Result<Vec<Figure>> {
    let mut cluster = network(HEARTBEAT_MS, Wiring::Direct)?;
    let mut workload = Workload::new(&cluster)?;
    workload.enrol(&mut cluster)?;
    let signed = workload.records(220_000);
    let checks = checks_of(signed.iter().flatten().take(20_000))?;
    let check = best_check(&checks)?;

    let drivers = Drivers::start(&cluster, signed, None);
    thread::sleep(WARM);
    let (cpu, memory, begun) = (cpu_s(&cluster), resident(&cluster), Instant::now());
    let first = cluster.height();
    thread::sleep(MEASURED);
    let last = cluster.height();
    let (took, cpu) = (begun.elapsed(), cpu_s(&cluster) - cpu);
    let after = resident(&cluster);
    drivers.end()?;
    // The pools run empty, so that what comes next waits for nothing.
    await_empty(&cluster)?;

    let rate_probe = workload.records(240_000);
    let full = count(&mut cluster, first, last)?;
    let each = took.as_secs_f64() / full;
    let half_rate = 0.5 / each;
    cluster.up();
    let drivers = Drivers::start(&cluster, rate_probe, Some(half_rate));
    thread::sleep(Duration::from_secs(2));
    let latency = median(probe(&cluster, &mut workload)?);
    drivers.end()?;
    eprintln!(
        "{full} transactions in {took:?}, blocks {first} to {last}; half load {half_rate:.0}/s"
    );
    drop(cluster);
    let bare = empty_blocks()?;

    let nodes = f64::from(u32::try_from(NODES)?);
    let [throughput, cpu_id, memory_id, latency_id] = CARRIED;
    Ok(vec![
        Figure {
            id: throughput,
            ours: each * 1e9,
            theirs: check * nodes * 1e9,
            other: "bare verify_strict of each, once for each node, by all cores",
            unit: "ns a transaction",
            required: Some(Required::Faster(0.6)),
        },
        Figure {
            id: cpu_id,
            ours: cpu / full * 1e9,
            theirs: check * nodes * 2.0 * 1e9,
            other: "the same checks",
            unit: "ns of a core a transaction, all nodes together",
            required: None,
        },
        Figure {
            id: memory_id,
            ours: after,
            theirs: memory,
            other: "20 s of full load before",
            unit: "bytes resident, the largest node",
            required: None,
        },
        Figure {
            id: latency_id,
            ours: latency,
            theirs: bare,
            other: "the engine's finality of empty blocks, durable too",
            unit: "ns, p50",
            required: Some(Required::Within(3.0)),
        },
    ])
}

/// The least time of a check by all cores together, in seconds.
fn best_check(checks: &[crate::ledger::Check]) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let begun = Instant::now();
        check_all(checks)?;
        best = best.min(begun.elapsed().as_secs_f64());
    }
    Ok(best / f64::from(u32::try_from(checks.len())?))
}

/// How many transactions are in the blocks after `first` up to `last`, by a node's ledger; ends the network.
fn count(cluster: &mut Cluster, first: u64, last: u64) -> Result<f64> {
    cluster.down();
    let directories = cluster.directories();
    let ledger = directories.first().ok_or("no node")?;
    let ledger = RedbLedger::open(&ledger.join("ledger.redb"))?;
    let mut transactions = 0;
    for height in first + 1..=last {
        let block = ledger.block(height)?.ok_or("a block is missing")?;
        transactions += u32::try_from(block.transactions.len())?;
    }
    Ok(f64::from(transactions))
}

fn await_empty(cluster: &Cluster) -> Result<()> {
    let begun = Instant::now();
    for number in cluster.all() {
        // One that is away has no pool.
        let waits = |mut control: Control| {
            let status = control.status();
            status.map_or(true, |status| status.waiting > 0)
        };
        while cluster.control(number).is_ok_and(waits) {
            if begun.elapsed() > PATIENCE {
                return Err("transactions wait without end".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

/// How long each of some transactions takes from its node's hand to being final there. They come one after the other,
/// at nodes in turn.
fn probe(cluster: &Cluster, workload: &mut Workload) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for at in 0..PROBES {
        let mut control = cluster.control(at % NODES)?;
        let transaction = workload.attempt();
        let begun = Instant::now();
        control.submit(&transaction)?;
        await_final(&mut control, &transaction, LOOK)?;
        times.push(begun.elapsed());
        // Not in step with the blocks.
        thread::sleep(Duration::from_millis(7 * (at as u64 % 11)));
    }
    Ok(times)
}

/// From a block's time to when a node says that it is final, p50, in ns, where one empty block follows the other.
fn empty_blocks() -> Result<f64> {
    let cluster = network(LEAST_HEARTBEAT_MS, Wiring::Direct)?;
    thread::sleep(Duration::from_secs(2));
    let mut control = cluster.control(0)?;
    let (mut times, mut height) = (Vec::new(), control.status()?.height);
    let begun = Instant::now();
    while times.len() < PROBES && begun.elapsed() < PATIENCE {
        let status = control.status()?;
        if status.height > height {
            height = status.height;
            let now = Clock::System.now();
            let took = now.0.saturating_sub(status.block_time.0);
            times.push(Duration::from_millis(took));
        }
        thread::sleep(LOOK);
    }
    Ok(median(times))
}

#[expect(clippy::cast_precision_loss, reason = "times of a run")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

/// How soon a transaction is final over links of 20 and 80 ms one way; beside five such delays and the interval of blocks
/// where there is always work.
pub fn far() -> Result<Vec<Figure>> {
    const RATE: f64 = 50.0;
    let mut figures = Vec::new();
    for (id, delay_ms) in FAR.into_iter().zip([20, 80]) {
        let link = Link {
            delay: Duration::from_millis(delay_ms),
            ..Link::default()
        };
        let mut cluster = network(HEARTBEAT_MS, Wiring::Proxied)?;
        let mut workload = Workload::new(&cluster)?;
        workload.enrol(&mut cluster)?;
        cluster.links().set_all(link);
        let signed = workload.records(20_000);
        let drivers = Drivers::start(&cluster, signed, Some(RATE));
        thread::sleep(Duration::from_secs(2));
        let (first, begun) = (cluster.height(), Instant::now());
        let latency = median(probe(&cluster, &mut workload)?);
        let blocks = f64::from(u32::try_from(cluster.height() - first)?);
        let interval = begun.elapsed().as_secs_f64() / blocks;
        drivers.end()?;
        figures.push(Figure {
            id,
            ours: latency,
            theirs: (5.0 * seconds(delay_ms) + interval) * 1e9,
            other: "five one-way delays and the interval of blocks",
            unit: "ns, p50",
            required: Some(Required::Within(1.0)),
        });
    }
    Ok(figures)
}

/// What a node takes when nobody wants anything: its CPU's time, and the disk of a day.
pub fn idle() -> Result<Vec<Figure>> {
    let [cpu_id, disk_id] = IDLE;
    let cluster = network(HEARTBEAT_MS, Wiring::Direct)?;
    thread::sleep(WARM);
    let (cpu, begun) = (cpu_s(&cluster), Instant::now());
    thread::sleep(Duration::from_secs(60));
    let nodes = f64::from(u32::try_from(NODES)?);
    let cpu = (cpu_s(&cluster) - cpu) / nodes / begun.elapsed().as_secs_f64();
    drop(cluster);

    // Blocks of many days, and only past what the engine keeps for a while: 1,280 blocks and 4,096 views.
    let mut cluster = network(LEAST_HEARTBEAT_MS, Wiring::Direct)?;
    let all = cluster.all();
    cluster.await_height_of(&all, 4_500);
    let (height, before) = (cluster.height(), disk(&cluster)?);
    cluster.await_height_of(&all, height + 6_000);
    let blocks = seconds((cluster.height() - height) * 1_000);
    let grown = (disk(&cluster)? - before) / blocks;
    let a_day = DAY_S / seconds(HEARTBEAT_MS);
    Ok(vec![
        Figure {
            id: cpu_id,
            ours: cpu,
            theirs: 1.0,
            other: "a core",
            unit: "CPU-seconds a second, a node",
            required: Some(Required::Within(0.02)),
        },
        Figure {
            id: disk_id,
            ours: grown * a_day,
            theirs: 10e6,
            other: "10 MB",
            unit: "bytes a day, a node",
            required: Some(Required::Within(1.0)),
        },
    ])
}

/// What a node's files take on the disk, in bytes.
#[expect(clippy::cast_precision_loss, reason = "bytes of files")]
fn disk(cluster: &Cluster) -> Result<f64> {
    fn of(folder: &Path) -> std::io::Result<u64> {
        use std::os::unix::fs::MetadataExt as _;
        let mut bytes = 0;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            bytes += if metadata.is_dir() {
                of(&entry.path())?
            } else {
                metadata.blocks() * 512
            };
        }
        Ok(bytes)
    }
    let directories = cluster.directories();
    Ok(of(directories.first().ok_or("no node")?)? as f64)
}

/// How long a node that was away takes to have what the others did meanwhile, beside how long they took.
pub fn caught_up() -> Result<Figure> {
    const AWAY: Duration = Duration::from_secs(60);
    const RATE: f64 = 200.0;
    let mut cluster = network_for(HEARTBEAT_MS, Wiring::Direct, Serves::Encrypted)?;
    let mut workload = Workload::new(&cluster)?;
    workload.enrol(&mut cluster)?;
    let signed = workload.records(16_000);
    cluster.kill(NODES - 1);
    let begun = Instant::now();
    let drivers = Drivers::start(&cluster, signed, Some(RATE));
    thread::sleep(AWAY);
    drivers.end()?;
    let lived = begun.elapsed();
    let height = cluster.height();
    let begun = Instant::now();
    cluster.start(NODES - 1);
    let directories = cluster.directories();
    let directory = directories.last().ok_or("no node")?;
    loop {
        let status = Control::connect(directory).and_then(|mut control| control.status());
        if status.is_ok_and(|status| status.height >= height) {
            break;
        }
        if begun.elapsed() > PATIENCE {
            return Err("a node does not catch up".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(Figure {
        id: CAUGHT_UP,
        ours: begun.elapsed().as_secs_f64() * 1e9,
        theirs: lived.as_secs_f64() * 1e9,
        other: "the time in which the others made these blocks, of 200 transactions a second",
        unit: "ns, from the start of the process on",
        required: Some(Required::Faster(20.0)),
    })
}
