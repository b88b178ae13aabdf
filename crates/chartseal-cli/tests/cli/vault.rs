//! What a node's vault should hold by the chain: fetched again after a loss, over slow links and from liars, counted where
//! nobody has it, and looked at by the node itself.

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use chartseal::{Class, Document, Network};
use chartseal_api::{BlobAsk, FrontsAsk, Signed};
use chartseal_client::Follower;
use chartseal_cluster::{Cluster, Serves};
use chartseal_codec::from_bytes;
use chartseal_envelope::SigningKeyPair;
use chartseal_node::Clock;
use chartseal_node::keys::{public, sign};
use chartseal_node::serve::Scrubbed;
use chartseal_vault::{BlobId, GROUP};
use chartseal_wire::HeaderDigest;
use serde_json::Value;

use crate::lies::{Deed, url_in_front_of};
use crate::operations::{files_below, node};
use crate::parts::{code, image, people};
use crate::schema;
use crate::service::{await_destroyed, genesis, keys_of, made, remote, sent, serving};

/// What a node finds in its vault, as JSON in its schema: expected, mended, lost, missing shares.
fn scrubbed(cluster: &Cluster, number: usize) -> (i32, [u64; 4]) {
    let ran = node("scrub", &cluster.config_file(number), &["--json"]);
    let found = ran.json();
    let faults = schema::faults(&schema::read("scrub.schema.json"), &found);
    assert!(faults.is_empty(), "{faults:?}");
    let count = |what: &str| found[what].as_u64().unwrap();
    let counts = ["expected", "mended", "lost", "missing_shares"].map(count);
    (ran.code, counts)
}

/// The ciphertexts of a node by their names, or what waits to be one.
fn files(cluster: &Cluster, number: usize, folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = files_below(&cluster.config(number).directory.join(folder));
    found.retain(|path| path.file_name().is_some_and(|name| name != "lock"));
    found.sort();
    let named = found.into_iter().map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(path).unwrap())
    });
    named.collect()
}

/// Waits until all four custodians' acknowledgements of these versions are on the chain.
fn await_acknowledged(cluster: &Cluster, headers: &[HeaderDigest]) {
    let (node, mut follower) = (remote(cluster, 0), Follower::new(&genesis(cluster)));
    for round in 0.. {
        let blocks = node.blocks(follower.next(), Duration::from_secs(1));
        follower.take(&blocks.unwrap(), NonZeroUsize::MIN).unwrap();
        let state = follower.head().state();
        let is_whole = |header| state.deposit(header).is_some_and(|it| it.count() == 4);
        if headers.iter().all(is_whole) {
            return;
        }
        assert!(round < 120, "not every custodian acknowledges");
    }
}

/// A number of a node's metrics, if it is there.
fn metric(cluster: &Cluster, number: usize, name: &str) -> Option<String> {
    let api = cluster.config(number).api.unwrap();
    let (status, page) = sent(api, "GET /metrics", b"");
    assert_eq!(status, 200);
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    line.map(|value| value.trim().to_owned())
}

fn await_up(cluster: &mut Cluster, number: usize) {
    cluster.start(number);
    let height = cluster.height();
    cluster.await_height_of(&[number], height);
}

#[test]
fn what_a_disk_lost_is_fetched_by_the_chain_and_shares_that_are_gone_are_counted() {
    let mut cluster = serving(Serves::Plain);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let (mut author, _, mut patient) = people(&mut network);
    let kit = patient.filing_kit();
    let document = |text| Document::new(Class::LABORATORY, "text/plain", text);
    let filed = author.file(&mut network, &kit, &[document(b"HbA1c 6.1 %")], |_| ());
    let first = filed.unwrap().remove(0);
    let digest = |header: &chartseal_envelope::Header| HeaderDigest(header.digest().0);
    let mut headers = vec![digest(first.header.as_ref().unwrap())];
    await_acknowledged(&cluster, &headers);

    // After the backup a record is filed, and one that is in it is amended.
    let folder = cluster.place().join("backup");
    let ran = node(
        "backup",
        &cluster.config_file(3),
        &["--to", folder.to_str().unwrap()],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let filed = author.file(&mut network, &kit, &[document(b"HbA1c 7.0 %")], |_| ());
    let later = filed.unwrap().remove(0);
    let amended = document(b"HbA1c 6.2 %");
    let amended = author.amend(&mut network, &kit, first.header.as_ref().unwrap(), &amended);
    headers
        .extend([&later.header, &amended.unwrap().header].map(|it| digest(it.as_ref().unwrap())));
    await_acknowledged(&cluster, &headers);
    let whole = files(&cluster, 0, "blobs");
    assert_eq!(whole.len(), 3);
    assert_eq!(scrubbed(&cluster, 3), (0, [3, 0, 0, 0]));

    // The older disk: the shares of after the backup are nowhere else.
    cluster.kill(3);
    fs::remove_dir_all(cluster.config(3).directory).unwrap();
    let ran = node(
        "restore",
        &cluster.config_file(3),
        &["--from", folder.to_str().unwrap()],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    await_up(&mut cluster, 3);
    assert_eq!(scrubbed(&cluster, 3), (1, [3, 2, 0, 2]));
    assert!(files(&cluster, 3, "blobs") == whole);
    assert_eq!(scrubbed(&cluster, 3), (1, [3, 0, 0, 2]));
    let words = node("scrub", &cluster.config_file(3), &[]).stdout;
    assert!(
        words.contains("2 missing shares") && words.contains("has to deal anew"),
        "{words}"
    );
    let missing = "chartseal_vault_scrubbed{what=\"missing_shares\"}";
    assert_eq!(metric(&cluster, 3, missing).unwrap(), "2");
    let ran = node("doctor", &cluster.config_file(3), &[]);
    assert!(
        ran.code == 1 && ran.stdout.contains("2 shares that were acknowledged"),
        "{}",
        ran.stdout
    );

    // A vault that was wiped: the older version's comes too, which a permit may still be for.
    cluster.kill(3);
    for folder in ["blobs", "side", "shares", "uploads"] {
        fs::remove_dir_all(cluster.config(3).directory.join(folder)).unwrap();
    }
    await_up(&mut cluster, 3);
    assert_eq!(scrubbed(&cluster, 3), (1, [3, 3, 0, 2]));
    assert!(files(&cluster, 3, "blobs") == whole);

    // What was fetched is destroyed with its record, as everything of it.
    patient.erase(&mut network, later.record).unwrap();
    await_destroyed(&cluster, &remote(&cluster, 0), &later.record);
    assert_eq!(files(&cluster, 3, "blobs").len(), 2);
    assert_eq!(scrubbed(&cluster, 3), (1, [2, 0, 0, 1]));

    // Nobody is there who has it: it is lost, and said to be.
    let (name, _) = &files(&cluster, 3, "blobs")[0];
    fs::remove_file(blob(&cluster, 3, name)).unwrap();
    for number in 0..3 {
        cluster.kill(number);
    }
    assert_eq!(scrubbed(&cluster, 3), (1, [2, 0, 1, 1]));
    cluster.down();
}

/// A node's file of a ciphertext.
fn blob(cluster: &Cluster, number: usize, name: &str) -> PathBuf {
    let blobs = cluster.config(number).directory.join("blobs");
    blobs.join(&name[..2]).join(name)
}

/// What stands in front of the others, for a node that asks them for a ciphertext.
#[derive(Default)]
struct Fronted {
    /// 0: all is passed on; 1: the first part alone; 2: one or another lies or has nothing, and one is slow.
    mode: AtomicUsize,
    /// From which bytes on parts were asked for.
    asked: Mutex<Vec<u64>>,
}

impl Fronted {
    fn deed(&self, number: usize, line: &str, body: &[u8]) -> Deed {
        let is_of_parts = line.starts_with("POST /v1/blobs ");
        let mode = self.mode.load(Ordering::SeqCst);
        if is_of_parts {
            let asked: Signed<BlobAsk> = from_bytes(body).unwrap();
            self.asked.lock().unwrap().push(asked.ask.from);
            if mode == 1 && asked.ask.from > 0 {
                return Deed::Answer(503, Vec::new());
            }
        }
        let is_of_groups = line.starts_with("POST /v1/blobs/groups ");
        let is_of_fronts = line.starts_with("POST /v1/fronts ");
        let nothing = || Deed::Answer(404, Vec::new());
        if mode < 2 || !(is_of_parts || is_of_groups || is_of_fronts) {
            return Deed::Pass;
        }
        match number {
            0 if is_of_parts => nothing(),
            0 => lie(),
            1 if is_of_parts => lie(),
            1 if is_of_fronts => nothing(),
            1 => Deed::Pass,
            // Longer than a node waits for one that may hang.
            _ => Deed::Late(Duration::from_millis(2_500)),
        }
    }
}

/// Another last byte of a part, of a group's hash, of a seal's signature.
fn lie() -> Deed {
    Deed::Change(Box::new(|mut answer| {
        if let Some(last) = answer.last_mut() {
            *last ^= 1;
        }
        answer
    }))
}

#[test]
fn a_large_ciphertext_comes_part_by_part_over_a_slow_link_and_goes_on_where_it_was_cut() {
    let mut cluster = made(Serves::Plain);
    let fronted = Arc::new(Fronted::default());
    let file = cluster.config_file(3);
    let mut text = fs::read_to_string(&file).unwrap();
    for number in 0..3 {
        let fronted = Arc::clone(&fronted);
        let url = url_in_front_of(&cluster, number, move |line, body| {
            fronted.deed(number, line, body)
        });
        let real = cluster.config(number).own_service().unwrap().url.clone();
        text = text.replace(&real, &url);
    }
    fs::write(&file, text).unwrap();
    cluster.up();
    let mut network = Network::connect(&cluster.place()).unwrap();
    let (mut author, _, patient) = people(&mut network);
    let kit = patient.filing_kit();
    let about = Document::new(Class::IMAGING, "application/dicom", b"");
    // Three parts.
    let image = image(33 * GROUP + 7);
    let scratch = std::io::Cursor::new(Vec::new());
    let filed = author.file_stream(&mut network, &kit, &about, image.as_slice(), scratch);
    let header = HeaderDigest(filed.unwrap().header.unwrap().digest().0);
    await_acknowledged(&cluster, &[header]);
    let whole = files(&cluster, 3, "blobs");
    let [(name, sealed)] = whole.as_slice() else {
        panic!("{} ciphertexts", whole.len());
    };
    let id = BlobId::of(sealed);
    assert_eq!(*name, format!("{id}.blob"));

    // Of the others' copies nothing comes but the first part.
    fs::remove_file(blob(&cluster, 3, name)).unwrap();
    fronted.asked.lock().unwrap().clear();
    fronted.mode.store(1, Ordering::SeqCst);
    assert_eq!(scrubbed(&cluster, 3), (1, [1, 0, 1, 0]));
    let waiting = files(&cluster, 3, "uploads");
    assert!(waiting == [(id.to_string(), sealed[..16 * GROUP].to_vec())]);
    let asked = std::mem::take(&mut *fronted.asked.lock().unwrap());
    let again = asked.iter().filter(|from| **from == (16 * GROUP) as u64);
    assert!(again.count() > 3, "nobody was asked twice: {asked:?}");

    // It is kept when the node ends. Two of the others lie now, or have nothing, and one is slow.
    cluster.kill(3);
    await_up(&mut cluster, 3);
    fronted.mode.store(2, Ordering::SeqCst);
    assert_eq!(scrubbed(&cluster, 3), (0, [1, 1, 0, 0]));
    let asked = std::mem::take(&mut *fronted.asked.lock().unwrap());
    assert!(
        asked.iter().all(|from| *from >= (16 * GROUP) as u64),
        "what was there was fetched again: {asked:?}"
    );
    assert!(files(&cluster, 3, "blobs") == whole);
    assert!(files(&cluster, 3, "uploads").is_empty());

    // A damaged copy in its place is no hindrance, nor is it that the header is gone with it.
    cluster.kill(3);
    fs::remove_dir_all(cluster.config(3).directory.join("side")).unwrap();
    let mut damaged = sealed.clone();
    damaged[5 * GROUP] ^= 1;
    fs::write(blob(&cluster, 3, name), damaged).unwrap();
    await_up(&mut cluster, 3);
    assert_eq!(scrubbed(&cluster, 3), (0, [1, 1, 0, 0]));
    assert!(files(&cluster, 3, "blobs") == whole);
    let fronts = |number, asker: &SigningKeyPair, nonce: u8| {
        let headers = vec![header, HeaderDigest([7; 32])];
        let ask = FrontsAsk { headers };
        let signer = |message: &[u8]| sign(asker, message);
        let to = (
            &cluster.config(number).network,
            &cluster.config(number).organization,
        );
        let now = Clock::System.now();
        let asked = Signed::new(to, public(asker), now, [nonce; 16], ask, signer);
        remote(&cluster, number).fronts(&asked)
    };
    let custodian = keys_of(&cluster, 1).custodian;
    let fetched = fronts(3, &custodian, 0).unwrap();
    assert_eq!(fetched.len(), 1);
    // Of many questions none is lost: those that are too many at the moment are asked again.
    for nonce in 0..=u8::MAX {
        assert_eq!(fronts(0, &custodian, nonce).unwrap(), fetched);
    }
    let stranger = SigningKeyPair::generate().unwrap();
    assert_eq!(code(fronts(2, &stranger, 0)), "CS-API-03");
    cluster.down();
}

#[test]
fn a_node_looks_at_its_vault_by_itself_and_remembers_what_it_found() {
    let mut cluster = made(Serves::Plain);
    let file = cluster.config_file(0);
    let text = fs::read_to_string(&file).unwrap();
    let often = format!("{text}scrub_seconds 1\n");
    fs::write(&file, &often).unwrap();
    cluster.up();
    let mut network = Network::connect(&cluster.place()).unwrap();
    let (mut author, _, patient) = people(&mut network);
    let kit = patient.filing_kit();
    let result = Document::new(Class::LABORATORY, "text/plain", b"HbA1c 6.1 %");
    let filed = author.file(&mut network, &kit, &[result], |_| ()).unwrap();
    let header = HeaderDigest(filed[0].header.as_ref().unwrap().digest().0);
    await_acknowledged(&cluster, &[header]);
    let whole = files(&cluster, 0, "blobs");
    let path = blob(&cluster, 0, &whole[0].0);
    fs::remove_file(&path).unwrap();
    until("the ciphertext does not come back", || path.exists());
    let expected = "chartseal_vault_scrubbed{what=\"expected\"}";
    let seen = |cluster: &Cluster| metric(cluster, 0, expected);
    until("it found nothing", || {
        seen(&cluster).as_deref() == Some("1")
    });

    // A new process knows what the one before found, and has nothing to do for a day.
    cluster.kill(0);
    fs::write(&file, &text).unwrap();
    let kept = cluster.config(0).directory.join("scrubbed");
    let found: Scrubbed = from_bytes(&fs::read(&kept).unwrap()).unwrap();
    assert_eq!((found.expected, found.lost), (1, 0));
    await_up(&mut cluster, 0);
    let at: f64 = metric(&cluster, 0, "chartseal_vault_scrubbed_seconds ")
        .unwrap()
        .parse()
        .unwrap();
    assert!((at - f64::from(u32::try_from(found.at.0 / 1_000).unwrap())).abs() < 1.5);
    assert_eq!(seen(&cluster).as_deref(), Some("1"));
    let findings = node("doctor", &cluster.config_file(0), &[]).stdout;
    assert!(findings.contains("well      custody"), "{findings}");

    // What can't be read says nothing, and no number that looks healthy.
    cluster.kill(0);
    fs::write(&kept, b"damaged").unwrap();
    await_up(&mut cluster, 0);
    assert_eq!(metric(&cluster, 0, "chartseal_vault_"), None);
    let findings = node("doctor", &cluster.config_file(0), &["--json"]).json();
    let findings = findings["findings"].as_array().unwrap();
    let custody = |it: &&Value| it["of"] == "custody" && it["health"] == "doubtful";
    assert_eq!(findings.iter().filter(custody).count(), 1);

    // And a pass is due.
    cluster.kill(0);
    fs::write(&file, &often).unwrap();
    await_up(&mut cluster, 0);
    until("no pass comes", || seen(&cluster).is_some());
    cluster.down();
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..240 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(250));
    }
    panic!("{what}");
}
