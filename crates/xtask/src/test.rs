use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;

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

/// What has lockfiles of its own.
const OTHER_WORKSPACES: [(&str, &str); 4] = [
    ("format of the fuzzers", "fuzz/Cargo.toml"),
    ("format of the peers", "benches/peers/Cargo.toml"),
    ("format of age's peer", "benches/peers-age/Cargo.toml"),
    (
        "format of the policy engine's peers",
        "benches/policy-peers/Cargo.toml",
    ),
];

/// The crate whose features tests of the workspace leave off: no user has to pay for them.
const ENVELOPE: &str = "--package=chartseal-envelope";

/// One thing that must pass.
struct Stage {
    name: &'static str,
    command: Command,
}

/// Runs every stage up to the first that fails, and prints the test runners' closing lines last.
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    install_needs()?;
    // Other people's programs come while the lints run.
    let mut installing = Some({
        let root = root.to_owned();
        thread::spawn(move || interop::install(&root))
    });
    let mut closing = Vec::new();
    let mut failed = None;
    for mut stage in stages(root)? {
        if stage.name.starts_with("tests")
            && let Some(installing) = installing.take()
        {
            let installed = installing.join();
            installed.map_err(|_| "what the tests talk to can't be installed")??;
        }
        eprintln!("\n== {}: {}", stage.name, typed(&stage.command));
        let began = Instant::now();
        let (passed, lines) = succeeds_shown(&mut stage.command)?;
        eprintln!("== {} took {} s", stage.name, began.elapsed().as_secs());
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
    ];
    for (name, manifest) in OTHER_WORKSPACES {
        stages.push(stage(
            name,
            &["fmt", "--check", "--manifest-path", manifest],
        ));
    }
    let strict = lints_are_ours(root);
    for (name, what) in [
        ("lints", "--workspace"),
        ("lints of the envelope's features", ENVELOPE),
    ] {
        let mut lints = stage(name, &["clippy", what, "--all-targets", "--release"]);
        if what == ENVELOPE {
            lints.command.arg("--all-features");
        }
        if strict {
            lints.command.args(["--", "-D", "warnings"]);
        }
        stages.push(lints);
    }
    // Tests of networks of processes wait for heartbeats and timeouts half of the time: two more than there are cores keep
    // these busy.
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get) + 2;
    let threads = format!("--test-threads={threads}");
    let mut runner = vec!["test", "--lib", "--bins", "--tests"];
    if is_installed("cargo", &["nextest"]) {
        runner = vec!["nextest", "run", &threads];
    }
    for (name, what) in [
        ("tests", "--workspace"),
        ("tests of the envelope's features", ENVELOPE),
    ] {
        let mut tests = stage(name, &runner);
        tests.command.args(["--release", "--no-fail-fast", what]);
        if what == ENVELOPE {
            tests.command.arg("--all-features");
        }
        stages.push(tests);
    }
    stages.push(stage(
        "doctests",
        &["test", "--doc", "--workspace", "--release"],
    ));
    stages.push(stage(
        "doctests of the envelope's features",
        &["test", "--doc", ENVELOPE, "--all-features", "--release"],
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
