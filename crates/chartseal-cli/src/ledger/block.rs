//! `chartseal ledger block`.

use std::io::{self, Write};

use chartseal_codec::to_hex;
use chartseal_ledger::store::LedgerStore;
use chartseal_ledger::{Body, SignedTransaction, Transaction};
use chartseal_wire::{BlockHeader, Event, Subject, TxId};
use serde_json::{Value, json};

use super::args;
use super::chain::Chain;
use super::words::{self, Signer};
use crate::events::{self, Decided, Told};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::text::{line, print_json};

/// What became of a transaction.
pub struct Receipt {
    pub tx: TxId,
    pub kind: &'static str,
    pub signer: Option<Signer>,
    pub result: Outcome,
}

/// Its effect, as the ledger keeps it.
pub enum Outcome {
    /// It did what it says.
    Applied,
    /// It asked for records, and this was decided.
    Decided(Told),
    /// It asked for records and was denied, among so many that they are only counted.
    Counted,
}

impl Outcome {
    /// A lasting word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Decided(_) => "decided",
            Self::Counted => "counted",
        }
    }

    pub fn says(&self) -> &str {
        match self {
            Self::Applied => "applied",
            Self::Decided(told) => &told.says,
            Self::Counted => "denied, and counted with others instead of listed",
        }
    }

    pub fn decided(&self) -> &[Decided] {
        match self {
            Self::Decided(told) => &told.outcomes,
            _ => &[],
        }
    }
}

impl Receipt {
    pub fn of(
        chain: &Chain,
        height: u64,
        signed: &SignedTransaction,
        transaction: &Transaction,
    ) -> Result<Self, Failure> {
        let state = chain.head().state();
        let tx = signed.id();
        let result = match &transaction.body {
            Body::AccessRequested(body) => {
                // The named patient's history has the decision on every record.
                let subject = Subject::Patient(body.patient);
                decision(chain, &subject, height, tx)?.map_or(Outcome::Counted, Outcome::Decided)
            }
            _ => Outcome::Applied,
        };
        Ok(Self {
            tx,
            kind: words::kind(&transaction.body),
            signer: Signer::of(&state, &transaction.actor_key),
            result,
        })
    }

    pub fn json(&self) -> Value {
        let outcomes: Vec<Value> = self.result.decided().iter().map(Decided::json).collect();
        json!({
            "id": self.tx.to_string(),
            "kind": self.kind,
            "signer": Signer::json(self.signer.as_ref()),
            "result": self.result.word(),
            "outcomes": outcomes,
        })
    }
}

/// The entry of a request, in the history of the patient whom it named.
fn decision(
    chain: &Chain,
    subject: &Subject,
    height: u64,
    tx: TxId,
) -> Result<Option<Told>, Failure> {
    let mut from = chain.first_entry_from(subject, height)?;
    while let Some(entry) = chain.entries(subject, from, 1)?.first() {
        if entry.height > height {
            break;
        }
        if entry.tx == tx && matches!(entry.event, Event::Access(_)) {
            return Ok(Some(events::tell(&entry.event)));
        }
        from += 1;
    }
    Ok(None)
}

/// A block as far as it is kept.
struct Shown {
    header: BlockHeader,
    /// Its transactions, and how many bytes it has; `None` if they are pruned.
    body: Option<(Vec<Receipt>, usize)>,
}

/// Runs the command.
pub fn run(args: &args::Block) -> Result<Exit, Failure> {
    let chain = Chain::open(&args.read.dir)?;
    let header = chain.header(args.height)?;
    if args.header {
        let header = to_hex(&header.bytes());
        writeln!(io::stdout().lock(), "{header}")?;
        return Ok(Exit::Done);
    }
    let kept = chain.store.kept().map_err(|error| chain.bad(&error))?;
    let body = if kept.check_block(args.height).is_ok() {
        Some(receipts(&chain, args.height)?)
    } else {
        None
    };
    let shown = Shown { header, body };
    if args.read.json {
        print_json(&document(&shown))?;
    } else {
        print(&shown)?;
    }
    Ok(Exit::Done)
}

fn receipts(chain: &Chain, height: u64) -> Result<(Vec<Receipt>, usize), Failure> {
    let block = chain.block(height)?;
    let mut receipts = Vec::with_capacity(block.transactions.len());
    for signed in &block.transactions {
        let transaction = chain.parse(signed)?;
        receipts.push(Receipt::of(chain, height, signed, &transaction)?);
    }
    Ok((receipts, block.bytes().len()))
}

fn document(shown: &Shown) -> Value {
    let body = shown.body.as_ref();
    let receipts = body.map(|(receipts, _)| receipts.iter().map(Receipt::json));
    json!({
        "schema": "chartseal.ledger.block/1",
        "hash": shown.header.leaf().to_string(),
        "bytes": body.map(|(_, bytes)| bytes),
        "header": header_json(&shown.header),
        "transactions": receipts.map(Iterator::collect::<Vec<_>>),
    })
}

fn header_json(header: &BlockHeader) -> Value {
    json!({
        "version": header.version,
        "chain": header.chain.to_string(),
        "epoch": header.epoch,
        "height": header.height,
        "parent": header.parent.to_string(),
        "time": header.time.to_string(),
        "tx_root": header.tx_root.to_string(),
        "state_root": header.state_root.to_string(),
        "log_root": header.log_root.to_string(),
        "log_size": header.log_size,
        "next_committee": header.next_committee.to_string(),
    })
}

fn print(shown: &Shown) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    let header = &shown.header;
    line(out, "block", &header.height.to_string())?;
    line(out, "hash", &header.leaf().to_string())?;
    line(out, "version", &header.version.to_string())?;
    line(out, "chain", &header.chain.to_string())?;
    line(out, "epoch", &header.epoch.to_string())?;
    line(out, "time", &header.time.to_string())?;
    line(out, "parent", &header.parent.to_string())?;
    line(out, "tx root", &header.tx_root.to_string())?;
    line(out, "state root", &header.state_root.to_string())?;
    line(out, "log root", &header.log_root.to_string())?;
    line(out, "log size", &header.log_size.to_string())?;
    line(out, "next committee", &header.next_committee.to_string())?;
    let Some((receipts, bytes)) = &shown.body else {
        return line(out, "transactions", "not kept here: they were pruned");
    };
    let count = receipts.len();
    line(out, "transactions", &format!("{count}, in {bytes} bytes"))?;
    for (index, receipt) in receipts.iter().enumerate() {
        let signer = Signer::says(receipt.signer.as_ref());
        writeln!(out)?;
        line(out, &format!("  {index}"), receipt.kind)?;
        line(out, "  id", &receipt.tx.to_string())?;
        line(out, "  by", &signer)?;
        line(out, "  result", receipt.result.says())?;
        words::decisions(out, receipt.result.decided())?;
    }
    Ok(())
}
