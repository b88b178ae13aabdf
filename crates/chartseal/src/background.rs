//! A patient's app deals keys anew by itself, while it runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::network::Network;
use crate::patient::Patient;
use crate::redealing::Redealing;

/// The longest pause after failures.
const MOST_PAUSE: Duration = Duration::from_secs(300);
/// The longest time between two tries with what was left waiting. Whoever waits for nothing looks as often, for records that
/// were filed just when the committee changed.
const DAY: Duration = Duration::from_secs(86_400);

/// Deals a patient's keys anew on a thread of its own, whenever the committee changes: what
/// [`Patient::redeal_in_background`] gives. It is told to end when it is dropped.
#[derive(Debug)]
pub struct RedealWorker {
    told: Arc<Told>,
    thread: Option<JoinHandle<()>>,
}

/// How often a [`RedealWorker`] looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long it pauses before it asks again whether the committee changed. When it can't it pauses twice as long each
    /// time, up to five minutes.
    pub look: Duration,
    /// How long what is left waiting is left alone; twice as long each time, up to a day, for the patient's history has
    /// each try.
    pub again: Duration,
}

impl Default for Pace {
    /// Half a minute, and a minute.
    fn default() -> Self {
        Self {
            look: Duration::from_secs(30),
            again: Duration::from_secs(60),
        }
    }
}

/// How far a [`RedealWorker`] is.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RedealProgress {
    /// How many records it has been through, since it last began.
    pub done: usize,
    /// Of how many.
    pub of: usize,
    /// The committee's epoch for which it has been through all of them; `None` before.
    pub epoch: Option<u64>,
    /// What came of that.
    pub outcome: Option<Arc<Redealing>>,
    /// Why it could not go on when it last looked; it tries again.
    pub failure: Option<Arc<Error>>,
}

impl RedealProgress {
    /// Whether all records rest on the committee that is in office, as far as is known.
    pub fn is_done(&self) -> bool {
        let outcome = self.outcome.as_ref();
        outcome.is_some_and(|outcome| outcome.waiting == 0) && self.failure.is_none()
    }
}

impl Patient {
    /// Deals keys anew in the background, as [`redeal`](Self::redeal) does, from now on and whenever the committee changes,
    /// until the worker is stopped or dropped. It has a network of its own, so this patient's other verbs wait for nothing;
    /// transactions of both go into one order. Nodes that are down are asked again after a pause.
    ///
    /// ```no_run
    /// use std::path::Path;
    ///
    /// use chartseal::{Network, Offer, Pace};
    ///
    /// # fn example(dir: &Path, mut patient: chartseal::Patient, doctor: chartseal::Clinician, offer: Offer) -> Result<(), chartseal::Error> {
    /// let mut network = Network::connect_light(dir)?;
    /// let worker = patient.redeal_in_background(Network::connect_light(dir)?, Pace::default());
    /// patient.grant(&mut network, &doctor, &offer)?;
    /// let progress = worker.progress();
    /// println!("{} of {} records looked at", progress.done, progress.of);
    /// if let Some(why) = &progress.failure {
    ///     println!("not now: {why}");
    /// }
    /// // When the app ends. What was begun is gone on with by its next run.
    /// worker.stop();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "it is told to end when it is dropped"]
    pub fn redeal_in_background(&self, mut network: Network, pace: Pace) -> RedealWorker {
        let told = Arc::new(Told::default());
        network.end_with(Arc::clone(&told.ending));
        let working = Working {
            patient: self.again(),
            network,
            pace,
            told: Arc::clone(&told),
            looked: None,
        };
        RedealWorker {
            told,
            thread: Some(thread::spawn(move || working.run())),
        }
    }
}

impl RedealWorker {
    /// How far it is.
    pub fn progress(&self) -> RedealProgress {
        self.told.progress().clone()
    }

    /// Ends it, and gives how far it was. It waits for nothing but the answer to a question that a node was just asked.
    pub fn stop(mut self) -> RedealProgress {
        self.told.end();
        if let Some(thread) = self.thread.take() {
            // One that panicked has ended as well.
            let _ = thread.join();
        }
        self.progress()
    }
}

/// Nobody waits for it then.
impl Drop for RedealWorker {
    fn drop(&mut self) {
        self.told.end();
    }
}

/// What the worker and its handle tell each other.
#[derive(Debug, Default)]
struct Told {
    progress: Mutex<RedealProgress>,
    ending: Arc<AtomicBool>,
    ended: Condvar,
}

impl Told {
    fn progress(&self) -> MutexGuard<'_, RedealProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        // Whoever pauses either sees it set, or hears this.
        let held = self.progress();
        self.ending.store(true, Ordering::Relaxed);
        drop(held);
        self.ended.notify_all();
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    fn pause(&self, pause: Duration) {
        let goes_on = |_: &mut RedealProgress| !self.is_ending();
        let _ = self
            .ended
            .wait_timeout_while(self.progress(), pause, goes_on);
    }
}

/// The worker, on its thread.
struct Working {
    patient: Patient,
    network: Network,
    pace: Pace,
    told: Arc<Told>,
    looked: Option<Looked>,
}

/// When all records were last looked at.
#[derive(Clone, Copy)]
struct Looked {
    epoch: u64,
    at: Instant,
    /// How long they are left alone, unless the epoch changes.
    rest: Duration,
}

impl Working {
    fn run(mut self) {
        let mut pause = self.pace.look;
        while !self.told.is_ending() {
            let looked = self.look();
            if self.told.is_ending() {
                return;
            }
            pause = match &looked {
                Ok(()) => self.pace.look,
                Err(_) => MOST_PAUSE.min(pause.saturating_mul(2)),
            };
            self.told.progress().failure = looked.err().map(Arc::new);
            self.told.pause(pause);
        }
    }

    fn look(&mut self) -> Result<(), Error> {
        self.network.refresh()?;
        let epoch = self.network.read(|state| state.committee().epoch())?;
        let known = self.looked.filter(|looked| looked.epoch == epoch);
        if known.is_some_and(|looked| looked.at.elapsed() < looked.rest) {
            return Ok(());
        }
        let told = &self.told;
        let done = self.patient.redeal(&mut self.network, |done, of| {
            let mut progress = told.progress();
            (progress.done, progress.of) = (done, of);
        })?;
        let rest = match known {
            _ if done.waiting == 0 => DAY,
            Some(looked) if looked.rest < DAY => DAY.min(looked.rest.saturating_mul(2)),
            _ => self.pace.again,
        };
        let at = Instant::now();
        self.looked = Some(Looked { epoch, at, rest });
        let mut progress = told.progress();
        progress.epoch = Some(epoch);
        progress.outcome = Some(Arc::new(done));
        Ok(())
    }
}
