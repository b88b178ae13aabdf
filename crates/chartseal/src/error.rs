use std::io;
use std::path::PathBuf;

use chartseal_client::{ClientError, FollowError, HeldError, LightError};
use chartseal_consensus::{EmbeddedError, OrderingError};
use chartseal_envelope::{
    CombineError, DealError, OpenError, RandomnessError, SealError, SealStreamError, TextError,
};
use chartseal_ledger::{AdmissionError, GenesisError};
use chartseal_node::NodeError;
use chartseal_node::serve::ConfigError;
use chartseal_policy::PolicyError;
use chartseal_wire::{ActorId, Hash, OrgId, PatientId, RecordId, RequestId};
use thiserror::Error;

/// Why a verb of the facade failed. It holds ids only: no secret, nothing of a record.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledger did not admit a transaction; nothing changed.
    #[error("the ledger refuses: {0}")]
    Refused(AdmissionError),
    /// Blocks can't be agreed on.
    #[error(transparent)]
    Ordering(#[from] OrderingError<NodeError>),
    /// The network's validators don't start.
    #[error(transparent)]
    Engine(#[from] EmbeddedError<NodeError>),
    /// A node refuses or fails.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A node in another process can't be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Blocks that a node gave out are not the chain's.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The ledger of nodes in other processes refuses a transaction.
    #[error("the ledger refuses: {0}")]
    RefusedThere(String),
    /// Another transaction of the same key came first, with the same number or a later one: of another device, or of what the
    /// same app does meanwhile. Verbs that sign one sign it anew, some times over.
    #[error("another transaction of the same key came first; try again")]
    Outrun,
    /// What was done was told to end before it was done.
    #[error("it was told to end before it was done")]
    Ended,
    /// Transactions that were handed in are in no block.
    #[error("{0} transactions are not final after a minute; enough nodes have to run")]
    NotFinal(usize),
    /// A node's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A node without a service to clients.
    #[error("{}: `api` is missing; add a line `api IP:PORT`, and start the node again", .0.display())]
    NoService(PathBuf),
    /// What a node says is not proved.
    #[error(transparent)]
    Light(Box<LightError>),
    /// What is read of the state leads to other values again and again: of many it has to look at all, whatever it finds.
    #[error("what is read of the state leads to other values again and again")]
    Endless,
    /// Who asks for values has no whole state.
    #[error(
        "the chain is not followed here, so there is no whole state: `read` asks for what it takes of it"
    )]
    NotFollowed,
    /// Nodes in other processes behave as they do.
    #[error("the nodes are processes of their own, which this one does not control")]
    OtherProcess,
    /// Nodes in this process have no service.
    #[error(
        "the nodes are in this process: there is nothing to be told of and nothing to hold, read it"
    )]
    NotRemote,
    /// No node is running.
    #[error("no organization's node is running")]
    NobodyThere,
    /// No node answers. What this app holds can be read all the same, and nothing else.
    #[error("no node answers: {0}; what is held here can be read, and nothing else")]
    NobodyAnswers(#[source] Box<ClientError>),
    /// What was held of the chain can't be gone on with.
    #[error("what was held can't be used: {0}")]
    Held(Box<HeldError>),
    /// The genesis is not possible.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The system has no randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// A record can't be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A record can't be sealed from a stream.
    #[error(transparent)]
    SealStream(#[from] SealStreamError),
    /// The sealed body, which waits beside, can't be read or written.
    #[error("the sealed body can't be kept until custodians have it: {0}")]
    Scratch(#[source] io::Error),
    /// A record is anchored, or may be, and not every custodian has its sealed body, or none.
    #[error(
        "record {record} was handed in, and its sealed body is not with its custodians: {why}; `resume` sends it"
    )]
    NotSent {
        /// The record.
        record: RecordId,
        /// What went wrong.
        why: Box<Error>,
    },
    /// A record is anchored, and too few custodians acknowledged it for it to be opened.
    #[error(
        "record {record} is anchored, and held by {found} custodians of the {needed} that open it; file it again"
    )]
    NotHeld {
        /// The record.
        record: RecordId,
        /// How many acknowledged it.
        found: u64,
        /// How many have to.
        needed: u64,
    },
    /// A record's content can't be written where it should go.
    #[error(
        "record {record}: its content can't be written: {why}; what was written of it must be discarded"
    )]
    Write {
        /// The record.
        record: RecordId,
        /// What the system says.
        why: io::Error,
    },
    /// No node has the KEM key to which a patient's texts are sealed.
    #[error("no node has the KEM key of patient {0}; the patient's app gives it to them")]
    NoKemKey(PatientId),
    /// No node has the KEM keys of so many custodians that the others' shares would open nothing.
    #[error("the KEM keys of {found} custodians are known, {needed} are needed to deal a record")]
    NoKemKeys {
        /// Of how many custodians some node has it.
        found: usize,
        /// As many as open a record.
        needed: u64,
    },
    /// Records are read as streams one at a time.
    #[error("{0} records were asked for; as a stream, one is read at a time")]
    NotOne(usize),
    /// Shares can't be dealt.
    #[error(transparent)]
    Deal(#[from] DealError),
    /// A text can't be sealed or opened.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A directive is not possible.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The label table lacks a category, so the record can't be filed or granted under it.
    #[error("the patient's label table has no label for {0}")]
    NoLabel(String),
    /// No such organization, or its office is not here.
    #[error("organization {0} has no office here")]
    NoOffice(OrgId),
    /// The chain has no such patient, or another key of theirs.
    #[error("patient {0} is not enrolled")]
    NoPatient(PatientId),
    /// The chain has no such practitioner, or another key of theirs.
    #[error("practitioner {0} is not enrolled with this key")]
    NoPractitioner(ActorId),
    /// The chain has no such record.
    #[error("record {0} is not on the chain")]
    NoRecord(RecordId),
    /// The decision was to deny. A requester is not told why; the patient's history is.
    #[error("request {0} was denied")]
    Denied(RequestId),
    /// No custodian released anything.
    #[error("request {request}: no custodian releases; {why}")]
    NotReleased {
        /// The request.
        request: RequestId,
        /// What the first one said.
        why: Box<NodeError>,
    },
    /// Too few good shares of a record's key.
    #[error("record {record} can't be opened: {why}")]
    NotCombined {
        /// The record.
        record: RecordId,
        /// How many shares there are, how many are missing, and who lied.
        why: CombineError,
    },
    /// The record does not open under its key, or is not its author's.
    #[error("record {record} can't be opened: {why}")]
    NotOpened {
        /// The record.
        record: RecordId,
        /// What was refused.
        why: OpenError,
    },
    /// No node has the record's ciphertext.
    #[error("record {0}: no running node has its ciphertext")]
    NoCiphertext(RecordId),
    /// A sealed text is gone, or never came.
    #[error("the sealed text {0} is not held by any running node")]
    NoText(Hash),
    /// An export can't be made.
    #[error("an export needs {needed} validators' signatures; {found} are running")]
    TooFewSigners {
        /// How many must sign.
        needed: usize,
        /// How many can.
        found: usize,
    },
    /// A node's checkpoint does not reach what is known here to be final.
    #[error(
        "a node's checkpoint is of {blocks} blocks, and {known} are final: it hides the newest"
    )]
    OldCheckpoint {
        /// How many blocks it covers.
        blocks: u64,
        /// How many are final, as far as is known here.
        known: u64,
    },
    /// A file or folder can't be written or read.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What came from a node is not in its format.
    #[error("{0} is not in its format")]
    Malformed(&'static str),
}

impl Error {
    /// Whether nobody is there to ask: the verb may be tried again when the app has a connection, and what it holds can be
    /// read meanwhile.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::NobodyThere | Self::NobodyAnswers(_))
    }

    /// Whether another transaction of the same key came first.
    pub(crate) fn is_outrun(&self) -> bool {
        matches!(
            self,
            Self::Outrun | Self::Refused(AdmissionError::Sequence { .. })
        )
    }

    /// Whether the machine refused (no room, no permission, no randomness, a damaged file), and not a
    /// rule of the network.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Randomness(_) => true,
            Self::Node(error) | Self::Ordering(OrderingError::Replica { source: error, .. }) => {
                is_local(error)
            }
            Self::Engine(EmbeddedError::Ordering(OrderingError::Replica { source, .. })) => {
                is_local(source)
            }
            Self::NotReleased { why, .. } => is_local(why),
            _ => false,
        }
    }
}

fn is_local(error: &NodeError) -> bool {
    matches!(
        error,
        NodeError::Vault(_)
            | NodeError::Ledger(_)
            | NodeError::Reload(_)
            | NodeError::Damaged { .. }
            | NodeError::DamagedShare(_)
            | NodeError::Randomness(_)
    )
}

impl From<HeldError> for Error {
    fn from(error: HeldError) -> Self {
        Self::Held(Box::new(error))
    }
}

impl From<LightError> for Error {
    fn from(error: LightError) -> Self {
        Self::Light(Box::new(error))
    }
}
