//! `chartseal ledger verify`: everything executed anew, and compared with what is stored.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};

use chartseal_ledger::store::{self, Counts, Damage, LedgerStore, ReplayError, Table};
use chartseal_ledger::{BlockError, Committee, Executed, Genesis, Overlay};
use chartseal_node::{RedbLedger, VoucherError, Vouchers};
use chartseal_wire::BlockHeader;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::args::{Trusted, Verify};
use super::chain;
use super::snapshot::{Untrusted, trusted};
use crate::exit::Exit;
use crate::failure::{Failure, read_file};
use crate::text::{line, print_json, wrap};

/// The longest genesis, in bytes.
const MAX_GENESIS: u64 = 4 << 20;

/// What was found.
enum Verdict {
    Proved(Box<Proved>),
    Refuted(Vec<Fault>),
    CannotTell(String),
}

/// What was compared, all of it equal.
struct Proved {
    head: BlockHeader,
    counts: Counts,
    certified: Certified,
    /// The block that an export's quorum was seen to have signed.
    signed: Option<u64>,
}

/// Whether the committees, from the genesis's on, certified the newest block.
enum Certified {
    /// The last of them did, after so many changes.
    By(Committee, usize),
    /// The certificate of this block is not here: it, or the last one of an epoch.
    Missing(u64),
}

/// Where the store is not what the chain makes.
struct Fault {
    rule: &'static str,
    table: String,
    height: Option<u64>,
    found: String,
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Self {
            rule: damage.rule(),
            table: damage.table().to_string(),
            height: damage.height(),
            found: damage.to_string(),
        }
    }
}

impl Fault {
    fn block(rule: &'static str, height: u64, found: String) -> Self {
        Self {
            rule,
            table: Table::Blocks.to_string(),
            height: Some(height),
            found,
        }
    }
}

/// Runs the command.
pub fn run(args: &Verify) -> Result<Exit, Failure> {
    let store = chain::open(&args.read.dir)?;
    let mut verdict = verify(args, &store)?;
    if let (Verdict::Proved(proved), Some(_)) = (&mut verdict, &args.proof)
        && let Err(other) = signed(args, &store, proved)?
    {
        verdict = other;
    }
    // Anybody can go on from a public genesis by themselves; the genesis itself needs no vouching.
    if let Verdict::Proved(proved) = &verdict
        && proved.head.height > 0
        && let (Certified::Missing(height), None) = (&proved.certified, proved.signed)
    {
        verdict = Verdict::CannotTell(format!(
            "the blocks make what is stored, but nobody vouches for the newest one: there is no \
             certificate of block {height}; name an export that the network's quorum signed \
             (--proof), or run the node until another block is final"
        ));
    }
    if args.read.json {
        print_json(&document(&verdict))?;
    } else {
        print(&verdict)?;
    }
    Ok(match verdict {
        Verdict::Proved(_) => Exit::Done,
        Verdict::Refuted(_) => Exit::Refuted,
        Verdict::CannotTell(_) => Exit::CannotTell,
    })
}

fn verify(args: &Verify, store: &RedbLedger) -> Result<Verdict, Failure> {
    let dir = &args.read.dir;
    let genesis = genesis(args)?;
    // Everything that is stored against what the newest header names: that needs no genesis.
    let bar = progress("checking");
    let found = store::verify(store, |progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.done);
    });
    bar.finish_and_clear();
    let found = found.map_err(|error| Failure::bad(dir, chain::unusable(&error)))?;
    if !found.damage.is_empty() {
        let faults = found.damage.into_iter().map(Fault::from);
        return Ok(Verdict::Refuted(faults.collect()));
    }
    let Some(genesis) = genesis else {
        return Ok(Verdict::CannotTell(
            "there is no genesis to execute the blocks from; name the network's with --genesis"
                .into(),
        ));
    };
    if found.kept.blocks_from > 0 {
        let from = found.kept.blocks_from;
        return Ok(Verdict::CannotTell(format!(
            "the transactions of blocks below {from} are not kept here, so the chain can't be \
             executed from genesis; compare the newest header with one that you trust"
        )));
    }
    let head = store
        .head()
        .map_err(|error| Failure::bad(dir, chain::unopened(&error)))?;
    let Some(head) = head else {
        return Err(Failure::bad(dir, "the ledger has no blocks"));
    };
    if head.chain != genesis.chain_id() {
        let (found, genesis) = (head.chain, genesis.chain_id());
        let found = format!("the store is of chain {found}, and this genesis starts {genesis}");
        return Ok(Verdict::Refuted(vec![Fault::block("CS-LED-82", 0, found)]));
    }
    replay(dir, store, &genesis, head, found.counts)
}

/// Notes which block of the chain an export's quorum signed, or says why that is none.
fn signed(
    args: &Verify,
    store: &RedbLedger,
    proved: &mut Proved,
) -> Result<Result<(), Verdict>, Failure> {
    let by = trusted(&Trusted {
        header: None,
        proof: args.proof.clone(),
        trust: args.trust.clone(),
    })?;
    let header = match by {
        Ok(header) => header,
        Err(untrusted) => {
            let Untrusted(verdict) = *untrusted;
            let verdict = verdict.to_string();
            let first = verdict.lines().next().unwrap_or_default();
            let why = format!("the export vouches for no block ({first})");
            return Ok(Err(Verdict::CannotTell(why)));
        }
    };
    let height = header.height;
    if header.chain == proved.head.chain && height > proved.head.height {
        let why = format!("the export is of block {height}, and the newest one here is below it");
        return Ok(Err(Verdict::CannotTell(why)));
    }
    let here = store.header(height);
    let here = here.map_err(|error| Failure::bad(&args.read.dir, chain::unopened(&error)))?;
    if here != Some(header.bytes()) {
        let mut fault = Fault::block(
            "CS-AUD-19",
            height,
            "the quorum signed another block".into(),
        );
        fault.table = Table::Headers.to_string();
        return Ok(Err(Verdict::Refuted(vec![fault])));
    }
    proved.signed = Some(height);
    Ok(Ok(()))
}

/// The chain, executed from genesis block by block; one state is held at a time.
fn replay(
    dir: &Path,
    store: &RedbLedger,
    genesis: &Genesis,
    head: BlockHeader,
    counts: Counts,
) -> Result<Verdict, Failure> {
    let bar = progress("replaying");
    bar.set_length(head.height);
    // How many entries each history got.
    let mut lengths = BTreeMap::new();
    let mut note = |executed: &Executed| {
        for (subject, index, _) in &executed.entries {
            lengths.insert(*subject, index + 1);
        }
    };
    note(&genesis.executed());
    // The last header of each epoch that is over.
    let (mut last, mut ends) = (genesis.header(), Vec::new());
    let replayed = store::replay(store, &genesis.overlay(), head.height, |block, executed| {
        note(executed);
        let before = mem::replace(&mut last, block.header.clone());
        if before.epoch != last.epoch {
            ends.push(before);
        }
        bar.set_position(block.header.height);
    });
    bar.finish_and_clear();
    let fault = match replayed {
        Ok(overlay) if overlay.head() == &head => {
            let entries: u64 = lengths.values().sum();
            if (lengths.len() as u64, entries) == (counts.histories, counts.entries) {
                match certified(dir, store, genesis, &overlay, &ends)? {
                    Ok(certified) => {
                        return Ok(Verdict::Proved(Box::new(Proved {
                            head,
                            counts,
                            certified,
                            signed: None,
                        })));
                    }
                    Err(fault) => fault,
                }
            } else {
                let found = format!(
                    "there are {} entries in {} histories, and the blocks make {entries} in {}",
                    counts.entries,
                    counts.histories,
                    lengths.len()
                );
                Fault {
                    rule: "CS-STO-16",
                    table: Table::Histories.to_string(),
                    height: None,
                    found,
                }
            }
        }
        Ok(_) => Damage::BadHeader {
            height: head.height,
        }
        .into(),
        Err(ReplayError::Damaged(damage)) => damage.into(),
        Err(ReplayError::Block { height, source }) => {
            let rule = match &source {
                BlockError::Transaction { source, .. } => source.rule(),
                error => error.rule(),
            };
            Fault::block(rule, height, source.to_string())
        }
        Err(ReplayError::Store(error)) => {
            return Err(Failure::bad(dir, chain::unopened(&error)));
        }
        Err(error) => return Err(Failure::bad(dir, error)),
    };
    Ok(Verdict::Refuted(vec![fault]))
}

/// Whether the committees of the epochs that are over, and that of the newest block, certified it.
fn certified(
    dir: &Path,
    store: &RedbLedger,
    genesis: &Genesis,
    overlay: &Overlay,
    ends: &[BlockHeader],
) -> Result<Result<Certified, Fault>, Failure> {
    let certificates = store.certificates();
    let certificates = certificates.map_err(|error| Failure::bad(dir, chain::unopened(&error)))?;
    let vouchers = Vouchers {
        header: overlay.head().clone(),
        certificates,
    };
    let wrong = match vouchers.check_epochs(genesis, &overlay.state(), ends) {
        Ok(committee) => return Ok(Ok(Certified::By(committee, ends.len()))),
        Err(VoucherError::Uncertified { height }) => return Ok(Ok(Certified::Missing(height))),
        Err(wrong) => wrong,
    };
    let height = match &wrong {
        VoucherError::Certificate { height, .. } | VoucherError::OtherBlock { height } => {
            Some(*height)
        }
        _ => None,
    };
    Ok(Err(Fault {
        rule: wrong.rule(),
        table: "certificates".into(),
        height,
        found: wrong.to_string(),
    }))
}

/// What the chain starts from: the file that is named, or the one that a network leaves.
fn genesis(args: &Verify) -> Result<Option<Genesis>, Failure> {
    let dir = &args.read.dir;
    let path = match &args.genesis {
        Some(path) => Some(path.clone()),
        None => [dir.join("genesis"), beside(dir)]
            .into_iter()
            .find(|path| path.is_file()),
    };
    let Some(path) = path else { return Ok(None) };
    let bytes = read_file(&path, MAX_GENESIS)?;
    let genesis = chartseal_codec::from_bytes(&bytes);
    let genesis =
        genesis.map_err(|why| Failure::bad(&path, format!("no genesis of a chain: {why}")))?;
    Ok(Some(genesis))
}

fn beside(dir: &Path) -> PathBuf {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.into());
    absolute.with_file_name("genesis")
}

fn progress(verb: &str) -> ProgressBar {
    // On stderr, and only if that is a terminal.
    let bar = ProgressBar::new(0);
    let template = format!("{verb} {{bar:40}} {{pos}}/{{len}} {{eta}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

fn document(verdict: &Verdict) -> Value {
    let schema = "chartseal.ledger.verify/1";
    match verdict {
        Verdict::Proved(proved) => json!({
            "schema": schema,
            "result": "proved",
            "chain": proved.head.chain.to_string(),
            "height": proved.head.height,
            "head": proved.head.leaf().to_string(),
            "state_root": proved.head.state_root.to_string(),
            "blocks": proved.counts.blocks,
            "transactions": proved.counts.transactions,
            "histories": proved.counts.histories,
            "entries": proved.counts.entries,
            "certified": match &proved.certified {
                Certified::By(committee, _) => json!({
                    "epoch": committee.epoch(),
                    "needed": committee.quorum(),
                    "of": committee.n(),
                }),
                Certified::Missing(_) => Value::Null,
            },
            "signed": proved.signed,
            "assumptions": proved.assumptions(),
        }),
        Verdict::Refuted(faults) => json!({
            "schema": schema,
            "result": "refuted",
            "faults": faults
                .iter()
                .map(|one| json!({"rule": one.rule, "table": one.table, "height": one.height, "found": one.found}))
                .collect::<Vec<_>>(),
        }),
        Verdict::CannotTell(why) => json!({
            "schema": schema,
            "result": "cannot_tell",
            "why": why,
        }),
    }
}

impl Proved {
    fn assumptions(&self) -> Vec<String> {
        let genesis = "The genesis is the network's own: its chain id is the one above.";
        let mut all = vec![genesis.into()];
        if let Certified::By(committee, changes) = &self.certified {
            let (epoch, n, f) = (committee.epoch(), committee.n(), committee.f());
            all.push(format!(
                "At most {f} of the {n} validators of epoch {epoch} are corrupt."
            ));
            if *changes > 0 {
                all.push(format!(
                    "So it was in each of the {changes} epochs before, and those validators' keys \
                     have not leaked since: compare the head with other nodes', or name an export \
                     that a quorum signed (--proof)."
                ));
            }
        }
        if let Some(height) = self.signed {
            all.push(format!(
                "The policy is the network's own. Its quorum signed block {height}; what that \
                 rests on, `chartseal audit verify` of the export says."
            ));
            let newest = self.head.height;
            if matches!(self.certified, Certified::Missing(_)) && height < newest {
                all.push(format!(
                    "Nobody vouches for the blocks above {height}, up to {newest}: the newest one's \
                     certificate is not here."
                ));
            }
        }
        all
    }
}

/// So many faults are told on a terminal.
const MAX_TOLD: usize = 20;

fn print(verdict: &Verdict) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    match verdict {
        Verdict::Proved(proved) => {
            let Proved { head, counts, .. } = &**proved;
            writeln!(
                out,
                "Proved: the store is what its blocks make, byte for byte."
            )?;
            line(out, "chain", &head.chain.to_string())?;
            line(out, "height", &format!("{}, of {}", head.height, head.time))?;
            line(out, "head", &head.leaf().to_string())?;
            line(out, "state root", &head.state_root.to_string())?;
            let (blocks, transactions) = (counts.blocks, counts.transactions);
            let executed = format!(
                "{blocks} blocks with {transactions} transactions, from genesis on: every \
                 signature, rule, decision and root anew"
            );
            line(out, "executed", &executed)?;
            let (histories, entries) = (counts.histories, counts.entries);
            let compared = format!(
                "{entries} entries of {histories} histories, {} values of state, where \
                 {transactions} transactions are",
                counts.state
            );
            line(out, "compared", &compared)?;
            if let Certified::By(committee, changes) = &proved.certified {
                let (epoch, n, quorum) = (committee.epoch(), committee.n(), committee.quorum());
                let certified = format!(
                    "block {} by {quorum} or more of the {n} validators of epoch {epoch}, \
                     {changes} changes after the genesis's",
                    head.height
                );
                line(out, "certified", &certified)?;
            }
            writeln!(out, "This rests on:")?;
            for line in proved.assumptions() {
                writeln!(out, "  - {}", wrap(&line, 76, "    "))?;
            }
            Ok(())
        }
        Verdict::Refuted(faults) => {
            writeln!(out, "Refuted: the store is not what its blocks make.")?;
            for fault in faults.iter().take(MAX_TOLD) {
                let height = fault.height.map(|height| format!(", block {height}"));
                let height = height.unwrap_or_default();
                line(out, fault.rule, &format!("{}{height}", fault.table))?;
                line(out, "", &fault.found)?;
            }
            if let Some(more) = faults.len().checked_sub(MAX_TOLD).filter(|more| *more > 0) {
                line(out, "", &format!("and {more} more"))?;
            }
            line(out, "remedy", chain::RESTORE)
        }
        Verdict::CannotTell(why) => {
            writeln!(out, "{}", wrap(&format!("Can't tell: {why}."), 80, ""))?;
            writeln!(out, "What is stored is what its newest header names.")
        }
    }
}
