//! `chartseal ledger show`.

use std::fs;
use std::io;
use std::path::Path;

use chartseal_ledger::store::{Counts, Kept, LedgerStore};
use serde_json::{Value, json};

use super::args::Show;
use super::chain::Chain;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::text::{line, print_json, size};

/// What a node's directory holds beside the chain.
const PARTS: [&str; 4] = ["ledger.redb", "blobs", "shares", "side"];

/// Runs the command.
pub fn run(args: &Show) -> Result<Exit, Failure> {
    let chain = Chain::open(&args.read.dir)?;
    let counts = chain.store.counts().map_err(|error| chain.bad(&error))?;
    let kept = chain.store.kept().map_err(|error| chain.bad(&error))?;
    let disk: Vec<(&str, u64)> = PARTS
        .iter()
        .map(|part| (*part, bytes_of(&args.read.dir.join(part))))
        .collect();
    if args.read.json {
        print_json(&document(&chain, &counts, kept, &disk))?;
    } else {
        print(&chain, &counts, kept, &disk)?;
    }
    Ok(Exit::Done)
}

fn document(chain: &Chain, counts: &Counts, kept: Kept, disk: &[(&str, u64)]) -> Value {
    let (head, committee) = (chain.head().head(), chain.head().committee());
    let members = committee.members().iter();
    let next = chain.head().state().next_committee();
    json!({
        "schema": "chartseal.ledger.show/1",
        "chain": head.chain.to_string(),
        "height": head.height,
        "time": head.time.to_string(),
        "head": head.leaf().to_string(),
        "state_root": head.state_root.to_string(),
        "log": {"size": chain.loaded.log.size(), "root": chain.loaded.log.root().to_string()},
        "epoch": committee.epoch(),
        "committee": {
            "needed": committee.quorum(),
            "faulty": committee.f(),
            "members": members
                .map(|one| json!({"org": one.org.to_string(), "validator": one.validator.to_string()}))
                .collect::<Vec<_>>(),
        },
        "next_committee": next.map(|next| json!({
            "epoch": next.committee.epoch(),
            "from": next.from,
            "members": next.committee.members().iter().map(|one| one.org.to_string()).collect::<Vec<_>>(),
        })),
        "counts": {
            "blocks": counts.blocks,
            "transactions": counts.transactions,
            "histories": counts.histories,
            "entries": counts.entries,
            "values": counts.state,
        },
        "kept": {"blocks_from": kept.blocks_from, "leaves_from": kept.leaves_from},
        "disk": disk.iter().map(|(part, bytes)| json!({"part": part, "bytes": bytes})).collect::<Vec<_>>(),
    })
}

fn print(chain: &Chain, counts: &Counts, kept: Kept, disk: &[(&str, u64)]) -> io::Result<()> {
    let (head, committee) = (chain.head().head(), chain.head().committee());
    let out = &mut io::stdout().lock();
    line(out, "chain", &head.chain.to_string())?;
    line(out, "height", &format!("{}, of {}", head.height, head.time))?;
    line(out, "head", &head.leaf().to_string())?;
    line(out, "state root", &head.state_root.to_string())?;
    line(out, "log root", &chain.loaded.log.root().to_string())?;
    line(
        out,
        "log size",
        &format!("{} headers, the newest included", chain.loaded.log.size()),
    )?;
    line(out, "epoch", &committee.epoch().to_string())?;
    let (n, needed, faulty) = (committee.n(), committee.quorum(), committee.f());
    line(
        out,
        "committee",
        &format!("{n} organizations; {needed} must agree, {faulty} may be corrupt"),
    )?;
    for (index, member) in (1..).zip(committee.members()) {
        line(out, "", &format!("{index}  {}", member.org))?;
    }
    if let Some(next) = chain.head().state().next_committee() {
        let epoch = next.committee.epoch();
        line(
            out,
            "next committee",
            &format!("of epoch {epoch}, from block {} on", next.from),
        )?;
        for (index, member) in (1..).zip(next.committee.members()) {
            line(out, "", &format!("{index}  {}", member.org))?;
        }
    }
    line(
        out,
        "holds",
        &format!(
            "{} blocks with {} transactions; {} histories with {} entries; {} values of state",
            counts.blocks, counts.transactions, counts.histories, counts.entries, counts.state
        ),
    )?;
    if kept.blocks_from > 0 {
        let gone = format!("the transactions of blocks below {}", kept.blocks_from);
        line(out, "not kept", &gone)?;
    }
    let all = disk.iter().map(|(_, bytes)| bytes).sum();
    line(out, "disk", &size(all))?;
    for (part, bytes) in disk {
        line(out, "", &format!("{part:<11} {}", size(*bytes)))?;
    }
    Ok(())
}

/// What a file or a folder takes; 0 for what isn't there. Links are not followed.
fn bytes_of(path: &Path) -> u64 {
    let Ok(about) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !about.is_dir() {
        return about.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    // A node's folders are two levels deep at most; links, which could make a circle, are no folders.
    entries.map(|entry| bytes_of(&entry.path())).sum()
}
