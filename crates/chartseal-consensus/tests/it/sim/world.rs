//! A run: validators on simulated disks and links, what befalls them, and what must hold all the while.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use chartseal_consensus::engine::{Handle, Status};
use chartseal_consensus::simulation::start;
use chartseal_consensus::{Evidence, EvidenceError, Fault, Limits, verified_certificate};
use chartseal_ledger::{Block, Genesis, execute};
use commonware_runtime::deterministic::{FaultConfig, WriteConfig};
use commonware_runtime::{
    Clock as _, Handle as Task, Spawner as _, Storage as _, Supervisor as _, deterministic,
};

use commonware_utils::Probability;

use super::accomplice::accomplice;
use super::agreed::{Agreed, Kept as _};
use super::clients::{Client, Handles, Progress, change_committees};
use super::disk::Disk;
use super::faults::Malice;
use super::heard::Deeds;
use super::links::{self, Wires};
use super::people::{self, START_MS};
use super::plan::{Away, Plan, Rng};
use super::settings::settings;

/// After everything heals, within how long every honest validator has new blocks, and every client's
/// transaction is final; in ms.
pub const RECOVERY_MS: u64 = 30_000;
/// How often what was promised is looked at, in ms.
const STEP_MS: u64 = 50;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub height: u64,
    /// The committee's that makes the next block final.
    pub epoch: u64,
    pub transactions: usize,
    /// Views that were skipped, as the last honest validator saw it in the last phase.
    pub skipped: u64,
    /// The rules by which honest validators refused blocks.
    pub refused: BTreeMap<&'static str, u64>,
    /// What they can show of others.
    pub evidence: Vec<Arc<Evidence>>,
    /// How often honest validators saw somebody vote twice in one view.
    pub double_votes: u64,
    /// Blocks that ledgers took from others before their validators started.
    pub fetched: u64,
    /// Blocks that honest validators lacked when they started, beside those: they had to come from others' engines.
    pub missed: u64,
    /// How often Byzantine validators did what can't be told by what became of it.
    pub deeds: BTreeMap<String, u64>,
    /// How many honest validators spoke to a Byzantine one no more, when the last phase was over.
    pub blocked: usize,
    /// Who is accused by it: each piece was checked by somebody who has the final blocks alone.
    pub faults: Vec<Fault>,
    /// The slowest transaction of an honest client, in views.
    pub slowest_views: Vec<u64>,
    /// The same in ms of simulated time.
    pub slowest_ms: Vec<u64>,
    /// How many transactions of each client are final.
    pub done: Vec<u64>,
    /// The runtime's digest of everything that happened in the last phase.
    pub audit: String,
    /// How long it took after everything healed until all had new blocks and nothing was open, in ms.
    pub recovered_ms: u64,
}

struct World {
    plan: Plan,
    genesis: Genesis,
    disks: Vec<Disk>,
    agreed: Arc<Mutex<Agreed>>,
    /// The disks of validators' twins, if they have any.
    twins: Vec<Disk>,
    clients: Vec<Client>,
    rng: Rng,
    refused: BTreeMap<&'static str, u64>,
    evidence: Vec<Arc<Evidence>>,
    double_votes: u64,
    /// Blocks that ledgers took before their validators started, and those that were missing then.
    fetched: u64,
    missed: u64,
    deeds: Deeds,
    /// Counts starts, so that each has its own names.
    starts: u64,
    /// Whether every step is told: `CHARTSEAL_TRACE`.
    trace: bool,
}

/// Runs a plan; panics if something does not hold that was promised.
pub fn run(plan: &Plan) -> Report {
    let genesis = if plan.handovers {
        people::genesis_of(people::ORGANIZATIONS, people::ORGANIZATIONS - 1)
    } else {
        people::genesis(plan.validators)
    };
    let mut actors = people::actors(4);
    if plan.handovers {
        // Offices have the committee changed, with sequence numbers of their own.
        actors = people::actors(people::ORGANIZATIONS).split_off(people::ORGANIZATIONS);
    }
    if plan.malice == Malice::FloodValid {
        // Who floods has keys of its own.
        let liars: Vec<_> = (0..plan.byzantine).flat_map(people::actors_of).collect();
        actors.retain(|actor| liars.iter().all(|liar| liar.public() != actor.public()));
    }
    let mut world = World {
        disks: (0..plan.validators).map(|_| Disk::new(&genesis)).collect(),
        agreed: Arc::default(),
        twins: (0..plan.validators).map(|_| Disk::new(&genesis)).collect(),
        clients: actors
            .into_iter()
            .take(plan.clients)
            .map(Client::new)
            .collect(),
        rng: Rng::new(plan.seed ^ 0x5eed),
        refused: BTreeMap::new(),
        evidence: Vec::new(),
        double_votes: 0,
        fetched: 0,
        missed: 0,
        deeds: Deeds::default(),
        starts: 0,
        trace: std::env::var_os("CHARTSEAL_TRACE").is_some(),
        plan: plan.clone(),
        genesis,
    };
    let mut config = deterministic::Config::new().with_seed(plan.seed);
    config = config.with_start_time(UNIX_EPOCH + Duration::from_millis(START_MS + 1_000));
    if let Some((percent, mode)) = plan.torn {
        let faults = FaultConfig {
            write_rate: Some(WriteConfig {
                failure_rate: Probability::new(0, 100).unwrap(),
                retention_rate: Probability::new(percent, 100).unwrap(),
                mode,
            }),
            ..FaultConfig::default()
        };
        config = config.with_storage_fault_config(faults);
    }
    let mut runner = deterministic::Runner::new(config);
    for (at, phase) in plan.phases.iter().enumerate() {
        let is_last = at + 1 == plan.phases.len();
        if let Some(number) = plan.forgets.filter(|_| is_last) {
            world.disks[number] = Disk::new(&world.genesis);
        }
        let (report, checkpoint) =
            runner.start_and_recover(async |context| world.phase(context, *phase, is_last).await);
        if let Some(report) = report {
            return report;
        }
        runner = deterministic::Runner::from(checkpoint);
    }
    unreachable!("the last phase reports")
}

/// A validator that runs.
struct Up {
    task: Task<()>,
    handle: Handle,
}

impl World {
    async fn phase(
        &mut self,
        context: deterministic::Context,
        length: u64,
        is_last: bool,
    ) -> Option<Report> {
        let mut oracle = links::lay(&context, &self.plan).await;

        let handles: Handles = Arc::new(Mutex::new(vec![None; self.plan.validators]));
        let mut up: Vec<Option<Up>> = (0..self.plan.validators).map(|_| None).collect();
        for number in 0..self.plan.validators {
            self.start(&context, &oracle, number, &mut up, &handles)
                .await;
        }
        for (at, client) in self.clients.iter().enumerate() {
            let home = self
                .plan
                .faithful
                .then(|| self.plan.byzantine + at % (self.plan.validators - self.plan.byzantine));
            let rng = Rng::new(self.rng.next());
            let (chain, agreed) = (self.genesis.chain_id(), Arc::clone(&self.agreed));
            client.start(
                &context,
                chain,
                Arc::clone(&handles),
                agreed,
                rng,
                self.plan.pause,
                home,
            );
        }

        if self.plan.handovers {
            let rng = Rng::new(self.rng.next());
            change_committees(&context, Arc::clone(&handles), rng);
        }
        self.trouble(&context, &mut oracle, length, &mut up, &handles)
            .await;
        let mut report = if is_last {
            Some(self.recover(&context, &mut oracle, &mut up, &handles).await)
        } else {
            self.collect(&up);
            None
        };
        // The engine has whoever votes twice, or sends what nobody may, spoken to no more, and tells nobody.
        let honest: Vec<_> = self.plan.honest().map(links::name).collect();
        for (by, blocked) in oracle.blocked().await.unwrap() {
            let is_wrong = honest.contains(&by) && honest.contains(&blocked);
            assert!(!is_wrong, "{by} blocked {blocked}, and both are honest");
            if let Some(report) = report.as_mut().filter(|_| honest.contains(&by)) {
                report.blocked += 1;
            }
        }
        report
    }

    /// What befalls the network, until the phase is over.
    async fn trouble(
        &mut self,
        context: &deterministic::Context,
        oracle: &mut Wires,
        length: u64,
        up: &mut [Option<Up>],
        handles: &Handles,
    ) {
        let begin = context.current();
        let end = begin + Duration::from_millis(length);
        let away =
            begin + Duration::from_millis(length / 8)..begin + Duration::from_millis(length / 2);
        let mut next = context.current();
        let (mut cut, mut is_away) = (false, false);
        while context.current() < end {
            self.step(context, up).await;
            if let Some((number, how)) = self.plan.away
                && is_away != away.contains(&context.current())
            {
                is_away = !is_away;
                match (how, is_away) {
                    (Away::CutOff, true) => links::cut_off(&self.plan, oracle, number).await,
                    (Away::CutOff, false) => {
                        links::link_all(&self.plan, oracle, self.plan.loss).await;
                    }
                    (Away::Down, true) => self.stop(number, up, handles),
                    (Away::Down, false) if up[number].is_none() => {
                        self.start(context, oracle, number, up, handles).await;
                    }
                    (Away::Down, false) => {}
                }
            }
            if context.current() < next {
                continue;
            }
            next = context.current() + Duration::from_millis(self.rng.range(500, 3_000));
            let victim = usize::try_from(self.rng.range(0, self.plan.validators as u64)).unwrap();
            match self.rng.range(0, 4) {
                0 | 1 if self.plan.crashes => {
                    if up[victim].is_some() {
                        self.stop(victim, up, handles);
                    } else {
                        self.start(context, oracle, victim, up, handles).await;
                    }
                }
                2 if self.plan.partitions => {
                    cut = !cut;
                    if cut {
                        links::cut(&self.plan, oracle, &mut self.rng).await;
                    } else {
                        links::link_all(&self.plan, oracle, self.plan.loss).await;
                    }
                }
                _ => {}
            }
        }
    }

    /// Everything heals. Then there is progress within a bound, and nothing that was acknowledged is lost.
    async fn recover(
        &mut self,
        context: &deterministic::Context,
        oracle: &mut Wires,
        up: &mut [Option<Up>],
        handles: &Handles,
    ) -> Report {
        links::link_all(&self.plan, oracle, 0).await;
        for number in 0..self.plan.validators {
            if up[number].is_none() {
                self.start(context, oracle, number, up, handles).await;
            }
        }
        for client in &self.clients {
            client.state.lock().unwrap().stopping = true;
        }
        let healed = context.current();
        let target = self.agreed.lock().unwrap().height() + 2;
        // Where nothing is handed in, a block takes a heartbeat.
        let within = Duration::from_millis(RECOVERY_MS.max(3 * self.plan.heartbeat));
        let honest: Vec<usize> = self.plan.honest().collect();
        loop {
            self.step(context, up).await;
            let open = self
                .clients
                .iter()
                .filter(|client| client.state.lock().unwrap().open.is_some());
            let open = open.count();
            let heights: Vec<u64> = honest
                .iter()
                .map(|number| self.disks[*number].height())
                .collect();
            if open == 0 && heights.iter().all(|height| *height >= target) {
                break;
            }
            let took = context.current().duration_since(healed).unwrap();
            assert!(
                took <= within,
                "no progress: heights {heights:?} of {target}, {open} transactions open, {:?}",
                up.iter()
                    .flatten()
                    .map(|up| up.handle.status())
                    .collect::<Vec<_>>(),
            );
        }
        let recovered = context.current().duration_since(healed).unwrap();
        let recovered_ms = u64::try_from(recovered.as_millis()).unwrap();
        // What the fastest has, all have a moment later.
        context.sleep(Duration::from_secs(5)).await;
        self.step(context, up).await;
        let agreed = self.agreed.lock().unwrap();
        for number in &honest {
            agreed.check_acknowledged(&self.disks[*number]);
        }
        drop(agreed);
        self.check_handovers();
        self.collect(up);
        let last = up[self.plan.validators - 1].as_ref().unwrap();
        let agreed = self.agreed.lock().unwrap();
        Report {
            height: agreed.height(),
            epoch: last.handle.head().committee().epoch(),
            transactions: agreed.transactions(),
            skipped: last.handle.status().skipped,
            refused: self.refused.clone(),
            faults: self.faults(),
            evidence: self.evidence.clone(),
            double_votes: self.double_votes,
            fetched: self.fetched,
            missed: self.missed,
            deeds: self.deeds.lock().unwrap().clone(),
            blocked: 0,
            slowest_views: self.progress(|client| client.slowest_views),
            slowest_ms: self.progress(|client| client.slowest_ms),
            done: self.progress(|client| client.done),
            audit: context.auditor().state(),
            recovered_ms,
        }
    }

    /// A moment passes; then everything that always holds is looked at.
    async fn step(&mut self, context: &deterministic::Context, up: &[Option<Up>]) {
        context.sleep(Duration::from_millis(STEP_MS)).await;
        let mut agreed = self.agreed.lock().unwrap();
        for number in self.plan.honest() {
            agreed.check(number, &self.disks[number]);
            let Some(up) = &up[number] else {
                continue;
            };
            let status = up.handle.status();
            assert_eq!(status.fatal, None, "validator {number} stopped");
            if self.trace {
                let at = context
                    .current()
                    .duration_since(UNIX_EPOCH)
                    .unwrap()
                    .as_millis();
                let Status {
                    head,
                    view,
                    final_view,
                    skipped,
                    pooled,
                    ..
                } = &status;
                println!(
                    "{at} validator {number}: height {}, view {view}, final view {final_view}, skipped \
                     {skipped}, pooled {pooled}",
                    head.height,
                );
            }
            let limits = limits();
            assert!(status.pooled <= limits.transactions && status.pooled_bytes <= limits.bytes);
            assert!(status.speculative <= 64);
            assert!(status.evidence <= 256 && status.misconduct_bytes <= 96 << 20);
        }
    }

    /// Each epoch that is over ended with a block that its own committee certified, and that names the next one: so
    /// whoever knows the first committee comes to know them all, without the engine.
    fn check_handovers(&self) {
        let newest = &self.disks[self.plan.validators - 1];
        let mut committee = self.genesis.committee().clone();
        for height in 1..newest.height() {
            let (last, next) = (newest.block(height).header, newest.block(height + 1).header);
            assert_eq!(last.epoch, committee.epoch(), "at height {height}");
            if last.next_committee == committee.hash() {
                continue;
            }
            let held: Vec<_> = self
                .plan
                .honest()
                .filter_map(|number| self.disks[number].certificate(height))
                .collect();
            assert!(
                !held.is_empty(),
                "nobody has a certificate of {height}, an epoch's last block"
            );
            for certificate in held {
                let chain = &self.genesis.chain_id();
                let certificate = verified_certificate(&certificate.bytes(), chain, &committee);
                assert_eq!(certificate.unwrap().block, last.leaf());
            }
            committee = newest.committee_of(next.epoch);
            assert_eq!(last.next_committee, committee.hash());
        }
    }

    fn progress(&self, of: impl Fn(&Progress) -> u64) -> Vec<u64> {
        let clients = self.clients.iter();
        clients
            .map(|client| of(&client.state.lock().unwrap()))
            .collect()
    }

    /// What the evidence shows to somebody who replays the chain. A refused block's parent may be no part
    /// of it; then they can't tell.
    fn faults(&self) -> Vec<Fault> {
        let disk = &self.disks[self.plan.validators - 1];
        let mut states = vec![self.genesis.overlay()];
        for height in 1..=disk.height() {
            let parent = states.last().unwrap();
            states.push(execute(parent, &disk.block(height)).unwrap().overlay);
        }
        let check = |evidence: &Evidence| {
            assert_eq!(
                Evidence::from_bytes(&evidence.bytes()).as_ref(),
                Ok(evidence)
            );
            let parent = match evidence {
                Evidence::Refused { block, .. } => {
                    let parent = Block::from_bytes(block).unwrap().header.parent;
                    states.iter().find(|state| state.head().leaf() == parent)
                }
                Evidence::Equivocated { .. } => None,
            };
            let committee = self.genesis.committee();
            match evidence.check(&self.genesis.chain_id(), committee, parent) {
                Ok(fault) => Some(fault),
                Err(EvidenceError::OtherParent) => None,
                Err(error) => panic!("what an honest validator shows is no evidence: {error}"),
            }
        };
        let all = self.evidence.iter().map(Arc::as_ref);
        all.filter_map(check).collect()
    }

    /// What honest validators refused and can show, before they are killed.
    fn collect(&mut self, up: &[Option<Up>]) {
        for number in self.plan.honest() {
            let Some(up) = &up[number] else {
                continue;
            };
            self.note(&up.handle);
        }
    }

    fn stop(&mut self, number: usize, up: &mut [Option<Up>], handles: &Handles) {
        let Some(gone) = up[number].take() else {
            return;
        };
        handles.lock().unwrap()[number] = None;
        if self.plan.honest().any(|honest| honest == number) {
            self.note(&gone.handle);
        }
        gone.task.abort();
    }

    fn note(&mut self, handle: &Handle) {
        for (rule, count) in handle.refusals() {
            *self.refused.entry(rule).or_default() += count;
        }
        for evidence in handle.evidence() {
            if !self.evidence.contains(&evidence) {
                self.evidence.push(evidence);
            }
        }
        self.double_votes += handle.status().double_votes;
    }

    async fn start(
        &mut self,
        context: &deterministic::Context,
        oracle: &Wires,
        number: usize,
        up: &mut [Option<Up>],
        handles: &Handles,
    ) {
        self.starts += 1;
        let malice = self.plan.malice_of(number);
        let context = context
            .child("validator")
            .with_attribute("start", self.starts);
        let (first, second) = links::register(&context, &self.plan, oracle, number).await;
        match malice {
            Malice::Silent => return,
            Malice::Flood => {
                links::flood(&context, first);
                return;
            }
            _ => {}
        }
        let mut disk = self.disks[number].clone();
        disk.reopen(&self.genesis);
        if self.plan.fetches && malice == Malice::None {
            let others = self.plan.honest().map(|other| &self.disks[other]);
            let furthest = others.max_by_key(|other| other.height());
            self.fetched += furthest.map_or(0, |other| disk.fetch(other));
        }
        if malice == Malice::None {
            let agreed = self.agreed.lock().unwrap().height();
            self.missed += agreed.saturating_sub(disk.height());
        }
        if self.plan.loses_votes == Some(number) {
            let votes = format!("validator-{number}-votes-0");
            let _ = context.remove(&votes, None).await;
        }
        let twin = (malice == Malice::TwoBlocks).then(|| self.twins[number].clone());
        let accomplice = accomplice(
            &self.plan,
            &self.genesis,
            number,
            &self.disks[number],
            self.plan.seed ^ self.starts,
            &self.deeds,
        );
        let builder = malice.builder(people::actors(1)[0].public());
        let settings = settings(&context, &self.plan, number, builder, limits());
        let (genesis, oracle) = (self.genesis.clone(), oracle.clone());
        let (send, receive) = tokio::sync::oneshot::channel();
        let task = context.spawn(move |context| async move {
            let keys = || people::validator(number);
            let second = match accomplice {
                Some(accomplice) => {
                    accomplice(&context, second);
                    Vec::new()
                }
                None => second,
            };
            let one = context.child("one");
            let joined = links::channels(first);
            let disk = Box::new(disk);
            let mut twins = settings.clone();
            let running = start(
                one,
                settings,
                genesis.clone(),
                keys(),
                disk,
                joined,
                oracle.clone(),
            );
            let running = running.await.unwrap();
            let mut tasks = vec![running.engine];
            if let Some(disk) = twin {
                // A twin has the same key and its own files, as a node that was cloned.
                twins.partition.push_str("-twin");
                let clock = Arc::clone(&twins.clock);
                twins.clock = Arc::new(move || clock().plus_ms(1));
                let other = context.child("other");
                let joined = links::channels(second);
                let running = start(
                    other,
                    twins,
                    genesis,
                    keys(),
                    Box::new(disk),
                    joined,
                    oracle,
                );
                tasks.push(running.await.unwrap().engine);
            }
            let _ = send.send(running.handle);
            for task in tasks {
                let _ = task.await;
            }
        });
        let handle = receive.await.unwrap();
        if self.plan.honest().any(|honest| honest == number) {
            handles.lock().unwrap()[number] = Some(handle.clone());
        }
        up[number] = Some(Up { task, handle });
    }
}

/// The pools' bounds in a simulation.
fn limits() -> Limits {
    Limits {
        per_actor: 16,
        transactions: 100,
        bytes: 64 * 1024,
    }
}
