//! `chartseal seal`.

use std::io::Write;
use std::path::Path;

use chartseal_envelope::file::{record_end, record_start};
use chartseal_envelope::{
    ContentInfo, CustodianSet, Dealer, KemPublicKey, PublicIdentity, RecordId, RecordInfo,
    RecordSealer, RecordVersion, SealedStream, SetId, Slots, SubjectId, Suite, Threshold, deal,
    file,
};

use super::args::{Custodians, Seal};
use super::input::{content, identities, is_stdio};
use super::key;
use super::meter::Meter;
use super::output::{Output, folder, write};
use crate::exit::Exit;
use crate::failure::Failure;

pub fn run(args: &Seal) -> Result<Exit, Failure> {
    let author = key::open(&args.author, &args.password)?.signing_key();
    let custodians = identities(&args.custodians.keys)?;
    let recipients = identities(&args.recipients)?;
    let info = RecordInfo {
        suite: Suite::default(),
        record_id: RecordId::random().map_err(Failure::new)?,
        subject: match args.subject {
            Some(subject) => subject,
            None => SubjectId(RecordId::random().map_err(Failure::new)?.0),
        },
        version: RecordVersion::FIRST,
        custodians: args.custodians.set(&custodians)?,
    };
    let (input, len) = content(&args.input)?;
    let about = ContentInfo {
        media_type: &args.media_type,
        attributes: b"",
        len,
    };
    let sealer = RecordSealer::new(&info, &about, &author).map_err(Failure::new)?;
    let mut out = Output::public(&args.out)?;
    out.write_all(&record_start(sealer.header()))?;
    let input = Meter::new(input, "sealed", len, args.progress);
    let SealedStream {
        header,
        seal,
        dealer,
    } = sealer.seal_stream(input, &mut out).map_err(Failure::new)?;
    out.write_all(&record_end(&seal))?;

    // The record comes last: where it is, everything is.
    args.custodians.deal(&dealer, &custodians)?;
    if let Some(path) = &args.slots {
        let mut slots = Slots::new(&header);
        for (recipient, path) in recipients.iter().zip(&args.recipients) {
            let added = slots.add(&dealer, recipient.kem());
            added.map_err(|why| Failure::bad(path, why))?;
        }
        write(path, &file::to_bytes(&slots))?;
    }
    out.finish()?;
    if !is_stdio(&args.out) {
        writeln!(std::io::stdout(), "{}", header.record_id())?;
    }
    Ok(Exit::Done)
}

impl Custodians {
    /// The set that the custodians are, in their order.
    pub fn set(&self, custodians: &[PublicIdentity]) -> Result<CustodianSet, Failure> {
        let needed = self
            .threshold
            .ok_or_else(|| Failure::new("how many custodians are needed? (--threshold)"))?;
        let total = u8::try_from(custodians.len()).unwrap_or(u8::MAX);
        let threshold = Threshold::new(needed, total).map_err(Failure::new)?;
        let ids: Vec<u8> = custodians
            .iter()
            .flat_map(|custodian| *custodian.kem().key_id().as_bytes())
            .collect();
        Ok(CustodianSet {
            id: SetId(blake3::derive_key(SET, &ids)),
            epoch: 0,
            threshold,
        })
    }

    /// Deals to them, each into its own file.
    pub fn deal(&self, dealer: &Dealer, custodians: &[PublicIdentity]) -> Result<(), Failure> {
        let keys: Vec<KemPublicKey> = custodians.iter().map(|to| to.kem().clone()).collect();
        let deals = deal(&[dealer], &keys).map_err(Failure::new)?;
        folder(&self.deals)?;
        for deal in &deals {
            let name = format!("deal-{}", deal.index());
            write(&self.deals.join(Path::new(&name)), &file::to_bytes(deal))?;
        }
        Ok(())
    }
}

/// The context in which custodians' key ids give their set's id.
const SET: &str = "chartseal-cli 2026-11 custodian set from key ids";
