//! One record of 1 KiB, five of seven custodians: what it costs beyond the HPKE, Ed25519 and Shamir calls that it
//! can't do without; and what each further record of a batch costs a custodian.

use std::error::Error;
use std::hint::black_box;

use chartseal_envelope::{
    Content, CustodianSet, Deal, Dealer, Dealing, HeldShare, KemKeyPair, KemPublicKey, Opened,
    RecordId, RecordInfo, RecordVersion, Release, RequestId, SealedRecord, SetId, SigningKeyPair,
    SubjectId, Suite, SystemRng, Threshold, accept_all, combine, deal, open, release, seal,
};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hpke::aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Kem, OpModeR, OpModeS, setup_receiver, setup_sender_with_rng};
use vsss_rs::Gf256;

use crate::{Figure, Required, in_turns};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// What [`one_record`] measures.
pub const ONE_RECORD: [&str; 3] = [
    "envelope/seal-deal",
    "envelope/release",
    "envelope/combine-open",
];
/// What [`further_records`] measures.
pub const FURTHER_RECORDS: [&str; 2] = ["envelope/further-release", "envelope/further-accept"];

const NEEDED: usize = 5;
const TOTAL: usize = 7;
/// How many records a batch has beyond its first.
const FURTHER: u32 = 100;

/// Sealing and dealing, releasing, and combining and opening one record, against the calls of others' crates
/// that each needs.
pub fn one_record() -> Result<Vec<Figure>> {
    let cast = Cast::new()?;
    let mut calls = Calls::new()?;
    let sealed = cast.seal(0)?;
    let dealing = sealed.dealer.dealing();
    let deals = deal(&[&sealed.dealer], &cast.public)?;
    let mut held = Vec::new();
    for (keys, deal) in cast.custodians.iter().zip(&deals) {
        held.extend(accept_all(keys, deal.index(), &[dealing], deal)?.held);
    }
    let first = held.first().ok_or("no share")?;
    let some = held.iter().take(NEEDED);
    let releases: Vec<Release> = some
        .map(|share| cast.release(&[share]))
        .collect::<Result<_>>()?;
    cast.open(&sealed, dealing, &releases)?;
    let messages: Vec<Message> = (0..NEEDED).map(|_| calls.seal()).collect::<Result<_>>()?;
    calls.open_all(&messages)?;

    // Calls of less than a time slice, so that a busy machine meets few of them.
    let times = [
        in_turns(1, || cast.seal_and_deal().is_ok(), || calls.deal().is_ok()),
        in_turns(
            1,
            || cast.release(&[first]).is_ok(),
            || calls.seal().is_ok(),
        ),
        in_turns(
            1,
            || cast.open(&sealed, dealing, &releases).is_ok(),
            || calls.open_all(&messages).is_ok(),
        ),
    ];
    let others = [
        "7 × HPKE, Ed25519 sign, Shamir split",
        "1 × HPKE",
        "5 × HPKE, Shamir combine, Ed25519 verify",
    ];
    let figure = |((id, other), (ours, theirs))| Figure {
        id,
        ours,
        theirs,
        other,
        unit: "ns",
        required: Some(Required::Within(1.15)),
    };
    Ok(ONE_RECORD
        .into_iter()
        .zip(others)
        .zip(times)
        .map(figure)
        .collect())
}

/// A custodian's cost of each further record in a deal and in a release, against that of the first.
pub fn further_records() -> Result<Vec<Figure>> {
    let cast = Cast::new()?;
    let sealed: Vec<SealedRecord> = (0..=FURTHER).map(|n| cast.seal(n)).collect::<Result<_>>()?;
    let dealers: Vec<&Dealer> = sealed.iter().map(|sealed| &sealed.dealer).collect();
    let dealings: Vec<&Dealing> = dealers.iter().map(|dealer| dealer.dealing()).collect();
    let keys = cast.custodians.first().ok_or("no custodian")?;
    let deal_of =
        |dealers: &[&Dealer]| -> Result<Deal> { Ok(deal(dealers, &cast.public)?.swap_remove(0)) };
    let (one, all) = (
        deal_of(dealers.get(..1).unwrap_or_default())?,
        deal_of(&dealers)?,
    );
    let accept = |deal: &Deal| accept_all(keys, deal.index(), &dealings, deal);
    let held = accept(&all)?.held;
    let shares: Vec<&HeldShare> = held.iter().collect();
    if shares.len() != dealers.len() {
        return Err("a share was refused".into());
    }

    let (release_all, release_one) = in_turns(
        1,
        || cast.release(&shares).is_ok(),
        || cast.release(shares.get(..1).unwrap_or_default()).is_ok(),
    );
    let (accept_all, accept_one) = in_turns(1, || accept(&all).is_ok(), || accept(&one).is_ok());
    let times = [(release_all, release_one), (accept_all, accept_one)];
    let figure = |(id, (all, one)): (_, (f64, f64))| Figure {
        id,
        ours: (all - one) / f64::from(FURTHER),
        theirs: one,
        other: "the first record",
        unit: "ns/record",
        required: Some(Required::Within(0.03)),
    };
    Ok(FURTHER_RECORDS.into_iter().zip(times).map(figure).collect())
}

/// An author, custodians and a reader.
struct Cast {
    author: SigningKeyPair,
    custodians: Vec<KemKeyPair>,
    public: Vec<KemPublicKey>,
    set: CustodianSet,
    reader: KemKeyPair,
}

impl Cast {
    fn new() -> Result<Self> {
        let custodians: Vec<KemKeyPair> = (0..TOTAL)
            .map(|_| KemKeyPair::generate())
            .collect::<Result<_, _>>()?;
        let threshold = Threshold::new(NEEDED.try_into()?, TOTAL.try_into()?)?;
        Ok(Self {
            author: SigningKeyPair::generate()?,
            public: custodians
                .iter()
                .map(|keys| keys.public_key().clone())
                .collect(),
            custodians,
            set: CustodianSet {
                id: SetId([1; 32]),
                epoch: 1,
                threshold,
            },
            reader: KemKeyPair::generate()?,
        })
    }

    fn seal(&self, number: u32) -> Result<SealedRecord> {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let info = RecordInfo {
            suite: Suite::XWing,
            record_id: RecordId(id),
            subject: SubjectId([2; 16]),
            version: RecordVersion::FIRST,
            custodians: self.set,
        };
        let content = Content {
            media_type: "application/fhir+json",
            attributes: b"",
            bytes: &[7; 1024],
        };
        Ok(seal(&info, &content, &self.author)?)
    }

    fn seal_and_deal(&self) -> Result<(SealedRecord, Vec<Deal>)> {
        let sealed = self.seal(0)?;
        let deals = deal(&[&sealed.dealer], &self.public)?;
        Ok((sealed, deals))
    }

    fn release(&self, shares: &[&HeldShare]) -> Result<Release> {
        Ok(release(shares, REQUEST, self.reader.public_key())?)
    }

    fn open(
        &self,
        sealed: &SealedRecord,
        dealing: &Dealing,
        releases: &[Release],
    ) -> Result<Opened> {
        let combined = combine(&self.reader, REQUEST, dealing, releases)?;
        let author = self.author.verifying_key();
        let opened = open(
            &sealed.header,
            &sealed.body,
            &sealed.seal,
            &author,
            &combined.key,
        )?;
        Ok(opened)
    }
}

const REQUEST: RequestId = RequestId([3; 32]);

/// An encapsulated key and a ciphertext.
pub(crate) type Message = (<XWing as Kem>::EncappedKey, Vec<u8>);

/// The calls of others' crates by themselves, over inputs as long as ours.
pub(crate) struct Calls {
    secret: <XWing as Kem>::PrivateKey,
    public: <XWing as Kem>::PublicKey,
    author: SigningKey,
    verifying: VerifyingKey,
    signature: Signature,
    rng: SystemRng,
}

/// As long as a domain, a suite, a key id, a request id and an index.
const INFO: [u8; 97] = [1; 97];
/// As long as the associated data of a share.
const AAD: [u8; 229] = [2; 229];
/// A share, a salt and seven commitments.
const PLAINTEXT: [u8; 32 * (2 + TOTAL)] = [4; 32 * (2 + TOTAL)];
/// As long as what an author signs.
const SIGNED: [u8; 98] = [5; 98];

impl Calls {
    pub(crate) fn new() -> Result<Self> {
        let mut rng = SystemRng::new()?;
        let (secret, public) = XWing::gen_keypair_with_rng(&mut rng);
        let author = SigningKey::from_bytes(&[6; 32]);
        Ok(Self {
            secret,
            public,
            verifying: author.verifying_key(),
            signature: author.sign(&SIGNED),
            author,
            rng,
        })
    }

    /// One message to one recipient.
    pub(crate) fn seal(&mut self) -> Result<Message> {
        let (enc, mut context): (_, AeadCtxS<ChaCha20Poly1305, HkdfSha256, XWing>) =
            setup_sender_with_rng(&OpModeS::Base, &self.public, &INFO, &mut self.rng)?;
        Ok((enc, context.seal(&PLAINTEXT, &AAD)?))
    }

    /// What sealing and dealing need.
    fn deal(&mut self) -> Result<()> {
        black_box(self.author.sign(&SIGNED));
        let shares = Gf256::split_bytes(NEEDED, TOTAL, [7; 32], &mut self.rng);
        black_box(shares.map_err(|error| error.to_string())?);
        for _ in 0..TOTAL {
            black_box(self.seal()?);
        }
        Ok(())
    }

    /// What combining and opening need.
    pub(crate) fn open_all(&self, messages: &[Message]) -> Result<()> {
        for (enc, ciphertext) in messages {
            let mut context: AeadCtxR<ChaCha20Poly1305, HkdfSha256, XWing> =
                setup_receiver(&OpModeR::Base, &self.secret, enc, &INFO)?;
            black_box(context.open(ciphertext, &AAD)?);
        }
        let points: [[u8; 33]; NEEDED] = std::array::from_fn(|place| {
            let mut point = [9; 33];
            point[0] = u8::try_from(place + 1).unwrap_or_default();
            point
        });
        let key = Gf256::combine_bytes(points.map(|point| point.to_vec()));
        black_box(key.map_err(|error| error.to_string())?);
        self.verifying.verify_strict(&SIGNED, &self.signature)?;
        Ok(())
    }
}
