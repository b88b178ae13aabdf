//! Chartseal's tasks: `cargo xtask test`, `graph`, `no-std`, `bench`, `sabotage`, `upgrade`.

mod args;
mod bench;
mod command;
mod graph;
mod interop;
mod layers;
mod no_std;
mod sabotage;
mod test;
mod upgrade;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK

  test                                     all that must pass before a commit
  graph [--check]                          the crates' graph in docs/architecture.md, and their order
  no-std                                   the envelope in a program without std: links, runs
  bench [--peers] [--only ID] [--json]     the figures, ours and the other in turns
  sabotage [--only NAME] [--list] [--json] the checks that tests would miss if they were gone
  upgrade --from REVISION                  a network of that revision's nodes becomes this one's, node by node";

/// Exit codes as the program's: 0 done, 1 something does not hold, 3 misuse or no way to find out.
fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(3)
        }
    }
}

/// Whether everything holds that the task looked at.
fn run() -> Result<bool, String> {
    let mut words = std::env::args().skip(1);
    let task = words.next();
    let rest: Vec<String> = words.collect();
    let root = root()?;
    match task.as_deref() {
        Some("test") => {
            args::Args::parse(&rest, &[])?;
            test::run(&root)
        }
        Some("graph") => graph::run(&root, args::Args::parse(&rest, &["--check"])?.check),
        Some("no-std") => {
            args::Args::parse(&rest, &[])?;
            no_std::run(&root)
        }
        Some("bench") => bench::run(
            &root,
            &args::Args::parse(&rest, &["--peers", "--only", "--json"])?,
        ),
        Some("sabotage") => {
            let args = args::Args::parse(&rest, &["--only", "--list", "--json"])?;
            sabotage::run(&root, &args)
        }
        Some("upgrade") => upgrade::run(&root, &args::Args::parse(&rest, &["--from"])?),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(true)
        }
        Some(other) => Err(format!("there is no task {other}\n{USAGE}")),
        None => Err(format!("which task?\n{USAGE}")),
    }
}

/// The workspace's folder: cargo tells where this crate lies.
fn root() -> Result<PathBuf, String> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("run this as `cargo xtask`")?;
    let root = PathBuf::from(here).ancestors().nth(2).map(PathBuf::from);
    root.ok_or_else(|| "the xtask crate is not two folders below the workspace".to_owned())
}
