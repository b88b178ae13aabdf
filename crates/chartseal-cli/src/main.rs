//! The `chartseal` program: what a person runs.
//!
//! | module | what |
//! |---|---|
//! | `args` | what may be typed |
//! | `exit`, `failure` | how commands end: one table of codes, one line for what went wrong |
//! | `demo` | one clinic visit, end to end |
//! | `audit` | verification of exports |
//! | `ledger` | what a node's ledger holds, and whether it is true |
//! | `net` | networks of nodes, each a process of its own |
//! | `committee` | who runs the network: proposed, approved, handed in |
//! | `node`, `log` | one node: run, looked after; its log |
//! | `events` | what an entry of a history says |
//! | `policy` | decisions on a document's cases, and what else can be asked of consents |
//! | `records` | keys, and sealed records on files and pipes |
//! | `text` | lines and tables for a terminal |

#![allow(
    unreachable_pub,
    reason = "a program has no public items; `pub` says what modules share"
)]

use std::process::ExitCode;

use clap::Parser;

mod args;
mod audit;
mod committee;
mod demo;
mod events;
mod exit;
mod failure;
mod ledger;
mod log;
mod net;
mod node;
mod policy;
mod records;
mod text;

use args::{Args, Command};
use exit::Exit;

/// Replaying and executing allocate a lot, on several threads.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version come as errors too; a closed pipe is no reason to fail over them.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Misuse
            } else {
                Exit::Done
            }
            .into();
        }
    };
    let result = match &args.command {
        Command::Demo(command) => demo::run(command),
        Command::Audit(command) => audit::run(command),
        Command::Ledger(command) => ledger::run(command),
        Command::Policy(command) => policy::run(command),
        Command::Net(command) => net::run(command),
        Command::Node(command) => node::run(command),
        Command::Committee(command) => committee::run(command),
        Command::Key(command) => records::key(command),
        Command::Seal(args) => records::seal(args),
        Command::Open(args) => records::open(args),
        Command::Deal(args) => records::deal(args),
        Command::Release(args) => records::release(args),
        Command::Combine(args) => records::combine(args),
        Command::Inspect(args) => records::inspect(args),
    };
    let exit = result.unwrap_or_else(|failure| {
        eprintln!("chartseal: {failure}");
        failure.exit()
    });
    exit.into()
}
