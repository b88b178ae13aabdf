//! Clients: each makes one transaction after the other, and sends it until it is final.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chartseal_consensus::engine::{Handle, NOTICE, Outcome};
use chartseal_ledger::{AdmissionError, SignedTransaction};
use chartseal_wire::ChainId;
use commonware_runtime::{Clock as _, Spawner as _, Supervisor as _, deterministic};

use super::agreed::Agreed;
use super::people::{Person, next_committee};
use super::plan::Rng;

/// Who can be asked at the moment: no handle while a validator is down.
pub type Handles = Arc<Mutex<Vec<Option<Handle>>>>;

/// What a client keeps over crashes of the network.
#[derive(Clone)]
pub struct Client {
    pub person: Person,
    pub state: Arc<Mutex<Progress>>,
}

#[derive(Debug, Default)]
pub struct Progress {
    pub seq: u64,
    /// What it waits for.
    pub open: Option<SignedTransaction>,
    /// How many are final.
    pub done: u64,
    /// How many views it took at most from hand-in to finality, as the validators that were asked saw it.
    pub slowest_views: u64,
    /// The same in ms.
    pub slowest_ms: u64,
    /// No more new ones.
    pub stopping: bool,
}

impl Client {
    pub fn new(person: Person) -> Self {
        let state = Arc::default();
        Self { person, state }
    }

    /// Runs until it is stopped and has nothing open.
    pub fn start(
        &self,
        context: &deterministic::Context,
        chain: ChainId,
        handles: Handles,
        agreed: Arc<Mutex<Agreed>>,
        mut rng: Rng,
        pause: u64,
        home: Option<usize>,
    ) {
        let client = self.clone();
        context.child("client").spawn(move |context| async move {
            loop {
                let open = client.state.lock().unwrap().open.clone();
                let transaction = match open {
                    Some(open) => open,
                    None if client.state.lock().unwrap().stopping => {
                        context.sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                    None => {
                        context
                            .sleep(Duration::from_millis(rng.range(10, pause)))
                            .await;
                        let height = agreed.lock().unwrap().height();
                        let mut state = client.state.lock().unwrap();
                        state.seq += 1;
                        let patient = u8::try_from(rng.range(1, 200)).unwrap();
                        let next = client.person.ask(chain, state.seq, height + 400, patient);
                        state.open = Some(next.clone());
                        next
                    }
                };
                let (since, begun) = (newest_view(&handles), context.current());
                let height = match home {
                    Some(home) => client.wait(&context, &transaction, &handles, home).await,
                    None => {
                        client
                            .settle(&context, &transaction, &handles, &mut rng)
                            .await
                    }
                };
                let took_ms = context.current().duration_since(begun).unwrap().as_millis();
                let took = newest_view(&handles).saturating_sub(since);
                let mut state = client.state.lock().unwrap();
                state.open = None;
                state.slowest_ms = state.slowest_ms.max(u64::try_from(took_ms).unwrap());
                state.slowest_views = state.slowest_views.max(took);
                if let Some(height) = height {
                    state.done += 1;
                    agreed
                        .lock()
                        .unwrap()
                        .acknowledged
                        .insert((transaction.id(), height));
                }
            }
        });
    }

    /// Hands the transaction in once, at a validator that stays up, and waits.
    async fn wait(
        &self,
        context: &deterministic::Context,
        transaction: &SignedTransaction,
        handles: &Handles,
        home: usize,
    ) -> Option<u64> {
        let handle = handles.lock().unwrap()[home].clone().unwrap();
        handle.submit(transaction.clone()).unwrap();
        loop {
            if let Outcome::Final { height } = handle.outcome(&transaction.id()) {
                return Some(height);
            }
            context.sleep(Duration::from_millis(20)).await;
        }
    }

    /// Hands the transaction in here and there until somebody says what became of it. Gives the height
    /// at which it is final; nothing if it can't be any more.
    async fn settle(
        &self,
        context: &deterministic::Context,
        transaction: &SignedTransaction,
        handles: &Handles,
        rng: &mut Rng,
    ) -> Option<u64> {
        let id = transaction.id();
        loop {
            let handle = {
                let handles = handles.lock().unwrap();
                let up: Vec<&Handle> = handles.iter().flatten().collect();
                (!up.is_empty()).then(|| (*rng.choose(&up)).clone())
            };
            let Some(handle) = handle else {
                context.sleep(Duration::from_millis(200)).await;
                continue;
            };
            let refused = handle.submit(transaction.clone()).err();
            // Now and then it is in a hurry, and hands it in a second time elsewhere.
            let patience = if rng.one_in(5) { 1 } else { rng.range(5, 40) };
            for _ in 0..patience {
                match handle.outcome(&id) {
                    Outcome::Final { height } => return Some(height),
                    Outcome::Expired => return None,
                    Outcome::Refused { why } => panic!("an honest client is refused: {why}"),
                    _ => context.sleep(Duration::from_millis(50)).await,
                }
            }
            if let Some(chartseal_consensus::PoolError::Refused(why)) = refused {
                match why {
                    // It is final; this validator forgot at which height.
                    AdmissionError::Sequence { .. } | AdmissionError::Expired { .. } => {
                        return None;
                    }
                    other => panic!("an honest client is refused: {other}"),
                }
            }
        }
    }
}

/// Has the committee changed again and again, until there is no next one. Whoever is asked may be down, behind or
/// cut off, so it asks another each time.
pub fn change_committees(context: &deterministic::Context, handles: Handles, mut rng: Rng) {
    context.child("offices").spawn(move |context| async move {
        loop {
            context.sleep(Duration::from_millis(500)).await;
            let handle = {
                let handles = handles.lock().unwrap();
                let up: Vec<&Handle> = handles.iter().flatten().collect();
                (!up.is_empty()).then(|| (*rng.choose(&up)).clone())
            };
            let Some(handle) = handle else {
                continue;
            };
            let head = handle.head();
            if head.state().next_committee().is_some() {
                continue;
            }
            let from = head.height() + NOTICE + rng.range(4, 20);
            if let Some(change) = next_committee(head.state(), head.height() + 10, from) {
                let _ = handle.submit(change);
            }
        }
    });
}

/// The newest view that anybody who can be asked knows to have ended.
fn newest_view(handles: &Handles) -> u64 {
    let handles = handles.lock().unwrap();
    let views = handles.iter().flatten().map(|handle| handle.status().view);
    views.max().unwrap_or(0)
}
