//! No byte that nodes, stores or chain hold tells anything of the twelve patients, and the same search
//! over stores that leak everything finds everything.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use chartseal::{
    Action, Ask, Class, Clinician, Confidentiality, Document, Network, Offer, Purpose, Tag, Time,
};
use chartseal_fhir::Bundle;
use chartseal_ledger::{Block, Commit, LedgerStore, SignedTransaction};
use chartseal_merkle::MapKey;
use chartseal_node::{Clock, NodeKeys, RedbLedger};
use chartseal_testkit::leaks::{
    Case, Digest, Form, Found, Kind, SHORTEST, Search, Spelling, files,
};
use chartseal_vault::{BlobStore, DirBlobStore, FileSecretStore, SecretId, SecretStore, StoreKey};
use chartseal_vault::{ShareKey, SideKey};
use chartseal_wire::{Signature, Subject};
use sha2::Digest as _;

const DAY: u64 = 86_400_000;
/// 2026-03-02T09:00:00Z.
const START: Time = Time(1_772_442_000_000);
/// Roles and reason codes: they are on the chain in plain.
const ROLES: [&str; 3] = ["physician", "emergency", "privacy"];
/// What permits demand is in the histories in plain.
const OBLIGATIONS: [&str; 2] = ["notify_patient", "review"];
/// A table of the ledger's file, a word of the trust policy.
const WORDS: [&str; 2] = ["transactions", "organization"];
const REASONS: [&str; 3] = ["visit", "unconscious", "wrong-patient"];

/// The twelve patients' bundles, by file name.
fn bundles(data: &Path) -> Vec<(String, Vec<u8>)> {
    let all = files(&data.join("fhir/synthea-r4")).unwrap();
    let mut bundles: Vec<_> = all
        .into_iter()
        .filter(|file| file.extension().is_some_and(|it| it == "json"))
        .map(|file| {
            (
                file.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(file).unwrap(),
            )
        })
        .filter(|(name, _)| !name.contains("Information"))
        .collect();
    bundles.sort();
    assert_eq!(bundles.len(), 12);
    bundles
}

/// Looks for everything that the bundles tell, for every category, and for every reason.
fn search_for(bundles: &[(String, Vec<u8>)]) -> Search {
    // What the chain has in plain by design, and the parts of file names.
    let mut public: Vec<&str> = [ROLES, REASONS].concat();
    public.extend(Purpose::ALL.iter().map(|purpose| purpose.as_str()));
    public.extend(Action::ALL.iter().map(|action| action.as_str()));
    public.extend(OBLIGATIONS);
    public.extend(WORDS);
    let mut search = Search::new(&public);
    for (name, bundle) in bundles {
        search.add_bundle(bundle).unwrap();
        search.add(Kind::Name, name);
        search.add(Kind::Other, &reason(name));
        search.add(Kind::Other, &emergency(name));
    }
    for class in Class::ALL {
        search.add(Kind::Other, &format!("class/{class}"));
    }
    for tag in Tag::ALL {
        search.add(Kind::Other, &format!("tag/{}", tag.as_str()));
    }
    search
}

fn reason(name: &str) -> String {
    format!("follow-up of what nobody else shall know of {name}")
}

fn emergency(name: &str) -> String {
    format!("found unconscious at the station: {name}")
}

struct Staff {
    author: Clinician,
    doctor: Clinician,
    emergency: Clinician,
    privacy: Clinician,
}

/// Everything that a visit does, for one patient after the other. Gives what is taken away: exports
/// and the trust policy, and what was filed besides the bundles.
fn visits(dir: &Path, bundles: &[(String, Vec<u8>)], search: &mut Search) -> Vec<Vec<u8>> {
    let clock = Clock::manual(START);
    let mut network = Network::create(dir, clock.clone()).unwrap();
    let hospital = network.enrol_organization().unwrap();
    let mut enrol = |roles: &[&str]| network.enrol_practitioner(&hospital, roles).unwrap();
    let mut staff = Staff {
        author: enrol(&["physician"]),
        doctor: enrol(&["physician"]),
        emergency: enrol(&["physician", "emergency"]),
        privacy: enrol(&["privacy"]),
    };
    // An emergency role counts after a delay, by the time of blocks.
    clock.advance_ms(DAY);
    let stranger = network.enrol_patient(&hospital).unwrap();
    let mut taken_away = vec![network.trust_policy().into_bytes()];
    let mut earlier = stranger.id();
    for (name, bundle) in bundles {
        clock.advance_ms(DAY);
        let mut patient = network.enrol_patient(&hospital).unwrap();
        let id = patient.id();
        let bundle = Bundle::parse(bundle).unwrap();
        let documents: Vec<Document<'_>> =
            bundle.clinical().filter_map(Document::from_fhir).collect();
        assert_eq!(documents.len(), bundle.clinical().count());
        let kit = patient.filing_kit();
        let filed = staff
            .author
            .file(&mut network, &kit, &documents, |_| ())
            .unwrap();

        let offer = Offer {
            classes: Class::ALL.to_vec(),
            confidentiality: Confidentiality::V,
            ..Offer::of(Class::LABORATORY, network.now().plus_ms(DAY))
        };
        let grant = patient.grant(&mut network, &staff.doctor, &offer).unwrap();
        let invited = staff.doctor.accept(&network, &grant).unwrap();
        let reason = reason(name);
        let ask = Ask::read(id, &invited.records, Purpose::Treat).because(REASONS[0], &reason);
        let opening = staff.doctor.read(&mut network, &ask).unwrap();
        assert_eq!(opening.records.len(), invited.records.len());
        // Attempts that are denied: under another patient's name, after a restriction and a revocation.
        let foreign = Ask {
            patient: earlier,
            ..ask
        };
        let foreign = foreign.because(REASONS[2], &reason);
        assert!(staff.doctor.read(&mut network, &foreign).is_err());
        let classes = [opening.records[0].filing().unwrap().class];
        patient
            .restrict(&mut network, &classes, &[Tag::ALL[0]])
            .unwrap();
        patient.revoke(&mut network, grant.grant).unwrap();
        assert!(staff.doctor.read(&mut network, &ask).is_err());

        let emergency = emergency(name);
        staff
            .emergency
            .declare_emergency(&mut network, id, REASONS[1], &emergency)
            .unwrap();
        let all: Vec<_> = filed.iter().map(|filed| filed.record).take(64).collect();
        let glass = Ask::read(id, &all, Purpose::Btg).because(REASONS[1], &emergency);
        let request = staff.emergency.request(&mut network, &glass).unwrap();
        let broken = staff.emergency.open(&mut network, &request).unwrap();
        assert!(!broken.records.is_empty());
        staff
            .privacy
            .review(&mut network, request.id(), true)
            .unwrap();

        let old = &opening.records[0];
        let document = documents
            .iter()
            .find(|document| document.content == old.content());
        let amended = [old.content(), b"\n"].concat();
        let document = Document {
            content: &amended,
            ..document.unwrap().clone()
        };
        search.add_bytes(Kind::Resource, &amended);
        staff
            .author
            .amend(&mut network, &kit, &old.header, &document)
            .unwrap();
        patient.erase(&mut network, all[all.len() - 1]).unwrap();
        assert!(!patient.notices(&network).unwrap().is_empty());
        taken_away.push(patient.export(&network, None).unwrap().into());
        search.add_bytes(Kind::Other, patient.person().seed().expose_bytes());
        earlier = id;
    }
    taken_away
}

/// What of it is where. Files are searched byte by byte, what lies in databases also value by value:
/// a page could end within one.
fn look_everywhere(
    search: &Search,
    dir: &Path,
    nodes: &[&str],
    taken_away: &[Vec<u8>],
) -> BTreeMap<String, Found> {
    let mut places: BTreeMap<String, Found> = BTreeMap::new();
    places.insert("names of files".to_owned(), Found::in_digits(4));
    places.insert("taken away".to_owned(), Found::in_digits(6));
    for file in files(dir).unwrap() {
        let name = file.strip_prefix(dir).unwrap().to_str().unwrap();
        let (node, name) = name.split_once('/').unwrap_or((nodes[0], name));
        if !nodes.contains(&node) {
            continue;
        }
        let place = name.split('/').next().unwrap();
        let found = places.entry(format!("file {place}")).or_default();
        search.look_into(&fs::read(&file).unwrap(), found);
        search.look_into(
            name.as_bytes(),
            places.entry("names of files".to_owned()).or_default(),
        );
    }
    for node in nodes {
        let dir = dir.join(node);
        let mut look = |place: &str, bytes: &[u8]| {
            search.look_into(bytes, places.entry(place.to_owned()).or_default());
        };
        let ledger = RedbLedger::open(&dir.join("ledger.redb")).unwrap();
        for height in 0..=ledger.head().unwrap().unwrap().height {
            look("blocks", &ledger.block(height).unwrap().unwrap().bytes());
        }
        for (key, value) in ledger.state().unwrap() {
            look("state", &key.0);
            look("state", &value);
        }
        for subject in ledger.subjects().unwrap() {
            for entry in ledger.history(&subject, 0, usize::MAX).unwrap() {
                look("histories", &entry);
            }
        }
        for (place, values) in [
            ("shares", values::<ShareKey>(&dir.join("shares"))),
            ("side store", values::<SideKey>(&dir.join("side"))),
        ] {
            for value in &values {
                look(place, value);
            }
        }
    }
    for text in taken_away {
        search.look_into(text, places.entry("taken away".to_owned()).or_default());
    }
    places
}

/// The ids that histories have in hexadecimal: the bases of decisions. They are drawn anew in each run.
/// With the last byte of CBOR's head before them, of which base64 has a part in their first digit.
fn ids_in_hex(dir: &Path, node: &str) -> BTreeSet<String> {
    let ledger = RedbLedger::open(&dir.join(node).join("ledger.redb")).unwrap();
    let mut ids = BTreeSet::new();
    for subject in ledger.subjects().unwrap() {
        for entry in ledger.history(&subject, 0, usize::MAX).unwrap() {
            // CBOR's head of a text of 64 bytes, then the digits.
            let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            let texts = entry.windows(2 + 64).filter(|it| {
                let digits = it.strip_prefix(b"x@");
                digits.is_some_and(|digits| digits.iter().all(is_digit))
            });
            ids.extend(texts.map(|text| String::from_utf8(text[1..].to_vec()).unwrap()));
        }
    }
    ids
}

/// The key of a node's stores. A leak may stand behind the keys.
fn store_key(store: &Path) -> StoreKey {
    let keys = fs::read(store.with_file_name("node.keys")).unwrap();
    NodeKeys::from_secret_bytes(&keys[..=5 * 34]).unwrap().store
}

fn values<K: SecretId>(dir: &Path) -> Vec<Vec<u8>> {
    let store = FileSecretStore::<K>::open(dir, &store_key(dir)).unwrap();
    let keys = store.keys().unwrap();
    let value = |key| store.get(key).unwrap().unwrap().expose().to_vec();
    keys.iter().map(value).collect()
}

/// The texts and numbers of a JSON file, read by other code than the search's.
fn literals(json: &str, all: &mut BTreeSet<String>) {
    let mut rest = json;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        rest = &rest[at..];
        let mut end = 1;
        if rest.starts_with('"') {
            while rest.as_bytes()[end] != b'"' {
                end += if rest.as_bytes()[end] == b'\\' { 2 } else { 1 };
            }
            end += 1;
            if !rest[end..].trim_start().starts_with(':') {
                all.insert(serde_json::from_str(&rest[..end]).unwrap());
            }
        } else {
            end = rest.find([',', '}', ']', ' ', '\n', '\r']).unwrap();
            all.insert(rest[..end].to_owned());
        }
        rest = &rest[end..];
    }
}

/// What a leaky program would write of a text, by others' encoders.
fn leaks_of(text: &[u8]) -> Vec<(Form, Vec<u8>)> {
    let mut leaks = Vec::new();
    for (digest, bytes) in [
        (Digest::None, text.to_vec()),
        (Digest::Sha256, sha2::Sha256::digest(text).to_vec()),
        (Digest::Blake3, blake3::hash(text).as_bytes().to_vec()),
    ] {
        let digits = |hex: String, byte: &u8| hex + &format!("{byte:02x}");
        let hex = bytes.iter().fold(String::new(), digits);
        let mut push = |spelling, leak: Vec<u8>| {
            let case = Case::AsWritten;
            leaks.push((
                Form {
                    case,
                    digest,
                    spelling,
                },
                leak,
            ));
        };
        push(Spelling::HexUpper, hex.to_uppercase().into());
        push(Spelling::Hex, hex.into());
        for behind in 0..3 {
            let longer = [&b"<<"[..usize::from(behind)], &bytes, b"!?"].concat();
            push(Spelling::Base64(behind), STANDARD.encode(&longer).into());
            push(Spelling::Base64Url(behind), URL_SAFE.encode(&longer).into());
        }
        push(Spelling::Plain, bytes);
    }
    leaks
}

/// Has one node's stores leak each text in each form, by the stores' own functions.
fn leak(dir: &Path, values: &[Vec<u8>]) {
    let node = dir.join("3");
    let mut ledger = RedbLedger::open(&node.join("ledger.redb")).unwrap();
    let subject: Subject = ledger.subjects().unwrap()[0];
    for chunk in values.chunks(500) {
        let head = ledger.head().unwrap().unwrap();
        let transactions = chunk.iter().map(|value| SignedTransaction {
            bytes: value.clone(),
            signature: Signature([0; 64]),
        });
        let mut block = Block {
            header: head,
            transactions: transactions.collect(),
        };
        block.header.height += 1;
        let key = |value: &Vec<u8>| MapKey(*blake3::hash(value).as_bytes());
        let changes = chunk
            .iter()
            .map(|value| (key(value), Some(value.as_slice().into())))
            .collect();
        let first = ledger.history(&subject, 0, usize::MAX).unwrap().len() as u64;
        let entries: Vec<_> = (first..)
            .zip(chunk)
            .map(|(at, value)| (subject, at, value.clone()))
            .collect();
        let commit = Commit {
            block: &block,
            changes: &changes,
            entries: &entries,
            receipts: &[],
        };
        ledger.commit(&commit).unwrap();
    }
    leak_into::<ShareKey>(&node.join("shares"), values);
    leak_into::<SideKey>(&node.join("side"), values);
    let blobs = DirBlobStore::open(node.join("blobs")).unwrap();
    let blob = values.concat();
    blobs.put_batch(&[&blob]).unwrap();
    for file in [dir.join("genesis"), node.join("node.keys")] {
        let leaking = [fs::read(&file).unwrap(), blob.clone()].concat();
        fs::write(file, leaking).unwrap();
    }
}

fn leak_into<K: SecretId>(dir: &Path, values: &[Vec<u8>]) {
    let store = FileSecretStore::<K>::open(dir, &store_key(dir)).unwrap();
    let key = |value: &Vec<u8>| K::from(*blake3::hash(value).as_bytes());
    let batch: Vec<(K, &[u8])> = values
        .iter()
        .map(|value| (key(value), value.as_slice()))
        .collect();
    store.put_batch(&batch).unwrap();
}

#[test]
fn no_byte_that_nodes_hold_tells_of_the_twelve_patients_and_a_leaky_store_is_found_out() {
    let Some(data) = chartseal_testkit::data_dir() else {
        return;
    };
    let bundles = bundles(&data);
    let dir = tempfile::tempdir().unwrap();
    let mut search = search_for(&bundles);
    let mut taken_away = visits(dir.path(), &bundles, &mut search);

    for kind in Kind::OF_BUNDLES {
        assert!(search.count(kind) >= 12, "{kind:?}: {}", search.count(kind));
        eprintln!("{:6} texts of kind {kind:?}", search.count(kind));
    }
    eprintln!("{:6} resources as a whole", search.count(Kind::Resource));
    eprintln!("{:6} reasons, categories, seeds", search.count(Kind::Other));
    let ids = ids_in_hex(dir.path(), "1");
    assert!(ids.len() >= bundles.len(), "{} ids in hex", ids.len());
    search.set_aside_within(&ids);
    let (short, public) = (search.too_short(), search.set_aside());
    eprintln!(
        "{:6} texts below {SHORTEST} bytes are not looked for",
        short.len()
    );
    eprintln!(
        "{:6} stand within words of the chain: {public:?}",
        public.len()
    );
    eprintln!("{:6} ids show forms of {:?}", ids.len(), search.drawn());

    let places = look_everywhere(&search, dir.path(), &NODES, &taken_away);
    assert_no_leak(&search, &places);

    // The same search over stores that leak every text in every form.
    let mut texts = BTreeSet::new();
    for (_, bundle) in &bundles {
        literals(std::str::from_utf8(bundle).unwrap(), &mut texts);
    }
    let (unsearched, texts): (BTreeSet<String>, BTreeSet<String>) = texts
        .into_iter()
        .partition(|text| short.contains(text) || public.contains(text));
    assert!(texts.len() > 6_000 && unsearched.len() < 150);
    let values: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| {
            let leaks = leaks_of(text.as_bytes()).into_iter();
            leaks
                .flat_map(|(_, leak)| [leak, vec![b'\n']].concat())
                .collect()
        })
        .collect();
    leak(dir.path(), &values);
    taken_away.push(values.concat());
    let planted = look_everywhere(&search, dir.path(), &["3"], &taken_away);
    assert!(planted.keys().eq(places.keys()));
    let forms: Vec<Form> = leaks_of(b"").iter().map(|(form, _)| *form).collect();
    for (place, found) in &planted {
        if place == "names of files" {
            continue;
        }
        // What leaks into these is encrypted in the file; `shares` and `side store` are what is in them.
        if ["file shares", "file side"].contains(&place.as_str()) {
            assert_eq!(search.leaks(found), Vec::<String>::new(), "{place}");
            continue;
        }
        for text in &texts {
            for form in &forms {
                assert!(
                    search.has(found, text.as_bytes(), *form),
                    "{place}: {text:?} as {form:?}"
                );
            }
        }
        assert!(search.leaks(found).len() > texts.len() * 20);
    }
}

const NODES: [&str; 4] = ["1", "2", "3", "4"];

fn assert_no_leak(search: &Search, places: &BTreeMap<String, Found>) {
    let mut leaks = Vec::new();
    for (place, found) in places {
        eprintln!("{:11} bytes searched in {place}", found.bytes);
        let of_place = search.leaks(found).into_iter();
        leaks.extend(of_place.map(|leak| format!("{place}: {leak}")));
    }
    assert!(
        leaks.is_empty(),
        "{} leaks: {:#?}",
        leaks.len(),
        &leaks[..leaks.len().min(40)]
    );
}

/// A person whom nobody knows, so that the search needs no data from elsewhere.
const MADE_UP: &str = r#"{"resourceType": "Bundle", "type": "transaction", "entry": [
  {"fullUrl": "urn:uuid:p", "resource": {"resourceType": "Patient", "id": "p",
    "identifier": [{"system": "urn:made-up:numbers", "value": "MRN-77120934"}],
    "name": [{"family": "Beispielhuber", "given": ["Adelheid Walburga"]}], "birthDate": "1961-04-17",
    "address": [{"line": ["12 Wassergasse am Steg"], "city": "Obertupfing"}]}},
  {"fullUrl": "urn:uuid:o", "resource": {"resourceType": "Observation", "id": "o", "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "88262-1"}], "text": "Gram positive blood culture panel"},
    "category": [{"coding": [{"code": "laboratory"}]}], "subject": {"reference": "urn:uuid:p"},
    "effectiveDateTime": "2026-02-11T10:00:00+00:00", "valueString": "nothing grew in five days"}},
  {"fullUrl": "urn:uuid:v", "resource": {"resourceType": "Observation", "id": "v", "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}], "text": "Blood pressure while seated"},
    "category": [{"coding": [{"code": "vital-signs"}]}], "subject": {"reference": "urn:uuid:p"},
    "effectiveDateTime": "2026-02-11T10:05:00+00:00", "valueQuantity": {"value": 4127.25, "unit": "made-up units"}}},
  {"fullUrl": "urn:uuid:c", "resource": {"resourceType": "Condition", "id": "c",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}], "text": "Arterial hypertension, mild"},
    "subject": {"reference": "urn:uuid:p"}, "recordedDate": "2026-02-11T10:10:00+00:00"}}]}"#;

#[test]
fn no_byte_that_nodes_hold_tells_of_a_made_up_patient() {
    let bundles = [("adelheid-beispielhuber.json".to_owned(), MADE_UP.into())];
    let dir = tempfile::tempdir().unwrap();
    let mut search = search_for(&bundles);
    for kind in Kind::OF_BUNDLES {
        assert!(search.count(kind) > 0, "{kind:?}");
    }
    let taken_away = visits(dir.path(), &bundles, &mut search);
    search.set_aside_within(&ids_in_hex(dir.path(), NODES[0]));
    let places = look_everywhere(&search, dir.path(), &NODES, &taken_away);
    assert_no_leak(&search, &places);
}

/// A blob's name is a hash; one that were of the plain text would tell who knows the text.
#[test]
fn names_of_files_are_searched_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut search = Search::new(&[]);
    search.add(Kind::Name, "Zoë Beispiel");
    let name: PathBuf = dir
        .path()
        .join(blake3::hash("Zoë Beispiel".as_bytes()).to_hex().as_str());
    fs::write(name, []).unwrap();
    let mut found = Found::default();
    search.look_below(dir.path(), &mut found).unwrap();
    assert_eq!(search.leaks(&found).len(), 1);
}
