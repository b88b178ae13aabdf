use std::io;
use std::sync::OnceLock;
use std::thread::available_parallelism;
use std::time::Duration;

use chartseal_api::{HistoryAsk, Signed};
use chartseal_wire::OrgId;
use tokio::runtime::{Builder, Runtime};

use crate::asking::Asking;
use crate::asynchronous::AsyncRemote;
use crate::entries::Entries;
use crate::error::{ClientError, unreachable};
use crate::question::Question;

/// The most threads that carry this process' connections.
const THREADS: usize = 4;

/// One node's service, for an app that waits: [`AsyncRemote`], each call of which blocks.
///
/// # Panics
/// Each call does, within an async runtime.
#[derive(Clone, Debug)]
pub struct Remote {
    node: AsyncRemote,
    carrier: &'static Runtime,
}

impl Remote {
    /// As [`AsyncRemote::new`].
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if the system can't make connections at all.
    pub fn new(org: OrgId, base: &str, asking: &Asking) -> Result<Self, ClientError> {
        let carrier = carrier().map_err(|why| unreachable(org, &why))?;
        let node = AsyncRemote::new(org, base, asking)?;
        Ok(Self { node, carrier })
    }

    /// As [`AsyncRemote::patiently`].
    #[must_use]
    pub fn patiently(&self, patience: Duration) -> Self {
        Self {
            node: self.node.patiently(patience),
            carrier: self.carrier,
        }
    }

    /// Whose node it is.
    pub fn org(&self) -> OrgId {
        self.node.org()
    }

    /// As [`AsyncRemote::watch`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn watch(&self, ask: &Signed<HistoryAsk>) -> Result<Entries, ClientError> {
        let entries = self.carrier.block_on(self.node.watch(ask))?;
        Ok(Entries::of(entries, self.carrier))
    }

    pub(crate) fn ask<T>(&self, question: Question<T>) -> Result<T, ClientError> {
        self.carrier.block_on(self.node.ask(question))
    }
}

/// What carries the connections of all blocking faces of this process, made when the first one is.
fn carrier() -> io::Result<&'static Runtime> {
    static CARRIER: OnceLock<Runtime> = OnceLock::new();
    if let Some(carrier) = CARRIER.get() {
        return Ok(carrier);
    }
    let threads = available_parallelism().map_or(1, |threads| threads.get().min(THREADS));
    let carrier = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("chartseal-client")
        .enable_all()
        .build()?;
    Ok(CARRIER.get_or_init(|| carrier))
}
