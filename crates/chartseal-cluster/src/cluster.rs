use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use chartseal_ledger::Params;
use chartseal_ledger::store::LedgerStore as _;
use chartseal_node::serve::{
    Config, Control, ControlError, NodeStatus, Plan, ServicePlan, TxOutcome, found,
};
use chartseal_node::{Clock, RedbLedger};
use tempfile::TempDir;

use crate::disks::Disk;
use crate::links::Links;
use crate::load::{Acknowledged, Load};
use crate::people::{Author, office};
use crate::spaces::Spaces;
use crate::usage::Usage;

/// What runs a node: the configuration file's path is its last argument.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Its other arguments.
    pub args: Vec<OsString>,
}

impl Program {
    /// `chartseal node run --config`.
    pub fn chartseal(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            args: ["node", "run", "--config"].map(OsString::from).into(),
        }
    }
}

/// What lies between the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wiring {
    /// Loopback, and nothing.
    Direct,
    /// Loopback, and a proxy on each connection.
    Proxied,
    /// A network namespace for each node, and a proxy on each connection.
    Namespaces,
}

/// What a network is like.
#[derive(Clone, Debug)]
pub struct Setting {
    /// How many nodes.
    pub validators: usize,
    /// How often it makes a block when it is idle, in ms.
    pub heartbeat_ms: u64,
    /// What lies between the nodes.
    pub wiring: Wiring,
    /// Whether nodes serve clients, with a demonstration's parameters.
    pub serves: Serves,
    /// A disk of its own for each node, of so many MiB.
    pub disk_mib: Option<u64>,
}

/// How nodes serve clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Not at all.
    Nobody,
    /// Over plain HTTP, for who writes requests byte by byte.
    Plain,
    /// Over TLS, with certificates of the network's own authority.
    Encrypted,
}

impl Setting {
    /// So many nodes on loopback.
    pub fn of(validators: usize) -> Self {
        Self {
            validators,
            heartbeat_ms: 1_000,
            wiring: Wiring::Direct,
            serves: Serves::Nobody,
            disk_mib: None,
        }
    }
}

/// How long others wait for a node to come so far, in pauses.
const PAUSE: Duration = Duration::from_millis(50);
const NO_PROGRESS: usize = 2_400;
/// Ports for nodes, below those that the system gives to connections: a node that starts again finds its own.
const FIRST_PORT: u16 = 12_000;
const PORTS: u16 = 20_000;
/// Ports of one network.
const BLOCK: u16 = 16;

/// A network and its processes. Numbers are from 0.
#[derive(Debug)]
pub struct Cluster {
    program: Program,
    /// Nodes that are another program by now.
    replaced: BTreeMap<usize, PathBuf>,
    validators: usize,
    nodes: Vec<Option<Child>>,
    environment: Vec<(String, String)>,
    links: Option<Links>,
    spaces: Option<Spaces>,
    disks: Vec<Disk>,
    // Dropped last: the others have something in it.
    dir: TempDir,
}

impl Cluster {
    /// Makes a network; no node runs yet. `None`, and it is said, where the machine does not allow it.
    pub fn make(program: Program, setting: &Setting) -> Option<Self> {
        let dir = TempDir::new().unwrap();
        let place = dir.path().join("net");
        let port = free_ports();
        let mut plan = Plan {
            validators: setting.validators,
            port,
            service: None,
            heartbeat_ms: Some(setting.heartbeat_ms),
            params: Params::default(),
        };
        if setting.serves != Serves::Nobody {
            // Nobody waits a day for an emergency role to count.
            plan.params.emergency_role_delay_ms = 2_000;
            plan.service = Some(ServicePlan {
                port: port + BLOCK / 2,
                is_encrypted: setting.serves == Serves::Encrypted,
            });
        }
        found(&place, plan, Clock::System.now()).unwrap();
        let mut cluster = Self {
            program,
            replaced: BTreeMap::new(),
            validators: setting.validators,
            // There is room for a newcomer.
            nodes: (0..=setting.validators).map(|_| None).collect(),
            environment: Vec::new(),
            links: None,
            spaces: None,
            disks: Vec::new(),
            dir,
        };
        if let Some(mib) = setting.disk_mib {
            for number in 0..setting.validators {
                let image = cluster.dir.path().join(format!("{number}.img"));
                let directory = cluster.config(number).directory;
                cluster.disks.push(Disk::mount(&image, &directory, mib)?);
            }
        }
        match setting.wiring {
            Wiring::Direct => {}
            Wiring::Proxied => cluster.wire(Ipv4Addr::LOCALHOST.into(), |address, _| address),
            Wiring::Namespaces => {
                let many = u8::try_from(setting.validators).unwrap();
                let spaces = Spaces::make(many)?;
                cluster.wire(spaces.own().into(), |address, number| {
                    (spaces.of(number).ip, address.port()).into()
                });
                cluster.spaces = Some(spaces);
            }
        }
        Some(cluster)
    }

    /// Puts proxies that listen at `ip` between the nodes, which listen where `place` says.
    fn wire(&mut self, ip: IpAddr, place: impl Fn(SocketAddr, usize) -> SocketAddr) {
        let mut links = Links::new(ip).unwrap();
        for from in 0..self.validators {
            let mut config = self.config(from);
            config.listen = place(config.listen, from);
            for (to, peer) in config.validators.iter_mut().enumerate() {
                let target = place(peer.address, to);
                peer.address = if from == to {
                    target
                } else {
                    links.open(from, to, target).unwrap()
                };
            }
            fs::write(self.config_file(from), config.text()).unwrap();
        }
        self.links = Some(links);
    }

    /// The network's directory, as `net init` makes it.
    pub fn place(&self) -> PathBuf {
        self.dir.path().join("net")
    }

    /// The numbers of the validators of genesis.
    pub fn all(&self) -> Vec<usize> {
        (0..self.validators).collect()
    }

    /// A node's configuration file.
    pub fn config_file(&self, number: usize) -> PathBuf {
        let node = format!("node-{}", number + 1);
        self.place().join(node).join("node.conf")
    }

    /// What it says.
    pub fn config(&self, number: usize) -> Config {
        Config::read(&self.config_file(number)).unwrap()
    }

    /// The validators' data directories.
    pub fn directories(&self) -> Vec<PathBuf> {
        let all = 0..self.validators;
        all.map(|number| self.config(number).directory).collect()
    }

    /// The links between the nodes.
    pub fn links(&self) -> &Links {
        self.links.as_ref().expect("a network with proxies")
    }

    /// A node's own disk.
    pub fn disk(&self, number: usize) -> &Disk {
        &self.disks[number]
    }

    /// One author for each organization, with its enrolment key.
    pub fn authors(&self) -> Vec<Author> {
        let chain = self.config(0).network;
        let all = 0..self.validators;
        all.map(|number| Author::new(office(&self.place(), number), chain))
            .collect()
    }

    /// A client of each organization that turns to every node, and never pauses.
    pub fn load(&self) -> Load {
        Load::start(self.directories(), self.authors(), 0, Duration::ZERO)
    }

    /// What nodes that start from now on find in their environment.
    pub fn set_environment(&mut self, variables: &[(&str, &str)]) {
        let owned = variables.iter();
        let owned = owned.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        self.environment = owned.collect();
    }

    /// Starts a node.
    pub fn start(&mut self, number: usize) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_file(number))
            .unwrap();
        let path = self.replaced.get(&number).unwrap_or(&self.program.path);
        let mut command = match &self.spaces {
            Some(spaces) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &spaces.of(number).name]);
                command.arg(path);
                command
            }
            None => Command::new(path),
        };
        let environment = self.environment.iter().map(|(key, value)| (key, value));
        let command = command
            .envs(environment)
            .args(&self.program.args)
            .arg(self.config_file(number))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.nodes[number] = Some(command.spawn().unwrap());
    }

    /// Starts all validators of genesis, and waits until each has a block.
    pub fn up(&mut self) {
        self.all().into_iter().for_each(|number| self.start(number));
        self.await_height_of(&self.all(), 1);
    }

    fn log_file(&self, number: usize) -> PathBuf {
        self.place().join(format!("{number}.log"))
    }

    /// What a node wrote on its standard error.
    pub fn log(&self, number: usize) -> String {
        fs::read_to_string(self.log_file(number)).unwrap_or_default()
    }

    /// `kill -9`: whatever was not synced is lost with the process.
    pub fn kill(&mut self, number: usize) {
        let mut child = self.nodes[number].take().expect("a node that runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGSTOP: it keeps its connections and its ports, and does nothing.
    pub fn stop(&self, number: usize) {
        self.signal(number, "-STOP");
    }

    /// SIGCONT.
    pub fn go_on(&self, number: usize) {
        self.signal(number, "-CONT");
    }

    fn signal(&self, number: usize, signal: &str) {
        let pid = self.pid(number).to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success(), "kill {signal} {pid}");
    }

    /// A node's process. (`ip netns exec` becomes the program that it starts.)
    pub fn pid(&self, number: usize) -> u32 {
        self.nodes[number].as_ref().expect("a node that runs").id()
    }

    /// What a node took so far.
    pub fn usage(&self, number: usize) -> Usage {
        Usage::of(self.pid(number)).expect("a node that runs")
    }

    /// Waits until a node ends by itself, and says how.
    pub fn await_end(&mut self, number: usize) -> ExitStatus {
        let mut child = self.nodes[number].take().expect("a node that runs");
        for _ in 0..NO_PROGRESS {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            thread::sleep(PAUSE);
        }
        self.nodes[number] = Some(child);
        panic!("node {number} does not end: {}", self.log(number));
    }

    /// Whether a node does not run, or ended by itself.
    pub fn has_ended(&mut self, number: usize) -> bool {
        let ended = self.nodes[number]
            .as_mut()
            .is_none_or(|child| child.try_wait().unwrap().is_some());
        if ended {
            self.nodes[number] = None;
        }
        ended
    }

    /// Has all nodes that run end gracefully.
    pub fn down(&mut self) {
        for number in 0..self.nodes.len() {
            if self.nodes[number].is_some() {
                self.control(number).unwrap().stop().unwrap();
            }
        }
        for number in 0..self.nodes.len() {
            if self.nodes[number].is_some() {
                self.await_success(number);
            }
        }
    }

    /// Has a node end gracefully and start again as the program at `path`, of another version perhaps.
    pub fn replace(&mut self, number: usize, path: PathBuf) {
        self.control(number).unwrap().stop().unwrap();
        self.await_success(number);
        self.replaced.insert(number, path);
        self.start(number);
    }

    fn await_success(&mut self, number: usize) {
        let ended = self.await_end(number);
        let log = self.log(number);
        assert!(ended.success(), "node {number}: {ended}: {log}");
    }

    /// A connection to a node's control socket.
    ///
    /// # Errors
    /// If it does not run.
    pub fn control(&self, number: usize) -> Result<Control, ControlError> {
        Control::connect(&self.config(number).directory)
    }

    /// How a node is, if it answers.
    pub fn status(&self, number: usize) -> Option<NodeStatus> {
        self.control(number).ok()?.status().ok()
    }

    /// The greatest height of any node that answers.
    pub fn height(&self) -> u64 {
        let nodes = (0..self.nodes.len()).filter(|number| self.nodes[*number].is_some());
        let heights = nodes.filter_map(|number| Some(self.status(number)?.height));
        heights.max().unwrap_or(0)
    }

    /// Waits until these nodes run and are at this height.
    pub fn await_height_of(&mut self, numbers: &[usize], height: u64) {
        for &number in numbers {
            // A machine that is busy with other tests makes blocks more slowly; one that makes none has stopped.
            let (mut seen, mut rounds) = (0, 0);
            loop {
                let ended = self.nodes[number]
                    .as_mut()
                    .map(|child| child.try_wait().unwrap());
                assert_eq!(
                    ended,
                    Some(None),
                    "node {number} ended: {}",
                    self.log(number)
                );
                let now = self.status(number).map_or(0, |status| status.height);
                if now >= height {
                    break;
                }
                rounds = if now > seen { 0 } else { rounds + 1 };
                seen = seen.max(now);
                assert!(
                    rounds < NO_PROGRESS,
                    "node {number} stays at height {seen} and does not come to {height}"
                );
                thread::sleep(PAUSE);
            }
        }
    }

    /// What has to be, whatever happened before: every transaction that a client was told is final is on every
    /// node, at the height that the client was told; and the nodes, ended gracefully, have the same header at
    /// every height, with state roots and all.
    pub fn assert_nothing_is_lost(&mut self, acknowledged: &Acknowledged) {
        let height = self
            .height()
            .max(acknowledged.values().copied().max().unwrap_or(0));
        self.await_height_of(&self.all(), height);
        for number in self.all() {
            let mut control = self.control(number).unwrap();
            for (id, height) in acknowledged {
                let outcome = control.outcome(id).unwrap();
                assert_eq!(outcome, TxOutcome::Final(*height), "node {number}, {id}");
            }
        }
        self.down();
        let ledgers = self.directories();
        let ledgers = ledgers.iter().map(|directory| headers(directory, height));
        let ledgers: Vec<_> = ledgers.collect();
        for (number, ledger) in ledgers.iter().enumerate() {
            assert_eq!(ledger, &ledgers[0], "node {number} has another chain");
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let panics = thread::panicking();
        for number in 0..self.nodes.len() {
            if let Some(child) = &mut self.nodes[number] {
                let _ = child.kill();
                let _ = child.wait();
            }
            let log = self.log(number);
            if panics && !log.is_empty() {
                eprintln!("node {number} said: {log}");
            }
        }
    }
}

/// The headers of a stopped node's ledger up to a height.
fn headers(directory: &Path, height: u64) -> Vec<Vec<u8>> {
    let ledger = RedbLedger::open(&directory.join("ledger.redb")).unwrap();
    let header = |height| {
        ledger
            .header(height)
            .unwrap()
            .expect("a header below the head")
    };
    (0..=height).map(header).collect()
}

/// The first of a network's ports, at which nobody listens.
fn free_ports() -> u16 {
    /// Networks of this process.
    static MADE: AtomicU16 = AtomicU16::new(0);
    loop {
        let made = u64::from(MADE.fetch_add(1, Ordering::SeqCst));
        // Tests are processes side by side: each begins elsewhere.
        let block = (u64::from(process::id()) * 7 + made) % u64::from(PORTS / BLOCK);
        let first = FIRST_PORT + u16::try_from(block).unwrap_or(0) * BLOCK;
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if (first..first + BLOCK).all(free) {
            return first;
        }
    }
}
