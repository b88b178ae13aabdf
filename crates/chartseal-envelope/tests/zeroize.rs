//! No secret is left in memory once it is dropped.
//!
//! A child process goes through a life of secrets, drops them all, and waits. From outside, through
//! `/proc`, all of its memory is searched: heap, stacks, globals. Everything that the child draws is
//! drawn from a seed, so that this process knows the secrets without being told.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper fails its test"
)]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

use chacha20::ChaCha20Rng;
use chartseal_envelope::*;
use common::{REQUEST, World};
use hkdf::Hkdf;
use sha2::{Digest, Sha512};

/// Names the life that a child leads, and how many steps of it.
const LIFE: &str = "CHARTSEAL_ZEROIZE_LIFE";
const STEPS: &str = "CHARTSEAL_ZEROIZE_STEPS";

/// Secrets by name, as they would stand in memory.
type Secrets = BTreeMap<&'static str, Vec<u8>>;

/// A life: makes secrets, uses them, and drops them all, at its end or after some step.
type Life = fn(&mut Log) -> Option<()>;

const LIVES: [(&str, Life); 2] = [("keys", keys), ("record", record)];

/// How far a life has come, and the secrets that it has met. Only the parent's run writes those down.
struct Log {
    steps: usize,
    until: usize,
    secrets: Option<Secrets>,
}

impl Log {
    /// Notes a secret, where there is somebody who wants to know.
    fn note(&mut self, name: &'static str, secret: impl FnOnce() -> Vec<u8>) {
        if let Some(secrets) = &mut self.secrets {
            secrets.insert(name, secret());
        }
    }

    /// `None` if the life ends here: what was dropped just now is not written over by what would follow.
    fn step(&mut self) -> Option<()> {
        self.steps += 1;
        (self.steps < self.until).then_some(())
    }
}

fn keys(log: &mut Log) -> Option<()> {
    let mut rng = generator();
    overwrite();
    let seed = KeySeed::generate_with_rng(&mut rng);
    log.note("key seed", || seed.expose_bytes().to_vec());
    log.step()?;
    let signing = seed.signing_key();
    log.note("signing key", || signing.expose_secret_bytes().to_vec());
    log.note("signing key's nonce prefix", || {
        Sha512::digest(signing.expose_secret_bytes())[32..].to_vec()
    });
    log.step()?;
    black_box(signing.sign(b"domain and message"));
    log.step()?;
    let kem = seed.kem_key(Suite::default());
    log.note("KEM key", || kem.expose_secret_bytes().to_vec());
    log.step()?;
    let text = secret_text();
    log.note("text", || text.to_vec());
    let text = seal_text_with_rng(kem.public_key(), "test", b"", &text, &mut rng).unwrap();
    log.step()?;
    black_box(open_text(&kem, "test", b"", &text).unwrap());
    log.step()
}

#[inline(never)]
fn generator() -> Box<ChaCha20Rng> {
    Box::new(common::rng(140))
}

#[inline(never)]
fn world() -> Box<World> {
    Box::new(World::new(141, 2, 3))
}

/// Overwrites the stack that a move of the test's own generator left a copy on.
#[inline(never)]
#[expect(
    clippy::large_stack_arrays,
    reason = "the stack is what is overwritten"
)]
fn overwrite() {
    black_box(&mut [0_u8; 64 * 1024]);
}

/// A text that lies nowhere in the program: made when it is asked for, and overwritten by Zeroizing.
fn secret_text() -> zeroize::Zeroizing<Vec<u8>> {
    let mut text = zeroize::Zeroizing::new(vec![0; 200]);
    for (i, byte) in (0_u8..).zip(text.iter_mut()) {
        *byte = i.wrapping_mul(73) ^ black_box(0x5a);
    }
    text
}

fn record(log: &mut Log) -> Option<()> {
    let mut world = world();
    overwrite();
    log.note("author's key", || {
        world.author.expose_secret_bytes().to_vec()
    });
    log.note("custodian's key", || {
        world.custodians[0].expose_secret_bytes().to_vec()
    });
    log.note("reader's key", || {
        world.reader.expose_secret_bytes().to_vec()
    });
    log.step()?;
    let record = {
        let text = secret_text();
        log.note("content", || text.to_vec());
        world.seal(&text)
    };
    log.step()?;
    let deals = world.deal(&[&record.dealer]);
    log.step()?;
    let dealing = record.dealer.dealing();
    let accepted = world.custodians.iter().zip(&deals);
    let accepted = accepted.map(|(keys, d)| accept(keys, d.index(), dealing, d).unwrap());
    let held: Vec<HeldShare> = accepted.collect();
    log.note("share", || {
        let stored = held[0].to_storage_bytes();
        stored[stored.len() - 64..stored.len() - 32].to_vec()
    });
    log.note("salt", || {
        let stored = held[0].to_storage_bytes();
        stored[stored.len() - 32..].to_vec()
    });
    log.step()?;
    black_box(HeldShare::from_storage_bytes(&held[0].to_storage_bytes()).unwrap());
    log.step()?;
    let releases = world.release_each(&held);
    log.step()?;
    let combined = combine(&world.reader, REQUEST, dealing, &releases).unwrap();
    log.note("content key", || combined.key.expose_bytes().to_vec());
    log.step()?;
    let opened = world.open(&record, &combined.key).unwrap();
    log.note("coins", || {
        let header = record.header.digest();
        let plain = cobblestone::open(&combined.key, header.as_bytes(), &record.body).unwrap();
        let mut windows = plain.windows(opened.content().len());
        let content = windows.position(|window| window == opened.content());
        plain[..content.unwrap()]
            .last_chunk::<32>()
            .unwrap()
            .to_vec()
    });
    log.note("body's AES key", || {
        let header = record.header.digest();
        let prk = [&combined.key.expose_bytes()[..], &[0; 32]].concat();
        let mut okm = [0; 44];
        let info: [&[u8]; 3] = [
            b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0",
            &record.body[..24],
            header.as_bytes(),
        ];
        let hkdf = Hkdf::<Sha512>::from_prk(&prk).unwrap();
        hkdf.expand_multi_info(&info, &mut okm).unwrap();
        okm[..32].to_vec()
    });
    log.step()?;
    assert_eq!(audit_deal(&opened, dealing), DealVerdict::Honest);
    log.step()?;
    let mut slots = Slots::new(&record.header);
    let patient = world.reader.public_key();
    slots
        .add_with_rng(&opened, patient, &mut world.rng)
        .unwrap();
    log.step()?;
    black_box(slots.open(&world.reader, &record.header).unwrap());
    log.step()
}

/// What the child keeps on purpose, so that a search that finds nothing is not a blind one.
fn kept() -> Vec<u8> {
    secret_text().iter().map(|byte| byte ^ 0xff).collect()
}

/// Does nothing unless it is a child of the other test.
#[test]
fn child() {
    let Ok(name) = std::env::var(LIFE) else {
        return;
    };
    let (_, life) = LIVES.iter().find(|(life, _)| *life == name).unwrap();
    let until = std::env::var(STEPS).unwrap().parse().unwrap();
    let kept = kept();
    live(*life, until);
    println!("\ndropped");
    std::io::stdout().flush().unwrap();
    // Until the parent has looked.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    black_box(&kept);
}

#[inline(never)]
fn live(life: Life, until: usize) {
    let mut log = Log {
        steps: 0,
        until,
        secrets: None,
    };
    life(&mut log);
}

#[test]
fn dropped_secrets_are_nowhere_in_memory() {
    if std::env::var_os(LIFE).is_some() {
        return;
    }
    let mut left = Vec::new();
    for (name, life) in LIVES {
        let mut log = Log {
            steps: 0,
            until: usize::MAX,
            secrets: Some(Secrets::new()),
        };
        life(&mut log);
        let secrets = log.secrets.unwrap();
        for until in 1..=log.steps {
            for place in search_child(name, until, &secrets) {
                left.push(format!("{name}, step {until}: {place}"));
            }
        }
    }
    assert!(left.is_empty(), "left in memory:\n{}", left.join("\n"));
}

fn search_child(life: &str, steps: usize, secrets: &Secrets) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(LIFE, life)
        .env(STEPS, steps.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "dropped"), "{life}");
    let mut control = Secrets::new();
    control.insert("control", kept());
    let found = search(child.id(), &control);
    let left = search(child.id(), secrets);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success(), "{life}");
    assert!(!found.is_empty(), "a secret that was kept was not found");
    left
}

/// Where any half of a secret stands in the memory of a process.
fn search(process: u32, secrets: &Secrets) -> Vec<String> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut found = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        let name = words.nth(3).unwrap_or("anonymous");
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // What can't be read: guard pages, and the kernel's own.
        if !rights.starts_with('r') || memory.read_exact_at(&mut bytes, start).is_err() {
            continue;
        }
        for (secret, parts) in secrets
            .iter()
            .map(|(name, secret)| (name, secret.chunks_exact(16)))
        {
            for part in parts {
                for at in places(&bytes, part) {
                    found.push(format!(
                        "{secret} at {:x} in {name} ({range})",
                        start + at as u64
                    ));
                }
            }
        }
    }
    found
}

fn places(bytes: &[u8], part: &[u8]) -> Vec<usize> {
    let first = part[0];
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == first);
    starts
        .map(|(at, _)| at)
        .filter(|at| bytes[*at..].starts_with(part))
        .collect()
}
