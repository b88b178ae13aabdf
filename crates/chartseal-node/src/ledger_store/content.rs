//! Everything that a store answers, whatever chain it holds.

use chartseal_ledger::store::{Counts, Kept, LedgerStore, verify};
use chartseal_merkle::MapKey;
use chartseal_wire::{Certificate, Hash, Subject};

use super::RedbLedger;

#[derive(Debug, PartialEq)]
pub(super) struct Whole {
    kept: Kept,
    counts: Counts,
    headers: Vec<Vec<u8>>,
    leaves: Vec<Vec<Hash>>,
    state: Vec<(MapKey, Vec<u8>)>,
    histories: Vec<(Subject, Vec<Vec<u8>>)>,
    certificates: Vec<(u64, Certificate)>,
}

impl Whole {
    /// What is read back; nothing of it is damaged.
    pub(super) fn of(ledger: &RedbLedger) -> Self {
        let (kept, counts) = (ledger.kept().unwrap(), ledger.counts().unwrap());
        if counts.headers > 0 {
            assert_eq!(verify(ledger, |_| ()).unwrap().damage, []);
        }
        let headers = (0..counts.headers).map(|at| ledger.header(at).unwrap().unwrap());
        let leaves = kept.leaves_from..counts.headers;
        let histories = ledger.subjects().unwrap().into_iter();
        Self {
            kept,
            counts,
            headers: headers.collect(),
            leaves: leaves
                .map(|at| ledger.leaves(at).unwrap().unwrap())
                .collect(),
            state: ledger.state().unwrap(),
            histories: histories
                .map(|one| (one, ledger.history(&one, 0, usize::MAX).unwrap()))
                .collect(),
            certificates: ledger.certificates().unwrap(),
        }
    }
}
