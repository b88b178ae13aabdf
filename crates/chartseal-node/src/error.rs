use chartseal_codec::DecodeError;
use chartseal_envelope::{BadSeal, InvalidKey, RandomnessError, ReleaseError, ShareFault};
use chartseal_ledger::store::ReloadError;
use chartseal_ledger::{BlockError, NotReleasable};
use chartseal_vault::VaultError;
use chartseal_wire::{Hash, HeaderDigest, OrgId, RecordId, RequestId};
use thiserror::Error;

use crate::ledger_store::LedgerStoreError;

/// Why a node refuses or fails. It holds ids only: no secret, nothing of a record.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The node is stopped.
    #[error("organization {0} is stopped")]
    Stopped(OrgId),
    /// The organization is not in the committee.
    #[error("organization {0} is not a member of the committee")]
    NotAMember(OrgId),
    /// The stores hold another chain than the genesis that was given.
    #[error("the stores hold another chain than this genesis starts")]
    OtherChain,
    /// A block is not the head's child.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A block is committed that was not executed.
    #[error("block {0} was not executed on this head")]
    NotExecuted(Hash),
    /// The chain's store.
    #[error(transparent)]
    Ledger(#[from] LedgerStoreError),
    /// The chain can't be read back from its store.
    #[error("the stored chain can't be used: {0}")]
    Reload(Box<ReloadError<LedgerStoreError>>),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Something stored is not in its format.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// Which item.
        what: &'static str,
        /// What the decoder said.
        why: DecodeError,
    },
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// A deposit does not fit what is anchored.
    #[error("record {record}: {why}")]
    Deposit {
        /// Which record.
        record: RecordId,
        /// What does not fit.
        why: DepositFault,
    },
    /// A body is longer than one message takes.
    #[error("the body of record {0} is longer than one message takes: read it in parts")]
    TooLong(RecordId),
    /// A ciphertext is not here.
    #[error("the ciphertext is not here")]
    NoBody,
    /// The folder in which uploads wait can't be used.
    #[error("the folder of uploads can't be used: {0}")]
    Uploads(#[source] std::io::Error),
    /// The deal as a whole is refused.
    #[error("the deal is refused: {0}")]
    Deal(ShareFault),
    /// The request gives no right to shares.
    #[error("request {request}: {why}")]
    NotReleasable {
        /// Which request.
        request: RequestId,
        /// Why.
        why: NotReleasable,
    },
    /// Another ephemeral key than the request committed to.
    #[error("request {0} commits to another ephemeral key")]
    WrongReader(RequestId),
    /// The custodian's receipt is not final yet: no share leaves without one.
    #[error("the receipt for request {0} is not on the chain yet")]
    NoReceipt(RequestId),
    /// This custodian has no share of a record.
    #[error("no share of {0} is held here")]
    NoShare(HeaderDigest),
    /// This custodian's share of a record is damaged.
    #[error("the share of {0} that is held here is damaged")]
    DamagedShare(HeaderDigest),
    /// Shares were not resealed.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// A key that people registered is no key.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// A sealed text does not open the commitment under which it came.
    #[error("a sealed text does not open its commitment")]
    Text,
    /// A checkpoint is not one of this node's chain.
    #[error("the checkpoint is not one of this chain")]
    Checkpoint,
    /// The record is not erased, so nothing of it is destroyed.
    #[error("record {0} is not erased on the chain")]
    NotErased(RecordId),
    /// A node in another process refuses.
    #[error("organization {org}: {why} ({code})")]
    Remote {
        /// Whose node.
        org: OrgId,
        /// The stable id of the rule.
        code: String,
        /// What it says.
        why: String,
    },
}

impl NodeError {
    /// What is asked for is not held here.
    pub const NOT_HERE: &str = "CS-API-02";
    /// The node itself fails.
    pub const INTERNAL: &str = "CS-API-06";
    /// The chain has no such request.
    pub const UNKNOWN_REQUEST: &str = "CS-API-11";
    /// The request has no permit.
    pub const DENIED: &str = "CS-API-12";
    /// The permit's time is over.
    pub const TOO_LATE: &str = "CS-API-13";
    /// The record was erased.
    pub const ERASED: &str = "CS-API-14";
    /// What permitted it does so no more.
    pub const WITHDRAWN: &str = "CS-API-15";
    /// Another ephemeral key than the request's.
    pub const WRONG_READER: &str = "CS-API-16";

    /// What came does not fit what is anchored.
    pub const NOT_ANCHORED: &str = "CS-API-23";
    /// The custodian's receipt is not final yet.
    pub const NO_RECEIPT: &str = "CS-API-22";

    /// The stable id of what went wrong, as a node's service answers it.
    pub fn code(&self) -> &str {
        match self {
            Self::NotReleasable { why, .. } => match why {
                NotReleasable::Stale { .. } => "CS-API-10",
                NotReleasable::UnknownRequest => Self::UNKNOWN_REQUEST,
                NotReleasable::TooLate { .. } => Self::TOO_LATE,
                NotReleasable::Erased => Self::ERASED,
                NotReleasable::Withdrawn { .. } => Self::WITHDRAWN,
                _ => Self::DENIED,
            },
            Self::WrongReader(_) => Self::WRONG_READER,
            Self::Deal(_) => "CS-API-17",
            Self::NotAMember(_) => "CS-API-18",
            Self::Checkpoint => "CS-API-19",
            Self::NoReceipt(_) => Self::NO_RECEIPT,
            Self::NoShare(_) | Self::NoBody => Self::NOT_HERE,
            Self::Deposit { .. } => Self::NOT_ANCHORED,
            Self::TooLong(_) => "CS-API-27",
            Self::Remote { code, .. } => code,
            _ => Self::INTERNAL,
        }
    }
}

/// What in a deposit does not fit what is anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DepositFault {
    /// The chain does not have it as a record's newest version.
    #[error("this version is not anchored as the record's newest")]
    NotAnchored,
    /// The record is erased.
    #[error("the record is erased")]
    Erased,
    /// The patient dealt the key anew, and all custodians have that.
    #[error("a newer deal has replaced this one")]
    Replaced,
    /// The body did not come before its shares.
    #[error("its body is not here, and no other organization gives it now")]
    NoBody,
    /// Header and anchor differ.
    #[error("the header says otherwise than the anchor about {0}")]
    Differs(&'static str),
    /// The author's seal.
    #[error(transparent)]
    Seal(BadSeal),
    /// The share in the deal.
    #[error(transparent)]
    Share(ShareFault),
}

impl DepositFault {
    /// Whether nobody needs this share any more: its record was amended, erased or dealt anew since.
    pub fn is_outdated(&self) -> bool {
        matches!(self, Self::NotAnchored | Self::Erased | Self::Replaced)
    }
}

impl From<ReloadError<LedgerStoreError>> for NodeError {
    fn from(error: ReloadError<LedgerStoreError>) -> Self {
        Self::Reload(Box::new(error))
    }
}
