use std::future::Future;
use std::time::Duration;

use chartseal_api::{StateAsk, Submission};
use chartseal_ledger::State;
use chartseal_merkle::MapKey;
use chartseal_wire::{OrgId, TxId};
use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::asynchronous::AsyncRemote;
use crate::error::ClientError;
use crate::light::{FinalTransaction, Light, LightError};
use crate::partial::{MAX_ROUNDS, PartialState, ProvedValues, Reading};

/// For how long others are heard once one node's answer is good: one that is further counts more.
const GRACE: Duration = Duration::from_millis(200);
/// How often a transaction is asked for that is not final.
const AGAIN: Duration = Duration::from_millis(100);

/// Asks several nodes at a time, and believes what one of them proves: the newest of it. Nodes that are down, behind or
/// lying are told apart, and stop nothing as long as one is honest.
///
/// ```no_run
/// use chartseal_audit::TrustPolicy;
/// use chartseal_client::{AsyncRemote, Asking, Light, Nodes};
/// use chartseal_wire::history::state_key;
///
/// # async fn example(
/// #     orgs: [chartseal_wire::OrgId; 2], policy: &str, id: [u8; 16],
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let asking = Asking::default();
/// let mut nodes = Nodes::new(Light::new(TrustPolicy::parse(policy)?), vec![
///     AsyncRemote::new(orgs[0], "https://one.example:9100", &asking)?,
///     AsyncRemote::new(orgs[1], "https://two.example:9100", &asking)?,
/// ]);
/// let told = nodes.value(&state_key("record", &id)).await?;
/// println!("as of block {}: {} bytes", told.height, told.answer.map_or(0, |value| value.len()));
/// for (org, why) in &told.faults {
///     println!("{org} is {:?}: {why}", why.fault());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Nodes {
    nodes: Vec<AsyncRemote>,
    light: Light,
}

/// What is proved, and which nodes did not.
#[derive(Debug)]
pub struct Told<T> {
    /// What was asked for.
    pub answer: T,
    /// By which block's header; of what is not proved, the newest that was seen.
    pub height: u64,
    /// Whose answers were not believed, of those who answered in time; [`LightError::fault`] says what it means.
    pub faults: Vec<(OrgId, LightError)>,
}

impl<T> Told<Option<T>> {
    /// What was found, if anything was.
    fn found(self) -> Result<Told<T>, NobodyProves> {
        let Self {
            answer,
            height,
            faults,
        } = self;
        match answer {
            Some(answer) => Ok(Told {
                answer,
                height,
                faults,
            }),
            None => Err(NobodyProves { faults }),
        }
    }
}

/// Nobody proves anything.
#[derive(Debug, Error)]
#[error("no node proves it{}", whys(.faults))]
pub struct NobodyProves {
    /// What is wrong with each answer.
    pub faults: Vec<(OrgId, LightError)>,
}

impl Nodes {
    /// Asks these nodes, and believes what this proves.
    pub fn new(light: Light, nodes: Vec<AsyncRemote>) -> Self {
        Self { nodes, light }
    }

    /// The height of the newest header that was seen, to be given to [`Light::seen`] by the next run.
    pub fn height(&self) -> u64 {
        self.light.height()
    }

    /// What the state has under a key; `None`: nothing, as is proved too.
    ///
    /// # Errors
    /// [`NobodyProves`]; then it is not known.
    pub async fn value(&mut self, key: &MapKey) -> Result<Told<Option<Vec<u8>>>, NobodyProves> {
        let key = *key;
        let ask = move |node: AsyncRemote| async move { node.value_proof(&key).await };
        self.ask(ask, |light, answer| light.judge_value(&key, answer))
            .await
    }

    /// What the state has under some keys, at most [`MAX_KEYS`](chartseal_api::MAX_KEYS), after one and the same block.
    ///
    /// # Errors
    /// [`NobodyProves`]; then nothing is known.
    pub async fn values(&mut self, keys: &[MapKey]) -> Result<Told<ProvedValues>, NobodyProves> {
        let ask = |node: AsyncRemote| {
            let keys = keys.to_vec();
            async move {
                node.state_proof(&StateAsk { keys }, 0, Duration::ZERO)
                    .await
            }
        };
        let judge = |light: &mut Light, answer| light.judge_values(keys, answer).map(Some);
        self.ask(ask, judge).await?.found()
    }

    /// Reads the state as of one block, and asks for what that takes: as [`PartialState::read_with`].
    ///
    /// # Errors
    /// [`NobodyProves`] of some value that it takes.
    pub async fn read<T>(
        &mut self,
        read: impl Fn(State<'_>) -> T,
    ) -> Result<Told<T>, NobodyProves> {
        let mut state = PartialState::default();
        let mut faults = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let Reading { answer, keys } = state.read(&read);
            let height = self.height();
            if let Some(answer) = answer {
                return Ok(Told {
                    answer,
                    height,
                    faults,
                });
            }
            let told = self.values(&keys).await?;
            faults = told.faults;
            state.take(told.answer);
        }
        Err(NobodyProves { faults })
    }

    /// A transaction, if it is final; `None`: no node shows that it is, which nothing proves.
    ///
    /// # Errors
    /// [`NobodyProves`].
    pub async fn transaction(
        &mut self,
        id: &TxId,
    ) -> Result<Told<Option<FinalTransaction>>, NobodyProves> {
        let id = *id;
        let ask = move |node: AsyncRemote| async move { node.transaction_proof(&id).await };
        let judge = |light: &mut Light, answer: Option<_>| {
            let found = answer.map(|answer| light.judge_transaction(&id, answer));
            found.transpose()
        };
        self.ask(ask, judge).await
    }

    /// Hands a transaction in to every node, with its texts, and may be called again. Once a node took it, those that hang
    /// are not waited for: they get it when they can.
    ///
    /// # Errors
    /// [`NobodyProves`] if no node takes it.
    pub async fn submit(&self, submission: &Submission) -> Result<(), NobodyProves> {
        let mut asked = self.asked(|node| {
            let submission = submission.clone();
            async move { node.submit(&submission).await }
        });
        let mut faults = Vec::new();
        let mut end = None;
        while let Some((org, told)) = next(&mut asked, end).await {
            match told {
                Ok(()) => _ = end.get_or_insert_with(|| Instant::now() + GRACE),
                Err(error) => faults.push((org, error.into())),
            }
        }
        asked.detach_all();
        match end {
            Some(_) => Ok(()),
            None => Err(NobodyProves { faults }),
        }
    }

    /// Waits until a transaction is final, or no longer than this.
    ///
    /// # Errors
    /// [`NobodyProves`], as the last question was answered, if nobody proves by then that it is final.
    pub async fn settled(
        &mut self,
        id: &TxId,
        patience: Duration,
    ) -> Result<Told<FinalTransaction>, NobodyProves> {
        let end = Instant::now() + patience;
        let mut faults = Vec::new();
        loop {
            // In the time that is left, perhaps nobody answers.
            if let Ok(told) = timeout_at(end, self.transaction(id)).await {
                match told.and_then(Told::found) {
                    Ok(told) => return Ok(told),
                    Err(nobody) => faults = nobody.faults,
                }
            }
            if Instant::now() + AGAIN > end {
                return Err(NobodyProves { faults });
            }
            sleep(AGAIN).await;
        }
    }

    /// Asks all nodes the same.
    fn asked<A: Send + 'static, F>(
        &self,
        ask: impl Fn(AsyncRemote) -> F,
    ) -> JoinSet<(OrgId, Result<A, ClientError>)>
    where
        F: Future<Output = Result<A, ClientError>> + Send + 'static,
    {
        let mut asked = JoinSet::new();
        for node in &self.nodes {
            let (org, answer) = (node.org(), ask(node.clone()));
            asked.spawn(async move { (org, answer.await) });
        }
        asked
    }

    /// Asks all nodes. The newest answer that is proved counts.
    async fn ask<A: Send + 'static, T, F>(
        &mut self,
        ask: impl Fn(AsyncRemote) -> F,
        judge: impl Fn(&mut Light, A) -> Result<Option<T>, LightError>,
    ) -> Result<Told<Option<T>>, NobodyProves>
    where
        F: Future<Output = Result<A, ClientError>> + Send + 'static,
    {
        let mut asked = self.asked(ask);
        let mut best: Option<(u64, Option<T>)> = None;
        let mut faults = Vec::new();
        let mut end = None;
        while let Some((org, told)) = next(&mut asked, end).await {
            // Each is judged by what was seen before the question: nodes that are a block apart are both honest.
            let mut light = self.light.clone();
            let judged = told.map_err(LightError::from);
            match judged.and_then(|answer| judge(&mut light, answer)) {
                Ok(answer) => {
                    end.get_or_insert_with(|| Instant::now() + GRACE);
                    let this = (light.height(), answer.is_some());
                    let newer = best
                        .as_ref()
                        .is_none_or(|(height, best)| this > (*height, best.is_some()));
                    if newer {
                        best = Some((this.0, answer));
                    }
                }
                Err(error) => faults.push((org, error)),
            }
        }
        let Some((height, answer)) = best else {
            return Err(NobodyProves { faults });
        };
        self.light.seen(height);
        Ok(Told {
            answer,
            height,
            faults,
        })
    }
}

fn whys(faults: &[(OrgId, LightError)]) -> String {
    let mut whys = String::new();
    for (at, (_, why)) in faults.iter().enumerate() {
        whys += if at == 0 { ": " } else { "; " };
        whys += &why.to_string();
    }
    whys
}

/// The next answer that comes, before this end if there is one. Nobody ends the tasks before their time.
async fn next<T: 'static>(asked: &mut JoinSet<T>, end: Option<Instant>) -> Option<T> {
    let told = match end {
        None => asked.join_next().await,
        Some(end) => timeout_at(end, asked.join_next()).await.ok()?,
    };
    let told = told?;
    Some(told.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
}
