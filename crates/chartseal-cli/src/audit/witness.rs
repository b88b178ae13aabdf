//! `chartseal audit witness`.

use std::io::{self, Write};
use std::path::PathBuf;

use chartseal_node::{Clock, keys};
use chartseal_tiles::{Directory, Refusal, TileError, Witness};
use chartseal_wire::VerifierKey;
use chartseal_wire::note::KeyKind;
use serde_json::{Value, json};

use super::read_policy;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::records::args::Unlock;
use crate::text::print_json;

/// `audit witness`.
#[derive(Debug, clap::Args)]
pub struct AuditWitness {
    /// A published log: the directory that `ledger publish` fills, or a copy of it.
    #[arg(value_name = "DIR")]
    pub log: PathBuf,
    /// Which logs to cosign: the `log` lines of a C2SP tlog-policy.
    #[arg(long, value_name = "POLICY")]
    pub trust: PathBuf,
    /// The witness's name, as its key is known under: a domain and a path.
    #[arg(long, value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub unlock: Unlock,
    /// Where the last cosigned checkpoint of each log is kept, so that none is ever rolled back; made if
    /// missing. Never restore it from a backup.
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// Print one JSON document (schema `chartseal.witness/1`) instead of the cosigned checkpoint.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(args: &AuditWitness) -> Result<Exit, Failure> {
    let policy = read_policy(&args.trust)?;
    let seed = args.unlock.open()?;
    let key = seed.signing_key();
    let vkey = VerifierKey::new(&args.name, KeyKind::Cosigner, keys::public(&key));
    let vkey = vkey.ok_or_else(|| {
        Failure::new("--name: 1 to 255 characters without spaces and plus signs are a name")
    })?;
    let sign = |message: &[u8]| keys::sign(&key, message);
    let witness = Witness::open(vkey.clone(), &args.state, sign);
    let mut witness = witness.map_err(|why| Failure::bad(&args.state, why))?;
    for log in policy.logs() {
        witness.trust(log.clone());
    }
    let now = Clock::System.now().0 / 1000;
    match witness.follow(&Directory::new(&args.log), now) {
        Ok(cosigned) if args.json => print_json(&json!({
            "schema": "chartseal.witness/1",
            "verdict": "cosigned",
            "witness": vkey.to_string(),
            "size": cosigned.size,
            "before": cosigned.before,
            "checkpoint": cosigned.note.to_string(),
        })),
        Ok(cosigned) => {
            write!(io::stdout().lock(), "{}", cosigned.note)?;
            let (size, before) = (cosigned.size, cosigned.before);
            eprintln!("cosigned {size} entries, {before} of them before, as {vkey}");
            Ok(())
        }
        Err(refusal) => return refused(args, &refusal),
    }?;
    Ok(Exit::Done)
}

/// What a refusal says of the log.
fn refused(args: &AuditWitness, refusal: &Refusal) -> Result<Exit, Failure> {
    let (exit, verdict) = match refusal {
        Refusal::State(_) | Refusal::NoTime => return Err(Failure::bad(&args.state, refusal)),
        Refusal::Tiles(TileError::Io { .. }) => return Err(Failure::bad(&args.log, refusal)),
        Refusal::UnknownLog(_) | Refusal::Tiles(TileError::Missing { .. }) => {
            (Exit::CannotTell, "cannot_tell")
        }
        _ => (Exit::Refuted, "refuted"),
    };
    if args.json {
        print_json(&json!({
            "schema": "chartseal.witness/1",
            "verdict": verdict,
            "why": refusal.to_string(),
            "checkpoint": Value::Null,
        }))?;
    } else {
        eprintln!("not cosigned: {refusal}");
    }
    Ok(exit)
}
