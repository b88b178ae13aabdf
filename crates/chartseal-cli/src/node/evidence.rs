//! `chartseal node evidence …`: whom a node can accuse of what.

use std::io;
use std::path::{Path, PathBuf};

use chartseal_consensus::Evidence;
use chartseal_ledger::store::{LedgerStore as _, replay};
use chartseal_ledger::{Block, Committee, Genesis, Overlay};
use chartseal_node::serve::Control;
use chartseal_node::{Accusation, CommitteeView, EvidenceGround, evidence_files};
use chartseal_wire::{ChainId, Hash, OrgId};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::{Failure, read_file};
use crate::ledger::chain::{self, Chain};
use crate::text::{line, print_json};

/// `node evidence …`.
#[derive(Debug, Subcommand)]
pub enum EvidenceVerb {
    /// Judge every piece of evidence that a node has kept.
    List(List),
    /// Judge a file of evidence, of this node or another one.
    Check(Check),
}

/// By what evidence is judged.
#[derive(Debug, clap::Args)]
pub struct Ground {
    /// A node's data directory. If the node runs, it is asked for its committee, which two votes of this epoch are judged
    /// by; for anything else its ledger is read, while it does not run, or in a backup's folder.
    #[arg(long, value_name = "DIR")]
    pub node: PathBuf,
    /// The network's genesis: a refused block's parent is not the newest block, mostly, and its state is had by executing the
    /// chain from there.
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
    /// Print one JSON document (schema `chartseal.node.evidence/1`).
    #[arg(long)]
    pub json: bool,
}

/// `node evidence list`.
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    pub ground: Ground,
}

/// `node evidence check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub ground: Ground,
}

/// The longest file: a block and a vote.
const MAX: u64 = Block::MAX_BYTES as u64 + 1_024;
/// The longest genesis, in bytes.
const MAX_GENESIS: u64 = 16 << 20;

/// `node evidence …`.
pub fn run(command: &EvidenceVerb) -> Result<Exit, Failure> {
    let (files, args) = match command {
        EvidenceVerb::List(args) => {
            let directory = &args.ground.node;
            if !directory.is_dir() {
                return Err(Failure::bad(directory, "no such directory; name a node's"));
            }
            let files = evidence_files(directory);
            let files = files.map_err(|error| Failure::bad(directory, error))?;
            (files, &args.ground)
        }
        EvidenceVerb::Check(args) => (vec![args.file.clone()], &args.ground),
    };
    let mut read = Vec::new();
    for file in files {
        let bytes = read_file(&file, MAX)?;
        let evidence = Evidence::from_bytes(&bytes);
        let evidence = evidence.map_err(|error| Failure::bad(&file, error))?;
        read.push((file, evidence));
    }
    let mut found = Vec::new();
    if !read.is_empty() {
        let known = Known::open(args)?;
        for (file, evidence) in read {
            let accusation = Accusation::of(&evidence, &known);
            found.push((file, kind(&evidence), accusation));
        }
    }
    if args.json {
        let pieces = found
            .iter()
            .map(|(file, kind, it)| document(file, kind, it));
        let pieces: Vec<Value> = pieces.collect();
        print_json(&json!({ "schema": "chartseal.node.evidence/1", "evidence": pieces }))?;
    } else if found.is_empty() {
        println!("no evidence is kept");
    } else {
        for (file, kind, accusation) in &found {
            print(file, kind, accusation)?;
        }
    }
    let worst = found.iter().map(|(_, _, accusation)| match accusation {
        Accusation::Proved { .. } => (0, Exit::Done),
        Accusation::CannotTell { .. } => (1, Exit::CannotTell),
        Accusation::Refuted(_) => (2, Exit::Refuted),
    });
    let worst = worst.max_by_key(|(rank, _)| *rank);
    Ok(worst.map_or(Exit::Done, |(_, exit)| exit))
}

fn kind(evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::Refused { .. } => "refused_block",
        Evidence::Equivocated { .. } => "two_votes",
    }
}

/// What is known of the chain.
enum Known {
    /// What a node that runs says.
    Asked(CommitteeView),
    /// A ledger, and its genesis.
    Read(Box<Chain>, Option<Genesis>),
}

impl Known {
    fn open(args: &Ground) -> Result<Self, Failure> {
        let genesis = args.genesis.as_deref().map(genesis).transpose()?;
        match Control::connect(&args.node) {
            Ok(mut control) => Ok(Self::Asked(control.committee(&[]).map_err(Failure::new)?)),
            Err(_) => Ok(Self::Read(Box::new(Chain::open(&args.node)?), genesis)),
        }
    }
}

fn genesis(file: &Path) -> Result<Genesis, Failure> {
    let bytes = read_file(file, MAX_GENESIS)?;
    chartseal_codec::from_bytes(&bytes)
        .map_err(|why| Failure::bad(file, format!("not a genesis: {why}")))
}

impl EvidenceGround for Known {
    fn chain(&self) -> ChainId {
        match self {
            Self::Asked(view) => view.network,
            Self::Read(chain, _) => chain.head().state().chain(),
        }
    }

    fn committee(&self, epoch: u64) -> Option<Committee> {
        match self {
            Self::Asked(view) => Some(view.committee.clone()).filter(|it| it.epoch() == epoch),
            Self::Read(chain, _) => chain.head().state().committee_of(epoch),
        }
    }

    fn parent(&self, block: &Block) -> Result<Overlay, String> {
        let Self::Read(chain, genesis) = self else {
            return Err(
                "the block has to be executed on its parent's state: stop the node, or name a backup's folder".into(),
            );
        };
        let (parent, head) = (block.header.parent, chain.head());
        if head.head().leaf() == parent {
            return Ok(head.clone());
        }
        let height = height_of(chain, &parent, block.header.height).ok_or(
            "its parent is not in this ledger: another node's may have it, or it never became final",
        )?;
        let genesis = genesis.as_ref().ok_or(
            "its parent's state is had by executing the chain from its beginning; name the genesis with --genesis",
        )?;
        let kept = chain
            .store
            .kept()
            .map_err(|error| chain::unopened(&error))?;
        if kept.blocks_from > 0 {
            return Err(format!(
                "transactions of blocks below {} are not kept here, so the parent's state can't be had; take a ledger \
                 that has all",
                kept.blocks_from
            ));
        }
        let from = genesis.overlay();
        let replayed = replay(&chain.store, &from, height, |_, _| ());
        replayed.map_err(|error| format!("the chain can't be executed from that genesis: {error}"))
    }
}

/// Where a header stands. A block that lies may say another height than its parent's next one.
fn height_of(chain: &Chain, leaf: &Hash, claimed: u64) -> Option<u64> {
    let log = &chain.loaded.log;
    let is_there = |height: &u64| log.leaf(*height) == Some(*leaf);
    let likely = claimed.checked_sub(1).filter(is_there);
    likely.or_else(|| (0..log.size()).rev().find(is_there))
}

fn accused(organization: Option<&OrgId>) -> Value {
    organization.map_or(Value::Null, |it| json!(it.to_string()))
}

fn document(file: &Path, kind: &str, accusation: &Accusation) -> Value {
    let of = |verdict: &str, organization: Option<&OrgId>, fault: Value, why: Value| {
        json!({
            "file": file,
            "kind": kind,
            "verdict": verdict,
            "organization": accused(organization),
            "fault": fault,
            "why": why,
        })
    };
    match accusation {
        Accusation::Proved {
            organization,
            fault,
        } => {
            let fault = json!({
                "validator": fault.validator.to_string(),
                "epoch": fault.epoch,
                "view": fault.view,
                "block": fault.block.to_string(),
                "rule": fault.rule,
            });
            of("proved", Some(organization), fault, Value::Null)
        }
        Accusation::Refuted(why) => of("refuted", None, Value::Null, json!(why.to_string())),
        Accusation::CannotTell { organization, why } => of(
            "cannot_tell",
            organization.as_ref(),
            Value::Null,
            json!(why),
        ),
    }
}

fn print(file: &Path, kind: &str, accusation: &Accusation) -> io::Result<()> {
    let out = &mut io::stdout().lock();
    line(out, "evidence", &file.display().to_string())?;
    let what = match kind {
        "two_votes" => "two votes in one view",
        _ => "a proposed block that a rule refuses",
    };
    line(out, "of", what)?;
    match accusation {
        Accusation::Proved {
            organization,
            fault,
        } => {
            line(out, "proved", "nobody without this key can have made it")?;
            line(out, "organization", &organization.to_string())?;
            line(out, "validator", &fault.validator.to_string())?;
            line(
                out,
                "where",
                &format!("epoch {}, view {}", fault.epoch, fault.view),
            )?;
            line(out, "block", &fault.block.to_string())?;
            line(out, "rule", fault.rule)
        }
        Accusation::Refuted(why) => line(out, "refuted", &why.to_string()),
        Accusation::CannotTell { organization, why } => {
            line(out, "can't tell", why)?;
            match organization {
                Some(id) => line(out, "signed by", &format!("{id}, as the view's leader")),
                None => Ok(()),
            }
        }
    }
}
