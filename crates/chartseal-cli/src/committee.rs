//! `chartseal committee …`: organizations join, leave, rotate keys and are suspended; an office gives its custodian other keys.

mod words;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use chartseal_codec::hex_exact;
use chartseal_envelope::{RecordId, SigningKeyPair};
use chartseal_ledger::body::{CustodianReplaced, KeyRotated, Organization, OrganizationEnrolled};
use chartseal_ledger::{Body, SignedTransaction, TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};
use chartseal_node::serve::{Control, ControlError, TxOutcome};
use chartseal_node::{CommitteeView, KnownOrganization, MemberChange, Proposal, ProposalError};
use chartseal_wire::{ActorId, OrgId, PublicKey, Signature};
use clap::Subcommand;
use serde_json::json;
use zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::{Failure, read_file, read_text};
use crate::ledger;
use crate::records::output::{Output, write};
use crate::text::{line, print_json};

/// `committee …`.
#[derive(Debug, Subcommand)]
pub enum Committee {
    /// Show who is in the committee, and who will be.
    Show(Show),
    /// Propose the next committee: writes a file, for one office after the other to approve.
    Draft(Draft),
    /// Say what a proposal would change, who approved it, and whether the ledger would take it.
    Check(Check),
    /// Approve a proposal with an organization's enrolment key: adds a signature to the file.
    Approve(Approve),
    /// Hand a proposal in that a quorum approved, and wait until it is final.
    Submit(Approve),
    /// Enrol an organization, which then can be added to the committee; waits until that is final.
    Enrol(Enrol),
    /// Give an organization's custodian other keys, whatever became of those before; waits until that is final.
    Custodian(Custodian),
    /// Make an organization's enrolment key, for a newcomer. It belongs on no node.
    Office(Office),
}

/// Whom to ask.
#[derive(Debug, clap::Args)]
pub struct Asked {
    /// A node's data directory. If the node runs, it is asked; a folder into which its `control.sock` is forwarded
    /// (`ssh -L`) will do. If it does not, its ledger is read.
    #[arg(long, value_name = "DIR")]
    pub node: PathBuf,
    /// Print one JSON document (schema `chartseal.committee/1`).
    #[arg(long)]
    pub json: bool,
}

/// `committee show`.
#[derive(Debug, clap::Args)]
pub struct Show {
    #[command(flatten)]
    pub asked: Asked,
}

/// `committee draft`.
#[derive(Debug, clap::Args)]
pub struct Draft {
    #[command(flatten)]
    pub asked: Asked,
    /// An enrolled organization joins: its id; with other keys than it was enrolled with, `ID:VALIDATOR` or
    /// `ID:VALIDATOR:KEM`, in hex.
    #[arg(long, value_name = "ORG")]
    pub add: Vec<String>,
    /// A member leaves or is suspended: its id.
    #[arg(long, value_name = "ORG")]
    pub remove: Vec<String>,
    /// A member stays, with other keys: `ID:VALIDATOR` or `ID:VALIDATOR:KEM`, as `node keys show` prints them.
    #[arg(long, value_name = "ORG:KEYS")]
    pub rotate: Vec<String>,
    /// The first height of the next epoch; without it, 20,000 blocks from now (two days of a quiet network).
    #[arg(long, value_name = "HEIGHT")]
    pub from: Option<u64>,
    /// The proposal's file, which must not exist.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `committee check`.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The proposal's file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub asked: Asked,
}

/// `committee approve`, `committee submit`.
#[derive(Debug, clap::Args)]
pub struct Approve {
    #[command(flatten)]
    pub check: Check,
    /// The file of the organization's enrolment key: a member's of the present committee.
    #[arg(long, value_name = "KEY")]
    pub office: PathBuf,
}

/// `committee enrol`.
#[derive(Debug, clap::Args)]
pub struct Enrol {
    #[command(flatten)]
    pub asked: Asked,
    /// The file of the enrolment key of a member of the present committee.
    #[arg(long, value_name = "KEY")]
    pub office: PathBuf,
    /// The new organization's id; without it one is drawn.
    #[arg(long, value_name = "ID")]
    pub organization: Option<String>,
    /// Its enrolment key's public half: what `committee office` printed.
    #[arg(long, value_name = "HEX")]
    pub enrolment_key: String,
    /// Its node's keys, as `node keys show` prints them: the custodian's.
    #[arg(long, value_name = "HEX")]
    pub custodian: String,
    /// The validator's.
    #[arg(long, value_name = "HEX")]
    pub validator: String,
    /// The digest of the custodian's KEM key.
    #[arg(long, value_name = "HEX")]
    pub kem: String,
}

/// `committee custodian`.
#[derive(Debug, clap::Args)]
pub struct Custodian {
    #[command(flatten)]
    pub asked: Asked,
    /// The file of the organization's enrolment key.
    #[arg(long, value_name = "KEY")]
    pub office: PathBuf,
    /// The custodian's new signing key, as `node keys show --config` prints it.
    #[arg(long = "custodian", value_name = "HEX")]
    pub key: String,
    /// The digest of its new KEM key.
    #[arg(long, value_name = "HEX")]
    pub kem: String,
    /// The new signing key's proof of possession.
    #[arg(long, value_name = "HEX")]
    pub possession: String,
}

/// `committee office`.
#[derive(Debug, clap::Args)]
pub struct Office {
    /// Where the key goes; the file must not exist.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// How far ahead an epoch begins if nobody says: votes come by mail.
const AHEAD: u64 = 20_000;
/// How many blocks after the newest counts what an office says alone.
const EXPIRES: u64 = 10_000;
/// How long it may take until something is final.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);

/// `committee …`.
pub fn run(command: &Committee) -> Result<Exit, Failure> {
    match command {
        Committee::Show(args) => {
            let view = ask(&args.asked.node, &[])?;
            tell(&args.asked, &view, None, None)
        }
        Committee::Draft(args) => draft(args),
        Committee::Check(args) => {
            let (proposal, view) = read(args)?;
            let judged = proposal.judge(&view);
            judged.map_err(|error| bad(&args.file, &error))?;
            tell(&args.asked, &view, Some(&proposal), None)
        }
        Committee::Approve(args) => approve(args),
        Committee::Submit(args) => submit(args),
        Committee::Enrol(args) => enrol(args),
        Committee::Custodian(args) => custodian(args),
        Committee::Office(args) => office(args),
    }
}

fn draft(args: &Draft) -> Result<Exit, Failure> {
    let mut changes = Vec::new();
    for text in &args.add {
        let (org, keys) = member("--add", text)?;
        changes.push(MemberChange::Add { org, keys });
    }
    for text in &args.remove {
        let (org, keys) = member("--remove", text)?;
        if keys.is_some() {
            return Err(Failure::new("--remove takes an organization's id alone"));
        }
        changes.push(MemberChange::Remove { org });
    }
    for text in &args.rotate {
        let (org, keys) = member("--rotate", text)?;
        let why = "--rotate takes ID:VALIDATOR or ID:VALIDATOR:KEM";
        let (validator, custodian_kem) = keys.ok_or_else(|| Failure::new(why))?;
        changes.push(MemberChange::Rotate {
            org,
            validator,
            custodian_kem,
        });
    }
    let asked: Vec<OrgId> = changes.iter().map(MemberChange::org).collect();
    let view = ask(&args.asked.node, &asked)?;
    let from = args.from.unwrap_or(view.height.saturating_add(AHEAD));
    let proposal = Proposal::draft(&view, &changes, from);
    let proposal = proposal.map_err(|error| Failure::new(format!("{error} ({})", error.rule())))?;
    let mut out = Output::public(&args.out)?;
    out.write_all(proposal.to_string().as_bytes())?;
    out.finish_new()?;
    tell(&args.asked, &view, Some(&proposal), None)
}

fn approve(args: &Approve) -> Result<Exit, Failure> {
    let office = office_key(&args.office)?;
    let Check { file, asked } = &args.check;
    let (mut proposal, view) = read(&args.check)?;
    let approved = proposal.approve(&view, &office);
    approved.map_err(|error| match error {
        ProposalError::NotAnOffice(_) => bad(&args.office, &error),
        _ => bad(file, &error),
    })?;
    write(file, proposal.to_string().as_bytes())?;
    tell(asked, &view, Some(&proposal), None)
}

fn submit(args: &Approve) -> Result<Exit, Failure> {
    let office = office_key(&args.office)?;
    let Check { file, asked } = &args.check;
    let (proposal, view) = read(&args.check)?;
    let change = proposal.agreed(&view).map_err(|error| match error {
        ProposalError::Quorum { .. } => {
            Failure::Unmet(format!("{}: {error} ({})", file.display(), error.rule()))
        }
        _ => bad(file, &error),
    })?;
    let known = speaker(&view, &office, &args.office)?;
    let expires = proposal.expires();
    let signed = transaction(&view, &office, known, expires, change.clone());
    let Some(height) = hand_in(&asked.node, &signed)? else {
        return Ok(Exit::CannotTell);
    };
    let view = ask(&asked.node, &[])?;
    tell(asked, &view, Some(&proposal), Some(height))
}

fn key(name: &str, text: &str) -> Result<PublicKey, Failure> {
    let key = text.parse();
    key.map_err(|_| Failure::new(format!("{name} takes 64 hex digits")))
}

fn custodian(args: &Custodian) -> Result<Exit, Failure> {
    let possession = hex_exact(&args.possession);
    let possession = possession.map_err(|_| Failure::new("--possession takes 128 hex digits"))?;
    let rotation = KeyRotated {
        key: key("--custodian", &args.key)?,
        kem: Some(key("--kem", &args.kem)?.0),
        possession: Signature(possession),
    };
    let office = office_key(&args.office)?;
    let view = ask(&args.asked.node, &[])?;
    let known = speaker(&view, &office, &args.office)?;
    let (id, custodian) = (known.organization.id, rotation.key);
    let message = KeyRotated::to_possess(&view.network, &ActorId(id.0), &custodian);
    let possessed = custodian.verify_raw(&message, &rotation.possession);
    possessed.map_err(|_| {
        let why = format!("--possession is not that key's for organization {id} of this network");
        Failure::new(why)
    })?;
    let expires = view.height.saturating_add(EXPIRES);
    let body = CustodianReplaced { rotation };
    let signed = transaction(&view, &office, known, expires, body);
    let Some(height) = hand_in(&args.asked.node, &signed)? else {
        return Ok(Exit::CannotTell);
    };
    if args.asked.json {
        print_json(&json!({
            "schema": "chartseal.committee.custodian/1",
            "organization": id.to_string(),
            "custodian": custodian.to_string(),
            "height": height,
        }))?;
    } else {
        let out = &mut io::stdout();
        line(out, "custodian", &format!("of {id} is {custodian}"))?;
        line(
            out,
            "final",
            &format!("in block {height}; start its node with these keys"),
        )?;
    }
    Ok(Exit::Done)
}

fn enrol(args: &Enrol) -> Result<Exit, Failure> {
    let id = match &args.organization {
        Some(text) => id("--organization", text)?,
        None => OrgId(RecordId::random().map_err(Failure::new)?.0),
    };
    let organization = Organization {
        id,
        enrolment_key: key("--enrolment-key", &args.enrolment_key)?,
        custodian_key: key("--custodian", &args.custodian)?,
        custodian_kem: key("--kem", &args.kem)?.0,
        validator: key("--validator", &args.validator)?,
    };
    let office = office_key(&args.office)?;
    let view = ask(&args.asked.node, &[id])?;
    if view.organization(&id).is_some() {
        return Err(Failure::new(format!(
            "organization {id} is enrolled already"
        )));
    }
    let known = speaker(&view, &office, &args.office)?;
    let expires = view.height.saturating_add(EXPIRES);
    let body = OrganizationEnrolled { organization };
    let signed = transaction(&view, &office, known, expires, body);
    let Some(height) = hand_in(&args.asked.node, &signed)? else {
        return Ok(Exit::CannotTell);
    };
    if args.asked.json {
        print_json(&json!({
            "schema": "chartseal.committee.enrol/1",
            "organization": id.to_string(),
            "height": height,
        }))?;
    } else {
        line(&mut io::stdout(), "enrolled", &id.to_string())?;
        line(
            &mut io::stdout(),
            "final",
            &format!("in block {height}; `committee draft --add {id}` proposes it as a member"),
        )?;
    }
    Ok(Exit::Done)
}

fn office(args: &Office) -> Result<Exit, Failure> {
    let keys = SigningKeyPair::generate().map_err(Failure::new)?;
    let mut out = Output::secret(&args.out)?;
    let secret = Zeroizing::new(*keys.expose_secret_bytes());
    out.write_all(secret.as_slice())?;
    out.finish_new()?;
    writeln!(io::stdout(), "{}", public(&keys))?;
    Ok(Exit::Done)
}

/// An enrolment key's file: its 32 bytes, as `net init` and `committee office` write them.
fn office_key(file: &Path) -> Result<SigningKeyPair, Failure> {
    let bytes = Zeroizing::new(read_file(file, 32)?);
    let secret: Result<&[u8; 32], _> = bytes.as_slice().try_into();
    let secret = secret.map_err(|_| {
        Failure::bad(
            file,
            "not an organization's enrolment key: that is a file of 32 bytes",
        )
    })?;
    Ok(SigningKeyPair::from_secret_bytes(secret))
}

/// The member of the present committee whose enrolment key it is.
fn speaker<'a>(
    view: &'a CommitteeView,
    office: &SigningKeyPair,
    file: &Path,
) -> Result<&'a KnownOrganization, Failure> {
    let key = public(office);
    let known = view.office(&key);
    known.ok_or_else(|| bad(file, &ProposalError::NotAnOffice(key)))
}

/// The office's next transaction.
fn transaction(
    view: &CommitteeView,
    office: &SigningKeyPair,
    known: &KnownOrganization,
    expires: u64,
    body: impl Into<Body>,
) -> SignedTransaction {
    let transaction = Transaction {
        version: TRANSACTION_VERSION,
        chain: view.network,
        actor_key: public(office),
        seq: known.sequence.saturating_add(1),
        expires,
        body: body.into(),
    };
    transaction.sign(|message| sign(office, message))
}

/// Hands a transaction to the node, and waits until it is final; gives its height, or says that this takes too long to tell.
fn hand_in(node: &Path, signed: &SignedTransaction) -> Result<Option<u64>, Failure> {
    let mut control = Control::connect(node).map_err(|error| match error {
        ControlError::Socket { .. } => Failure::bad(
            node,
            "no node runs on it, and only a node that runs takes anything in; start it",
        ),
        error => Failure::new(error),
    })?;
    control.submit(signed).map_err(|error| match error {
        ControlError::Refused { .. } => Failure::Unmet(format!("{}: {error}", node.display())),
        error => Failure::new(error),
    })?;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match control.outcome(&signed.id()).map_err(Failure::new)? {
            TxOutcome::Final(height) => return Ok(Some(height)),
            TxOutcome::Refused(why) => {
                return Err(Failure::Unmet(format!(
                    "{}: refused: {why}",
                    node.display()
                )));
            }
            TxOutcome::Waiting | TxOutcome::Unknown => thread::sleep(PAUSE),
        }
    }
    eprintln!(
        "chartseal: transaction {} is not final after {} s; it may still be: `committee show` will tell",
        signed.id(),
        PATIENCE.as_secs()
    );
    Ok(None)
}

/// A proposal, and what a node knows of whom it names.
fn read(args: &Check) -> Result<(Proposal, CommitteeView), Failure> {
    let max = u64::try_from(Proposal::MAX_BYTES).unwrap_or(u64::MAX);
    let text = read_text(&args.file, max)?;
    let proposal = Proposal::parse(&text).map_err(|error| bad(&args.file, &error))?;
    let change = &proposal.change;
    let members = change.members.iter().map(|member| member.org);
    let approvals = change.approvals.iter().map(|approval| approval.org);
    let asked: Vec<OrgId> = members.chain(approvals).collect();
    let view = ask(&args.asked.node, &asked)?;
    Ok((proposal, view))
}

/// What a node that runs says of the committee; else what its ledger does.
fn ask(node: &Path, asked: &[OrgId]) -> Result<CommitteeView, Failure> {
    match Control::connect(node) {
        Ok(mut control) => control.committee(asked).map_err(Failure::new),
        Err(ControlError::Socket { .. }) => {
            let chain = ledger::chain::Chain::open(node)?;
            Ok(CommitteeView::of(chain.head(), asked))
        }
        Err(error) => Err(Failure::new(error)),
    }
}

fn bad(file: &Path, error: &ProposalError) -> Failure {
    Failure::bad(file, format!("{error} ({})", error.rule()))
}

fn id(name: &str, text: &str) -> Result<OrgId, Failure> {
    let id = text.parse();
    id.map_err(|_| Failure::new(format!("{name} takes an organization's id: 32 hex digits")))
}

/// A validator's key, and the digest of a custodian's.
type Keys = (PublicKey, Option<[u8; 32]>);

/// `ID`, `ID:VALIDATOR` or `ID:VALIDATOR:KEM`.
fn member(name: &str, text: &str) -> Result<(OrgId, Option<Keys>), Failure> {
    let wrong = || {
        Failure::new(format!(
            "{name} takes ID:VALIDATOR or ID:VALIDATOR:KEM: 32, 64 and 64 hex digits"
        ))
    };
    let mut parts = text.split(':');
    let org = id(name, parts.next().unwrap_or_default())?;
    let validator = parts.next().map(str::parse).transpose();
    let kem = parts.next().map(hex_exact).transpose();
    let (validator, kem) = (validator.map_err(|_| wrong())?, kem.map_err(|_| wrong())?);
    if parts.next().is_some() {
        return Err(wrong());
    }
    Ok((org, validator.map(|validator| (validator, kem))))
}

/// What a command knows in the end.
fn tell(
    asked: &Asked,
    view: &CommitteeView,
    proposal: Option<&Proposal>,
    height: Option<u64>,
) -> Result<Exit, Failure> {
    if asked.json {
        print_json(&words::document(view, proposal, height))?;
    } else {
        words::print(view, proposal, height)?;
    }
    Ok(Exit::Done)
}
