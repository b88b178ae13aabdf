//! What people do, and what custodians do for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use chartseal_codec::from_bytes;
use chartseal_consensus::PoolError;
use chartseal_consensus::engine::Outcome;
use chartseal_envelope::{
    CombineError, Content, Dealing, KemKeyPair, Release, Suite, accept, combine_all, deal_with_rng,
    open, release, seal_with_rng,
};
use chartseal_ledger::SignedTransaction;
use chartseal_ledger::body::{AccessRequested, CustodianSet, DirectiveIssued, Erased, RecordAdded};
use chartseal_ledger::{Label, Labels};
use chartseal_node::{DepositFault, Envelope, EnvelopeFront, NodeError, share_index};
use chartseal_policy::{Confidentiality, Grant, Grantee, Purpose, Revocation, Set, Symbol, Terms};
use chartseal_wire::history::Token;
use chartseal_wire::{Entry, Event, Hash, RecordId, Subject, TxId};
use commonware_runtime::deterministic;

use super::agreed::Kept as _;
use super::model::{Asked, Filed, Given, Moment};
use super::people::{Coins, DOCTORS, OFFICE_AT, PATIENT_AT, VALIDATORS, doctor, node_keys};
use super::world::World;
use crate::fixture::{PATIENT, START, digest, info_of, org};

/// Categories of records.
const LABELS: u8 = 3;
/// How many custodians open a record.
const T: usize = 3;
/// How long a custodian waits until its receipt is final, in ms.
const PATIENCE_MS: u64 = 20_000;
/// After how many blocks without a sign of it a destruction is attested again.
const AGAIN: u64 = 16;
/// What every record says.
const TEXT: &[u8] = b"HbA1c 6.1 %";

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
    /// The custodian waits for its receipts, until then at most.
    Receipts(Vec<TxId>, u64),
    /// The answer is on its way, until then.
    Answered(Vec<Release>, u64),
}

impl World {
    /// What people do of their own accord.
    pub(super) fn act(&mut self) {
        // Nobody has a chart before they are enrolled.
        if !self.people[OFFICE_AT].waiting.is_empty() {
            return;
        }
        match self.rng.range(0, 1_000) {
            0..=24 if self.model.filed.len() < 3 => self.file(),
            0..=1 => self.file(),
            25..=31 => self.grant(),
            32..=37 => self.revoke(),
            38 => self.erase(),
            39..=54 => self.request(),
            55..=140 => self.ask(),
            _ => {}
        }
    }

    fn file(&mut self) {
        if self.people[0].waiting.len() > 2 {
            return;
        }
        let label = u8::try_from(self.rng.range(0, LABELS.into())).unwrap();
        let mut id = [label; 16];
        id[8..].copy_from_slice(&self.rng.next().to_be_bytes());
        let info = info_of(self.genesis.committee(), id);
        let content = Content {
            media_type: "text/plain",
            attributes: &[],
            bytes: TEXT,
        };
        let mut coins = Coins(&mut self.rng);
        let author = &self.people[0].keys;
        let sealed = seal_with_rng(&info, &content, author, &mut coins).unwrap();
        let kem = (0..VALIDATORS).map(|at| node_keys(at).kem.public_key().clone());
        let kem: Vec<_> = kem.collect();
        let deals = deal_with_rng(&[&sealed.dealer], &kem, &mut coins).unwrap();
        let dealing = Dealing::initial(&sealed.header);
        let leaked = self.liar.map(|at| {
            let index = deals[at].index();
            accept(&node_keys(at).kem, index, &dealing, &deals[at]).unwrap()
        });
        let anchor = RecordAdded {
            record: RecordId(id),
            patient: PATIENT,
            version: 1,
            header: digest(&sealed.header),
            supersedes: None,
            body: sealed.seal.body_digest().0,
            length: sealed.seal.body_len(),
            confidentiality: Confidentiality::N,
            labels: Labels::new([Label([label; 16]); Labels::COUNT]),
            encounter: None,
            authored: START,
            release_at: None,
            custodians: CustodianSet {
                epoch: 0,
                t: 3,
                n: 4,
            },
            fingerprint: sealed.seal.body_digest().0,
        };
        let tx = self.people[0].sends(self.genesis.chain_id(), anchor);
        let filed = Filed {
            dealing,
            label,
            tx,
            erased_by: None,
            sealed: Envelope {
                front: EnvelopeFront {
                    header: sealed.header,
                    seal: sealed.seal,
                },
                body: sealed.body,
            },
            deals,
            sent: [0; VALIDATORS],
            leaked,
        };
        self.model.filed.insert(RecordId(id), filed);
    }

    fn grant(&mut self) {
        if self.people[PATIENT_AT].waiting.len() > 2 {
            return;
        }
        let to = usize::try_from(self.rng.range(0, DOCTORS as u64)).unwrap();
        let mut labels: BTreeSet<u8> = (0..LABELS).collect();
        labels.retain(|_| !self.rng.one_in(4));
        let until = self.now + self.rng.range(20_000, 300_000);
        if !labels.is_empty() {
            self.give(to, labels, until);
        }
    }

    fn give(&mut self, to: usize, labels: BTreeSet<u8>, until: u64) {
        let symbols = labels
            .iter()
            .map(|label| Symbol::new([*label; 16]).unwrap());
        let grantee = Grantee::actor(doctor(to).0).unwrap();
        let mut grant = Grant::to(grantee, Purpose::Treat);
        grant.scope.tags = Some(Set::new(symbols).unwrap());
        grant.window.until = Some(chartseal_policy::Time(until));
        let tx = self.direct(Terms::Grant(grant));
        self.model.grants.push(Given {
            doctor: to,
            labels,
            until,
            tx,
            revoked_by: None,
        });
    }

    fn direct(&mut self, terms: Terms) -> TxId {
        let body = DirectiveIssued {
            patient: PATIENT,
            terms,
            sealed: None,
        };
        self.people[PATIENT_AT].sends(self.genesis.chain_id(), body)
    }

    /// The patient revokes a grant.
    fn revoke(&mut self) {
        let height = self.model.height;
        let grants = self.model.grants.iter().enumerate();
        let live = grants.filter(|(_, grant)| {
            grant.revoked_by.is_none() && self.model.is_final(Some(grant.tx), height)
        });
        let live: Vec<usize> = live.map(|(at, _)| at).collect();
        if !live.is_empty() && self.people[PATIENT_AT].waiting.len() <= 2 {
            let at = *self.rng.choose(&live);
            self.revoke_grant(at);
        }
    }

    /// The patient revokes everything of a doctor whom a custodian gave something that hears of nothing any more.
    pub(super) fn revoke_behind(&mut self, alone: usize) {
        let mut asked = self.model.asked.iter().rev();
        let served = asked.find(|asked| asked.releases.contains_key(&alone));
        let Some(to) = served.map(|asked| asked.doctor) else {
            return;
        };
        for at in 0..self.model.grants.len() {
            let grant = &self.model.grants[at];
            if grant.doctor == to && grant.revoked_by.is_none() {
                self.revoke_grant(at);
            }
        }
        let served = |at: &usize| self.model.asked[*at].releases.contains_key(&alone);
        self.revoked.retain(served);
    }

    /// Its doctor asks for the newest requests again and again.
    fn revoke_grant(&mut self, at: usize) {
        let target = Symbol::new(self.model.grants[at].tx).unwrap();
        let tx = self.direct(Terms::Revoke(Revocation { target }));
        let grant = &mut self.model.grants[at];
        grant.revoked_by = Some(tx);
        let to = grant.doctor;
        let theirs = self.model.asked.iter().enumerate().rev();
        let theirs = theirs.filter(|(_, asked)| asked.doctor == to);
        self.revoked = theirs.map(|(at, _)| at).take(5).collect();
    }

    fn erase(&mut self) {
        let height = self.model.height;
        let filed = self.model.filed.iter();
        let live = filed.filter(|(_, filed)| {
            filed.erased_by.is_none() && self.model.is_final(Some(filed.tx), height)
        });
        let live: Vec<RecordId> = live.map(|(record, _)| *record).collect();
        if live.len() < 3 || self.people[PATIENT_AT].waiting.len() > 2 {
            return;
        }
        let record = *self.rng.choose(&live);
        let tx = self.people[PATIENT_AT].sends(self.genesis.chain_id(), Erased { record });
        self.model.filed.get_mut(&record).unwrap().erased_by = Some(tx);
    }

    fn request(&mut self) {
        let by = usize::try_from(self.rng.range(0, DOCTORS as u64)).unwrap();
        let mut records: Vec<RecordId> = self.model.filed.keys().copied().collect();
        while records.len() > usize::try_from(self.rng.range(1, 4)).unwrap() {
            let at = self.rng.range(0, records.len() as u64);
            records.swap_remove(usize::try_from(at).unwrap());
        }
        if records.is_empty() || self.people[by].waiting.len() > 2 {
            return;
        }
        self.request_of(by, records);
        // A revocation races it.
        let grants = self.model.grants.iter();
        let mut live = grants.map(|grant| grant.doctor == by && grant.revoked_by.is_none());
        if self.rng.one_in(6)
            && let Some(at) = live.position(|is_live| is_live)
        {
            self.revoke_grant(at);
        }
    }

    fn request_of(&mut self, by: usize, records: Vec<RecordId>) -> usize {
        let reader = KemKeyPair::generate_with_rng(Suite::XWing, &mut Coins(&mut self.rng));
        let body = AccessRequested {
            patient: PATIENT,
            records: records.clone(),
            action: Token::new("read").unwrap(),
            purpose: Token::new("TREAT").unwrap(),
            reason_code: Token::new("visit").unwrap(),
            reason: Hash([1; 32]),
            reader: reader.key_id().0,
        };
        let tx = self.people[by].sends(self.genesis.chain_id(), body);
        self.tally.requests += 1;
        self.model.asked.push(Asked {
            doctor: by,
            tx,
            reader,
            records,
            is_decided: false,
            releases: BTreeMap::new(),
            keys: BTreeMap::new(),
            read: BTreeSet::new(),
        });
        self.model.asked.len() - 1
    }

    /// Some reader asks some custodians, for a request of lately, of long ago, or one that is revoked.
    fn ask(&mut self) {
        let newest = self.model.asked.len() as u64;
        if newest == 0 {
            return;
        }
        let which = match self.rng.range(0, 10) {
            0..=3 if !self.revoked.is_empty() => *self.rng.choose(&self.revoked),
            0..=8 => usize::try_from(self.rng.range(newest.saturating_sub(3), newest)).unwrap(),
            _ => usize::try_from(self.rng.range(0, newest)).unwrap(),
        };
        for at in 0..VALIDATORS {
            if self.rng.one_in(3) {
                continue;
            }
            self.ask_of(which, at);
        }
        // Who is alone may not know of a revocation.
        if let Some((alone, _)) = self.alone.filter(|_| !self.revoked.is_empty()) {
            let which = *self.rng.choose(&self.revoked);
            self.ask_of(which, alone);
        }
        self.fetch(which);
    }

    fn ask_of(&mut self, which: usize, at: usize) {
        let arrives = self.now + self.rng.range(1, 300);
        if self.liar == Some(at) {
            let given = self.leak(which);
            let stage = Stage::Answered(vec![given], arrives);
            self.asks.push(Ask {
                which,
                at,
                start: None,
                stage,
            });
        } else if let Some(up) = &self.up[at] {
            let start = Some(up.start);
            let stage = Stage::Sent(arrives);
            self.asks.push(Ask {
                which,
                at,
                start,
                stage,
            });
        }
    }

    /// What the custodian gives that gives its shares to anybody.
    fn leak(&self, which: usize) -> Release {
        let asked = &self.model.asked[which];
        let of_it = asked.records.iter();
        let of_it = of_it.filter_map(|record| self.model.filed[record].leaked.as_ref());
        let held: Vec<_> = of_it.collect();
        release(&held, asked.id(), asked.reader.public_key()).unwrap()
    }

    /// What was asked goes on.
    pub(super) fn answer(&mut self) {
        for ask in std::mem::take(&mut self.asks) {
            let Ask {
                which,
                at,
                start,
                stage,
            } = ask;
            let runs = self.up[at].as_ref().map(|up| up.start);
            let (by, is_there) = (self.model.asked[which].doctor, start == runs);
            let is_cut = self.unreachable[by][at];
            let next = match stage {
                Stage::Answered(releases, arrives) if self.now < arrives => {
                    Some(Stage::Answered(releases, arrives))
                }
                Stage::Answered(releases, _) => {
                    // Answers are lost.
                    if !is_cut && !self.rng.one_in(7) {
                        for release in releases {
                            self.model.asked[which].releases.insert(at, release);
                        }
                        self.combine(which);
                    }
                    None
                }
                _ if !is_there => None,
                Stage::Sent(arrives) if self.now < arrives => Some(Stage::Sent(arrives)),
                Stage::Sent(_) if is_cut => None,
                Stage::Sent(_) => self.decide(which, at),
                Stage::Receipts(open, until) => {
                    let handle = &self.up[at].as_ref().unwrap().handle;
                    let waits = |tx: &TxId| matches!(handle.outcome(tx), Outcome::Waiting);
                    if self.now < until && open.iter().any(waits) {
                        Some(Stage::Receipts(open, until))
                    } else {
                        self.release(which, at)
                    }
                }
            };
            if let Some(stage) = next {
                self.asks.push(Ask {
                    which,
                    at,
                    start,
                    stage,
                });
            }
        }
    }

    /// A custodian decides, and files its receipts: what `POST /v1/releases` does first.
    fn decide(&mut self, which: usize, at: usize) -> Option<Stage> {
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
        let receipts = up.process.ask(|node| node.receipts(&tx, key)).unwrap();
        let receipts = match receipts {
            Ok(receipts) => receipts,
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
        Some(Stage::Receipts(ids, self.now + PATIENCE_MS))
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
        Some(Stage::Answered(releases, arrives))
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

    fn moment(&self, at: usize) -> Moment {
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

    /// Combines what a reader has. What opens has a final permit, and the receipts of those who gave its shares.
    fn combine(&mut self, which: usize) {
        let asked = &self.model.asked[which];
        if asked.keys.len() == asked.records.len() {
            return;
        }
        let releases: Vec<Release> = asked.releases.values().cloned().collect();
        // All of a request at once: items of a release open in their order.
        let dealings = asked
            .records
            .iter()
            .map(|record| &self.model.filed[record].dealing);
        let dealings: Vec<&Dealing> = dealings.collect();
        let combined = combine_all(&asked.reader, asked.id(), &dealings, &releases);
        let mut keys = Vec::new();
        for (record, combined) in asked.records.iter().zip(combined) {
            match combined {
                Ok(_) if asked.keys.contains_key(record) => {}
                Ok(combined) => keys.push((*record, combined.key)),
                Err(CombineError::NotEnough(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        for (record, key) in keys {
            let asked = &self.model.asked[which];
            let request = self.newest.state().request(&asked.tx);
            let request = request.unwrap_or_else(|| panic!("a key without a request"));
            assert!(request.permit(&record).is_some(), "a key without a permit");
            assert_eq!(request.actor, doctor(asked.doctor));
            let receipts = self.model.receipts_for(which, &record);
            let silent = usize::from(self.liar.is_some());
            assert!(receipts >= T - silent, "{receipts} receipts");
            self.tally.opened += 1;
            self.model.asked[which].keys.insert(record, key);
        }
    }

    /// A reader with keys fetches ciphertexts, wherever there is one.
    fn fetch(&mut self, which: usize) {
        let asked = &self.model.asked[which];
        let mut read = Vec::new();
        for (record, key) in asked.keys.iter().filter(|(it, _)| !asked.read.contains(it)) {
            for at in 0..VALIDATORS {
                let up = self.up[at].as_ref().filter(|_| self.liar != Some(at));
                let up = up.filter(|_| !self.unreachable[asked.doctor][at]);
                let envelope = up.and_then(|up| {
                    let asked = up.process.ask(|node| node.envelope(&asked.tx, record));
                    asked.unwrap().ok()
                });
                let Some(Envelope { front, body }) = envelope else {
                    continue;
                };
                self.model.check_given(which, record, self.moment(at));
                let author = self.people[0].keys.verifying_key();
                let opened = open(&front.header, &body, &front.seal, &author, key).unwrap();
                assert_eq!(opened.content(), TEXT);
                read.push(*record);
                break;
            }
        }
        self.tally.read += read.len();
        self.model.asked[which].read.extend(read);
    }

    /// Everybody hands in what they wait for, here and there, until somebody says that it is final.
    pub(super) fn hand_in(&mut self) {
        for who in 0..self.people.len() {
            let Some(open) = self.people[who].waiting.front().cloned() else {
                continue;
            };
            let id = open.id();
            let asked = self.people[who].asked;
            if let Some((at, until)) = asked {
                let up = self.up[at].as_ref().filter(|_| !self.unreachable[who][at]);
                let place = up.and_then(|up| up.process.place(&id));
                if let Some(height) = place {
                    self.agreed.acknowledged.insert((id, height));
                    self.people[who].settled();
                    continue;
                }
                if self.now < until {
                    continue;
                }
            }
            let honest: Vec<usize> = self.plan.honest().collect();
            let at = *self.rng.choose(&honest);
            let patience = self.rng.range(100, 3_000);
            self.people[who].asked = Some((at, self.now + patience));
            let up = self.up[at].as_ref().filter(|_| !self.unreachable[who][at]);
            let submitted = up.map(|up| up.handle.submit(open));
            if let Some(Err(PoolError::Refused(_))) = submitted {
                self.people[who].refusals += 1;
            }
            // It may depend on what this node does not know yet.
            assert!(self.people[who].refusals <= 40, "{who} is refused");
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

    /// What is not done yet, once everything healed.
    pub(super) fn open(&self) -> Vec<String> {
        let people = self.people.iter().enumerate();
        let people = people.filter(|(_, person)| !person.waiting.is_empty());
        let mut open: Vec<String> = people.map(|(who, _)| format!("person {who}")).collect();
        let (state, height) = (self.newest.state(), self.model.height);
        for (record, filed) in &self.model.filed {
            let deposit = state.deposit(&digest(&filed.sealed.front.header));
            let is_filed = self.model.is_final(Some(filed.tx), height);
            let is_erased = self.model.is_final(filed.erased_by, height);
            for at in self.plan.honest().filter(|_| is_filed) {
                let index = share_index(state, &org(at), 0).unwrap().get().into();
                let has_it = deposit
                    .as_ref()
                    .is_some_and(|it| it.is_acknowledged_by(index));
                if is_erased && !state.has_destroyed(record, &org(at)) {
                    open.push(format!("{record} is not destroyed by {at}"));
                } else if !is_erased && !has_it {
                    open.push(format!("{record} is not acknowledged by {at}"));
                }
            }
        }
        open
    }

    /// After everything healed somebody is granted what there is, and reads it.
    pub(super) async fn visit_at_last(&mut self, context: &deterministic::Context) {
        let height = self.model.height;
        let filed = self.model.filed.iter();
        let live = filed.filter(|(_, filed)| {
            filed.erased_by.is_none() && self.model.is_final(Some(filed.tx), height)
        });
        let live: Vec<RecordId> = live.map(|(record, _)| *record).take(3).collect();
        if live.is_empty() {
            return;
        }
        self.give(1, (0..LABELS).collect(), self.now + 600_000);
        while !self.people[PATIENT_AT].waiting.is_empty() {
            self.step(context).await;
        }
        // Who decides is not necessarily who said that it is final.
        let which = self.request_of(1, live.clone());
        let (since, mut again) = (self.now, self.now);
        while self.model.asked[which].read.len() < live.len() {
            self.step(context).await;
            if again <= self.now {
                (0..VALIDATORS).for_each(|at| self.ask_of(which, at));
                self.fetch(which);
                again = self.now + 1_000;
            }
            let asked = &self.model.asked[which];
            assert!(
                self.now < since + 30_000,
                "{live:?} are not all read: keys of {:?}; ciphertexts of {:?}; shares of {:?}",
                asked.keys.keys(),
                asked.read,
                asked.releases.keys(),
            );
        }
    }

    /// Every record that a reader has a key of is in the patient's history, with those who gave it; nothing is left of what
    /// was erased.
    pub(super) fn check_history(&self) {
        for up in self.honest() {
            let entries = up.process.ask(|node| {
                let erased = self.model.filed.iter().filter(|(_, filed)| {
                    self.model.is_final(filed.erased_by, node.head().height())
                });
                for (record, _) in erased {
                    assert!(!node.holds_anything_of(record).unwrap(), "{record} is kept");
                }
                node.history(&Subject::Patient(PATIENT), 0).unwrap()
            });
            let entries = entries.unwrap();
            let entries: Vec<Entry> = entries.iter().map(|it| from_bytes(it).unwrap()).collect();
            for asked in &self.model.asked {
                for record in asked.keys.keys() {
                    let permitted = entries.iter().any(|entry| {
                        entry.tx == asked.tx
                            && matches!(&entry.event, Event::Access(access)
                                if access.records.iter().any(|one| one.record == *record))
                    });
                    let receipts = entries.iter().filter(|entry| {
                        matches!(&entry.event, Event::Released(released)
                            if released.request == asked.tx && released.records.contains(record))
                    });
                    let silent = usize::from(self.liar.is_some());
                    assert!(permitted && receipts.count() >= T - silent);
                }
            }
        }
    }
}
