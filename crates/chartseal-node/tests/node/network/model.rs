//! Who may read what, in plain words; and of the chain what that rests on, as it was first seen.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_envelope::{
    ContentKey, Deal, Dealing, HeldShare, KemKeyPair, RequestId as EnvelopeRequest,
};
use chartseal_ledger::{Block, Body, State};
use chartseal_node::keys::public;
use chartseal_node::{Envelope, MAX_LAG_MS};
use chartseal_wire::{RecordId, TxId};

use super::people::{VALIDATORS, node_keys};
use crate::lies::Given as Releases;

/// A grant.
pub(super) struct Given {
    pub(super) doctor: usize,
    pub(super) labels: BTreeSet<u8>,
    pub(super) until: u64,
    pub(super) tx: TxId,
    pub(super) revoked_by: Option<TxId>,
}

/// A request, with its reader's key and what custodians gave so far.
pub(super) struct Asked {
    pub(super) doctor: usize,
    pub(super) tx: TxId,
    pub(super) reader: KemKeyPair,
    pub(super) records: Vec<RecordId>,
    /// Whether the chain's decision was looked at.
    pub(super) is_decided: bool,
    pub(super) releases: Releases,
    /// Keys that reached the reader.
    pub(super) keys: BTreeMap<RecordId, ContentKey>,
    /// Records whose ciphertext was fetched and opened.
    pub(super) read: BTreeSet<RecordId>,
}

impl Asked {
    pub(super) fn id(&self) -> EnvelopeRequest {
        EnvelopeRequest(self.tx.0)
    }
}

/// A record.
pub(super) struct Filed {
    pub(super) dealing: Dealing,
    pub(super) label: u8,
    pub(super) tx: TxId,
    pub(super) erased_by: Option<TxId>,
    /// What the author keeps until all custodians have acknowledged, and when each was last sent its part.
    pub(super) sealed: Envelope,
    pub(super) deals: Vec<Deal>,
    pub(super) sent: [u64; VALIDATORS],
    /// The share of the custodian that gives it to anybody.
    pub(super) leaked: Option<HeldShare>,
}

/// Where a final transaction is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) height: u64,
    /// Its block's time, and when an honest validator was first seen to have it, in ms.
    time: u64,
    seen: u64,
}

/// A custodian that gives something out: which, in which state, by which clock.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: usize,
    pub(super) height: u64,
    pub(super) own: u64,
    pub(super) now: u64,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) places: BTreeMap<TxId, Place>,
    /// At which height whose receipt for what became final.
    pub(super) receipts: BTreeMap<(TxId, RecordId, usize), u64>,
    pub(super) height: u64,
    pub(super) grants: Vec<Given>,
    pub(super) asked: Vec<Asked>,
    pub(super) filed: BTreeMap<RecordId, Filed>,
    pub(super) window_ms: u64,
    pub(super) skew_ms: u64,
}

impl Model {
    /// Notes a block that nobody was seen to have before.
    pub(super) fn note(&mut self, block: &Block, seen: u64) {
        let (height, time) = (block.header.height, block.header.time.0);
        self.height = height;
        for signed in &block.transactions {
            self.places
                .insert(signed.id(), Place { height, time, seen });
            let transaction = signed.parse().unwrap();
            let Body::Released(released) = transaction.body else {
                continue;
            };
            let is_theirs = |at: &usize| public(&node_keys(*at).custodian) == transaction.actor_key;
            let at = (0..VALIDATORS).find(is_theirs).unwrap();
            for record in released.records {
                let key = (released.request, record, at);
                self.receipts.entry(key).or_insert(height);
            }
        }
    }

    /// The records that are filed, and which nobody is about to erase.
    pub(super) fn live(&self) -> Vec<RecordId> {
        let filed = self.filed.iter();
        let live = filed.filter(|(_, filed)| {
            filed.erased_by.is_none() && self.is_final(Some(filed.tx), self.height)
        });
        live.map(|(record, _)| *record).collect()
    }

    /// Whether a transaction is final at a height.
    pub(super) fn is_final(&self, tx: Option<TxId>, height: u64) -> bool {
        let place = tx.and_then(|tx| self.places.get(&tx));
        place.is_some_and(|place| place.height <= height)
    }

    /// Whether somebody may read a category, as of a height and a time.
    fn may_read(&self, doctor: usize, label: u8, height: u64, now: u64) -> bool {
        self.allows(doctor, label, (height, height), now)
    }

    /// The same, by grants up to one height and revocations up to another.
    fn allows(&self, doctor: usize, label: u8, (granted, revoked): (u64, u64), now: u64) -> bool {
        self.grants.iter().any(|grant| {
            grant.doctor == doctor
                && grant.labels.contains(&label)
                && self.is_final(Some(grant.tx), granted)
                && !self.is_final(grant.revoked_by, revoked)
                && now < grant.until
        })
    }

    /// The chain decided a request as this model would. What shares its block may count or not.
    pub(super) fn check_decision(&mut self, which: usize, state: State<'_>) {
        let asked = &self.asked[which];
        let Some(Place { height, time, .. }) = self.places.get(&asked.tx).copied() else {
            return;
        };
        let decided = state.request(&asked.tx);
        for record in &asked.records {
            let filed = &self.filed[record];
            let is_permitted = decided
                .as_ref()
                .is_some_and(|it| it.permit(record).is_some());
            let allowed = |granted, revoked| {
                self.is_final(Some(filed.tx), granted)
                    && !self.is_final(filed.erased_by, revoked)
                    && self.allows(asked.doctor, filed.label, (granted, revoked), time)
            };
            let is_possible = allowed(height, height - 1);
            assert!(is_possible || !is_permitted, "{record} is permitted");
            let is_certain = allowed(height - 1, height);
            assert!(is_permitted || !is_certain, "{record} is not permitted");
        }
        self.asked[which].is_decided = true;
    }

    /// The record that a header is of.
    pub(super) fn record_of(&self, header: [u8; 32]) -> RecordId {
        let of_it = |(_, filed): &(&RecordId, &Filed)| filed.dealing.header().0 == header;
        *self.filed.iter().find(of_it).unwrap().0
    }

    /// An honest custodian gives its share of a record, or its ciphertext. Whether it does not know yet what is final.
    pub(super) fn check_given(&self, which: usize, record: &RecordId, moment: Moment) -> bool {
        let (asked, filed) = (&self.asked[which], &self.filed[record]);
        let Moment {
            at,
            height,
            own,
            now,
        } = moment;
        let decided = self.places.get(&asked.tx);
        let decided = decided.filter(|place| place.height <= height);
        let decided = decided.unwrap_or_else(|| panic!("{record} is given before the decision"));
        assert!(
            own < decided.time + self.window_ms,
            "{record} is given after the permit's window"
        );
        assert!(
            !self.is_final(filed.erased_by, height),
            "{record} is given after its erasure was applied"
        );
        assert!(
            self.may_read(asked.doctor, filed.label, height, own),
            "{record} is given by {at} after a revocation was applied, or expired"
        );
        // Erased or revoked, and it does not know yet: then not for long.
        let erased = filed.erased_by.and_then(|tx| self.places.get(&tx));
        let revoked = (!self.may_read(asked.doctor, filed.label, self.height, own)).then(|| {
            let counts = self.grants.iter().filter(|grant| {
                grant.doctor == asked.doctor
                    && grant.labels.contains(&filed.label)
                    && self.is_final(Some(grant.tx), height)
                    && own < grant.until
            });
            let ends = counts.filter_map(|grant| self.places.get(&grant.revoked_by?));
            ends.max_by_key(|place| place.seen).unwrap()
        });
        let first = erased.into_iter().chain(revoked).map(|place| place.seen);
        let Some(last) = first.min() else {
            return false;
        };
        assert!(
            now <= last + MAX_LAG_MS + 2 * self.skew_ms,
            "{record} is given {} ms after a revocation is final",
            now - last
        );
        true
    }

    /// An honest custodian gives its share: its receipt is in its own chain.
    pub(super) fn check_receipt(&self, which: usize, record: &RecordId, moment: Moment) {
        let receipt = (self.asked[which].tx, *record, moment.at);
        let found = self.receipts.get(&receipt);
        assert!(
            found.is_some_and(|height| *height <= moment.height),
            "{record} is released before the receipt of {} is final",
            moment.at
        );
    }

    /// Whose receipts for a record of a request are final.
    pub(super) fn receipts_for(&self, which: usize, record: &RecordId) -> usize {
        let has = |at: &usize| {
            let receipt = (self.asked[which].tx, *record, *at);
            self.receipts.contains_key(&receipt)
        };
        (0..VALIDATORS).filter(has).count()
    }
}
