//! `chartseal node keys …`: a newcomer's keys, and a member's or custodian's next ones.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use chartseal_codec::to_hex;
use chartseal_envelope::{KemKeyPair, SigningKeyPair};
use chartseal_node::NodeKeys;
use chartseal_node::keys::public;
use chartseal_node::serve::Config;
use chartseal_wire::Signature;
use clap::Subcommand;
use serde_json::json;
use zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::{Failure, read_file};
use crate::records::output::Output;
use crate::text::{line, print_json};

/// `node keys …`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a node's keys, for an organization that is to join.
    New(New),
    /// Make a node's next keys: another validator key, or another custodian's; the others as they are.
    Rotate(Rotate),
    /// Show the public halves, for `committee enrol`, `draft` and `custodian`.
    Show(Show),
}

/// `node keys new`.
#[derive(Debug, clap::Args)]
pub struct New {
    /// Where they go; the file must not exist.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Print one JSON document (schema `chartseal.node.keys/1`).
    #[arg(long)]
    pub json: bool,
}

/// `node keys rotate`.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// The keys of now, which stay as they are.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Another KEM key for the custodian too: deals that were sealed to the one of now, and come later, don't open then.
    #[arg(long)]
    pub kem: bool,
    /// Another signing key and KEM key for the custodian, and none for the validator: for `committee custodian`.
    #[arg(long, conflicts_with = "kem")]
    pub custodian: bool,
    #[command(flatten)]
    pub new: New,
}

/// `node keys show`.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The file of keys.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The node's configuration: shows the custodian key's proof of possession too, which says for which network and
    /// organization it is.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON document (schema `chartseal.node.keys/1`).
    #[arg(long)]
    pub json: bool,
}

/// The longest file of keys, in bytes.
const MAX: u64 = 1_024;

/// `node keys …`.
pub fn run(command: &Keys) -> Result<Exit, Failure> {
    match command {
        Keys::New(args) => {
            let keys = NodeKeys::generate().map_err(Failure::new)?;
            keep(&args.out, &keys)?;
            tell(&keys, None, args.json)
        }
        Keys::Rotate(args) => {
            let mut keys = read(&args.file)?;
            let new = SigningKeyPair::generate().map_err(Failure::new)?;
            if args.custodian {
                keys.custodian = new;
            } else {
                keys.cosigner = new;
            }
            if args.kem || args.custodian {
                keys.kem = KemKeyPair::generate().map_err(Failure::new)?;
            }
            keep(&args.new.out, &keys)?;
            tell(&keys, None, args.new.json)
        }
        Keys::Show(args) => {
            let keys = read(&args.file)?;
            let config = args.config.as_deref().map(Config::read).transpose();
            let config = config.map_err(Failure::new)?;
            let possession = config.map(|it| keys.possession(&it.network, &it.organization));
            tell(&keys, possession, args.json)
        }
    }
}

fn read(file: &Path) -> Result<NodeKeys, Failure> {
    let bytes = Zeroizing::new(read_file(file, MAX)?);
    let keys = NodeKeys::from_secret_bytes(&bytes);
    keys.map_err(|_| Failure::bad(file, "it holds no node's keys"))
}

fn keep(file: &Path, keys: &NodeKeys) -> Result<(), Failure> {
    let mut out = Output::secret(file)?;
    out.write_all(&keys.to_secret_bytes())?;
    out.finish_new()
}

fn tell(keys: &NodeKeys, possession: Option<Signature>, json: bool) -> Result<Exit, Failure> {
    let (validator, custodian) = (public(&keys.cosigner), public(&keys.custodian));
    let kem = to_hex(&keys.kem.key_id().0);
    let possession = possession.map(|it| it.to_string());
    if json {
        let mut document = json!({
            "schema": "chartseal.node.keys/1",
            "validator": validator.to_string(),
            "custodian": custodian.to_string(),
            "kem": kem,
        });
        if let (Some(possession), Some(fields)) = (possession, document.as_object_mut()) {
            fields.insert("possession".into(), possession.into());
        }
        print_json(&document)?;
    } else {
        let out = &mut io::stdout().lock();
        line(out, "validator", &validator.to_string())?;
        line(out, "custodian", &custodian.to_string())?;
        line(out, "kem", &kem)?;
        if let Some(possession) = possession {
            line(out, "possession", &possession)?;
        }
    }
    Ok(Exit::Done)
}
