//! Asking several nodes, so that nobody waits for one that hangs: it takes a question and never answers.

use std::slice;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a node may take before another one is asked too, and how long others may take once enough have answered.
pub(crate) const GRACE: Duration = Duration::from_millis(200);
/// How long others may take to give their shares, once there are enough: those whose receipts are in the same block do so
/// at about the same time. Whoever needs another block files its receipt all the same, and nobody waits for it.
pub(crate) const TOGETHER: Duration = Duration::from_millis(5);
/// How long others may take if all that come are wanted.
pub(crate) const LONG_GRACE: Duration = Duration::from_secs(5);

/// A node's place among those that were asked, and its answer.
type Answer<T> = (usize, T);

/// What many nodes answer.
#[derive(Debug)]
pub(crate) struct Answers<T> {
    coming: Receiver<Answer<T>>,
    asked: usize,
    came: Vec<Answer<T>>,
    grace: Duration,
    enough_since: Option<Instant>,
}

impl<T: Send + 'static> Answers<T> {
    /// Asks all at a time.
    pub(crate) fn of<N: Clone + Send + 'static>(
        nodes: &[N],
        ask: impl Fn(&N) -> T + Send + Sync + 'static,
    ) -> Self {
        let (answered, coming) = channel();
        let ask = Arc::new(ask);
        for place in 0..nodes.len() {
            begin(nodes, place, &ask, &answered);
        }
        Self {
            coming,
            asked: nodes.len(),
            came: Vec::new(),
            grace: GRACE,
            enough_since: None,
        }
    }

    /// As much time for those that are late, once there are enough, in the place of [`GRACE`].
    pub(crate) fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Takes what came within `wait`. Whether more is worth waiting for: not all have answered, and those that did are not
    /// enough, or were so only now.
    pub(crate) fn are_open(
        &mut self,
        wait: Duration,
        are_enough: impl Fn(&[Answer<T>]) -> bool,
    ) -> bool {
        if self.came.len() < self.asked {
            let left = self
                .enough_since
                .map_or(wait, |since| self.grace.saturating_sub(since.elapsed()));
            self.came.extend(self.coming.recv_timeout(wait.min(left)));
        }
        self.came.extend(self.coming.try_iter());
        if self.enough_since.is_none() && are_enough(&self.came) {
            self.enough_since = Some(Instant::now());
        }
        let is_late = self
            .enough_since
            .is_some_and(|since| since.elapsed() >= self.grace);
        self.came.len() < self.asked && !is_late
    }

    /// Whether those that came were enough.
    pub(crate) fn are_enough(&self) -> bool {
        self.enough_since.is_some()
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
pub(crate) fn ask_in_turn<N: Clone + Send + 'static, T: Send + 'static, E: Send + 'static>(
    nodes: &[N],
    first: usize,
    within: Duration,
    ask: impl Fn(&N) -> Result<T, E> + Send + Sync + 'static,
) -> Result<Answer<T>, Vec<E>> {
    ask_in_turn_until(nodes, first, within, Duration::MAX, ask)
}

/// As [`ask_in_turn`]; once all are asked, those that take longer than `late` are waited for no more.
pub(crate) fn ask_in_turn_until<N: Clone + Send + 'static, T: Send + 'static, E: Send + 'static>(
    nodes: &[N],
    first: usize,
    within: Duration,
    late: Duration,
    ask: impl Fn(&N) -> Result<T, E> + Send + Sync + 'static,
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
    let all_asked = Instant::now();
    while let Ok((place, answer)) = coming.recv_timeout(late.saturating_sub(all_asked.elapsed())) {
        match answer {
            Ok(found) => return Ok((place, found)),
            Err(error) => why.push(error),
        }
    }
    Err(why)
}

/// A node's answer; `None` if it takes longer than `within`.
pub(crate) fn ask_within<N: Clone + Send + 'static, T: Send + 'static>(
    node: &N,
    within: Duration,
    ask: impl Fn(&N) -> T + Send + Sync + 'static,
) -> Option<T> {
    let mut answers = Answers::of(slice::from_ref(node), ask);
    answers.are_open(within, |_| false);
    answers.end().pop().map(|(_, answer)| answer)
}

/// Asks a node on a thread of its own, which ends with its answer, whether anybody waits for it or not.
fn begin<N: Clone + Send + 'static, T: Send + 'static>(
    nodes: &[N],
    place: usize,
    ask: &Arc<impl Fn(&N) -> T + Send + Sync + 'static>,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a node does with a question.
    #[derive(Clone)]
    enum Does {
        Answer(u8),
        Fail(u8),
        Hang,
    }

    fn ask(does: &Does) -> Result<u8, u8> {
        match does {
            Does::Answer(answer) => Ok(*answer),
            Does::Fail(why) => Err(*why),
            Does::Hang => loop {
                thread::park();
            },
        }
    }

    fn in_turn(nodes: &[Does], first: usize) -> Result<(usize, u8), Vec<u8>> {
        ask_in_turn(nodes, first, Duration::from_millis(5), ask)
    }

    #[test]
    fn the_first_good_answer_counts_whoever_fails_or_hangs_before() {
        use Does::{Answer, Fail, Hang};
        let patient = |nodes: &[Does], first| ask_in_turn(nodes, first, Duration::MAX, ask);
        assert_eq!(patient(&[Answer(1), Answer(2)], 1), Ok((1, 2)));
        assert_eq!(patient(&[Answer(1), Fail(2)], 1), Ok((0, 1)));
        assert_eq!(in_turn(&[Hang, Hang, Fail(3), Answer(4)], 0), Ok((3, 4)));
        assert_eq!(in_turn(&[Answer(1), Hang], 1), Ok((0, 1)));
        assert_eq!(in_turn(&[Fail(1), Fail(2), Fail(3)], 2), Err(vec![3, 1, 2]));
        assert_eq!(in_turn(&[], 0), Err(Vec::new()));
        // Nobody waits for ever, if that is not wanted.
        let within = Duration::from_millis(5);
        let hasty = ask_in_turn_until(&[Fail(1), Hang, Fail(3)], 0, within, within, ask);
        assert_eq!(hasty, Err(vec![1, 3]));
    }

    #[test]
    fn once_there_are_enough_nobody_waits_for_one_that_hangs() {
        use Does::{Answer, Fail, Hang};
        let two = |came: &[(usize, Result<u8, u8>)]| {
            came.iter().filter(|(_, answer)| answer.is_ok()).count() >= 2
        };
        let answers = Answers::of(&[Answer(1), Hang, Fail(3), Answer(4)], ask).gather(two);
        assert_eq!(answers, [(0, Ok(1)), (2, Err(3)), (3, Ok(4))]);
        // Of those that answer at all, all are heard, enough or not.
        let answers = Answers::of(&[Fail(1), Fail(2), Answer(3)], ask).gather(two);
        assert_eq!(answers, [(0, Err(1)), (1, Err(2)), (2, Ok(3))]);
        let nobody: [Does; 0] = [];
        assert_eq!(Answers::of(&nobody, ask).gather(two), []);
    }
}
