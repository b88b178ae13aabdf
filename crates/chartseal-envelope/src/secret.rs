//! Where secrets lie in memory: in one place, which is overwritten.
//!
//! A value that is dropped overwrites itself; a value that is *moved* leaves a copy behind, and a function
//! leaves its locals on the stack. So a [`Secret`] lies on the heap, where moving it moves a pointer, and
//! whatever calls into another crate with a secret does so within [`wiped`].

use alloc::boxed::Box;
use core::hint::black_box;
use core::ops::{Deref, DerefMut};

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 secret bytes in a place of their own; overwritten when they are dropped.
pub(crate) struct Secret(Box<[u8; 32]>);

impl Secret {
    pub(crate) fn zero() -> Self {
        Self(Box::new([0; 32]))
    }

    pub(crate) fn random(rng: &mut impl CryptoRng) -> Self {
        let mut secret = Self::zero();
        rng.fill_bytes(secret.as_mut_slice());
        secret
    }

    pub(crate) fn copy_of(bytes: &[u8; 32]) -> Self {
        let mut secret = Self::zero();
        secret.copy_from_slice(bytes);
        secret
    }
}

impl Deref for Secret {
    type Target = [u8; 32];

    fn deref(&self) -> &[u8; 32] {
        &self.0
    }
}

impl DerefMut for Secret {
    fn deref_mut(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Secret {}

/// Runs `work`, then overwrites the stack that it ran on, `DEPTH` bytes of it.
///
/// The compiler promises nothing about where locals lie, so this is what can be done, not what can be
/// proved; `tests/zeroize.rs` looks whether it was enough. What `work` gives back holds no secret but
/// on the heap.
pub(crate) fn wiped<const DEPTH: usize, T>(work: impl FnOnce() -> T) -> T {
    let result = on_its_own_frame(work);
    overwrite::<DEPTH>();
    result
}

/// What hashes and symmetric ciphers take of the stack.
pub(crate) const SHALLOW: usize = 16 * 1024;
/// What public-key cryptography takes of the stack: ML-KEM's and ML-DSA's polynomials.
pub(crate) const DEEP: usize = 64 * 1024;

#[inline(never)]
fn on_its_own_frame<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn overwrite<const DEPTH: usize>() {
    black_box(&mut [0_u8; DEPTH]);
}
