use std::thread;
use std::time::{Duration, Instant};

use chartseal_cluster::{Drivers, Wiring};

use super::{HEARTBEAT_MS, Result, await_empty, network, resident};
use crate::{Figure, Required};

/// What [`soaked`] measures.
pub const SOAKED: &str = "network/memory-hour";

const MINUTE: Duration = Duration::from_secs(60);
const MINUTES: u64 = 60;
/// When caches are full and nothing but a leak is left to grow: outcomes of 65,536 transactions are remembered.
const FULL: u64 = 10;
const RATE: f64 = 150.0;

/// A node's memory after an hour under load, beside the same after ten minutes. What is handed in are attempts that are
/// denied: they enter histories, which are on the disk, and leave the state as large as it was, so memory has nothing to
/// grow by. `CHARTSEAL_SOAK_MINUTES` takes the place of the hour.
pub fn soaked() -> Result<Figure> {
    let minutes = std::env::var("CHARTSEAL_SOAK_MINUTES").ok();
    let minutes = minutes.map(|it| it.parse()).transpose()?.unwrap_or(MINUTES);
    let cluster = network(HEARTBEAT_MS, Wiring::Direct)?;
    let offices = cluster.authors().into_iter();
    let attempts = offices.map(|mut office| std::iter::repeat_with(move || office.ask()));
    let drivers = Drivers::start(&cluster, attempts.collect(), Some(RATE));
    let (begun, mut full, mut last) = (Instant::now(), 0.0, 0.0);
    for minute in 1..=minutes {
        thread::sleep((begun + MINUTE * u32::try_from(minute)?) - Instant::now());
        last = resident(&cluster);
        let (height, handed_in) = (cluster.height(), drivers.handed_in());
        eprintln!("minute {minute}: height {height}, {handed_in} handed in, {last} bytes");
        if minute <= FULL {
            full = last;
        }
    }
    drivers.end()?;
    await_empty(&cluster)?;
    Ok(Figure {
        id: SOAKED,
        ours: last,
        theirs: full,
        other: "after ten minutes of the same load, when caches are full",
        unit: "bytes resident, the largest node",
        required: Some(Required::Within(1.1)),
    })
}
