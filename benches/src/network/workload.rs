use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chartseal_cluster::{Author, Cluster};
use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::SignedTransaction;
use chartseal_node::serve::{Control, ControlError, TxOutcome};
use chartseal_wire::{ChainId, Time};

use super::PATIENCE;
use crate::made;

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// Practitioners, each with a patient of their own: so many that no key's turn in a block comes often.
const PEOPLE: u64 = 512;
/// Of one key's transactions so many wait at most, by the pool's rule; we stay below.
const A_KEY: usize = 200;
/// So many wait at each node, so that no block is short of any.
const WAITING: u64 = 6_000;
/// How long to wait before a node is asked again.
const PAUSE: Duration = Duration::from_millis(5);

/// Who signs what the network is loaded with.
pub(super) struct Workload {
    chain: ChainId,
    offices: Vec<Author>,
    people: Vec<Author>,
    records: u64,
    attempts: usize,
}

impl Workload {
    pub(super) fn new(cluster: &Cluster) -> Result<Self> {
        let chain = cluster.config(0).network;
        let people = (0..PEOPLE).map(|_| Ok(Author::new(SigningKeyPair::generate()?, chain)));
        Ok(Self {
            chain,
            offices: cluster.authors(),
            people: people.collect::<Result<_>>()?,
            records: 0,
            attempts: 0,
        })
    }

    /// Has every office enrol its practitioners and patients, and waits until all are final.
    pub(super) fn enrol(&mut self, cluster: &mut Cluster) -> Result<()> {
        let offices = self.offices.len();
        let mut signed: Vec<Vec<SignedTransaction>> = vec![Vec::new(); offices];
        for (id, person) in (0..).zip(&self.people) {
            let key = SigningKeyPair::generate()?;
            let mut patient = made::patient(id, chartseal_node::keys::public(&key));
            let message = patient.to_agree(&self.chain);
            patient.agreement = Some(chartseal_node::keys::sign(&key, &message));
            let practitioner = made::practitioner(id, person.key())?;
            let at = usize::try_from(id)? % offices;
            let (office, signed) = (self.offices.get_mut(at), signed.get_mut(at));
            if let (Some(office), Some(signed)) = (office, signed) {
                signed.push(office.sign(practitioner));
                signed.push(office.sign(patient));
            }
        }
        for (number, signed) in signed.iter().enumerate() {
            for some in signed.chunks(A_KEY) {
                let mut control = cluster.control(number)?;
                for transaction in some {
                    control.submit(transaction)?;
                }
                let Some(last) = some.last() else {
                    continue;
                };
                await_final(&mut control, last, PAUSE)?;
            }
        }
        // Every node knows them before it is asked to take what they sign.
        let height = cluster.height();
        cluster.await_height_of(&cluster.all(), height);
        Ok(())
    }

    /// So many records added, each practitioner's in turn: for each node those of its own practitioners, in order.
    pub(super) fn records(&mut self, n: u64) -> Vec<Vec<SignedTransaction>> {
        let nodes = self.offices.len();
        let mut signed = vec![Vec::new(); nodes];
        for _ in 0..n {
            let record = self.records;
            self.records += 1;
            let at = usize::try_from(record % PEOPLE).unwrap_or(0);
            let body = made::record(record % PEOPLE, record, Time(0));
            if let (Some(person), Some(signed)) =
                (self.people.get_mut(at), signed.get_mut(at % nodes))
            {
                signed.push(person.sign(body));
            }
        }
        signed
    }

    /// An attempt by one of the offices, in turn: the ledger takes every one.
    pub(super) fn attempt(&mut self) -> SignedTransaction {
        self.attempts += 1;
        let at = self.attempts % self.offices.len();
        self.offices[at].ask()
    }
}

/// Waits until a node says that a transaction is final; asks after each pause.
pub(super) fn await_final(
    control: &mut Control,
    transaction: &SignedTransaction,
    pause: Duration,
) -> Result<()> {
    let begun = Instant::now();
    loop {
        match control.outcome(&transaction.id())? {
            TxOutcome::Final(_) => return Ok(()),
            TxOutcome::Refused(why) => return Err(why.into()),
            _ if begun.elapsed() > PATIENCE => return Err("not final in a minute".into()),
            _ => thread::sleep(pause),
        }
    }
}

/// A client at each node, which hands in what was signed beforehand.
pub(super) struct Drivers {
    done: Arc<AtomicBool>,
    handed_in: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Result<(), String>>>,
}

impl Drivers {
    /// With `rate` so many a second in all; else as many as the nodes take.
    pub(super) fn start(
        cluster: &Cluster,
        signed: Vec<Vec<SignedTransaction>>,
        rate: Option<f64>,
    ) -> Self {
        let (done, handed_in) = (Arc::default(), Arc::default());
        #[expect(clippy::cast_precision_loss, reason = "a few nodes")]
        let rate = rate.map(|rate| rate / signed.len() as f64);
        let nodes = cluster.directories().into_iter().zip(signed);
        let threads = nodes.filter_map(|(directory, signed)| {
            // A node that is away has no client.
            let control = Control::connect(&directory).ok()?;
            let (done, count) = (Arc::clone(&done), Arc::clone(&handed_in));
            Some(thread::spawn(move || {
                drive(control, &signed, rate, &done, &count)
            }))
        });
        let threads = threads.collect();
        Self {
            done,
            handed_in,
            threads,
        }
    }

    /// How many the nodes took so far.
    pub(super) fn handed_in(&self) -> u64 {
        self.handed_in.load(Ordering::SeqCst)
    }

    /// Ends them.
    ///
    /// # Errors
    /// If one was refused, or had nothing left to hand in.
    pub(super) fn end(mut self) -> Result<()> {
        self.done.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| "a client panicked")??;
        }
        Ok(())
    }
}

impl Drop for Drivers {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
    }
}

fn drive(
    mut control: Control,
    signed: &[SignedTransaction],
    rate: Option<f64>,
    done: &AtomicBool,
    count: &AtomicU64,
) -> Result<(), String> {
    let waiting = |control: &mut Control| {
        let status = control.status();
        status
            .map(|status| status.waiting)
            .map_err(|error| error.to_string())
    };
    let begun = Instant::now();
    for (at, transaction) in signed.iter().enumerate() {
        // How many wait is looked at now and then.
        while rate.is_none() && at % 64 == 0 && waiting(&mut control)? > WAITING {
            if done.load(Ordering::SeqCst) {
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        if let Some(rate) = rate {
            #[expect(clippy::cast_precision_loss, reason = "a run's transactions")]
            let due = Duration::from_secs_f64(at as f64 / rate);
            thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        loop {
            if done.load(Ordering::SeqCst) {
                return Ok(());
            }
            match control.submit(transaction) {
                Ok(()) => {
                    count.fetch_add(1, Ordering::SeqCst);
                    break;
                }
                // Enough of this key wait, or of all.
                Err(ControlError::Refused { rule, .. })
                    if rule == "CS-POOL-04" || rule == "CS-POOL-05" =>
                {
                    thread::sleep(PAUSE);
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }
    Err("a client has nothing left to hand in: more must be signed beforehand".into())
}
