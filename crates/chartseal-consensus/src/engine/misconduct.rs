//! What others do that no honest validator does, as far as it can be shown. However much they do, little is kept of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chartseal_ledger::{Block, SignedTransaction};
use chartseal_wire::{Hash, PublicKey};
use commonware_consensus::{Epochable as _, Viewable as _};

use super::Notarize;
use crate::evidence::{EQUIVOCATION, Evidence, equivocated, is_provable, refused};
use crate::refusal::Refusal;

/// How many refused blocks, and how many leaders' votes, wait for each other.
const MAX_PROPOSALS: usize = 256;
/// The most bytes of refused blocks that wait.
const MAX_REFUSED_BYTES: usize = 16 << 20;
/// How many pieces of evidence are kept, and the most bytes of all but the newest.
const MAX_EVIDENCE: usize = 256;
const MAX_EVIDENCE_BYTES: usize = 64 << 20;

/// Others' misconduct in the present epoch, and evidence of all that was seen since the start.
#[derive(Default)]
pub(crate) struct Misconduct {
    /// Blocks that this validator refused, by the view and their leaf hash, until their proposers' votes come.
    refused: BTreeMap<(u64, Hash), Refused>,
    refused_bytes: usize,
    /// Votes of leaders for their own proposals, which mostly come before the proposals are judged.
    votes: BTreeMap<(u64, Hash), Vote>,
    /// One piece for each validator, epoch and rule, so that who lies most does not hide who lies once.
    evidence: VecDeque<(Accusation, Arc<Evidence>)>,
    evidence_bytes: usize,
}

/// Whom evidence accuses, in which epoch, and of what.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Accusation {
    validator: PublicKey,
    epoch: u64,
    rule: &'static str,
}

/// A refused block.
struct Refused {
    block: Arc<Block>,
    refusal: Refusal,
}

/// A verified vote, and whose it is.
#[derive(Clone)]
struct Vote {
    by: PublicKey,
    vote: Notarize,
}

impl Misconduct {
    /// Views are counted anew in each epoch. Evidence stays.
    pub(crate) fn begin_epoch(&mut self) {
        self.refused.clear();
        self.refused_bytes = 0;
        self.votes.clear();
    }

    /// Notes a block that this validator votes against.
    pub(crate) fn refuse(&mut self, view: u64, block: Arc<Block>, refusal: Refusal) {
        // Refused for what only holds here: nobody else has to believe it.
        if !is_provable(&refusal) {
            return;
        }
        let key = (view, block.header.leaf());
        self.refused_bytes += bytes(&block);
        if let Some(known) = self.refused.insert(key, Refused { block, refusal }) {
            self.refused_bytes -= bytes(&known.block);
        }
        self.match_up(key);
        while self.refused.len() > MAX_PROPOSALS || self.refused_bytes > MAX_REFUSED_BYTES {
            let Some((_, oldest)) = self.refused.pop_first() else {
                return;
            };
            self.refused_bytes -= bytes(&oldest.block);
        }
    }

    /// Notes a leader's verified vote for its own proposal.
    pub(crate) fn proposed(&mut self, by: PublicKey, vote: Notarize) {
        let (view, leaf) = (vote.view().get(), Hash(vote.proposal.payload.0));
        let rivals = self
            .votes
            .range((view, Hash::ZERO)..=(view, Hash([0xff; 32])));
        let is_twin = |rival: &Vote| rival.vote.proposal.round == vote.proposal.round;
        let rival = rivals.map(|(_, rival)| rival).find(|rival| is_twin(rival));
        if let Some(rival) = rival.map(|rival| rival.vote.clone()) {
            self.twice(by, &rival, &vote);
        }
        self.votes.insert((view, leaf), Vote { by, vote });
        self.match_up((view, leaf));
        while self.votes.len() > MAX_PROPOSALS {
            self.votes.pop_first();
        }
    }

    /// Notes two verified votes of one validator: evidence, if they are for different proposals of one view.
    pub(crate) fn twice(&mut self, by: PublicKey, one: &Notarize, other: &Notarize) {
        // Views count anew in each epoch, and a vote of the one before may come after its end.
        if one.proposal.round == other.proposal.round && one.proposal != other.proposal {
            let of = accusation(by, one, EQUIVOCATION);
            self.accuse(of, || equivocated(one, other));
        }
    }

    /// The evidence, oldest first.
    pub(crate) fn evidence(&self) -> impl ExactSizeIterator<Item = &Arc<Evidence>> {
        self.evidence.iter().map(|(_, evidence)| evidence)
    }

    /// About how many bytes all of it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.refused_bytes + self.evidence_bytes
    }

    /// A refused block and its proposer's vote for it are evidence.
    fn match_up(&mut self, key: (u64, Hash)) {
        let Some(Vote { by, vote }) = self.votes.get(&key).cloned() else {
            return;
        };
        let Some(known) = self.refused.remove(&key) else {
            return;
        };
        self.refused_bytes -= bytes(&known.block);
        let of = accusation(by, &vote, known.refusal.rule());
        self.accuse(of, || refused(&vote, &known.block));
    }

    /// Keeps evidence, if there is none of that; the oldest makes room.
    fn accuse(&mut self, of: Accusation, evidence: impl FnOnce() -> Evidence) {
        if self.evidence.iter().any(|(known, _)| *known == of) {
            return;
        }
        tracing::warn!(
            validator = %of.validator,
            epoch = of.epoch,
            rule = of.rule,
            "a validator broke the protocol, and evidence of it is kept"
        );
        let evidence = Arc::new(evidence());
        self.evidence_bytes += evidence.len();
        self.evidence.push_back((of, evidence));
        while self.evidence.len() > MAX_EVIDENCE
            || (self.evidence_bytes > MAX_EVIDENCE_BYTES && self.evidence.len() > 1)
        {
            let Some((_, oldest)) = self.evidence.pop_front() else {
                return;
            };
            self.evidence_bytes -= oldest.len();
        }
    }
}

fn accusation(validator: PublicKey, vote: &Notarize, rule: &'static str) -> Accusation {
    Accusation {
        validator,
        epoch: vote.epoch().get(),
        rule,
    }
}

/// About what a block takes in memory.
fn bytes(block: &Block) -> usize {
    let of = |transaction: &SignedTransaction| transaction.bytes.len() + 128;
    1_024 + block.transactions.iter().map(of).sum::<usize>()
}
