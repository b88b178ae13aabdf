use std::path::Path;
use std::process::Command;

use crate::command::{cargo, is_installed, succeeds, succeeds_shown, typed};
use crate::interop;

/// The crates that others build on, which do without `std`.
const CORE: [&str; 7] = [
    "chartseal-codec",
    "chartseal-merkle",
    "chartseal-wire",
    "chartseal-policy",
    "chartseal-envelope",
    "chartseal-ledger",
    "chartseal-audit",
];

/// A program that the stages use: how to see whether it is there, and what installs it.
struct Need {
    program: &'static str,
    words: &'static [&'static str],
    install: &'static [&'static str],
}

const NEEDS: [Need; 2] = [
    Need {
        program: "cargo",
        words: &["fmt"],
        install: &["rustup", "component", "add", "rustfmt"],
    },
    Need {
        program: "cargo",
        words: &["clippy"],
        install: &["rustup", "component", "add", "clippy"],
    },
];

/// One thing that must pass.
struct Stage {
    name: &'static str,
    command: Command,
}

/// Runs every stage up to the first that fails, and prints the test runners' closing lines last.
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    install_needs()?;
    interop::install(root)?;
    let mut closing = Vec::new();
    let mut failed = None;
    for mut stage in stages(root)? {
        eprintln!("\n== {}: {}", stage.name, typed(&stage.command));
        let (passed, lines) = succeeds_shown(&mut stage.command)?;
        closing.extend(closing_lines(&lines));
        failed = failed.or((!passed).then_some(stage.name));
        // All tests run, whichever fail.
        if failed.is_some() && !stage.name.starts_with("tests") {
            break;
        }
    }
    if failed.is_none() && !is_installed("cargo", &["deny"]) {
        println!("\nskipped: licences, bans and sources, for cargo-deny is not installed");
    }
    match failed {
        Some(stage) => println!("\n{stage}: FAILED"),
        None => println!("\nall stages passed"),
    }
    for line in &closing {
        println!("{line}");
    }
    Ok(failed.is_none())
}

fn stages(root: &Path) -> Result<Vec<Stage>, String> {
    let stage = |name, words: &[&str]| Stage {
        name,
        command: cargo(root, words),
    };
    let mut stages = vec![
        Stage {
            name: "crate graph",
            command: this(root, &["graph", "--check"])?,
        },
        stage("format", &["fmt", "--all", "--check"]),
        stage(
            "format of the fuzzers",
            &["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"],
        ),
        stage(
            "format of the peers",
            &[
                "fmt",
                "--check",
                "--manifest-path",
                "benches/peers/Cargo.toml",
            ],
        ),
        stage(
            "format of the policy engine's peers",
            &[
                "fmt",
                "--check",
                "--manifest-path",
                "benches/policy-peers/Cargo.toml",
            ],
        ),
        stage(
            "format of age's peer",
            &[
                "fmt",
                "--check",
                "--manifest-path",
                "benches/peers-age/Cargo.toml",
            ],
        ),
    ];
    let mut lints = stage(
        "lints",
        &["clippy", "--workspace", "--all-targets", "--release"],
    );
    let strict = lints_are_ours(root);
    if strict {
        lints.command.args(["--", "-D", "warnings"]);
    }
    stages.push(lints);
    if is_installed("cargo", &["nextest"]) {
        let words = [
            "nextest",
            "run",
            "--workspace",
            "--release",
            "--no-fail-fast",
        ];
        stages.push(stage("tests", &words));
        let words = [
            "nextest",
            "run",
            "--package=chartseal-envelope",
            "--features=hazmat,conformance,aws-lc,keystore,parallel,pq-sign",
            "--release",
        ];
        stages.push(stage("tests of the envelope with all features", &words));
    } else {
        let words = ["test", "--workspace", "--release", "--no-fail-fast"];
        let mut tests = stage("tests", &words);
        tests.command.args(["--lib", "--bins", "--tests"]);
        stages.push(tests);
        let words = [
            "test",
            "--package=chartseal-envelope",
            "--features=hazmat,conformance,aws-lc,keystore,parallel,pq-sign",
            "--release",
            "--lib",
            "--tests",
        ];
        stages.push(stage("tests of the envelope with all features", &words));
    }
    stages.push(stage(
        "doctests",
        &["test", "--doc", "--workspace", "--release"],
    ));
    let mut no_std = stage("no_std", &["check", "--release", "--no-default-features"]);
    no_std
        .command
        .args(CORE.iter().flat_map(|name| ["-p", name]));
    stages.push(no_std);
    stages.push(Stage {
        name: "no_std program",
        command: this(root, &["no-std"])?,
    });
    let mut docs = stage(
        "documentation",
        &["doc", "--no-deps", "--workspace", "--release"],
    );
    if strict {
        docs.command.env("RUSTDOCFLAGS", "-D warnings");
    }
    stages.push(docs);
    if is_installed("cargo", &["deny"]) {
        let words = ["deny", "check", "licenses", "bans", "sources"];
        stages.push(stage("licences", &words));
    }
    Ok(stages)
}

/// Whether a warning is an error: with the compiler whose lints this code keeps. A newer one warns of
/// more, which is no reason for a user's tests to fail.
fn lints_are_ours(root: &Path) -> bool {
    let mut rustc = Command::new("rustc");
    let version = rustc.arg("--version").current_dir(root).output();
    version.is_ok_and(|version| version.stdout.starts_with(LINTED_WITH.as_bytes()))
}

/// The compiler whose lints this code keeps.
const LINTED_WITH: &str = "rustc 1.95.";

/// This program with another task.
fn this(root: &Path, words: &[&str]) -> Result<Command, String> {
    let program = std::env::current_exe().map_err(|error| format!("where is xtask? {error}"))?;
    let mut command = Command::new(program);
    command.args(words).current_dir(root);
    Ok(command)
}

fn install_needs() -> Result<(), String> {
    for need in &NEEDS {
        if is_installed(need.program, need.words) {
            continue;
        }
        let Some((program, words)) = need.install.split_first() else {
            continue;
        };
        let mut install = Command::new(program);
        install.args(words);
        eprintln!("installing: {}", typed(&install));
        if !succeeds(&mut install)? {
            return Err(format!("`{}` failed; install it by hand", typed(&install)));
        }
    }
    Ok(())
}

/// What a test runner sums up with: nextest's summary with the failures that it lists behind it, or
/// cargo's line for each test binary.
fn closing_lines(lines: &[String]) -> Vec<String> {
    let is_summary = |line: &String| line.trim_start().starts_with("Summary [");
    match lines.iter().position(is_summary) {
        Some(summary) => lines.iter().skip(summary).cloned().collect(),
        None => lines
            .iter()
            .filter(|line| line.starts_with("test result: "))
            .cloned()
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_closing_lines_are_the_runners_own() {
        let nextest =
            "PASS a\n------\n     Summary [   0.1s] 2 tests run: 1 passed, 1 failed\n  FAIL b";
        let closing = closing_lines(&lines(nextest));
        assert_eq!(closing.len(), 2);
        assert_eq!(closing[1], "  FAIL b");

        let cargo = "test a ... ok\ntest result: ok. 1 passed\n\ntest result: FAILED. 0 passed";
        let closing = closing_lines(&lines(cargo));
        assert_eq!(
            closing,
            ["test result: ok. 1 passed", "test result: FAILED. 0 passed"]
        );
    }
}
