//! The signatures of a block's transactions: checked by several threads while one applies the block.

use alloc::vec::Vec;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::transaction::{Keys, SignedTransaction};

/// How many signatures a thread takes at a time. For fewer another thread is not worth it.
const AT_A_TIME: usize = 16;

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
    let shares = Shares::of(transactions, known);
    #[cfg(feature = "std")]
    let done = std::thread::scope(|scope| {
        let useful = shares.open().div_ceil(AT_A_TIME);
        for _ in 1..threads.get().min(useful + 1) {
            scope.spawn(|| shares.verify());
        }
        let done = work();
        shares.verify();
        done
    });
    #[cfg(not(feature = "std"))]
    let done = {
        let _ = threads;
        let done = work();
        shares.verify();
        done
    };
    let verified = shares.verified.into_iter();
    (done, verified.map(AtomicBool::into_inner).collect())
}

struct Shares<'a> {
    transactions: &'a [SignedTransaction],
    verified: Vec<AtomicBool>,
    /// The first transaction that nobody took.
    next: AtomicUsize,
}

impl<'a> Shares<'a> {
    fn of(transactions: &'a [SignedTransaction], known: &[bool]) -> Self {
        let known = known.iter().copied().chain(core::iter::repeat(false));
        let verified = transactions.iter().zip(known);
        Self {
            transactions,
            verified: verified.map(|(_, known)| AtomicBool::new(known)).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// How many are to be checked.
    #[cfg(feature = "std")]
    fn open(&self) -> usize {
        let open = self.verified.iter();
        open.filter(|verified| !verified.load(Ordering::Relaxed))
            .count()
    }

    /// Takes shares and checks them until nothing is left.
    fn verify(&self) {
        let mut keys = Keys::new();
        loop {
            let first = self.next.fetch_add(AT_A_TIME, Ordering::Relaxed);
            let share = self.transactions.iter().zip(&self.verified).skip(first);
            let mut share = share.take(AT_A_TIME).peekable();
            if share.peek().is_none() {
                return;
            }
            for (transaction, verified) in share {
                if verified.load(Ordering::Relaxed) {
                    continue;
                }
                verified.store(transaction.is_signed(&mut keys), Ordering::Relaxed);
            }
        }
    }
}
