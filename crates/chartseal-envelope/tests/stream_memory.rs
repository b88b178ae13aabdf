//! Streams take constant memory. A program of its own, for what else runs in a process takes memory too.
//!
//! 10 GB with `CHARTSEAL_LONG=1`, else 192 MiB.
#![cfg(all(feature = "std", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

mod common;

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use chartseal_envelope::*;
use common::{REQUEST, World};

/// What the process may take more than before, in KiB.
const MOST: u64 = 4 * 1024;

/// So many bytes that do not repeat by chunk, hashed as they go.
struct Source {
    left: u64,
    hasher: blake3::Hasher,
}

impl Read for Source {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let len = to.len().min(usize::try_from(self.left).unwrap());
        for (byte, place) in to[..len].iter_mut().zip(0_u8..=250) {
            *byte = place;
        }
        // The rest of a large piece is what it was before; that differs too.
        self.left -= len as u64;
        self.hasher.update(&to[..len]);
        Ok(len)
    }
}

struct Sink(blake3::Hasher);

impl Write for Sink {
    fn write(&mut self, some: &[u8]) -> io::Result<usize> {
        self.0.update(some);
        Ok(some.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A field of the process's status, in KiB.
fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// How far the process's memory rises above what it is now, in KiB.
fn rise<T>(what: &str, work: impl FnOnce() -> T) -> T {
    // Sets the high-water mark back to what is resident now.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS:");
    let start = std::time::Instant::now();
    let result = work();
    let rise = status("VmHWM:").saturating_sub(before);
    eprintln!("{what}: {rise} KiB, {:.1} s", start.elapsed().as_secs_f64());
    assert!(rise <= MOST, "{what}: {rise} KiB");
    result
}

fn seal_all(len: u64, announced: bool, body: impl Write) -> (SealedStream, blake3::Hash) {
    let mut world = World::new(230, 2, 2);
    let content = ContentInfo {
        media_type: "application/octet-stream",
        attributes: b"",
        len: announced.then_some(len),
    };
    let mut source = Source {
        left: len,
        hasher: blake3::Hasher::new(),
    };
    let record = world.info();
    let sealer = RecordSealer::new_with_rng(&record, &content, &world.author, &mut world.rng);
    let stream = sealer.unwrap().seal_stream(&mut source, body).unwrap();
    (stream, source.hasher.finalize())
}

#[test]
fn ten_gigabytes_pass_through_four_mebibytes() {
    streams();
    // Not a test of its own: tests of one program may run at once.
    ranges();
}

fn streams() {
    let is_long = std::env::var_os("CHARTSEAL_LONG").is_some();
    let len: u64 = if is_long { 10_000_000_000 } else { 192 << 20 };
    let mut world = World::new(230, 2, 2);
    let author = world.author.verifying_key();
    // Once with little, so that what is set up once is there.
    seal_all(1000, true, io::sink());
    for announced in [true, false] {
        let (sealed, digest) = rise("sealing", || seal_all(len, announced, io::sink()));
        let held = world.hold(&sealed.dealer);
        let releases = world.release_each(&held);
        let combined = combine(&world.reader, REQUEST, sealed.dealer.dealing(), &releases);
        let key = combined.unwrap().key;

        // The same generator seals the same bytes again, now into a pipe.
        let (from, to) = io::pipe().unwrap();
        let opener = RecordOpener::new(&sealed.header, &sealed.seal, &author, &key).unwrap();
        let mut sink = Sink(blake3::Hasher::new());
        let info = rise("sealing and opening", || {
            std::thread::scope(|scope| {
                scope.spawn(|| seal_all(len, announced, to));
                opener.open_stream(from, &mut sink)
            })
        });
        assert_eq!(info.unwrap().content_len(), len);
        assert_eq!(sink.0.finalize(), digest);
    }
}

fn ranges() {
    let len = 64 << 20;
    let path = std::env::temp_dir().join(format!("chartseal-range-{}", std::process::id()));
    let file = std::fs::File::create_new(&path).unwrap();
    let (sealed, _) = seal_all(len, false, BufWriter::new(file));
    let mut world = World::new(230, 2, 2);
    let held = world.hold(&sealed.dealer);
    let releases = world.release_each(&held);
    let combined = combine(&world.reader, REQUEST, sealed.dealer.dealing(), &releases);
    let key = combined.unwrap().key;
    let file = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    rise("random access", || {
        let author = world.author.verifying_key();
        let reader = BodyReader::new(&sealed.header, &sealed.seal, &author, &key, file);
        let mut reader = reader.unwrap();
        let mut some = [0; 1000];
        for at in (0..len - 1000).step_by(1 << 20) {
            reader.seek(SeekFrom::Start(at)).unwrap();
            reader.read_exact(&mut some).unwrap();
        }
    });
}
