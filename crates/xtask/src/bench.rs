use std::path::Path;

use serde_json::{Value, json};

use crate::args::Args;
use crate::command::{captured_out, cargo, typed};

/// Runs the figures, each of which prints one JSON object a line, and sums them up; whether all hold.
pub(crate) fn run(root: &Path, args: &Args) -> Result<bool, String> {
    let mut entries = figures(root, args, &["-p", "chartseal-benches"])?;
    if args.peers {
        let manifest = ["--manifest-path", "benches/peers/Cargo.toml"];
        entries.extend(figures(root, args, &manifest)?);
    }
    if let (Some(only), true) = (&args.only, entries.is_empty()) {
        return Err(format!("no figure is called {only}"));
    }
    let hold = entries.iter().all(|entry| entry["holds"] == true);
    if args.json {
        println!(
            "{:#}",
            json!({"schema": "chartseal.bench/1", "entries": entries})
        );
    } else {
        for entry in &entries {
            println!("{}", row(entry));
        }
    }
    Ok(hold)
}

fn figures(root: &Path, args: &Args, package: &[&str]) -> Result<Vec<Value>, String> {
    let mut command = cargo(root, &["run", "--release", "--quiet"]);
    command.args(package);
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
    let verdict = if entry["holds"] == true {
        ""
    } else {
        "  DOES NOT HOLD"
    };
    format!(
        "{:<28} {:>12} {:<10} {:>8} × {} (required: {}){verdict}",
        text("id"),
        number("ours"),
        text("unit"),
        number("ratio"),
        text("other"),
        number("required"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_does_not_hold_is_shown_as_such() {
        let entry = json!({"id": "a", "ours": 2.0, "other": "b", "unit": "ns", "ratio": 2.0,
            "required": 1.5, "holds": false});
        assert!(row(&entry).contains("2.000 × b (required: 1.500)  DOES NOT HOLD"));
    }
}
