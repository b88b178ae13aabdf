//! Networks of real processes on loopback: they agree, outlive kills, and refuse to start misconfigured.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::body::AccessRequested;
use chartseal_ledger::{Body, SignedTransaction, TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};
use chartseal_node::serve::{Config, Control, ControlError, TxOutcome};
use chartseal_wire::history::Token;
use chartseal_wire::{ChainId, Hash, PatientId, RecordId, TxId};
use tempfile::TempDir;

use crate::schema;
use crate::support::{chartseal, run};

/// A network that `net init` made, and its processes.
pub(crate) struct Network {
    pub(crate) dir: TempDir,
    pub(crate) nodes: Vec<Option<Child>>,
}

impl Network {
    pub(crate) fn new() -> Self {
        Self::beating(1_000)
    }

    /// Four nodes that make a block in so many ms when they are idle; there is room for a fifth.
    pub(crate) fn beating(heartbeat_ms: u64) -> Self {
        let dir = TempDir::new().unwrap();
        let place = dir.path().join("net");
        let port = free_ports(5).to_string();
        let dir_text = place.to_str().unwrap();
        let made = run([
            "net",
            "init",
            "--validators",
            "4",
            "--dir",
            dir_text,
            "--port",
            &port,
            "--heartbeat-ms",
            &heartbeat_ms.to_string(),
        ]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let nodes = (0..5).map(|_| None).collect();
        Self { dir, nodes }
    }

    pub(crate) fn place(&self) -> PathBuf {
        self.dir.path().join("net")
    }

    pub(crate) fn config_file(&self, number: usize) -> PathBuf {
        self.place()
            .join(format!("node-{}", number + 1))
            .join("node.conf")
    }

    pub(crate) fn config(&self, number: usize) -> Config {
        Config::read(&self.config_file(number)).unwrap()
    }

    pub(crate) fn start(&mut self, number: usize) {
        let log = fs::File::create(self.place().join(format!("{number}.log"))).unwrap();
        let child = chartseal()
            .args(["node", "run", "--config"])
            .arg(self.config_file(number))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.nodes[number] = Some(child);
    }

    /// `kill -9`: whatever was not synced is lost with the process.
    pub(crate) fn kill(&mut self, number: usize) {
        let mut child = self.nodes[number].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn control(&self, number: usize) -> Result<Control, ControlError> {
        Control::connect(&self.config(number).directory)
    }

    /// Waits until all nodes run and are at this height.
    pub(crate) fn await_height(&mut self, height: u64) {
        self.await_height_of(&[0, 1, 2, 3], height);
    }

    /// Waits until these nodes run and are at this height.
    pub(crate) fn await_height_of(&mut self, numbers: &[usize], height: u64) {
        for &number in numbers {
            let patience = 600;
            for round in 0.. {
                if let Some(child) = &mut self.nodes[number] {
                    let ended = child.try_wait().unwrap();
                    let log = || fs::read_to_string(self.place().join(format!("{number}.log")));
                    assert_eq!(ended, None, "node {number} ended: {:?}", log());
                }
                let status = self
                    .control(number)
                    .and_then(|mut control| control.status());
                if status.is_ok_and(|status| status.height >= height) {
                    break;
                }
                assert!(
                    round < patience,
                    "node {number} does not come to height {height}"
                );
                thread::sleep(Duration::from_millis(100));
            }
        }
    }

    pub(crate) fn height(&self) -> u64 {
        let nodes = (0..5).filter(|number| self.config_file(*number).exists());
        let heights = nodes.filter_map(|number| self.control(number).ok()?.status().ok());
        heights.map(|status| status.height).max().unwrap_or(0)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The first of so many ports that nobody listens at.
fn free_ports(many: u16) -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if first < 60_000 && (first..first + many).all(free) {
            return first;
        }
    }
}

pub(crate) fn office(place: &Path, number: usize) -> SigningKeyPair {
    let file = place.join("offices").join(format!("{}.key", number + 1));
    SigningKeyPair::from_secret_bytes(&fs::read(file).unwrap().try_into().unwrap())
}

/// An attempt: the ledger takes every one.
pub(crate) fn ask(office: &SigningKeyPair, chain: ChainId, seq: u64) -> SignedTransaction {
    let body = AccessRequested {
        patient: PatientId([1; 16]),
        records: vec![RecordId([1; 16])],
        action: Token::new("read").unwrap(),
        purpose: Token::new("TREAT").unwrap(),
        reason_code: Token::new("visit").unwrap(),
        reason: Hash([0; 32]),
        reader: [0; 32],
    };
    let transaction = Transaction {
        version: TRANSACTION_VERSION,
        chain,
        actor_key: public(office),
        seq,
        expires: 100_000,
        body: Body::from(body),
    };
    transaction.sign(|message| sign(office, message))
}

/// What clients were told is final: the height by transaction.
type Acknowledged = Arc<Mutex<BTreeMap<TxId, u64>>>;

/// One office that hands in one transaction after the other, at whichever node answers.
fn load(
    directories: Vec<PathBuf>,
    office: SigningKeyPair,
    chain: ChainId,
    done: Arc<AtomicBool>,
    acknowledged: Acknowledged,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut at = 0;
        for seq in 1.. {
            let transaction = ask(&office, chain, seq);
            let id = transaction.id();
            'handed_in: loop {
                if done.load(Ordering::SeqCst) {
                    return;
                }
                at += 1;
                let Ok(mut control) = Control::connect(&directories[at % directories.len()]) else {
                    thread::sleep(Duration::from_millis(20));
                    continue;
                };
                // It may wait or be final already; and a node may be killed at any moment.
                let _ = control.submit(&transaction);
                for _ in 0..150 {
                    match control.outcome(&id) {
                        Ok(TxOutcome::Final(height)) => {
                            acknowledged.lock().unwrap().insert(id, height);
                            break 'handed_in;
                        }
                        Ok(TxOutcome::Refused(why)) => panic!("an honest client is refused: {why}"),
                        Ok(_) => thread::sleep(Duration::from_millis(20)),
                        Err(_) => break,
                    }
                }
            }
        }
    })
}

#[test]
fn four_processes_outlive_kills_under_load_and_lose_nothing_that_was_acknowledged() {
    let mut network = Network::new();
    (0..4).for_each(|number| network.start(number));
    network.await_height(1);

    let chain = network.config(0).network;
    let directories: Vec<_> = (0..4)
        .map(|number| network.config(number).directory)
        .collect();
    let (done, acknowledged) = (Arc::new(AtomicBool::new(false)), Acknowledged::default());
    let clients: Vec<_> = (0..4)
        .map(|number| {
            let office = office(&network.place(), number);
            load(
                directories.clone(),
                office,
                chain,
                Arc::clone(&done),
                Arc::clone(&acknowledged),
            )
        })
        .collect();
    let settled = |many| {
        let before = acknowledged.lock().unwrap().len();
        for _ in 0..900 {
            if acknowledged.lock().unwrap().len() >= before + many {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("no progress");
    };
    settled(20);
    // One after the other, each under load; then all at once.
    for victim in [1, 3] {
        network.kill(victim);
        settled(10);
        network.start(victim);
        settled(10);
    }
    (0..4).for_each(|number| network.kill(number));
    (0..4).for_each(|number| network.start(number));
    settled(20);
    done.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }

    let height = network.height();
    network.await_height(height + 1);
    for (id, height) in acknowledged.lock().unwrap().iter() {
        for number in 0..4 {
            let outcome = network.control(number).unwrap().outcome(id).unwrap();
            assert_eq!(outcome, TxOutcome::Final(*height), "node {number}");
        }
    }
    let dir = network.place();
    let status = run(["net", "status", "--json", "--dir", dir.to_str().unwrap()]);
    assert_eq!(status.code, 0, "{} {}", status.stdout, status.stderr);
    let nodes = status.json();
    let faults = schema::faults(&schema::read("net.schema.json"), &nodes);
    assert!(faults.is_empty(), "{faults:?}");
    assert!(
        nodes["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|node| node["peers"] == 3),
        "{nodes}"
    );

    // A graceful stop; what is on the disks then is one chain, to the byte of every root.
    let down = run(["net", "down", "--dir", dir.to_str().unwrap()]);
    assert_eq!(down.code, 0, "{}", down.stderr);
    let mut roots = BTreeMap::new();
    for (number, directory) in directories.iter().enumerate() {
        let ended = network.nodes[number].take().unwrap().wait().unwrap();
        assert!(ended.success(), "node {number}: {ended}");
        let genesis = dir.join("genesis");
        let verified = run([
            "ledger",
            "verify",
            directory.to_str().unwrap(),
            "--genesis",
            genesis.to_str().unwrap(),
        ]);
        assert_eq!(verified.code, 0, "{} {}", verified.stdout, verified.stderr);
        let block = run([
            "ledger",
            "block",
            directory.to_str().unwrap(),
            &height.to_string(),
            "--header",
        ]);
        roots.insert(block.stdout, number);
    }
    assert_eq!(
        roots.len(),
        1,
        "every node has the same header at height {height}"
    );
}

#[test]
fn a_misconfigured_node_is_refused_with_the_key_the_reason_and_the_remedy() {
    let (network, other) = (Network::new(), Network::new());
    let (parsed, config) = (network.config(0), network.config_file(0));
    let good = fs::read_to_string(&config).unwrap();
    let refused = |text: &str, expected: &[&str]| {
        fs::write(&config, text).unwrap();
        let ran = run(["node", "run", "--config", config.to_str().unwrap()]);
        for part in expected {
            assert!(ran.error().contains(part), "{part}: {}", ran.stderr);
        }
    };
    let line = |key: &str, value: &str| {
        let lines = good.lines().map(|line| match line.split_once(' ') {
            Some((found, _)) if found == key => format!("{key} {value}"),
            _ => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();

    refused(
        &line("genesis", &text(other.place().join("genesis"))),
        &["network: ", "copy the genesis"],
    );
    let keys = text(other.place().join("node-1").join("node.keys"));
    refused(
        &line("keys", &keys),
        &["keys: ", "genesis has", "put the file back"],
    );
    let keys = text(network.place().join("node-2").join("node.keys"));
    refused(
        &line("keys", &keys),
        &["keys: ", "genesis has", "put the file back"],
    );
    let organization = other.config(0).organization.to_string();
    refused(
        &line("organization", &organization),
        &["organization: ", "not in the committee"],
    );
    refused(
        &format!("{good}\ncolour blue"),
        &["`colour` is no key", "the keys are"],
    );
    refused(&line("threads", "0"), &["threads", "1 to 64"]);
    let own = format!("validator {} ", parsed.validators[1].key);
    let without: Vec<_> = good
        .lines()
        .filter(|line| !line.starts_with(&own))
        .collect();
    refused(
        &without.join("\n"),
        &["validator: ", "is not listed", "once"],
    );

    let taken = TcpListener::bind(parsed.listen).unwrap();
    refused(&good, &["listen: ", "can't be used", "choose another port"]);
    drop(taken);

    // The directory of another node.
    let data = network.place().join("node-2").join("data");
    fs::create_dir_all(&data).unwrap();
    let (organization, chain) = (network.config(1).organization, network.config(1).network);
    fs::write(
        data.join("owner"),
        format!("organization {organization}\nnetwork {chain}\n"),
    )
    .unwrap();
    refused(
        &line("directory", &text(data)),
        &["directory: ", "another node", "own directory"],
    );
}

#[test]
fn a_clock_an_hour_behind_is_refused() {
    let network = Network::new();
    let config = network.config(0);
    let genesis = config.genesis().unwrap();
    let begun = genesis.time();
    let hour = 3_600_000;
    let clock = chartseal_wire::Time(begun.0 - hour);
    let error = config.check_clock(clock, begun, &genesis).unwrap_err();
    assert_eq!(error.rule(), "CS-CFG-11");
    assert!(
        error.to_string().contains("set the machine's clock"),
        "{error}"
    );
    config.check_clock(begun, begun, &genesis).unwrap();
}
