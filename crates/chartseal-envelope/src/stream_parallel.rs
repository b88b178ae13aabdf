//! Sealing and opening streams with several threads.
//!
//! Each thread takes a batch of chunks through all steps, so that it stays in one core's cache. Reading,
//! hashing and writing have an order, and are done by one thread at a time; ciphering has none.

use core::hint;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicU64, Ordering};
use std::io::{Read, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;

use rand_core::CryptoRng;

use crate::CobblestoneError;
use crate::batch::{Batch, BodyHasher};
use crate::body::{BodyError, ContentError};
use crate::cobblestone::MessageKeys;
use crate::id::BodyDigest;
use crate::opened::OpenedInfo;
use crate::record::{BadSeal, OpenError};
use crate::stream::{RecordOpener, RecordSealer, SealedStream, cut};
use crate::stream_io::{Counted, OpenStreamError, SealStreamError, StreamFault, expect_end, read};

impl<R: CryptoRng> RecordSealer<'_, R> {
    /// As [`seal_stream`](Self::seal_stream), with `threads` threads of which the caller's is one, each of
    /// which reads and writes. The bytes are the same; each thread takes a quarter of a MiB of memory.
    ///
    /// # Errors
    /// [`SealStreamError`].
    pub fn seal_stream_parallel(
        mut self,
        threads: NonZeroUsize,
        mut content: impl Read + Send,
        mut body: impl Write + Send,
    ) -> Result<SealedStream, SealStreamError> {
        let keys = self.keys.take().ok_or(ContentError::Aborted)?;
        let mut hasher = BodyHasher::default();
        hasher.update(&self.salted);
        let written = body.write_all(&self.salted);
        written.map_err(SealStreamError::Write)?;
        let (mut begun, mut padding) = (Some(self.batch), None);
        let fill = |batch: &mut Batch| {
            if let Some(begun) = begun.take() {
                *batch = begun;
            }
            if padding.is_none() {
                if self.padder.fill_from(&mut content, batch)? {
                    return Ok(true);
                }
                padding = Some(self.padder.padding()?);
            }
            Ok(padding.as_mut().is_some_and(|padding| padding.fill(batch)))
        };
        let mut whole = None;
        let give = |done: Done<'_>| {
            whole = done.digest;
            let written = body.write_all(done.batch.sealed());
            written.map_err(SealStreamError::Write)
        };
        Relay::new(Kind::Seal, keys, hasher, fill, give).run_by(threads)?;
        let (digest, len) = whole.ok_or(ContentError::Aborted)?;
        body.flush().map_err(SealStreamError::Write)?;
        Ok(self.signer.sign(digest, len))
    }
}

impl RecordOpener {
    /// As [`open_stream`](Self::open_stream), with `threads` threads of which the caller's is one, each of
    /// which reads and writes, and takes a quarter of a MiB of memory.
    ///
    /// # Errors
    /// [`OpenStreamError`], which says how many bytes were written that must be discarded.
    pub fn open_stream_parallel(
        mut self,
        threads: NonZeroUsize,
        mut body: impl Read + Send,
        content: impl Write + Send,
    ) -> Result<OpenedInfo, OpenStreamError> {
        let mut content = Counted::new(content);
        let opened = self.open_with(threads, &mut body, &mut content);
        let opened = opened.and_then(|()| self.unpad(|some| content.put(some)));
        let opened = opened.and_then(|info| content.flush().map(|()| info));
        opened.map_err(|why| content.failed(why))
    }

    /// Opens all of the body; what may be padding is not given yet.
    fn open_with(
        &mut self,
        threads: NonZeroUsize,
        body: &mut (impl Read + Send),
        content: &mut Counted<impl Write + Send>,
    ) -> Result<(), StreamFault> {
        let (keys, hasher) = loop {
            if let Some(ready) = self.take_keys() {
                break ready;
            }
            let len = read(body, self.room()).map_err(StreamFault::Read)?;
            if len == 0 {
                return Err(cut().into());
            }
            self.filled(len, &mut |_| Ok::<_, StreamFault>(()))?;
        };
        let (left, unpadder, digest) = (&mut self.left, &mut self.unpadder, self.digest);
        let fill = |batch: &mut Batch| {
            while *left > 0 && !batch.is_full() {
                let room = batch.room_for_sealed();
                let most = usize::try_from(*left).unwrap_or(usize::MAX);
                let most = most.min(room.len());
                let len = read(body, room.get_mut(..most).unwrap_or_default());
                let len = len.map_err(StreamFault::Read)?;
                if len == 0 {
                    return Err(cut().into());
                }
                *left -= len as u64;
                batch.filled_sealed(len);
            }
            if *left == 0 {
                expect_end(body)?;
            }
            Ok(*left > 0)
        };
        let give = |done: Done<'_>| {
            // Before the last of the content leaves.
            if done.digest.is_some_and(|(found, _)| found != digest) {
                return Err(OpenError::from(BadSeal::Body).into());
            }
            if let Some(error) = done.error {
                return Err(OpenError::from(BodyError::from(error)).into());
            }
            let mut texts = done.batch.texts();
            texts.try_for_each(|text| unpadder.put(text, &mut |some| content.put(some)))
        };
        Relay::new(Kind::Open, keys, hasher, fill, give).run_by(threads)
    }
}

/// The order of a batch's two steps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Ciphers, then hashes.
    Seal,
    /// Hashes, then ciphers.
    Open,
}

/// A batch that went through all steps.
struct Done<'a> {
    batch: &'a Batch,
    /// With the last batch: BLAKE3 of all, and how many bytes those were.
    digest: Option<(BodyDigest, u64)>,
    error: Option<CobblestoneError>,
}

/// More threads than this are no faster.
const MAX_THREADS: usize = 64;

/// Batches on their way through several threads.
struct Relay<F, G, E> {
    kind: Kind,
    keys: MessageKeys,
    source: Mutex<Source<F>>,
    hasher: InTurn<BodyHasher>,
    sink: InTurn<Sink<G, E>>,
}

/// What fills batches and says whether there are more, until the last or one that fails.
struct Source<F> {
    fill: F,
    number: u64,
    /// The place of the next batch's first chunk.
    chunk: u64,
    is_over: bool,
}

/// What gives batches out, until one fails.
struct Sink<G, E> {
    give: G,
    error: Option<E>,
}

impl<F, G, E> Relay<F, G, E>
where
    F: FnMut(&mut Batch) -> Result<bool, E> + Send,
    G: FnMut(Done<'_>) -> Result<(), E> + Send,
    E: Send,
{
    fn new(kind: Kind, keys: MessageKeys, hasher: BodyHasher, fill: F, give: G) -> Self {
        Self {
            kind,
            keys,
            source: Mutex::new(Source {
                fill,
                number: 0,
                chunk: 0,
                is_over: false,
            }),
            hasher: InTurn::new(hasher),
            sink: InTurn::new(Sink { give, error: None }),
        }
    }

    /// Fewer threads if the system gives no more; the caller's is one.
    fn run_by(self, threads: NonZeroUsize) -> Result<(), E> {
        thread::scope(|scope| {
            for _ in 1..threads.get().min(MAX_THREADS) {
                let spawned = thread::Builder::new().spawn_scoped(scope, || self.run());
                if spawned.is_err() {
                    break;
                }
            }
            self.run();
        });
        self.sink.into_inner().error.map_or(Ok(()), Err)
    }

    /// What each thread does: one batch after the other.
    fn run(&self) {
        let mut guard = StopOnDrop(Some(self));
        let mut batch = Batch::new();
        while let Some((number, filled)) = self.fill(&mut batch) {
            let passed = match filled {
                Ok(is_more) => self.pass(number, &mut batch, !is_more),
                Err(error) => self.sink.take(number, |sink| {
                    sink.error = Some(error);
                    None
                }),
            };
            if passed.is_none() {
                return;
            }
        }
        guard.0 = None;
    }

    /// The next batch's number, and whether there are more behind it.
    fn fill(&self, batch: &mut Batch) -> Option<(u64, Result<bool, E>)> {
        let mut source = lock(&self.source);
        if source.is_over {
            return None;
        }
        batch.restart(source.chunk);
        let filled = (source.fill)(batch);
        source.is_over = !matches!(filled, Ok(true));
        source.chunk = batch.next();
        source.number += 1;
        Some((source.number - 1, filled))
    }

    /// Takes a batch through all steps; none if one fails or all was stopped.
    fn pass(&self, number: u64, batch: &mut Batch, is_last: bool) -> Option<()> {
        let hash = |batch: &Batch| {
            self.hasher.take(number, |hasher| {
                hasher.update(batch.sealed());
                Some(is_last.then(|| hasher.finish()))
            })
        };
        let (digest, error) = match self.kind {
            Kind::Seal => {
                batch.seal(&self.keys, is_last);
                (hash(batch)?, None)
            }
            Kind::Open => (hash(batch)?, batch.open(&self.keys).err()),
        };
        self.sink.take(number, |sink| {
            let done = Done {
                batch,
                digest,
                error,
            };
            sink.error = (sink.give)(done).err();
            sink.error.is_none().then_some(())
        })
    }
}

impl<F, G, E> Relay<F, G, E> {
    fn stop(&self) {
        lock(&self.source).is_over = true;
        self.hasher.stop();
        self.sink.stop();
    }
}

/// Stops all threads when one fails, or panics in a caller's reader or writer: the others would wait for ever.
struct StopOnDrop<'a, F, G, E>(Option<&'a Relay<F, G, E>>);

impl<F, G, E> Drop for StopOnDrop<'_, F, G, E> {
    fn drop(&mut self) {
        if let Some(relay) = self.0 {
            relay.stop();
        }
    }
}

/// What threads use one at a time, in the order of their numbers.
struct InTurn<T> {
    what: Mutex<T>,
    /// Whose turn it is; [`OVER`] when all was stopped.
    turn: AtomicU64,
    /// Held while the turn changes, so that nobody falls asleep meanwhile.
    changing: Mutex<()>,
    changed: Condvar,
}

/// No batch has this number.
const OVER: u64 = u64::MAX;

impl<T> InTurn<T> {
    fn new(what: T) -> Self {
        Self {
            what: Mutex::new(what),
            turn: AtomicU64::new(0),
            changing: Mutex::new(()),
            changed: Condvar::new(),
        }
    }

    /// Waits for the turn of `number`; none if all was stopped. Work that gives none was the last: whoever
    /// waits for the next turn must not have it before its own thread stops the others.
    fn take<R>(&self, number: u64, work: impl FnOnce(&mut T) -> Option<R>) -> Option<R> {
        if self.wait_for(number) == OVER {
            return None;
        }
        let worked = work(&mut *lock(&self.what));
        let is_over = |turn| turn == OVER || worked.is_none();
        self.change(|turn| if is_over(turn) { OVER } else { number + 1 });
        worked
    }

    /// The turn, once it is `number`'s or nobody's any more.
    fn wait_for(&self, number: u64) -> u64 {
        let turn = || {
            let turn = self.turn.load(Ordering::Acquire);
            (turn == number || turn == OVER).then_some(turn)
        };
        soon(turn).unwrap_or_else(|| {
            let mut changing = lock(&self.changing);
            loop {
                if let Some(turn) = turn() {
                    return turn;
                }
                let woken = self.changed.wait(changing);
                changing = woken.unwrap_or_else(PoisonError::into_inner);
            }
        })
    }

    fn stop(&self) {
        self.change(|_| OVER);
    }

    fn change(&self, to: impl FnOnce(u64) -> u64) {
        let changing = lock(&self.changing);
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(to(turn), Ordering::Release);
        drop(changing);
        self.changed.notify_all();
    }

    fn into_inner(self) -> T {
        let what = self.what.into_inner();
        what.unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    let locked = soon(|| match mutex.try_lock() {
        Ok(locked) => Some(locked),
        Err(TryLockError::Poisoned(locked)) => Some(locked.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    });
    locked.unwrap_or_else(|| mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Tries for as long as a step of a batch takes: to sleep and be woken takes as long.
fn soon<T>(mut try_it: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..200 {
        for _ in 0..20 {
            if let Some(done) = try_it() {
                return Some(done);
            }
            hint::spin_loop();
        }
        // To a thread that has work, if there are more threads than cores.
        thread::yield_now();
    }
    None
}
