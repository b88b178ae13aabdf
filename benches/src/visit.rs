//! A bundle of 1,000 resources through the whole system: what it costs beyond the cryptography that it
//! can't do without, and how many bytes become of a record.

use std::error::Error;
use std::time::Duration;

use chartseal::{Clinician, Document, FHIR_JSON, Filed, Network, Patient};
use chartseal_envelope::{
    Content, CustodianSet, Dealer, Dealing, KemKeyPair, KemPublicKey, RecordId, RecordInfo,
    RecordVersion, SealedRecord, SetId, Signature, SigningKeyPair, SubjectId, Suite, Threshold,
    accept_all, deal, seal,
};
use chartseal_fhir::{Bundle, Resource};
use chartseal_testkit::bad_bundles::bundle_of;

use crate::{Figure, median, time};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// What [`times`] measures.
pub const TIMES: [&str; 2] = ["visit-file-1000", "visit-file-1000-signatures"];
/// What [`sizes`] measures.
pub const SIZES: [&str; 3] = [
    "visit-bytes-chain",
    "visit-bytes-ciphertext",
    "visit-bytes-export",
];

const RESOURCES: usize = 1_000;
const ROUNDS: usize = 3;
/// As many records as the facade seals and deals at a time.
const BATCH: usize = 256;
/// Organizations: each is a custodian and checks every signature.
const ORGANIZATIONS: usize = 4;
/// Signatures of a record that each organization checks: of the anchor, of the four acknowledgements,
/// and the author's seal.
const SIGNATURES: usize = 1 + ORGANIZATIONS + 1;

/// A bundle read, sealed, dealt, anchored, deposited and acknowledged in a network in memory, against
/// sealing, dealing and accepting alone; and against these with every signature that must be checked.
pub fn times() -> Result<Vec<Figure>> {
    let source = bundle_of(RESOURCES);
    let bundle = Bundle::parse(&source)?;
    let contents: Vec<&[u8]> = bundle.clinical().map(Resource::raw).collect();
    let bare = Bare::new()?;

    let (mut whole, mut envelopes, mut signed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut cast = Cast::enrol()?;
        let (took, filed) = timed(|| cast.file(&source))?;
        if filed.len() != contents.len() {
            return Err("not every resource was filed".into());
        }
        whole.push(took);
        let (cryptography, ()) = timed(|| bare.envelopes(&contents))?;
        let (signatures, ()) = timed(|| bare.signatures(contents.len()))?;
        envelopes.push(cryptography);
        signed.push(cryptography + signatures);
    }
    let ours = median(whole) / 1e6;
    let figure = |id, other, times| Figure {
        id,
        ours,
        theirs: median(times) / 1e6,
        other,
        unit: "ms",
        required: None,
    };
    let [file, signatures] = TIMES;
    Ok(vec![
        figure(file, "bare seal + deal + 4 × accept", envelopes),
        figure(signatures, "the same + 24 signature checks each", signed),
    ])
}

/// The bytes of the chain, of the ciphertext and of the patient's export for each record, beside those
/// of its plaintext.
pub fn sizes() -> Result<Vec<Figure>> {
    let source = bundle_of(RESOURCES);
    let mut cast = Cast::enrol()?;
    let before = cast.chain_bytes()?;
    let filed = cast.file(&source)?;
    let chain = cast.chain_bytes()? - before;
    let export = cast.patient.export(&cast.network, None)?.len() as u64;

    let state = cast.network.nodes().first().ok_or("no node")?.state();
    let records = filed.iter().filter_map(|filed| state.record(&filed.record));
    let ciphertext: u64 = records.map(|record| record.length).sum();
    let bundle = Bundle::parse(&source)?;
    let plaintext: u64 = bundle.clinical().map(|r| r.raw().len() as u64).sum();

    let sizes = SIZES.into_iter().zip([chain, ciphertext, export]);
    let figure = |(id, bytes)| Figure {
        id,
        ours: per_record(bytes, filed.len()),
        theirs: per_record(plaintext, filed.len()),
        other: "plaintext",
        unit: "bytes/record",
        required: None,
    };
    Ok(sizes.map(figure).collect())
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53 bytes")]
fn per_record(bytes: u64, records: usize) -> f64 {
    bytes as f64 / records as f64
}

/// A network in memory, and the two people whom filing needs.
struct Cast {
    network: Network,
    author: Clinician,
    patient: Patient,
}

impl Cast {
    fn enrol() -> Result<Self> {
        let mut network = Network::in_memory()?;
        let hospital = network.enrol_organization()?;
        Ok(Self {
            author: network.enrol_practitioner(&hospital, &["physician"])?,
            patient: network.enrol_patient(&hospital)?,
            network,
        })
    }

    fn file(&mut self, source: &[u8]) -> Result<Vec<Filed>> {
        let bundle = Bundle::parse(source)?;
        let documents: Vec<Document<'_>> =
            bundle.clinical().filter_map(Document::from_fhir).collect();
        let kit = self.patient.filing_kit();
        let filed = self
            .author
            .file(&mut self.network, &kit, &documents, |_| ())?;
        Ok(filed)
    }

    fn chain_bytes(&self) -> Result<u64> {
        let node = self.network.nodes().first().ok_or("no node")?;
        Ok(node.chain_bytes()?)
    }
}

/// The envelope crate alone, with the keys of four custodians.
struct Bare {
    author: SigningKeyPair,
    custodians: Vec<KemKeyPair>,
    public: Vec<KemPublicKey>,
    set: CustodianSet,
    /// A message as long as an anchor, and its signature.
    signed: (Vec<u8>, Signature),
}

impl Bare {
    fn new() -> Result<Self> {
        let author = SigningKeyPair::generate()?;
        let mut custodians = Vec::new();
        for _ in 0..ORGANIZATIONS {
            custodians.push(KemKeyPair::generate()?);
        }
        let message = vec![7; 600];
        let signature = author.sign(&message);
        Ok(Self {
            author,
            public: custodians
                .iter()
                .map(|keys| keys.public_key().clone())
                .collect(),
            custodians,
            set: CustodianSet {
                id: SetId([1; 32]),
                epoch: 1,
                threshold: Threshold::new(3, 4)?,
            },
            signed: (message, signature),
        })
    }

    /// Seals each content, and deals its key to custodians who all accept.
    fn envelopes(&self, contents: &[&[u8]]) -> Result<()> {
        for batch in contents.chunks(BATCH) {
            let sealed: Vec<SealedRecord> = batch
                .iter()
                .map(|bytes| self.seal(bytes))
                .collect::<Result<_>>()?;
            let dealers: Vec<&Dealer> = sealed.iter().map(|sealed| &sealed.dealer).collect();
            let dealings: Vec<&Dealing> = dealers.iter().map(|dealer| dealer.dealing()).collect();
            let deals = deal(&dealers, &self.public)?;
            for (keys, deal) in self.custodians.iter().zip(&deals) {
                let accepted = accept_all(keys, deal.index(), &dealings, deal)?;
                if accepted.held.len() != batch.len() {
                    return Err("a share was refused".into());
                }
            }
        }
        Ok(())
    }

    fn seal(&self, bytes: &[u8]) -> Result<SealedRecord> {
        let info = RecordInfo {
            suite: Suite::XWing,
            record_id: RecordId::random()?,
            subject: SubjectId([2; 16]),
            version: RecordVersion::FIRST,
            custodians: self.set,
        };
        let content = Content {
            media_type: FHIR_JSON,
            attributes: b"",
            bytes,
        };
        Ok(seal(&info, &content, &self.author)?)
    }

    /// As many signature checks as `records` records need in all organizations together.
    fn signatures(&self, records: usize) -> Result<()> {
        let (key, (message, signature)) = (self.author.verifying_key(), &self.signed);
        for _ in 0..records * SIGNATURES * ORGANIZATIONS {
            key.verify_strict(message, signature)?;
        }
        Ok(())
    }
}

/// How long some work takes, and what it gives.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let mut result = None;
    let took = time(|| result = Some(work()));
    let result = result.ok_or("no result")??;
    Ok((took, result))
}
