//! Seals, deals, releases, combines and opens without `std`.
//!
//! A program with a panic handler of its own does not compile if `std`, which has one, is anywhere among
//! its dependencies. Its exit status is 0 if the record that comes out is the one that went in, and
//! otherwise says which step refused.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use chacha20::ChaCha20Rng;
use chartseal_envelope::rand_core::SeedableRng;
use chartseal_envelope::{
    Content, CustodianSet, DealVerdict, Dealing, KemKeyPair, KemPublicKey, KeySeed, RecordId,
    RecordInfo, RecordVersion, RequestId, SetId, SubjectId, Suite, Threshold, accept, audit_deal,
    combine, deal_with_rng, open, release_with_rng, seal_with_rng,
};
use static_alloc::Bump;

extern crate alloc;

/// Gives memory once, from 16 MiB of the program's own, and takes none back.
#[global_allocator]
static MEMORY: Bump<[u8; 16 << 20]> = Bump::uninit();

const TEXT: &[u8] = b"HbA1c 5.4 %";

/// What C's startup code calls: the attribute gives it the name that the linker looks for.
#[expect(
    unsafe_code,
    reason = "two functions of one name would be undefined; there is one main"
)]
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    visit().err().unwrap_or(0)
}

/// One record from its author to a reader. The error is the step's number.
fn visit() -> Result<(), i32> {
    // The same in each run: this proves that it links and works, not that it is secret.
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let suite = Suite::default();
    let custodians = [(); 4].map(|()| KemKeyPair::generate_with_rng(suite, &mut rng));
    let keys: [KemPublicKey; 4] = custodians.each_ref().map(|keys| keys.public_key().clone());
    let author = KeySeed::generate_with_rng(&mut rng).signing_key();
    let threshold = Threshold::new(3, 4).map_err(|_| 1)?;
    let info = RecordInfo {
        suite,
        record_id: RecordId([2; 16]),
        subject: SubjectId([3; 16]),
        version: RecordVersion::FIRST,
        custodians: CustodianSet {
            id: SetId([4; 32]),
            epoch: 5,
            threshold,
        },
    };
    let content = Content {
        media_type: "text/plain",
        attributes: b"",
        bytes: TEXT,
    };
    let record = seal_with_rng(&info, &content, &author, &mut rng).map_err(|_| 2)?;
    let dealing = Dealing::initial(&record.header);
    let deals = deal_with_rng(&[&record.dealer], &keys, &mut rng).map_err(|_| 3)?;

    let reader = KemKeyPair::generate_with_rng(suite, &mut rng);
    let request = RequestId([6; 32]);
    let mut releases = alloc::vec::Vec::new();
    for (keys, deal) in custodians.iter().zip(&deals).skip(1) {
        let held = accept(keys, deal.index(), &dealing, deal).map_err(|_| 4)?;
        let released = release_with_rng(&[&held], request, reader.public_key(), &mut rng);
        releases.push(released.map_err(|_| 5)?);
    }
    let combined = combine(&reader, request, &dealing, &releases).map_err(|_| 6)?;
    let public = author.verifying_key();
    let opened = open(
        &record.header,
        &record.body,
        &record.seal,
        &public,
        &combined.key,
    );
    let opened = opened.map_err(|_| 7)?;
    if opened.content() != TEXT || audit_deal(&opened, &dealing) != DealVerdict::Honest {
        return Err(8);
    }
    // Two shares are not enough, here as elsewhere.
    if combine(
        &reader,
        request,
        &dealing,
        releases.get(..2).unwrap_or_default(),
    )
    .is_ok()
    {
        return Err(9);
    }
    Ok(())
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    abort()
}

#[expect(
    unsafe_code,
    reason = "C's `abort` takes nothing and gives nothing back: it is safe to call"
)]
unsafe extern "C" {
    safe fn abort() -> !;
}
