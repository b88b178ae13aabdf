//! The signatures of a block's transactions, checked before any of them is applied.

use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroUsize;

use crate::transaction::SignedTransaction;

/// Fewer signatures are not worth another thread.
const PER_THREAD: usize = 16;

/// As many threads as the machine runs at a time.
pub(crate) fn cores() -> NonZeroUsize {
    #[cfg(feature = "std")]
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    #[cfg(not(feature = "std"))]
    let cores = NonZeroUsize::MIN;
    cores
}

/// Whether each transaction is signed by the key that it names; one that can't be read is not.
pub(crate) fn verify(transactions: &[SignedTransaction], threads: NonZeroUsize) -> Vec<bool> {
    let mut verified = vec![false; transactions.len()];
    let share = transactions.len().div_ceil(threads.get()).max(PER_THREAD);
    let mut shares = transactions.chunks(share).zip(verified.chunks_mut(share));
    let own = shares.next_back();
    #[cfg(feature = "std")]
    std::thread::scope(|scope| {
        for (transactions, verified) in shares {
            scope.spawn(|| verify_share(transactions, verified));
        }
        if let Some((transactions, verified)) = own {
            verify_share(transactions, verified);
        }
    });
    #[cfg(not(feature = "std"))]
    for (transactions, verified) in shares.chain(own) {
        verify_share(transactions, verified);
    }
    verified
}

fn verify_share(transactions: &[SignedTransaction], verified: &mut [bool]) {
    for (transaction, verified) in transactions.iter().zip(verified) {
        let key = transaction.parse().map(|transaction| transaction.actor_key);
        *verified = key.is_ok_and(|key| transaction.is_signed_by(&key));
    }
}
