//! What people do.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_consensus::PoolError;
use chartseal_envelope::{Dealing, KemKeyPair, Suite, accept, combine_all, deal_with_rng};
use chartseal_ledger::body::{DirectiveIssued, Erased};
use chartseal_policy::{Grant, Grantee, Purpose, Revocation, Set, Symbol, Terms};
use chartseal_wire::{RecordId, TxId};

use super::agreed::Kept as _;
use super::model::{Asked, Filed, Given};
use super::people::{Coins, DOCTORS, OFFICE_AT, PATIENT_AT, VALIDATORS, doctor, node_keys};
use super::world::World;
use crate::fixture::{Chain, PATIENT, info_of, reading};
use crate::lies;

/// Categories of records.
pub(super) const LABELS: u8 = 3;
/// How many custodians open a record.
pub(super) const T: usize = 3;
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
        let mut coins = Coins(&mut self.rng);
        let sealed = Chain::seal_with(&info, &self.people[0].keys, &mut coins);
        let kem = (0..VALIDATORS).map(|at| node_keys(at).kem.public_key().clone());
        let kem: Vec<_> = kem.collect();
        let deals = deal_with_rng(&[&sealed.dealer], &kem, &mut coins).unwrap();
        let dealing = Dealing::initial(&sealed.envelope.front.header);
        let leaked = self.liar.map(|at| {
            let index = deals[at].index();
            accept(&node_keys(at).kem, index, &dealing, &deals[at]).unwrap()
        });
        let tx = self.people[0].sends(self.genesis.chain_id(), sealed.anchor);
        let filed = Filed {
            dealing,
            label,
            tx,
            erased_by: None,
            sealed: sealed.envelope,
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
        let until = self.now + self.rng.range(20_000, 600_000);
        // Else nobody is late who does not know of the revocation.
        let mut behind = self.behind.iter();
        if behind.any(|which| self.model.asked[*which].doctor == to) {
            return;
        }
        if !labels.is_empty() {
            self.give(to, labels, until);
        }
    }

    pub(super) fn give(&mut self, to: usize, labels: BTreeSet<u8>, until: u64) {
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

    /// The patient revokes everything of a doctor who was served lately. Gives a custodian that served them: if it hears of
    /// nothing any more, it does not know.
    pub(super) fn revoke_behind(&mut self) -> Option<usize> {
        let asked = self.model.asked.iter().rev();
        let mut served = asked.flat_map(|asked| {
            let honest = asked.releases.keys().filter(|at| Some(**at) != self.liar);
            honest.map(|at| (asked.doctor, *at))
        });
        let (to, alone) = served.next()?;
        for at in 0..self.model.grants.len() {
            let grant = &self.model.grants[at];
            if grant.doctor == to && grant.revoked_by.is_none() {
                self.revoke_grant(at);
            }
        }
        let asked = self.model.asked.iter().enumerate().rev();
        let served = asked.filter(|(_, it)| it.doctor == to && it.releases.contains_key(&alone));
        self.behind = served.map(|(which, _)| which).take(5).collect();
        Some(alone)
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
        let live = self.model.live();
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

    pub(super) fn request_of(&mut self, by: usize, records: Vec<RecordId>) -> usize {
        let reader = KemKeyPair::generate_with_rng(Suite::XWing, &mut Coins(&mut self.rng));
        let body = reading(&records, &reader);
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
        if let Some((alone, _)) = self.alone.filter(|_| !self.behind.is_empty()) {
            let which = *self.rng.choose(&self.behind);
            self.ask_of(which, alone);
        }
        self.fetch(which);
    }

    /// Combines what a reader has. What opens has a final permit, and the receipts of those who gave its shares.
    pub(super) fn combine(&mut self, which: usize) {
        let asked = &self.model.asked[which];
        if asked.keys.len() == asked.records.len() {
            return;
        }
        let releases = lies::theirs(&asked.releases);
        // All of a request at once: items of a release open in their order.
        let dealings = asked
            .records
            .iter()
            .map(|record| &self.model.filed[record].dealing);
        let dealings: Vec<&Dealing> = dealings.collect();
        let combined = combine_all(&asked.reader, asked.id(), &dealings, &releases);
        let mut keys = Vec::new();
        for (place, (record, combined)) in asked.records.iter().zip(combined).enumerate() {
            self.tally.named += lies::check_named(&asked.releases, place, &combined);
            if let Ok(combined) = combined
                && !asked.keys.contains_key(record)
            {
                keys.push((*record, combined.key));
            }
        }
        let silent = lies::silent(&asked.releases, |at| self.liar == Some(at));
        for (record, key) in keys {
            let asked = &self.model.asked[which];
            let request = self.newest.state().request(&asked.tx);
            let request = request.unwrap_or_else(|| panic!("a key without a request"));
            assert!(request.permit(&record).is_some(), "a key without a permit");
            assert_eq!(request.actor, doctor(asked.doctor));
            let receipts = self.model.receipts_for(which, &record);
            assert!(receipts >= T - silent, "{receipts} receipts");
            self.tally.opened += 1;
            self.model.asked[which].keys.insert(record, key);
        }
    }

    /// A reader with keys fetches ciphertexts, wherever there is one. The liar serves another one.
    pub(super) fn fetch(&mut self, which: usize) {
        let author = self.people[0].keys.verifying_key();
        let asked = &self.model.asked[which];
        let mut read = Vec::new();
        for (record, key) in asked.keys.iter().filter(|(it, _)| !asked.read.contains(it)) {
            for at in 0..VALIDATORS {
                if self.unreachable[asked.doctor][at] {
                    continue;
                }
                if self.liar == Some(at) {
                    let mut others = self.model.filed.iter().filter(|(it, _)| *it != record);
                    let other = others.next().map(|(_, filed)| &filed.sealed);
                    let sealed = &self.model.filed[record].sealed;
                    let altered = lies::altered(sealed, other, self.lies.next());
                    assert!(!lies::read(&altered, &author, key), "{record}");
                    self.tally.altered += 1;
                    continue;
                }
                let envelope = self.up[at].as_ref().and_then(|up| {
                    let asked = up.process.ask(|node| node.envelope(&asked.tx, record));
                    asked.unwrap().ok()
                });
                let Some(envelope) = envelope else {
                    continue;
                };
                self.model.check_given(which, record, self.moment(at));
                assert!(lies::read(&envelope, &author, key), "{record}");
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
}
