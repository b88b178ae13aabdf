//! Shamir's secret sharing over GF(2⁸) with explicit coefficients, and the coins that they come from.
//!
//! The field's arithmetic is `vsss-rs`'s, in constant time. Coefficients are not drawn through its
//! generator: which byte becomes which coefficient is part of our format, because every reader must
//! be able to deal again.

use alloc::vec;
use alloc::vec::Vec;

use rand_core::CryptoRng;
use vsss_rs::{DefaultShare, Gf256, IdentifierGf256, Polynomial, Share as _};
use zeroize::{Zeroize, Zeroizing};

use crate::hash::derive;
use crate::id::{ShareIndex, Threshold};
use crate::secret::{SHALLOW, Secret, wiped};
use crate::{ContentKey, domain};

/// Length of a share and of its salt, in bytes.
pub(crate) const SHARE_LEN: usize = 32;

/// The seed of all coins of a record's deals; it lies in the body, so every reader has it.
pub(crate) struct Coins(Secret);

impl Coins {
    pub(crate) fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    pub(crate) fn copy_of(bytes: &[u8; 32]) -> Self {
        Self(Secret::copy_of(bytes))
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self::copy_of(&self.0)
    }

    pub(crate) fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// One custodian's secret: its share of the content key, and the salt of the share's commitment.
pub(crate) struct SaltedShare {
    pub(crate) share: Secret,
    pub(crate) salt: Secret,
}

impl SaltedShare {
    pub(crate) fn copy_of(share: &[u8; SHARE_LEN], salt: &[u8; SHARE_LEN]) -> Self {
        Self {
            share: Secret::copy_of(share),
            salt: Secret::copy_of(salt),
        }
    }
}

/// All *n* shares and salts of `key`, in order of index. The same input gives the same shares.
///
/// `context` names the deal, so that no two deals of a record share a coefficient.
pub(crate) fn split(
    key: &ContentKey,
    coins: &Coins,
    context: &[u8],
    threshold: Threshold,
) -> Vec<SaltedShare> {
    wiped::<SHALLOW, _>(|| deal(key, coins, context, threshold))
}

fn deal(key: &ContentKey, coins: &Coins, context: &[u8], threshold: Threshold) -> Vec<SaltedShare> {
    let degree = usize::from(threshold.needed()) - 1;
    // At most 63 and 64 times 32 bytes: within HKDF's 8,160.
    let mut coefficients = Zeroizing::new(vec![0; degree * SHARE_LEN]);
    derive(
        coins.expose_bytes(),
        domain::COEFFICIENTS,
        context,
        &mut coefficients,
    );
    let mut salts = Zeroizing::new(vec![0; usize::from(threshold.total()) * SHARE_LEN]);
    derive(coins.expose_bytes(), domain::SALTS, context, &mut salts);

    let (salts, _) = salts.as_chunks::<SHARE_LEN>();
    let mut shares: Vec<_> = salts
        .iter()
        .map(|salt| SaltedShare::copy_of(&[0; SHARE_LEN], salt))
        .collect();
    let mut polynomial = <Vec<GfShare> as Polynomial<GfShare>>::create(degree + 1);
    for (b, (secret, coins)) in key
        .expose_bytes()
        .iter()
        .zip(coefficients.chunks_exact(degree))
        .enumerate()
    {
        if let Some((intercept, rest)) = polynomial.coefficients_mut().split_first_mut() {
            *intercept.value_mut() = IdentifierGf256(Gf256(*secret));
            for (coefficient, coin) in rest.iter_mut().zip(coins) {
                *coefficient.identifier_mut() = IdentifierGf256(Gf256(*coin));
            }
        }
        for (index, share) in threshold.indices().zip(&mut shares) {
            let x = IdentifierGf256(Gf256(index.get()));
            if let Some(byte) = share.share.get_mut(b) {
                *byte = polynomial.evaluate(&x, degree + 1).0.0;
            }
        }
    }
    polynomial.iter_mut().for_each(Zeroize::zeroize);
    shares
}

/// The secret whose shares these are, whichever *t* of them are given.
///
/// `None` if there are fewer than two, or two have one index.
pub(crate) fn combine(shares: &[(ShareIndex, &SaltedShare)]) -> Option<ContentKey> {
    let points: Vec<_> = shares
        .iter()
        .map(|(index, salted)| [&[index.get()], salted.share.as_slice()].concat())
        .collect();
    let points = Zeroizing::new(points);
    wiped::<SHALLOW, _>(|| {
        let secret = Zeroizing::new(Gf256::combine_bytes(points.as_slice()).ok()?);
        ContentKey::copy_of(&secret)
    })
}

type GfShare = DefaultShare<IdentifierGf256, IdentifierGf256>;

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    /// Any 1 < t <= n <= 64, and *t* of the *n* custodians in any order.
    fn thresholds() -> impl Strategy<Value = (u8, u8, Vec<u8>)> {
        let numbers = (2..=64_u8).prop_flat_map(|total| (2..=total, Just(total)));
        numbers.prop_flat_map(|(needed, total)| {
            let all: Vec<u8> = (1..=total).collect();
            let some = subsequence(all, usize::from(needed)).prop_shuffle();
            (Just(needed), Just(total), some)
        })
    }

    fn combined(shares: &[SaltedShare], indices: &[u8]) -> Option<ContentKey> {
        let place = |index: &u8| (ShareIndex::new(*index).unwrap(), usize::from(*index) - 1);
        let points: Vec<_> = indices
            .iter()
            .map(place)
            .map(|(index, place)| (index, &shares[place]))
            .collect();
        combine(&points)
    }

    proptest! {
        #[test]
        fn any_t_of_any_n_shares_give_the_key_fewer_do_not_and_two_deals_never_mix(
            (needed, total, chosen) in thresholds(), key in any::<[u8; 32]>(), coins in any::<[u8; 32]>(),
        ) {
            let threshold = Threshold::new(needed, total).unwrap();
            let secret = ContentKey::from_bytes(key);
            let deal = |context: &[u8]| split(&secret, &Coins::copy_of(&coins), context, threshold);
            let (mut first, mut later) = (deal(b"epoch 0"), deal(b"epoch 1"));
            let gives = |shares: &[SaltedShare], indices: &[u8]| {
                combined(shares, indices).is_some_and(|found| *found.expose_bytes() == key)
            };
            prop_assert!(gives(&first, &chosen) && gives(&later, &chosen));
            let fewer = &chosen[1..];
            prop_assert!(!gives(&first, fewer));
            // One share of the later deal among those of the first.
            let place = usize::from(chosen[0]) - 1;
            core::mem::swap(&mut first[place], &mut later[place]);
            prop_assert!(!gives(&first, &chosen) && !gives(&later, &chosen));
        }
    }
}
