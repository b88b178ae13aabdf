//! What may be typed after `ledger`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

/// `ledger …`.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Say what the ledger holds: chain, height, roots, committee, counts, disk.
    Show(Show),
    /// Show one block: its header, and what each transaction did.
    Block(Block),
    /// Show one transaction: where it is, what it did, and the proof that it is in the chain.
    Tx(Tx),
    /// List the entries of one history.
    History(History),
    /// Execute the whole chain anew, compare everything that is stored, and check who certified it.
    Verify(Verify),
    /// Write, check and take snapshots.
    #[command(subcommand)]
    Snapshot(Snapshot),
    /// Delete the transactions of old blocks; headers, histories and state stay, with all their proofs.
    Prune(Prune),
    /// Publish the headers as C2SP tlog-tiles, static files that witnesses and monitors follow.
    Publish(Publish),
}

/// What every verb that reads has in common.
#[derive(Debug, clap::Args)]
pub struct Read {
    /// A node's directory; of a demo, one of `DIR/nodes`. No node may be running on it.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Print one JSON document (`docs/schema/ledger.schema.json`) instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `ledger show`.
#[derive(Debug, clap::Args)]
pub struct Show {
    #[command(flatten)]
    pub read: Read,
}

/// `ledger block`.
#[derive(Debug, clap::Args)]
pub struct Block {
    #[command(flatten)]
    pub read: Read,
    /// Its height; genesis has 0.
    #[arg(value_name = "HEIGHT")]
    pub height: u64,
    /// Print nothing but the header, as hex: what `ledger snapshot` trusts as `--header`.
    #[arg(long, conflicts_with = "json")]
    pub header: bool,
}

/// `ledger tx`.
#[derive(Debug, clap::Args)]
pub struct Tx {
    #[command(flatten)]
    pub read: Read,
    /// The transaction's id: 64 hex digits.
    #[arg(value_name = "ID")]
    pub id: String,
}

/// `ledger history`.
#[derive(Debug, clap::Args)]
pub struct History {
    #[command(flatten)]
    pub read: Read,
    /// Of a patient, or of whoever acts: a practitioner, a patient, an organization.
    #[arg(value_name = "WHOSE")]
    pub whose: Whose,
    /// The id: 32 hex digits.
    #[arg(value_name = "ID")]
    pub id: String,
    /// From this entry on.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub from: u64,
    /// At most so many entries.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

/// Whose history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Whose {
    Patient,
    Actor,
}

/// `ledger verify`.
#[derive(Debug, clap::Args)]
pub struct Verify {
    #[command(flatten)]
    pub read: Read,
    /// What the chain starts from; without it, the file `genesis` in DIR or beside it.
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
    /// An export that the network's quorum signed: its block must be one of this chain.
    #[arg(long, value_name = "EXPORT", requires = "trust")]
    pub proof: Option<PathBuf>,
    /// Whose signatures count for the export: a C2SP tlog-policy.
    #[arg(long, value_name = "POLICY", requires = "proof")]
    pub trust: Option<PathBuf>,
}

/// `ledger snapshot …`.
#[derive(Debug, Subcommand)]
pub enum Snapshot {
    /// Write headers, state and histories at the newest block to a file.
    Export(Export),
    /// Check a snapshot against a header that is trusted.
    Check(Check),
    /// Check a snapshot, and start a new ledger from it.
    Import(Import),
}

/// `ledger snapshot export`.
#[derive(Debug, clap::Args)]
pub struct Export {
    #[command(flatten)]
    pub read: Read,
    /// The snapshot; nothing is overwritten.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Beside it, what vouches for its newest block: the committees' certificates, for `chartseal node join`.
    #[arg(long, value_name = "FILE")]
    pub vouchers: Option<PathBuf>,
}

/// `ledger snapshot check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The snapshot.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub trusted: Trusted,
    /// Print one JSON document (`docs/schema/ledger.schema.json`) instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `ledger snapshot import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    #[command(flatten)]
    pub check: Check,
    /// The new node's directory, without a ledger yet; made if missing.
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
}

/// The header that a snapshot must be of.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Trusted {
    /// A header from a node that you trust, as `ledger block DIR HEIGHT --header` prints it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["proof", "trust"])]
    pub header: Option<PathBuf>,
    /// An export of the same block, whose header the network's quorum signed.
    #[arg(long, value_name = "EXPORT", requires = "trust")]
    pub proof: Option<PathBuf>,
    /// Whose signatures count for the export: a C2SP tlog-policy.
    #[arg(long, value_name = "POLICY", requires = "proof")]
    pub trust: Option<PathBuf>,
}

/// `ledger prune`.
#[derive(Debug, clap::Args)]
pub struct Prune {
    #[command(flatten)]
    pub read: Read,
    /// Delete the transactions of all blocks below this height, which is the newest block's at most.
    #[arg(long, value_name = "HEIGHT")]
    pub below: u64,
}

/// `ledger publish`.
#[derive(Debug, clap::Args)]
pub struct Publish {
    #[command(flatten)]
    pub read: Read,
    /// Where the files go, for a web server to serve; made if missing, else what is published there is
    /// continued.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}
