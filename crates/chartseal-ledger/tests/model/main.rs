//! Random transactions against a plain model in memory. The same ones are admitted and the others refused
//! by the same rule; after each block the state is the model's to the last value, so the roots are
//! equal, and every history has exactly the model's entries.
//!
//! It tries 40,000 transactions, or with `CHARTSEAL_LONG` a million; each kind, rule and decision is
//! reached so often that none is compared by chance.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::panic, clippy::too_many_lines, reason = "tests")]
#![allow(unreachable_pub, reason = "modules of a test")]

mod access;
#[path = "../common/mod.rs"]
mod common;
mod identity;
mod people;
mod plain;
mod records;
mod requests;
mod tries;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use chartseal_ledger::body::{Ground, GuardianAppointed, Relabelled};
use chartseal_ledger::state::Holder;
use chartseal_ledger::{
    Body, Commit, Effect, LedgerStore, Params, SignedTransaction, execute, propose,
};
use chartseal_merkle::Map;
use chartseal_policy::{EmergencyPolicy, Grantee, LawRule, Millis, Set, Window};
use chartseal_wire::{PublicKey, Subject, Time};
use common::*;
use plain::{Model, Plain, Sent};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use tries::{Prepared, Try, Who, attempt};

/// A chain and its model.
struct Run {
    chain: Chain,
    model: Model,
    /// Every key that was ever made.
    ring: BTreeMap<PublicKey, Key>,
    unique: u32,
    reached: BTreeMap<String, u64>,
}

/// Small enough that a few blocks meet every cap and see every delay and window end.
fn network(has_emergencies: bool) -> Params {
    let mut network = params().network;
    network.law.push(LawRule {
        id: access::symbol("part2"),
        tags: Some(Set::one(access::symbol([9; 16]))),
        purposes: None,
        unless: Set::one(Grantee::actor([10; 16]).unwrap()),
    });
    network.emergency = has_emergencies.then(|| EmergencyPolicy {
        ttl: Millis(6_000),
        max_overdue: 0,
        ..network.emergency.unwrap()
    });
    Params {
        review_within_ms: 1_000,
        release_window_ms: 8_000,
        max_emergencies_per_actor: 2,
        max_emergencies_per_org: 3,
        max_directives_by_patient: 12,
        max_directives_by_other: 3,
        min_recovery_delay_ms: 3_000,
        denial_window_ms: 5_000,
        max_listed_denials: 1,
        max_listed_denials_per_org: 4,
        network,
        ..params()
    }
}

impl Run {
    /// Patients 1 and 2; a minor who may consent, 4, and 5, who is enrolled provisionally, both of organization 2; the
    /// practitioners of [`Chain::populated`]; four records, three grants, and a guardian of the minor.
    fn new(has_emergencies: bool) -> Self {
        let genesis = genesis_with(network(has_emergencies));
        let orgs = (1..=5).flat_map(|id| [office(id), custodian(id)]);
        let persons = (1..8).map(patient_key).chain((10..16).map(actor_key));
        let keys = orgs.chain(persons).map(|key| (key.public(), key));
        let model = Model {
            now: Plain::of(&genesis, [0x5a; 32]),
            histories: BTreeMap::new(),
        };
        let mut run = Self {
            chain: Chain::of(&genesis),
            model,
            ring: keys.collect(),
            unique: 0,
            reached: BTreeMap::new(),
        };
        let id = genesis.chain_id();
        let mut provisional = enrol_patient(&run.chain.head, 5);
        provisional.agreement = None;
        let mut child = enrol_child(&run.chain.head, 4);
        child.minor_consent_from = Some(tries::MONTHS[1]);
        child.agreement = Some(patient_key(4).sign(&child.to_agree(&id)));
        let practitioners = [
            (10, 1, &["doctor"][..]),
            (11, 2, &["doctor"]),
            (12, 1, &["doctor", "emergency"]),
            (13, 1, &["privacy"]),
        ];
        let mut first: Vec<(Who, Body)> = vec![
            (Who::Office(1), enrol_patient(&run.chain.head, 1).into()),
            (Who::Office(1), enrol_patient(&run.chain.head, 2).into()),
            (Who::Office(2), child.into()),
            (Who::Office(2), provisional.into()),
        ];
        first.extend(practitioners.map(|(actor, of, roles)| {
            let body = enrol_practitioner(id, actor, of, roles);
            (Who::Office(of), body.into())
        }));
        run.fill(first);
        run.chain.now += DELAY;
        let now = run.chain.now;
        let records = [(20, 1, 10), (21, 2, 10), (22, 4, 11), (23, 1, 11)];
        let records = records.map(|(id, owner, by)| {
            let mut body = record(id, owner, now);
            body.release_at = (id == 23).then_some(Time(now + 10_000));
            (Who::Practitioner(by), body.into())
        });
        let grants = [(1, 11), (2, 11), (4, 10)];
        let grants = grants.map(|(owner, to)| {
            let body = directive(owner, grant(to, None)).into();
            (Who::Patient(owner), body)
        });
        let guardian = GuardianAppointed {
            patient: patient(4),
            guardian: actor(10),
            ground: Ground::Minority,
            window: Window::ALWAYS,
            countersignature: None,
        };
        let private = Relabelled {
            records: vec![],
            directives: vec![],
            private: Some(Set::one(access::symbol([6; 16]))),
        };
        let of_child = [
            (Who::Office(2), guardian.into()),
            (Who::Patient(4), private.into()),
        ];
        run.fill(records.into_iter().chain(grants).chain(of_child).collect());
        run
    }

    /// A block of what is certainly admitted.
    fn fill(&mut self, bodies: Vec<(Who, Body)>) {
        let filled = self.block(1_000, |run| {
            let sent = bodies.into_iter().map(|(by, body)| {
                let key = run.key_of(by);
                let seq = run.model.now.keys[&key.public()].seq + 1;
                let body = run.countersigned(&key, 0, body);
                let sent = run.sign(&(key, seq, body), 0);
                run.model.apply(&sent).unwrap();
                (sent.signed, Ok(()))
            });
            sent.collect()
        });
        filled.unwrap();
    }

    fn sign(&self, prepared: &Prepared, spoil: u8) -> Sent {
        let (mut key, mut transaction) = (prepared.0.clone(), self.transaction(prepared));
        match spoil {
            1 => transaction.version = 2,
            2 => transaction.chain.0[0] ^= 1,
            3 => transaction.expires = self.model.now.height - 1,
            4 => key = Key::new("nobody"),
            5 => transaction.seq = prepared.1 - 1,
            6 => transaction.body = ask(1, &[20; 9_000], "TREAT").into(),
            // The first key that whoever signs ever had.
            9 => {
                let keys = &self.model.now.keys;
                let holder = keys.get(&key.public()).map(|one| one.holder);
                let mut old = keys.iter().filter(|(_, one)| one.revoked);
                let old = old.find(|(_, one)| Some(one.holder) == holder);
                let old = old.and_then(|(old, _)| self.ring.get(old).cloned());
                key = old.unwrap_or(key);
            }
            _ => {}
        }
        transaction.actor_key = key.public();
        let mut signed = transaction.sign(|message| key.sign(message));
        match spoil {
            7 => signed.bytes.push(0),
            8 => signed.signature.0[0] ^= 1,
            _ => {}
        }
        Sent {
            signed,
            transaction,
            is_garbled: spoil == 7,
            is_forged: spoil == 8,
        }
    }

    /// One block of what `fill` sends, in the chain and in the model.
    fn block(
        &mut self,
        after_ms: u64,
        fill: impl FnOnce(&mut Self) -> Vec<(SignedTransaction, Result<(), u8>)>,
    ) -> Result<(), TestCaseError> {
        self.chain.now += after_ms;
        let (height, time) = (self.chain.head.height() + 1, self.chain.now);
        self.model.begin_block(height, time);
        let sent = fill(self);
        self.model.now.end_block();

        let candidates = sent.iter().map(|(signed, _)| signed.clone());
        let proposed = propose(&self.chain.head, Time(time), candidates);
        let admitted = proposed
            .block
            .transactions
            .iter()
            .map(SignedTransaction::id);
        let expected = sent
            .iter()
            .filter(|(_, is)| is.is_ok())
            .map(|(one, _)| one.id());
        let rejected: Vec<_> = proposed
            .rejected
            .iter()
            .map(|(id, why)| (*id, why.rule()))
            .collect();
        let refused = sent.iter().filter_map(|(one, is)| {
            let rule = is.err()?;
            Some((one.id(), format!("CS-LED-{rule:02}")))
        });
        let refused: Vec<_> = refused.collect();
        let refused: Vec<_> = refused
            .iter()
            .map(|(id, rule)| (*id, rule.as_str()))
            .collect();
        prop_assert_eq!(rejected, refused);
        prop_assert_eq!(admitted.collect::<Vec<_>>(), expected.collect::<Vec<_>>());

        let executed = execute(&self.chain.head, &proposed.block).unwrap();
        self.chain
            .store
            .commit(&Commit::new(&proposed.block, &executed))
            .unwrap();
        for receipt in &executed.receipts {
            if let Effect::Decided(decided) = &receipt.effect {
                for outcome in &decided.records {
                    self.count(format!("decision {}", outcome.code));
                }
            }
        }
        self.chain.head = executed.overlay;
        self.compare()
    }

    /// The state has the model's values and no others, and so its root; histories, its entries.
    fn compare(&self) -> Result<(), TestCaseError> {
        let values = self.model.now.values(&self.model.histories);
        let found = self.chain.head.map();
        let missing = values
            .iter()
            .filter(|(key, value)| found.get(key) != Some(&value[..]));
        let more = found.iter().filter(|(key, _)| !values.contains_key(key));
        let differing: Vec<_> = missing.map(|(_, value)| value.clone()).collect();
        let more: Vec<_> = more.map(|(_, value)| value.to_vec()).collect();
        prop_assert_eq!((differing, more), (vec![], vec![]));
        let plain = values.into_iter().map(|(key, value)| (key, Some(value)));
        let root = Map::new().update(plain.collect()).root();
        prop_assert_eq!(self.chain.head.head().state_root, root);
        // Whose histories there are is read off the keys, so that none is left out of a store or snapshot.
        let holders = self.model.now.keys.values().map(|key| key.holder);
        let holders: BTreeSet<_> = holders.flat_map(subjects_of).collect();
        for (subject, entries) in &self.model.histories {
            prop_assert_eq!(&self.chain.history(*subject), entries);
            prop_assert!(holders.contains(subject), "{:?}", subject);
        }
        Ok(())
    }

    fn count(&mut self, what: String) {
        *self.reached.entry(what).or_default() += 1;
    }

    /// Everything that is tried in one block.
    fn attempt(&mut self, tries: &[Try]) -> Vec<(SignedTransaction, Result<(), u8>)> {
        let mut sent = Vec::new();
        for one in tries {
            for prepared in self.prepare(one) {
                let one_sent = self.sign(&prepared, one.spoil);
                let is_admitted = self.model.apply(&one_sent);
                match is_admitted {
                    Ok(()) => {
                        self.count(format!("admitted {}", name_of(&one_sent.transaction.body)));
                    }
                    Err(rule) => self.count(format!("CS-LED-{rule:02}")),
                }
                self.count("transactions".into());
                sent.push((one_sent.signed, is_admitted));
            }
        }
        sent
    }
}

/// Whose histories a key's holder has.
fn subjects_of(holder: Holder) -> Vec<Subject> {
    let actor = Subject::Actor(holder.actor());
    match holder {
        Holder::Patient(patient) => vec![actor, Subject::Patient(patient)],
        _ => vec![actor],
    }
}

/// The variant's name.
fn name_of(body: &Body) -> String {
    let text = format!("{body:?}");
    text.split('(').next().unwrap().into()
}

fn is_long() -> bool {
    std::env::var_os("CHARTSEAL_LONG").is_some()
}

/// Each body by its name.
const BODIES: [&str; 37] = [
    "OrganizationEnrolled",
    "PractitionerEnrolled",
    "PatientEnrolled",
    "KeyRotated",
    "KeyRevoked",
    "RecordAdded",
    "DepositAcknowledged",
    "Relabelled",
    "DirectiveIssued",
    "EmergencyDeclared",
    "EmergencyReviewed",
    "AccessRequested",
    "Released",
    "Erased",
    "Destroyed",
    "SlotAdded",
    "SlotRemoved",
    "Redealt",
    "RedealAcknowledged",
    "GuardianAppointed",
    "GuardianRemoved",
    "QuorumSet",
    "QuorumGranted",
    "StatusChanged",
    "RecoveryPlanned",
    "RecoveryStarted",
    "RecoveryVetoed",
    "RecoveryCompleted",
    "Adopted",
    "DuplicateOf",
    "Disputed",
    "DisputeAnswered",
    "HoldPlaced",
    "HoldLifted",
    "PractitionerReinstated",
    "CommitteeChanged",
    "CustodianReplaced",
];

const DECISIONS: [&str; 18] = [
    "self",
    "guardian",
    "granted",
    "emergency",
    "malformed",
    "not_visible",
    "release_delayed",
    "minor_no_capacity",
    "actor_standing",
    "minor_private",
    "law",
    "restricted",
    "no_grant",
    "emergency_not_declared",
    "emergency_role",
    "emergency_read_only",
    "restricted_absolute",
    "emergency_review_overdue",
];

#[test]
fn the_chain_admits_refuses_decides_and_enters_exactly_what_the_model_does() {
    let cases = if is_long() { 10_000 } else { 400 };
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let block = (
        prop::sample::select(vec![0u64, 1_000, 1_000, 1_000, 2_500]),
        prop::collection::vec(attempt(), 1..8),
    );
    let blocks = (
        prop::bool::weighted(0.9),
        prop::collection::vec(block, 1..50),
    );
    let all = RefCell::new(BTreeMap::<String, u64>::new());
    let result = runner.run(&blocks, |(has_emergencies, blocks)| {
        let mut run = Run::new(has_emergencies);
        for (after_ms, tries) in &blocks {
            run.block(*after_ms, |run| run.attempt(tries))?;
        }
        for (what, count) in run.reached {
            *all.borrow_mut().entry(what).or_default() += count;
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let all = all.into_inner();
    for (what, count) in &all {
        println!("{count:>9}  {what}");
    }
    let rules = (1..=79)
        .chain(100..=107)
        .map(|rule| format!("CS-LED-{rule:02}"));
    let bodies = BODIES.map(|name| format!("admitted {name}"));
    let decisions = DECISIONS.map(|code| format!("decision {code}"));
    let least = u64::from(cases / 50);
    let rare: Vec<_> = rules
        .chain(bodies)
        .chain(decisions)
        .map(|what| (all.get(&what).copied().unwrap_or(0), what))
        .filter(|(count, _)| *count < least)
        .collect();
    assert_eq!(rare, vec![], "reached too seldom");
}
