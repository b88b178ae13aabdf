//! What operators do to a node that runs: its log, its configuration read again, a backup, and what is wrong with it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use chartseal::{Ask, Class, Document, Network, Offer, Purpose};
use chartseal_api::{BlobAsk, Signed};
use chartseal_client::{Asking, ClientError, Remote};
use chartseal_cluster::{Cluster, Program, Serves, Setting};
use chartseal_codec::to_bytes;
use chartseal_node::Clock;
use chartseal_node::keys::{public, sign};
use chartseal_node::serve::Config;
use chartseal_testkit::leaks::{Found, Kind, Search};
use chartseal_vault::{FileSecretStore, SecretStore as _, ShareKey};
use serde_json::Value;

use crate::lies::{Deed, url_in_front_of};
use crate::net;
use crate::parts::people;
use crate::s3::Server;
use crate::schema;
use crate::service::{await_destroyed, copied, keys_of, made, remote, sent, serving, visit};
use crate::support::{Ran, run, target_folder};

/// `chartseal node VERB` of a configuration.
pub(crate) fn node(verb: &str, config: &Path, more: &[&str]) -> Ran {
    let mut words = vec!["node", verb, "--config", config.to_str().unwrap()];
    words.extend(more);
    run(words)
}

fn asking(config: &Config) -> Asking {
    config.asking(Duration::from_secs(30)).unwrap()
}

#[test]
fn a_configuration_and_a_certificate_are_read_again_while_the_node_runs() {
    let (cluster, other) = (serving(Serves::Encrypted), made(Serves::Encrypted));
    let (config, file) = (cluster.config(0), cluster.config_file(0));
    let text = fs::read_to_string(&file).unwrap();
    let url = config.own_service().unwrap().url.clone();
    // Each time a new connection.
    let answers = |asking: &Asking| {
        let remote = Remote::new(config.organization, &url, asking).unwrap();
        remote.time().is_ok()
    };
    let (ours, theirs) = (asking(&config), asking(&other.config(0)));
    assert_eq!((answers(&ours), answers(&theirs)), (true, false));

    // Another certificate, a rate, and what can't change now.
    let tls = config.tls.clone().unwrap();
    let before = [&tls.certificate, &tls.key].map(|path| fs::read(path).unwrap());
    let new = other.config(0).tls.unwrap();
    fs::copy(&new.certificate, &tls.certificate).unwrap();
    fs::copy(&new.key, &tls.key).unwrap();
    let changed = text.replace("threads 2", "threads 3");
    fs::write(&file, format!("{changed}requests_per_second 3\n")).unwrap();
    let ran = node("reload", &file, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout
            .contains("holds now: tls_certificate, requests_per_second"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("started again: threads"),
        "{}",
        ran.stdout
    );
    assert_eq!((answers(&ours), answers(&theirs)), (false, true));
    // Nobody waits, so the fourth to the seventh are too many.
    let hurried = Asking {
        patience: Duration::from_millis(200),
        ..theirs.clone()
    };
    let many = (0..20).filter(|_| answers(&hurried)).count();
    assert!(many < 20, "the rate holds");

    // What is wrong changes nothing: not the rate, nor the certificate.
    fs::write(&tls.key, &before[1]).unwrap();
    fs::write(&file, &text).unwrap();
    let ran = node("reload", &file, &[]);
    assert!(ran.error().contains("not the key") && ran.error().contains("CS-CFG-12"));
    fs::write(&tls.certificate, &before[0]).unwrap();
    fs::write(&file, format!("{text}colour blue\n")).unwrap();
    let ran = node("reload", &file, &[]);
    assert!(ran.error().contains("colour"), "{}", ran.stderr);
    fs::write(&file, &text).unwrap();
    assert_eq!(node("reload", &file, &[]).code, 0);
    assert!(answers(&ours));
    assert!(cluster.status(0).is_some());
}

#[test]
fn a_backup_of_a_running_node_is_put_back_and_what_was_erased_since_is_destroyed_again() {
    let mut cluster = serving(Serves::Encrypted);
    visit(&cluster);
    let (config, file) = (cluster.config(3), cluster.config_file(3));
    let folder = cluster.place().join("backup");
    let to = folder.to_str().unwrap().to_owned();
    let ran = node("backup", &file, &["--to", &to]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("file of keys is not in it"),
        "{}",
        ran.stdout
    );
    // Not into one that is there, and not by a node that does not run and whose stores are in use.
    let again = node("backup", &file, &["--to", &to]);
    assert!(again.error().contains("not empty"), "{}", again.stderr);
    // No key is in it, in any file.
    let keys = keys_of(&cluster, 3);
    for path in files_below(&folder) {
        let bytes = fs::read(&path).unwrap();
        for key in [
            keys.store.expose_secret_bytes().as_slice(),
            keys.custodian.expose_secret_bytes().as_slice(),
        ] {
            assert!(bytes.windows(32).all(|it| it != key), "{}", path.display());
        }
    }
    let held = |directory: &Path| {
        let store = FileSecretStore::<ShareKey>::open(directory.join("shares"), &keys.store);
        store.unwrap().keys().unwrap()
    };

    // A second visit: with records of its own, one of which is erased.
    visit(&cluster);
    cluster.kill(3);
    let after = held(&config.directory);
    // From before it there are more than nothing, and all of them are in the backup.
    let look = cluster.place().join("look");
    copied(&folder, &look);
    let before = held(&look);
    assert!(before.len() > 10 && after.len() > before.len());
    assert!(before.iter().all(|share| after.contains(share)));

    // Put back in a new place, as after the loss of a disk.
    fs::remove_dir_all(&config.directory).unwrap();
    let damaged = cluster.place().join("damaged");
    copied(&folder, &damaged);
    let ledger = damaged.join("ledger.redb");
    let mut bytes = fs::read(&ledger).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&ledger, bytes).unwrap();
    let restore = |from: &Path| node("restore", &file, &["--from", from.to_str().unwrap()]);
    let refused = restore(&damaged);
    assert!(
        refused.error().contains("ledger.redb is damaged"),
        "{}",
        refused.stderr
    );
    // What is there in part is not started from.
    let started = node("run", &file, &[]);
    assert!(
        started.error().contains("chartseal node restore"),
        "{}",
        started.stderr
    );
    let other = node("restore", &cluster.config_file(2), &["--from", &to]);
    assert!(
        other.error().contains("not of this node"),
        "{}",
        other.stderr
    );
    fs::remove_file(damaged.join("manifest")).unwrap();
    assert!(restore(&damaged).error().contains("no manifest"));
    let ran = restore(&folder);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("block "), "{}", ran.stdout);
    assert!(restore(&folder).error().contains("not empty"));
    assert_eq!(held(&config.directory), before);

    // It catches up and serves: shares that it was given since are gone with the disk, and no others.
    cluster.start(3);
    let height = cluster.height();
    cluster.await_height_of(&[3], height);
    visit(&cluster);
    for number in cluster.all() {
        let status = cluster.status(number).unwrap();
        assert_eq!(
            (status.double_votes, status.evidence),
            (0, 0),
            "node {number}"
        );
    }
}

/// An erasure after the backup, of a record that is in it.
#[test]
fn a_share_that_comes_back_with_a_backup_is_destroyed_if_its_record_was_erased() {
    let mut cluster = serving(Serves::Encrypted);
    let mut network = Network::connect(&cluster.place()).unwrap();
    let org = network.organizations()[0];
    let mut patient = network.enrol_patient(&org).unwrap();
    let mut author = network.enrol_practitioner(&org, &["doctor"]).unwrap();
    let result = Document::new(Class::LABORATORY, "text/plain", b"HbA1c 6.1 %");
    let filed = author.file(&mut network, &patient.filing_kit(), &[result], |_| ());
    let record = filed.unwrap()[0].record;
    let (config, file) = (cluster.config(3), cluster.config_file(3));
    let folder = cluster.place().join("backup");
    let ran = node("backup", &file, &["--to", folder.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    patient.erase(&mut network, record).unwrap();
    // That it destroyed its share is on the chain: it is asked for that no more.
    await_destroyed(&cluster, &remote(&cluster, 0), &record);
    cluster.kill(3);
    fs::remove_dir_all(&config.directory).unwrap();
    let ran = node("restore", &file, &["--from", folder.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let key = keys_of(&cluster, 3).store;
    let held = || {
        let store = FileSecretStore::<ShareKey>::open(config.directory.join("shares"), &key);
        store.unwrap().keys().unwrap().len()
    };
    assert_eq!(held(), 1);
    cluster.start(3);
    let height = cluster.height();
    cluster.await_height_of(&[3], height + 2);
    cluster.control(3).unwrap().stop().unwrap();
    assert!(cluster.await_end(3).success());
    assert_eq!(held(), 0);
}

/// What S3 is asked with: the test server takes any.
const IN_ENVIRONMENT: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "a key"),
    ("AWS_SECRET_ACCESS_KEY", "its secret"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
];

/// Has a node that does not run yet keep its ciphertext in the bucket `ciphertext` of a server.
pub(crate) fn in_bucket(cluster: &mut Cluster, number: usize, server: SocketAddr) {
    let file = cluster.config_file(number);
    let config = fs::read_to_string(&file).unwrap();
    let bucket = format!("vault_bucket ciphertext\nvault_endpoint http://{server}\n");
    fs::write(&file, format!("{config}{bucket}")).unwrap();
    cluster.set_environment(&IN_ENVIRONMENT);
}

#[test]
fn a_node_keeps_its_ciphertext_in_a_bucket_and_decides_without_it() {
    let Some(mut server) = Server::start(target_folder()) else {
        return;
    };
    server.make_bucket("ciphertext");
    let mut cluster = made(Serves::Encrypted);
    let file = cluster.config_file(0);
    in_bucket(&mut cluster, 0, ([127, 0, 0, 1], server.port()).into());
    cluster.up();
    visit(&cluster);
    assert!(!cluster.config(0).directory.join("blobs").exists());
    // What it holds, as a program that is not ours lists it; and it is what the others hold.
    let listed = server.list("ciphertext");
    let others = files_below(&cluster.config(1).directory.join("blobs"));
    let others = others
        .iter()
        .filter_map(|path| path.file_name()?.to_str()?.strip_suffix(".blob"));
    let others: Vec<_> = others.collect();
    assert!(others.len() > 20);
    for id in others {
        let key = format!("{}/{}/{id}.blob", cluster.config(0).organization, &id[..2]);
        assert!(listed.contains(&key), "{key}");
    }
    let mut scrub = crate::support::chartseal();
    scrub.args(["node", "scrub", "--config"]).arg(&file);
    let ran = Ran::from(scrub.output().unwrap());
    assert!(
        ran.stdout.contains("0 mended; 0 lost"),
        "{} {}",
        ran.stdout,
        ran.stderr
    );

    // The bucket is gone: the node goes on with the chain, and what it can't give another one gives.
    server.stop();
    let height = cluster.status(0).unwrap().height;
    let mut network = Network::connect(&cluster.place()).unwrap();
    let org = network.organizations()[0];
    for _ in 0..3 {
        network.enrol_patient(&org).unwrap();
    }
    cluster.await_height_of(&[0], height + 3);
    let mut doctor = crate::support::chartseal();
    doctor
        .args(["node", "doctor", "--config"])
        .arg(&file)
        .envs(IN_ENVIRONMENT);
    let ran = Ran::from(doctor.output().unwrap());
    assert!(
        ran.code == 1 && ran.stdout.contains("ill       vault"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("its secret"));
    cluster.down();
}

#[test]
fn what_is_damaged_in_a_vault_is_mended_from_others_and_garbage_goes() {
    let mut cluster = serving(Serves::Encrypted);
    visit(&cluster);
    let (config, file) = (cluster.config(0), cluster.config_file(0));
    let ran = node("scrub", &file, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let whole = ran.stdout;
    assert!(
        whole.contains(" ciphertexts; 0 mended; 0 lost; 0 missing shares; 0 damaged shares; 0 shares of former committees; 0 that"),
        "{whole}"
    );
    let blobs = || -> Vec<_> {
        let all = files_below(&config.directory.join("blobs"));
        let mut all: Vec<_> = all
            .into_iter()
            .filter(|path| path.extension().is_some())
            .collect();
        all.sort();
        all
    };
    let before: Vec<_> = blobs()
        .into_iter()
        .map(|path| (fs::read(&path).unwrap(), path))
        .collect();
    assert!(before.len() > 20, "{}", before.len());
    let expected = format!(
        "{} ciphertexts; 2 mended; 0 lost; 0 missing shares; 0 damaged shares; 0 shares of former committees; 1 that",
        before.len()
    );

    // One is changed, one is missing, and one is nobody's.
    let (bytes, path) = &before[0];
    let mut other = bytes.clone();
    other[bytes.len() / 2] ^= 1;
    fs::write(path, other).unwrap();
    fs::remove_file(&before[1].1).unwrap();
    let garbage = b"nobody's";
    let id = chartseal_vault::BlobId::of(garbage);
    let place = config.directory.join("blobs").join(&id.to_string()[..2]);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join(format!("{id}.blob")), garbage).unwrap();
    let ran = node("scrub", &file, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains(&expected),
        "{}, not {expected}",
        ran.stdout
    );
    let after: Vec<_> = blobs()
        .into_iter()
        .map(|path| (fs::read(&path).unwrap(), path))
        .collect();
    assert!(after == before);

    // Without the others it is lost, and said; with them it comes back.
    fs::remove_file(&before[2].1).unwrap();
    for number in 1..4 {
        cluster.stop(number);
    }
    let ran = node("scrub", &file, &[]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("0 mended; 1 lost"), "{}", ran.stdout);
    for number in 1..4 {
        cluster.go_on(number);
    }
    let ran = node("scrub", &file, &[]);
    assert!(ran.stdout.contains("1 mended; 0 lost"), "{}", ran.stdout);

    // A ciphertext is for custodians of the committee.
    let keys = chartseal_envelope::SigningKeyPair::generate().unwrap();
    let ask = |keys: &chartseal_envelope::SigningKeyPair, nonce| {
        let ask = BlobAsk {
            id: id_of(&before[0].0),
            from: 0,
        };
        let signer = |message: &[u8]| sign(keys, message);
        let now = Clock::System.now();
        let to = (&config.network, &config.organization);
        Signed::new(to, public(keys), now, nonce, ask, signer)
    };
    let remote = remote(&cluster, 0);
    match remote.blob(&ask(&keys, [1; 16])) {
        Err(ClientError::Refused { problem, .. }) => assert_eq!(problem.code, "CS-API-03"),
        other => panic!("{other:?}"),
    }
    let custodian = keys_of(&cluster, 1).custodian;
    assert_eq!(remote.blob(&ask(&custodian, [2; 16])).unwrap(), before[0].0);
    cluster.down();
}

fn id_of(bytes: &[u8]) -> [u8; 32] {
    chartseal_vault::BlobId::of(bytes).0
}

/// The files below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let each = entries.flat_map(|path| {
        if path.is_dir() {
            files_below(&path)
        } else {
            vec![path]
        }
    });
    each.collect()
}

/// What the doctor finds of a node, by how that is and what it is of.
pub(crate) fn examined(file: &Path) -> BTreeMap<(String, String), String> {
    let ran = node("doctor", file, &["--json"]);
    let document = ran.json();
    let faults = schema::faults(&schema::read("doctor.schema.json"), &document);
    assert!(faults.is_empty(), "{faults:?}");
    let findings = document["findings"].as_array().unwrap();
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let found: BTreeMap<_, _> = findings
        .iter()
        .map(|it| {
            let said = format!("{} {}", text(&it["found"]), text(&it["remedy"]));
            ((text(&it["health"]), text(&it["of"])), said)
        })
        .collect();
    let worst = ["ill", "doubtful"];
    let code = worst
        .iter()
        .position(|worst| found.keys().any(|(health, _)| health == worst));
    assert_eq!(
        ran.code,
        [1, 2].get(code.unwrap_or(2)).copied().unwrap_or(0)
    );
    found
}

pub(crate) fn is(health: &str, of: &str) -> (String, String) {
    (health.to_owned(), of.to_owned())
}

/// The others are right about the time, and about what runs, as far as one node can tell.
#[test]
fn the_doctor_sees_that_a_clock_is_wrong_and_another_version_runs() {
    let cluster = serving(Serves::Plain);
    let file = cluster.config_file(0);
    let mut config = fs::read_to_string(&file).unwrap();
    for number in 1..4 {
        let hour_on = Clock::System.now().plus_ms(3_600_000);
        let url = url_in_front_of(&cluster, number, move |line, _| {
            if line.contains("/v1/time") {
                return Deed::Answer(200, to_bytes(&hour_on));
            }
            if line.contains("/v1/version") {
                return Deed::Answer(200, b"9.9.9".into());
            }
            Deed::Pass
        });
        let real = cluster.config(number).own_service().unwrap().url.clone();
        assert!(config.contains(&real), "{config}");
        config = config.replace(&real, &url);
    }
    fs::write(&file, config).unwrap();
    let found = examined(&file);
    let clock = &found[&is("ill", "clock")];
    assert!(clock.contains("keep it with NTP"), "{clock}");
    let versions = &found[&is("doubtful", "services")];
    assert!(versions.contains("version 9.9.9, not "), "{versions}");
}

#[test]
fn the_doctor_names_what_is_wrong_and_what_to_do() {
    let mut cluster = serving(Serves::Encrypted);
    let (config, file) = (cluster.config(0), cluster.config_file(0));

    let found = examined(&file);
    for of in [
        "configuration",
        "genesis",
        "keys",
        "node",
        "chain",
        "clock",
        "certificate",
        "peers",
        "services",
    ] {
        assert!(found.contains_key(&is("well", of)), "{of}: {found:?}");
    }
    assert!(found.keys().all(|(health, _)| health != "ill"), "{found:?}");
    let words = node("doctor", &file, &[]).stdout;
    assert!(words.contains("well      configuration"), "{words}");

    // Two of four are down: it is not alone to blame, and says who.
    cluster.kill(1);
    cluster.kill(2);
    let found = examined(&file);
    let peers = &found[&is("ill", "peers")];
    assert!(
        peers.contains("1 of 3") && peers.contains(&cluster.config(1).listen.to_string()),
        "{peers}"
    );
    assert!(
        found[&is("doubtful", "services")].contains("organization"),
        "{found:?}"
    );

    // It is stopped, its port taken, its keys open to all, its certificate another's, its directory another's.
    cluster.kill(0);
    let taken = std::net::TcpListener::bind(config.listen).unwrap();
    fs::set_permissions(config.keys_file(), fs::Permissions::from_mode(0o644)).unwrap();
    let tls = config.tls.clone().unwrap();
    fs::copy(cluster.config(1).tls.unwrap().key, &tls.key).unwrap();
    let found = examined(&file);
    assert!(
        found[&is("ill", "port")].contains("choose another address"),
        "{found:?}"
    );
    assert!(found[&is("ill", "keys")].contains("chmod 600"), "{found:?}");
    assert!(
        found[&is("ill", "certificate")].contains("not the key"),
        "{found:?}"
    );
    assert!(
        found[&is("doubtful", "node")].contains("node run"),
        "{found:?}"
    );
    assert!(found.contains_key(&is("well", "stores")), "{found:?}");
    drop(taken);
    let keys = fs::read(cluster.config(1).keys_file()).unwrap();
    fs::write(config.keys_file(), keys).unwrap();
    let found = examined(&file);
    assert!(
        found[&is("ill", "keys")].contains("put the file back"),
        "{found:?}"
    );
    fs::write(&file, "colour blue").unwrap();
    let found = examined(&file);
    assert!(
        found[&is("ill", "configuration")].contains("colour"),
        "{found:?}"
    );
}

#[test]
fn a_log_is_lines_of_json_for_who_wants_them() {
    let program = Program {
        path: net::program().into(),
        args: ["node", "run", "--log", "json", "--config"]
            .map(Into::into)
            .into(),
    };
    let mut cluster = Cluster::make(program, &Setting::of(4)).unwrap();
    cluster.up();
    cluster.kill(3);
    cluster.down();
    let log = cluster.log(0);
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let said = |what: &str| {
        let mut messages = lines.iter().map(|line| line["fields"]["message"].as_str());
        messages.any(|message| message == Some(what))
    };
    assert!(
        said("the node runs") && said("the node is asked to stop"),
        "{log}"
    );
    assert!(
        lines
            .iter()
            .all(|line| line["level"].is_string() && line["timestamp"].is_string())
    );
}

/// At its most talkative a node's log has nothing of a record, a reason or a key. Nor has what it answers to whoever sends
/// such a thing where it does not belong.
#[test]
fn no_log_and_no_refusal_tells_of_a_record_or_a_secret() {
    const CONTENT: &str = "HbA1c 6.1 % of Erika Mustermann";
    const REASON: &str = "she told me of her depression";
    // Each node is that program: `env` ends with becoming it.
    let words = ["CHARTSEAL_LOG=trace", net::program()];
    let program = Program {
        path: "/usr/bin/env".into(),
        args: [&words[..], &["node", "run", "--config"]]
            .concat()
            .into_iter()
            .map(Into::into)
            .collect(),
    };
    let setting = Setting {
        heartbeat_ms: 500,
        serves: Serves::Plain,
        ..Setting::of(4)
    };
    let mut cluster = Cluster::make(program, &setting).unwrap();
    cluster.up();
    let mut network = Network::connect(&cluster.place()).unwrap();
    let (mut author, mut doctor, mut patient) = people(&mut network);
    let kit = patient.filing_kit();
    let document = Document::new(Class::LABORATORY, "text/plain", CONTENT.as_bytes());
    let filed = author.file(&mut network, &kit, &[document], |_| ());
    let records = [filed.unwrap()[0].record];
    let ask = Ask::read(patient.id(), &records, Purpose::Treat).because("visit", REASON);
    assert!(
        doctor.read(&mut network, &ask).is_err(),
        "nothing is granted"
    );
    let offer = Offer::of(Class::LABORATORY, network.now().plus_ms(3_600_000));
    let grant = patient.grant(&mut network, &doctor, &offer).unwrap().grant;
    let opened = doctor.read(&mut network, &ask).unwrap();
    assert_eq!(opened.records[0].content(), CONTENT.as_bytes());
    patient.revoke(&mut network, grant).unwrap();
    patient.erase(&mut network, records[0]).unwrap();
    let declared = doctor.declare_emergency(&mut network, patient.id(), "er", REASON);
    assert!(
        declared.is_err() || declared.is_ok(),
        "whichever: it is in no log"
    );

    let mut search = Search::new(&[]);
    for text in [CONTENT, REASON, "Mustermann", "depression"] {
        search.add(Kind::Text, text);
    }
    for person in [author.person(), doctor.person(), patient.person()] {
        search.add_bytes(Kind::Text, person.seed().expose_bytes());
    }
    let mut found = Found::default();
    let api = cluster.config(0).api.unwrap();
    for path in [
        "transactions",
        "deposits",
        "uploads",
        "releases",
        "histories",
        "exports",
    ] {
        let (status, said) = sent(api, &format!("POST /v1/{path}"), CONTENT.as_bytes());
        assert_eq!(status, 400, "{path}: {said}");
        search.look_into(said.as_bytes(), &mut found);
    }
    for number in cluster.all() {
        let keys = keys_of(&cluster, number);
        for secret in [&keys.custodian, &keys.cosigner, &keys.log] {
            search.add_bytes(Kind::Text, secret.expose_secret_bytes());
        }
        search.add_bytes(Kind::Text, keys.kem.expose_secret_bytes().as_slice());
        search.add_bytes(Kind::Text, keys.store.expose_secret_bytes());
        let log = cluster.log(number);
        assert!(log.contains("TRACE"), "node {number} says little");
        search.look_into(log.as_bytes(), &mut found);
    }
    assert_eq!(search.leaks(&found), Vec::<String>::new());
}

#[test]
fn a_log_level_that_is_none_is_refused() {
    let cluster = made(Serves::Nobody);
    let mut command = crate::support::chartseal();
    command.env("CHARTSEAL_LOG", "louder=please");
    command
        .args(["node", "run", "--config"])
        .arg(cluster.config_file(0));
    let ran = Ran::from(command.output().unwrap());
    assert!(
        ran.error().contains("CHARTSEAL_LOG is `louder=please`"),
        "{}",
        ran.stderr
    );
}
