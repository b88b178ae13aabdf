use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, from_bytes, to_bytes};
use chartseal_merkle::Hash;
use chartseal_wire::export::Finality;
use chartseal_wire::note::MAX_NOTE;
use chartseal_wire::{BlockHeader, Checkpoint, Export, FormatError, ProofFile, SignedNote, Time};

use crate::finality;
use crate::policy::TrustPolicy;
use crate::rules::Rule;
use crate::signatures;
use crate::verdict::{Doubt, Refutation, Stop};
use crate::verify::{check_header, met};

/// The version of [`Equivocation`]'s format.
const EQUIVOCATION_VERSION: u64 = 1;
/// The most bytes of a statement: a note, and the header with its proof and its certificate above it.
const MAX_STATEMENT: usize = MAX_NOTE + (4 << 20);
/// How a tlog-proof begins; no note's origin can.
const PROOF: &str = "c2sp.org/tlog-proof@v1\n";

/// Two signed statements about one chain that can't both be true. Anybody who has the policy can check
/// it with [`verify`](Self::verify); no patient's data is in it.
///
/// A statement is a signed checkpoint, or a C2SP tlog-proof of one block: its `extra` line is the
/// header, or an export of the header and its certificate without a history. The canonical bytes, `[1, statement, statement]`, are the file to pass on:
///
/// ```
/// use chartseal_audit::{Contradiction, Equivocation, TrustPolicy};
/// # let policy = include_str!("../tests/vectors/trust.policy");
/// # let received = include_bytes!("../tests/vectors/fork.equivocation");
///
/// let policy = TrustPolicy::parse(policy)?;
/// let evidence: Equivocation = chartseal_codec::from_bytes(received)?;
/// let proof = evidence.verify(&policy).expect("evidence");
/// assert_eq!(proof.contradiction, Contradiction::Block { height: 15 });
/// assert_eq!(proof.both, ["v1", "v2", "v3"]);
/// # Ok::<(), chartseal_wire::FormatError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// A statement.
    pub first: String,
    /// One that contradicts it.
    pub second: String,
}

/// What an [`Equivocation`] proves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Equivocated {
    /// The chain's log.
    pub origin: String,
    /// In what the statements contradict each other.
    pub contradiction: Contradiction,
    /// Who signed both: witnesses under their names in the policy, and as `organization ID` those whose
    /// validators certified both. A witness signs a log, and reads no header: where the contradiction is in what a
    /// header says, none is named. It may be empty.
    pub both: Vec<String>,
}

/// What was said twice, and differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// Which block has this height.
    Block {
        /// The height.
        height: u64,
    },
    /// What the root of the log of this size is.
    Log {
        /// The number of blocks.
        size: u64,
    },
}

/// Why an [`Equivocation`] proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoEquivocation {
    /// A statement breaks a rule: nobody made it.
    Refuted(Refutation),
    /// Who made it can't be judged under this policy.
    CannotTell(Doubt),
    /// Both statements may be true.
    NoContradiction,
}

impl Equivocation {
    /// The evidence in two export files; whether they contradict each other,
    /// [`verify`](Self::verify) says.
    ///
    /// # Errors
    /// [`FormatError`] if one is no export.
    pub fn between(one: &str, other: &str) -> Result<Self, FormatError> {
        Ok(Self {
            first: without_histories(one)?,
            second: without_histories(other)?,
        })
    }

    /// What this proves: each statement is signed as `policy` asks, and they contradict each other.
    ///
    /// # Errors
    /// [`NoEquivocation`].
    pub fn verify(&self, policy: &TrustPolicy) -> Result<Equivocated, NoEquivocation> {
        let (a, b) = (read(&self.first, policy)?, read(&self.second, policy)?);
        let (contradiction, is_witnessed) = (a.origin == b.origin)
            .then(|| a.contradiction(&b))
            .flatten()
            .ok_or(NoEquivocation::NoContradiction)?;
        let witnesses = a.witnesses.into_iter();
        let witnesses = witnesses.filter(|name| is_witnessed && b.witnesses.contains(name));
        let validators = a.validators.into_iter();
        let validators = validators.filter(|org| b.validators.contains(org));
        Ok(Equivocated {
            both: witnesses.chain(validators).collect(),
            origin: a.origin,
            contradiction,
        })
    }
}

/// What a statement says.
struct Statement {
    origin: String,
    /// Who cosigned its checkpoint.
    witnesses: Vec<String>,
    /// Who certified its header.
    validators: Vec<String>,
    /// The height and leaf of its block.
    block: Option<(u64, Hash)>,
    /// The size and root of the checkpoint's log.
    log: (u64, Hash),
    /// The same of the log to which the header commits.
    committed: Option<(u64, Hash)>,
}

impl Statement {
    /// In what they contradict each other, and whether the checkpoints' logs do: else only headers do, which a
    /// witness of a consistent log never read. (A certified header's log is the checkpoint's own, before its leaf.)
    fn contradiction(&self, other: &Self) -> Option<(Contradiction, bool)> {
        if let (Some((height, leaf)), Some((same, another))) = (self.block, other.block)
            && height == same
            && leaf != another
        {
            return Some((Contradiction::Block { height }, true));
        }
        let differ = |one: &(u64, Hash), other: &(u64, Hash)| one.0 == other.0 && one.1 != other.1;
        if differ(&self.log, &other.log) {
            return Some((Contradiction::Log { size: self.log.0 }, true));
        }
        let logs = |one: &Self| Some(one.log).into_iter().chain(one.committed);
        let (size, _) = logs(self).find(|log| logs(other).any(|one| differ(log, &one)))?;
        Some((Contradiction::Log { size }, false))
    }
}

/// An export as the statement that its block is in the log.
fn without_histories(file: &str) -> Result<String, FormatError> {
    let mut file = ProofFile::parse(file)?;
    let export: Export = from_bytes(&file.extra)?;
    file.extra = to_bytes(&export.header);
    let certified = export
        .finality
        .map(|finality| certified(&file, &export.header, &finality));
    Ok(certified.unwrap_or_else(|| file.to_string()))
}

/// The statement that a committee certified the header of a file.
pub(crate) fn certified(file: &ProofFile, header: &BlockHeader, finality: &Finality) -> String {
    let export: Export = Export {
        header: header.clone(),
        histories: Vec::new(),
        growth: None,
        texts: Vec::new(),
        finality: Some(finality.clone()),
    };
    let extra = to_bytes(&export);
    ProofFile {
        extra,
        ..file.clone()
    }
    .to_string()
}

/// Whether a statement is the proof of a block, and no note.
pub(crate) fn is_proof(statement: &str) -> bool {
    statement.starts_with(PROOF)
}

/// The checkpoint of a statement that is a note, or has a certificate.
pub(crate) fn kept_checkpoint(statement: &str) -> Option<Checkpoint> {
    let (note, proven) = parse(statement).ok()?;
    let is_kept = proven.is_none_or(|proven| proven.finality.is_some());
    is_kept.then(|| Checkpoint::parse(&note.text).ok())?
}

fn read(statement: &str, policy: &TrustPolicy) -> Result<Statement, NoEquivocation> {
    let stop = |stop| match stop {
        Stop::Refuted(refutation) => NoEquivocation::Refuted(refutation),
        Stop::Doubt(doubt) => NoEquivocation::CannotTell(doubt),
    };
    check(statement, policy).map_err(stop)
}

fn check(statement: &str, policy: &TrustPolicy) -> Result<Statement, Stop> {
    let (note, proven) = parse(statement).map_err(|e| Stop::refute(Rule::File, e))?;
    let checkpoint =
        Checkpoint::parse(&note.text).map_err(|e| Stop::refute(Rule::Checkpoint, e))?;
    if let Some(Proven { header, .. }) = &proven
        && checkpoint.origin != chartseal_wire::checkpoint::origin(&header.chain)
    {
        return Err(Stop::refute(Rule::Origin, "another log than the header's"));
    }
    let signed = signatures::check(&note, &checkpoint, policy)?;
    let (mut finality, mut time) = (None, Time(0));
    if let Some(proven) = &proven {
        (finality, time) = (proven.finality.as_ref(), proven.header.time);
        if let Some(finality) = finality {
            finality::check(finality, &proven.file, &checkpoint, &proven.header)?;
        }
    }
    let (signed, certified, _) = met(signed, finality, time, policy, None)?;
    let (mut block, mut committed) = (None, None);
    if let Some(Proven { file, header, .. }) = &proven {
        check_header(file, &checkpoint, header)?;
        block = Some((header.height, header.leaf()));
        committed = Some((header.log_size, header.log_root));
    }
    let validators = certified.into_iter().flat_map(|one| one.signers);
    let validators = validators.map(|org| alloc::format!("organization {org}"));
    let witnesses = signed.witnesses.into_iter().map(|witness| witness.name);
    Ok(Statement {
        origin: checkpoint.origin,
        witnesses: witnesses.collect(),
        validators: validators.collect(),
        block,
        log: (checkpoint.size, checkpoint.root),
        committed,
    })
}

/// A block that a statement proves.
struct Proven {
    file: ProofFile,
    header: BlockHeader,
    finality: Option<Finality>,
}

/// The note of a statement, and the block that it proves.
fn parse(statement: &str) -> Result<(SignedNote, Option<Proven>), FormatError> {
    if !is_proof(statement) {
        return Ok((SignedNote::parse(statement)?, None));
    }
    let file = ProofFile::parse(statement)?;
    let (header, finality) = match Export::read(&file.extra) {
        Ok(export) if is_bare(&export) => (export.header, export.finality),
        _ => (from_bytes(&file.extra)?, None),
    };
    let note = file.checkpoint.clone();
    let proven = Proven {
        file,
        header,
        finality,
    };
    Ok((note, Some(proven)))
}

/// Whether an export holds a certificate and nothing of anybody.
fn is_bare<B>(export: &Export<B>) -> bool {
    let is_empty = export.histories.is_empty() && export.texts.is_empty();
    is_empty && export.growth.is_none() && export.finality.is_some()
}

impl Encode for Equivocation {
    fn encode(&self, e: &mut Encoder) {
        e.array(3).uint(EQUIVOCATION_VERSION);
        e.text(&self.first).text(&self.second);
    }
}

impl Decode for Equivocation {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("equivocation").array_exact(3)?;
        d.at("equivocation.version")
            .uint_in(EQUIVOCATION_VERSION, EQUIVOCATION_VERSION)?;
        let mut statement = |field| {
            let text = d.at(field).text(MAX_STATEMENT)?;
            let is_one = parse(text).is_ok();
            is_one
                .then(|| String::from(text))
                .ok_or_else(|| d.invalid("a signed checkpoint, or a tlog-proof of a header"))
        };
        Ok(Self {
            first: statement("equivocation.first")?,
            second: statement("equivocation.second")?,
        })
    }
}

impl fmt::Display for Equivocated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Proved: {} signed two histories.", self.origin)?;
        match self.contradiction {
            Contradiction::Block { height } => writeln!(f, "  two blocks have the height {height}"),
            Contradiction::Log { size } => writeln!(f, "  the log of {size} blocks has two roots"),
        }?;
        if self.both.is_empty() {
            return writeln!(f, "  nobody is named: no key of the policy signed both");
        }
        writeln!(f, "  both were cosigned by {}", self.both.join(", "))
    }
}

impl fmt::Display for NoEquivocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuted(refutation) => refutation.fmt(f),
            Self::CannotTell(doubt) => doubt.fmt(f),
            Self::NoContradiction => f.write_str("the two statements don't contradict each other"),
        }
    }
}

impl core::error::Error for NoEquivocation {}
