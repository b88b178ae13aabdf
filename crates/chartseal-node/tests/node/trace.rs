//! No read without a trace: simulated visits with faults, each world from one printed number.
//!
//! Four custodians, in some worlds seven, with disks of their own apply final blocks, each at its own pace and by its own
//! clock. They crash and start again, are cut off, and lose what they send; *f* of them may give to anybody, without a receipt:
//! their shares, others in their place (`lies`), and sealed records that are none. Readers ask again and again, with the
//! right and the wrong key, and break the glass, while the patient grants, revokes and erases. Whatever a custodian
//! releases and whatever a reader combines is held against a plain model of who may read what, and against the chain;
//! what is opened is right, and who gave wrong shares is named.
//!
//! Blocks are taken as final here, so that many worlds are cheap; `network` has validators make them final on links that
//! fail. `CHARTSEAL_LONG=N` runs so many worlds.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_codec::from_bytes;
use chartseal_consensus::Replica as _;
use chartseal_envelope::{
    ContentKey, Deal, Dealing, HeldShare, KemKeyPair, SigningKeyPair, SystemRng, accept,
    combine_all, deal,
};
use chartseal_ledger::body::{
    Countersignature, CustodianSet, DirectiveIssued, EmergencyDeclared, Erased,
    PractitionerEnrolled,
};
use chartseal_ledger::{
    Block, Body, EMERGENCY_ROLE, Genesis, Overlay, Params, SignedTransaction, TRANSACTION_VERSION,
    Transaction, execute, propose,
};
use chartseal_node::keys::{public, sign};
use chartseal_node::{Clock, Envelope, MAX_LAG_MS, Node, NodeError, NodeKeys, Stores};
use chartseal_policy::{Grant, Grantee, Millis, Purpose, Revocation, Set, Symbol, Terms};
use chartseal_wire::history::Token;
use chartseal_wire::{ActorId, Entry, Hash, RecordId, Subject, Time, TxId};
use tempfile::TempDir;

use crate::fixture::*;
use crate::lies::{self, Given as Releases, Lie};

/// Worlds in an ordinary run, and steps of each.
const WORLDS: u64 = 80;
const STEPS: usize = 260;
/// How far clocks are from the true time at most, in ms.
const SKEW: u64 = 2_000;
/// Doctors, and categories of records.
const DOCTORS: usize = 3;
const LABELS: u8 = 3;
/// Who may break the glass, and for how long, in ms.
const RESCUER: usize = 2;
const EMERGENCY_MS: u64 = 60_000;
/// One world in so many has seven custodians.
const LARGE: u64 = 8;

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
    /// Whether they break the glass.
    is_emergency: bool,
    releases: Releases,
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
    /// The shares of custodians that give them to anybody.
    leaked: BTreeMap<usize, HeldShare>,
}

/// Where a final transaction is: its block's height and time, and when that became final.
#[derive(Clone, Copy)]
struct Place {
    height: u64,
    time: u64,
    at: u64,
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
    /// Records that were opened in an emergency.
    emergencies: usize,
    /// Ciphertexts that were read, and how many others were refused; how often somebody was named who gave a wrong share.
    read: usize,
    altered: usize,
    named: usize,
}

struct World {
    seed: u64,
    numbers: Numbers,
    dir: TempDir,
    genesis: Genesis,
    keys: Vec<Vec<u8>>,
    custodians: Vec<Custodian>,
    liars: BTreeSet<usize>,
    now: u64,
    head: Overlay,
    blocks: Vec<Block>,
    places: BTreeMap<TxId, Place>,
    pool: Vec<SignedTransaction>,
    people: Vec<SigningKeyPair>,
    patient: SigningKeyPair,
    sequences: BTreeMap<[u8; 32], u64>,
    grants: Vec<Given>,
    emergencies: Vec<TxId>,
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
        let count = if seed % LARGE == LARGE - 1 { 7 } else { 4 };
        let mut params = Params {
            emergency_role_delay_ms: 1_000,
            ..Params::default()
        };
        let emergency = params.network.emergency.as_mut().unwrap();
        emergency.ttl = Millis(EMERGENCY_MS);
        let (genesis, keys, offices) = found_by(count, params);
        // Memory is disk enough: processes end here, and no power fails.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            TempDir::new_in(memory).unwrap()
        } else {
            TempDir::new().unwrap()
        };
        let custodians = (0..count).map(|_| Custodian {
            node: None,
            clock: Clock::manual(Time(START.0 - SKEW + numbers.next() % (2 * SKEW))),
            is_cut: false,
        });
        let custodians = custodians.collect();
        let mut liars = BTreeSet::new();
        if numbers.chance(50) {
            let faulty = usize::try_from(genesis.committee().f()).unwrap();
            liars.extend((0..faulty).map(|_| numbers.below(count)));
        }
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
            liars,
            now: START.0,
            blocks: Vec::new(),
            places: BTreeMap::new(),
            pool: Vec::new(),
            people: (0..DOCTORS).map(|_| key()).collect(),
            patient: key(),
            sequences: BTreeMap::new(),
            grants: Vec::new(),
            emergencies: Vec::new(),
            asked: Vec::new(),
            filed: BTreeMap::new(),
            tally: Tally::default(),
        };
        for at in 0..count {
            world.start(at);
        }
        for at in 0..DOCTORS {
            let body = physician(doctor(at), &world.people[at]);
            let body = if at == RESCUER {
                world.rescuer(body, &offices[1])
            } else {
                body
            };
            world.send(&copy(&offices[0]), body);
        }
        let body = patient(&world.genesis, &world.patient);
        world.send(&offices[0], body);
        world.make_block();
        for _ in 0..3 {
            world.file();
            world.grant();
        }
        world
    }

    /// The same practitioner with the emergency role, to which a second organization agrees.
    fn rescuer(&self, of: PractitionerEnrolled, second: &SigningKeyPair) -> PractitionerEnrolled {
        let mut body = PractitionerEnrolled {
            roles: Set::one(Symbol::new(EMERGENCY_ROLE).unwrap()),
            ..of
        };
        let message = body.to_countersign(&self.genesis.chain_id(), &org(0));
        body.countersignature = Some(Countersignature {
            org: org(1),
            signature: sign(second, &message),
        });
        body
    }

    /// How many custodians there are, and how many of them open a record.
    fn n(&self) -> usize {
        self.custodians.len()
    }

    fn t(&self) -> usize {
        usize::try_from(2 * self.genesis.committee().f() + 1).unwrap()
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
        if self.custodians.iter().filter(connected).count() < self.t() {
            return;
        }
        let at = self.numbers.below(self.n());
        let time = self.custodians[at].clock.now().max(self.head.head().time);
        let candidates: Vec<_> = self.pool.drain(..).collect();
        let proposed = propose(&self.head, time, candidates);
        let executed = execute(&self.head, &proposed.block).unwrap();
        self.head = executed.overlay;
        for transaction in &proposed.block.transactions {
            let place = Place {
                height: self.head.height(),
                time: self.head.head().time.0,
                at: self.now,
            };
            self.places.insert(transaction.id(), place);
        }
        self.blocks.push(proposed.block);
        for at in 0..self.n() {
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
            erased.is_some_and(|erased| erased.height <= height)
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
        place.is_some_and(|place| place.height <= height)
    }

    /// The model: whether a request still opens a category, as of a height and a time.
    fn may_read(&self, asked: &Asked, label: u8, height: u64, now: u64) -> bool {
        let doctor = asked.doctor;
        if asked.is_emergency {
            // A grant for treatment is none for breaking the glass.
            let mut declared = self.emergencies.iter().filter_map(|tx| self.places.get(tx));
            return declared.any(|place| place.height <= height && now < place.time + EMERGENCY_MS);
        }
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
        let mut sealed = Chain::seal_as(&info, &self.people[0]);
        sealed.anchor.custodians = CustodianSet {
            epoch: 0,
            t: self.t() as u64,
            n: self.n() as u64,
        };
        self.send(&copy(&self.people[0]), sealed.anchor.clone());
        // Anchored where its custodians can see it, before they are dealt to.
        self.make_block();
        let keys = |at: usize| NodeKeys::from_secret_bytes(&self.keys[at]).unwrap();
        let kem = (0..self.n()).map(|at| keys(at).kem.public_key().clone());
        let kem: Vec<_> = kem.collect();
        let deals = deal(&[&sealed.dealer], &kem).unwrap();
        let dealing = Dealing::initial(&sealed.envelope.front.header);
        let leaked = self.liars.iter().map(|at| {
            let index = deals[*at].index();
            let share = accept(&keys(*at).kem, index, &dealing, &deals[*at]);
            (*at, share.unwrap())
        });
        let leaked = leaked.collect();
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

    /// Somebody declares an emergency.
    fn declare(&mut self) {
        let body = EmergencyDeclared {
            patient: PATIENT,
            reason_code: Token::new("er").unwrap(),
            reason: Hash([1; 32]),
            has_reason: true,
        };
        let tx = self.send(&copy(&self.people[RESCUER]), body);
        self.emergencies.push(tx);
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
        let is_emergency = at == RESCUER && self.numbers.chance(50);
        let reader = KemKeyPair::generate().unwrap();
        let mut body = reading(&records, &reader);
        if is_emergency {
            body.purpose = Token::new("BTG").unwrap();
        }
        let tx = self.send(&copy(&self.people[at]), body);
        self.tally.requests += 1;
        self.asked.push(Asked {
            doctor: at,
            tx,
            reader,
            records,
            is_emergency,
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
        for at in 0..self.n() {
            if !self.numbers.chance(60) {
                continue;
            }
            if self.liars.contains(&at) {
                self.take_from_a_liar(which, at);
            } else {
                self.take_from_an_honest_one(which, at);
            }
            self.open(which);
        }
    }

    fn take_from_a_liar(&mut self, which: usize, at: usize) {
        let lie = Lie::of(self.numbers.next());
        let asked = &self.asked[which];
        let of = |record: &RecordId| self.filed.get(record).and_then(|it| it.leaked.get(&at));
        let held: Vec<&HeldShare> = asked.records.iter().filter_map(of).collect();
        let others = self.filed.keys().filter(|it| !asked.records.contains(it));
        let others: Vec<&HeldShare> = others.filter_map(of).collect();
        let request = chartseal_envelope::RequestId(asked.tx.0);
        let mut rng = SystemRng::new().unwrap();
        let key = asked.reader.public_key();
        let given = lie.give(&held, &others, request, key, &mut rng);
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
                self.asked[which].releases.insert(at, (release, Lie::No));
            }
        }
    }

    /// What an honest custodian released, at its height and by its clock.
    fn check_release(&mut self, which: usize, header: [u8; 32], height: u64, own: u64) {
        let (seed, asked) = (self.seed, &self.asked[which]);
        let doctor = asked.doctor;
        let of_it = |(_, filed): &(&RecordId, &Filed)| filed.dealing.header().0 == header;
        let (record, filed) = self.filed.iter().find(of_it).unwrap();
        assert!(
            !self.is_final(filed.erased_by, height),
            "seed {seed}: {record} is erased"
        );
        assert!(
            self.may_read(asked, filed.label, height, own),
            "seed {seed}: {record} is released after the revocation was applied, or expired"
        );
        let newest = self.head.height();
        if self.may_read(asked, filed.label, newest, own) {
            return;
        }
        // Revoked, and it does not know yet: then not for long.
        let of_it = self.grants.iter().filter(|grant| grant.doctor == doctor);
        let of_it = of_it.filter(|grant| grant.labels.contains(&filed.label));
        let revoked = of_it.filter_map(|grant| self.places.get(&grant.revoked_by?));
        let last = revoked.map(|place| place.at).max().unwrap();
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
        let releases = lies::theirs(&asked.releases);
        let id = chartseal_envelope::RequestId(asked.tx.0);
        // All of a request at once: the items of a release open in their order.
        let dealings = asked.records.iter().map(|it| &self.filed[it].dealing);
        let dealings: Vec<&Dealing> = dealings.collect();
        let combined = combine_all(&asked.reader, id, &dealings, &releases);
        let mut opened = Vec::new();
        for (place, (record, combined)) in asked.records.iter().zip(combined).enumerate() {
            self.tally.named += lies::check_named(&asked.releases, place, &combined);
            if let Ok(combined) = combined
                && !asked.opened.contains(record)
            {
                opened.push((*record, combined.key));
            }
        }
        let silent = lies::silent(&asked.releases, |at| self.liars.contains(&at));
        for (record, _) in &opened {
            let request = self.head.state().request(&asked.tx);
            let request = request.unwrap_or_else(|| panic!("seed {}: no request", self.seed));
            let permit = request.permit(record);
            let permit = permit.unwrap_or_else(|| panic!("seed {}: no permit", self.seed));
            assert_eq!(request.actor, doctor(asked.doctor));
            assert_eq!(request.emergency.is_some(), asked.is_emergency);
            let receipts = permit.released.count_ones() as usize;
            assert!(
                receipts >= self.t() - silent,
                "seed {}: {receipts} receipts",
                self.seed
            );
        }
        self.tally.opened += opened.len();
        if asked.is_emergency {
            self.tally.emergencies += opened.len();
        }
        for (record, key) in opened {
            self.fetch(which, &record, &key);
            self.asked[which].opened.insert(record);
        }
    }

    /// A reader with a key fetches the ciphertext. It reads the right one, whoever serves what else.
    fn fetch(&mut self, which: usize, record: &RecordId, key: &ContentKey) {
        let author = self.people[0].verifying_key();
        let sealed = &self.filed[record].sealed;
        assert!(lies::read(sealed, &author, key), "seed {}", self.seed);
        for at in 0..self.n() {
            if self.liars.contains(&at) {
                let mut others = self.filed.iter().filter(|(it, _)| *it != record);
                let other = others.next().map(|(_, filed)| &filed.sealed);
                let altered = lies::altered(sealed, other, self.numbers.next());
                self.tally.altered += 1;
                assert!(!lies::read(&altered, &author, key), "seed {}", self.seed);
                continue;
            }
            let custodian = &self.custodians[at];
            let node = custodian.node.as_ref().filter(|_| !custodian.is_cut);
            let served = node.map(|node| node.envelope(&self.asked[which].tx, record));
            if let Some(Ok(served)) = served {
                assert!(lies::read(&served, &author, key), "seed {}", self.seed);
                self.tally.read += 1;
                break;
            }
        }
    }

    fn step(&mut self) {
        match self.numbers.below(100) {
            0..=29 => self.ask(),
            30..=49 => self.make_block(),
            50..=56 => {
                let at = self.numbers.below(self.n());
                self.deliver(at);
            }
            57..=66 => self.request(),
            67..=68 => self.file(),
            69 => self.deposit(),
            70..=74 => self.grant(),
            75 => self.declare(),
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
                let at = self.numbers.below(self.n());
                self.custodians[at].is_cut = true;
            }
            93..=94 => {
                let at = self.numbers.below(self.n());
                self.custodians[at].node = None;
                self.tally.crashes += 1;
            }
            95..=96 => {
                for at in 0..self.n() {
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
        for at in 0..self.n() {
            self.custodians[at].is_cut = false;
            if self.custodians[at].node.is_none() {
                self.start(at);
            }
        }
        self.make_block();
        for at in 0..self.n() {
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
                let least = self.t() - self.liars.len();
                assert!(permitted && receipts >= least, "seed {}", self.seed);
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
        total.emergencies += tally.emergencies;
        total.read += tally.read;
        total.altered += tally.altered;
        total.named += tally.named;
    }
    let Tally {
        requests,
        opened,
        refused,
        crashes,
        late,
        emergencies,
        read,
        altered,
        named,
    } = total;
    println!(
        "{worlds} worlds: {requests} requests, {opened} records opened, {emergencies} of them in emergencies, {read} \
         ciphertexts read and {altered} altered ones refused, liars named {named} times, {refused} refusals, {crashes} \
         crashes, {late} late releases"
    );
    // It does happen, all of it.
    let each = usize::try_from(worlds).unwrap();
    assert!(requests > 15 * each && opened > each && refused > 5 * each && crashes > each);
    assert!(emergencies > 0 && read > each && altered > each / 4 && named > each);
}
