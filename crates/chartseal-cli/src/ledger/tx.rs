//! `chartseal ledger tx`.

use std::io::{self, Write};

use chartseal_ledger::store::{LedgerStore, TxPlace};
use chartseal_ledger::{Block, SignedTransaction, Transaction, tx_root};
use chartseal_merkle::{Hash, Log, verify_inclusion};
use chartseal_wire::{Subject, TxId};
use serde_json::{Value, json};

use super::args::Tx;
use super::block::Receipt;
use super::chain::Chain;
use super::words::{self, Signer};
use crate::events::{self, Told};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::text::{line, print_json};

/// A transaction with all that is told of it.
struct Found<'a> {
    place: TxPlace,
    block: &'a Block,
    signed: &'a SignedTransaction,
    transaction: Transaction,
    receipt: Receipt,
    entered: Vec<Entered>,
    proof: Proof,
}

/// An entry that it made.
struct Entered {
    subject: Subject,
    index: u64,
    told: Told,
}

/// Two RFC 6962 inclusion proofs: of the transaction in its block, and of the block in the log.
struct Proof {
    leaf: Hash,
    in_block: Vec<Hash>,
    header: Hash,
    in_log: Vec<Hash>,
}

/// Runs the command.
pub fn run(args: &Tx) -> Result<Exit, Failure> {
    let id: Result<TxId, _> = args.id.parse();
    let id = id.map_err(|_| Failure::new("an id of a transaction has 64 hex digits"))?;
    let chain = Chain::open(&args.read.dir)?;
    let place = chain.store.transaction(&id);
    let place = place.map_err(|error| chain.bad(&error))?;
    let kept = chain.store.kept().map_err(|error| chain.bad(&error))?;
    let place = place.ok_or_else(|| {
        let from = kept.blocks_from;
        let pruned = if from > 0 {
            format!(", from block {from} on; earlier ones are not kept")
        } else {
            String::new()
        };
        Failure::bad(&chain.dir, format!("no transaction {id}{pruned}"))
    })?;
    let block = chain.block(place.height)?;
    let signed = usize::try_from(place.index)
        .ok()
        .and_then(|index| block.transactions.get(index))
        .filter(|signed| signed.id() == id)
        .ok_or_else(|| {
            let TxPlace { height, index } = place;
            let why = format!("damaged: block {height} has another transaction at {index}");
            Failure::bad(&chain.dir, why)
        })?;
    let transaction = chain.parse(signed)?;
    let found = Found {
        place,
        block: &block,
        signed,
        receipt: Receipt::of(&chain, place.height, signed, &transaction)?,
        entered: entered(&chain, place.height, id)?,
        proof: prove(&chain, &block, place, signed)?,
        transaction,
    };
    if args.read.json {
        print_json(&document(&chain, &found))?;
    } else {
        print(&chain, &found)?;
    }
    Ok(Exit::Done)
}

/// The entries that a transaction made, in all histories.
fn entered(chain: &Chain, height: u64, tx: TxId) -> Result<Vec<Entered>, Failure> {
    let subjects = chain.store.subjects().map_err(|error| chain.bad(&error))?;
    let mut all = Vec::new();
    for subject in subjects {
        let mut index = chain.first_entry_from(&subject, height)?;
        while let Some(entry) = chain.entries(&subject, index, 1)?.first() {
            if entry.height > height {
                break;
            }
            if entry.tx == tx {
                let told = events::tell(&entry.event);
                all.push(Entered {
                    subject,
                    index,
                    told,
                });
            }
            index += 1;
        }
    }
    Ok(all)
}

/// Makes both proofs, and checks them as anybody would.
fn prove(
    chain: &Chain,
    block: &Block,
    place: TxPlace,
    signed: &SignedTransaction,
) -> Result<Proof, Failure> {
    let mut tree = Log::new();
    for one in &block.transactions {
        tree.append(one.leaf());
    }
    let (index, height) = (u64::from(place.index), place.height);
    let (leaf, header, log) = (signed.leaf(), block.header.leaf(), &chain.loaded.log);
    let in_block = tree.prove_inclusion(index, tree.size()).unwrap_or_default();
    let in_log = log.prove_inclusion(height, log.size()).unwrap_or_default();
    let root = block.header.tx_root;
    let is_proved = tx_root(&block.transactions) == root
        && verify_inclusion(leaf, index, tree.size(), &in_block, root).is_ok()
        && verify_inclusion(header, height, log.size(), &in_log, log.root()).is_ok();
    if !is_proved {
        let why = format!("damaged: block {height} is not the one that its header names");
        return Err(Failure::bad(&chain.dir, why));
    }
    Ok(Proof {
        leaf,
        in_block,
        header,
        in_log,
    })
}

fn document(chain: &Chain, found: &Found<'_>) -> Value {
    let (transaction, proof, log) = (&found.transaction, &found.proof, &chain.loaded.log);
    let entered = found.entered.iter().map(|one| {
        json!({
            "subject": words::subject(&one.subject),
            "index": one.index,
            "event": one.told.json(),
        })
    });
    let mut document = found.receipt.json();
    let more = json!({
        "schema": "chartseal.ledger.tx/1",
        "height": found.place.height,
        "index": found.place.index,
        "time": found.block.header.time.to_string(),
        "version": transaction.version,
        "key": transaction.actor_key.to_string(),
        "seq": transaction.seq,
        "expires": transaction.expires,
        "bytes": found.signed.bytes.len(),
        "entries": entered.collect::<Vec<_>>(),
        "proof": {
            "leaf": proof.leaf.to_string(),
            "index": found.place.index,
            "size": found.block.transactions.len(),
            "path": hashes(&proof.in_block),
            "root": found.block.header.tx_root.to_string(),
        },
        "block_proof": {
            "leaf": proof.header.to_string(),
            "index": found.place.height,
            "size": log.size(),
            "path": hashes(&proof.in_log),
            "root": log.root().to_string(),
        },
    });
    if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
        document.extend(more);
    }
    document
}

fn print(chain: &Chain, found: &Found<'_>) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    let (transaction, receipt) = (&found.transaction, &found.receipt);
    let (TxPlace { height, index }, count) = (found.place, found.block.transactions.len());
    line(out, "transaction", &receipt.tx.to_string())?;
    line(out, "kind", receipt.kind)?;
    line(
        out,
        "where",
        &format!(
            "block {height} of {}, at {index} of {count}",
            found.block.header.time
        ),
    )?;
    line(out, "by", &Signer::says(receipt.signer.as_ref()))?;
    line(out, "key", &transaction.actor_key.to_string())?;
    let (seq, expires, bytes) = (
        transaction.seq,
        transaction.expires,
        found.signed.bytes.len(),
    );
    line(
        out,
        "sequence",
        &format!("{seq}; valid up to block {expires}; {bytes} bytes"),
    )?;
    line(out, "result", receipt.result.says())?;
    words::decisions(out, receipt.result.decided())?;
    if found.entered.is_empty() {
        line(out, "entered", "no history")?;
    }
    for one in &found.entered {
        let whose = words::subject(&one.subject);
        line(out, "entered", &format!("{whose}, entry {}", one.index))?;
        line(out, "", &one.told.says)?;
    }
    let (proof, log) = (&found.proof, &chain.loaded.log);
    line(out, "proof", "that it is in its block (RFC 6962)")?;
    line(out, "  leaf", &proof.leaf.to_string())?;
    line(out, "  at", &format!("{index} of {count}"))?;
    path(out, &proof.in_block)?;
    line(out, "  root", &found.block.header.tx_root.to_string())?;
    line(out, "proof", "that the block is in the log (RFC 6962)")?;
    line(out, "  leaf", &proof.header.to_string())?;
    line(out, "  at", &format!("{height} of {}", log.size()))?;
    path(out, &proof.in_log)?;
    line(out, "  root", &log.root().to_string())
}

fn path(out: &mut impl Write, path: &[Hash]) -> io::Result<()> {
    for (index, hash) in path.iter().enumerate() {
        line(
            out,
            if index == 0 { "  path" } else { "" },
            &hash.to_string(),
        )?;
    }
    Ok(())
}

fn hashes(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}
