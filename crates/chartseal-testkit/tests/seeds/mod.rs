//! Where the fuzzers' seeds come from: the crates' golden vectors, and their encoders.

#[allow(dead_code, reason = "the verifier's tests use all of it")]
#[path = "../../../chartseal-audit/tests/it/fixture.rs"]
mod fixture;

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;

use chartseal::{Class, Filing, Tag};
use chartseal_api::{
    BlobAsk, BlockEvent, Blocks, Deposit, Deposited, Envelope, EnvelopeFront, Envelopes,
    EnvelopesAsk, ExportAsk, FinalBlock, Fronts, FrontsAsk, History, HistoryAsk, KemKey, Outline,
    Problem, ProvedValue, Redeal, Refused, ReleaseAsk, Releases, Section, Signed, StateAsk,
    StateProof, Submission, TransactionProof, TxOutcome, Uploaded, ValueProof,
};
use chartseal_audit::Equivocation;
use chartseal_client::{Follower, Held, HeldState, HeldValues, Histories, ProvedValues};
use chartseal_codec::{Bytes, Encode, Encoder, from_bytes, to_bytes};
use chartseal_consensus::Evidence;
use chartseal_consensus::engine::{Answer, Recall};
use chartseal_envelope::rand_core::{TryCryptoRng, TryRng};
use chartseal_envelope::{ContentKey, cobblestone};
use chartseal_ledger::body::{Organization, Released};
use chartseal_ledger::state::NextCommittee;
use chartseal_ledger::store::export_snapshot;
use chartseal_ledger::{
    Block, Body, Commit, Genesis, LedgerStore, MemoryStore, Params, SignedTransaction, Transaction,
};
use chartseal_merkle::{Frontier, Map, MapKey, leaf_hash};
use chartseal_node::serve::{Heard, NodeStatus};
use chartseal_node::{CommitteeView, KnownOrganization};
use chartseal_policy::{
    Action, Directive, Issuer, PolicyState, Position, Purpose, Request, Symbol, Terms,
    Time as PolicyTime,
};
use chartseal_testkit::fuzz::{EveryType, Script, Sent, Variant, request_on_stage};
use chartseal_tiles::push_entry;
use chartseal_wire::committee::{Committee, Member};
use chartseal_wire::{
    ActorId, ChainId, Checkpoint, Entry, Export, Hash, HeaderDigest, MlDsaKey, OrgId, PatientId,
    ProofFile, PublicKey, RecordId, SealedText, Signature, Subject, Time, TxId, VerifierKey,
};

use fixture::Network;

/// A target, a file name, and the seed.
pub(crate) type Seed = (&'static str, String, Vec<u8>);

pub(crate) fn all() -> Vec<Seed> {
    [
        codec(),
        merkle(),
        exported(),
        policy(),
        envelope(),
        ledger(),
        service(),
        consensus(),
        node(),
        apps(),
        fhir(),
    ]
    .concat()
}

fn codec() -> Vec<Seed> {
    let value = |number, optional, variant| EveryType {
        number,
        small: 500,
        fixed: [1, 2, 3, 4],
        bytes: Bytes(vec![5; 30]),
        text: "ä".into(),
        optional,
        list: vec![(24, None), (u64::from(u32::MAX) + 1, Some(Bytes(vec![])))],
        variant,
    };
    vec![
        seed(
            "codec_every_type",
            "full",
            &value(u64::MAX, Some(true), Variant::Full(vec![0, 23, 70_000])),
        ),
        seed("codec_every_type", "empty", &value(0, None, Variant::Empty)),
    ]
}

fn merkle() -> Vec<Seed> {
    let mut frontier = Frontier::new();
    (0..11u8).for_each(|n| frontier.append(leaf_hash(&[n])));
    let key = |n: u8| MapKey(leaf_hash(&[n]).0);
    let map = Map::new().update((0..9).map(|n| (key(n), Some(vec![n]))).collect());
    vec![
        seed("merkle_frontier", "empty", &Frontier::new()),
        seed("merkle_frontier", "eleven", &frontier),
        seed("merkle_map_proof", "present", &map.prove(&key(3))),
        seed("merkle_map_proof", "absent", &map.prove(&key(200))),
        seed("merkle_map_proof", "empty", &Map::new().prove(&key(0))),
    ]
}

/// Single facts of a golden export.
fn proofs(file: &ProofFile, export: &Export) -> Vec<Seed> {
    let history = &export.histories[0];
    let value = ValueProof {
        head: "origin\n1\nroot\n".into(),
        value: Some(Bytes(to_bytes(&history.log))),
        proof: history.proof.clone(),
    };
    let nothing = ValueProof {
        value: None,
        ..value.clone()
    };
    let keys = vec![history.subject.slot(), MapKey([9; 32])];
    let proved = |value| ProvedValue {
        value,
        proof: history.proof.clone(),
    };
    let state = StateProof {
        head: value.head.clone(),
        values: vec![proved(value.value.clone()), proved(None)],
    };
    let transaction = TransactionProof {
        head: value.head.clone(),
        header: export.header.clone(),
        in_log: file.proof.clone(),
        transaction: SignedTransaction {
            bytes: vec![1; 30],
            signature: Signature([2; 64]),
        },
        index: 3,
        transactions: 4,
        in_block: vec![leaf_hash(b"a"), leaf_hash(b"b")],
    };
    vec![
        seed("api_value_proof", "value", &value),
        seed("api_value_proof", "nothing", &nothing),
        seed("api_state_ask", "two", &StateAsk { keys }),
        seed("api_state_ask", "none", &StateAsk::default()),
        seed("api_state_proof", "two", &state),
        seed("api_transaction_proof", "one", &transaction),
    ]
}

/// What an app holds that asked for a golden export's history and listed it.
fn held(file: &ProofFile, export: &Export) -> Seed {
    let history = &export.histories[0];
    let slot = history.subject.slot();
    let log = to_bytes(&history.log);
    let proof = StateProof {
        head: file.to_string(),
        values: vec![ProvedValue {
            value: Some(Bytes(log.clone())),
            proof: history.proof.clone(),
        }],
    };
    let proved = ProvedValues {
        header: export.header.clone(),
        values: [(slot, Some(log))].into(),
    };
    let entries = history.entries.iter().map(|entry| entry.0.clone());
    let histories = Histories::from([(history.subject, entries.collect())]);
    let values = HeldValues::new(vec![slot], proof).with(&histories, &proved);
    let log_keys = vec![(OrgId([1; 16]), "a.example/log+00000000+key".into())];
    let held = Held::new(export.header.chain, log_keys, HeldState::Asked(values));
    seed("client_held", "asked", &held)
}

/// What the verifier is asked: an export alone, after what was kept, and how fresh it is; and evidence of a fork that a
/// committee certified.
fn questions() -> Vec<Seed> {
    let vector = |name: &str| read(&format!("crates/chartseal-audit/tests/vectors/{name}"));
    let question = |kept: &[u8], seconds: u16, file: &[u8]| {
        let len = u16::try_from(kept.len()).unwrap().to_be_bytes();
        [&len[..], kept, &seconds.to_be_bytes(), file].concat()
    };
    let (visit, newer) = (vector("visit.tlog-proof"), vector("visit-newer.tlog-proof"));
    let (kept, certified) = (vector("visit.kept"), vector("certified.tlog-proof"));
    let all = [
        ("visit", question(&[], 0, &visit)),
        ("visit-fresh", question(&[], 600, &visit)),
        ("visit-again", question(&kept, 0, &visit)),
        ("visit-newer", question(&kept, 600, &newer)),
        ("certified", question(&[], 0, &certified)),
        (
            "certified-again",
            question(&vector("certified.kept"), 0, &certified),
        ),
    ];
    let of = |target: &'static str| all.iter().map(move |(name, seed)| (target, name, seed));
    let both = of("audit_verify").chain(of("audit_differential"));
    let mut seeds: Vec<Seed> = both
        .map(|(target, name, seed)| (target, (*name).into(), seed.clone()))
        .collect();

    let (mut one, mut other) = (Network::certified(1), Network::certified(1));
    one.event(
        fixture::subject(),
        fixture::DOCTOR,
        fixture::added(fixture::NOTE),
    );
    other.event(
        fixture::subject(),
        fixture::DOCTOR,
        fixture::added(fixture::LAB),
    );
    let [one, other] = [one, other].map(|net| {
        let mut parts = net.certified_export();
        parts.cosigners = vec![0];
        parts.text()
    });
    let evidence = Equivocation::between(&one, &other).unwrap();
    seeds.push(seed("audit_equivocation", "certified", &evidence));
    seeds
}

/// Files of a published log.
fn published() -> Vec<Seed> {
    let mut bundle = Vec::new();
    for entry in [&b"an entry"[..], b"", &[7; 300]] {
        push_entry(&mut bundle, entry).unwrap();
    }
    let tile = |width: u8| (0..=width).flat_map(|at| leaf_hash(&[at]).0).collect();
    vec![
        ("tiles_bundle", "three".into(), bundle),
        ("tiles_hashes", "partial".into(), tile(4)),
        ("tiles_hashes", "full".into(), tile(255)),
    ]
}

/// A witness with a key of ML-DSA-44.
fn after_quantum(policy: &[u8]) -> Vec<Seed> {
    let key = MlDsaKey::new(&[7; MlDsaKey::LEN]).unwrap();
    let key = VerifierKey::ml_dsa("pq.example", key).unwrap().to_string();
    let witness = format!("witness pq {key}\n");
    let policy = [witness.as_bytes(), policy].concat();
    vec![
        ("wire_verifier_key", "ml-dsa".into(), key.into()),
        ("audit_policy", "ml-dsa.policy".into(), policy),
    ]
}

/// The verifier's golden exports, and everything that they hold.
fn exported() -> Vec<Seed> {
    let vectors = "crates/chartseal-audit/tests/vectors";
    let visit = read(&format!("{vectors}/visit.tlog-proof"));
    let policy = read(&format!("{vectors}/trust.policy"));
    let file = ProofFile::parse(std::str::from_utf8(&visit).unwrap()).unwrap();
    let export: Export = from_bytes(&file.extra).unwrap();
    let checkpoint = Checkpoint::parse(&file.checkpoint.text).unwrap();
    let history = &export.histories[0];
    let mut seeds = vec![
        seed("wire_export", "visit", &export),
        seed("wire_block_header", "visit", &export.header),
        seed("merkle_map_proof", "visit", &history.proof),
        (
            "wire_signed_note",
            "visit".into(),
            file.checkpoint.to_string().into(),
        ),
        (
            "tiles_add_checkpoint",
            "first".into(),
            format!("old 0\n\n{}", file.checkpoint).into(),
        ),
        ("tiles_path", "full".into(), b"tile/1/x001/067".to_vec()),
        (
            "tiles_path",
            "partial".into(),
            b"tile/entries/000.p/17".to_vec(),
        ),
        (
            "wire_checkpoint",
            "visit".into(),
            checkpoint.to_string().into(),
        ),
        ("wire_proof_file", "visit".into(), visit.clone()),
        ("audit_policy", "trust.policy".into(), policy.clone()),
        (
            "audit_equivocation",
            "fork".into(),
            read(&format!("{vectors}/fork.equivocation")),
        ),
        (
            "audit_kept",
            "visit".into(),
            read(&format!("{vectors}/visit.kept")),
        ),
    ];
    seeds.extend(questions());
    seeds.extend(published());
    seeds.extend(after_quantum(&policy));
    seeds.extend(proofs(&file, &export));
    seeds.push(held(&file, &export));
    let certified = read(&format!("{vectors}/certified.tlog-proof"));
    let file = ProofFile::parse(std::str::from_utf8(&certified).unwrap()).unwrap();
    let shown: Export = from_bytes(&file.extra).unwrap();
    let certificate = shown.finality.as_ref().unwrap().certificate.bytes();
    seeds.extend([
        seed("wire_export", "certified", &shown),
        ("wire_certificate", "certified".into(), certificate),
        (
            "audit_policy",
            "committee.policy".into(),
            read(&format!("{vectors}/committee.policy")),
        ),
        (
            "audit_kept",
            "certified".into(),
            read(&format!("{vectors}/certified.kept")),
        ),
    ]);
    for (at, entry) in history.entries.iter().enumerate() {
        seeds.push(("wire_entry", format!("visit-{at:02}"), entry.0.clone()));
    }
    let vectors = read("crates/chartseal-wire/tests/vectors/wire.txt");
    for line in std::str::from_utf8(&vectors).unwrap().lines() {
        let event = line
            .strip_prefix("event.")
            .and_then(|line| line.split_once(' '));
        if let Some((name, value)) = event {
            let entry = Entry {
                height: 300,
                time: Time(1_795_305_600_000),
                tx: TxId([5; 32]),
                actor: ActorId([6; 16]),
                org: OrgId([7; 16]),
                event: from_bytes(&unhex(value)).unwrap(),
            };
            seeds.push(seed("wire_entry", name, &entry));
        }
    }
    let policy = String::from_utf8(policy).unwrap();
    for word in ["log ", "witness "] {
        let line = policy.lines().find(|line| line.starts_with(word)).unwrap();
        let key = line.rsplit(' ').next().unwrap();
        seeds.push(("wire_verifier_key", word.trim().into(), key.into()));
    }
    seeds
}

fn policy() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let vectors = read("crates/chartseal-policy/tests/vectors/terms.txt");
    let lines: Vec<&str> = std::str::from_utf8(&vectors).unwrap().lines().collect();
    for (at, pair) in lines.chunks(2).enumerate() {
        let bytes = unhex(pair[1]);
        let directive = Directive {
            id: Symbol::new("id").unwrap(),
            position: Position {
                height: 7,
                index: 1,
            },
            issued: Some(PolicyTime(7_000)),
            issuer: Issuer::Quorum,
            patient: Symbol::new("ann").unwrap(),
            terms: from_bytes::<Terms>(&bytes).unwrap(),
        };
        seeds.push(seed("policy_directive", &format!("{at:02}"), &directive));
        seeds.push(("policy_terms", format!("{at:02}"), bytes));
    }
    let terms = from_bytes::<Terms>(&unhex(lines[1])).unwrap();
    let mut state = PolicyState::new();
    for id in ["a", "b"] {
        let directive = Directive {
            id: Symbol::new(id).unwrap(),
            position: Position {
                height: 7,
                index: 1,
            },
            issued: None,
            issuer: Issuer::Quorum,
            patient: Symbol::new("ann").unwrap(),
            terms: terms.clone(),
        };
        state.apply(directive).unwrap();
    }
    seeds.push(seed("policy_state", "two", &state));
    let request = |action, purpose| Request {
        actor: Symbol::new("dr").unwrap(),
        patient: Symbol::new("ann").unwrap(),
        record: Symbol::new("lab").unwrap(),
        action,
        purpose,
        time: PolicyTime(9_000),
        position: Position {
            height: 8,
            index: 0,
        },
    };
    let reading = request(Some(Action::Read), Some(Purpose::Treat));
    seeds.push(seed("policy_request", "read", &reading));
    seeds.push(seed("policy_request", "malformed", &request(None, None)));
    for start in 0..4_u32 {
        // Any bytes are a scene; these are a linear congruence's.
        let mut number = start;
        let choices = std::iter::repeat_with(|| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            number.to_be_bytes()[0]
        });
        let choices = choices.take(700).collect();
        seeds.push(("policy_decide", format!("{start}"), choices));
    }
    let cases = read("crates/chartseal-policy/tests/cases.json");
    seeds.push(("policy_json", "cases.json".into(), cases));
    seeds
}

/// The golden record in a file.
fn record_file() -> Vec<u8> {
    let part = |name| {
        let hex = read(&format!(
            "crates/chartseal-envelope/tests/vectors/{name}.hex"
        ));
        unhex(std::str::from_utf8(&hex).unwrap())
    };
    let body = part("body");
    let record = chartseal_envelope::file::Record {
        header: from_bytes(&part("header")).unwrap(),
        body: &body,
        seal: from_bytes(&part("seal")).unwrap(),
    };
    record.to_bytes()
}

fn envelope() -> Vec<Seed> {
    let vector = |target, file: &str| {
        let hex = read(&format!(
            "crates/chartseal-envelope/tests/vectors/{file}.hex"
        ));
        (
            target,
            "golden".to_owned(),
            unhex(std::str::from_utf8(&hex).unwrap()),
        )
    };
    let key = ContentKey::from_bytes([7; 32]);
    let body = cobblestone::seal_with_rng(&key, b"fuzz", &[b"plaintext"], &mut Nines);
    vec![
        vector("envelope_header", "header"),
        vector("envelope_seal", "seal"),
        vector("envelope_dealing", "dealing"),
        vector("envelope_deal", "deal"),
        vector("envelope_release", "release"),
        vector("envelope_signed_release", "signed-release"),
        vector("envelope_release_evidence", "release-evidence"),
        vector("envelope_dealer_evidence", "dealer-evidence"),
        vector("envelope_slots", "slots"),
        ("envelope_record_file", "golden".to_owned(), record_file()),
        vector("envelope_acknowledgement", "acknowledgement"),
        vector("envelope_sealed_text", "sealed-text"),
        vector("envelope_kem_key", "kem-key"),
        vector("envelope_verifying_key", "author-key"),
        vector("envelope_hybrid_key", "author-key-2"),
        vector("envelope_identity", "identity-2"),
        (
            "envelope_keystore",
            "golden".into(),
            read("crates/chartseal-envelope/tests/vectors/keystore.pem"),
        ),
        vector("envelope_held_share", "held-share"),
        ("envelope_body", "plaintext".into(), body),
        (
            "envelope_stream",
            "length-in-front".into(),
            streamed(Some(5)),
        ),
        (
            "envelope_stream",
            "length-at-the-end".into(),
            streamed(None),
        ),
    ]
}

/// A body's plaintext with five bytes of content, behind the byte that says so.
fn streamed(len: Option<u64>) -> Vec<u8> {
    let mut e = Encoder::new();
    e.array(4);
    match len {
        Some(len) => e.uint(len),
        None => e.null(),
    };
    e.text("text/plain").bytes(b"").bytes(&[7; 32]);
    let mut plaintext = [&[2][..], &e.finish(), b"seeds"].concat();
    // Behind the first byte, Padmé makes 56 of 53 and 64 of 61.
    plaintext.resize(1 + 56, 0);
    if len.is_none() {
        plaintext.extend(5_u64.to_be_bytes());
    }
    plaintext
}

/// "Randomness" that is the same in every run; nothing secret is sealed with it.
struct Nines;

impl TryRng for Nines {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(9)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(9)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(9);
        Ok(())
    }
}

impl TryCryptoRng for Nines {}

fn ledger() -> Vec<Seed> {
    let key = |n: u8| PublicKey([n; 32]);
    let organization = |n: u8| Organization {
        id: OrgId([n; 16]),
        enrolment_key: key(n),
        custodian_key: key(50 + n),
        custodian_kem: [n; 32],
        validator: key(100 + n),
    };
    let organizations: Vec<Organization> = (1..=5).map(organization).collect();
    let committee: Vec<OrgId> = organizations.iter().take(4).map(|one| one.id).collect();
    let genesis = Genesis::new(
        Time(1),
        [3; 32],
        Params::default(),
        organizations,
        &committee,
    )
    .unwrap();
    let mut seeds = vec![seed("ledger_genesis", "five", &genesis)];
    seeds.push(seed("ledger_committee", "four", genesis.committee()));
    let mut block = genesis.block();
    seeds.push(seed("ledger_block", "genesis", &block));
    let mut store = MemoryStore::new();
    store
        .commit(&Commit::new(&block, &genesis.executed()))
        .unwrap();
    let mut chunks = Vec::new();
    export_snapshot(&store, |chunk| {
        chunks.push(Bytes(chunk.to_vec()));
        Ok::<(), <MemoryStore as LedgerStore>::Error>(())
    })
    .unwrap();
    let snapshot = (block.header.clone(), chunks);
    seeds.push(seed("ledger_snapshot", "genesis", &snapshot));
    let followed = Follower::new(&genesis).held(&Histories::new()).unwrap();
    let held = Held::new(genesis.chain_id(), vec![], HeldState::Followed(followed));
    seeds.push(seed("client_held", "followed", &held));
    for (at, body) in golden_bodies().into_iter().enumerate() {
        let transaction = Transaction {
            version: chartseal_ledger::TRANSACTION_VERSION,
            chain: genesis.chain_id(),
            actor_key: key(2),
            seq: at as u64 + 1,
            expires: 1_000,
            body,
        };
        let signed: SignedTransaction = transaction.sign(|_| Signature([9; 64]));
        seeds.push(seed(
            "ledger_transaction",
            &format!("{at:02}"),
            &transaction,
        ));
        seeds.push(seed(
            "ledger_signed_transaction",
            &format!("{at:02}"),
            &signed,
        ));
        block.transactions.push(signed);
    }
    let block: Block = block;
    seeds.push(seed("ledger_block", "all", &block));
    seeds.extend(scripts(&genesis.block()));
    seeds
}

/// Bodies of the ledger's golden vectors, by their names, with who signs each; and others on that stage's own request.
fn scripts(other: &Block) -> Vec<Seed> {
    let golden = |by: u64, name: &str| {
        let found = golden_vectors().into_iter().find(|(one, _)| one == name);
        let body = Bytes(found.unwrap().1);
        Sent { by, body }
    };
    let own = |by: u64, body: Body| {
        let body = Bytes(to_bytes(&body));
        Sent { by, body }
    };
    let (request, record) = (request_on_stage().unwrap(), RecordId([20; 16]));
    let released = Released {
        request,
        records: vec![record],
    };
    let (office, custodian, doctor, emergency, patient) = (0, 8, 10, 12, 14);
    let visit = vec![
        vec![
            golden(doctor, "record amended"),
            golden(custodian, "deposit acknowledged"),
            own(5, released.into()),
        ],
        vec![
            golden(patient, "directive issued"),
            golden(emergency, "emergency declared"),
            golden(11, "access requested"),
        ],
    ];
    let care = vec![
        vec![
            golden(patient, "quorum set"),
            golden(patient, "recovery planned"),
            golden(patient, "disputed"),
        ],
        vec![golden(office, "hold placed"), golden(patient, "erased")],
    ];
    let network = vec![
        vec![
            golden(office, "organization enrolled"),
            golden(doctor, "key rotated"),
            golden(patient, "relabelled"),
        ],
        vec![golden(office, "key revoked")],
    ];
    let script = |name, blocks| {
        let other = other.clone();
        seed("ledger_apply", name, &Script { blocks, other })
    };
    vec![
        script("visit", visit),
        script("care", care),
        script("network", network),
    ]
}

/// One body of each kind: from the ledger's golden vectors.
fn golden_bodies() -> Vec<Body> {
    let values = golden_vectors().into_iter();
    values
        .filter_map(|(_, value)| from_bytes(&value).ok())
        .collect()
}

/// A name and a value in hex in turn.
fn golden_vectors() -> Vec<(String, Vec<u8>)> {
    let vectors = read("crates/chartseal-ledger/tests/vectors/formats.txt");
    let lines: Vec<&str> = std::str::from_utf8(&vectors).unwrap().lines().collect();
    let pairs = lines.chunks(2);
    pairs
        .map(|pair| (pair[0].to_owned(), unhex(pair[1])))
        .collect()
}

fn fhir() -> Vec<Seed> {
    let observation = r#"{"resourceType": "Observation", "id": "o", "status": "final",
      "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]},
      "code": {"text": "Creatinine"}, "subject": {"reference": "urn:uuid:p"},
      "category": [{"coding": [{"code": "laboratory"}]}], "effectiveDateTime": "2026-03-02T10:00:00+00:00",
      "valueQuantity": {"value": 1.10, "unit": "mg/dL"}}"#;
    let patient = r#"{"resourceType": "Patient", "id": "p", "name": [{"family": "T\u00e9st"}]}"#;
    let consent = r#"{"resourceType": "Consent", "status": "active",
      "scope": {"coding": [{"code": "patient-privacy",
        "system": "http://terminology.hl7.org/CodeSystem/consentscope"}]},
      "patient": {"reference": "Patient/ann"},
      "provision": {"type": "permit", "period": {"end": "2026-12-31"}, "purpose": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}]}}"#;
    let bundle = format!(
        r#"{{"resourceType": "Bundle", "type": "transaction", "entry": [
  {{"fullUrl": "urn:uuid:p", "resource": {patient}}},
  {{"fullUrl": "urn:uuid:o", "resource": {observation}}}]}}"#
    );
    vec![
        (
            "fhir_resource",
            "observation.json".into(),
            observation.into(),
        ),
        ("fhir_resource", "patient.json".into(), patient.into()),
        ("fhir_bundle", "two.json".into(), bundle.into()),
        ("fhir_consent", "permit.json".into(), consent.into()),
        ("fhir_smart", "read".into(), "patient/*.rs".into()),
    ]
}

/// A file of the envelope's golden vectors.
fn golden<T: chartseal_codec::Decode>(file: &str) -> T {
    let hex = read(&format!(
        "crates/chartseal-envelope/tests/vectors/{file}.hex"
    ));
    from_bytes(&unhex(std::str::from_utf8(&hex).unwrap())).unwrap()
}

/// What clients and nodes say to each other.
#[expect(clippy::too_many_lines, reason = "one list of messages")]
fn service() -> Vec<Seed> {
    let envelope = Envelope {
        front: EnvelopeFront {
            header: golden("header"),
            seal: golden("seal"),
        },
        body: vec![7; 40],
    };
    let transaction = SignedTransaction {
        bytes: vec![1; 30],
        signature: Signature([2; 64]),
    };
    let text = SealedText {
        salt: [3; 32],
        sealed: vec![4; 50].into(),
    };
    let to = (&ChainId([5; 32]), &OrgId([6; 16]));
    let (key, at, nonce) = (PublicKey([7; 32]), Time(8), [9; 16]);
    let signer = |_: &[u8]| Signature([10; 64]);
    let ask = HistoryAsk {
        subject: Subject::Patient(PatientId([11; 16])),
        from: 12,
    };
    let history = Signed::new(to, key, at, nonce, ask, signer);
    let blob = Signed::new(
        to,
        key,
        at,
        nonce,
        BlobAsk {
            id: [23; 32],
            from: 4_194_304,
        },
        signer,
    );
    let headers = vec![HeaderDigest([27; 32]), HeaderDigest([28; 32])];
    let fronts = Signed::new(to, key, at, nonce, FrontsAsk { headers }, signer);
    let export = Signed {
        key: PublicKey([7; 32]),
        at: Time(8),
        nonce: [9; 16],
        ask: ExportAsk {
            sections: vec![Section {
                subject: Subject::Actor(ActorId([13; 16])),
                first: 14,
            }],
            log_size: Some(15),
            note: "origin\n1\nroot\n".into(),
        },
        signature: Signature([10; 64]),
    };
    let block = FinalBlock {
        block: Bytes(vec![16; 20]),
        certificate: Some(Bytes(vec![17; 239])),
    };
    let refused = Refused {
        record: RecordId([18; 16]),
        is_outdated: true,
        why: "erased".into(),
    };
    let deposit = Deposit {
        envelopes: vec![envelope.clone()],
        deal: golden("deal"),
    };
    vec![
        seed(
            "api_submission",
            "text",
            &Submission {
                transaction,
                texts: vec![text],
            },
        ),
        seed("api_outcome", "final", &TxOutcome::Final(19)),
        seed("api_outcome", "refused", &TxOutcome::Refused("why".into())),
        seed(
            "api_blocks",
            "one",
            &Blocks {
                blocks: vec![block],
            },
        ),
        seed(
            "api_kem_key",
            "golden",
            &KemKey {
                of: ActorId([20; 16]),
                key: golden("kem-key"),
            },
        ),
        (
            "api_deposit",
            "golden".into(),
            Deposit::bytes(&deposit.envelopes, &deposit.deal),
        ),
        seed(
            "api_deposited",
            "one",
            &Deposited {
                refused: vec![refused],
            },
        ),
        seed(
            "api_outline",
            "golden",
            &Outline {
                front: envelope.front.clone(),
                groups: vec![[25; 32], [26; 32]],
            },
        ),
        seed(
            "api_uploaded",
            "one",
            &Uploaded {
                groups: 7,
                is_whole: false,
            },
        ),
        seed(
            "api_redeal",
            "golden",
            &Redeal {
                fronts: vec![envelope.front.clone()],
                deal: golden("deal"),
            },
        ),
        seed(
            "api_releases",
            "golden",
            &Releases {
                releases: vec![golden("release")],
            },
        ),
        seed(
            "api_release",
            "golden",
            &ReleaseAsk {
                request: TxId([21; 32]),
                reader: golden("kem-key"),
            },
        ),
        seed("api_envelope", "golden", &envelope),
        seed("api_history", "patient", &history),
        seed("api_blob_ask", "one", &blob),
        seed("api_fronts_ask", "two", &fronts),
        seed(
            "api_envelopes_ask",
            "two",
            &EnvelopesAsk {
                records: vec![RecordId([1; 16]), RecordId([2; 16])],
            },
        ),
        seed(
            "api_envelopes",
            "golden",
            &Envelopes {
                envelopes: vec![envelope.clone()],
            },
        ),
        seed(
            "api_fronts",
            "golden",
            &Fronts {
                fronts: vec![envelope.front.clone()],
            },
        ),
        seed(
            "api_entries",
            "two",
            &History {
                entries: vec![Bytes(vec![1]), Bytes(vec![2; 9])],
            },
        ),
        (
            "api_entry_events",
            "two".into(),
            b": here\n\nevent: entry\nid: 7\ndata: 0a0b\n\nevent: entry\nid: 8\ndata: ff\n\n"
                .into(),
        ),
        seed("api_export", "actor", &export),
    ]
}

/// What validators send each other.
fn consensus() -> Vec<Seed> {
    let transaction = SignedTransaction {
        bytes: vec![1; 30],
        signature: Signature([2; 64]),
    };
    let evidence = Evidence::Equivocated {
        one: vec![3; 100],
        other: vec![4; 100],
    };
    let answer = Recall::Answer(Answer {
        epoch: 5,
        newest: vec![6; 239],
        votes: vec![vec![7; 101]; 3],
    });
    // Its vectors are lines of a name and hex.
    let vectors = read("crates/chartseal-consensus/tests/vectors/certificate.txt");
    let vectors = String::from_utf8(vectors).unwrap();
    let line = |name: &str| {
        vectors
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
    };
    let (header, certificate) = (line("header "), line("certificate "));
    let vouchers = format!("chartseal vouchers 1\nheader {header}\ncertificate 7 {certificate}\n");
    vec![
        seed(
            "consensus_gossip",
            "two",
            &vec![transaction.clone(), transaction],
        ),
        ("consensus_evidence", "two-votes".into(), evidence.bytes()),
        ("consensus_recall", "ask".into(), Recall::Ask.bytes()),
        ("consensus_recall", "answer".into(), answer.bytes()),
        ("node_vouchers", "one".into(), vouchers.into_bytes()),
    ]
}

/// What a node reads that its operator has in hand.
fn node() -> Vec<Seed> {
    let (network, organization, key) = ("01".repeat(32), "02".repeat(16), "03".repeat(32));
    let config = format!(
        "# A node.\nnetwork {network}\norganization {organization}\ngenesis ../genesis\nkeys node.keys\n\
         directory data\nlisten 127.0.0.1:9000\nthreads 2\napi 127.0.0.1:9100\ntls_certificate node.pem\n\
         tls_key node.key\ntls_root ../root.pem\nvault_bucket ciphertext\nvault_folder one\n\
         vault_endpoint http://127.0.0.1:9200\nvault_region here\nrequests_per_second 50\nscrub_seconds 3600\n\
         service {organization} https://node.example:9100\nheartbeat_ms 500\n\
         validator {key} 127.0.0.1:9000\nlater {organization}{organization} 127.0.0.1:9001\n"
    );
    let proposal = format!(
        "chartseal committee 1\nnetwork {network}\nepoch 3\nfrom 700\nmember {organization} {key} {network}\n\
         approval {organization} {key}{key}\n"
    );
    let manifest = format!(
        "chartseal backup 1\nnetwork {network}\norganization {organization}\nheight 7\nheader {key}\n\
         file {key} 4096 ledger.redb\nfile {key} 12 blobs/0a/one.blob\n"
    );
    let keys = |count: u8| {
        let mut e = Encoder::new();
        e.array(count.into());
        (1..=count).for_each(|key| {
            e.bytes(&[key; 32]);
        });
        e.finish()
    };
    let status = NodeStatus {
        organization: OrgId([1; 16]),
        network: ChainId([2; 32]),
        height: 3,
        leaf: Hash([4; 32]),
        root: Hash([5; 32]),
        block_time: Time(6),
        clock: Time(7),
        view: 8,
        skipped: 9,
        waiting: 10,
        evidence: 11,
        double_votes: 12,
        heard: vec![Heard {
            validator: PublicKey([13; 32]),
            at: Time(14),
        }],
    };
    let problem = Problem::new(403, "Forbidden", "CS-API-03", "this key may not ask it");
    let event = BlockEvent {
        height: 7,
        header: "0a".repeat(32),
        time_ms: 8,
        transactions: 9,
    };
    let json = |target, value: Result<Vec<u8>, _>| (target, "one".to_owned(), value.unwrap());
    vec![
        ("node_config", "full".into(), config.into_bytes()),
        ("node_manifest", "two-files".into(), manifest.into_bytes()),
        ("node_keys", "five".into(), keys(5)),
        ("node_keys", "of-version-1".into(), keys(4)),
        seed("node_status", "one", &status),
        seed("node_committee", "decided", &view()),
        (
            "node_proposal",
            "one-approved".into(),
            proposal.into_bytes(),
        ),
        json("api_problem", serde_json::to_vec(&problem)),
        json("api_block_event", serde_json::to_vec(&event)),
    ]
}

/// A node's committee of one, and the one that takes its place.
fn view() -> CommitteeView {
    let organization = Organization {
        id: OrgId([1; 16]),
        enrolment_key: PublicKey([2; 32]),
        custodian_key: PublicKey([3; 32]),
        custodian_kem: [4; 32],
        validator: PublicKey([5; 32]),
    };
    let committee = |epoch, validator| {
        let org = organization.id;
        Committee::new(epoch, vec![Member { org, validator }]).unwrap()
    };
    CommitteeView {
        network: ChainId([6; 32]),
        height: 7,
        committee: committee(8, organization.validator),
        next: Some(NextCommittee {
            from: 100,
            committee: committee(9, PublicKey([10; 32])),
            custodian_kems: vec![[11; 32]],
        }),
        organizations: vec![KnownOrganization {
            organization,
            sequence: 12,
        }],
    }
}

/// What people's apps read of each other's.
fn apps() -> Vec<Seed> {
    let filing = Filing {
        class: Class::LABORATORY,
        tags: Tag::ALL.to_vec(),
    };
    let mut invitation = Encoder::new();
    invitation.array(3).item(&PatientId([1; 16])).array(2);
    for (category, label) in [("class/laboratory", [2; 16]), ("decoy/0", [3; 16])] {
        invitation.array(2).text(category).bytes(&label);
    }
    let records = [4, 5].map(|id| RecordId([id; 16]));
    invitation.item(&records.to_vec());
    vec![
        seed("app_filing", "laboratory", &filing),
        ("app_invitation", "two".into(), invitation.finish()),
    ]
}

fn seed(target: &'static str, name: &str, value: &impl Encode) -> Seed {
    (target, name.to_owned(), to_bytes(value))
}

fn unhex(text: &str) -> Vec<u8> {
    let hex: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = hex.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

fn read(path: &str) -> Vec<u8> {
    fs::read(
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(path),
    )
    .unwrap()
}
