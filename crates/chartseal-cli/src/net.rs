//! Networks of nodes, each a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use chartseal_ledger::Params;
use chartseal_node::Clock;
use chartseal_node::serve::{Config, Control, NodeStatus, Plan, ServicePlan, found};
use clap::Subcommand;
use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;

/// `net …`.
#[derive(Debug, Subcommand)]
pub enum Net {
    /// Make a network on this machine: keys, genesis, and a configuration for each node.
    Init(Init),
    /// Start all nodes of a network, and wait until they end.
    Up(Dir),
    /// Ask all nodes of a network to stop.
    Down(Dir),
    /// Show how the nodes of a network are.
    Status(Status),
}

/// `net init`.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// How many organizations run a validator: 3f + 1, of which f may fail.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub validators: usize,
    /// Where everything goes; made if missing, else it must be empty.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The first node's port on the loopback address; the others have the next ones.
    #[arg(long, value_name = "PORT", default_value_t = 7_400)]
    pub port: u16,
    /// The first node's port for clients, on the loopback address; the others have the next ones. Without it nodes have
    /// no service to clients.
    #[arg(long, value_name = "PORT")]
    pub api_port: Option<u16>,
    /// Clients reach the services without TLS: for a try on this machine.
    #[arg(long, requires = "api_port")]
    pub plain_api: bool,
    /// How often an idle network makes a block, in ms.
    #[arg(long, value_name = "MS")]
    pub heartbeat_ms: Option<u64>,
    /// Found it for a demonstration: an emergency role counts after two seconds, not after a day.
    #[arg(long)]
    pub for_demo: bool,
}

/// A network's directory.
#[derive(Debug, clap::Args)]
pub struct Dir {
    /// The directory that `net init` made.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
}

/// `net status`.
#[derive(Debug, clap::Args)]
pub struct Status {
    #[command(flatten)]
    pub dir: Dir,
    /// Print one JSON document (schema `chartseal.net.status/1`).
    #[arg(long)]
    pub json: bool,
}

/// How long a validator may be silent and still count as a peer, in ms.
const SILENCE_MS: u64 = 60_000;

/// `net …`.
pub fn run(command: &Net) -> Result<Exit, Failure> {
    match command {
        Net::Init(args) => init(args),
        Net::Up(args) => up(&args.dir),
        Net::Down(args) => down(&args.dir),
        Net::Status(args) => status(args),
    }
}

/// When an emergency role counts in a network that is founded for a demonstration, in ms.
const DEMO_DELAY_MS: u64 = 2_000;

fn init(args: &Init) -> Result<Exit, Failure> {
    let now = Clock::System.now();
    let mut params = Params::default();
    if args.for_demo {
        params.emergency_role_delay_ms = DEMO_DELAY_MS;
    }
    let plan = Plan {
        validators: args.validators,
        port: args.port,
        service: args.api_port.map(|port| ServicePlan {
            port,
            is_encrypted: !args.plain_api,
        }),
        heartbeat_ms: args.heartbeat_ms,
        params,
    };
    let made = found(&args.dir, plan, now).map_err(Failure::new)?;
    println!("network {}", made.chain);
    for config in &made.configs {
        println!("node    {}", config.display());
    }
    println!(
        "offices {} (no node needs these keys: keep them elsewhere)",
        args.dir.join("offices").display()
    );
    Ok(Exit::Done)
}

/// The configuration files of a network's nodes, in order.
fn configs(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let files = (1..).map(|number| dir.join(format!("node-{number}")).join("node.conf"));
    let files: Vec<_> = files.take_while(|file| file.exists()).collect();
    if files.is_empty() {
        return Err(Failure::bad(
            dir,
            "no network is here; `chartseal net init` makes one",
        ));
    }
    Ok(files)
}

fn up(dir: &Path) -> Result<Exit, Failure> {
    let program = std::env::current_exe().map_err(Failure::new)?;
    let mut children: Vec<(PathBuf, Child)> = Vec::new();
    for config in configs(dir)? {
        let mut command = Command::new(&program);
        command.args(["node", "run", "--config"]).arg(&config);
        let child = command
            .spawn()
            .map_err(|error| Failure::bad(&config, error))?;
        children.push((config, child));
    }
    let mut exit = Exit::Done;
    for (config, mut child) in children {
        let ended = child.wait().map_err(|error| Failure::bad(&config, error))?;
        if !ended.success() {
            eprintln!("chartseal: {}: the node ended: {ended}", config.display());
            exit = Exit::Refuted;
        }
    }
    Ok(exit)
}

fn down(dir: &Path) -> Result<Exit, Failure> {
    let patience = Instant::now() + Duration::from_secs(20);
    for file in configs(dir)? {
        let config = Config::read(&file).map_err(Failure::new)?;
        if let Ok(mut control) = Control::connect(&config.directory) {
            control.stop().map_err(Failure::new)?;
            while Control::connect(&config.directory).is_ok() {
                if Instant::now() > patience {
                    return Err(Failure::Unmet(format!(
                        "{}: the node does not stop",
                        file.display()
                    )));
                }
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
    Ok(Exit::Done)
}

/// What a node answers, if it runs.
struct Row {
    config: PathBuf,
    status: Option<NodeStatus>,
}

impl Row {
    /// How many other validators were heard of lately.
    fn peers(status: &NodeStatus) -> usize {
        let since = status.clock.0.saturating_sub(SILENCE_MS);
        let lately = status
            .heard
            .iter()
            .filter(|heard| heard.at.0 >= since)
            .count();
        // Its own votes are among them.
        lately.saturating_sub(1)
    }
}

fn status(args: &Status) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for file in configs(&args.dir.dir)? {
        let config = Config::read(&file).map_err(Failure::new)?;
        let connected = Control::connect(&config.directory);
        let status = connected.and_then(|mut control| control.status()).ok();
        rows.push(Row {
            config: file,
            status,
        });
    }
    let newest = rows
        .iter()
        .filter_map(|row| row.status.as_ref())
        .map(|status| status.height)
        .max();
    let newest = newest.unwrap_or(0);
    if args.json {
        println!("{}", document(&rows, newest));
    } else {
        println!("node  height  lag  peers  waiting  skipped  root");
        for (number, row) in (1..).zip(&rows) {
            match &row.status {
                Some(status) => {
                    let root: String = status.root.to_string().chars().take(16).collect();
                    let (lag, peers) = (newest - status.height, Row::peers(status));
                    println!(
                        "{number:<4}  {:<6}  {lag:<3}  {peers:<5}  {:<7}  {:<7}  {root}",
                        status.height, status.waiting, status.skipped,
                    );
                }
                None => println!("{number:<4}  down"),
            }
        }
    }
    // Two nodes at one height with two states is the one thing that must never be.
    let running: Vec<&NodeStatus> = rows.iter().filter_map(|row| row.status.as_ref()).collect();
    let forked = running.iter().any(|one| {
        running
            .iter()
            .any(|other| one.height == other.height && one.leaf != other.leaf)
    });
    if forked {
        return Err(Failure::Unmet(
            "two nodes have different blocks at one height".into(),
        ));
    }
    let all = running.len() == rows.len();
    Ok(if all { Exit::Done } else { Exit::CannotTell })
}

fn document(rows: &[Row], newest: u64) -> serde_json::Value {
    let nodes: Vec<_> = rows
        .iter()
        .map(|row| match &row.status {
            None => json!({ "config": row.config, "running": false }),
            Some(status) => json!({
                "config": row.config,
                "running": true,
                "organization": status.organization.to_string(),
                "network": status.network.to_string(),
                "height": status.height,
                "leaf": status.leaf.to_string(),
                "state_root": status.root.to_string(),
                "block_time": status.block_time.0,
                "clock": status.clock.0,
                "lag": newest - status.height,
                "peers": Row::peers(status),
                "view": status.view,
                "skipped": status.skipped,
                "waiting": status.waiting,
                "evidence": status.evidence,
                "double_votes": status.double_votes,
            }),
        })
        .collect();
    json!({ "schema": "chartseal.net.status/1", "nodes": nodes })
}
