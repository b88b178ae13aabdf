//! `chartseal ledger publish`.

use std::io;

use chartseal_node::{NodeKeys, PublishError, keys, publish};
use chartseal_tiles::{Directory, TileError};
use chartseal_wire::checkpoint::origin;
use chartseal_wire::{Checkpoint, SignedNote};
use serde_json::json;
use zeroize::Zeroizing;

use super::args::Publish;
use super::chain::Chain;
use crate::exit::Exit;
use crate::failure::{Failure, read_file};
use crate::text::{line, print_json};

/// The longest file of keys, in bytes.
const MAX_KEYS: u64 = 4096;

/// Runs the command.
pub fn run(args: &Publish) -> Result<Exit, Failure> {
    let chain = Chain::open(&args.read.dir)?;
    let path = chain.dir.join(keys::FILE);
    let secrets = Zeroizing::new(read_file(&path, MAX_KEYS)?);
    let node = NodeKeys::from_secret_bytes(&secrets).map_err(|why| Failure::bad(&path, why))?;
    let origin = origin(&chain.head().head().chain);
    let log = node.log_vkey(&origin);
    let log = log.ok_or_else(|| Failure::bad(&chain.dir, "no log can have this chain's name"))?;
    let sign = |checkpoint: &Checkpoint| {
        let text = checkpoint.to_string();
        let line = log.line(&text, 0, |message| keys::sign(&node.log, message));
        SignedNote {
            text,
            signatures: vec![line],
        }
    };
    let published = publish(&chain.store, &origin, Directory::new(&args.to), sign);
    let checkpoint = published.map_err(|error| match error {
        PublishError::Ledger(error) => chain.bad(&error),
        PublishError::NoHeader(_) => Failure::bad(&chain.dir, error),
        PublishError::Tiles(TileError::Io { .. }) => Failure::bad(&args.to, error),
        _ => Failure::bad(&args.to, format!("{error}; name another directory")),
    })?;
    if args.read.json {
        print_json(&json!({
            "schema": "chartseal.ledger.publish/1",
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root.to_string(),
            "log": log.to_string(),
        }))?;
        return Ok(Exit::Done);
    }
    let out = &mut io::stdout().lock();
    line(out, "published", &format!("{} headers", checkpoint.size))?;
    line(out, "root", &checkpoint.root.to_string())?;
    line(out, "log", &log.to_string())?;
    line(out, "to", &args.to.display().to_string())?;
    Ok(Exit::Done)
}
