use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::args::Args;
use crate::command::{captured_out, cargo, is_installed, must_succeed, typed};

/// What the peers' figures are called.
const PEERS: &str = "peers/";
/// What those of the policy engines are called, which take minutes to compile.
const POLICY_PEERS: &str = "peers/policy-";

/// Runs the figures, each of which prints one JSON object a line, and sums them up; whether all hold.
pub(crate) fn run(root: &Path, args: &Args) -> Result<bool, String> {
    let is_peer = args.only.as_ref().map(|only| only.starts_with(PEERS));
    let mut entries = Vec::new();
    if is_peer != Some(true) {
        let mut run = cargo(
            root,
            &["run", "--release", "--quiet", "-p", "chartseal-benches"],
        );
        // With the allocator that docs/operations.md advises, where it can be built.
        if is_installed("make", &[]) {
            run.args(["--features", "jemalloc"]);
        } else {
            eprintln!("without `make` the system's allocator is measured");
        }
        entries.extend(figures(run, args)?);
    }
    let is_policy = args
        .only
        .as_ref()
        .map(|only| only.starts_with(POLICY_PEERS));
    if is_peer.unwrap_or(args.peers) && is_policy != Some(true) {
        let manifest = ["--manifest-path", "benches/peers/Cargo.toml"];
        let mut run = cargo(root, &["run", "--release", "--quiet"]);
        run.args(manifest)
            .env("CARGO_TARGET_DIR", root.join("target/peers"))
            .env("CHARTSEAL_PEER_AGE", build_age(root)?);
        entries.extend(figures(run, args)?);
    }
    if is_policy.unwrap_or(args.peers) {
        let manifest = ["--manifest-path", "benches/policy-peers/Cargo.toml"];
        let mut run = cargo(root, &["run", "--release", "--quiet"]);
        run.args(manifest)
            .env("CARGO_TARGET_DIR", root.join("target/policy-peers"));
        entries.extend(figures(run, args)?);
    }
    if let (Some(only), true) = (&args.only, entries.is_empty()) {
        return Err(format!("no figure is called {only}"));
    }
    let hold = entries.iter().all(|entry| entry["holds"] == true);
    if args.json {
        println!(
            "{:#}",
            json!({"schema": "chartseal.bench/1", "machine": machine(root), "entries": entries})
        );
    } else {
        for entry in &entries {
            println!("{}", row(entry));
        }
    }
    Ok(hold)
}

/// What was measured, and on what, as far as Linux says.
fn machine(root: &Path) -> Value {
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(key, _)| key.trim() == name);
        found.map(|(_, value)| value.trim().to_owned())
    };
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    let mut commit = Command::new("git");
    let commit = captured_out(commit.args(["rev-parse", "HEAD"]).current_dir(root));
    json!({
        "processor": field("/proc/cpuinfo", "model name"),
        "cores": std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": kernel.map(|it| it.trim().to_owned()),
        "commit": commit.ok().map(|(_, commit)| commit.trim().to_owned()),
    })
}

/// age's program, for its lockfile can be nobody else's.
fn build_age(root: &Path) -> Result<PathBuf, String> {
    let target = root.join("target/peers-age");
    let manifest = ["--manifest-path", "benches/peers-age/Cargo.toml"];
    let mut build = cargo(root, &["build", "--release", "--quiet"]);
    build.args(manifest).env("CARGO_TARGET_DIR", &target);
    must_succeed(&mut build)?;
    Ok(target.join("release/chartseal-peer-age"))
}

fn figures(mut command: Command, args: &Args) -> Result<Vec<Value>, String> {
    if let Some(only) = &args.only {
        command.args(["--", only]);
    }
    let (succeeded, out) = captured_out(&mut command)?;
    if !succeeded {
        return Err(format!("`{}` failed", typed(&command)));
    }
    let entry = |line: &str| {
        let bad = |error| {
            format!(
                "`{}` printed a line that is no entry: {error}",
                typed(&command)
            )
        };
        serde_json::from_str(line).map_err(bad)
    };
    out.lines().map(entry).collect()
}

fn row(entry: &Value) -> String {
    let number = |field: &str| {
        entry[field]
            .as_f64()
            .map_or("-".to_owned(), |n| format!("{n:.3}"))
    };
    let text = |field: &str| entry[field].as_str().unwrap_or("-").to_owned();
    let (than, required) = match entry["bound"].as_str() {
        Some("at least") => ("as fast as ", format!(" (at least {})", number("required"))),
        Some(bound) => ("", format!(" ({bound} {})", number("required"))),
        None => ("", String::new()),
    };
    let verdict = if entry["holds"] == true {
        ""
    } else {
        "  DOES NOT HOLD"
    };
    format!(
        "{:<28} {:>12} {:<12} {:>8} × {than}{}{required}{verdict}",
        text("id"),
        number("ours"),
        text("unit"),
        number("ratio"),
        text("other"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_does_not_hold_is_shown_as_such() {
        let mut entry = json!({"id": "a", "ours": 2.0, "other": "b", "unit": "ns", "ratio": 1.25,
            "bound": "at least", "required": 1.5, "holds": false});
        assert!(row(&entry).ends_with("1.250 × as fast as b (at least 1.500)  DOES NOT HOLD"));
        entry["bound"] = "at most".into();
        entry["holds"] = true.into();
        assert!(row(&entry).ends_with("1.250 × b (at most 1.500)"));
        entry["bound"] = Value::Null;
        entry["required"] = Value::Null;
        assert!(row(&entry).ends_with("1.250 × b"));
    }
}
