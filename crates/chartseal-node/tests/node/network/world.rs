//! A run: validators that are nodes, on simulated links, and what befalls them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use chartseal_consensus::Limits;
use chartseal_consensus::engine::Handle;
use chartseal_consensus::simulation::start;
use chartseal_ledger::{Genesis, Overlay};
use chartseal_node::{Clock, Node, Stores};
use chartseal_wire::RecordId;
use commonware_runtime::{
    Clock as _, Handle as Task, Spawner as _, Supervisor as _, deterministic,
};
use tempfile::TempDir;

use super::Tally;
use super::agreed::{Agreed, Kept as _};
use super::custody::Ask;
use super::faults::Malice;
use super::flood::{self, Flooder};
use super::heard::Deeds;
use super::lies;
use super::links::{self, Wires};
use super::model::Model;
use super::people::{
    DOCTORS, OFFICE_AT, PATIENT_AT, Person, VALIDATORS, doctor, genesis, node_keys, validator,
};
use super::plan::{Plan, Rng};
use super::process::{Disk, Process};
use super::settings::settings;
use crate::fixture::{START, org, patient, physician};

/// A validator that runs.
pub(super) struct Up {
    task: Task<()>,
    pub(super) handle: Handle,
    pub(super) process: Process,
    twin: Option<Process>,
    /// Which start of a validator this is: what a process was asked ends with it.
    pub(super) start: u64,
}

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) rng: Rng,
    /// What the liar gives: numbers of its own, so that what else happens does not depend on it.
    pub(super) lies: Rng,
    pub(super) genesis: Genesis,
    pub(super) clocks: [Arc<AtomicU64>; VALIDATORS],
    pub(super) up: [Option<Up>; VALIDATORS],
    /// Which nodes somebody can't reach.
    pub(super) unreachable: Vec<[bool; VALIDATORS]>,
    /// Who gives its share to anybody.
    pub(super) liar: Option<usize>,
    pub(super) now: u64,
    pub(super) agreed: Agreed,
    /// The newest state that an honest node has.
    pub(super) newest: Overlay,
    pub(super) people: Vec<Person>,
    pub(super) model: Model,
    pub(super) asks: Vec<Ask>,
    /// Requests of somebody whose grant was revoked: they are asked for again.
    pub(super) revoked: Vec<usize>,
    /// When a custodian last attested that it destroyed a record, by height.
    pub(super) attested: BTreeMap<(usize, RecordId), u64>,
    /// The start and the height at which it last looked whether there is something to destroy.
    pub(super) looked: [(u64, u64); VALIDATORS],
    /// Whether the next custodian that files a receipt is killed.
    pub(super) kills_the_next: bool,
    /// Requests of somebody from whom everything was revoked, which who is alone has served.
    pub(super) behind: Vec<usize>,
    /// A validator that nobody reaches but readers, and until when.
    pub(super) alone: Option<(usize, u64)>,
    starts: u64,
    pub(super) tally: Tally,
    dir: TempDir,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) tally: Tally,
    pub(super) height: u64,
    pub(super) transactions: usize,
    /// The runtime's digest of everything that happened in the last phase.
    audit: String,
}

/// Runs the world of a number; panics if something does not hold that was promised.
pub(super) fn run(seed: u64) -> Report {
    let mut world = World::new(seed);
    let mut config = deterministic::Config::new().with_seed(seed);
    config = config.with_start_time(UNIX_EPOCH + Duration::from_millis(START.0 + 1_000));
    let mut runner = deterministic::Runner::new(config);
    let phases = world.plan.phases.clone();
    // If it fails, this number gives the same run again.
    println!("world {seed}: liar {:?}, {:?}", world.liar, world.plan);
    for (at, length) in phases.iter().enumerate() {
        let is_last = at + 1 == phases.len();
        let (report, checkpoint) =
            runner.start_and_recover(async |context| world.phase(context, *length, is_last).await);
        if let Some(report) = report {
            return report;
        }
        runner = deterministic::Runner::from(checkpoint);
    }
    unreachable!("the last phase reports")
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x7ea5);
        let liar = rng.one_in(2).then_some(0);
        let mut plan = Plan {
            validators: VALIDATORS,
            phases: (0..rng.range(1, 4))
                .map(|_| rng.range(15_000, 40_000))
                .collect(),
            byzantine: usize::from(liar.is_some()),
            ..Plan::of(seed)
        };
        if liar.is_none() {
            plan.malice = Malice::None;
        }
        // Long enough to be cut off for more than a minute.
        if plan.malice == Malice::None && !rng.one_in(3) {
            plan.phases.push(120_000);
        }
        let most = *rng.choose(&[500, 2_000, 2_000, 8_000]);
        let skew = |rng: &mut Rng| rng.range(0, 2 * most).cast_signed() - most.cast_signed();
        plan.skews = (0..VALIDATORS).map(|_| skew(&mut rng)).collect();
        let people: Vec<_> = (0..=OFFICE_AT).map(|_| Person::new(&mut rng)).collect();
        let window_ms = *rng.choose(&[40_000, 600_000]);
        let genesis = genesis(&people[OFFICE_AT].keys, window_ms);
        let model = Model {
            window_ms,
            skew_ms: most,
            ..Model::default()
        };
        // Memory is disk enough: processes end here, and no power fails.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            TempDir::new_in(memory).unwrap()
        } else {
            TempDir::new().unwrap()
        };
        let mut world = Self {
            clocks: std::array::from_fn(|_| Arc::default()),
            up: std::array::from_fn(|_| None),
            unreachable: vec![[false; VALIDATORS]; people.len()],
            liar,
            now: START.0,
            agreed: Agreed::default(),
            newest: genesis.overlay(),
            people,
            model,
            asks: Vec::new(),
            revoked: Vec::new(),
            behind: Vec::new(),
            attested: BTreeMap::new(),
            looked: [(0, 0); VALIDATORS],
            kills_the_next: false,
            alone: None,
            starts: 0,
            tally: Tally::default(),
            dir,
            plan,
            rng,
            lies: Rng::new(seed ^ 0x11e5),
            genesis,
        };
        let chain = world.genesis.chain_id();
        for at in 0..DOCTORS {
            let body = physician(doctor(at), &world.people[at].keys);
            world.people[OFFICE_AT].sends(chain, body);
        }
        let body = patient(&world.genesis, &world.people[PATIENT_AT].keys);
        world.people[OFFICE_AT].sends(chain, body);
        world
    }

    async fn phase(
        &mut self,
        context: deterministic::Context,
        length: u64,
        is_last: bool,
    ) -> Option<Report> {
        let mut wires = links::lay(&context, &self.plan).await;
        for at in 0..VALIDATORS {
            self.start(&context, &wires, at).await;
        }
        self.trouble(&context, &mut wires, length).await;
        if is_last {
            self.recover(&context, &mut wires).await;
        }
        let report = is_last.then(|| Report {
            tally: self.tally,
            height: self.agreed.height(),
            transactions: self.agreed.transactions(),
            audit: context.auditor().state(),
        });
        for at in 0..VALIDATORS {
            self.stop(at);
        }
        report
    }

    /// What befalls the network, until the phase is over.
    async fn trouble(&mut self, context: &deterministic::Context, wires: &mut Wires, length: u64) {
        self.tick(context);
        let end = self.now + length;
        let (mut next, mut heals) = (self.now + 3_000, None);
        while self.now < end {
            self.step(context).await;
            self.act();
            if self.alone.is_some_and(|(_, until)| until <= self.now) {
                self.alone = None;
                self.behind.clear();
                self.link(wires).await;
            }
            if heals.is_some_and(|heals| heals <= self.now) {
                heals = None;
                self.link(wires).await;
            }
            if self.now < next {
                continue;
            }
            next = self.now + self.rng.range(300, 4_000);
            // Two of four are enough trouble: then nothing becomes final.
            let is_enough = self.alone.is_some() && !self.rng.one_in(4);
            match self.rng.range(0, 12) {
                0..=4 if is_enough => {}
                0..=2 if self.plan.crashes => {
                    let victim = self.node();
                    let is_alone = self.alone.is_some_and(|(at, _)| at == victim);
                    if self.up[victim].is_some() && !is_alone {
                        self.stop(victim);
                        self.tally.crashes += 1;
                    } else {
                        self.start(context, wires, victim).await;
                    }
                }
                3 | 4 if self.plan.partitions => {
                    self.link(wires).await;
                    links::cut(&self.plan, wires, &mut self.rng).await;
                    heals = Some(self.now + self.rng.range(500, 8_000));
                    self.tally.partitions += 1;
                }
                5 if self.alone.is_none() && end > self.now + 60_000 => {
                    let at = self.revoke_behind().unwrap_or(0);
                    self.alone = Some((at, self.now + self.rng.range(70_000, 110_000)));
                    self.unreachable.iter_mut().for_each(|of| of[at] = false);
                    self.tally.partitions += 1;
                    self.link(wires).await;
                }
                6 | 7 => {
                    for of in &mut self.unreachable {
                        *of = std::array::from_fn(|_| self.rng.one_in(5));
                        if let Some((alone, _)) = self.alone {
                            of[alone] = false;
                        }
                    }
                }
                8 => self.kills_the_next = self.plan.crashes && self.alone.is_none(),
                9 | 10 => {
                    for at in 0..VALIDATORS {
                        self.start(context, wires, at).await;
                    }
                }
                _ => {}
            }
        }
        self.alone = None;
        self.behind.clear();
    }

    /// Links everybody, but for who is alone.
    async fn link(&self, wires: &mut Wires) {
        links::link_all(&self.plan, wires, self.plan.loss).await;
        let Some((alone, _)) = self.alone else {
            return;
        };
        for other in (0..VALIDATORS).filter(|at| *at != alone) {
            let (one, other) = (links::name(alone), links::name(other));
            let _ = wires.remove_link(one.clone(), other.clone()).await;
            let _ = wires.remove_link(other, one).await;
        }
    }

    /// A moment passes; what was asked goes on; and everything that always holds is looked at.
    pub(super) async fn step(&mut self, context: &deterministic::Context) {
        let ms = self.rng.range(5, 40);
        context.sleep(Duration::from_millis(ms)).await;
        self.tick(context);
        self.hand_in();
        self.answer();
        self.deposit();
        self.destroy();
    }

    /// Clocks are set, and histories compared.
    fn tick(&mut self, context: &deterministic::Context) {
        let since = context.current().duration_since(UNIX_EPOCH).unwrap();
        self.now = u64::try_from(since.as_millis()).unwrap();
        for (clock, skew) in self.clocks.iter().zip(&self.plan.skews) {
            clock.store(self.now.saturating_add_signed(*skew), Ordering::SeqCst);
        }
        for at in self.plan.honest() {
            let Some(up) = &self.up[at] else {
                continue;
            };
            assert_eq!(up.handle.status().fatal, None, "validator {at} stopped");
            let height = up.process.height();
            self.agreed.check(at, &up.process);
            for height in self.model.height + 1..=height {
                self.model.note(&up.process.block(height), self.now);
            }
            if height > self.newest.height() {
                self.newest = up.process.ask(|node| node.head().clone()).unwrap();
                for which in 0..self.model.asked.len() {
                    if !self.model.asked[which].is_decided {
                        self.model.check_decision(which, self.newest.state());
                    }
                }
            }
        }
    }

    pub(super) fn honest(&self) -> impl Iterator<Item = &Up> {
        self.plan.honest().filter_map(|at| self.up[at].as_ref())
    }

    /// Any node's number.
    pub(super) fn node(&mut self) -> usize {
        usize::try_from(self.rng.range(0, 4)).unwrap()
    }

    pub(super) fn stop(&mut self, at: usize) {
        let Some(gone) = self.up[at].take() else {
            return;
        };
        gone.task.abort();
        gone.process.kill();
        if let Some(twin) = gone.twin {
            twin.kill();
        }
    }

    /// A node's process, from what is on its disk.
    fn process(&self, at: usize, name: &str) -> (Process, Box<Disk>) {
        let place = self.dir.path().join(name);
        std::fs::create_dir_all(&place).unwrap();
        let keys = node_keys(at);
        let stores = Stores::open(&place, &keys.store).unwrap();
        let clock = Clock::Manual(Arc::clone(&self.clocks[at]));
        let node = Node::open(&self.genesis, org(at), keys, stores, clock).unwrap();
        let disk = Disk::new(node);
        (disk.process(), Box::new(disk))
    }

    pub(super) async fn start(
        &mut self,
        context: &deterministic::Context,
        wires: &Wires,
        at: usize,
    ) {
        if self.up[at].is_some() {
            return;
        }
        self.starts += 1;
        let malice = self.plan.malice_of(at);
        let context = context.child("validator");
        let context = context.with_attribute("start", self.starts);
        let is_twin = malice == Malice::TwoBlocks;
        let (first, second) = links::register(&context, &self.plan, wires, at).await;
        match malice {
            Malice::Silent => return,
            Malice::Flood => {
                links::flood(&context, first);
                return;
            }
            _ => {}
        }
        let victim = chartseal_node::keys::public(&self.people[PATIENT_AT].keys);
        let builder = malice.builder(victim);
        let (process, disk) = self.process(at, &at.to_string());
        let twin = is_twin.then(|| self.process(at, &format!("{at}-twin")));
        let settings = settings(&context, &self.plan, at, builder, limits());
        let mut validators = vec![(settings.clone(), disk, links::channels(first))];
        let (mut twins, mut ends) = (None, None);
        if let Some((process, disk)) = twin {
            let mut settings = settings;
            settings.partition.push_str("-twin");
            let clock = Arc::clone(&settings.clock);
            settings.clock = Arc::new(move || clock().plus_ms(1));
            validators.push((settings, disk, links::channels(second)));
            twins = Some(process);
        } else {
            ends = Some(second);
        }
        let chain = self.genesis.chain_id();
        let liars_seed = self.plan.seed ^ self.starts;
        let (genesis, wires) = (self.genesis.clone(), wires.clone());
        let (send, receive) = tokio::sync::oneshot::channel();
        let task = context.spawn(move |context| async move {
            match (malice, ends) {
                (Malice::LiesInSync, Some(ends)) => {
                    let library = Box::new(|_| None);
                    lies::start(
                        &context,
                        ends,
                        VALIDATORS,
                        liars_seed,
                        library,
                        Deeds::default(),
                    );
                }
                (Malice::FloodValid, Some(ends)) => {
                    // No actor's keys: what people do here is counted.
                    let flooder = Flooder {
                        number: at,
                        members: VALIDATORS,
                        chain,
                        actors: Vec::new(),
                        deeds: Deeds::default(),
                    };
                    flood::start(&context, ends, flooder);
                }
                _ => {}
            }
            let (mut tasks, mut handles) = (Vec::new(), Vec::new());
            for (number, (settings, disk, channels)) in validators.into_iter().enumerate() {
                let context = context.child("engine").with_attribute("twin", number);
                let running = start(
                    context,
                    settings,
                    genesis.clone(),
                    validator(at),
                    disk,
                    channels,
                    wires.clone(),
                );
                let running = running.await.unwrap();
                tasks.push(running.engine);
                handles.push(running.handle);
            }
            let _ = send.send(handles.remove(0));
            for task in tasks {
                let _ = task.await;
            }
        });
        self.up[at] = Some(Up {
            task,
            handle: receive.await.unwrap(),
            process,
            twin: twins,
            start: self.starts,
        });
    }
}

/// The pools' bounds.
fn limits() -> Limits {
    Limits {
        per_actor: 32,
        transactions: 200,
        bytes: 256 * 1024,
    }
}
