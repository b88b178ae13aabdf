//! How many answers a node gives in a second, by a load generator that is not ours: [wrk](https://github.com/wg/wrk).

use std::fs;
use std::process::Command;
use std::time::Duration;

use chartseal_cluster::{Cluster, Serves, Wiring};
use chartseal_codec::to_hex;
use chartseal_wire::history::state_key;

use super::{HEARTBEAT_MS, Result, made_for};
use crate::{Figure, Required, median};

/// What [`queries`] measures.
pub const QUERIES: &str = "network/queries";

/// Turns of both.
const TURNS: usize = 5;

/// Answers with their proof, a value of the state each, beside the same node's answers that say nothing. Nothing is
/// measured where there is no wrk.
///
/// # Errors
/// If no network can be made, or the node refuses.
pub fn queries() -> Result<Vec<Figure>> {
    if Command::new("wrk").arg("--version").output().is_err() {
        eprintln!(
            "not measured: {QUERIES}, for wrk is not installed (Debian's package of that name)"
        );
        return Ok(Vec::new());
    }
    let mut cluster = made_for(HEARTBEAT_MS, Wiring::Direct, Serves::Plain)?;
    let file = cluster.config_file(0);
    let config = fs::read_to_string(&file)?;
    fs::write(&file, format!("{config}requests_per_second 1000000\n"))?;
    cluster.up();
    let config = cluster.config(0);
    let key = state_key("org", &config.organization.0);
    let proved = format!("/v1/state/{}", to_hex(&key.0));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        theirs.push(each(&cluster, "/health")?);
        ours.push(each(&cluster, &proved)?);
    }
    Ok(vec![Figure {
        id: QUERIES,
        ours: median(ours),
        theirs: median(theirs),
        other: "the same node's answers that say nothing, by wrk with 16 connections",
        unit: "ns an answer",
        required: Some(Required::Faster(0.5)),
    }])
}

/// The time of an answer, by one thread and sixteen connections, for three seconds.
fn each(cluster: &Cluster, path: &str) -> Result<Duration> {
    let api = cluster.config(0).api.ok_or("the node has no service")?;
    let url = format!("http://{api}{path}");
    let ran = Command::new("wrk")
        .args(["-t1", "-c16", "-d3s", &url])
        .output()?;
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    if said.contains("Non-2xx") || said.contains("Socket errors") {
        return Err(said.into());
    }
    let rate = said
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    let rate: f64 = rate.ok_or("wrk says no rate")?.trim().parse()?;
    Ok(Duration::try_from_secs_f64(1.0 / rate)?)
}
