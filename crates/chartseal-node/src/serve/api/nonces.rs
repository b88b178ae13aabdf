//! That a signed question is answered once.

use std::collections::BTreeSet;

use chartseal_wire::{PublicKey, Time};

/// For how long a nonce is remembered at least, in ms: twice the window in which a question is taken.
const REMEMBERED_MS: u64 = 120_000;
/// How many are remembered at a time: as many as a hundred keys can bring at their rate.
const MOST: usize = 262_144;

/// The nonces of questions that were taken, and no question from before: what was asked then is not known any more.
#[derive(Debug)]
pub(super) struct Nonces {
    begun: Time,
    /// When `new` was begun. What it holds then is `old`, and what was `old` is forgotten.
    since: Time,
    new: BTreeSet<(PublicKey, [u8; 16])>,
    old: BTreeSet<(PublicKey, [u8; 16])>,
}

/// Why a question is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It came before.
    Before,
    /// It was made before this node could have remembered that.
    Early,
    /// Too many are asked at a time.
    Full,
}

impl Nonces {
    pub(super) fn new(now: Time) -> Self {
        Self {
            begun: now,
            since: now,
            new: BTreeSet::new(),
            old: BTreeSet::new(),
        }
    }

    /// Takes the nonce of a question that was made `at` a time, once.
    pub(super) fn take(
        &mut self,
        key: PublicKey,
        nonce: [u8; 16],
        at: Time,
        now: Time,
    ) -> Result<(), Taken> {
        if at < self.begun {
            return Err(Taken::Early);
        }
        if now.0.saturating_sub(self.since.0) > REMEMBERED_MS {
            self.old = std::mem::take(&mut self.new);
            self.since = now;
        }
        let one = (key, nonce);
        if self.old.contains(&one) || self.new.contains(&one) {
            return Err(Taken::Before);
        }
        if self.old.len() + self.new.len() >= MOST {
            return Err(Taken::Full);
        }
        self.new.insert(one);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_taken_once_for_as_long_as_its_question_might_be() {
        let key = |byte| PublicKey([byte; 32]);
        let mut nonces = Nonces::new(Time(1_000_000));
        let mut take =
            |of: u8, nonce: u8, now: u64| nonces.take(key(of), [nonce; 16], Time(now), Time(now));
        assert_eq!(take(1, 1, 1_000_000), Ok(()));
        assert_eq!(take(1, 1, 1_000_000), Err(Taken::Before));
        assert_eq!(take(1, 2, 1_000_000), Ok(()), "another question");
        assert_eq!(take(2, 1, 1_000_000), Ok(()), "another key's");
        assert_eq!(take(1, 3, 1_120_000), Ok(()));
        for now in [1_120_001, 1_240_001] {
            assert_eq!(take(1, 3, now), Err(Taken::Before), "{now}");
        }
        assert_eq!(take(1, 1, 1_240_002), Ok(()), "its question is too old now");
    }

    #[test]
    fn what_was_asked_before_the_node_started_is_not_taken_nor_is_more_than_is_remembered() {
        let mut nonces = Nonces::new(Time(1_000));
        let mut take = |number: u64, at: u64, now: u64| {
            let mut nonce = [0; 16];
            nonce[..8].copy_from_slice(&number.to_be_bytes());
            nonces.take(PublicKey([7; 32]), nonce, Time(at), Time(now))
        };
        assert_eq!(take(0, 999, 1_000), Err(Taken::Early));
        assert!((0..MOST as u64).all(|number| take(number, 1_000, 1_000).is_ok()));
        assert_eq!(take(MOST as u64, 1_000, 1_000), Err(Taken::Full));
        assert_eq!(take(3, 1_000, 1_000), Err(Taken::Before));
        let later = 1_000 + 2 * (REMEMBERED_MS + 1);
        let another = MOST as u64 + 1;
        assert_eq!(
            take(another, later, later - REMEMBERED_MS),
            Err(Taken::Full)
        );
        assert_eq!(take(0, later, later + 1), Ok(()));
    }
}
