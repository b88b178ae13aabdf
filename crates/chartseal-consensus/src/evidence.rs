use chartseal_codec::{DecodeError, Decoder, Encoder};
use chartseal_ledger::{Block, Committee, Overlay, tx_root};
use chartseal_wire::{ChainId, Hash, PublicKey};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_consensus::simplex::elector::{Config as _, Elector as _, RoundRobin};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Attributable as _;
use commonware_cryptography::certificate::Scheme as _;
use commonware_parallel::Sequential;
use commonware_utils::ordered::Quorum as _;
use std::num::NonZeroUsize;
use thiserror::Error;

use crate::certificate::{CertificateError, namespace, participants, rng};
use crate::engine::Notarize;
use crate::refusal::{Refusal, judge};

/// What shows a third party that a validator broke the protocol: its own signature under what it may not
/// sign. Nobody else can make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Its vote for a block of its own that honest validators refuse.
    Refused {
        /// The signed vote, as the engine encodes it.
        vote: Vec<u8>,
        /// The block's canonical bytes.
        block: Vec<u8>,
    },
    /// Two votes of one view, for different blocks.
    Equivocated {
        /// The first signed vote.
        one: Vec<u8>,
        /// The other.
        other: Vec<u8>,
    },
}

/// What evidence shows, once it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whose signature it is.
    pub validator: PublicKey,
    /// The epoch of the vote.
    pub epoch: u64,
    /// The view of the vote.
    pub view: u64,
    /// The block that was voted for; of two, the first.
    pub block: Hash,
    /// The id of the rule that was broken: a proposal's, or `CS-BFT-20` for two votes of one view.
    pub rule: &'static str,
}

/// Why something is no evidence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Bytes that are none.
    #[error("evidence's bytes are not in its format: {0}")]
    Malformed(#[from] DecodeError),
    /// A vote that is none of the engine's.
    #[error("a vote's bytes are not in the engine's format")]
    Vote,
    /// The signature is nobody's of this committee, or does not verify.
    #[error("a vote is not signed by a validator of the committee")]
    Signature,
    /// The committee's keys can't be used.
    #[error(transparent)]
    Committee(#[from] CertificateError),
    /// The vote is not that of the block's proposer: others may vote for a block that they can't judge.
    #[error("the vote is not of its view's leader")]
    NotTheLeader,
    /// The block is another one than was voted for.
    #[error("the vote is for another block")]
    OtherBlock,
    /// The transactions are not those of the block that was voted for: whoever made the evidence chose them.
    #[error("the block's transactions are not those of its header")]
    OtherBody,
    /// The state is not that of the block's parent.
    #[error("the state at hand is not that after the block's parent")]
    OtherParent,
    /// Nothing is wrong with it.
    #[error("the evidence shows nothing wrong")]
    NoFault,
}

/// Two votes of one view for different blocks.
pub(crate) const EQUIVOCATION: &str = "CS-BFT-20";

impl Evidence {
    /// Checks the evidence against the committee of its epoch. `parent` is the state after the block's
    /// parent, which a refused block is executed on anew; for two votes it is not looked at.
    ///
    /// # Errors
    /// [`EvidenceError`]: then it shows nothing.
    pub fn check(
        &self,
        chain: &ChainId,
        committee: &Committee,
        parent: Option<&Overlay>,
    ) -> Result<Fault, EvidenceError> {
        match self {
            Self::Refused { vote, block } => {
                let (vote, validator) = read_vote(vote, chain, committee)?;
                let keys = committee.members().iter().map(|member| member.validator);
                let leader = leader(&participants(keys)?, &vote);
                if vote.signer() != leader {
                    return Err(EvidenceError::NotTheLeader);
                }
                let block = Block::from_bytes(block)?;
                if block.header.leaf().0 != vote.proposal.payload.0 {
                    return Err(EvidenceError::OtherBlock);
                }
                // A vote is for a header. Nobody answers for what another one puts under it.
                if tx_root(&block.transactions) != block.header.tx_root {
                    return Err(EvidenceError::OtherBody);
                }
                let parent = parent.filter(|parent| parent.head().leaf() == block.header.parent);
                let parent = parent.ok_or(EvidenceError::OtherParent)?;
                let epoch = vote.proposal.round.epoch().get();
                match judge(parent, &block, epoch, &[], NonZeroUsize::MIN) {
                    Ok(_) => Err(EvidenceError::NoFault),
                    Err(refusal) => Ok(fault(&vote, validator, refusal.rule())),
                }
            }
            Self::Equivocated { one, other } => {
                let (one, validator) = read_vote(one, chain, committee)?;
                let (other, _) = read_vote(other, chain, committee)?;
                let same_view = one.proposal.round == other.proposal.round;
                if one.signer() != other.signer() || !same_view || one.proposal == other.proposal {
                    return Err(EvidenceError::NoFault);
                }
                Ok(fault(&one, validator, EQUIVOCATION))
            }
        }
    }

    /// About how many bytes it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Refused { vote, block } => vote.len() + block.len(),
            Self::Equivocated { one, other } => one.len() + other.len(),
        }
    }

    /// Its canonical bytes: `[1, vote, block]` or `[2, vote, vote]`.
    pub fn bytes(&self) -> Vec<u8> {
        let mut e = Encoder::new();
        match self {
            Self::Refused { vote, block } => e.array(3).uint(1).bytes(vote).bytes(block),
            Self::Equivocated { one, other } => e.array(3).uint(2).bytes(one).bytes(other),
        };
        e.finish()
    }

    /// The evidence whose bytes these are.
    ///
    /// # Errors
    /// [`EvidenceError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let mut d = Decoder::new(bytes);
        d.at("evidence").array_exact(3)?;
        let kind = d.at("kind").uint()?;
        let one = d.at("vote").bytes(MAX_VOTE)?.to_vec();
        let evidence = match kind {
            1 => Self::Refused {
                vote: one,
                block: d.at("block").bytes(Block::MAX_BYTES)?.to_vec(),
            },
            2 => Self::Equivocated {
                one,
                other: d.at("other vote").bytes(MAX_VOTE)?.to_vec(),
            },
            _ => return Err(d.invalid("evidence is of kind 1 or 2").into()),
        };
        d.finish()?;
        Ok(evidence)
    }
}

/// The most bytes of a vote: three numbers, a leaf hash, a validator's number, a signature.
pub(crate) const MAX_VOTE: usize = 3 * 10 + 32 + 5 + 64;

/// What a validator refused, and the vote of its proposer.
pub(crate) fn refused(vote: &Notarize, block: &Block) -> Evidence {
    Evidence::Refused {
        vote: vote.encode().to_vec(),
        block: block.bytes(),
    }
}

/// Two votes of one view.
pub(crate) fn equivocated(one: &Notarize, other: &Notarize) -> Evidence {
    let (one, other) = (one.encode().to_vec(), other.encode().to_vec());
    Evidence::Equivocated { one, other }
}

/// The place of a vote's view's leader among the participants.
pub(crate) fn leader(
    participants: &commonware_utils::ordered::Set<commonware_cryptography::ed25519::PublicKey>,
    vote: &Notarize,
) -> commonware_utils::Participant {
    let elector = RoundRobin::<commonware_cryptography::Sha256>::default();
    let elector: commonware_consensus::simplex::elector::RoundRobinElector<Scheme> =
        elector.build(participants);
    elector.elect(vote.proposal.round, ())
}

fn fault(vote: &Notarize, validator: PublicKey, rule: &'static str) -> Fault {
    Fault {
        validator,
        epoch: vote.proposal.round.epoch().get(),
        view: vote.proposal.round.view().get(),
        block: Hash(vote.proposal.payload.0),
        rule,
    }
}

/// A vote, with the validator whose signature it bears.
fn read_vote(
    bytes: &[u8],
    chain: &ChainId,
    committee: &Committee,
) -> Result<(Notarize, PublicKey), EvidenceError> {
    let vote = Notarize::decode(Copying(bytes)).map_err(|_| EvidenceError::Vote)?;
    if vote.encode() != bytes {
        return Err(EvidenceError::Vote);
    }
    let keys = committee.members().iter().map(|member| member.validator);
    let scheme = Scheme::verifier(&namespace(chain), participants(keys)?);
    if vote.proposal.round.epoch().get() != committee.epoch()
        || !vote.verify(&mut rng()?, &scheme, &Sequential)
    {
        return Err(EvidenceError::Signature);
    }
    let key = scheme.participants().key(vote.signer());
    let key = key.and_then(|key| key.as_ref().try_into().ok().map(PublicKey));
    Ok((vote, key.ok_or(EvidenceError::Signature)?))
}

/// A refusal that holds for everybody: not one of this voter's own clock.
pub(crate) fn is_provable(refusal: &Refusal) -> bool {
    !matches!(refusal, Refusal::Backdated { .. })
}
