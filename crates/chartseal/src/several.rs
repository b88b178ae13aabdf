//! Asking several nodes, so that nobody waits for one that hangs: it takes a question and never answers.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use chartseal_client::Remote;

/// How long a node may take before another one is asked too, and how long others may take once enough have answered.
pub(crate) const GRACE: Duration = Duration::from_millis(200);

/// A node's place among those that were asked, and its answer.
type Answer<T> = (usize, T);

/// What many nodes answer.
#[derive(Debug)]
pub(crate) struct Answers<T> {
    coming: Receiver<Answer<T>>,
    asked: usize,
    came: Vec<Answer<T>>,
    enough_since: Option<Instant>,
}

impl<T: Send + 'static> Answers<T> {
    /// Asks all at a time.
    pub(crate) fn of(nodes: &[Remote], ask: impl Fn(&Remote) -> T + Send + Sync + 'static) -> Self {
        let (answered, coming) = channel();
        let ask = Arc::new(ask);
        for place in 0..nodes.len() {
            begin(nodes, place, &ask, &answered);
        }
        Self {
            coming,
            asked: nodes.len(),
            came: Vec::new(),
            enough_since: None,
        }
    }

    /// Takes what came within `wait`. Whether more is worth waiting for: not all have answered, and those that did are not
    /// enough, or were so only now.
    pub(crate) fn are_open(
        &mut self,
        wait: Duration,
        are_enough: impl Fn(&[Answer<T>]) -> bool,
    ) -> bool {
        if self.came.len() < self.asked {
            self.came.extend(self.coming.recv_timeout(wait));
        }
        self.came.extend(self.coming.try_iter());
        if self.enough_since.is_none() && are_enough(&self.came) {
            self.enough_since = Some(Instant::now());
        }
        let is_late = self
            .enough_since
            .is_some_and(|since| since.elapsed() >= GRACE);
        self.came.len() < self.asked && !is_late
    }

    /// Those that came, by place.
    pub(crate) fn end(mut self) -> Vec<Answer<T>> {
        self.came.sort_by_key(|(place, _)| *place);
        self.came
    }

    /// All answers; once there are enough, those that come without delay.
    pub(crate) fn gather(mut self, are_enough: impl Fn(&[Answer<T>]) -> bool) -> Vec<Answer<T>> {
        while self.are_open(GRACE, &are_enough) {}
        self.end()
    }

    /// Whether a node has answered.
    pub(crate) fn has(&self, place: usize) -> bool {
        self.came.iter().any(|(came, _)| *came == place)
    }
}

/// The first good answer, with its node's place. They are asked in turn, beginning with `first`: the next one once a node
/// fails, or takes longer than `within`. Why each failed, if none has one.
pub(crate) fn ask_in_turn<T: Send + 'static, E: Send + 'static>(
    nodes: &[Remote],
    first: usize,
    within: Duration,
    ask: impl Fn(&Remote) -> Result<T, E> + Send + Sync + 'static,
) -> Result<Answer<T>, Vec<E>> {
    let (answered, coming) = channel();
    let ask = Arc::new(ask);
    let mut why = Vec::new();
    for at in 0..nodes.len() {
        begin(nodes, (first + at) % nodes.len(), &ask, &answered);
        match coming.recv_timeout(within) {
            Ok((place, Ok(found))) => return Ok((place, found)),
            Ok((_, Err(error))) => why.push(error),
            Err(_) => {}
        }
    }
    drop(answered);
    for (place, answer) in coming {
        match answer {
            Ok(found) => return Ok((place, found)),
            Err(error) => why.push(error),
        }
    }
    Err(why)
}

/// Asks a node on a thread of its own, which ends with its answer, whether anybody waits for it or not.
fn begin<T: Send + 'static>(
    nodes: &[Remote],
    place: usize,
    ask: &Arc<impl Fn(&Remote) -> T + Send + Sync + 'static>,
    answered: &Sender<Answer<T>>,
) {
    let Some(node) = nodes.get(place).cloned() else {
        return;
    };
    let (ask, answered) = (Arc::clone(ask), answered.clone());
    thread::spawn(move || {
        // Who has what it needs does not listen any more.
        let _ = answered.send((place, ask(&node)));
    });
}
