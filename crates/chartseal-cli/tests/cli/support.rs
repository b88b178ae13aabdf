//! Runs the built program.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value;

/// Where `cargo xtask test` installs what tests need.
pub(crate) fn target_folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Stdout as one JSON document, nothing before or after.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.stdout, self.stderr))
    }

    /// The single line of an error, after `chartseal: `; nothing was printed besides.
    pub(crate) fn error(&self) -> &str {
        assert_eq!(self.code, 3, "{} {}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "an error comes alone");
        let line = self.stderr.strip_suffix('\n').unwrap();
        assert!(!line.contains('\n'), "one line: {line}");
        line.strip_prefix("chartseal: ").unwrap()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The program, not started yet.
pub(crate) fn chartseal() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chartseal"));
    command.env_remove("NO_COLOR");
    command
}

/// The program with these arguments, to its end.
pub(crate) fn run<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Ran {
    chartseal().args(args).output().unwrap().into()
}

/// The same, with something on stdin.
pub(crate) fn run_on<A: AsRef<OsStr>>(stdin: &[u8], args: impl IntoIterator<Item = A>) -> Ran {
    let mut command = chartseal();
    command.args(args).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    // A program that stops early closes the pipe; its exit says why.
    let writer = thread::spawn(move || drop(pipe.write_all(&stdin)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.into()
}

/// `demo --bundle FILE --json`.
pub(crate) fn demo_of(bundle: &Path) -> Ran {
    run([
        OsStr::new("demo"),
        OsStr::new("--bundle"),
        bundle.as_os_str(),
        OsStr::new("--json"),
    ])
}

/// Asserts that a demo's document says of all ten promises that they held.
pub(crate) fn assert_all_promises_held(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    let document = ran.json();
    for number in 1..=10 {
        let promise = &document["promises"][format!("P{number}")];
        assert_eq!(promise["held"], true, "P{number}: {promise}");
    }
    document
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
