//! What custodians do for those who ask, and by themselves.

use std::sync::atomic::Ordering;

use chartseal_consensus::engine::{Handle, Outcome};
use chartseal_envelope::{HeldShare, KemKeyPair, Release, Suite};
use chartseal_ledger::{Overlay, SignedTransaction};
use chartseal_node::{DepositFault, NodeError, share_index};
use chartseal_wire::TxId;

use super::agreed::Kept as _;
use super::model::Moment;
use super::people::{Coins, VALIDATORS};
use super::world::World;
use crate::fixture::{digest, org};
use crate::lies::Lie;

/// How long a custodian waits until its receipt is final, in ms.
const PATIENCE_MS: u64 = 20_000;
/// After how many blocks without a sign of it a destruction is attested again.
const AGAIN: u64 = 16;

/// A reader asks a custodian.
pub(super) struct Ask {
    which: usize,
    at: usize,
    /// The custodian's process. Whatever one was asked ends with it.
    start: Option<u64>,
    stage: Stage,
}

enum Stage {
    /// On its way, until then.
    Sent(u64),
    /// It was told before the request is final, and waits for a state that has it, until then at most.
    Expected(u64),
    /// It waits for receipts of a state that may never come, and for the request to be final, until then at most.
    Ahead(Vec<TxId>, u64),
    /// It waits for its receipts, until then at most.
    Receipts(Vec<TxId>, u64),
    /// The answer is on its way, until then; and what is wrong with it.
    Answered(Vec<Release>, Lie, u64),
}

/// Whether some of these transactions wait for a block.
fn some_wait(handle: &Handle, open: &[TxId]) -> bool {
    open.iter()
        .any(|tx| matches!(handle.outcome(tx), Outcome::Waiting))
}

impl World {
    pub(super) fn ask_of(&mut self, which: usize, at: usize) {
        let arrives = self.now + self.rng.range(1, 300);
        let (start, stage) = if self.liar == Some(at) {
            let (release, lie) = self.leak(which);
            (None, Stage::Answered(vec![release], lie, arrives))
        } else if let Some(up) = &self.up[at] {
            (Some(up.start), Stage::Sent(arrives))
        } else {
            return;
        };
        self.asks.push(Ask {
            which,
            at,
            start,
            stage,
        });
    }

    /// What the custodian gives that gives its shares to anybody, or others.
    fn leak(&mut self, which: usize) -> (Release, Lie) {
        let lie = Lie::of(self.lies.next());
        let asked = &self.model.asked[which];
        let of = |record| self.model.filed[record].leaked.as_ref();
        let held: Vec<&HeldShare> = asked.records.iter().filter_map(of).collect();
        let others = self.model.filed.keys();
        let others = others.filter(|it| !asked.records.contains(it));
        let others: Vec<&HeldShare> = others.filter_map(of).collect();
        let coins = &mut Coins(&mut self.lies);
        lie.give(&held, &others, asked.id(), asked.reader.public_key(), coins)
    }

    /// What was asked goes on.
    pub(super) fn answer(&mut self) {
        for Ask {
            which,
            at,
            start,
            stage,
        } in std::mem::take(&mut self.asks)
        {
            if let Some(stage) = self.goes_on(which, at, start, stage) {
                self.asks.push(Ask {
                    which,
                    at,
                    start,
                    stage,
                });
            }
        }
    }

    fn goes_on(
        &mut self,
        which: usize,
        at: usize,
        start: Option<u64>,
        stage: Stage,
    ) -> Option<Stage> {
        let is_cut = self.unreachable[self.model.asked[which].doctor][at];
        let up = self.up[at].as_ref().filter(|up| Some(up.start) == start);
        match stage {
            Stage::Answered(releases, lie, arrives) if self.now < arrives => {
                Some(Stage::Answered(releases, lie, arrives))
            }
            Stage::Answered(releases, lie, _) => {
                // Answers are lost.
                if !is_cut && !self.rng.one_in(7) {
                    for release in releases {
                        let given = (release, lie);
                        self.model.asked[which].releases.insert(at, given);
                    }
                    self.combine(which);
                }
                None
            }
            Stage::Sent(arrives) if self.now < arrives => up.map(|_| Stage::Sent(arrives)),
            Stage::Sent(_) if is_cut || up.is_none() => None,
            Stage::Sent(_) if self.rng.one_in(2) => {
                let until = self.now + PATIENCE_MS;
                self.goes_on(which, at, start, Stage::Expected(until))
            }
            Stage::Sent(_) => self.decide(which, at, None),
            Stage::Expected(until) => {
                let tx = self.model.asked[which].tx;
                let ahead = up?.handle.foreseen(|it| it.request(&tx).is_some());
                match ahead {
                    Some(ahead) => {
                        self.tally.ahead += usize::from(!self.is_final_at(at, &tx));
                        self.decide(which, at, Some(&ahead))
                    }
                    None if self.now < until => Some(Stage::Expected(until)),
                    None => None,
                }
            }
            Stage::Ahead(open, until) => {
                let is_waiting = some_wait(&up?.handle, &open);
                let tx = &self.model.asked[which].tx;
                if self.now < until && (is_waiting || !self.is_final_at(at, tx)) {
                    return Some(Stage::Ahead(open, until));
                }
                self.decide(which, at, None)
            }
            Stage::Receipts(open, until) => {
                if self.now < until && some_wait(&up?.handle, &open) {
                    return Some(Stage::Receipts(open, until));
                }
                self.release(which, at)
            }
        }
    }

    fn is_final_at(&self, at: usize, tx: &TxId) -> bool {
        let process = &self.up[at].as_ref().unwrap().process;
        let known = process.ask(|node| node.state().request(tx).is_some());
        known.unwrap()
    }

    /// A custodian decides by a state that may come, or by its newest one, and files its receipts: what `POST /v1/releases`
    /// does first.
    fn decide(&mut self, which: usize, at: usize, ahead: Option<&Overlay>) -> Option<Stage> {
        let asked = &self.model.asked[which];
        let (tx, key) = (asked.tx, asked.reader.public_key());
        let up = self.up[at].as_ref().unwrap();
        if self.rng.one_in(10) {
            let stranger = KemKeyPair::generate_with_rng(Suite::XWing, &mut Coins(&mut self.rng));
            let given = up
                .process
                .ask(|node| node.release(&tx, stranger.public_key()));
            assert!(given.unwrap().is_err(), "to a stranger");
        }
        let receipts = up.process.ask(|node| {
            let state = ahead.unwrap_or_else(|| node.head()).clone();
            node.receipts_at(&state, &tx, key)
        });
        let receipts = match receipts.unwrap() {
            Ok(receipts) => receipts,
            // Another state may permit what this one does not.
            Err(_) if ahead.is_some() => Vec::new(),
            Err(error) => return self.refused(&error),
        };
        let ids: Vec<TxId> = receipts.iter().map(SignedTransaction::id).collect();
        for receipt in receipts {
            // Receipts get lost, and the pool may refuse one: without it nothing is given.
            if !self.rng.one_in(12) {
                let _ = up.handle.submit(receipt);
            }
        }
        if self.kills_the_next && !ids.is_empty() {
            self.kills_the_next = false;
            self.tally.crashes += 1;
            self.stop(at);
            return None;
        }
        let until = self.now + PATIENCE_MS;
        Some(if ahead.is_some() {
            Stage::Ahead(ids, until)
        } else {
            Stage::Receipts(ids, until)
        })
    }

    /// What it does then.
    fn release(&mut self, which: usize, at: usize) -> Option<Stage> {
        let asked = &self.model.asked[which];
        let (tx, key) = (asked.tx, asked.reader.public_key());
        let process = &self.up[at].as_ref().unwrap().process;
        let given = process.ask(|node| node.release(&tx, key)).unwrap();
        let releases = match given {
            Ok(releases) => releases,
            Err(error) => return self.refused(&error),
        };
        let moment = self.moment(at);
        for item in releases.iter().flat_map(Release::items) {
            let record = self.model.record_of(item.header.0);
            self.model.check_receipt(which, &record, moment);
            let is_late = self.model.check_given(which, &record, moment);
            self.tally.late += usize::from(is_late);
            self.tally.released += 1;
        }
        let arrives = self.now + self.rng.range(1, 300);
        Some(Stage::Answered(releases, Lie::No, arrives))
    }

    fn refused(&mut self, error: &NodeError) -> Option<Stage> {
        assert!(
            matches!(
                error,
                NodeError::NotReleasable { .. } | NodeError::NoReceipt(_) | NodeError::NoShare(_)
            ),
            "{error}"
        );
        self.tally.refused += 1;
        None
    }

    pub(super) fn moment(&self, at: usize) -> Moment {
        let process = &self.up[at].as_ref().unwrap().process;
        let head = process.ask(|node| (node.head().height(), node.head().head().time.0));
        let (height, time) = head.unwrap();
        let clock = self.clocks[at].load(Ordering::SeqCst);
        Moment {
            at,
            height,
            own: clock.max(time),
            now: self.now,
        }
    }

    /// The author sends custodians what these have not acknowledged on the chain.
    pub(super) fn deposit(&mut self) {
        let (state, height) = (self.newest.state(), self.model.height);
        for filed in self.model.filed.values_mut() {
            let is_there = |tx: Option<TxId>| {
                let place = tx.and_then(|tx| self.model.places.get(&tx));
                place.is_some_and(|place| place.height <= height)
            };
            if !is_there(Some(filed.tx)) || is_there(filed.erased_by) {
                continue;
            }
            let header = digest(&filed.sealed.front.header);
            let deposit = state.deposit(&header);
            for at in 0..VALIDATORS {
                let index = share_index(state, &org(at), 0).unwrap().get().into();
                let is_done = deposit
                    .as_ref()
                    .is_some_and(|it| it.is_acknowledged_by(index));
                if is_done || self.now < filed.sent[at] + 3_000 || self.unreachable[0][at] {
                    continue;
                }
                let Some(up) = &self.up[at] else {
                    continue;
                };
                filed.sent[at] = self.now;
                let (sealed, deal) = (std::slice::from_ref(&filed.sealed), &filed.deals[at]);
                let taken = up.process.ask(|node| node.deposit(sealed, deal));
                let taken = taken.unwrap().unwrap();
                for (record, why) in taken.refused {
                    let is_behind = matches!(why, DepositFault::NotAnchored | DepositFault::Erased);
                    assert!(is_behind, "{record}: {why}");
                }
                for acknowledgement in taken.acknowledgements {
                    let _ = up.handle.submit(acknowledgement);
                }
            }
        }
    }

    /// Custodians destroy what is erased in their chain when they have another block, and attest it until that is final.
    pub(super) fn destroy(&mut self) {
        for at in 0..VALIDATORS {
            let Some(up) = &self.up[at] else {
                continue;
            };
            let height = up.process.height();
            if self.looked[at] == (up.start, height) {
                continue;
            }
            self.looked[at] = (up.start, height);
            for record in self.model.filed.keys() {
                let last = self.attested.get(&(at, *record)).copied();
                let attestation = up.process.ask(|node| {
                    let state = node.state();
                    let is_erased = state.record(record).is_some_and(|it| it.erased);
                    let is_attested = state.has_destroyed(record, &org(at));
                    let is_due = !is_attested && last.is_none_or(|last| height >= last + AGAIN);
                    let is_due = is_due || is_erased && node.holds_anything_of(record).unwrap();
                    (is_erased && is_due).then(|| node.destroy(record).unwrap())
                });
                if let Some(attestation) = attestation.unwrap() {
                    let _ = up.handle.submit(attestation);
                    self.attested.insert((at, *record), height);
                }
            }
        }
    }
}
