//! The signatures of a block's transactions: checked by several threads while one applies the block.

use alloc::vec::Vec;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::transaction::{Keys, SignedTransaction};

/// How many signatures a thread takes at a time. For fewer another thread is not worth it.
const AT_A_TIME: usize = 16;

/// How many keys a thread remembers: 0.2 MB.
const MAX_KEYS: usize = 1_024;

/// As many threads as the machine runs at a time.
pub(crate) fn cores() -> NonZeroUsize {
    #[cfg(feature = "std")]
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    #[cfg(not(feature = "std"))]
    let cores = NonZeroUsize::MIN;
    cores
}

/// Does some work while the other threads check signatures, and helps them once it is done. Gives what
/// the work gave, and whether each transaction is signed by the key that it names; one that names none is not.
/// What is `known` to be signed, by its place, is not checked again.
pub(crate) fn verify_during<T>(
    transactions: &[SignedTransaction],
    known: &[bool],
    threads: NonZeroUsize,
    work: impl FnOnce() -> T,
) -> (T, Vec<bool>) {
    let checks = Checks::of(transactions.len(), known);
    let help = || checks.help(transactions, &mut Keys::new());
    #[cfg(feature = "std")]
    let done = std::thread::scope(|scope| {
        let useful = checks.open().div_ceil(AT_A_TIME);
        for _ in 1..threads.get().min(useful + 1) {
            scope.spawn(help);
        }
        let done = work();
        help();
        done
    });
    #[cfg(not(feature = "std"))]
    let done = {
        let _ = threads;
        let done = work();
        help();
        done
    };
    (done, checks.verified())
}

/// A block's checks, which threads share.
#[derive(Debug)]
pub(crate) struct Checks {
    verified: Vec<AtomicBool>,
    /// The first transaction that nobody took.
    next: AtomicUsize,
    /// How many were looked at.
    seen: AtomicUsize,
}

impl Checks {
    pub(crate) fn of(transactions: usize, known: &[bool]) -> Self {
        let known = known.iter().copied().chain(core::iter::repeat(false));
        Self {
            verified: known.take(transactions).map(AtomicBool::new).collect(),
            next: AtomicUsize::new(0),
            seen: AtomicUsize::new(0),
        }
    }

    /// How many are to be checked.
    #[cfg(feature = "std")]
    fn open(&self) -> usize {
        let open = self.verified.iter();
        open.filter(|verified| !verified.load(Ordering::Relaxed))
            .count()
    }

    /// Takes shares of these transactions and checks them until nobody has to.
    pub(crate) fn help(&self, transactions: &[SignedTransaction], keys: &mut Keys) {
        loop {
            let first = self.next.fetch_add(AT_A_TIME, Ordering::Relaxed);
            let share = transactions.iter().zip(&self.verified).skip(first);
            let mut share = share.take(AT_A_TIME).peekable();
            if share.peek().is_none() {
                return;
            }
            let mut seen = 0;
            for (transaction, verified) in share {
                seen += 1;
                if verified.load(Ordering::Relaxed) {
                    continue;
                }
                if keys.len() >= MAX_KEYS {
                    keys.clear();
                }
                verified.store(transaction.is_signed(keys), Ordering::Relaxed);
            }
            // Whoever sees the count sees what was found.
            self.seen.fetch_add(seen, Ordering::Release);
        }
    }

    /// Whether all were looked at, and not only taken.
    #[cfg(feature = "std")]
    pub(crate) fn are_done(&self) -> bool {
        self.seen.load(Ordering::Acquire) == self.verified.len()
    }

    /// What was found, by place. Nothing, of what was not looked at.
    pub(crate) fn verified(&self) -> Vec<bool> {
        let verified = self.verified.iter();
        verified
            .map(|verified| verified.load(Ordering::Relaxed))
            .collect()
    }
}
