//! `net` and `node run`: networks are made, started, shown and stopped; what is misconfigured is refused.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use chartseal_cluster::{Cluster, Program, Serves, Setting};
use chartseal_node::Clock;
use chartseal_wire::Time;
use tempfile::TempDir;

use crate::schema;
use crate::service;
use crate::support::{chartseal, run};

/// The built program.
pub(crate) fn program() -> &'static str {
    env!("CARGO_BIN_EXE_chartseal")
}

/// Four nodes that make a block in so many ms when they are idle; there is room for a fifth.
pub(crate) fn network(heartbeat_ms: u64) -> Cluster {
    let setting = Setting {
        heartbeat_ms,
        ..Setting::of(4)
    };
    Cluster::make(Program::chartseal(program()), &setting).unwrap()
}

#[test]
fn a_network_is_made_started_shown_and_stopped() {
    let dir = TempDir::new().unwrap();
    let place = dir.path().join("net");
    let place = place.to_str().unwrap();
    let port = network(1_000).config(0).listen.port().to_string();
    let net = |verb: &str, more: &[&str]| run([&["net", verb, "--dir", place], more].concat());
    let made = net(
        "init",
        &[
            "--validators",
            "4",
            "--port",
            &port,
            "--heartbeat-ms",
            "300",
        ],
    );
    assert_eq!(made.code, 0, "{}", made.stderr);
    let mut up = Up(chartseal()
        .args(["net", "up", "--dir", place])
        .stdout(Stdio::null())
        .spawn()
        .unwrap());
    let is_up = (0..1_200).any(|_| {
        thread::sleep(Duration::from_millis(50));
        let status = net("status", &["--json"]);
        let nodes = status.json();
        let nodes = nodes["nodes"].as_array().unwrap();
        status.code == 0
            && nodes
                .iter()
                .all(|node| node["height"].as_u64() > Some(2) && node["peers"] == 3)
    });
    assert!(is_up, "{}", net("status", &[]).stdout);
    let status = net("status", &["--json"]);
    let faults = schema::faults(&schema::read("net.schema.json"), &status.json());
    assert!(faults.is_empty(), "{faults:?}");
    let down = net("down", &[]);
    assert_eq!(down.code, 0, "{}", down.stderr);
    assert!(up.0.wait().unwrap().success());

    // What a graceful stop leaves is one whole chain on each disk.
    let genesis = format!("{place}/genesis");
    for number in 1..=4 {
        let directory = format!("{place}/node-{number}/data");
        let verified = run(["ledger", "verify", &directory, "--genesis", &genesis]);
        assert_eq!(verified.code, 0, "{} {}", verified.stdout, verified.stderr);
    }
}

/// `net up`, and the nodes that it started.
struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        let up = self.0.id();
        let nodes = fs::read_to_string(format!("/proc/{up}/task/{up}/children"));
        for pid in nodes.unwrap_or_default().split_whitespace() {
            let _ = Command::new("kill").args(["-KILL", pid]).status();
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a node with this configuration, and looks for these words in why it does not start.
fn is_refused(config: &Path, text: &str, expected: &[&str]) {
    fs::write(config, text).unwrap();
    let ran = run(["node", "run", "--config", config.to_str().unwrap()]);
    for part in expected {
        assert!(ran.error().contains(part), "{part}: {}", ran.stderr);
    }
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().unwrap().to_owned()
}

#[test]
fn a_misconfigured_node_is_refused_with_the_key_the_reason_and_the_remedy() {
    let (network, other) = (network(1_000), network(1_000));
    let (parsed, config) = (network.config(0), network.config_file(0));
    let good = fs::read_to_string(&config).unwrap();
    let refused = |text: &str, expected: &[&str]| is_refused(&config, text, expected);
    let line = |key: &str, value: &str| {
        let lines = good.lines().map(|line| match line.split_once(' ') {
            Some((found, _)) if found == key => format!("{key} {value}"),
            _ => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    };

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
    let both = format!("{good}\napi {}", parsed.listen);
    refused(
        &both,
        &["api: ", "`listen` has the same", "choose another port"],
    );

    // A folder so far down that no socket has its name.
    let deep = network
        .place()
        .join("deep".repeat(20))
        .join("deep".repeat(20));
    refused(
        &line("directory", &text(&deep)),
        &["control.sock", "shorter path"],
    );

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
        &line("directory", &text(&data)),
        &["directory: ", "another node", "own directory"],
    );
    // One whose owner a power cut has left without a word is nobody's.
    fs::write(data.join("owner"), "").unwrap();
    let _taken = TcpListener::bind(parsed.listen).unwrap();
    refused(&line("directory", &text(&data)), &["listen: "]);
    let owner = fs::read_to_string(data.join("owner")).unwrap();
    assert!(owner.starts_with("organization "), "{owner}");
}

#[test]
fn a_service_that_could_be_listened_to_and_certificates_that_do_not_fit_are_refused() {
    let (network, with_tls) = (network(1_000), service::made(Serves::Encrypted));
    let (parsed, config) = (network.config(0), network.config_file(0));
    let good = fs::read_to_string(&config).unwrap();
    let refused = |text: &str, expected: &[&str]| is_refused(&config, text, expected);
    let certified = |at: u8, root: &str| {
        let api = format!("api 127.0.0.1:{}", parsed.listen.port() + 100);
        let [certificate, key] = ["tls.pem", "tls.key"]
            .map(|it| text(with_tls.place().join(format!("node-{at}")).join(it)));
        let first = text(with_tls.place().join("node-1").join("tls.pem"));
        let certificate = if at == 1 { certificate } else { first };
        format!("{good}\n{api}\ntls_certificate {certificate}\ntls_key {key}\ntls_root {root}\n")
    };
    let root = text(with_tls.place().join("tls.root.pem"));
    refused(
        &format!("{good}\napi 192.0.2.1:443"),
        &["api: 192.0.2.1:443", "tls_certificate", "127.0.0.1"],
    );
    refused(
        &format!("{good}\napi 127.0.0.1:443\ntls_key {root}"),
        &["`tls_certificate` is missing"],
    );
    refused(
        &certified(2, &root),
        &["tls_key: ", "not the key", "made together"],
    );
    refused(
        &certified(1, &text(with_tls.place().join("genesis"))),
        &["tls_root: ", "no certificate in PEM"],
    );
    refused(
        &certified(1, &root).replace("tls_key ", "tls_key /dev/null #"),
        &["tls_key: /dev/null", "no private key in PEM"],
    );
    refused(
        &certified(1, &root).replace("tls_certificate ", "tls_certificate /dev/null #"),
        &["tls_certificate: /dev/null", "no certificate in PEM"],
    );
    let organization = parsed.organization;
    refused(
        &format!("{good}\nservice {organization} 127.0.0.1:9100"),
        &["`service` takes", "https://node.example:9100"],
    );
}

#[test]
fn a_clock_an_hour_behind_is_refused() {
    let network = network(1_000);
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

/// A service that says that the time is another than it is; nobody else's business is done there.
fn wrong_clock(off_ms: i64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 1_024]);
            let time = Time(Clock::System.now().0.saturating_add_signed(off_ms));
            let body = chartseal_codec::to_bytes(&time);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    address
}

/// The machine's clock can't be set in a test; those of the others can. So "an hour ahead" is: theirs are an hour behind.
#[test]
fn a_clock_is_refused_that_more_nodes_than_may_lie_say_is_an_hour_off() {
    let mut network = network(1_000);
    let file = network.config_file(0);
    let good = fs::read_to_string(&file).unwrap();
    let others: Vec<_> = (1..4).map(|it| network.config(it).organization).collect();
    let with = |clocks: &[i64]| {
        let lines = others.iter().zip(clocks);
        let lines = lines.map(|(org, off)| format!("service {org} http://{}\n", wrong_clock(*off)));
        format!("{good}{}", lines.collect::<String>())
    };
    let hour = 3_600_000;
    for (clocks, side) in [
        (&[-hour, -hour, -hour][..], "after"),
        (&[hour, hour], "before"),
        (&[-hour, 0, -hour], "after"),
    ] {
        fs::write(&file, with(clocks)).unwrap();
        let ran = run(["node", "run", "--config", file.to_str().unwrap()]);
        for part in [
            "clock: ",
            side,
            "other organizations",
            "set the machine's clock",
        ] {
            assert!(ran.error().contains(part), "{part}: {}", ran.stderr);
        }
    }
    // One that lies, or two that contradict each other, keep nobody out.
    fs::write(&file, with(&[-hour, hour, 0])).unwrap();
    network.up();
    assert!(network.control(0).unwrap().status().is_ok());
}
