//! What a Byzantine validator does.

use std::sync::{Arc, Mutex};

use chartseal_consensus::engine::{Builder, Honest};
use chartseal_ledger::{Overlay, Proposed, SignedTransaction, propose, tx_root};
use chartseal_wire::{Hash, PublicKey, Time};

/// What the first validators do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malice {
    None,
    /// It names another state than its block gives.
    ForgedRoot,
    /// It sends other transactions than its header names.
    OtherBody,
    /// Its blocks are earlier than their parents.
    Backwards,
    /// Its blocks are of the time of their parents.
    Late,
    /// Its blocks are ten minutes ahead of every clock.
    FromTheFuture,
    /// It leaves one actor's transactions out.
    Censor,
    /// It proposes again what is final.
    Replay,
    /// It proposes two valid blocks in one view, to one half of the validators each.
    TwoBlocks,
    /// It sends garbage on every channel.
    Flood,
    /// It sends on every channel as much as it can of what is valid.
    FloodValid,
    /// It lies to those that ask it for blocks, certificates and votes.
    LiesInSync,
    /// It is silent.
    Silent,
}

impl Malice {
    /// Honest runs are as frequent as five kinds of malice.
    pub const ALL: [Self; 17] = [
        Self::None,
        Self::None,
        Self::None,
        Self::None,
        Self::None,
        Self::ForgedRoot,
        Self::OtherBody,
        Self::Backwards,
        Self::Late,
        Self::FromTheFuture,
        Self::Censor,
        Self::Replay,
        Self::TwoBlocks,
        Self::Flood,
        Self::FloodValid,
        Self::LiesInSync,
        Self::Silent,
    ];

    /// What makes its proposals; whom it censors, if it does.
    pub fn builder(self, victim: PublicKey) -> Arc<dyn Builder> {
        match self {
            Self::None | Self::TwoBlocks | Self::FloodValid | Self::LiesInSync => Arc::new(Honest),
            malice => Arc::new(Liar {
                malice,
                victim,
                old: Mutex::default(),
            }),
        }
    }

    /// The rule by which honest validators refuse its blocks, if they do.
    pub fn rule(self) -> Option<&'static str> {
        match self {
            Self::ForgedRoot => Some("CS-LED-91"),
            Self::Backwards => Some("CS-LED-86"),
            Self::Replay => Some("CS-LED-08"),
            _ => None,
        }
    }
}

/// A dishonest proposer.
struct Liar {
    malice: Malice,
    /// Whom it censors.
    victim: PublicKey,
    /// What it has proposed, to propose it again.
    old: Mutex<Vec<SignedTransaction>>,
}

impl Builder for Liar {
    fn build(
        &self,
        parent: &Overlay,
        time: Time,
        candidates: &mut dyn Iterator<Item = SignedTransaction>,
    ) -> Proposed {
        let time = match self.malice {
            Malice::Late => parent.head().time.plus_ms(1),
            Malice::FromTheFuture => time.plus_ms(600_000),
            // Where the parent's time is ahead of all clocks, an honest leader would make the same header, with its body.
            Malice::OtherBody => time.max(parent.head().time).plus_ms(7),
            _ => time,
        };
        let candidates: Vec<_> = candidates
            .filter(|candidate| {
                let of_victim = candidate.parse().unwrap().actor_key == self.victim;
                self.malice != Malice::Censor || !of_victim
            })
            .collect();
        let mut proposed = propose(parent, time, candidates);
        let block = &mut proposed.block;
        match self.malice {
            Malice::ForgedRoot => block.header.state_root = Hash([0xbd; 32]),
            Malice::Backwards => {
                let before = parent.head().time.0.saturating_sub(1);
                block.header.time = Time(before);
            }
            Malice::OtherBody => {
                block.transactions.pop();
                if block.transactions.is_empty() {
                    block.header.tx_root = Hash([0xbd; 32]);
                }
            }
            Malice::Replay => {
                let mut old = self.old.lock().unwrap();
                if let Some(first) = old.first() {
                    block.transactions.push(first.clone());
                    block.header.tx_root = tx_root(&block.transactions);
                } else {
                    old.extend(block.transactions.iter().cloned());
                }
            }
            _ => {}
        }
        proposed
    }
}
