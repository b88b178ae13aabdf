use alloc::string::ToString;
use alloc::vec::Vec;

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_merkle::{Frontier, Map};
use chartseal_wire::{BlockHeader, Entry, Hash, Subject, Time};

use super::reload::{check_state, missing, read_log, read_state, wrong_counts, wrong_length};
use super::{Counts, Damage, Kept, LedgerStore, ReloadError, Table, TxPlace};
use crate::state::{Shared, State};
use crate::transaction::SignedTransaction;

/// The most damages that a verification lists.
pub const MAX_DAMAGE: usize = 1_000;

/// How many entries of a history are read from a store at a time.
const ENTRIES_AT_ONCE: usize = 256;

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The table that it is at: first the headers, then the state, blocks and histories.
    pub table: Table,
    /// The rows that are done.
    pub done: u64,
    /// All of them.
    pub of: u64,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The head's height.
    pub height: u64,
    /// From which heights on there were transactions and leaf hashes to look at.
    pub kept: Kept,
    /// What was looked at.
    pub counts: Counts,
    /// What is damaged and where, [`MAX_DAMAGE`] at most; empty if nothing is.
    pub damage: Vec<Damage>,
}

/// Reads everything that a store has, and compares it with what the headers and the state name: what
/// [`reload`](super::reload) compares, and each transaction, each pruned one's leaf hash, where each
/// transaction is, and each entry of each history that the state names; and
/// what the store keeps beside these. It goes on after damage.
///
/// It takes the head's word: whether that header is the chain's is for who has a certificate of it.
/// [`replay`](super::replay) from genesis computes the receipts anew, which no store keeps.
///
/// # Errors
/// [`ReloadError::Empty`] without blocks, [`ReloadError::Store`] if not even the newest header can be read.
pub fn verify<S: LedgerStore>(
    store: &S,
    mut progress: impl FnMut(Progress),
) -> Result<Verified, ReloadError<S::Error>> {
    let head = store.head().map_err(ReloadError::Store)?;
    let head = head.ok_or(ReloadError::Empty)?;
    let kept = store.kept().map_err(ReloadError::Store)?;
    let of = head.height.saturating_add(1);
    let mut times = Vec::new();
    let log = read_log(store, &head, |header| {
        times.push(header.time);
        progress(Progress {
            table: Table::Headers,
            done: times.len() as u64,
            of,
        });
    });
    let mut run = Run {
        store,
        progress,
        times,
        found: Verified {
            height: head.height,
            kept,
            ..Verified::default()
        },
    };
    match log {
        Ok((_, log)) => run.found.counts.headers = log.size(),
        Err(error) => run.note_error(Table::Headers, error),
    }
    match wrong_counts(store, &head) {
        Ok(wrong) => wrong.into_iter().for_each(|damage| run.note(damage)),
        Err(error) => run.unreadable(Table::Headers, None, &error),
    }
    let state = run.state(&head);
    for height in kept.leaves_from.min(of)..of {
        run.transactions(height);
        run.progress(
            Table::Blocks,
            height - kept.leaves_from + 1,
            of - kept.leaves_from,
        );
    }
    if let Some(state) = state {
        run.histories(&state);
        run.beside(&state);
    }
    run.compare_counts();
    Ok(run.found)
}

struct Run<'a, S, P> {
    store: &'a S,
    progress: P,
    /// The times of the headers, as far as they are right.
    times: Vec<Time>,
    found: Verified,
}

impl<S: LedgerStore, P: FnMut(Progress)> Run<'_, S, P> {
    fn progress(&mut self, table: Table, done: u64, of: u64) {
        (self.progress)(Progress { table, done, of });
    }

    fn note(&mut self, damage: Damage) {
        if self.found.damage.len() < MAX_DAMAGE {
            self.found.damage.push(damage);
        }
    }

    fn unreadable(&mut self, table: Table, height: Option<u64>, error: &S::Error) {
        self.note(Damage::Unreadable {
            table,
            height,
            why: error.to_string(),
        });
    }

    fn note_error(&mut self, table: Table, error: ReloadError<S::Error>) {
        match error {
            ReloadError::Damaged(damage) => self.note(damage),
            ReloadError::Store(error) => self.unreadable(table, None, &error),
            ReloadError::Empty => {}
        }
    }

    /// The state as it was read, be it the right one or not.
    fn state(&mut self, head: &BlockHeader) -> Option<Map> {
        match read_state(self.store) {
            Ok(state) => {
                if let Err(damage) = check_state(&state, head) {
                    self.note(damage);
                }
                self.found.counts.state = state.len() as u64;
                self.progress(Table::State, state.len() as u64, state.len() as u64);
                Some(state)
            }
            Err(error) => {
                self.note_error(Table::State, error);
                None
            }
        }
    }

    /// A block's transactions, or what is left of them.
    fn transactions(&mut self, height: u64) {
        // A header that can't be read is noted already.
        let header = self.store.header(height).ok().flatten();
        let Some(header) = header.and_then(|bytes| from_bytes::<BlockHeader>(&bytes).ok()) else {
            return;
        };
        if height < self.found.kept.blocks_from {
            match self.store.leaves(height) {
                Ok(Some(leaves)) => {
                    self.found.counts.pruned += 1;
                    self.tx_root(Table::Leaves, &header, leaves.into_iter());
                }
                Ok(None) => {}
                Err(error) => self.unreadable(Table::Leaves, Some(height), &error),
            }
            return;
        }
        match self.store.block(height) {
            Ok(Some(block)) => {
                self.found.counts.blocks += 1;
                let leaves = block.transactions.iter().map(SignedTransaction::leaf);
                self.tx_root(Table::Blocks, &header, leaves);
                self.places(height, &block.transactions);
            }
            Ok(None) => self.note(Damage::MissingBlock { height }),
            Err(error) => self.unreadable(Table::Blocks, Some(height), &error),
        }
    }

    fn tx_root(&mut self, table: Table, header: &BlockHeader, leaves: impl Iterator<Item = Hash>) {
        let mut tree = Frontier::new();
        leaves.for_each(|leaf| tree.append(leaf));
        if tree.root() != header.tx_root {
            let height = header.height;
            self.note(Damage::TxRoot { table, height });
        }
    }

    fn places(&mut self, height: u64, transactions: &[SignedTransaction]) {
        for (index, transaction) in (0..).zip(transactions) {
            self.found.counts.transactions += 1;
            match self.store.transaction(&transaction.id()) {
                Ok(Some(place)) if place == TxPlace { height, index } => {}
                Ok(_) => self.note(Damage::TxPlace { height, index }),
                Err(error) => self.unreadable(Table::Transactions, Some(height), &error),
            }
        }
    }

    fn histories(&mut self, state: &Map) {
        let subjects = match self.store.subjects() {
            Ok(subjects) => subjects,
            Err(error) => return self.unreadable(Table::Histories, None, &error),
        };
        for damage in missing(state, &subjects, MAX_DAMAGE) {
            self.note(damage);
        }
        let of = subjects.len() as u64;
        for (done, subject) in (1..).zip(&subjects) {
            self.found.counts.histories += 1;
            let checked = wrong_length(self.store, state, subject).and_then(|wrong| {
                if let Some(damage) = wrong {
                    self.note(damage);
                }
                self.entries(state, subject)
            });
            if let Err(error) = checked {
                self.unreadable(Table::Histories, None, &error);
            }
            self.progress(Table::Histories, done, of);
        }
    }

    fn entries(&mut self, state: &Map, subject: &Subject) -> Result<(), S::Error> {
        let mut frontier = Frontier::new();
        let (mut wrong, mut before, mut other_time) = (None, 0, None);
        loop {
            let size = frontier.size();
            let read = self.store.history(subject, size, ENTRIES_AT_ONCE)?;
            if read.is_empty() {
                break;
            }
            for (index, bytes) in (size..).zip(&read) {
                frontier.append(Entry::leaf(bytes));
                let entry = from_bytes::<Entry>(bytes).ok();
                let in_order = before..=self.found.height;
                let Some(entry) = entry.filter(|entry| in_order.contains(&entry.height)) else {
                    wrong = wrong.or(Some(index));
                    continue;
                };
                before = entry.height;
                let at = usize::try_from(entry.height).unwrap_or(usize::MAX);
                if self.times.get(at).is_some_and(|time| *time != entry.time) {
                    other_time = other_time.or(Some(entry.height));
                }
            }
        }
        self.found.counts.entries += frontier.size();
        if state.get(&subject.slot()) != Some(to_bytes(&frontier).as_slice()) {
            self.note(Damage::History {
                subject: *subject,
                index: wrong,
            });
        } else if let Some(height) = other_time {
            // The state vouches for the entry, and nothing yet for the newest header's time.
            let damage = Damage::BadHeader { height };
            if !self.found.damage.contains(&damage) {
                self.note(damage);
            }
        }
        Ok(())
    }

    fn beside(&mut self, state: &Map) {
        // Without parameters the state is noted as damaged already.
        let Some(shared) = Shared::of(state) else {
            return;
        };
        match self.store.damage_beside(&State::of(state, &shared)) {
            Ok(damage) => damage.into_iter().for_each(|one| self.note(one)),
            Err(error) => self.unreadable(Table::Certificates, None, &error),
        }
    }

    /// What was looked at is all that there is.
    fn compare_counts(&mut self) {
        let rows = match self.store.counts() {
            Ok(rows) => rows,
            Err(error) => return self.unreadable(Table::Headers, None, &error),
        };
        let seen = self.found.counts;
        let compared = [
            (Table::Transactions, seen.transactions, rows.transactions),
            (Table::State, seen.state, rows.state),
            (Table::Histories, seen.histories, rows.histories),
            (Table::Histories, seen.entries, rows.entries),
        ];
        for (table, expected, found) in compared {
            if expected != found {
                self.note(Damage::Count {
                    table,
                    expected,
                    found,
                });
            }
        }
    }
}
