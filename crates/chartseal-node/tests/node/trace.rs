//! No read without a trace: simulated visits with faults, each world from one printed number.
//!
//! Four custodians with disks of their own apply final blocks, each at its own pace and by its own clock. They crash and
//! start again, are cut off, and lose what they send; one of them may give its shares to anybody. Readers ask again and
//! again, with the right and the wrong key, while the patient grants, revokes and erases. Whatever a custodian
//! releases and whatever a reader combines is held against a plain model of who may read what, and against the chain.
//!
//! Blocks are taken as final here, so that many worlds are cheap; `network` has validators make them final on links that
//! fail. `CHARTSEAL_LONG=N` runs so many worlds.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_codec::from_bytes;
use chartseal_consensus::Replica as _;
use chartseal_envelope::{
    CombineError, Deal, Dealing, HeldShare, KemKeyPair, Release, SigningKeyPair, accept,
    combine_all, deal, release,
};
use chartseal_ledger::body::{DirectiveIssued, Erased};
use chartseal_ledger::{
    Block, Body, Genesis, Overlay, SignedTransaction, TRANSACTION_VERSION, Transaction, execute,
    propose,
};
use chartseal_node::keys::{public, sign};
use chartseal_node::{Clock, Envelope, MAX_LAG_MS, Node, NodeError, NodeKeys, Stores};
use chartseal_policy::{Grant, Grantee, Purpose, Revocation, Set, Symbol, Terms};
use chartseal_wire::{ActorId, Entry, RecordId, Subject, Time, TxId};
use tempfile::TempDir;

use crate::fixture::*;

/// Worlds in an ordinary run, and steps of each.
const WORLDS: u64 = 80;
const STEPS: usize = 260;
/// How far clocks are from the true time at most, in ms.
const SKEW: u64 = 2_000;
/// Doctors, and categories of records.
const DOCTORS: usize = 3;
const LABELS: u8 = 3;
/// How many custodians open a record.
const T: usize = 3;

/// Numbers from a seed (splitmix64, Steele et al. 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A custodian, and what happens to it.
struct Custodian {
    node: Option<Node>,
    clock: Clock,
    is_cut: bool,
}

/// A grant, as the model has it.
struct Given {
    doctor: usize,
    labels: BTreeSet<u8>,
    until: u64,
    tx: TxId,
    revoked_by: Option<TxId>,
}

/// A request, with its reader's key and what custodians gave so far.
struct Asked {
    doctor: usize,
    tx: TxId,
    reader: KemKeyPair,
    records: Vec<RecordId>,
    releases: BTreeMap<usize, Release>,
    opened: BTreeSet<RecordId>,
}

/// A record, as the model has it.
struct Filed {
    dealing: Dealing,
    label: u8,
    erased_by: Option<TxId>,
    /// What the author keeps until custodians have it.
    sealed: Envelope,
    deals: Vec<Option<Deal>>,
    /// The share of the custodian that gives it to anybody.
    leaked: Option<HeldShare>,
}

/// What happened in a world.
#[derive(Default)]
struct Tally {
    requests: usize,
    opened: usize,
    refused: usize,
    crashes: usize,
    /// Releases by a custodian that did not know of a final revocation yet.
    late: usize,
}

struct World {
    seed: u64,
    numbers: Numbers,
    dir: TempDir,
    genesis: Genesis,
    keys: Vec<Vec<u8>>,
    custodians: Vec<Custodian>,
    liar: Option<usize>,
    now: u64,
    head: Overlay,
    blocks: Vec<Block>,
    /// Where each final transaction is, and when it became final.
    places: BTreeMap<TxId, (u64, u64)>,
    pool: Vec<SignedTransaction>,
    people: Vec<SigningKeyPair>,
    patient: SigningKeyPair,
    sequences: BTreeMap<[u8; 32], u64>,
    grants: Vec<Given>,
    asked: Vec<Asked>,
    filed: BTreeMap<RecordId, Filed>,
    tally: Tally,
}

fn doctor(at: usize) -> ActorId {
    ActorId([0x40 + u8::try_from(at).unwrap(); 16])
}

impl World {
    fn new(seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let (genesis, keys, office) = found();
        // Memory is disk enough: processes end here, and no power fails.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            TempDir::new_in(memory).unwrap()
        } else {
            TempDir::new().unwrap()
        };
        let custodians = (0..4).map(|_| Custodian {
            node: None,
            clock: Clock::manual(Time(START.0 - SKEW + numbers.next() % (2 * SKEW))),
            is_cut: false,
        });
        let custodians = custodians.collect();
        let liar = numbers.chance(50).then(|| numbers.below(4));
        let key = || SigningKeyPair::generate().unwrap();
        let mut world = Self {
            seed,
            numbers,
            dir,
            head: genesis.overlay(),
            genesis,
            keys: keys
                .iter()
                .map(|it| it.to_secret_bytes().to_vec())
                .collect(),
            custodians,
            liar,
            now: START.0,
            blocks: Vec::new(),
            places: BTreeMap::new(),
            pool: Vec::new(),
            people: (0..DOCTORS).map(|_| key()).collect(),
            patient: key(),
            sequences: BTreeMap::new(),
            grants: Vec::new(),
            asked: Vec::new(),
            filed: BTreeMap::new(),
            tally: Tally::default(),
        };
        for at in 0..4 {
            world.start(at);
        }
        for at in 0..DOCTORS {
            let body = physician(doctor(at), &world.people[at]);
            world.send(&copy(&office), body);
        }
        let body = patient(&world.genesis, &world.patient);
        world.send(&office, body);
        world.make_block();
        for _ in 0..3 {
            world.file();
            world.grant();
        }
        world
    }

    /// Starts a custodian's node from its disk.
    fn start(&mut self, at: usize) {
        let place = self.dir.path().join(at.to_string());
        std::fs::create_dir_all(&place).unwrap();
        let keys = NodeKeys::from_secret_bytes(&self.keys[at]).unwrap();
        let stores = Stores::open(&place, &keys.store).unwrap();
        let clock = self.custodians[at].clock.clone();
        let node = Node::open(&self.genesis, org(at), keys, stores, clock).unwrap();
        self.custodians[at].node = Some(node);
    }

    /// Signs a transaction, and has it wait for a block.
    fn send(&mut self, by: &SigningKeyPair, body: impl Into<Body>) -> TxId {
        let seq = self.sequences.entry(public(by).0).or_default();
        *seq += 1;
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain: self.genesis.chain_id(),
            actor_key: public(by),
            seq: *seq,
            expires: 1_000_000,
            body: body.into(),
        };
        let signed = transaction.sign(|message| sign(by, message));
        let id = signed.id();
        self.pool.push(signed);
        id
    }

    fn advance(&mut self, ms: u64) {
        self.now += ms;
        for custodian in &self.custodians {
            custodian.clock.advance_ms(ms);
        }
    }

    /// A quorum makes what waits final. Others hear of it later.
    fn make_block(&mut self) {
        let connected = |it: &&Custodian| it.node.is_some() && !it.is_cut;
        if self.custodians.iter().filter(connected).count() < T {
            return;
        }
        let at = self.numbers.below(4);
        let time = self.custodians[at].clock.now().max(self.head.head().time);
        let candidates: Vec<_> = self.pool.drain(..).collect();
        let proposed = propose(&self.head, time, candidates);
        let executed = execute(&self.head, &proposed.block).unwrap();
        self.head = executed.overlay;
        for transaction in &proposed.block.transactions {
            let place = (self.head.height(), self.now);
            self.places.insert(transaction.id(), place);
        }
        self.blocks.push(proposed.block);
        for at in 0..4 {
            if self.numbers.chance(70) {
                self.deliver(at);
            }
        }
    }

    /// A custodian applies the final blocks that it has not, or some of them; and destroys what is erased by then.
    fn deliver(&mut self, at: usize) {
        let most = if self.numbers.chance(80) {
            usize::MAX
        } else {
            1 + self.numbers.below(2)
        };
        let custodian = &mut self.custodians[at];
        let Some(node) = custodian.node.as_mut().filter(|_| !custodian.is_cut) else {
            return;
        };
        let known = usize::try_from(node.head().height()).unwrap();
        for block in self.blocks.iter().skip(known).take(most) {
            node.execute(block).unwrap();
            node.commit(block.header.leaf()).unwrap();
        }
        let height = node.head().height();
        let is_erased = |filed: &Filed| {
            let erased = filed.erased_by.and_then(|tx| self.places.get(&tx));
            erased.is_some_and(|(erased, _)| *erased <= height)
        };
        for (record, _) in self.filed.iter().filter(|(_, filed)| is_erased(filed)) {
            if node.holds_anything_of(record).unwrap() {
                let attestation = node.destroy(record).unwrap();
                self.pool.push(attestation);
            }
        }
    }

    /// The height at which a transaction is final, if it is within these.
    fn is_final(&self, tx: Option<TxId>, height: u64) -> bool {
        let place = tx.and_then(|tx| self.places.get(&tx));
        place.is_some_and(|(found, _)| *found <= height)
    }

    /// The model: whether somebody may read a category, as of a height and a time.
    fn may_read(&self, doctor: usize, label: u8, height: u64, now: u64) -> bool {
        self.grants.iter().any(|grant| {
            grant.doctor == doctor
                && grant.labels.contains(&label)
                && self.is_final(Some(grant.tx), height)
                && !self.is_final(grant.revoked_by, height)
                && now < grant.until
        })
    }

    fn file(&mut self) {
        let label = u8::try_from(self.numbers.below(LABELS.into())).unwrap();
        let mut id = [label; 16];
        id[8..].copy_from_slice(&self.numbers.next().to_be_bytes());
        let committee = self.genesis.committee();
        let info = info_of(committee, id);
        let sealed = Chain::seal_as(&info, &self.people[0]);
        self.send(&copy(&self.people[0]), sealed.anchor.clone());
        // Anchored where its custodians can see it, before they are dealt to.
        self.make_block();
        let keys = |at: usize| NodeKeys::from_secret_bytes(&self.keys[at]).unwrap();
        let kem: Vec<_> = (0..4).map(|at| keys(at).kem.public_key().clone()).collect();
        let deals = deal(&[&sealed.dealer], &kem).unwrap();
        let dealing = Dealing::initial(&sealed.envelope.front.header);
        let leaked = self.liar.map(|at| {
            let index = deals[at].index();
            accept(&keys(at).kem, index, &dealing, &deals[at]).unwrap()
        });
        let filed = Filed {
            dealing,
            label,
            erased_by: None,
            sealed: sealed.envelope,
            deals: deals.into_iter().map(Some).collect(),
            leaked,
        };
        self.filed.insert(RecordId(id), filed);
        self.deposit();
    }

    /// Authors send custodians what these have not taken yet.
    fn deposit(&mut self) {
        for filed in self.filed.values_mut() {
            for (custodian, kept) in self.custodians.iter_mut().zip(&mut filed.deals) {
                let node = custodian.node.as_mut().filter(|_| !custodian.is_cut);
                let (Some(node), Some(deal)) = (node, kept.as_ref()) else {
                    continue;
                };
                let taken = node.deposit(std::slice::from_ref(&filed.sealed), deal);
                let taken = taken.unwrap();
                if taken.refused.is_empty() {
                    *kept = None;
                    self.pool.extend(taken.acknowledgements);
                }
            }
        }
    }

    fn grant(&mut self) {
        let doctor_at = self.numbers.below(DOCTORS);
        let labels: BTreeSet<u8> = (0..LABELS).filter(|_| self.numbers.chance(70)).collect();
        if labels.is_empty() {
            return;
        }
        let until = self.now + 60_000 + self.numbers.next() % 600_000;
        let symbols = labels
            .iter()
            .map(|label| Symbol::new([*label; 16]).unwrap());
        let to = Grantee::actor(doctor(doctor_at).0).unwrap();
        let mut grant = Grant::to(to, Purpose::Treat);
        grant.scope.tags = Some(Set::new(symbols).unwrap());
        grant.window.until = Some(chartseal_policy::Time(until));
        let body = DirectiveIssued {
            patient: PATIENT,
            terms: Terms::Grant(grant),
            sealed: None,
        };
        let tx = self.send(&copy(&self.patient), body);
        self.grants.push(Given {
            doctor: doctor_at,
            labels,
            until,
            tx,
            revoked_by: None,
        });
    }

    fn revoke(&mut self) {
        let live =
            |grant: &Given| grant.revoked_by.is_none() && self.places.contains_key(&grant.tx);
        let live: Vec<usize> = (0..self.grants.len())
            .filter(|at| live(&self.grants[*at]))
            .collect();
        if live.is_empty() {
            return;
        }
        let at = live[self.numbers.below(live.len())];
        let target = Symbol::new(self.grants[at].tx).unwrap();
        let body = DirectiveIssued {
            patient: PATIENT,
            terms: Terms::Revoke(Revocation { target }),
            sealed: None,
        };
        self.grants[at].revoked_by = Some(self.send(&copy(&self.patient), body));
    }

    fn erase(&mut self) {
        let records: Vec<RecordId> = self.filed.keys().copied().collect();
        if records.len() < 4 {
            return;
        }
        let record = records[self.numbers.below(records.len())];
        let tx = self.send(&copy(&self.patient), Erased { record });
        let filed = self.filed.get_mut(&record).unwrap();
        filed.erased_by = filed.erased_by.or(Some(tx));
    }

    fn request(&mut self) {
        let mut records: Vec<RecordId> = self.filed.keys().copied().collect();
        if records.is_empty() {
            return;
        }
        while records.len() > 1 + self.numbers.below(3) {
            records.swap_remove(self.numbers.below(records.len()));
        }
        let at = self.numbers.below(DOCTORS);
        let reader = KemKeyPair::generate().unwrap();
        let body = reading(&records, &reader);
        let tx = self.send(&copy(&self.people[at]), body);
        self.tally.requests += 1;
        self.asked.push(Asked {
            doctor: at,
            tx,
            reader,
            records,
            releases: BTreeMap::new(),
            opened: BTreeSet::new(),
        });
    }

    /// Some reader asks some custodians, for a request of lately or of long ago.
    fn ask(&mut self) {
        let newest = self.asked.len();
        if newest == 0 {
            return;
        }
        let back = if self.numbers.chance(85) { 2 } else { newest };
        let which = newest - 1 - self.numbers.below(back.min(newest));
        for at in 0..4 {
            if !self.numbers.chance(60) {
                continue;
            }
            if self.liar == Some(at) {
                self.take_from_the_liar(which, at);
            } else {
                self.take_from_an_honest_one(which, at);
            }
            self.open(which);
        }
    }

    fn take_from_the_liar(&mut self, which: usize, at: usize) {
        let asked = &self.asked[which];
        let of_it = asked.records.iter().filter_map(|it| self.filed.get(it));
        let held: Vec<&HeldShare> = of_it.filter_map(|it| it.leaked.as_ref()).collect();
        let request = chartseal_envelope::RequestId(asked.tx.0);
        let given = release(&held, request, asked.reader.public_key()).unwrap();
        self.asked[which].releases.insert(at, given);
    }

    fn take_from_an_honest_one(&mut self, which: usize, at: usize) {
        let custodian = &mut self.custodians[at];
        let Some(node) = custodian.node.as_mut().filter(|_| !custodian.is_cut) else {
            return;
        };
        let asked = &self.asked[which];
        let key = asked.reader.public_key();
        if self.numbers.chance(10) {
            let stranger = KemKeyPair::generate().unwrap();
            let given = node.release(&asked.tx, stranger.public_key());
            assert!(given.is_err(), "seed {}: to a stranger", self.seed);
        }
        // Whether the receipt gets into a block is another matter; the reader may ask again.
        if let Ok(receipts) = node.receipts(&asked.tx, key)
            && !receipts.is_empty()
        {
            self.pool.extend(receipts);
            if self.numbers.chance(60) {
                self.make_block();
                self.deliver(at);
            }
        }
        let custodian = &self.custodians[at];
        let Some(node) = &custodian.node else { return };
        let asked = &self.asked[which];
        let given = node.release(&asked.tx, asked.reader.public_key());
        let head = node.head();
        let (height, own) = (head.height(), custodian.clock.now().max(head.head().time).0);
        let released = match given {
            Ok(releases) => releases,
            Err(
                NodeError::NotReleasable { .. } | NodeError::NoReceipt(_) | NodeError::NoShare(_),
            ) => {
                self.tally.refused += 1;
                return;
            }
            Err(error) => panic!("seed {}: {error}", self.seed),
        };
        assert_eq!(released.len(), 1);
        for release in released {
            for item in release.items() {
                self.check_release(which, item.header.0, height, own);
            }
            // The answer may be lost.
            if self.numbers.chance(85) {
                self.asked[which].releases.insert(at, release);
            }
        }
    }

    /// What an honest custodian released, at its height and by its clock.
    fn check_release(&mut self, which: usize, header: [u8; 32], height: u64, own: u64) {
        let (seed, doctor) = (self.seed, self.asked[which].doctor);
        let of_it = |(_, filed): &(&RecordId, &Filed)| filed.dealing.header().0 == header;
        let (record, filed) = self.filed.iter().find(of_it).unwrap();
        assert!(
            !self.is_final(filed.erased_by, height),
            "seed {seed}: {record} is erased"
        );
        assert!(
            self.may_read(doctor, filed.label, height, own),
            "seed {seed}: {record} is released after the revocation was applied, or expired"
        );
        let newest = self.head.height();
        if self.may_read(doctor, filed.label, newest, own) {
            return;
        }
        // Revoked, and it does not know yet: then not for long.
        let of_it = self.grants.iter().filter(|grant| grant.doctor == doctor);
        let of_it = of_it.filter(|grant| grant.labels.contains(&filed.label));
        let revoked = of_it.filter_map(|grant| self.places.get(&grant.revoked_by?));
        let last = revoked.map(|(_, at)| *at).max().unwrap();
        assert!(
            self.now <= last + MAX_LAG_MS + 2 * SKEW,
            "seed {seed}: {record} is released {} ms after a revocation is final",
            self.now - last
        );
        self.tally.late += 1;
    }

    /// Combines what a reader has. What opens has a final permit, and the receipts of those who gave its shares.
    fn open(&mut self, which: usize) {
        let asked = &self.asked[which];
        let releases: Vec<Release> = asked.releases.values().cloned().collect();
        let id = chartseal_envelope::RequestId(asked.tx.0);
        // All of a request at once: the items of a release open in their order.
        let dealings = asked.records.iter().map(|it| &self.filed[it].dealing);
        let dealings: Vec<&Dealing> = dealings.collect();
        let combined = combine_all(&asked.reader, id, &dealings, &releases);
        let mut opened = Vec::new();
        for (record, combined) in asked.records.iter().zip(combined) {
            match combined {
                Ok(_) if asked.opened.contains(record) => {}
                Ok(_) => opened.push(*record),
                Err(CombineError::NotEnough(_)) => {}
                Err(error) => panic!("seed {}: {error}", self.seed),
            }
        }
        for record in &opened {
            let request = self.head.state().request(&asked.tx);
            let request = request.unwrap_or_else(|| panic!("seed {}: no request", self.seed));
            let permit = request.permit(record);
            let permit = permit.unwrap_or_else(|| panic!("seed {}: no permit", self.seed));
            assert_eq!(request.actor, doctor(asked.doctor));
            let silent = usize::from(self.liar.is_some());
            let receipts = permit.released.count_ones() as usize;
            assert!(
                receipts >= T - silent,
                "seed {}: {receipts} receipts",
                self.seed
            );
        }
        self.tally.opened += opened.len();
        self.asked[which].opened.extend(opened);
    }

    fn step(&mut self) {
        match self.numbers.below(100) {
            0..=29 => self.ask(),
            30..=49 => self.make_block(),
            50..=56 => {
                let at = self.numbers.below(4);
                self.deliver(at);
            }
            57..=66 => self.request(),
            67..=68 => self.file(),
            69 => self.deposit(),
            70..=75 => self.grant(),
            76..=79 => self.revoke(),
            80 => self.erase(),
            81..=89 => {
                let ms = self.numbers.next() % 3_000;
                self.advance(ms);
            }
            90 => {
                let ms = self.numbers.next() % 90_000;
                self.advance(ms);
            }
            91..=92 => {
                let at = self.numbers.below(4);
                self.custodians[at].is_cut = true;
            }
            93..=94 => {
                let at = self.numbers.below(4);
                self.custodians[at].node = None;
                self.tally.crashes += 1;
            }
            95..=96 => {
                for at in 0..4 {
                    if self.custodians[at].node.is_none() {
                        self.start(at);
                    }
                }
            }
            // A transaction gets lost, or comes twice.
            97 => {
                let at = self.numbers.below(self.pool.len());
                if at < self.pool.len() {
                    self.pool.remove(at);
                }
            }
            98 => {
                let again = self.pool.first().cloned();
                self.pool.extend(again);
            }
            _ => self.custodians.iter_mut().for_each(|it| it.is_cut = false),
        }
    }

    /// All are there again. Every chain is the same, and every record that was opened is in the patient's history.
    fn end(mut self) -> Tally {
        for at in 0..4 {
            self.custodians[at].is_cut = false;
            if self.custodians[at].node.is_none() {
                self.start(at);
            }
        }
        self.make_block();
        for at in 0..4 {
            while self.custodians[at].node.as_ref().unwrap().head().height() < self.head.height() {
                self.deliver(at);
            }
            let node = self.custodians[at].node.as_ref().unwrap();
            assert_eq!(node.head().head(), self.head.head(), "seed {}", self.seed);
        }
        let node = self.custodians[0].node.as_ref().unwrap();
        let entries = node.history(&Subject::Patient(PATIENT), 0).unwrap();
        let entries: Vec<Entry> = entries.iter().map(|it| from_bytes(it).unwrap()).collect();
        for asked in &self.asked {
            for record in &asked.opened {
                let (permitted, receipts) = trace_of(&entries, &asked.tx, record);
                let silent = usize::from(self.liar.is_some());
                assert!(permitted && receipts >= T - silent, "seed {}", self.seed);
            }
        }
        self.tally
    }
}

#[test]
fn no_key_reaches_a_reader_without_a_permit_and_receipts_whatever_fails() {
    let long = std::env::var("CHARTSEAL_LONG").ok();
    let worlds = long.map_or(WORLDS, |number| number.parse().unwrap());
    let mut total = Tally::default();
    for seed in 0..worlds {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        let tally = world.end();
        total.requests += tally.requests;
        total.opened += tally.opened;
        total.refused += tally.refused;
        total.crashes += tally.crashes;
        total.late += tally.late;
    }
    let Tally {
        requests,
        opened,
        refused,
        crashes,
        late,
    } = total;
    println!(
        "{worlds} worlds: {requests} requests, {opened} records opened, {refused} refusals, {crashes} crashes, {late} late releases"
    );
    // It does happen, all of it.
    let each = usize::try_from(worlds).unwrap();
    assert!(requests > 15 * each && opened > each && refused > 5 * each && crashes > each);
}
