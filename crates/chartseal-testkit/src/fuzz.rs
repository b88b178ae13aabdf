//! What the fuzzers run: for every decoder, a function that takes any bytes.
//!
//! Each decodes its input and, where it succeeds, panics unless encoding gives exactly the input
//! again. It gives whether the input was accepted, so that a seed that once was valid and is not any
//! more is noticed.
//!
//! `fuzz/fuzz_targets/NAME.rs` calls the function of that name; `fuzz/seeds/NAME/` has inputs to start from, and
//! this crate's tests replay those and mutations of them.

mod apply;
mod audit;
mod consent;
mod tiles;

use std::convert::Infallible;
use std::io::{Cursor, Read as _};
use std::path::Path;
use std::sync::OnceLock;

use chartseal_audit::{Kept, TrustPolicy};
use chartseal_client::{Follower, Held, HeldState, Light};
use chartseal_codec::{
    Bytes, Decode, Encode, Encoder, canonical_enum, canonical_struct, check, check_shape,
    from_bytes, to_bytes, to_hex,
};
use chartseal_envelope::rand_core::{TryCryptoRng, TryRng};
use chartseal_envelope::{
    BodyReader, Content, ContentKey, CustodianSet, Header, HeldShare, KemKeyPair, OpenError,
    RecordId, RecordInfo, RecordOpener, RecordVersion, Seal, SetId, SigningKeyPair, Slots,
    SubjectId, Suite, Threshold, cobblestone, domain, open, seal_with_rng,
};
use chartseal_fhir::{Bundle, Consent, ConsentOptions, Dialect, Resource, SmartScopes};
use chartseal_wire::history::EntryView;
use chartseal_wire::{Entry, Export};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use apply::{Script, Sent, request_on_stage};

/// A fuzz target: whether these bytes were accepted.
pub type Target = fn(&[u8]) -> bool;

macro_rules! targets {
    ($($name:ident => $run:expr, $what:literal;)+) => {
        /// All targets, by name.
        pub const TARGETS: &[(&str, Target)] = &[$((stringify!($name), $name)),+];

        $(
            #[doc = concat!("Decodes ", $what, ".")]
            pub fn $name(input: &[u8]) -> bool {
                $run(input)
            }
        )+
    };
}

targets! {
    codec_every_type => canonical::<EveryType>, "a value with one field of each kind";
    merkle_frontier => canonical::<chartseal_merkle::Frontier>, "a log's frontier";
    merkle_map_proof => canonical::<chartseal_merkle::MapProof>, "a map's proof";
    wire_block_header => canonical::<chartseal_wire::BlockHeader>, "a block's header";
    wire_entry => entry, "a history's entry, and reads it in place, with the same outcome";
    wire_export => export, "an export, and reads it in place, with the same outcome";
    wire_certificate => certificate, "a finality certificate";
    wire_signed_note => text(chartseal_wire::SignedNote::parse), "a signed note";
    wire_checkpoint => text(chartseal_wire::Checkpoint::parse), "a checkpoint";
    wire_proof_file => text(chartseal_wire::ProofFile::parse), "a proof file";
    wire_verifier_key => text(chartseal_wire::VerifierKey::parse), "a verifier key";
    tiles_bundle => tiles::bundle, "a bundle of a log's entries, under the checkpoint that its entries give";
    tiles_hashes => tiles::hashes, "a log's tile of hashes, under the checkpoint that its hashes give";
    tiles_path => text(str::parse::<chartseal_tiles::Tile>), "the path of a log's tile";
    tiles_add_checkpoint => text(|text| chartseal_tiles::AddCheckpoint::parse(text.as_bytes())), "what a log asks a witness";
    policy_terms => canonical::<chartseal_policy::Terms>, "a directive's terms";
    policy_directive => canonical::<chartseal_policy::Directive>, "a directive";
    policy_request => canonical::<chartseal_policy::Request>, "a request";
    policy_state => canonical::<chartseal_policy::PolicyState>, "all directives of a state";
    policy_decide => consent::apply_then_decide, "any bytes as directives, applies them, and decides";
    policy_json => policy_document, "a document of worlds and cases, and answers them";
    policy_json_directive => policy_directive_alone, "a directive in JSON, and writes it again";
    envelope_header => canonical::<chartseal_envelope::Header>, "a record's header";
    envelope_seal => canonical::<chartseal_envelope::Seal>, "an author's seal";
    envelope_dealing => canonical::<chartseal_envelope::Dealing>, "a dealing";
    envelope_deal => canonical::<chartseal_envelope::Deal>, "a deal";
    envelope_release => canonical::<chartseal_envelope::Release>, "a release";
    envelope_signed_release => canonical::<chartseal_envelope::SignedRelease>, "a release that its custodian signed";
    envelope_release_evidence => canonical::<chartseal_envelope::ReleaseEvidence>, "evidence against a custodian";
    envelope_dealer_evidence => canonical::<chartseal_envelope::DealerEvidence>, "evidence against a dealer";
    envelope_slots => canonical::<chartseal_envelope::Slots>, "the slots of a record";
    envelope_record_file => record_file, "a record's file";
    envelope_acknowledgement => canonical::<chartseal_envelope::Acknowledgement>, "an acknowledgement";
    envelope_sealed_text => canonical::<chartseal_envelope::SealedText>, "a sealed text";
    envelope_kem_key => canonical::<chartseal_envelope::KemPublicKey>, "a KEM public key";
    envelope_verifying_key => canonical::<chartseal_envelope::VerifyingKey>, "a verifying key";
    envelope_hybrid_key => canonical::<chartseal_envelope::HybridVerifyingKey>, "a verifying key of suite 2";
    envelope_identity => canonical::<chartseal_envelope::PublicIdentity>, "a public identity";
    envelope_keystore => keystore_file, "a keystore file, up to its password";
    envelope_held_share => held_share, "a custodian's share as it is stored";
    envelope_body => body, "a body under a key that is not its own";
    envelope_stream => stream, "a signed body at once, as a stream and at random, with the same answer";
    ledger_transaction => canonical::<chartseal_ledger::Transaction>, "a transaction";
    ledger_signed_transaction => canonical::<chartseal_ledger::SignedTransaction>, "a signed transaction";
    ledger_block => canonical::<chartseal_ledger::Block>, "a block";
    ledger_apply => apply::script, "bodies and a block, signs, proposes and executes them, with one outcome";
    ledger_committee => canonical::<chartseal_ledger::Committee>, "a committee";
    ledger_genesis => canonical::<chartseal_ledger::Genesis>, "a genesis";
    ledger_snapshot => snapshot, "a header and a snapshot's chunks, and imports it";
    api_submission => canonical::<chartseal_api::Submission>, "what a client hands in";
    api_outcome => canonical::<chartseal_api::TxOutcome>, "what became of a transaction";
    api_blocks => canonical::<chartseal_api::Blocks>, "final blocks with their certificates";
    api_value_proof => canonical::<chartseal_api::ValueProof>, "a value of the state with its proof";
    api_state_ask => canonical::<chartseal_api::StateAsk>, "keys of the state";
    api_state_proof => canonical::<chartseal_api::StateProof>, "values of the state with their proofs";
    api_transaction_proof => canonical::<chartseal_api::TransactionProof>, "a final transaction with its proof";
    api_blob_ask => canonical::<chartseal_api::Signed<chartseal_api::BlobAsk>>, "a signed question for a ciphertext";
    api_fronts_ask => canonical::<chartseal_api::Signed<chartseal_api::FrontsAsk>>, "a signed question for headers";
    api_envelopes_ask => canonical::<chartseal_api::EnvelopesAsk>, "which sealed records are asked for";
    api_envelopes => canonical::<chartseal_api::Envelopes>, "sealed records of a request";
    api_fronts => canonical::<chartseal_api::Fronts>, "headers and seals of records";
    api_kem_key => canonical::<chartseal_api::KemKey>, "somebody's KEM key";
    api_deposit => canonical::<chartseal_api::Deposit>, "a deposit";
    api_deposited => canonical::<chartseal_api::Deposited>, "what a custodian did with one";
    api_redeal => canonical::<chartseal_api::Redeal>, "shares of keys that were dealt anew";
    api_outline => canonical::<chartseal_api::Outline>, "a sealed record whose body travels in parts";
    api_uploaded => canonical::<chartseal_api::Uploaded>, "how far an upload is";
    api_release => canonical::<chartseal_api::ReleaseAsk>, "a question for shares";
    api_releases => canonical::<chartseal_api::Releases>, "a custodian's releases";
    api_envelope => canonical::<chartseal_api::Envelope>, "a sealed record as it travels";
    api_history => canonical::<chartseal_api::Signed<chartseal_api::HistoryAsk>>, "a signed question for a history";
    api_entries => canonical::<chartseal_api::History>, "the entries of a history";
    api_entry_events => entry_events, "server-sent events of entries, and writes them again";
    api_problem => json::<chartseal_api::Problem>, "what went wrong, in JSON";
    api_block_event => json::<chartseal_api::BlockEvent>, "that a block is final, in JSON";
    api_export => canonical::<chartseal_api::Signed<chartseal_api::ExportAsk>>, "a signed question for an export";
    client_held => held, "what an app holds of a chain between its runs, and judges it";
    consensus_gossip => gossip, "a message of gossip";
    consensus_evidence => evidence, "evidence against a validator";
    consensus_recall => recall, "a question for votes, or its answer";
    node_config => text_again(configuration), "a node's configuration, and writes it again";
    node_keys => keys_file, "a node's keys";
    node_manifest => text_again(manifest), "what a backup's folder says of itself, and writes it again";
    node_status => canonical::<chartseal_node::serve::NodeStatus>, "how a node is";
    node_committee => canonical::<chartseal_node::CommitteeView>, "what a node knows of the committee";
    node_proposal => text(chartseal_node::Proposal::parse), "the next committee as somebody proposes it";
    node_vouchers => text(chartseal_node::Vouchers::parse), "a snapshot's vouchers";
    audit_policy => trust_policy, "a trust policy";
    audit_kept => canonical::<Kept>, "what a verifier keeps";
    audit_equivocation => audit::equivocation, "evidence of two histories, and verifies it";
    audit_verify => audit::export, "an export file, and verifies it";
    audit_differential => audit::differential, "an export file, and verifies it in Python too, with the same verdict";
    app_filing => canonical::<chartseal::Filing>, "what a record was filed under";
    app_invitation => canonical::<chartseal::Invitation>, "what a grantee is told";
    fhir_bundle => bundle, "a FHIR bundle";
    fhir_resource => resource, "a FHIR resource";
    fhir_consent => consent, "a FHIR Consent, in each dialect";
    fhir_smart => smart, "SMART scopes";
}

fn canonical<T: Decode + Encode>(input: &[u8]) -> bool {
    let value = from_bytes::<T>(input);
    assert_eq!(check::<T>(input), value.is_ok(), "checked in place");
    let shape = check_shape(T::SHAPE, input);
    assert_eq!(shape.err().as_ref(), value.as_ref().err(), "by its shape");
    value.is_ok_and(|value| same(input, &to_bytes(&value)))
}

/// Whoever writes anew what was read is read in the same way.
fn entry_events(input: &[u8]) -> bool {
    let read: Result<Vec<_>, _> = chartseal_api::EntryEvents::new(input).collect();
    let Ok(read) = read else {
        return false;
    };
    let written = read.iter().fold(String::new(), |text, (index, entry)| {
        text + &format!("event: entry\nid: {index}\ndata: {}\n\n", to_hex(entry))
    });
    let again: Result<Vec<_>, _> = chartseal_api::EntryEvents::new(written.as_bytes()).collect();
    assert_eq!(again.ok(), Some(read));
    true
}

fn entry(input: &[u8]) -> bool {
    let view = EntryView::read(input);
    match from_bytes::<Entry>(input) {
        Ok(entry) => assert!(view.is_ok_and(|view| view == entry)),
        Err(wrong) => assert_eq!(view.err(), Some(wrong)),
    }
    canonical::<Entry>(input)
}

fn export(input: &[u8]) -> bool {
    match (Export::read(input), from_bytes::<Export>(input)) {
        (Ok(read), Ok(export)) => {
            for (owned, read) in export.histories.iter().zip(&read.histories) {
                let owned = owned.entries.iter().map(AsRef::as_ref);
                assert!(read.entries.of(input).eq(owned));
            }
        }
        (read, export) => assert_eq!(read.err(), export.err()),
    }
    canonical::<Export>(input)
}

fn certificate(input: &[u8]) -> bool {
    let certificate = chartseal_wire::Certificate::parse(input);
    certificate.is_ok_and(|certificate| same(input, &certificate.bytes()))
}

fn gossip(input: &[u8]) -> bool {
    let read = chartseal_consensus::engine::read_frame(input);
    read.is_ok_and(|transactions| same(input, &to_bytes(&transactions)))
}

fn evidence(input: &[u8]) -> bool {
    let read = chartseal_consensus::Evidence::from_bytes(input);
    read.is_ok_and(|evidence| same(input, &evidence.bytes()))
}

fn recall(input: &[u8]) -> bool {
    let read = chartseal_consensus::engine::Recall::from_bytes(input);
    read.is_ok_and(|recall| same(input, &recall.bytes()))
}

fn text<T: ToString, E>(parse: impl Fn(&str) -> Result<T, E>) -> impl Fn(&[u8]) -> bool {
    move |input| {
        let value = std::str::from_utf8(input)
            .ok()
            .and_then(|input| parse(input).ok());
        value.is_some_and(|value| same(input, value.to_string().as_bytes()))
    }
}

fn same(input: &[u8], encoded: &[u8]) -> bool {
    assert!(input == encoded, "decoded, but encodes to other bytes");
    true
}

/// What is written of what was read is read alike.
fn text_again(read: fn(&str) -> Option<String>) -> impl Fn(&[u8]) -> bool {
    move |input| {
        let written = std::str::from_utf8(input).ok().and_then(read);
        written.is_some_and(|text| {
            let again = read(&text);
            assert!(
                again.as_ref() == Some(&text),
                "what is written is read alike"
            );
            true
        })
    }
}

fn configuration(text: &str) -> Option<String> {
    let config = chartseal_node::serve::Config::parse(text, Path::new("node.conf"));
    config.ok().map(|config| config.text())
}

fn manifest(text: &str) -> Option<String> {
    let manifest = chartseal_node::serve::Manifest::parse(text);
    manifest.map(|manifest| manifest.text())
}

/// A file of version 1 has a key less.
fn keys_file(input: &[u8]) -> bool {
    let keys = chartseal_node::NodeKeys::from_secret_bytes(input);
    keys.is_ok_and(|keys| {
        let written = keys.to_secret_bytes();
        let again = chartseal_node::NodeKeys::from_secret_bytes(&written);
        assert!(again.is_ok_and(|again| again.to_secret_bytes() == written));
        assert!(*input == **written || input.len() < written.len());
        true
    })
}

fn json<T: Serialize + DeserializeOwned + PartialEq>(input: &[u8]) -> bool {
    let value = serde_json::from_slice::<T>(input);
    value.is_ok_and(|value| {
        let written = serde_json::to_vec(&value).unwrap_or_default();
        let again = serde_json::from_slice::<T>(&written);
        assert!(
            again.is_ok_and(|again| again == value),
            "what is written is read alike"
        );
        true
    })
}

fn keystore_file(input: &[u8]) -> bool {
    let file = std::str::from_utf8(input);
    file.is_ok_and(|file| chartseal_envelope::keystore::check(file).is_ok())
}

fn held_share(input: &[u8]) -> bool {
    let share = HeldShare::from_storage_bytes(input);
    share.is_ok_and(|share| same(input, &share.to_storage_bytes()))
}

fn snapshot(input: &[u8]) -> bool {
    let Ok((trusted, chunks)) = from_bytes::<(chartseal_wire::BlockHeader, Vec<Bytes>)>(input)
    else {
        return false;
    };
    let mut import = chartseal_ledger::store::Import::new(trusted);
    chunks.iter().all(|chunk| import.chunk(&chunk.0).is_ok()) && import.finish().is_ok()
}

/// The genesis of the chain that `fuzz/seeds/client_held` has.
const GENESIS: &[u8] = include_bytes!("../../../fuzz/seeds/ledger_genesis/five");

fn held(input: &[u8]) -> bool {
    if !canonical::<Held>(input) {
        return false;
    }
    match from_bytes::<Held>(input).map(|held| held.state) {
        Ok(HeldState::Followed(chain)) => from_bytes::<chartseal_ledger::Genesis>(GENESIS)
            .is_ok_and(|genesis| Follower::from_held(&genesis, &chain).is_ok()),
        Ok(HeldState::Asked(values)) => TrustPolicy::parse(audit::TRUST)
            .is_ok_and(|policy| values.judged(&mut Light::new(policy)).is_ok()),
        Err(_) => false,
    }
}

fn record_file(input: &[u8]) -> bool {
    let record = chartseal_envelope::file::Record::from_bytes(input);
    record.is_ok_and(|record| same(input, &record.to_bytes()))
}

/// The ciphertext is authenticated, so nothing but the seed is ever accepted.
fn body(input: &[u8]) -> bool {
    let key = ContentKey::from_bytes([7; 32]);
    cobblestone::open(&key, b"fuzz", input).is_ok_and(|text| {
        assert!(
            text.len() < input.len(),
            "a plaintext is shorter than its ciphertext"
        );
        true
    })
}

/// A record whose author also signs other bodies.
struct Signed {
    header: Header,
    author: SigningKeyPair,
    key: ContentKey,
}

impl Signed {
    fn new() -> Option<Self> {
        let author = SigningKeyPair::from_secret_bytes(&[1; 32]);
        let info = RecordInfo {
            suite: Suite::default(),
            record_id: RecordId([2; 16]),
            subject: SubjectId([3; 16]),
            version: RecordVersion::FIRST,
            custodians: CustodianSet {
                id: SetId([4; 32]),
                epoch: 0,
                threshold: Threshold::new(2, 2).ok()?,
            },
        };
        let content = Content {
            media_type: "",
            attributes: b"",
            bytes: b"",
        };
        let record = seal_with_rng(&info, &content, &author, &mut Sevens).ok()?;
        // A slot is how a key is had without custodians.
        let recipient = KemKeyPair::from_secret_bytes(info.suite, &[5; 32]);
        let mut slots = Slots::new(&record.header);
        let public = recipient.public_key();
        slots
            .add_with_rng(&record.dealer, public, &mut Sevens)
            .ok()?;
        let key = slots.open(&recipient, &record.header).ok()?;
        Some(Self {
            header: record.header,
            author,
            key,
        })
    }

    /// The author's seal over any bytes, as the format has it.
    fn seal(&self, body: &[u8]) -> Option<Seal> {
        let (digest, len) = (blake3::hash(body), body.len() as u64);
        let header = self.header.digest();
        let message = [
            domain::SEAL.as_bytes(),
            &[0],
            header.as_bytes(),
            digest.as_bytes(),
            &len.to_be_bytes(),
        ];
        let signature = self.author.sign(&message.concat());
        let mut e = Encoder::new();
        e.array(5).uint(Seal::FORMAT).item(&self.header.suite());
        e.bytes(digest.as_bytes()).uint(len).item(&signature);
        from_bytes(&e.finish()).ok()
    }
}

/// After the first byte comes a plaintext, which is sealed, or if that byte is odd the body itself.
fn stream(input: &[u8]) -> bool {
    static SIGNED: OnceLock<Option<Signed>> = OnceLock::new();
    let (Some(signed), Some((first, rest))) =
        (SIGNED.get_or_init(Signed::new), input.split_first())
    else {
        return false;
    };
    let (header, key) = (&signed.header, &signed.key);
    let body = if first % 2 == 0 {
        cobblestone::seal_with_rng(key, header.digest().as_bytes(), &[rest], &mut Sevens)
    } else {
        rest.to_vec()
    };
    let Some(seal) = signed.seal(&body) else {
        return false;
    };
    let author = signed.author.verifying_key();
    let at_once = open(header, &body, &seal, &author, key).ok();
    let streamed = RecordOpener::new(header, &seal, &author, key).ok();
    let streamed = streamed.and_then(|mut opener| {
        let mut content = Vec::new();
        let mut put = |some: &[u8]| {
            content.extend_from_slice(some);
            Ok::<(), OpenError>(())
        };
        for piece in body.chunks(usize::from(*first) + 1) {
            opener.update(piece, &mut put).ok()?;
        }
        let info = opener.finish(&mut put).ok()?;
        Some((info.content_len(), content))
    });
    let expected = at_once.map(|opened| (opened.content_len(), opened.content().to_vec()));
    assert!(streamed == expected, "a stream opens as the whole does");
    // Reading at random doesn't look at the padding, so it may read what the others refuse.
    let reader = BodyReader::new(header, &seal, &author, key, Cursor::new(&body)).ok();
    if let Some((_, expected)) = &expected {
        let mut content = Vec::new();
        let read = reader.and_then(|mut reader| reader.read_to_end(&mut content).ok());
        assert!(
            read.is_some() && content == *expected,
            "random access reads what the whole holds"
        );
    }
    expected.is_some()
}

/// "Randomness" that is the same in every run; nothing secret is sealed with it.
struct Sevens;

impl TryRng for Sevens {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(7)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(7)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(7);
        Ok(())
    }
}

impl TryCryptoRng for Sevens {}

fn policy_document(input: &[u8]) -> bool {
    let Ok(cases) = chartseal_policy::json::read(input) else {
        return false;
    };
    let report = chartseal_policy::json::check(input).map(|report| report.lines().count());
    assert!(
        report == Ok(cases.len()),
        "a document that was read has an answer for each case"
    );
    true
}

fn policy_directive_alone(input: &[u8]) -> bool {
    use chartseal_policy::{MemoryWorld, json};
    let world = MemoryWorld::new();
    json::read_directive(input, &world).is_ok_and(|directive| {
        let written = json::write_directive(&directive).unwrap_or_default();
        let again = json::read_directive(written.as_bytes(), &world);
        assert!(again == Ok(directive), "what is written is read alike");
        true
    })
}

fn trust_policy(input: &[u8]) -> bool {
    let policy = std::str::from_utf8(input)
        .ok()
        .and_then(|text| TrustPolicy::parse(text).ok());
    policy.is_some_and(|policy| {
        assert!(
            policy.witnesses().count() <= input.len(),
            "each witness has its line"
        );
        true
    })
}

fn bundle(input: &[u8]) -> bool {
    Bundle::parse(input).is_ok_and(|bundle| {
        bundle
            .resources()
            .iter()
            .for_each(|resource| look(input, resource));
        true
    })
}

fn resource(input: &[u8]) -> bool {
    Resource::parse(input).is_ok_and(|resource| {
        look(input, &resource);
        true
    })
}

/// What is sealed are the input's own bytes; nothing that is read from them panics.
fn look(input: &[u8], resource: &Resource<'_>) {
    let raw = resource.raw();
    assert!(
        input.as_ptr_range().contains(&raw.as_ptr()),
        "a resource's bytes are the input's"
    );
    assert!(
        Resource::parse(raw).is_ok(),
        "a resource of a bundle is one by itself"
    );
    let _ = (resource.labels(), resource.summary(), resource.reference());
}

/// One field of every kind that the codec has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EveryType {
    /// An unsigned integer.
    pub number: u64,
    /// A smaller one.
    pub small: u16,
    /// A byte string of fixed length.
    pub fixed: [u8; 4],
    /// One of any length.
    pub bytes: Bytes,
    /// A text.
    pub text: String,
    /// Something absent or not.
    pub optional: Option<bool>,
    /// A list of pairs.
    pub list: Vec<(u64, Option<Bytes>)>,
    /// A variant.
    pub variant: Variant,
}
canonical_struct!(EveryType {
    number,
    small,
    fixed,
    bytes,
    text,
    optional,
    list,
    variant
});

/// A variant with a field, and one without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variant {
    /// With a field.
    Full(Vec<u32>),
    /// Without.
    Empty,
}
canonical_enum!(Variant { 1 => Full(_), 2 => Empty });

fn consent(input: &[u8]) -> bool {
    let dialects = [Dialect::R4, Dialect::R5, Dialect::Pcf];
    let options = ConsentOptions::default();
    let read = dialects.map(|dialect| Consent::import(input, dialect, &options).is_ok());
    read.contains(&true)
}

fn smart(input: &[u8]) -> bool {
    let scopes = std::str::from_utf8(input)
        .ok()
        .and_then(|text| SmartScopes::parse(text).ok());
    scopes.is_some_and(|scopes| {
        let written = scopes.to_string();
        let again = SmartScopes::parse(&written).map(|scopes| scopes.to_string());
        assert!(
            again.is_ok_and(|again| again == written),
            "what is written is read alike"
        );
        true
    })
}
