//! Bodies of 64 MiB: their encryption beside AES-256-GCM itself and beside age, and whole records by one
//! thread and by two.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroUsize;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chartseal_envelope::backend::{Aead, AwsLc, RustCrypto};
use chartseal_envelope::cobblestone::{CHUNK_LEN, ChunkOpener, ChunkSealer, TAG_LEN};
use chartseal_envelope::{
    ContentInfo, ContentKey, CustodianSet, KeySeed, RecordId, RecordInfo, RecordOpener,
    RecordSealer, RecordVersion, SealedStream, SetId, Slots, SubjectId, Suite, SystemRng,
    Threshold,
};

use crate::figure::{Figure, Required, best, in_turns, median, time};

const LEN: usize = 64 << 20;
const MIB: u32 = 64;
const ROUNDS: usize = 15;
/// Whoever disturbs one core of two slows two threads and not one, so a median would tell of them.
const THREADS_ROUNDS: usize = 41;

/// The encryption beside the cipher alone, by either backend.
pub const RAW: [&str; 4] = [
    "peers/bulk-seal-raw",
    "peers/bulk-open-raw",
    "peers/bulk-seal-raw-pure",
    "peers/bulk-open-raw-pure",
];

/// Two threads beside one.
pub const THREADS: [&str; 2] = ["peers/bulk-seal-two-threads", "peers/bulk-open-two-threads"];

/// The encryption beside age, by either backend.
pub const AGE: [&str; 4] = [
    "peers/bulk-seal-age",
    "peers/bulk-open-age",
    "peers/bulk-seal-age-pure",
    "peers/bulk-open-age-pure",
];

/// Chunks with room for their tags, and the tags' place.
struct Chunks<A: Aead> {
    key: ContentKey,
    rng: SystemRng,
    bytes: Vec<u8>,
    opened: Vec<u8>,
    prefix: [u8; 56],
    raw: A,
}

impl<A: Aead> Chunks<A> {
    fn new() -> Result<Self> {
        let mut chunks = Self {
            key: ContentKey::from_bytes([7; 32]),
            rng: SystemRng::new()?,
            bytes: vec![3; LEN / CHUNK_LEN * (CHUNK_LEN + TAG_LEN) + TAG_LEN],
            opened: Vec::new(),
            prefix: [0; 56],
            raw: A::new(&[9; 32]),
        };
        chunks.seal();
        chunks.opened.clone_from(&chunks.bytes);
        Ok(chunks)
    }

    /// A message's chunks, in place.
    fn seal(&mut self) {
        let (mut sealer, prefix) =
            ChunkSealer::<A>::with_backend(&self.key, b"bulk", &mut self.rng);
        self.prefix = prefix;
        let mut chunks = self.bytes.chunks_exact_mut(CHUNK_LEN + TAG_LEN);
        for chunk in &mut chunks {
            if let Some((text, tag)) = chunk.split_last_chunk_mut() {
                *tag = sealer.seal_chunk(text).unwrap_or_default();
            }
        }
        if let Some((text, tag)) = chunks.into_remainder().split_last_chunk_mut() {
            *tag = sealer.seal_last_chunk(text).unwrap_or_default();
        }
    }

    /// The same calls of the cipher, and nothing else.
    fn seal_raw(&mut self) {
        for (place, chunk) in self.bytes.chunks_mut(CHUNK_LEN + TAG_LEN).enumerate() {
            if let Some((text, tag)) = chunk.split_last_chunk_mut() {
                *tag = self.raw.seal_in_place(nonce(place), text);
            }
        }
    }

    /// Opens what was sealed; whether all of it is authentic.
    fn open(&mut self) -> bool {
        let Ok(mut opener) = ChunkOpener::<A>::with_backend(&self.key, b"bulk", &self.prefix)
        else {
            return false;
        };
        let mut chunks = self.opened.chunks_exact_mut(CHUNK_LEN + TAG_LEN);
        let all = (&mut chunks).all(|chunk| {
            let parts = chunk.split_last_chunk_mut();
            parts.is_some_and(|(text, tag)| opener.open_chunk(text, tag).is_ok())
        });
        let last = chunks.into_remainder().split_last_chunk_mut();
        all && last.is_some_and(|(text, tag)| opener.open_last_chunk(text, tag).is_ok())
            && opener.finish().is_ok()
    }

    fn open_raw(&mut self) -> bool {
        let mut chunks = self.opened.chunks_mut(CHUNK_LEN + TAG_LEN).enumerate();
        chunks.all(|(place, chunk)| {
            let parts = chunk.split_last_chunk_mut();
            parts.is_some_and(|(text, tag)| self.raw.open_in_place(nonce(place), text, tag).is_ok())
        })
    }

    /// Sealed by the one or the other, ready to be opened.
    fn ready(&mut self, raw: bool) {
        if raw {
            self.seal_raw()
        } else {
            self.seal()
        }
        self.opened.copy_from_slice(&self.bytes);
    }
}

fn nonce(place: usize) -> [u8; 12] {
    let mut nonce = [0; 12];
    let (_, low) = nonce.split_at_mut(4);
    low.copy_from_slice(&(place as u64).to_be_bytes());
    nonce
}

/// Bodies' encryption beside the cipher alone.
pub fn beside_raw() -> Result<Vec<Figure>> {
    let [seal, open, pure_seal, pure_open] = RAW;
    let mut all = beside_raw_by::<AwsLc>(seal, open, "AES-256-GCM of aws-lc-rs alone")?;
    let other = "AES-256-GCM of aes-gcm alone";
    all.extend(beside_raw_by::<RustCrypto>(pure_seal, pure_open, other)?);
    Ok(all)
}

fn beside_raw_by<A: Aead>(
    seal: &'static str,
    open: &'static str,
    other: &'static str,
) -> Result<Vec<Figure>> {
    let mut ours = Chunks::<A>::new()?;
    let mut theirs = Chunks::<A>::new()?;
    let sealed = in_turns(MIB, || ours.seal(), || theirs.seal_raw());
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.ready(false);
        a.push(checked(|| ours.open())?);
        theirs.ready(true);
        b.push(checked(|| theirs.open_raw())?);
    }
    let opened = (median(a) / f64::from(MIB), median(b) / f64::from(MIB));
    let figure = |id, (ours, theirs)| Figure {
        id,
        ours,
        theirs,
        other,
        unit: "ns/MiB",
        required: Some(Required::Faster(0.85)),
    };
    Ok(vec![figure(seal, sealed), figure(open, opened)])
}

fn checked(work: impl FnOnce() -> bool) -> Result<Duration> {
    let mut holds = false;
    let took = time(|| holds = work());
    if !holds {
        bail!("what was sealed does not open");
    }
    Ok(took)
}

/// Whole records, hash and signature included, from memory to memory.
pub fn two_threads() -> Result<Vec<Figure>> {
    let [seal, open] = THREADS;
    let author = KeySeed::generate()?.signing_key();
    let info = RecordInfo {
        suite: Suite::default(),
        record_id: RecordId::random()?,
        subject: SubjectId([2; 16]),
        version: RecordVersion::FIRST,
        custodians: CustodianSet {
            id: SetId([1; 32]),
            epoch: 1,
            threshold: Threshold::new(3, 4)?,
        },
    };
    let what = ContentInfo {
        media_type: "application/octet-stream",
        attributes: b"",
        len: Some(LEN as u64),
    };
    let (content, two) = (
        vec![5; LEN],
        NonZeroUsize::new(2).context("two is not zero")?,
    );
    let mut body = Vec::with_capacity(LEN + LEN / 8);
    let mut seal_by = |threads: Option<NonZeroUsize>| -> Result<SealedStream> {
        body.clear();
        let sealer = RecordSealer::new(&info, &what, &author)?;
        Ok(match threads {
            None => sealer.seal_stream(content.as_slice(), &mut body)?,
            Some(threads) => sealer.seal_stream_parallel(threads, content.as_slice(), &mut body)?,
        })
    };
    let mut failed = None;
    let mut keep = |result: Result<SealedStream>| {
        failed = result.err().or(failed.take());
    };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..THREADS_ROUNDS {
        a.push(time(|| keep(seal_by(Some(two)))));
        b.push(time(|| keep(seal_by(None))));
    }
    let sealed = (best(&a) / f64::from(MIB), best(&b) / f64::from(MIB));
    let record = seal_by(None)?;
    failed.map_or(Ok(()), Err)?;

    let keys = KeySeed::generate()?.kem_key(info.suite);
    let mut slots = Slots::new(&record.header);
    slots.add(&record.dealer, keys.public_key())?;
    let key = slots.open(&keys, &record.header)?;
    let author = author.verifying_key();
    let mut opened = Vec::with_capacity(LEN);
    let mut open_by = |threads: Option<NonZeroUsize>| -> bool {
        opened.clear();
        let opener = RecordOpener::new(&record.header, &record.seal, &author, &key);
        opener.is_ok_and(|opener| match threads {
            None => opener.open_stream(body.as_slice(), &mut opened).is_ok(),
            Some(threads) => opener
                .open_stream_parallel(threads, body.as_slice(), &mut opened)
                .is_ok(),
        })
    };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..THREADS_ROUNDS {
        a.push(checked(|| open_by(Some(two)))?);
        b.push(checked(|| open_by(None))?);
    }
    let opened = (best(&a) / f64::from(MIB), best(&b) / f64::from(MIB));
    let figure = |id, (ours, theirs)| Figure {
        id,
        ours,
        theirs,
        other: "one thread",
        unit: "ns/MiB",
        required: Some(Required::Faster(1.8)),
    };
    Ok(vec![figure(seal, sealed), figure(open, opened)])
}

/// age, in its own process.
struct Age {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Age {
    fn start(program: &str) -> Result<Self> {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = child.stdin.take().context("age takes no questions")?;
        let answers = child.stdout.take().context("age gives no answers")?;
        Ok(Self {
            child,
            ask,
            answers: BufReader::new(answers),
        })
    }

    /// How long age took to `seal` or `open` 64 MiB.
    fn time(&mut self, what: &str) -> Result<Duration> {
        writeln!(self.ask, "{what}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(Duration::from_nanos(answer.trim().parse()?))
    }
}

impl Drop for Age {
    fn drop(&mut self) {
        // It ends when nobody asks any more; this is for one that hangs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bodies' encryption beside age's, which is a program of its own (`benches/peers-age`).
pub fn beside_age() -> Result<Vec<Figure>> {
    let [seal, open, pure_seal, pure_open] = AGE;
    let program = std::env::var("CHARTSEAL_PEER_AGE").context("CHARTSEAL_PEER_AGE is not set")?;
    let mut age = Age::start(&program)?;
    let mut all = beside_age_by::<AwsLc>(&mut age, seal, open, 3.0)?;
    all.extend(beside_age_by::<RustCrypto>(
        &mut age, pure_seal, pure_open, 1.3,
    )?);
    Ok(all)
}

fn beside_age_by<A: Aead>(
    age: &mut Age,
    seal: &'static str,
    open: &'static str,
    least: f64,
) -> Result<Vec<Figure>> {
    let mut ours = Chunks::<A>::new()?;
    let mut times = [const { Vec::new() }; 4];
    let [a, b, c, d] = &mut times;
    for _ in 0..THREADS_ROUNDS {
        a.push(time(|| ours.seal()));
        b.push(age.time("seal")?);
        ours.opened.copy_from_slice(black_box(&ours.bytes));
        c.push(checked(|| ours.open())?);
        d.push(age.time("open")?);
    }
    let [a, b, c, d] = times.map(|times| median(times) / f64::from(MIB));
    let figure = |id, ours, theirs| Figure {
        id,
        ours,
        theirs,
        other: "age 0.12",
        unit: "ns/MiB",
        required: Some(Required::Faster(least)),
    };
    Ok(vec![figure(seal, a, b), figure(open, c, d)])
}
