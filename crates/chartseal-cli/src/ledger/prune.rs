//! `chartseal ledger prune`.

use std::fs;
use std::io;

use chartseal_ledger::store::LedgerStore;
use serde_json::json;

use super::args::Prune;
use super::chain::{Chain, FILE};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::text::{line, print_json, size};

/// Runs the command.
pub fn run(args: &Prune) -> Result<Exit, Failure> {
    let mut chain = Chain::open(&args.read.dir)?;
    let newest = chain.head().height();
    if args.below > newest {
        let why = format!("the newest block, {newest}, stays: name a height up to {newest}");
        return Err(Failure::bad(&chain.dir, why));
    }
    let file = chain.dir.join(FILE);
    let len = || fs::metadata(&file).map_or(0, |about| about.len());
    let before = len();
    let pruned = chain.store.prune(args.below);
    let pruned = pruned.map_err(|error| chain.bad(&error))?;
    // Whether or not something was pruned now: the space of an earlier pruning may be there yet.
    let compacted = chain.store.compact();
    compacted.map_err(|error| chain.bad(&error))?;
    let kept = chain.store.kept().map_err(|error| chain.bad(&error))?;
    let after = len();
    if args.read.json {
        print_json(&json!({
            "schema": "chartseal.ledger.prune/1",
            "pruned": pruned,
            "blocks_from": kept.blocks_from,
            "bytes_before": before,
            "bytes_after": after,
        }))?;
        return Ok(Exit::Done);
    }
    let out = &mut io::stdout().lock();
    line(
        out,
        "pruned",
        &format!("the transactions of {pruned} blocks"),
    )?;
    let from = kept.blocks_from;
    line(
        out,
        "kept",
        &format!("blocks {from} to {newest}; all headers, histories and values"),
    )?;
    line(
        out,
        "disk",
        &format!("{}, before {}", size(after), size(before)),
    )?;
    Ok(Exit::Done)
}
