//! How soon a patient hears of an access.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use chartseal::{Ask, Network, Purpose, RecordId};
use chartseal_cluster::{Serves, Wiring};

use super::{HEARTBEAT_MS, PATIENCE, Result, network_for};
use crate::{Figure, Required, median};

/// What [`heard`] measures.
pub const HEARD: &str = "network/heard";

const ATTEMPTS: usize = 31;

/// From when a reader begins to ask until the patient's app has the entry, over a stream of events from a node, beside a
/// second.
///
/// # Errors
/// If no network can be made, or nothing is heard.
pub fn heard() -> Result<Vec<Figure>> {
    let cluster = network_for(HEARTBEAT_MS, Wiring::Direct, Serves::Encrypted)?;
    let mut network = Network::connect(&cluster.place())?;
    let hospital = *network.organizations().first().ok_or("no organization")?;
    let patient = network.enrol_patient(&hospital)?;
    let mut doctor = network.enrol_practitioner(&hospital, &["physician"])?;
    let known = u64::try_from(patient.history(&network)?.len())?;
    let watch = patient.watch(&network, known)?;
    let (told, hears) = channel();
    // It ends with the node that it listens to.
    thread::spawn(move || {
        for entry in watch {
            if told.send((Instant::now(), entry.map(|it| it.tx))).is_err() {
                return;
            }
        }
    });
    let mut times = Vec::new();
    for _ in 0..ATTEMPTS {
        let ask = Ask::read(patient.id(), &[RecordId([7; 16])], Purpose::Treat);
        let begun = Instant::now();
        let request = doctor.request(&mut network, &ask)?;
        let (at, entry) = hears.recv_timeout(PATIENCE)?;
        if entry? != request.id() {
            return Err("another entry was heard".into());
        }
        times.push(at.duration_since(begun));
    }
    Ok(vec![Figure {
        id: HEARD,
        ours: median(times),
        theirs: Duration::from_secs(1).as_secs_f64() * 1e9,
        other: "a second",
        unit: "ns, p50",
        required: Some(Required::Within(1.0)),
    }])
}
