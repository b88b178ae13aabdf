//! Sealing and opening streams with several threads.
//!
//! Batches of chunks are ciphered in any order and hashed in their own, by whichever thread is free. The
//! calling thread reads and writes, and does such work itself while it has to wait.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::num::NonZeroUsize;
use std::io::{Read, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
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
    /// As [`seal_stream`](Self::seal_stream), with `threads` threads of which the caller's is one. The
    /// bytes are the same; each thread takes half a MiB of memory.
    ///
    /// # Errors
    /// [`SealStreamError`].
    pub fn seal_stream_parallel(
        mut self,
        threads: NonZeroUsize,
        mut content: impl Read,
        mut body: impl Write,
    ) -> Result<SealedStream, SealStreamError> {
        let keys = self.keys.take().ok_or(ContentError::Aborted)?;
        let mut hasher = BodyHasher::default();
        hasher.update(&self.salted);
        let written = body.write_all(&self.salted);
        written.map_err(SealStreamError::Write)?;
        let work = Work::new(Kind::Seal, keys, hasher, threads);
        let signed = work.with(|work| {
            let mut write = |done: &Done| {
                let written = body.write_all(done.batch.sealed());
                written.map_err(SealStreamError::Write)
            };
            while self.fill_from(&mut content)? {
                work.exchange(&mut self.batch, false, &mut write)?;
            }
            let mut padding = self.padder.padding()?;
            while let Some(mut some) = padding.next() {
                while !some.is_empty() {
                    if self.batch.is_full() {
                        work.exchange(&mut self.batch, false, &mut write)?;
                    }
                    self.batch.take_text(&mut some);
                }
            }
            if self.batch.is_full() {
                work.exchange(&mut self.batch, false, &mut write)?;
            }
            work.exchange(&mut self.batch, true, &mut write)?;
            work.give_all(0, &mut write)?;
            work.digest()
                .ok_or(SealStreamError::from(ContentError::Aborted))
        });
        let (digest, len) = signed?;
        body.flush().map_err(SealStreamError::Write)?;
        Ok(self.signer.sign(digest, len))
    }
}

impl RecordOpener {
    /// As [`open_stream`](Self::open_stream), with `threads` threads of which the caller's is one. Each
    /// takes half a MiB of memory.
    ///
    /// # Errors
    /// [`OpenStreamError`], which says how many bytes were written that must be discarded.
    pub fn open_stream_parallel(
        mut self,
        threads: NonZeroUsize,
        mut body: impl Read,
        content: impl Write,
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
        body: &mut impl Read,
        content: &mut Counted<impl Write>,
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
        let work = Work::new(Kind::Open, keys, hasher, threads);
        work.with(|work| {
            let mut give = |done: &Done| {
                // Before the last of the content leaves.
                if done.is_last
                    && work
                        .digest()
                        .is_none_or(|(digest, _)| digest != self.digest)
                {
                    return Err(OpenError::from(BadSeal::Body).into());
                }
                if let Some(error) = done.error {
                    return Err(OpenError::from(BodyError::from(error)).into());
                }
                let mut texts = done.batch.texts();
                texts.try_for_each(|text| self.unpadder.put(text, &mut |some| content.put(some)))
            };
            while self.left > 0 {
                while self.left > 0 && !self.batch.is_full() {
                    let room = self.batch.room_for_sealed();
                    let most = usize::try_from(self.left).unwrap_or(usize::MAX);
                    let most = most.min(room.len());
                    let len = read(body, room.get_mut(..most).unwrap_or_default());
                    let len = len.map_err(StreamFault::Read)?;
                    if len == 0 {
                        return Err(cut().into());
                    }
                    self.left -= len as u64;
                    self.batch.filled_sealed(len);
                }
                if self.left == 0 {
                    expect_end(body)?;
                }
                work.exchange(&mut self.batch, self.left == 0, &mut give)?;
            }
            work.give_all(0, &mut give)
        })
    }
}

/// The order of a batch's two steps: sealing ciphers and then hashes, opening hashes and then ciphers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Seal,
    Open,
}

/// Batches on their way through several threads: ciphered in any order, hashed and given out in their own.
struct Work {
    kind: Kind,
    keys: MessageKeys,
    threads: usize,
    queue: Mutex<Queue>,
    /// A batch came, or a step of one is done.
    changed: Condvar,
}

struct Queue {
    /// The number of the first of `slots`.
    first: u64,
    slots: VecDeque<Slot>,
    spare: Vec<Batch>,
    /// Gone while a thread hashes.
    hasher: Option<Box<BodyHasher>>,
    is_closed: bool,
}

struct Slot {
    /// Gone while a thread works at it.
    batch: Option<Batch>,
    is_last: bool,
    is_ciphered: bool,
    is_hashed: bool,
    error: Option<CobblestoneError>,
}

struct Done {
    batch: Batch,
    is_last: bool,
    error: Option<CobblestoneError>,
}

enum Step {
    Cipher { is_last: bool },
    Hash(Box<BodyHasher>),
}

impl Work {
    fn new(kind: Kind, keys: MessageKeys, hasher: BodyHasher, threads: NonZeroUsize) -> Self {
        Self {
            kind,
            keys,
            threads: threads.get().min(MAX_THREADS),
            queue: Mutex::new(Queue {
                first: 0,
                slots: VecDeque::new(),
                spare: Vec::new(),
                hasher: Some(Box::new(hasher)),
                is_closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Runs `main` while the other threads work. Where the system gives none, `main` does it all.
    fn with<T>(&self, main: impl FnOnce(&Self) -> T) -> T {
        thread::scope(|scope| {
            for _ in 1..self.threads {
                let spawned = thread::Builder::new().spawn_scoped(scope, || self.run());
                if spawned.is_err() {
                    break;
                }
            }
            let _close = Close(self);
            main(self)
        })
    }

    /// What each of the other threads does.
    fn run(&self) {
        let mut queue = self.lock();
        while !queue.is_closed {
            let (locked, worked) = self.step(queue);
            queue = if worked { locked } else { self.wait(locked) };
        }
    }

    /// Hands a filled batch over and puts an empty one in its place, giving out what is done if there are
    /// too many.
    fn exchange<E>(
        &self,
        batch: &mut Batch,
        is_last: bool,
        give: &mut impl FnMut(&Done) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut queue = self.lock();
        let mut empty = queue.spare.pop().unwrap_or_else(Batch::new);
        empty.restart(batch.next());
        queue.slots.push_back(Slot {
            batch: Some(core::mem::replace(batch, empty)),
            is_last,
            is_ciphered: false,
            is_hashed: false,
            error: None,
        });
        drop(queue);
        self.changed.notify_all();
        self.give_all(2 * self.threads - 1, give)
    }

    /// Gives batches out in their order until `left` are left, working meanwhile.
    fn give_all<E>(
        &self,
        left: usize,
        give: &mut impl FnMut(&Done) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut queue = self.lock();
        while queue.slots.len() > left {
            if let Some(done) = queue.take_done() {
                drop(queue);
                give(&done)?;
                queue = self.lock();
                queue.spare.push(done.batch);
                continue;
            }
            let (locked, worked) = self.step(queue);
            queue = if worked { locked } else { self.wait(locked) };
        }
        Ok(())
    }

    /// Does one step of one batch; whether there was one to do.
    fn step<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> (MutexGuard<'a, Queue>, bool) {
        let Some((number, mut batch, step)) = queue.take_step(self.kind) else {
            return (queue, false);
        };
        drop(queue);
        let mut error = None;
        let hasher = match step {
            Step::Hash(mut hasher) => {
                hasher.update(batch.sealed());
                Some(hasher)
            }
            Step::Cipher { is_last } => {
                match self.kind {
                    Kind::Seal => batch.seal(&self.keys, is_last),
                    Kind::Open => error = batch.open(&self.keys).err(),
                }
                None
            }
        };
        let mut queue = self.lock();
        queue.put_back(number, batch, hasher, error);
        self.changed.notify_all();
        (queue, true)
    }

    /// BLAKE3 of all batches that were hashed, and how many bytes those were.
    fn digest(&self) -> Option<(BodyDigest, u64)> {
        self.lock().hasher.as_ref().map(|hasher| hasher.finish())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let woken = self.changed.wait(queue);
        woken.unwrap_or_else(PoisonError::into_inner)
    }
}

/// More threads than this are no faster.
const MAX_THREADS: usize = 64;

/// Ends the other threads, also when `main` fails.
struct Close<'a>(&'a Work);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_all();
    }
}

impl Queue {
    /// The first batch, if both of its steps are done.
    fn take_done(&mut self) -> Option<Done> {
        let slot = self.slots.front()?;
        if !(slot.is_ciphered && slot.is_hashed && slot.batch.is_some()) {
            return None;
        }
        self.first += 1;
        let slot = self.slots.pop_front()?;
        Some(Done {
            batch: slot.batch?,
            is_last: slot.is_last,
            error: slot.error,
        })
    }

    /// The oldest step that can be done now. Hashing comes first, for it has to be in order.
    fn take_step(&mut self, kind: Kind) -> Option<(u64, Batch, Step)> {
        let mut slots = (self.first..).zip(&mut self.slots);
        let unhashed = slots.find(|(_, slot)| !slot.is_hashed);
        if let Some((number, slot)) = unhashed
            && (kind == Kind::Open || slot.is_ciphered)
            && let Some(hasher) = self.hasher.take_if(|_| slot.batch.is_some())
            && let Some(batch) = slot.batch.take()
        {
            return Some((number, batch, Step::Hash(hasher)));
        }
        for (number, slot) in (self.first..).zip(&mut self.slots) {
            let is_ready = !slot.is_ciphered && (kind == Kind::Seal || slot.is_hashed);
            if let Some(batch) = slot.batch.take_if(|_| is_ready) {
                let is_last = slot.is_last;
                return Some((number, batch, Step::Cipher { is_last }));
            }
        }
        None
    }

    fn put_back(
        &mut self,
        number: u64,
        batch: Batch,
        hasher: Option<Box<BodyHasher>>,
        error: Option<CobblestoneError>,
    ) {
        let place = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        if let Some(slot) = self.slots.get_mut(place) {
            match hasher {
                Some(_) => slot.is_hashed = true,
                None => slot.is_ciphered = true,
            }
            slot.error = slot.error.or(error);
            slot.batch = Some(batch);
        }
        if let Some(hasher) = hasher {
            self.hasher = Some(hasher);
        }
    }
}
