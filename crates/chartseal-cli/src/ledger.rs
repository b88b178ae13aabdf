//! `chartseal ledger …`: what a node's ledger holds, and whether it is true.
//!
//! | module | what |
//! |---|---|
//! | `args` | what may be typed |
//! | `chain` | opening a ledger; why one can't be opened |
//! | `show`, `block`, `tx`, `history` | what it holds |
//! | `verify` | everything executed anew |
//! | `snapshot`, `snapshot_file` | snapshots, and the file that they are in |
//! | `prune` | old transactions, deleted |
//! | `publish` | headers as static files, for witnesses |
//! | `words` | lines for a terminal |

pub mod args;
mod block;
pub mod chain;
mod history;
mod prune;
mod publish;
mod show;
pub mod snapshot;
mod snapshot_file;
mod tx;
mod verify;
mod words;

use args::{Ledger, Snapshot};
pub use verify::run as verify;

use crate::exit::Exit;
use crate::failure::Failure;

/// Runs the command.
pub fn run(command: &Ledger) -> Result<Exit, Failure> {
    match command {
        Ledger::Show(args) => show::run(args),
        Ledger::Block(args) => block::run(args),
        Ledger::Tx(args) => tx::run(args),
        Ledger::History(args) => history::run(args),
        Ledger::Verify(args) => verify::run(args),
        Ledger::Snapshot(Snapshot::Export(args)) => snapshot::export(args),
        Ledger::Snapshot(Snapshot::Check(args)) => snapshot::check(args),
        Ledger::Snapshot(Snapshot::Import(args)) => snapshot::import(args),
        Ledger::Prune(args) => prune::run(args),
        Ledger::Publish(args) => publish::run(args),
    }
}
