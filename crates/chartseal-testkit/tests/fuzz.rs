#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]
//! The fuzzers' seeds, and mutations of them, as an ordinary test.

mod seeds;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use chartseal_testkit::fuzz::{TARGETS, Target};

/// How many mutations each seed is put through.
const MUTATIONS: u64 = 4_000;

#[test]
fn every_seed_is_still_accepted_by_its_decoder() {
    for (name, target) in TARGETS {
        let seeds = seeds_of(name);
        assert!(!seeds.is_empty(), "{name} has no seed");
        for (path, seed) in seeds {
            assert!(target(&seed), "{} is not accepted any more", path.display());
        }
    }
}

#[test]
fn no_cut_flipped_or_spliced_seed_makes_a_decoder_panic_or_gives_other_bytes() {
    for (name, target) in TARGETS {
        let seeds: Vec<Vec<u8>> = seeds_of(name).into_iter().map(|(_, seed)| seed).collect();
        for (at, seed) in seeds.iter().enumerate() {
            let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ at as u64);
            for _ in 0..MUTATIONS {
                let other = &seeds[random.below(seeds.len())];
                run(name, *target, &mutated(seed, other, &mut random));
            }
        }
    }
}

#[test]
fn no_short_input_makes_a_decoder_panic() {
    for (name, target) in TARGETS {
        run(name, *target, &[]);
        for a in 0..=255 {
            run(name, *target, &[a]);
            for b in [
                0x00, 0x17, 0x18, 0x1b, 0x40, 0x5b, 0x80, 0x9b, 0x9f, 0xf6, 0xff, b'"', b'{',
            ] {
                run(name, *target, &[a, b]);
            }
        }
    }
}

#[test]
fn every_target_has_its_fuzzer_of_one_line_and_every_fuzzer_its_target() {
    let fuzz = fuzz_dir();
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        let code = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(
            code.contains(&format!("chartseal_testkit::fuzz::{name}(")),
            "{name}"
        );
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names_in(&fuzz.join("fuzz_targets")), names);
    assert_eq!(names_in(&fuzz.join("seeds")), names);
}

/// After a format was changed on purpose:
/// `cargo test --release -p chartseal-testkit --test fuzz -- --ignored`.
#[test]
#[ignore = "writes the seeds anew"]
fn write_seeds() {
    for (target, name, seed) in seeds::all() {
        let dir = fuzz_dir().join("seeds").join(target);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(name), seed).unwrap();
    }
}

/// Runs a target; if it panics, says on what.
fn run(name: &str, target: Target, input: &[u8]) {
    if catch_unwind(|| target(input)).is_err() {
        let hex: Vec<String> = input.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("{name} panics on {}", hex.concat());
    }
}

/// One to three small changes.
fn mutated(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => bytes
                .splice(at.., other[random.below(other.len() + 1)..].iter().copied())
                .for_each(drop),
            2 => bytes.insert(at, random.next().to_le_bytes()[0]),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 if at < bytes.len() => bytes[at] = bytes[at].wrapping_add(1),
            _ if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ => {}
        }
    }
    bytes
}

/// xorshift64*: the same mutations in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() >> 32).unwrap() % n.max(1)
    }
}

fn seeds_of(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(dir) = fs::read_dir(fuzz_dir().join("seeds").join(target)) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = dir.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn names_in(dir: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    names
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn fuzz_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}
