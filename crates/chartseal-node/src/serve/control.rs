use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use chartseal_api::TxOutcome;
use chartseal_codec::{
    Decode, DecodeError, Decoder, Encode, Encoder, canonical_struct, from_bytes, to_bytes,
};
use chartseal_consensus::engine::Handle;
use chartseal_ledger::SignedTransaction;
use chartseal_wire::{ChainId, Hash, OrgId, PublicKey, Time, TxId};
use thiserror::Error;

use super::backup::{self, Backup};
use super::keeper::NodeKeeper;
use super::reload::{Reload, Reloaded};
use super::scrub::Scrub;
use super::scrubbed::Scrubbed;
use crate::committee::CommitteeView;

/// The socket in a node's data directory.
const SOCKET: &str = "control.sock";
/// The most bytes of a question or an answer.
const MAX_FRAME: usize = 256 * 1024;
/// The most connections at a time.
const MAX_CONNECTIONS: usize = 64;
/// The longest path and reason.
const MAX_PATH: usize = 4_096;
const MAX_WHY: usize = 16 * 1024;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a node can't be asked, or does not answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No node runs on that directory, or its socket can't be used.
    #[error("{}: {source}", .socket.display())]
    Socket {
        /// The socket.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What came is no answer.
    #[error("the node's answer is not in its format: {0}")]
    Malformed(#[from] DecodeError),
    /// The node does not take it.
    #[error("refused: {why} ({rule})")]
    Refused {
        /// The rule's id.
        rule: String,
        /// Why.
        why: String,
    },
}

/// How a running node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Whose it is.
    pub organization: OrgId,
    /// The network.
    pub network: ChainId,
    /// The height of the newest final block.
    pub height: u64,
    /// Its header's leaf hash.
    pub leaf: Hash,
    /// The state root after it.
    pub root: Hash,
    /// Its time.
    pub block_time: Time,
    /// What the node's clock shows.
    pub clock: Time,
    /// The newest view that ended.
    pub view: u64,
    /// Views that were skipped since the node started, while transactions waited there.
    pub skipped: u64,
    /// Transactions that wait.
    pub waiting: u64,
    /// Pieces of evidence against others.
    pub evidence: u64,
    /// How often somebody was seen to vote twice in one view.
    pub double_votes: u64,
    /// When each validator's last vote came.
    pub heard: Vec<Heard>,
}

canonical_struct!(NodeStatus {
    organization,
    network,
    height,
    leaf,
    root,
    block_time,
    clock,
    view,
    skipped,
    waiting,
    evidence,
    double_votes,
    heard
});

/// When a validator's last vote came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its key.
    pub validator: PublicKey,
    /// When.
    pub at: Time,
}

canonical_struct!(Heard { validator, at });

/// A connection to a node's control socket. Whoever may write to the node's data directory may ask.
#[derive(Debug)]
pub struct Control {
    stream: UnixStream,
    socket: PathBuf,
}

impl Control {
    /// Connects to the node that runs on a data directory.
    ///
    /// # Errors
    /// [`ControlError::Socket`] if none does.
    pub fn connect(directory: &Path) -> Result<Self, ControlError> {
        let socket = directory.join(SOCKET);
        let failed = |source| ControlError::Socket {
            socket: socket.clone(),
            source,
        };
        let stream = UnixStream::connect(&socket).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        Ok(Self { stream, socket })
    }

    /// Waits for each answer no longer than this; 30 s if it is not said.
    ///
    /// # Errors
    /// [`ControlError::Socket`] if it is no time at all.
    pub fn set_patience(&mut self, patience: Duration) -> Result<(), ControlError> {
        let set = self.stream.set_read_timeout(Some(patience));
        let set = set.and_then(|()| self.stream.set_write_timeout(Some(patience)));
        set.map_err(|source| ControlError::Socket {
            socket: self.socket.clone(),
            source,
        })
    }

    /// How the node is.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn status(&mut self) -> Result<NodeStatus, ControlError> {
        let answer = self.ask(|e| {
            e.array(1).uint(1);
        })?;
        let mut d = Decoder::new(&answer);
        let status = NodeStatus::decode(&mut d)?;
        d.finish()?;
        Ok(status)
    }

    /// Hands a transaction in. It is final once [`outcome`](Self::outcome) says so.
    ///
    /// # Errors
    /// [`ControlError::Refused`] if the pool does not take it.
    pub fn submit(&mut self, transaction: &SignedTransaction) -> Result<(), ControlError> {
        let answer = self.ask(|e| {
            e.array(2).uint(2).item(transaction);
        })?;
        let mut d = Decoder::new(&answer);
        if d.at("answer").array(2)? == 0 {
            return Ok(d.finish()?);
        }
        let (rule, why) = (d.text(64)?.to_owned(), d.text(1_024)?.to_owned());
        d.finish()?;
        Err(ControlError::Refused { rule, why })
    }

    /// What became of a transaction.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn outcome(&mut self, id: &TxId) -> Result<TxOutcome, ControlError> {
        let answer = self.ask(|e| {
            e.array(2).uint(3).item(id);
        })?;
        Ok(from_bytes(&answer)?)
    }

    /// Asks the node to stop. It answers, and ends soon after.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn stop(&mut self) -> Result<(), ControlError> {
        self.ask(to_stop).map(drop)
    }

    /// Has the node read its configuration again.
    ///
    /// # Errors
    /// [`ControlError::Refused`] if anything is wrong with it: then nothing has changed.
    pub fn reload(&mut self) -> Result<Reloaded, ControlError> {
        let answer = self.ask(|e| {
            e.array(1).uint(5);
        })?;
        done(&answer)
    }

    /// Has the node copy its data directory into a folder of its machine, empty or new, by its full path.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub fn backup(&mut self, to: &Path) -> Result<Backup, ControlError> {
        let answer = self.ask(|e| {
            e.array(2).uint(6).text(&to.to_string_lossy());
        })?;
        done(&answer)
    }

    /// Has the node look at its vault now: each ciphertext is read, what is damaged mended from others, what belongs to no
    /// record thrown away.
    ///
    /// # Errors
    /// [`ControlError::Refused`] if a store refuses.
    pub fn scrub(&mut self) -> Result<Scrubbed, ControlError> {
        let answer = self.ask(|e| {
            e.array(1).uint(7);
        })?;
        done(&answer)
    }

    /// Who is in the committee, by the node's newest state; and of these organizations, those that are enrolled: at most
    /// [`CommitteeView::MAX_ASKED`].
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn committee(&mut self, asked: &[OrgId]) -> Result<CommitteeView, ControlError> {
        let answer = self.ask(|e| {
            e.array(2).uint(8).item(&asked.to_vec());
        })?;
        Ok(from_bytes(&answer)?)
    }

    fn ask(&mut self, fill: impl FnOnce(&mut Encoder)) -> Result<Vec<u8>, ControlError> {
        let mut question = Encoder::new();
        fill(&mut question);
        let question = question.finish();
        let asked = write_frame(&mut self.stream, &question);
        let answer = asked.and_then(|()| read_frame(&mut self.stream));
        answer.map_err(|source| ControlError::Socket {
            socket: self.socket.clone(),
            source,
        })
    }
}

/// The question that asks a node to stop.
fn to_stop(e: &mut Encoder) {
    e.array(1).uint(4);
}

fn is_to_stop(question: &[u8]) -> bool {
    let mut e = Encoder::new();
    to_stop(&mut e);
    question == e.finish()
}

/// What a node says of an order that it carried out: `[0, result]`, or `[1, rule, why]`.
fn done<T: Decode>(answer: &[u8]) -> Result<T, ControlError> {
    let mut d = Decoder::new(answer);
    let fields = d.at("answer").array(3)?;
    match (d.uint()?, fields) {
        (0, 2) => {
            let result = T::decode(&mut d)?;
            d.finish()?;
            Ok(result)
        }
        (1, 3) => {
            let (rule, why) = (d.text(64)?.to_owned(), d.text(MAX_WHY)?.to_owned());
            d.finish()?;
            Err(ControlError::Refused { rule, why })
        }
        _ => Err(d.invalid("an answer is of kind 0 or 1").into()),
    }
}

/// The same, to be sent; of a failure its rule.
fn said<T: Encode, E: std::fmt::Display>(
    done: Result<T, E>,
    rule: impl FnOnce(&E) -> &str,
) -> Vec<u8> {
    let mut e = Encoder::new();
    match done {
        Ok(result) => e.array(2).uint(0).item(&result),
        Err(error) => {
            let why: String = error.to_string().chars().take(MAX_WHY / 4).collect();
            e.array(3).uint(1).text(rule(&error)).text(&why)
        }
    };
    e.finish()
}

/// A listening control socket.
#[derive(Debug)]
pub(super) struct Listening {
    socket: PathBuf,
    ended: Arc<AtomicBool>,
}

impl Listening {
    /// Takes no more connections, and takes the socket away.
    pub(super) fn end(self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = UnixStream::connect(&self.socket);
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// A data directory's socket. Whoever asks there waits until somebody answers.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
    listener: UnixListener,
}

/// Takes a data directory's socket.
pub(super) fn bind(directory: &Path) -> Result<Socket, ControlError> {
    let socket = directory.join(SOCKET);
    let failed = |source| ControlError::Socket {
        socket: socket.clone(),
        source,
    };
    // A node that was killed leaves its socket. Another that runs here holds the ledger's lock.
    match std::fs::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&socket).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidInput => failed(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a socket's path may have some hundred bytes only; name a data directory with a shorter path",
        )),
        _ => failed(source),
    })?;
    Ok(Socket {
        path: socket,
        listener,
    })
}

/// Answers at a data directory's socket, until it is ended.
pub(super) fn listen(
    Socket { path, listener }: Socket,
    keeper: &NodeKeeper,
    handle: Handle,
    orders: Orders,
) -> Listening {
    let ended = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(Asked {
        keeper: keeper.clone(),
        handle,
        orders,
    });
    let (is_over, open) = (Arc::clone(&ended), Arc::new(AtomicUsize::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            if is_over.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else {
                continue;
            };
            if open.fetch_add(1, Ordering::SeqCst) >= MAX_CONNECTIONS {
                open.fetch_sub(1, Ordering::SeqCst);
                continue;
            }
            let (asked, open) = (Arc::clone(&asked), Arc::clone(&open));
            thread::spawn(move || {
                // A peer that goes away, or is slow, ends its own connection alone.
                let _ = asked.serve(stream);
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    Listening {
        socket: path,
        ended,
    }
}

/// What a node's machine may order.
pub(super) struct Orders {
    pub(super) stop: Box<dyn Fn() + Send + Sync>,
    pub(super) reload: Reload,
    pub(super) scrub: Scrub,
    /// The data directory, which is copied for a backup.
    pub(super) directory: PathBuf,
}

/// What answers.
struct Asked {
    keeper: NodeKeeper,
    handle: Handle,
    orders: Orders,
}

impl Asked {
    fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        loop {
            let question = read_frame(&mut stream)?;
            let answer = self.answer(&question).map_err(io::Error::other)?;
            let told = write_frame(&mut stream, &answer);
            // Last: a node that is asked to stop may end before it could say that it will.
            if is_to_stop(&question) {
                (self.orders.stop)();
            }
            told?;
        }
    }

    fn answer(&self, question: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let mut d = Decoder::new(question);
        let fields = d.at("question").array(2)?;
        match (d.uint()?, fields) {
            (1, 1) => {
                d.finish()?;
                Ok(to_bytes(&self.status()))
            }
            (2, 2) => {
                let transaction = SignedTransaction::decode(&mut d)?;
                d.finish()?;
                let mut e = Encoder::new();
                match self.handle.submit(transaction) {
                    Ok(_) => e.array(0),
                    Err(error) => e.array(2).text(error.rule()).text(&error.to_string()),
                };
                Ok(e.finish())
            }
            (3, 2) => {
                let id = TxId::decode(&mut d)?;
                d.finish()?;
                Ok(to_bytes(&self.keeper.outcome(&self.handle, &id)))
            }
            (4, 1) => {
                d.finish()?;
                let mut e = Encoder::new();
                e.array(0);
                Ok(e.finish())
            }
            (5, 1) => {
                d.finish()?;
                Ok(said(self.orders.reload.again(), |error| error.rule()))
            }
            (6, 2) => {
                let to = PathBuf::from(d.text(MAX_PATH)?);
                d.finish()?;
                let made = backup::write(&self.orders.directory, &to, &self.keeper);
                Ok(said(made, |error| error.rule()))
            }
            (7, 1) => {
                d.finish()?;
                Ok(said(self.orders.scrub.pass(), |error| error.code()))
            }
            (8, 2) => {
                let asked = d.list(CommitteeView::MAX_ASKED)?;
                d.finish()?;
                let head = self.keeper.node().head().clone();
                Ok(to_bytes(&CommitteeView::of(&head, &asked)))
            }
            _ => Err(d.invalid("a question is of kind 1 to 8")),
        }
    }

    fn status(&self) -> NodeStatus {
        let status = self.handle.status();
        let (organization, clock) = {
            let node = self.keeper.node();
            (node.org(), node.clock.now())
        };
        let heard = status.heard.iter();
        NodeStatus {
            organization,
            network: status.head.chain,
            height: status.head.height,
            leaf: status.leaf,
            root: status.head.state_root,
            block_time: status.head.time,
            clock,
            view: status.view,
            skipped: status.skipped,
            waiting: status.pooled as u64,
            evidence: status.evidence as u64,
            double_votes: status.double_votes,
            heard: heard
                .map(|(key, at)| Heard {
                    validator: *key,
                    at: *at,
                })
                .collect(),
        }
    }
}

fn write_frame(stream: &mut UnixStream, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend_from_slice(bytes);
    stream.write_all(&frame)
}

fn read_frame(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    if length > MAX_FRAME {
        return Err(io::Error::other("a message is larger than 256 KiB"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
