//! What nodes do for clients: the whole visit on processes of their own, a node that is down, a disk of an older day,
//! and what strangers may ask.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use chartseal::{Ask, Class, Clinician, Document, Network, Offer, Patient, Purpose, RecordId};
use chartseal_api::{
    FinalBlock, MAX_KEYS, ReleaseAsk, StateAsk, StateProof, Submission, ValueProof,
};
use chartseal_audit::TrustPolicy;
use chartseal_client::{
    Asking, AsyncRemote, ClientError, Follower, Light, LightError, NodeFault, Nodes, Remote,
};
use chartseal_cluster::{Cluster, Program, Serves, Setting};
use chartseal_envelope::KemKeyPair;
use chartseal_ledger::body::AccessRequested;
use chartseal_ledger::{Block, Genesis, SignedTransaction, TRANSACTION_VERSION, Transaction};
use chartseal_merkle::MapKey;
use chartseal_node::keys::{public, sign};
use chartseal_node::serve::{Config, TxOutcome};
use chartseal_node::{NodeError, NodeKeys};
use chartseal_wire::history::{Token, state_key};
use chartseal_wire::{Event, Hash, OrgId, TxId};
use serde_json::Value;

use crate::net::program;
use crate::parts::{code, people};
use crate::redeal::scrubbed;
use crate::support::run;

pub(crate) fn made(serves: Serves) -> Cluster {
    made_of(4, serves)
}

/// A network of so many nodes, which do not run yet.
pub(crate) fn made_of(validators: usize, serves: Serves) -> Cluster {
    let setting = Setting {
        heartbeat_ms: 500,
        serves,
        ..Setting::of(validators)
    };
    Cluster::make(Program::chartseal(program()), &setting).unwrap()
}

pub(crate) fn serving(serves: Serves) -> Cluster {
    let mut cluster = made(serves);
    cluster.up();
    cluster
}

/// What a network starts from.
pub(crate) fn genesis(cluster: &Cluster) -> Genesis {
    let genesis = fs::read(cluster.place().join("genesis")).unwrap();
    chartseal_codec::from_bytes(&genesis).unwrap()
}

pub(crate) fn visit(cluster: &Cluster) -> Value {
    let dir = cluster.place();
    let ran = run(["demo", "--json", "--network", dir.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    ran.json()
}

#[test]
fn the_visit_runs_on_processes_of_their_own_and_on_three_of_four() {
    let mut cluster = serving(Serves::Encrypted);
    let report = visit(&cluster);
    let promises = report["promises"].as_object().unwrap();
    for promise in ["P1", "P2", "P3", "P4", "P5", "P6", "P8", "P9", "P10"] {
        assert_eq!(promises[promise]["held"], true, "{promise}: {promises:?}");
    }
    assert_eq!(report["records"], 48);
    assert_eq!(report["verdict"]["result"], "proved");

    // One node is killed. The visit is held all the same, but that the dead one takes in and destroys nothing.
    cluster.kill(1);
    let dir = cluster.place();
    let ran = run(["demo", "--json", "--network", dir.to_str().unwrap()]);
    let report = ran.json();
    let promises = report["promises"].as_object().unwrap();
    for (promise, what) in promises {
        let asks_all = ["P7", "P9"].contains(&promise.as_str());
        assert_eq!(what["held"], !asks_all, "{promise}: {what}");
    }
    // It is back, and does its duty: the erasure's fourth attestation follows.
    cluster.start(1);
    let node = remote(&cluster, 0);
    let erased = erased_record(&node);
    await_destroyed(&cluster, &node, &erased);
}

/// Waits until all four custodians' attestations of a record's destruction are on the chain.
pub(crate) fn await_destroyed(cluster: &Cluster, node: &Remote, record: &RecordId) {
    let mut follower = Follower::new(&genesis(cluster));
    for round in 0.. {
        let blocks = node.blocks(follower.next(), Duration::from_secs(1));
        follower.take(&blocks.unwrap(), NonZeroUsize::MIN).unwrap();
        let known = follower.head().state().record(record);
        if known.is_some_and(|known| known.destroyed.count_ones() == 4) {
            return;
        }
        assert!(round < 120, "not every custodian attests");
    }
}

/// The record of the newest erasure.
fn erased_record(node: &Remote) -> chartseal_wire::RecordId {
    let (mut from, mut found) = (1, None);
    loop {
        let blocks = node.blocks(from, Duration::ZERO).unwrap().blocks;
        if blocks.is_empty() {
            return found.unwrap();
        }
        for block in &blocks {
            let block = Block::from_bytes(&block.block.0).unwrap();
            for transaction in &block.transactions {
                if let chartseal_ledger::Body::Erased(erased) = transaction.parse().unwrap().body {
                    found = Some(erased.record);
                }
            }
        }
        from += blocks.len() as u64;
    }
}

/// The service of a node that has the block of a height: others may have had it before.
pub(crate) fn remote_with(cluster: &Cluster, number: usize, height: u64) -> Remote {
    let node = remote(cluster, number);
    node.blocks(height, Duration::from_secs(10)).unwrap();
    node
}

/// A node's keys, out of its file.
pub(crate) fn keys_of(cluster: &Cluster, number: usize) -> NodeKeys {
    let file = fs::read(cluster.config(number).keys_file()).unwrap();
    NodeKeys::from_secret_bytes(&file).unwrap()
}

pub(crate) fn remote(cluster: &Cluster, number: usize) -> Remote {
    let config = cluster.config(number);
    let asking = config.asking(Duration::from_secs(60)).unwrap();
    let service = config.own_service().unwrap();
    Remote::new(config.organization, &service.url, &asking).unwrap()
}

/// A client that comes late follows a chain of more blocks than a node gives at a time, of few of which it still has a
/// certificate.
#[test]
fn a_long_chain_is_followed_from_its_beginning() {
    let setting = Setting {
        heartbeat_ms: 20,
        serves: Serves::Plain,
        ..Setting::of(4)
    };
    let mut cluster = Cluster::make(Program::chartseal(program()), &setting).unwrap();
    cluster.up();
    let all = cluster.all();
    cluster.await_height_of(&all, 600);
    // Whatever it had in memory is gone.
    cluster.kill(0);
    cluster.start(0);
    let node = remote(&cluster, 0);
    let genesis = genesis(&cluster);
    let one = NonZeroUsize::MIN;
    let blocks = |from: u64| {
        for _ in 0..100 {
            match node.blocks(from, Duration::ZERO) {
                Ok(blocks) => return blocks,
                Err(_) => thread::sleep(Duration::from_millis(100)),
            }
        }
        panic!("its service is not there");
    };
    let mut follower = Follower::new(&genesis);
    let mut settled = 0;
    while follower.height() < 600 {
        let next = follower.next();
        settled += follower.take(&blocks(next), one).unwrap().blocks;
        assert!(follower.next() > next, "nothing after {next}");
    }
    assert_eq!(settled, follower.height());

    // Without certificates it gets ahead, and believes nothing of it.
    let mut bare = blocks(1);
    for block in &mut bare.blocks {
        block.certificate = None;
    }
    let mut follower = Follower::new(&genesis);
    assert_eq!(follower.take(&bare, one).unwrap().blocks, 0);
    let count = bare.blocks.len() as u64;
    assert_eq!((follower.height(), follower.next()), (0, count + 1));
    // Somebody else's next block is not after it: what nobody vouched for is forgotten.
    let mut other = blocks(count + 1);
    other.blocks.remove(0);
    assert!(follower.take(&other, one).is_err());
    assert_eq!((follower.height(), follower.next()), (0, 1));
    // With the next ones, which have some, all are believed.
    follower.take(&bare, one).unwrap();
    follower.take(&blocks(count + 1), one).unwrap();
    assert!(follower.height() > count, "{}", follower.height());
}

/// Texts go to every node that is there; one that was down asks the others, and an erasure finds what it was given.
#[test]
fn a_node_that_was_down_fetches_the_texts_that_it_missed() {
    let mut cluster = serving(Serves::Encrypted);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let hospital = network.organizations()[1];
    let mut author = network
        .enrol_practitioner(&hospital, &["physician"])
        .unwrap();
    let mut doctor = network
        .enrol_practitioner(&hospital, &["physician"])
        .unwrap();
    let mut patient = network.enrol_patient(&hospital).unwrap();
    let result = Document::new(Class::LABORATORY, "text/plain", b"HbA1c 6.1 %");
    let kit = patient.filing_kit();
    let filed = author.file(&mut network, &kit, &[result], |_| ()).unwrap();
    let records = [filed[0].record];

    cluster.kill(3);
    let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
    let grant = patient.grant(&mut network, &doctor, &offer).unwrap();
    let ask = Ask::read(patient.id(), &records, Purpose::Treat);
    let request = doctor.request(&mut network, &ask).unwrap().id();
    let declared = doctor.declare_emergency(&mut network, patient.id(), "er", "unconscious");
    let reason = |tx: TxId| {
        let entries = patient.history(&network).unwrap().into_iter();
        let mut reasons = entries.filter(|entry| entry.tx == tx);
        reasons.find_map(|entry| match entry.event {
            Event::Access(access) => Some(access.reason),
            Event::Emergency(declared) => Some(declared.reason),
            _ => None,
        })
    };
    let (of_request, declared) = (reason(request).unwrap(), declared.unwrap());
    let of_emergency = reason(declared).unwrap();
    cluster.kill(2);
    cluster.start(3);
    let node = remote(&cluster, 3);
    for (tx, commitment) in [(grant.grant, grant.invitation), (declared, of_emergency)] {
        for round in 0.. {
            // Its service is not there at once.
            if node.text(&tx, &commitment).is_ok_and(|text| text.is_some()) {
                break;
            }
            assert!(round < 120, "the text does not come");
            thread::sleep(Duration::from_millis(250));
        }
    }
    assert!(node.text(&request, &of_request).unwrap().is_some());
    cluster.start(2);
    patient.erase(&mut network, records[0]).unwrap();
    await_destroyed(&cluster, &node, &records[0]);
    for number in cluster.all() {
        let left = remote(&cluster, number)
            .text(&request, &of_request)
            .unwrap();
        assert!(left.is_none(), "node {number}");
    }
}

/// A directory is copied, the network goes on, and the copy is put back: the node is told of its votes, catches up and
/// takes part, and nobody sees it vote twice.
#[test]
fn a_directory_of_an_older_day_votes_no_second_time() {
    let mut cluster = serving(Serves::Encrypted);
    let load = cluster.load();
    load.settle(20);
    let directory = cluster.config(3).directory;
    let copy = cluster.place().join("copy");
    cluster.kill(3);
    copied(&directory, &copy);
    cluster.start(3);
    load.settle(40);

    for _ in 0..3 {
        cluster.kill(3);
        fs::remove_dir_all(&directory).unwrap();
        copied(&copy, &directory);
        cluster.start(3);
        load.settle(20);
    }
    load.end();
    let height = cluster.control(0).unwrap().status().unwrap().height;
    cluster.await_height_of(&[3], height);
    for number in cluster.all() {
        let status = cluster.control(number).unwrap().status().unwrap();
        assert_eq!(
            (status.double_votes, status.evidence),
            (0, 0),
            "node {number}"
        );
    }
}

pub(crate) fn copied(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(done.unwrap().success());
}

/// Hands a transaction in, and waits until it is final.
pub(crate) fn become_final(node: &Remote, transaction: SignedTransaction) {
    let id = transaction.id();
    let texts = Vec::new();
    node.submit(&Submission { transaction, texts }).unwrap();
    for _ in 0..200 {
        match node.outcome(&id).unwrap() {
            TxOutcome::Final(_) => return,
            TxOutcome::Refused(why) => panic!("{why}"),
            _ => thread::sleep(Duration::from_millis(50)),
        }
    }
    panic!("{id} does not become final");
}

/// A connection on which a request is sent as it is.
pub(crate) fn asked(to: SocketAddr, head: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(to).unwrap();
    let head = format!(
        "{head} HTTP/1.1\r\nhost: node\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A node that refuses at once reads no more.
    let _ = stream.write_all(body);
    stream
}

/// Sends a request as it is; gives status and body.
pub(crate) fn sent(to: SocketAddr, head: &str, body: &[u8]) -> (u16, String) {
    let mut answer = Vec::new();
    let _ = asked(to, head, body).read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).unwrap_or("0").parse().unwrap();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

#[test]
fn what_strangers_ask_is_refused_with_a_stable_code_and_the_node_goes_on() {
    let cluster = serving(Serves::Plain);
    let api = cluster.config(0).api.unwrap();
    let none = format!("GET /v1/kem-keys/{}", "0".repeat(64));
    let (status, why) = sent(api, &none, b"");
    assert!(status == 404 && why.contains("CS-API-02"), "{why}");
    let first = remote(&cluster, 0);

    // No custodian gives anything for a request that nobody made.
    let reader = KemKeyPair::generate().unwrap();
    let asked = chartseal_api::ReleaseAsk {
        request: TxId([0; 32]),
        reader: reader.public_key().clone(),
    };
    let height = || cluster.status(0).unwrap().height;
    let refused_at = |known| code(first.release(&asked, known, Duration::ZERO));
    let newest = height();
    for known in [0, newest, newest + 1] {
        assert_eq!(refused_at(known), NodeError::UNKNOWN_REQUEST);
        assert!(height() >= known, "it was waited for");
    }
    // Nor does it judge by a state before one that the reader knows.
    assert_eq!(refused_at(u64::MAX), "CS-API-28");
    assert_eq!(first.outcome(&TxId([0; 32])).unwrap(), TxOutcome::Unknown);

    // Connections that say nothing keep nobody else out.
    let idle: Vec<_> = (0..200).map(|_| TcpStream::connect(api).unwrap()).collect();
    assert!(first.checkpoint().is_ok());
    drop(idle);
    thread::sleep(Duration::from_millis(100));
    assert!(first.checkpoint().is_ok());
}

/// One request, and as much of the answer as comes until it ends or `enough` holds.
fn heard(to: SocketAddr, head: &str, enough: impl Fn(&str) -> bool) -> String {
    let mut stream = asked(to, head, b"");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut answer = String::new();
    let mut some = [0; 4_096];
    while !enough(&answer) {
        let read = stream.read(&mut some).expect("more of an answer");
        if read == 0 {
            break;
        }
        answer.push_str(&String::from_utf8_lossy(&some[..read]));
    }
    answer
}

#[test]
fn operators_see_how_a_node_is_and_clients_hear_of_blocks() {
    let mut cluster = serving(Serves::Plain);
    let api = cluster.config(0).api.unwrap();
    assert_eq!(sent(api, "GET /health", b"").0, 204);
    assert_eq!(sent(api, "GET /ready", b"").0, 204);

    let events = heard(api, "GET /v1/events?after=0", |it| it.contains("id: 3"));
    assert!(
        events.contains("content-type: text/event-stream"),
        "{events}"
    );
    for height in 1..=3 {
        let data = format!("event: block\nid: {height}\ndata: {{\"height\":{height},");
        assert!(events.contains(&data), "{height}: {events}");
    }

    let (status, page) = sent(api, "GET /metrics", b"");
    assert_eq!(status, 200);
    let value = |name: &str| {
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name}: {page}"))
            .parse::<f64>()
            .unwrap()
    };
    assert!(value("chartseal_height") >= 3.0);
    assert!(
        (value("chartseal_clock_seconds") - value("chartseal_block_time_seconds")).abs() < 60.0
    );
    assert!(
        page.contains("chartseal_answers_total{path=\"/health\",status=\"204\"} 1"),
        "{page}"
    );
    // Its panels ask for numbers that are there, those of the vault once it was looked at.
    assert!(!page.contains("chartseal_vault_"), "{page}");
    scrubbed(&cluster, 0);
    let (_, page) = sent(api, "GET /metrics", b"");
    let board = fs::read_to_string("../../docs/dashboard.json").unwrap();
    let board: Value = serde_json::from_str(&board).unwrap();
    let panels = board["panels"].as_array().unwrap();
    for panel in panels {
        let asked = panel["targets"][0]["expr"].as_str().unwrap();
        let names = asked.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for name in names.filter(|name| name.starts_with("chartseal_")) {
            assert!(page.contains(&format!("# TYPE {name} ")), "{name}: {page}");
        }
    }
    assert!(panels.len() >= 8);

    // Three of four are gone: no block comes, and after a minute nobody should be sent here.
    for number in 1..4 {
        cluster.kill(number);
    }
    let unready = (0..180).any(|_| {
        thread::sleep(Duration::from_millis(500));
        sent(api, "GET /ready", b"").0 == 503
    });
    assert!(
        unready,
        "a node that is behind its clock says that it is ready"
    );
    assert_eq!(sent(api, "GET /health", b"").0, 204);
}

/// The lines of docs/api.md, by curl, at a network of the test's own.
#[test]
fn what_is_documented_to_be_tried_with_curl_can_be() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("not run: curl is missing");
        return;
    }
    let mut cluster = serving(Serves::Encrypted);
    cluster.await_height_of(&[0], 1);
    let document = fs::read_to_string("../../docs/api.md").unwrap();
    let (_, lines) = document.split_once("```sh\n").unwrap();
    let (lines, _) = lines.split_once("```").unwrap();
    let place = cluster.place();
    let url = cluster.config(0).own_service().unwrap().url.clone();
    let root = place.join("tls.root.pem");
    let lines = lines.replace("net/tls.root.pem", root.to_str().unwrap());
    let lines = lines.replace("https://127.0.0.1:9100", &url);
    let mut shell = Command::new("sh");
    let ran = shell.args(["-e", "-u", "-c", &lines]).current_dir(&place);
    let ran = ran.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}{wrong}");
    let first = said.split_once("chartseal/").map(|(version, _)| version);
    assert_eq!(first, Some(env!("CARGO_PKG_VERSION")), "{said}");
    assert!(said.contains("\"code\":\"CS-API-01\""), "{said}");
    assert_eq!(
        fs::read(place.join("genesis.cbor")).unwrap(),
        fs::read(place.join("genesis")).unwrap()
    );
    let head = fs::read_to_string(place.join("head.tlog-proof")).unwrap();
    assert!(head.starts_with("c2sp.org/tlog-proof@v1"), "{head}");
}

#[test]
fn a_patient_hears_of_an_access_as_it_becomes_final() {
    let cluster = serving(Serves::Encrypted);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let org = network.organizations()[0];
    let patient = network.enrol_patient(&org).unwrap();
    let mut doctor = network.enrol_practitioner(&org, &["doctor"]).unwrap();
    let known = patient.history(&network).unwrap().len() as u64;
    let watch = patient.watch(&network, known).unwrap();
    let (told, hears) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for entry in watch {
            if told.send(entry).is_err() {
                return;
            }
        }
    });
    for _ in 0..3 {
        let ask = Ask::read(patient.id(), &[RecordId([7; 16])], Purpose::Treat);
        let request = doctor
            .request(&mut network, &ask.because("visit", "once more"))
            .unwrap();
        let entry = hears
            .recv_timeout(Duration::from_secs(60))
            .unwrap()
            .unwrap();
        assert_eq!(entry.tx, request.id());
    }
    assert_eq!(
        patient.history(&network).unwrap().len() as u64,
        known + 3,
        "each once"
    );
}

#[test]
fn a_service_is_believed_by_its_networks_certificate_alone_and_nothing_passes_in_the_clear() {
    let (cluster, other) = (serving(Serves::Encrypted), made(Serves::Encrypted));
    let config = cluster.config(0);
    let (org, api) = (config.organization, config.api.unwrap());
    let url = config.own_service().unwrap().url.clone();
    let asking = |config: &Config| config.asking(Duration::from_secs(30)).unwrap();
    let node = |url: &str, asking: &Asking| Remote::new(org, url, asking).unwrap();
    assert!(node(&url, &asking(&config)).time().is_ok());
    // It is the same machine's, whatever name it is asked by; another name is not in the certificate.
    let port = api.port();
    assert!(
        node(&format!("https://localhost:{port}"), &asking(&config))
            .time()
            .is_ok()
    );
    let system = Asking::patiently(Duration::from_secs(30));
    for (url, asking) in [
        (url.clone(), asking(&other.config(0))),
        (url.clone(), system.clone()),
        (format!("https://127.0.0.2:{port}"), asking(&config)),
        (format!("http://{api}"), system),
    ] {
        match node(&url, &asking).time() {
            Err(ClientError::Unreachable { .. }) => {}
            answered => panic!("{url}: {answered:?}"),
        }
    }
    // What is no TLS gets no HTTP.
    let answer = heard(api, "GET /v1/time", |_| false);
    assert!(!answer.contains("HTTP/1.1"), "{answer}");

    // TLS 1.2's hello: the answer is the alert "protocol_version", 70 (RFC 5246).
    let mut hello = vec![0x16, 3, 1, 0, 63, 1, 0, 0, 59, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    // Two extensions: signature algorithms, groups.
    hello.extend([0, 16, 0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 29]);
    let mut stream = TcpStream::connect(api).unwrap();
    stream.write_all(&hello).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(answer, [0x15, 3, 3, 0, 2, 2, 70]);
}

#[test]
fn who_does_not_follow_the_chain_is_answered_with_proofs_and_believes_nothing_else() {
    let mut cluster = serving(Serves::Encrypted);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let org = network.organizations()[0];
    let patient = network.enrol_patient(&org).unwrap();
    let policy = network.committee_policy();
    let policy = || TrustPolicy::parse(&policy).unwrap();
    let mut light = Light::new(policy());
    let node = remote(&cluster, 0);
    let key = state_key("patient", &patient.id().0);
    let value = light.value(&node, &key).unwrap().unwrap();
    let state: chartseal_ledger::state::PatientState = chartseal_codec::from_bytes(&value).unwrap();
    assert_eq!(state.enrolled_by, org);
    let nobody = state_key("patient", &[0xee; 16]);
    assert_eq!(light.value(&node, &nobody).unwrap(), None);
    assert!(light.height() > 0);

    // Many values of one block, of which a node that falls short or swaps two is not believed.
    let keys = [key, nobody, state_key("org", &org.0)];
    let proved = light.values(&node, &keys).unwrap();
    let found = keys.iter().map(|key| proved.values[key].is_some());
    assert_eq!(found.collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(
        (proved.values[&key].as_ref(), proved.header.height),
        (Some(&value), light.height())
    );
    let ask = StateAsk {
        keys: keys.to_vec(),
    };
    let proof = node
        .state_proof(&ask, light.height(), Duration::ZERO)
        .unwrap();
    let judged = |change: fn(&mut StateProof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        Light::new(policy())
            .judge_values(&keys, changed)
            .map(|_| ())
    };
    assert!(judged(|_| ()).is_ok());
    let count = judged(|proof| _ = proof.values.pop());
    assert!(
        matches!(count, Err(LightError::Count { asked: 3, found: 2 })),
        "{count:?}"
    );
    let swapped = judged(|proof| proof.values.swap(0, 2));
    assert!(matches!(swapped, Err(LightError::Proof(_))), "{swapped:?}");
    let hidden = judged(|proof| proof.values[0].value = None);
    assert!(matches!(hidden, Err(LightError::Proof(_))), "{hidden:?}");
    let too_many = StateAsk {
        keys: vec![key; MAX_KEYS + 1],
    };
    let refused = node.state_proof(&too_many, 0, Duration::ZERO);
    assert_eq!(code(refused), "CS-API-29");

    // A transaction, old and new: the newest block's needs no place in the log.
    let block = with_some(&node);
    let id = block.transactions[0].id();
    let found = light.transaction(&node, &id).unwrap().unwrap();
    assert_eq!((found.header, found.index), (block.header, 0));
    assert_eq!(found.transaction, block.transactions[0]);
    assert_eq!(light.transaction(&node, &TxId([9; 32])).unwrap(), None);

    // What a node says beside the proof, and what it says of another key, is not believed.
    let mut proof = node.value_proof(&key).unwrap();
    assert!(matches!(answered(&proof, &policy(), &key), Ok(Some(_))));
    assert!(matches!(
        answered(&proof, &policy(), &nobody),
        Err(LightError::Proof(_))
    ));
    proof.value.as_mut().unwrap().0[10] ^= 1;
    assert!(matches!(
        answered(&proof, &policy(), &key),
        Err(LightError::Proof(_))
    ));
    proof.value = None;
    assert!(matches!(
        answered(&proof, &policy(), &key),
        Err(LightError::Proof(_))
    ));
    proof.head = proof.head.replacen('2', "3", 1);
    assert!(matches!(
        answered(&proof, &policy(), &key),
        Err(LightError::Header(_))
    ));
    let mut stranger = Light::new({
        let other = serving_policy();
        TrustPolicy::parse(&other).unwrap()
    });
    assert!(matches!(
        stranger.value(&node, &key),
        Err(LightError::Doubt(_))
    ));

    // A node that shows an older chain than was seen is found out.
    let mut further = Light::new(policy());
    further.seen(1_000_000);
    assert!(matches!(
        further.value(&node, &key),
        Err(LightError::Older { .. })
    ));
    cluster.down();
}

#[test]
fn of_several_nodes_the_honest_ones_are_believed_and_the_others_named() {
    let mut cluster = serving(Serves::Encrypted);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let org = network.organizations()[0];
    let patient = network.enrol_patient(&org).unwrap();
    let key = state_key("patient", &patient.id().0);
    let old = remote(&cluster, 0).value_proof(&key).unwrap();
    network.enrol_patient(&org).unwrap();
    let policy = network.committee_policy();
    let mut light = Light::new(TrustPolicy::parse(&policy).unwrap());
    let value = light.judge_value(&key, old.clone()).unwrap();
    let before = light.height();
    while light.height() == before {
        light.value(&remote(&cluster, 0), &key).unwrap();
    }

    // Two nodes; one that hangs, one that is gone; one that repeats an old answer, one that invents.
    let asking = |number: usize| cluster.config(number).asking(Duration::from_secs(30));
    let mut invented = old.clone();
    invented.value.as_mut().unwrap().0[10] ^= 1;
    let mut asked: Vec<AsyncRemote> = [0, 1, 2, 3]
        .map(|number| {
            let service = cluster.config(number).own_service().unwrap().url.clone();
            let org = OrgId([u8::try_from(number).unwrap(); 16]);
            AsyncRemote::new(org, &service, &asking(number).unwrap()).unwrap()
        })
        .into();
    for (name, answer) in [(8, &old), (9, &invented)] {
        let url = repeating(chartseal_codec::to_bytes(answer));
        asked.push(AsyncRemote::new(OrgId([name; 16]), &url, &Asking::default()).unwrap());
    }
    cluster.kill(3);
    let mut nodes = Nodes::new(light.clone(), asked.clone());
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // Who is too late with a wrong answer is not heard: it is asked until each was.
    let mut faults = BTreeMap::new();
    while faults.len() < 3 {
        let told = tokio.block_on(nodes.value(&key)).unwrap();
        assert_eq!(told.answer, value);
        assert!(told.height >= light.height() && told.height == nodes.height());
        let these = told.faults.iter();
        faults.extend(these.map(|(org, why)| (org.0[0], why.fault())));
    }
    let (silent, behind, lying) = (NodeFault::Silent, NodeFault::Behind, NodeFault::Lying);
    assert_eq!(
        Vec::from_iter(faults),
        [(3, silent), (8, behind), (9, lying)]
    );

    // The state is read through them as if it were here.
    let told = tokio.block_on(nodes.read(|state| {
        let patient = state.patient(&patient.id())?;
        Some((patient.key, state.org(&patient.enrolled_by)?.id))
    }));
    let told = told.unwrap();
    let known = (patient.person().public_key(), org);
    assert_eq!((told.answer, told.height), (Some(known), nodes.height()));

    // One that hangs holds nobody up, and what is handed in twice is one.
    let block = with_some(&remote(&cluster, 0));
    let transaction = block.transactions[0].clone();
    let id = transaction.id();
    let submission = Submission {
        transaction,
        texts: Vec::new(),
    };
    cluster.stop(2);
    tokio.block_on(nodes.submit(&submission)).unwrap();
    let settled = tokio
        .block_on(nodes.settled(&id, Duration::from_secs(60)))
        .unwrap();
    assert_eq!(settled.answer.header, block.header);
    assert!(settled.faults.iter().all(|(org, _)| org.0[0] != 2));
    cluster.go_on(2);

    // What no node has is not said to be final; and what none proves is not known.
    let nothing = tokio.block_on(nodes.transaction(&TxId([9; 32]))).unwrap();
    assert_eq!(nothing.answer, None);
    let mut liars = Nodes::new(light, asked.split_off(3));
    let nobody = tokio.block_on(liars.value(&key)).unwrap_err();
    let says = nobody.to_string();
    assert!(says.starts_with("no node proves it: "), "{says}");
    assert_eq!(nobody.faults.len(), 3);
    assert!(
        tokio
            .block_on(liars.settled(&id, Duration::from_millis(300)))
            .is_err()
    );
    cluster.down();
}

/// A doctor who may read a record of a patient.
fn granted(network: &mut Network) -> (Clinician, Patient, RecordId) {
    let (mut author, doctor, mut patient) = people(network);
    let result = Document::new(Class::LABORATORY, "text/plain", b"HbA1c 6.1 %");
    let filed = author.file(network, &patient.filing_kit(), &[result], |_| ());
    let record = filed.unwrap()[0].record;
    let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
    patient.grant(network, &doctor, &offer).unwrap();
    (doctor, patient, record)
}

/// A request for it, which this key opens.
fn read_request(
    patient: &Patient,
    record: RecordId,
    purpose: &str,
    reader: &KemKeyPair,
) -> AccessRequested {
    AccessRequested {
        patient: patient.id(),
        records: vec![record],
        action: Token::new("read").unwrap(),
        purpose: Token::new(purpose).unwrap(),
        reason_code: Token::new("visit").unwrap(),
        reason: Hash([1; 32]),
        reader: reader.key_id().0,
    }
}

/// A transaction of the doctor's, with their sequence number.
fn signed(
    network: &Network,
    doctor: &Clinician,
    seq: u64,
    body: AccessRequested,
) -> SignedTransaction {
    let keys = doctor.person().seed().signing_key();
    let transaction = Transaction {
        version: TRANSACTION_VERSION,
        chain: network.chain(),
        actor_key: public(&keys),
        seq,
        expires: 1_000,
        body: body.into(),
    };
    transaction.sign(|message| sign(&keys, message))
}

/// Who is about to ask tells custodians first: each answers when the request is final, and as it was decided.
#[test]
fn custodians_that_are_asked_before_the_request_is_final_answer_when_it_is() {
    let cluster = serving(Serves::Encrypted);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let (doctor, patient, record) = granted(&mut network);
    let reader = KemKeyPair::generate().unwrap();
    let made = |seq, purpose| {
        let body = read_request(&patient, record, purpose, &reader);
        signed(&network, &doctor, seq, body)
    };
    let long = Duration::from_secs(20);
    for (seq, purpose, expected) in [(1, "TREAT", None), (2, "HRESCH", Some(NodeError::DENIED))] {
        let transaction = made(seq, purpose);
        let ask = ReleaseAsk {
            request: transaction.id(),
            reader: reader.public_key().clone(),
        };
        let early = remote(&cluster, 2);
        for wait in [Duration::ZERO, Duration::from_millis(100)] {
            let refused = early.release(&ask, 0, wait);
            assert_eq!(code(refused), NodeError::UNKNOWN_REQUEST);
        }
        let asked = thread::spawn(move || early.release(&ask, 0, long));
        let texts = Vec::new();
        let submission = Submission { transaction, texts };
        remote(&cluster, 0).submit(&submission).unwrap();
        let answer = asked.join().unwrap();
        match expected {
            None => assert_eq!(answer.unwrap().len(), 1),
            Some(denied) => assert_eq!(code(answer), denied),
        }
    }
}

/// Who asks for the same shares again and again fills no custodian's place in the pool.
#[test]
fn a_custodian_that_is_asked_again_hands_in_one_receipt() {
    let mut cluster = serving(Serves::Plain);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let (doctor, patient, record) = granted(&mut network);
    let reader = KemKeyPair::generate().unwrap();
    let body = read_request(&patient, record, "TREAT", &reader);
    let transaction = signed(&network, &doctor, 1, body);
    let request = transaction.id();
    become_final(&remote(&cluster, 0), transaction);

    // Two of four do nothing: no block comes.
    cluster.stop(2);
    cluster.stop(3);
    let ask = ReleaseAsk {
        request,
        reader: reader.public_key().clone(),
    };
    let asking = (0..30).map(|_| {
        let (node, ask) = (remote(&cluster, 0), ask.clone());
        thread::spawn(move || node.release(&ask, 0, Duration::ZERO))
    });
    let asking: Vec<_> = asking.collect();
    thread::sleep(Duration::from_secs(3));
    let waiting = cluster.status(0).unwrap().waiting;
    assert_eq!(waiting, 1, "each question makes a receipt of its own");
    cluster.go_on(2);
    cluster.go_on(3);
    for asked in asking {
        assert_eq!(asked.join().unwrap().unwrap().len(), 1);
    }
    cluster.down();
}

/// The address of nobody's node, which always gives this answer.
fn repeating(body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4_096]);
            stream
                .write_all(&[head.as_bytes(), &body].concat())
                .unwrap();
        }
    });
    url
}

/// The first block with transactions.
fn with_some(node: &Remote) -> Block {
    let blocks = node.blocks(1, Duration::ZERO).unwrap().blocks;
    let blocks = blocks.iter().map(|it| Block::from_bytes(&it.block.0));
    let mut blocks = blocks.map(Result::unwrap);
    blocks.find(|it| !it.transactions.is_empty()).unwrap()
}

/// The policy of another network.
fn serving_policy() -> String {
    let cluster = serving(Serves::Encrypted);
    Network::connect(&cluster.place())
        .unwrap()
        .committee_policy()
}

/// What a client believes of an answer: served by nobody's node.
fn answered(
    proof: &ValueProof,
    policy: &TrustPolicy,
    key: &MapKey,
) -> Result<Option<Vec<u8>>, LightError> {
    let url = repeating(chartseal_codec::to_bytes(proof));
    let node = Remote::new(OrgId([1; 16]), &url, &Asking::default()).unwrap();
    Light::new(policy.clone()).value(&node, key)
}

#[test]
fn a_client_that_sends_or_takes_nothing_is_let_go() {
    let cluster = serving(Serves::Plain);
    let api = cluster.config(0).api.unwrap();
    let connected = |said: &str| {
        let mut stream = TcpStream::connect(api).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        stream
    };
    // Nothing; half a head; a whole request, and then nothing.
    let request = "GET /health HTTP/1.1\r\nhost: node\r\n";
    let mut waiting = ["", request, &format!("{request}\r\n")].map(connected);
    let metric = |name: &str| {
        let (_, page) = sent(api, "GET /metrics", b"");
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.trim().parse::<f64>().unwrap()
    };
    // Each is counted by a task of its own, soon after it is taken, until soon after it is closed.
    let soon = |is: &dyn Fn(f64) -> bool| {
        (0..100).any(|_| {
            thread::sleep(Duration::from_millis(20));
            is(metric("chartseal_connections "))
        })
    };
    // Those three, and the one that asks.
    assert!(soon(&|open| open >= 4.0));
    for stream in &mut waiting {
        // The node ends it: a timeout of ours would be an error.
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
    }
    assert!(soon(&|open| open <= 1.0));
}

#[test]
fn an_address_that_asks_too_often_is_told_to_wait_and_the_client_does() {
    let mut cluster = made(Serves::Plain);
    let file = cluster.config_file(0);
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{config}requests_per_second 5\n")).unwrap();
    cluster.up();
    let api = cluster.config(0).api.unwrap();
    let statuses: Vec<u16> = (0..100).map(|_| sent(api, "GET /health", b"").0).collect();
    let limited = statuses.iter().filter(|status| **status == 429).count();
    assert!(limited > 20, "{statuses:?}");
    assert_eq!(statuses[0], 204);
    let refused = heard(api, "GET /health", |_| false);
    assert!(
        refused.contains("retry-after: 1") && refused.contains("CS-API-07"),
        "{refused}"
    );
    // The client waits by itself.
    assert!(remote(&cluster, 0).checkpoint().is_ok());
}

/// What became final while a node was away comes from others' services before its validator starts, whatever one of them
/// gives; it goes on from there, and where another one is down nothing is final without it.
#[test]
fn a_node_that_was_away_fetches_what_it_missed_and_is_counted_on_again() {
    let mut cluster = serving(Serves::Plain);
    cluster.kill(3);
    let away = cluster.height();
    let load = cluster.load();
    load.settle(200);
    let (mut acknowledged, _) = load.end();
    let height = cluster.height();

    // The service that it asks first is no node's, and has a transaction less in each block.
    pretend(&cluster, &[0], |found| {
        let mut block = Block::from_bytes(&found.block.0).unwrap();
        block.transactions.pop();
        found.block.0 = block.bytes();
    });

    cluster.start(3);
    cluster.await_height_of(&[3], height);
    let log = cluster.log(3);
    assert!(
        log.contains("gives blocks that are not the chain's"),
        "{log}"
    );
    let fetched = log
        .lines()
        .find(|line| line.contains("fetched what became final"));
    let reached = fetched.and_then(|line| line.split("height=").nth(1));
    let reached: u64 = reached
        .unwrap_or_else(|| panic!("{log}"))
        .trim()
        .parse()
        .unwrap();
    assert!(
        reached > away && reached + 64 > height,
        "from {away}, {reached} of {height}"
    );

    cluster.kill(0);
    let load = cluster.load();
    load.settle(20);
    let (later, _) = load.end();
    cluster.start(0);
    acknowledged.extend(later);
    cluster.assert_nothing_is_lost(&acknowledged);
}

/// Blocks count by certificates: what no service can show one for is left to the engine.
#[test]
fn a_node_that_was_away_believes_nobody_without_a_certificate() {
    let mut cluster = serving(Serves::Plain);
    cluster.kill(3);
    let load = cluster.load();
    load.settle(40);
    let (acknowledged, _) = load.end();
    let height = cluster.height();
    pretend(&cluster, &[0, 1, 2], |found| found.certificate = None);

    cluster.start(3);
    cluster.await_height_of(&[3], height);
    let log = cluster.log(3);
    assert!(!log.contains("fetched what became final"), "{log}");
    cluster.assert_nothing_is_lost(&acknowledged);
}

/// Has node 3 take something else for the services of some nodes: what gives the chain's first blocks, each changed.
fn pretend(cluster: &Cluster, of: &[usize], change: fn(&mut FinalBlock)) {
    let mut found = remote(cluster, 1).blocks(1, Duration::ZERO).unwrap();
    found.blocks.iter_mut().for_each(change);
    let liar = repeating(chartseal_codec::to_bytes(&found));
    let file = cluster.config_file(3);
    let mut config = fs::read_to_string(&file).unwrap();
    for number in of {
        let honest = cluster.config(*number).own_service().unwrap().url.clone();
        config = config.replace(&honest, &liar);
    }
    fs::write(&file, config).unwrap();
}
