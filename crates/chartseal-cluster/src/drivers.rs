use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chartseal_ledger::SignedTransaction;
use chartseal_node::serve::{Control, ControlError};

use crate::cluster::Cluster;

/// So many wait at each node, so that no block is short of any.
const WAITING: u64 = 6_000;
/// How long to wait before a node is asked again.
const PAUSE: Duration = Duration::from_millis(5);

/// A client at each node, which hands in one transaction after the other and waits for none to be final.
#[derive(Debug)]
pub struct Drivers {
    done: Arc<AtomicBool>,
    handed_in: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Result<(), String>>>,
}

impl Drivers {
    /// With `rate` so many a second in all; else as many as the nodes take. `signed`: what each node is handed.
    pub fn start<I>(cluster: &Cluster, signed: Vec<I>, rate: Option<f64>) -> Self
    where
        I: IntoIterator<Item = SignedTransaction>,
        I::IntoIter: Send + 'static,
    {
        let (done, handed_in) = (Arc::default(), Arc::default());
        #[expect(clippy::cast_precision_loss, reason = "a few nodes")]
        let rate = rate.map(|rate| rate / signed.len() as f64);
        let nodes = cluster.directories().into_iter().zip(signed);
        let threads = nodes.filter_map(|(directory, signed)| {
            // A node that is away has no client.
            let control = Control::connect(&directory).ok()?;
            let (done, count) = (Arc::clone(&done), Arc::clone(&handed_in));
            let signed = signed.into_iter();
            Some(thread::spawn(move || {
                drive(control, signed, rate, &done, &count)
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
    pub fn handed_in(&self) -> u64 {
        self.handed_in.load(Ordering::SeqCst)
    }

    /// Ends them.
    ///
    /// # Errors
    /// If one was refused, or had nothing left to hand in.
    pub fn end(mut self) -> Result<(), Box<dyn Error>> {
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
    signed: impl Iterator<Item = SignedTransaction>,
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
    for (at, transaction) in signed.enumerate() {
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
            match control.submit(&transaction) {
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
