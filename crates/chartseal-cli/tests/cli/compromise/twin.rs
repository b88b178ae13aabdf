//! P6, P7: stolen validators run a second time, elsewhere, with all that they had on their disks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use chartseal::{Network, TrustPolicy};
use chartseal_audit::{Contradiction, Equivocation, NoEquivocation};
use chartseal_cluster::{Cluster, Serves};
use chartseal_codec::from_bytes;
use chartseal_ledger::LedgerStore as _;
use chartseal_node::RedbLedger;
use chartseal_node::serve::{Config, Control, NodeStatus};
use chartseal_wire::{Export, ProofFile};

use crate::net::program;
use crate::service::{copied, made, remote};

/// Of a network's ports, how far those of a twin are from the node's own.
const ELSEWHERE: u16 = 4;

/// A second process with a node's keys and a copy of its directory.
struct Twin {
    child: Child,
    directory: PathBuf,
    log: PathBuf,
}

impl Twin {
    /// Has its configuration made, and starts it.
    fn start(mut config: Config, directory: &Path, place: impl FnOnce(&mut Config)) -> Self {
        config.directory = directory.to_path_buf();
        let listen = config.listen;
        config.listen = elsewhere(listen);
        let own = config.validators.iter_mut();
        own.filter(|peer| peer.address == listen)
            .for_each(|peer| peer.address = elsewhere(listen));
        config.api = config.api.map(elsewhere);
        place(&mut config);
        let (file, log) = (
            directory.with_extension("conf"),
            directory.with_extension("log"),
        );
        fs::write(&file, config.text()).unwrap();
        let mut command = Command::new(program());
        command.args(["node", "run", "--config"]).arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(File::create(&log).unwrap()).spawn();
        Self {
            child: child.unwrap(),
            directory: directory.to_path_buf(),
            log,
        }
    }

    fn status(&self) -> Option<NodeStatus> {
        Control::connect(&self.directory).ok()?.status().ok()
    }

    /// Waits until it has a block.
    fn await_height(&self, height: u64) {
        let is_there = || self.status().is_some_and(|status| status.height >= height);
        for _ in 0..1_200 {
            if is_there() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        panic!("the twin does not come to height {height}: {log}");
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn elsewhere(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port() + ELSEWHERE)
}

/// The headers of a ledger that nobody runs.
fn headers(directory: &Path) -> Vec<Vec<u8>> {
    let ledger = RedbLedger::open(&directory.join("ledger.redb")).unwrap();
    let head = ledger.head().unwrap().unwrap();
    let header = |height| ledger.header(height).unwrap().unwrap();
    (0..=head.height).map(header).collect()
}

/// The validator's key signs twice, from two disks. Clients are served meanwhile, whichever of the two the others speak to;
/// nothing conflicts with what was final, on the twin's disk either.
#[test]
fn a_stolen_validator_that_runs_twice_makes_nothing_final_that_conflicts() {
    let mut cluster = made(Serves::Plain);
    cluster.up();
    let load = cluster.load();
    load.settle(20);
    let config = cluster.config(3);
    let copy = cluster.place().join("twin");
    cluster.kill(3);
    copied(&config.directory, &copy);
    cluster.start(3);
    // Its copy is older than what it votes from now on.
    cluster.await_height_of(&[3], cluster.height());
    load.settle(20);

    // Both; the twin in its place; both, and the twin was there first.
    let twin = Twin::start(config.clone(), &copy, |_| ());
    twin.await_height(1);
    load.settle(40);
    cluster.kill(3);
    twin.await_height(cluster.height());
    // It is believed to be what it is not: without its votes nothing would be final now.
    cluster.kill(2);
    load.settle(40);
    cluster.start(2);
    cluster.await_height_of(&[2], cluster.height());
    cluster.start(3);
    load.settle(40);
    let honest = [0, 1, 2].map(|number| cluster.status(number).unwrap());
    let seen = honest.map(|status| (status.height, status.double_votes, status.evidence));
    println!("height, double votes and evidence of the honest ones: {seen:?}");
    drop(twin);
    let (acknowledged, _) = load.end();
    cluster.assert_nothing_is_lost(&acknowledged);

    let chain = headers(&cluster.config(0).directory);
    let twins = headers(&copy);
    assert!(
        twins.len() > 1 && chain.starts_with(&twins),
        "the twin has another chain"
    );
}

/// Beyond what is promised: two of four run twice, and who has the network cuts the two honest ones off from each other.
/// Each half has a quorum then, and there are two histories. Whoever has a header of each convicts the two stolen
/// validators, and nobody else.
#[test]
fn two_stolen_validators_that_run_twice_can_make_two_histories_which_convict_them() {
    let mut cluster = made(Serves::Plain);
    cluster.up();
    let network = Network::connect(&cluster.place()).unwrap();
    let policy = TrustPolicy::parse(&network.committee_policy()).unwrap();
    let orgs = [2, 3].map(|number| cluster.config(number).organization);
    let before = cluster.height();
    cluster
        .all()
        .into_iter()
        .for_each(|number| cluster.kill(number));

    let listens = cluster.all();
    let listens: Vec<_> = listens
        .iter()
        .map(|it| cluster.config(*it).listen)
        .collect();
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = nowhere.local_addr().unwrap();
    let lead = |config: &mut Config, from: SocketAddr, to: SocketAddr| {
        let way = config.validators.iter_mut();
        way.filter(|peer| peer.address == from)
            .for_each(|peer| peer.address = to);
        let own = config.organization;
        config
            .services
            .retain(|service| service.organization == own);
    };
    // Node 0 and the real ones on one side, node 1 and the twins on the other.
    let cut = |cluster: &Cluster, number: usize, ways: &[(SocketAddr, SocketAddr)]| {
        let mut config = cluster.config(number);
        for (from, to) in ways {
            lead(&mut config, *from, *to);
        }
        fs::write(cluster.config_file(number), config.text()).unwrap();
    };
    let configs = [2, 3].map(|number| (number, cluster.config(number)));
    for number in [0, 2, 3] {
        cut(&cluster, number, &[(listens[1], nobody)]);
    }
    let twins_ways = [2, 3].map(|at: usize| (listens[at], elsewhere(listens[at])));
    cut(
        &cluster,
        1,
        &[(listens[0], nobody), twins_ways[0], twins_ways[1]],
    );
    let mut twins = Vec::new();
    for (number, config) in configs {
        let copy = cluster.place().join(format!("twin-{number}"));
        copied(&config.directory, &copy);
        twins.push(Twin::start(config, &copy, |config| {
            lead(config, listens[0], nobody);
            for (from, to) in twins_ways {
                lead(config, from, to);
            }
        }));
    }
    cluster
        .all()
        .into_iter()
        .for_each(|number| cluster.start(number));
    cluster.await_height_of(&[0, 1], before + 2);

    // Nodes are at different heights: both halves' headers are noted until there are two of one height.
    let mut heads: [BTreeMap<u64, String>; 2] = Default::default();
    let evidence = loop {
        for (number, noted) in heads.iter_mut().enumerate() {
            if let Ok(head) = remote(&cluster, number).head() {
                let file = ProofFile::parse(&head).unwrap();
                let export: Export = from_bytes(&file.extra).unwrap();
                noted.insert(export.header.height, head);
            }
        }
        let [one, other] = &heads;
        let both = one
            .keys()
            .rfind(|height| **height > before && other.contains_key(height));
        if let Some(height) = both {
            let evidence = Equivocation::between(&one[height], &other[height]).unwrap();
            match evidence.verify(&policy) {
                Ok(proved) => break proved,
                // That block was under way when they were cut off.
                Err(NoEquivocation::NoContradiction) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert!(
            one.len() + other.len() < 400,
            "no two headers of one height"
        );
        thread::sleep(Duration::from_millis(100));
    };
    assert!(matches!(
        evidence.contradiction,
        Contradiction::Block { .. }
    ));
    let mut convicted = evidence.both.clone();
    convicted.sort();
    let mut stolen = orgs.map(|org| format!("organization {org}"));
    stolen.sort();
    assert_eq!(convicted, stolen);
    drop(twins);
}
