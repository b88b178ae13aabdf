//! How soon a reader has a record open, while the network has other work.

use std::thread;
use std::time::{Duration, Instant};

use chartseal::{
    Ask, Class, Clinician, Document, Network, Offer, Patient, Purpose, RecordId, RequestId,
};
use chartseal_client::Remote;
use chartseal_cluster::{Cluster, Drivers, Serves, Wiring};
use chartseal_ledger::{Block, SignedTransaction};

use super::workload::Workload;
use super::{HEARTBEAT_MS, MEASURED, NODES, PATIENCE, Result, WARM, await_empty, network_for};
use crate::envelope::Calls;
use crate::{Figure, Required, median};

/// What [`read`] measures.
pub const READ: [&str; 10] = [
    "reading/one",
    "reading/one-p99",
    "reading/one-half-load",
    "reading/one-half-load-p99",
    "reading/chart",
    "reading/emergency",
    "reading/emergency-half-load",
    "reading/emergency-half-load-p99",
    "reading/one-light",
    "reading/chart-light",
];

/// Records that are read one by one, and those of a chart.
const SINGLE: usize = 101;
const CHART: usize = 500;
/// Those that are read one by one at half load.
const LOADED: usize = 51;
/// Reads of the chart, and in the emergency.
const FEW: usize = 5;
const EMERGENCIES: usize = 31;
/// Others' transactions, a second. At half of what the network carries a reader's app that executes every block too does
/// not keep up beside four nodes on two cores; one that executes none does.
const RATE: f64 = 200.0;
/// How much of the half load must have been handed in, or it was less.
const REACHED: f64 = 0.95;
/// The content of a record, in bytes.
const CONTENT: usize = 1_024;

struct Cast {
    network: Network,
    doctor: Clinician,
    patient: Patient,
    records: Vec<RecordId>,
}

impl Cast {
    /// A chart that the doctor may read, at nodes over TLS.
    fn of(cluster: &Cluster) -> Result<Self> {
        let mut network = Network::connect(&cluster.place())?;
        let hospital = *network.organizations().first().ok_or("no organization")?;
        let mut author = network.enrol_practitioner(&hospital, &["physician"])?;
        let doctor = network.enrol_practitioner(&hospital, &["physician", "emergency"])?;
        let mut patient = network.enrol_patient(&hospital)?;
        let contents: Vec<Vec<u8>> = (0..CHART).map(content).collect();
        let documents: Vec<Document<'_>> = contents
            .iter()
            .map(|content| Document::new(Class::LABORATORY, "text/plain", content))
            .collect();
        let kit = patient.filing_kit();
        let filed = author.file(&mut network, &kit, &documents, |_| ())?;
        let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
        patient.grant(&mut network, &doctor, &offer)?;
        Ok(Self {
            network,
            doctor,
            patient,
            records: filed.into_iter().map(|filed| filed.record).collect(),
        })
    }

    fn read(&mut self, records: &[RecordId], purpose: Purpose) -> Result<Took> {
        let ask = Ask::read(self.patient.id(), records, purpose);
        let begun = Instant::now();
        let opening = self.doctor.read(&mut self.network, &ask)?;
        let opened = begun.elapsed();
        if opening.records.len() != records.len() {
            return Err("not every record is open".into());
        }
        Ok(Took {
            request: opening.request,
            opened,
        })
    }

    fn read_one_by_one(&mut self, count: usize, purpose: Purpose) -> Result<Times> {
        // A reader's app follows the chain: what was final meanwhile comes first.
        let first = *self.records.first().ok_or("no record")?;
        self.read(&[first], purpose)?;
        let mut times = Times::default();
        for at in 0..count {
            let record = *self.records.get(at).ok_or("no record")?;
            let ask = Ask::read(self.patient.id(), std::slice::from_ref(&record), purpose);
            let begun = Instant::now();
            self.doctor.request(&mut self.network, &ask)?;
            times.requested.push(begun.elapsed());
            times.opened.push(self.read(&[record], purpose)?.opened);
        }
        Ok(times)
    }
}

/// How long it took from asking for records to having them open.
struct Took {
    request: RequestId,
    opened: Duration,
}

/// How long requests alone took to be final, and reads, in turns.
#[derive(Default)]
struct Times {
    requested: Vec<Duration>,
    opened: Vec<Duration>,
}

/// No two alike: what is filed twice is one record.
fn content(number: usize) -> Vec<u8> {
    let mut content = vec![7; CONTENT];
    content
        .iter_mut()
        .zip(number.to_le_bytes())
        .for_each(|(to, from)| *to = from);
    content
}

/// Four seals to a reader, and all that opening needs of others' crates, in ns.
fn bare() -> Result<f64> {
    let mut calls = Calls::new()?;
    let mut times = Vec::new();
    for _ in 0..SINGLE {
        let begun = Instant::now();
        let messages = (0..NODES)
            .map(|_| calls.seal())
            .collect::<Result<Vec<_>>>()?;
        calls.open_all(&messages)?;
        times.push(begun.elapsed());
    }
    Ok(median(times))
}

fn p99(mut times: Vec<Duration>) -> Result<f64> {
    times.sort_unstable();
    let at = times.len() * 99 / 100;
    let at = times.get(at).ok_or("no time")?;
    Ok(at.as_secs_f64() * 1e9)
}

/// What the network carries at full load: transactions a second, by its blocks.
fn carried(cluster: &Cluster, workload: &mut Workload, node: &Remote) -> Result<f64> {
    let drivers = Drivers::start(cluster, workload.records(120_000), None);
    thread::sleep(WARM);
    let (first, begun) = (cluster.height(), Instant::now());
    thread::sleep(MEASURED / 2);
    let (last, took) = (cluster.height(), begun.elapsed());
    drivers.end()?;
    await_empty(cluster)?;
    let (mut next, mut transactions) = (first + 1, 0);
    while next <= last {
        let blocks = node.blocks(next, Duration::ZERO)?.blocks;
        if blocks.is_empty() {
            return Err("the node has not all blocks".into());
        }
        for block in blocks.iter().take(usize::try_from(last + 1 - next)?) {
            transactions += u32::try_from(Block::from_bytes(&block.block.0)?.transactions.len())?;
            next += 1;
        }
    }
    Ok(f64::from(transactions) / took.as_secs_f64())
}

/// Does something while the nodes that run are given so many transactions a second in all. That they were is seen to.
fn under<T>(
    cluster: &Cluster,
    signed: Vec<Vec<SignedTransaction>>,
    rate: f64,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let running = cluster.all().into_iter();
    let running = running.filter(|number| cluster.status(*number).is_some());
    let (all, running) = (u32::try_from(NODES)?, u32::try_from(running.count())?);
    // Each client has its part of what all nodes would get.
    let drivers = Drivers::start(
        cluster,
        signed,
        Some(rate * f64::from(all) / f64::from(running)),
    );
    thread::sleep(WARM);
    let (before, begun) = (drivers.handed_in(), Instant::now());
    let done = work()?;
    let reached = u32::try_from(drivers.handed_in() - before)?;
    let reached = f64::from(reached) / begun.elapsed().as_secs_f64();
    drivers.end()?;
    await_empty(cluster)?;
    eprintln!("half load {rate:.0}/s, handed in {reached:.0}/s");
    if reached < REACHED * rate {
        return Err("the load was not reached".into());
    }
    Ok(done)
}

/// How long it takes to fetch sealed records, a part of them from each node at a time.
fn fetch(nodes: &[Remote], request: &RequestId, records: &[RecordId]) -> Result<Duration> {
    let begun = Instant::now();
    let each = records.len().div_ceil(nodes.len());
    thread::scope(|scope| {
        let parts = nodes.iter().zip(records.chunks(each)).map(|(node, part)| {
            scope.spawn(move || {
                part.iter()
                    .try_for_each(|it| node.envelope(request, it).map(drop))
            })
        });
        let parts: Vec<_> = parts.collect();
        for part in parts {
            part.join().map_err(|_| "a reader panicked")??;
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    Ok(begun.elapsed())
}

/// From the request to an opened record of 1 KiB, one after the other, beside twice what requests alone took to be final for
/// the same reader in turns with the reads, and the bare cryptography: the custodians' receipts have to be final too. The same in an emergency,
/// with a node down. And a chart of 500 at once, beside two of single records and the transfer of its ciphertext. A record and
/// the chart by an app that holds no state, too, and at half load by that one alone.
///
/// # Errors
/// If a network can't be made, or a read fails.
pub fn read() -> Result<Vec<Figure>> {
    let mut cluster = network_for(HEARTBEAT_MS, Wiring::Direct, Serves::Encrypted)?;
    let mut workload = Workload::new(&cluster)?;
    workload.enrol(&mut cluster)?;
    let mut cast = Cast::of(&cluster)?;

    let signed = workload.records(40_000);
    let drivers = Drivers::start(&cluster, signed, Some(RATE));
    let single = cast.read_one_by_one(SINGLE, Purpose::Treat)?;
    let records = cast.records.clone();
    let nodes = cluster.all().into_iter().map(|number| {
        let config = cluster.config(number);
        let service = config.own_service().ok_or("no service")?;
        let asking = config.asking(PATIENCE)?;
        Ok(Remote::new(config.organization, &service.url, &asking)?)
    });
    let nodes = nodes.collect::<Result<Vec<_>>>()?;
    let (mut chart, mut transfer) = (Vec::new(), Vec::new());
    for _ in 0..FEW {
        let took = cast.read(&records, Purpose::Treat)?;
        chart.push(took.opened);
        transfer.push(fetch(&nodes, &took.request, &records)?);
    }
    // The same by an app that holds no state.
    let followed = std::mem::replace(&mut cast.network, Network::connect_light(&cluster.place())?);
    let light = cast.read_one_by_one(SINGLE, Purpose::Treat)?;
    let chart_light = (0..FEW).map(|_| Ok(cast.read(&records, Purpose::Treat)?.opened));
    let chart_light = chart_light.collect::<Result<Vec<_>>>()?;
    drivers.end()?;
    await_empty(&cluster)?;

    let half = 0.5 * carried(&cluster, &mut workload, nodes.first().ok_or("no node")?)?;
    let loaded = under(&cluster, workload.records(500_000), half, || {
        cast.read_one_by_one(LOADED, Purpose::Treat)
    })?;
    let asked_by_values = std::mem::replace(&mut cast.network, followed);
    cast.network.refresh()?;

    // Who breaks the glass needs no grant, and a node is down.
    cluster.kill(NODES - 1);
    let signed = workload.records(30_000);
    let drivers = Drivers::start(&cluster, signed, Some(RATE));
    let patient = cast.patient.id();
    cast.patient
        .restrict(&mut cast.network, &[Class::LABORATORY], &[])?;
    cast.doctor
        .declare_emergency(&mut cast.network, patient, "er", "unconscious")?;
    let emergency = cast.read_one_by_one(EMERGENCIES, Purpose::Btg)?;
    drivers.end()?;
    cast.network = asked_by_values;
    let loaded_emergency = under(&cluster, workload.records(500_000), half, || {
        cast.read_one_by_one(EMERGENCIES, Purpose::Btg)
    })?;

    let bare = bare()?;
    let p50 = median(single.opened.clone());
    let transfer = median(transfer);
    let others = [
        "two transactions final, p50, and bare release and open; ours is p50",
        "twice that; ours is p99",
        "two transactions of an app that executes no block final, p50, and bare release and open; ours is p50",
        "twice that; ours is p99",
        "two reads of a record, and fetching the sealed records, a quarter from each node",
        "two transactions final with a node down, p50, and bare release and open; ours is p50",
        "two transactions of an app that executes no block final with a node down, p50, and bare release and open; ours is p50",
        "twice that; ours is p99",
    ];
    let twice = 2.0 * median(single.requested) + bare;
    let twice_loaded = 2.0 * median(loaded.requested) + bare;
    let twice_of_three = 2.0 * median(emergency.requested) + bare;
    let twice_of_loaded_three = 2.0 * median(loaded_emergency.requested) + bare;
    let times = [
        (p50, twice),
        (p99(single.opened)?, 2.0 * twice),
        (median(loaded.opened.clone()), twice_loaded),
        (p99(loaded.opened)?, 2.0 * twice_loaded),
        (median(chart.clone()), 2.0 * p50 + transfer),
        (median(emergency.opened), twice_of_three),
        (
            median(loaded_emergency.opened.clone()),
            twice_of_loaded_three,
        ),
        (p99(loaded_emergency.opened)?, 2.0 * twice_of_loaded_three),
    ];
    let figure = |((id, other), (ours, theirs))| Figure {
        id,
        ours,
        theirs,
        other,
        unit: "ns",
        required: Some(Required::Within(1.0)),
    };
    let beside = [
        ("reading/one-light", median(light.opened), p50),
        ("reading/chart-light", median(chart_light), median(chart)),
    ];
    let beside = beside.map(|(id, ours, theirs)| Figure {
        id,
        ours,
        theirs,
        other: "the same by an app that executes every block; p50 of both",
        unit: "ns",
        required: None,
    });
    let figures = READ.into_iter().zip(others).zip(times);
    Ok(figures.map(figure).chain(beside).collect())
}
