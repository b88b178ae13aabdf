//! `chartseal release` and `chartseal combine`.

use chartseal_envelope::{
    AuthorKey, CombineError, Deal, PublicIdentity, Release, SignedRelease, Slots, accept,
    combine as combine_shares, file, release as release_share,
};

use super::args;
use super::input::{dealing, object, record};
use super::output::write;
use crate::exit::Exit;
use crate::failure::Failure;

/// Checks one's share, and reseals it to the reader.
pub fn release(args: &args::Release) -> Result<Exit, Failure> {
    let deal: Deal = object(&args.deal)?;
    let reader: PublicIdentity = object(&args.to)?;
    let record = record(&args.asked.record)?;
    let dealing = dealing(args.asked.dealing.as_deref(), record.header())?;
    let seed = args.asked.unlock.open()?;
    let keys = seed.kem_key(record.header().suite());
    let refused = |why| Failure::Unmet(format!("{}: {why}", args.deal.display()));
    let held = accept(&keys, deal.index(), &dealing, &deal).map_err(refused)?;
    let released = release_share(&[&held], args.asked.request, reader.kem());
    let released = released.map_err(|why| Failure::bad(&args.to, why))?;
    write(
        &args.out,
        &file::to_bytes(&released.sign(&seed.signing_key())),
    )?;
    Ok(Exit::Done)
}

/// Puts the record's key into a slot of one's own; names the custodians whose shares are wrong.
pub fn combine(args: &args::Combine) -> Result<Exit, Failure> {
    let record = record(&args.asked.record)?;
    let dealing = dealing(args.asked.dealing.as_deref(), record.header())?;
    let total = dealing.custodians().threshold.total();
    if args.custodians.len() != usize::from(total) {
        let found = args.custodians.len();
        let why = format!("{found} public keys of custodians, should be {total}: all, in order");
        return Err(Failure::new(why));
    }
    let custodians = args.custodians.iter().map(|path| object(path));
    let custodians: Vec<PublicIdentity> = custodians.collect::<Result<_, _>>()?;
    let mut releases = Vec::new();
    for path in &args.releases {
        let signed: SignedRelease = object(path)?;
        match verified(&signed, &custodians) {
            Some(release) => releases.push(release.clone()),
            None => eprintln!(
                "chartseal: left out {}: custodian {} did not sign it",
                path.display(),
                signed.unverified().index()
            ),
        }
    }
    let keys = args.asked.unlock.open()?.kem_key(record.header().suite());
    let combined = combine_shares(&keys, args.asked.request, &dealing, &releases);
    let combined = match combined {
        Ok(combined) => combined,
        Err(short @ CombineError::NotEnough(_)) => {
            eprintln!("chartseal: {short}");
            return Ok(Exit::CannotTell);
        }
        Err(why) => return Err(Failure::Unmet(why.to_string())),
    };
    for fault in &combined.faults {
        eprintln!("chartseal: left out {fault}");
    }
    let mut slots = Slots::new(record.header());
    let added = slots.add(&combined.key, keys.public_key());
    added.map_err(Failure::new)?;
    write(&args.out, &file::to_bytes(&slots))?;
    Ok(Exit::Done)
}

/// The release, if the custodian that it names signed it.
fn verified<'a>(signed: &'a SignedRelease, custodians: &[PublicIdentity]) -> Option<&'a Release> {
    let place = usize::from(signed.unverified().index().get()).checked_sub(1)?;
    match custodians.get(place)?.author() {
        AuthorKey::Ed25519(key) => signed.verify(key).ok(),
        _ => None,
    }
}
