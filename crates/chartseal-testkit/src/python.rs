//! The second verifier, `docs/verify_export.py`, as a process that answers.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The verifier.
pub fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify_export.py")
}

/// The command as it is documented, not started yet, with these arguments; `None` where there is no `python3`. The test
/// then says that it did not run.
///
/// # Panics
/// If `CHARTSEAL_DATA_REQUIRED` is `1`, as in CI, and there is none.
pub fn command<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Option<Command> {
    let version = Command::new("python3").arg("--version").output();
    if !version.is_ok_and(|ran| ran.status.success()) {
        return missing();
    }
    let mut command = Command::new("python3");
    command.arg(script()).args(args);
    Some(command)
}

fn missing<T>() -> Option<T> {
    let required = std::env::var_os("CHARTSEAL_DATA_REQUIRED").is_some_and(|set| set == "1");
    assert!(!required, "no python3, and CHARTSEAL_DATA_REQUIRED is 1");
    eprintln!("did not run: no python3");
    None
}

/// A running verifier in Python.
#[derive(Debug)]
pub struct Python {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// Starts it; `None` where there is no `python3`. The test then says that it did not run.
    ///
    /// # Panics
    /// If `CHARTSEAL_DATA_REQUIRED` is `1`, as in CI, and there is none.
    pub fn start() -> Option<Self> {
        let mut command = Command::new("python3");
        command.arg(script()).arg("--batch");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = command.spawn().ok().and_then(|mut process| {
            let (requests, answers) = (process.stdin.take()?, process.stdout.take()?);
            Some(Self {
                process,
                requests,
                answers: BufReader::new(answers),
            })
        });
        started.or_else(missing)
    }

    /// The answer to one request, as the script's `batch` documents them.
    ///
    /// # Errors
    /// If it answers no more: then it has failed, and said why on standard error.
    pub fn ask(&mut self, request: &str) -> io::Result<String> {
        writeln!(self.requests, "{request}")?;
        self.requests.flush()?;
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer.trim_end().into())
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It would end by itself when its input does.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
