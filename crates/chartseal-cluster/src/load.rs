use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chartseal_node::serve::{Control, ControlError, TxOutcome};
use chartseal_wire::TxId;

use crate::history::{History, Op, Ret, Step};
use crate::people::Author;

/// What clients were told is final: the height by transaction.
pub type Acknowledged = BTreeMap<TxId, u64>;

/// How long a client waits for one answer: a node may be stopped.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it asks what became of a transaction, and how many times before it turns to another node.
const PAUSE: Duration = Duration::from_millis(15);
const QUESTIONS: usize = 200;
/// How many pauses others wait for clients to be told something.
const NO_PROGRESS: usize = 9_000;

/// Clients that hand in one transaction after the other, each at whichever node answers, and note what they
/// are told; and readers that ask nodes in turn how far they are, and where transactions are.
#[derive(Debug)]
pub struct Load {
    clients: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    directories: Vec<PathBuf>,
    pause: Duration,
    done: AtomicBool,
    acknowledged: Mutex<Acknowledged>,
    history: History,
}

impl Load {
    /// A client for each author, and so many readers, against nodes with these data directories. Each pauses for so
    /// long after each transaction or look.
    pub fn start(
        directories: Vec<PathBuf>,
        authors: Vec<Author>,
        readers: usize,
        pause: Duration,
    ) -> Self {
        let shared = Arc::new(Shared {
            directories,
            pause,
            done: AtomicBool::new(false),
            acknowledged: Mutex::default(),
            history: History::default(),
        });
        let first_reader = authors.len();
        let mut clients = Vec::new();
        for (number, author) in authors.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            clients.push(thread::spawn(move || shared.submit(number, author)));
        }
        for number in first_reader..first_reader + readers {
            let shared = Arc::clone(&shared);
            clients.push(thread::spawn(move || shared.read(number)));
        }
        Self { clients, shared }
    }

    /// How many transactions clients were told are final.
    pub fn acknowledged(&self) -> usize {
        self.shared.acknowledged.lock().unwrap().len()
    }

    /// Waits until so many more are.
    ///
    /// # Panics
    /// If nothing goes on for minutes, or a client was refused.
    pub fn settle(&self, many: usize) {
        let until = self.acknowledged() + many;
        for _ in 0..NO_PROGRESS {
            if self.acknowledged() >= until {
                return;
            }
            assert!(
                !self.clients.iter().any(JoinHandle::is_finished),
                "a client gave up"
            );
            thread::sleep(PAUSE);
        }
        panic!("no progress: {} of {until}", self.acknowledged());
    }

    /// Ends the clients, each with what it has under way, and gives what they were told.
    pub fn end(mut self) -> (Acknowledged, History) {
        self.shared.done.store(true, Ordering::SeqCst);
        for client in self.clients.drain(..) {
            client.join().unwrap();
        }
        let acknowledged = std::mem::take(&mut *self.shared.acknowledged.lock().unwrap());
        (acknowledged, self.shared.history.clone())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.done.store(true, Ordering::SeqCst);
    }
}

fn connect(directory: &Path) -> Result<Control, ControlError> {
    let mut control = Control::connect(directory)?;
    control.set_patience(PATIENCE)?;
    Ok(control)
}

impl Shared {
    fn is_done(&self) -> bool {
        self.done.load(Ordering::SeqCst)
    }

    fn submit(&self, number: usize, mut author: Author) {
        let mut node = number;
        while !self.is_done() {
            let transaction = author.ask();
            let id = transaction.id();
            self.history.note(number, Step::Asks(Op::Append(id)));
            let height = loop {
                node = (node + 1) % self.directories.len();
                let Ok(mut control) = connect(&self.directories[node]) else {
                    thread::sleep(PAUSE);
                    continue;
                };
                // It may wait or be final already; and a node may be killed at any moment.
                match control.submit(&transaction) {
                    Ok(()) | Err(ControlError::Refused { .. }) => {}
                    Err(_) => continue,
                }
                if let Some(height) = become_final(&mut control, &id) {
                    break height;
                }
            };
            self.history
                .note(number, Step::Told(Ret::Final { node, height }));
            self.acknowledged.lock().unwrap().insert(id, height);
            thread::sleep(self.pause);
        }
    }

    fn read(&self, number: usize) {
        for round in number.. {
            if self.is_done() {
                return;
            }
            let node = round % self.directories.len();
            let mut control = connect(&self.directories[node]).ok();
            self.history.note(number, Step::Asks(Op::Head(node)));
            let head = control.as_mut().and_then(|control| control.status().ok());
            if head.is_none() {
                // What it answers late would be taken for the next answer.
                control = None;
            }
            let told = head.map_or(Ret::Nothing, |status| Ret::Height(status.height));
            self.history.note(number, Step::Told(told));

            let latest = self
                .acknowledged
                .lock()
                .unwrap()
                .iter()
                .max_by_key(|(_, height)| **height)
                .map(|(id, _)| *id);
            if let Some(id) = latest {
                self.history.note(number, Step::Asks(Op::Look(node, id)));
                let found = control
                    .as_mut()
                    .and_then(|control| control.outcome(&id).ok());
                let told = match found {
                    Some(TxOutcome::Final(height)) => Ret::At(Some(height)),
                    Some(_) => Ret::At(None),
                    None => Ret::Nothing,
                };
                self.history.note(number, Step::Told(told));
            }
            thread::sleep(self.pause);
        }
    }
}

/// Asks a node until a transaction is final there; `None`: it does not know it, does not answer, or takes its time.
fn become_final(control: &mut Control, id: &TxId) -> Option<u64> {
    for _ in 0..QUESTIONS {
        match control.outcome(id).ok()? {
            TxOutcome::Final(height) => return Some(height),
            TxOutcome::Refused(why) => panic!("an honest client is refused: {why}"),
            TxOutcome::Unknown => return None,
            TxOutcome::Waiting => thread::sleep(PAUSE),
        }
    }
    None
}
