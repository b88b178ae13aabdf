//! What one node learns from all that it has, measured by an attack that learns from examples; and
//! that the attack wins wherever there is something to learn.
//!
//! Choices come from fixed seeds. Ids, keys and salts are the system's own and new in each run, so
//! figures move a little; what is asserted fails once in a billion runs of an honest program.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod attack;
mod category;
mod world;

use chartseal::{
    Ask, Class, Confidentiality, Document, Network, Offer, Patient, PatientId, Purpose, RecordId,
    Tag, Time,
};
use chartseal_ledger::Body;
use chartseal_node::{Clock, NodeKeys};
use chartseal_vault::{BlobId, BlobStore, DirBlobStore, FileSecretStore, SecretStore};
use chartseal_vault::{ShareKey, SideKey};
use chartseal_wire::TxId;

use crate::attack::{Choices, Score, Seen, guess_cases, guess_partners};
use crate::world::{World, log2};

const MINUTE: u64 = 60_000;

/// So many trials, or ten times as many with `CHARTSEAL_LONG`.
fn trials(number: usize) -> usize {
    let is_long = std::env::var_os("CHARTSEAL_LONG").is_some();
    if is_long { 10 * number } else { number }
}

/// 2026-03-02T09:00:00Z.
const START: Time = Time(1_772_442_000_000);

/// One of two documents that have as little in common as two can of one length and confidentiality:
/// class, sensitive tag, encounter and words differ.
fn document(which: bool, content: &[u8]) -> Document<'_> {
    let (class, tags, encounter) = if which {
        (Class::CONDITION, vec![Tag::ALL[0]], "Encounter/psychiatry")
    } else {
        (Class::LABORATORY, vec![], "Encounter/laboratory")
    };
    Document {
        tags,
        encounter: Some(encounter.to_owned()),
        ..Document::new(class, "text/plain", content)
    }
}

const CONTENTS: [&[u8]; 2] = [
    b"HbA1c 6.1 %: to be repeated in three months or sooner.",
    b"Alcohol dependence: withdrawal without complication...",
];

/// How a world departs from what it should be, so that there is something to learn.
#[derive(Clone, Copy, PartialEq)]
enum Flaw {
    None,
    UnblindedLabels,
    Longer,
    Restricted,
}

/// Which of two documents a patient's first record is. The attacker has seen both filed for many other
/// patients, by the same author.
fn contents(flaw: Flaw, examples: usize, trials: usize) -> Score {
    let mut world = World::new();
    let mut choices = Choices::of(1);
    let mut truth = Vec::new();
    for _ in 0..examples + trials {
        let which = choices.coin();
        let mut kit = world.patient(0).filing_kit();
        if flaw == Flaw::UnblindedLabels {
            kit = World::unblinded(&kit);
        }
        let longer = [CONTENTS[usize::from(which)], &[b' '; 64][..]].concat();
        let is_longer = flaw == Flaw::Longer && which;
        let content = if is_longer {
            &longer
        } else {
            CONTENTS[usize::from(which)]
        };
        let mut document = document(which, content);
        if flaw == Flaw::Restricted && which {
            document.confidentiality = Confidentiality::R;
        }
        truth.push((world.file_one(0, &kit, &document), which));
        world.wait(MINUTE);
    }
    let view = world.view();
    let samples: Vec<(Seen, bool)> = truth
        .iter()
        .map(|(record, which)| (view.seen(*record), *which))
        .collect();
    guess_cases(&samples, examples)
}

#[test]
fn a_lone_record_does_not_tell_its_content_its_category_or_a_sensitive_tag() {
    contents(Flaw::None, 200, trials(800))
        .assert_nothing("which of two contents, equal size and confidentiality");
}

#[test]
fn the_attack_on_contents_wins_against_unblinded_labels() {
    contents(Flaw::UnblindedLabels, 100, 100).assert_at_least(0.45, "the same, labels not blinded");
}

#[test]
fn sizes_and_confidentiality_tell_contents_apart() {
    contents(Flaw::Longer, 100, 100).assert_at_least(0.45, "the same, of another size");
    contents(Flaw::Restricted, 100, 100)
        .assert_at_least(0.45, "the same, of another confidentiality");
}

/// Which of two documents a record is, from the bytes in a node's stores alone: sealed body, share,
/// envelope header and seal.
fn stored_bytes(is_longer: bool, examples: usize, trials: usize) -> Score {
    let dir = tempfile::tempdir().unwrap();
    let network = Network::create(dir.path(), Clock::manual(START)).unwrap();
    let mut world = World::on(network);
    let kit = world.patient(0).filing_kit();
    let mut choices = Choices::of(2);
    let tail = if is_longer { &[b' '; 64][..] } else { &[] };
    let contents: Vec<(bool, Vec<u8>)> = (0..examples + trials)
        .map(|at| {
            let which = choices.coin();
            let content = [CONTENTS[usize::from(which)], format!(" {at:04}").as_bytes()].concat();
            (
                which,
                if which {
                    [&content, tail].concat()
                } else {
                    content
                },
            )
        })
        .collect();
    let documents: Vec<Document<'_>> = contents
        .iter()
        .map(|(which, content)| document(*which, content))
        .collect();
    let records = world.file(0, &kit, &documents);
    let view = world.view();
    let anchored: Vec<_> = records
        .iter()
        .map(|record| view.record(*record).1.clone())
        .collect();
    drop(world);

    let node = dir.path().join("1");
    let blobs = DirBlobStore::open(node.join("blobs")).unwrap();
    // Whoever has the whole node has its keys.
    let keys = std::fs::read(node.join("node.keys")).unwrap();
    let key = NodeKeys::from_secret_bytes(&keys).unwrap().store;
    let shares = FileSecretStore::<ShareKey>::open(node.join("shares"), &key).unwrap();
    let side = FileSecretStore::<SideKey>::open(node.join("side"), &key).unwrap();
    let mut samples = Vec::new();
    for ((which, _), added) in contents.iter().zip(anchored) {
        let body = blobs.get(&BlobId(added.body)).unwrap().unwrap();
        let share = shares.get(&ShareKey(added.header.0)).unwrap().unwrap();
        let front = side.get(&SideKey(added.header.0)).unwrap().unwrap();
        let mut seen = Seen::new();
        for (name, bytes) in [
            ("body", &*body),
            ("share", share.expose()),
            ("front", front.expose()),
        ] {
            seen.insert(format!("{name}: {} bytes", bytes.len()));
            seen.extend(
                bytes
                    .iter()
                    .enumerate()
                    .map(|(at, byte)| format!("{name} {at}={byte}")),
            );
        }
        samples.push((seen, *which));
    }
    guess_cases(&samples, examples)
}

#[test]
fn stored_bytes_do_not_tell_a_records_content() {
    stored_bytes(false, 300, trials(500))
        .assert_nothing("which of two contents, from stored bytes alone");
    stored_bytes(true, 100, 100).assert_at_least(0.45, "the same, of another size");
}

/// Two records each of many patients, filed in a random order.
fn two_records_each(world: &mut World, patients: usize) -> Vec<(RecordId, RecordId)> {
    let mut choices = Choices::of(3);
    let kits: Vec<_> = (0..patients)
        .map(|_| world.patient(0).filing_kit())
        .collect();
    let mut order: Vec<usize> = (0..2 * patients).collect();
    choices.shuffle(&mut order);
    let mut records = vec![None; 2 * patients];
    for at in order {
        let content = CONTENTS[choices.below(2)];
        // The author's fingerprint knows a content again.
        let content = [content, at.to_string().as_bytes()].concat();
        let document = document(choices.coin(), &content);
        records[at] = Some(world.file_one(0, &kits[at % patients], &document));
        world.wait(MINUTE);
    }
    let record = |at: usize| records[at].unwrap();
    (0..patients)
        .map(|at| (record(at), record(at + patients)))
        .collect()
}

#[test]
fn records_of_one_patient_are_linked_by_id_and_by_labels_and_by_nothing_else() {
    let mut world = World::new();
    let pairs = two_records_each(&mut world, 100 + trials(500));
    let view = world.view();
    // By design: the patient's pseudonym is in each record.
    let mut by_id = Score::default();
    for (at, (one, other)) in pairs.iter().enumerate() {
        let patient = |record: &RecordId| view.record(*record).1.patient;
        let stranger = pairs[(at + 1) % pairs.len()].1;
        by_id.count(patient(one) == patient(other) && patient(one) != patient(&stranger));
    }
    by_id.assert_at_least(0.5, "whose a record is, of two patients, by the id in it");
    guess_partners(&pairs, 100, |one, other| view.in_common(*one, *other))
        .assert_at_least(0.45, "the same without the id, by labels and encounter");
    let hidden = |one: &RecordId, other: &RecordId| {
        let mut seen = view.in_common(*one, *other);
        seen.retain(|field| !field.contains("label") && !field.contains("encounter"));
        seen
    };
    guess_partners(&pairs, 100, hidden)
        .assert_nothing("the same without id, labels and encounter: times, order, sizes");
}

#[derive(Clone, Copy, PartialEq)]
enum Twice {
    Apart,
    SameDocument,
    SameLabels,
}

/// Persons who are patients of two organizations, under an id at each: which of two ids of the second
/// organization is a given one's of the first?
fn two_ids(how: Twice, examples: usize, trials: usize) -> Score {
    let mut world = World::new();
    let mut choices = Choices::of(4);
    let persons = examples + trials;
    let kits: [Vec<_>; 2] = [0, 1].map(|org| {
        (0..persons)
            .map(|_| world.patient(org).filing_kit())
            .collect()
    });
    let authored: Vec<Time> = (0..persons)
        .map(|_| Time(START.0 - 1_000 * choices.below(1 << 30) as u64))
        .collect();
    let mut records = [vec![None; persons], vec![None; persons]];
    for org in [0, 1] {
        let mut order: Vec<usize> = (0..persons).collect();
        choices.shuffle(&mut order);
        for person in order {
            let copy = if how == Twice::SameDocument { 0 } else { org };
            let words = [CONTENTS[copy], format!("{person:05}").as_bytes()].concat();
            let document = Document {
                authored: (how == Twice::SameDocument).then(|| authored[person]),
                ..document(copy == 1, &words)
            };
            let mut kit = kits[org][person].clone();
            if how == Twice::SameLabels {
                kit.labels = kits[0][person].labels.clone();
            }
            records[org][person] = Some(world.file_one(org, &kit, &document));
            world.wait(MINUTE);
        }
    }
    let record = |org: usize, person: usize| -> RecordId { records[org][person].unwrap() };
    let pairs: Vec<_> = (0..persons)
        .map(|at| (record(0, at), record(1, at)))
        .collect();
    let view = world.view();
    guess_partners(&pairs, examples, |one, other| view.in_common(*one, *other))
}

#[test]
fn two_ids_of_one_person_are_not_linked_unless_the_same_document_is_filed_for_both() {
    two_ids(Twice::Apart, 100, trials(500))
        .assert_nothing("which of two ids is the same person's, other documents");
    two_ids(Twice::SameLabels, 60, 100)
        .assert_at_least(0.45, "the same, one label key for both ids");
    two_ids(Twice::SameDocument, 60, 100)
        .assert_at_least(0.45, "the same, one document filed for both");
}

/// Which of two classes a grant is for, when the patient has as many records of each.
fn grants(classes: [Class; 2], covered: usize, examples: usize, trials: usize) -> Score {
    let mut world = World::new();
    let mut choices = Choices::of(5);
    let mut truth = Vec::new();
    for _ in 0..examples + trials {
        let mut patient: Patient = world.patient(0);
        let kit = patient.filing_kit();
        let words: Vec<(Class, String)> = (0..covered)
            .flat_map(|at| classes.map(|class| (class, format!("{at} of {class}"))))
            .collect();
        let documents: Vec<Document<'_>> = words
            .iter()
            .map(|(class, words)| Document::new(*class, "text/plain", words.as_bytes()))
            .collect();
        world.file(0, &kit, &documents);
        let which = choices.coin();
        let offer = Offer::of(
            classes[usize::from(which)],
            Time(world.network.now().0 + 60 * MINUTE),
        );
        patient
            .grant(&mut world.network, &world.doctor, &offer)
            .unwrap();
        truth.push(which);
        world.wait(MINUTE);
    }
    let view = world.view();
    let grants = view.lines.iter().filter_map(|line| match &line.body {
        Body::DirectiveIssued(issued) => Some((line, issued)),
        _ => None,
    });
    let samples: Vec<(Seen, bool)> = grants
        .zip(truth)
        .map(|((line, issued), which)| {
            let text = view.text_len(line, &issued.sealed.unwrap());
            let terms = format!("{:?}", issued.terms);
            let words = terms.split(|c: char| !c.is_alphanumeric());
            let mut seen: Seen = words.map(|word| format!("word={word}")).collect();
            seen.insert(format!("terms={} characters", terms.len()));
            seen.insert(format!("text={text} bytes"));
            (seen, which)
        })
        .collect();
    assert_eq!(samples.len(), examples + trials);
    guess_cases(&samples, examples)
}

#[test]
fn a_grant_does_not_tell_its_class_but_by_the_length_of_its_invitation() {
    let alike = [Class::CONDITION, Class::PROCEDURE];
    assert_eq!(alike[0].as_str().len(), alike[1].as_str().len());
    grants(alike, 0, 100, trials(500))
        .assert_nothing("which of two classes a grant is for, names of one length");
    // The sealed invitation names the class and lists the records, and is padded in steps of 128
    // bytes: at some numbers of records, a longer name makes one more step.
    let names = |class: &&Class| class.as_str().len();
    let shortest = *Class::ALL.iter().min_by_key(names).unwrap();
    let longest = *Class::ALL.iter().max_by_key(names).unwrap();
    grants([shortest, longest], 2, 60, 100)
        .print("the same, shortest and longest name, 2 records covered");
    grants([shortest, longest], 7, 60, 100).assert_at_least(
        0.45,
        "the same, shortest and longest name, 7 records covered",
    );
}

/// Two requests each about many patients, for one record of each patient or for two different ones, by either of two
/// practitioners, in a random order.
fn two_requests_each(world: &mut World, patients: usize, same_record: bool) -> Vec<(TxId, TxId)> {
    let mut choices = Choices::of(10);
    let filed: Vec<(PatientId, Vec<RecordId>)> = (0..patients)
        .map(|at| {
            let patient = world.patient(0);
            let kit = patient.filing_kit();
            let words = [0, 1].map(|which| format!("{which} of {at}"));
            let documents = words.each_ref().map(|it| document(false, it.as_bytes()));
            (patient.id(), world.file(0, &kit, &documents))
        })
        .collect();
    let mut order: Vec<usize> = (0..2 * patients).collect();
    choices.shuffle(&mut order);
    let mut requests = vec![None; 2 * patients];
    for at in order {
        let (patient, records) = &filed[at % patients];
        let which = usize::from(at >= patients && !same_record);
        let ask = Ask::read(*patient, &records[which..=which], Purpose::Treat);
        let ask = ask.because("visit", "follow-up");
        let by = choices.below(2);
        let asked = world.authors[by].request(&mut world.network, &ask).unwrap();
        requests[at] = Some(asked.id());
        world.wait(MINUTE);
    }
    let request = |at: usize| requests[at].unwrap();
    (0..patients)
        .map(|at| (request(at), request(at + patients)))
        .collect()
}

#[test]
fn requests_about_one_patient_are_linked_by_id_and_by_records_and_by_nothing_else() {
    let (examples, trials) = (50, trials(150));
    let mut world = World::new();
    let pairs = two_requests_each(&mut world, examples + trials, false);
    let view = world.view();
    // By design: the patient's pseudonym is in each request.
    let mut by_id = Score::default();
    for (at, (one, other)) in pairs.iter().enumerate() {
        let patient = |request: &TxId| view.request(*request).1.patient;
        let stranger = pairs[(at + 1) % pairs.len()].1;
        by_id.count(patient(one) == patient(other) && patient(one) != patient(&stranger));
    }
    by_id.assert_at_least(
        0.5,
        "whom a request names, of two patients, by the id in it",
    );
    let in_common = |one: &TxId, other: &TxId| view.requests_in_common(*one, *other);
    guess_partners(&pairs, examples, in_common)
        .assert_nothing("the same without the id, for other records: times, order, who asks");

    let mut world = World::new();
    let pairs = two_requests_each(&mut world, 40 + 40, true);
    let view = world.view();
    let in_common = |one: &TxId, other: &TxId| view.requests_in_common(*one, *other);
    guess_partners(&pairs, 40, in_common)
        .assert_at_least(0.45, "the same, for the record that was asked for before");
}

/// Which of two reasons a request gives, from the sealed text and the request.
fn reasons(reasons: [&str; 2], examples: usize, trials: usize) -> Score {
    let mut world = World::new();
    let mut choices = Choices::of(6);
    let patient = world.patient(0);
    let record = world.file_one(0, &patient.filing_kit(), &document(false, CONTENTS[0]));
    let records = [record];
    let mut truth = Vec::new();
    for _ in 0..examples + trials {
        let which = choices.coin();
        let ask = Ask::read(patient.id(), &records, Purpose::Treat);
        let ask = ask.because("visit", reasons[usize::from(which)]);
        world.doctor.request(&mut world.network, &ask).unwrap();
        truth.push(which);
        world.wait(MINUTE);
    }
    let view = world.view();
    let asked = view.lines.iter().filter_map(|line| match &line.body {
        Body::AccessRequested(asked) => Some((line, asked)),
        _ => None,
    });
    // By design: whom a request names is in it.
    assert!(
        asked
            .clone()
            .all(|(_, asked)| asked.patient == patient.id() && asked.records == records)
    );
    let samples: Vec<(Seen, bool)> = asked
        .zip(truth)
        .map(|((line, asked), which)| {
            let text = view.text_len(line, &asked.reason);
            let seen = [
                format!("text={text} bytes"),
                format!("commitment={:?}", asked.reason),
                format!("commitment begins {}", asked.reason.0[0] >> 5),
                format!("reader={:?}", asked.reader),
                format!("reader begins {}", asked.reader[0] >> 5),
                format!("height={}", log2(line.height)),
                format!(
                    "words={} {} {}",
                    asked.action.as_str(),
                    asked.purpose.as_str(),
                    asked.reason_code.as_str()
                ),
            ];
            (seen.into(), which)
        })
        .collect();
    guess_cases(&samples, examples)
}

#[test]
fn a_request_does_not_tell_its_reason_but_by_the_length_in_steps() {
    let short = "follow-up of a diabetes";
    let other = "withdrawal, without complication, to be seen again in a week";
    let long = "withdrawal ".repeat(20);
    reasons([short, other], 100, trials(500))
        .assert_nothing("which of two reasons, up to some 100 bytes");
    // From 60 examples the attack takes how a random number begins for a sign often enough to be wrong with one in twenty.
    reasons([short, &long], 250, 100).assert_at_least(0.45, "the same, one of 220 bytes");
}
