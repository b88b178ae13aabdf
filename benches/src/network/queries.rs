//! How many answers a node gives in a second, by a load generator that is not ours: [wrk](https://github.com/wg/wrk).

use std::fs;
use std::process::Command;

use chartseal_cluster::{Cluster, Serves, Wiring};
use chartseal_codec::to_hex;
use chartseal_wire::history::state_key;

use super::{HEARTBEAT_MS, Result, made_for};
use crate::{Figure, Required};

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
        theirs.push(ns_each(&cluster, "/health")?);
        ours.push(ns_each(&cluster, &proved)?);
    }
    Ok(vec![Figure {
        id: QUERIES,
        ours: middle(ours)?,
        theirs: middle(theirs)?,
        other: "the same node's answers that say nothing, by wrk with 16 connections",
        unit: "ns an answer",
        required: Some(Required::Faster(0.5)),
    }])
}

/// By one thread and sixteen connections, for three seconds.
fn ns_each(cluster: &Cluster, path: &str) -> Result<f64> {
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
    Ok(1e9 / rate)
}

fn middle(mut times: Vec<f64>) -> Result<f64> {
    times.sort_by(f64::total_cmp);
    Ok(*times.get(times.len() / 2).ok_or("nothing was measured")?)
}
