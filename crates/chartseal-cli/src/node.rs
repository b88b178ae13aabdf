//! One node: run, joined, looked after.

mod evidence;
mod keys;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use chartseal_node::serve::{
    Backup, Config, Control, ControlError, FormerShares, Health, Scrubbed, backup, begin, examine,
    restore, serve,
};
use chartseal_node::{VoucherError, Vouchers};
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::exit::Exit;
use crate::failure::{Failure, read_text};
use crate::ledger::snapshot;
use crate::log;

/// `node …`.
#[derive(Debug, Subcommand)]
pub enum Node {
    /// Run one node until it is asked to stop: by `net down`, SIGTERM or Ctrl-C.
    Run(Run),
    /// Begin a node's ledger with another node's snapshot, for which the network's committees vouch.
    Join(Join),
    /// Have a running node read its configuration and its certificate again.
    Reload(Which),
    /// Say what is wrong with a node, and what to do. Nothing is changed.
    Doctor(Doctor),
    /// Have a running node look at its vault: read every ciphertext that should be there, mend it from others, count
    /// shares that are gone, clear away garbage.
    Scrub(Scrub),
    /// Copy a node's data directory, while it runs or not. The file of keys is not in it.
    Backup(Backups),
    /// Put a backup back as the node's data directory.
    Restore(Restore),
    /// Say whom a node can accuse of what: evidence that it has kept, or that another one gave out.
    #[command(subcommand)]
    Evidence(evidence::EvidenceVerb),
    /// Make and show a node's keys.
    #[command(subcommand)]
    Keys(keys::Keys),
}

/// Whose node.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// The node's configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// `node join`.
#[derive(Debug, clap::Args)]
pub struct Join {
    /// The node's configuration file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The snapshot: `chartseal ledger snapshot export`.
    #[arg(long, value_name = "FILE")]
    pub snapshot: PathBuf,
    /// What vouches for it: the file of `--vouchers` there.
    #[arg(long, value_name = "FILE")]
    pub vouchers: PathBuf,
}

/// `node run`.
#[derive(Debug, clap::Args)]
pub struct Run {
    #[command(flatten)]
    pub which: Which,
    /// How the log is written, on stderr.
    #[arg(long, value_enum, default_value_t = Log::Text, value_name = "FORM")]
    pub log: Log,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Log {
    /// A line for people.
    Text,
    /// A JSON object a line, for machines.
    Json,
}

/// `node doctor`.
#[derive(Debug, clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    pub which: Which,
    /// Print one JSON document (schema `chartseal.node.doctor/1`).
    #[arg(long)]
    pub json: bool,
}

/// `node scrub`.
#[derive(Debug, clap::Args)]
pub struct Scrub {
    #[command(flatten)]
    pub which: Which,
    /// Print one JSON document (schema `chartseal.node.scrub/1`).
    #[arg(long)]
    pub json: bool,
}

/// `node backup`.
#[derive(Debug, clap::Args)]
pub struct Backups {
    #[command(flatten)]
    pub which: Which,
    /// The folder for it: empty, or made. The node's user has to be able to write it.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// `node restore`.
#[derive(Debug, clap::Args)]
pub struct Restore {
    #[command(flatten)]
    pub which: Which,
    /// The folder that `node backup` made.
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
}

/// `node …`.
pub fn run(command: &Node) -> Result<Exit, Failure> {
    match command {
        Node::Run(args) => {
            log::begin(args.log)?;
            let config = &args.which.config;
            let ready = || println!("{}: the node runs", config.display());
            serve(config, ready).map_err(Failure::new)?;
            Ok(Exit::Done)
        }
        Node::Join(args) => join(args),
        Node::Reload(args) => reload(args),
        Node::Doctor(args) => Ok(doctor(args)),
        Node::Scrub(args) => scrub(args),
        Node::Backup(args) => take_backup(args),
        Node::Restore(args) => put_back(args),
        Node::Keys(command) => keys::run(command),
        Node::Evidence(command) => evidence::run(command),
    }
}

/// The longest file of vouchers.
const MAX_VOUCHERS: u64 = 64 << 20;

fn join(args: &Join) -> Result<Exit, Failure> {
    let config = Config::read(&args.config).map_err(Failure::new)?;
    let genesis = config.genesis().map_err(Failure::new)?;
    config.keys(&genesis).map_err(Failure::new)?;
    let text = read_text(&args.vouchers, MAX_VOUCHERS)?;
    let unfit = |error: &VoucherError| format!("{error} ({})", error.rule());
    let vouchers = Vouchers::parse(&text);
    let vouchers = vouchers.map_err(|error| Failure::bad(&args.vouchers, unfit(&error)))?;
    let imported = snapshot::read(&args.snapshot, &vouchers.header)?;
    let imported = imported.map_err(|error| {
        let why = format!(
            "not of the header that is vouched for: {error} ({})",
            error.rule()
        );
        Failure::bad(&args.snapshot, why)
    })?;
    let checked = vouchers.check(&imported, &genesis);
    checked.map_err(|error| Failure::bad(&args.snapshot, unfit(&error)))?;
    begin(&config, &genesis, &imported, &vouchers.certificates).map_err(Failure::new)?;
    println!(
        "{}: the node goes on from block {}",
        args.config.display(),
        vouchers.header.height
    );
    Ok(Exit::Done)
}

fn reload(args: &Which) -> Result<Exit, Failure> {
    let config = Config::read(&args.config).map_err(Failure::new)?;
    let done = Control::connect(&config.directory).and_then(|mut node| node.reload());
    let done = done.map_err(Failure::new)?;
    let list = |keys: &[String]| match keys {
        [] => "nothing".to_owned(),
        keys => keys.join(", "),
    };
    println!("holds now: {}", list(&done.taken));
    if !done.at_restart.is_empty() {
        println!(
            "holds when the node is started again: {}",
            list(&done.at_restart)
        );
    }
    Ok(Exit::Done)
}

fn doctor(args: &Doctor) -> Exit {
    let findings = examine(&args.which.config);
    let worst = findings.iter().map(|it| it.health).max();
    if args.json {
        let findings: Vec<_> = findings
            .iter()
            .map(|it| {
                json!({
                    "of": it.of,
                    "health": it.health.word(),
                    "found": it.found,
                    "remedy": it.remedy,
                })
            })
            .collect();
        println!(
            "{}",
            json!({ "schema": "chartseal.node.doctor/1", "findings": findings })
        );
    } else {
        for it in &findings {
            println!("{:<8}  {:<13}  {}", it.health.word(), it.of, it.found);
            if let Some(remedy) = &it.remedy {
                println!("{:<25}-> {remedy}", "");
            }
        }
    }
    match worst {
        Some(Health::Ill) => Exit::Refuted,
        Some(Health::Doubtful) => Exit::CannotTell,
        _ => Exit::Done,
    }
}

fn scrub(args: &Scrub) -> Result<Exit, Failure> {
    let config = Config::read(&args.which.config).map_err(Failure::new)?;
    let found = Control::connect(&config.directory).and_then(|mut node| {
        node.set_patience(PATIENCE)?;
        node.scrub()
    });
    let found = found.map_err(Failure::new)?;
    if args.json {
        println!("{}", scrubbed_json(&found));
    } else {
        print!("{}", scrubbed_text(&found));
    }
    Ok(if found.is_whole() {
        Exit::Done
    } else {
        Exit::Refuted
    })
}

fn scrubbed_json(found: &Scrubbed) -> serde_json::Value {
    let former = found.former.iter();
    let former = former.map(|it| json!({ "epoch": it.epoch, "shares": it.shares }));
    json!({
        "schema": "chartseal.node.scrub/1",
        "at": found.at.0,
        "expected": found.expected,
        "mended": found.mended,
        "lost": found.lost,
        "missing_shares": found.missing_shares,
        "damaged_shares": found.damaged_shares,
        "former_shares": former.collect::<Vec<_>>(),
        "garbage": found.garbage,
    })
}

fn scrubbed_text(found: &Scrubbed) -> String {
    let mut text = format!(
        "{} ciphertexts; {} mended; {} lost; {} missing shares; {} damaged shares; {} shares of former committees; {} that belonged to no record\n",
        found.expected,
        found.mended,
        found.lost,
        found.missing_shares,
        found.damaged_shares,
        found.former_shares(),
        found.garbage
    );
    for FormerShares { epoch, shares } in &found.former {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{shares} records rest on the committee of epoch {epoch}: their patients' apps have not dealt anew yet"
        );
    }
    if found.missing_shares > 0 || found.damaged_shares > 0 {
        text += "Missing and damaged shares are on no other node: who has the records' keys has to deal anew.\n";
    }
    text
}

/// How long a backup, or a look at the whole vault, may take.
const PATIENCE: Duration = Duration::from_secs(6 * 3_600);

fn take_backup(args: &Backups) -> Result<Exit, Failure> {
    let config = Config::read(&args.which.config).map_err(Failure::new)?;
    let to = std::path::absolute(&args.to).map_err(|error| Failure::bad(&args.to, error))?;
    let made = match Control::connect(&config.directory) {
        Ok(mut node) => {
            node.set_patience(PATIENCE).map_err(Failure::new)?;
            node.backup(&to).map_err(Failure::new)?
        }
        Err(ControlError::Socket { .. }) => {
            let made = backup(&config, &to);
            made.map_err(|error| Failure::new(format!("{error} ({})", error.rule())))?
        }
        Err(error) => return Err(Failure::new(error)),
    };
    println!("{}: {}", args.to.display(), summary(&made));
    println!(
        "The file of keys is not in it: without {} it opens nothing.",
        config.keys_file().display()
    );
    Ok(Exit::Done)
}

fn put_back(args: &Restore) -> Result<Exit, Failure> {
    let config = Config::read(&args.which.config).map_err(Failure::new)?;
    let made = restore(&config, &args.from);
    let made = made.map_err(|error| Failure::new(format!("{error} ({})", error.rule())))?;
    println!("{}: {}", config.directory.display(), summary(&made));
    println!("`chartseal node run` catches up from there, and destroys what was erased since.");
    Ok(Exit::Done)
}

fn summary(backup: &Backup) -> String {
    let Backup {
        height,
        files,
        bytes,
        ..
    } = backup;
    format!("block {height}, {files} files, {bytes} bytes")
}
