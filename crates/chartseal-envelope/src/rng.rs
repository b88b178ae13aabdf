//! The operating system's randomness, asked once for each operation.

use alloc::boxed::Box;
use core::convert::Infallible;

use chacha20::ChaCha20Rng;
use rand_core::{SeedableRng, TryCryptoRng, TryRng};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::secret::{SHALLOW, wiped};

/// The operating system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("operating system gave no randomness")]
pub struct RandomnessError;

/// A `ChaCha20` generator under a seed from the operating system.
///
/// Asking for the seed may fail; drawing from it can't, so no operation stops half way.
#[derive(Debug)]
pub struct SystemRng(Box<ChaCha20Rng>);

impl SystemRng {
    /// # Errors
    /// [`RandomnessError`] if the operating system has none.
    pub fn new() -> Result<Self, RandomnessError> {
        wiped::<SHALLOW, _>(|| {
            let mut seed = Zeroizing::new([0; 32]);
            getrandom::fill(seed.as_mut_slice()).map_err(|_| RandomnessError)?;
            Ok(Self(Box::new(ChaCha20Rng::from_seed(*seed))))
        })
    }
}

impl TryRng for SystemRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(out)
    }
}

impl TryCryptoRng for SystemRng {}
