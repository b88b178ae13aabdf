//! `chartseal key`, `seal`, `open`, `deal`, `release`, `combine`, `inspect`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use tempfile::TempDir;

use crate::support::{Ran, chartseal, names};

const REQUEST: &str = "7777777777777777777777777777777777777777777777777777777777777777";
const TEXT: &[u8] = b"HbA1c 5.4 %, fasting";

/// A folder with an author, a reader and three custodians.
struct World(TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        world.write("password", b"correct horse\nbattery staple\n");
        for name in ["author", "reader", "c1", "c2", "c3"] {
            let ran = world.run(&format!(
                "key new --out {name}.key --password-file password"
            ));
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        }
        world
    }

    /// With a record for the reader and two of three custodians.
    fn sealed() -> Self {
        let world = Self::new();
        world.write("text", TEXT);
        let ran = world.seal("text --out record");
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        world
    }

    fn seal(&self, more: &str) -> Ran {
        self.run_on(TEXT, &seal_words(more))
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn run(&self, words: &str) -> Ran {
        self.run_on(b"", words)
    }

    fn run_on(&self, stdin: &[u8], words: &str) -> Ran {
        self.output(stdin, words).into()
    }

    /// What it gives on these words, in the world's folder.
    fn output(&self, stdin: &[u8], words: &str) -> Output {
        let mut command = chartseal();
        command
            .args(words.split_whitespace())
            .current_dir(self.0.path());
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that stops early closes the pipe; its exit says why.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        child.wait_with_output().unwrap()
    }

    fn open(&self, more: &str) -> Ran {
        self.run(&format!(
            "open record --key reader.key --password-file password --slots slots --author author.pub {more}"
        ))
    }
}

fn seal_words(more: &str) -> String {
    format!(
        "seal {more} --author author.key --password-file password --custodian c1.pub --custodian c2.pub \
         --custodian c3.pub --threshold 2 --deals deals --slot reader.pub --slots slots --media-type text/plain"
    )
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = if at < bytes.len() {
        at
    } else {
        bytes.len() - 1
    };
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_record_goes_from_its_author_to_a_reader_with_a_slot() {
    let world = World::sealed();
    let ran = world.open("");
    assert_eq!(
        (ran.code, ran.stdout.as_bytes(), ran.stderr.as_str()),
        (0, TEXT, "")
    );
    let ran = world.open("--range 6..11");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "5.4 %"));
    let ran = world.open("--out out.txt");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(world.read("out.txt"), TEXT);
}

#[test]
fn a_record_goes_through_pipes() {
    let world = World::new();
    let sealed = world.output(TEXT, &seal_words("-"));
    assert!(sealed.status.success() && sealed.stderr.is_empty());
    let record = sealed.stdout;
    assert!(record.starts_with(b"chartseal/record/1\n"));
    let open = "open - --key reader.key --password-file password --slots slots --author author.pub";
    let ran = world.run_on(&record, open);
    assert_eq!(
        (ran.code, ran.stdout.as_bytes(), ran.stderr.as_str()),
        (0, TEXT, "")
    );
    // Cut on its way: nothing comes out.
    let ran = world.run_on(&record[..record.len() - 1], open);
    assert!(ran.error().starts_with("stdin: "), "{}", ran.stderr);
}

fn release(world: &World, custodian: u8) -> Ran {
    world.run(&format!(
        "release deals/deal-{custodian} --record record --request {REQUEST} --key c{custodian}.key \
         --password-file password --to reader.pub --out r{custodian}"
    ))
}

fn combine(world: &World, releases: &str) -> Ran {
    let custodians = "--custodian c1.pub --custodian c2.pub --custodian c3.pub";
    combine_of(world, &format!("{releases} {custodians}"))
}

fn combine_of(world: &World, releases: &str) -> Ran {
    world.run(&format!(
        "combine {releases} --record record --request {REQUEST} --key reader.key --password-file password --out combined"
    ))
}

#[test]
fn custodians_release_and_the_reader_combines() {
    let world = World::sealed();
    for custodian in [1, 3] {
        let ran = release(&world, custodian);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    }
    let ran = combine(&world, "r1");
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("1 of 2 needed shares; none from custodian 2, 3 (CS-ENV-60)"),
        "{}",
        ran.stderr
    );
    assert!(!world.path("combined").exists());

    let ran = combine(&world, "r1 r3");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    fs::rename(world.path("combined"), world.path("slots")).unwrap();
    assert_eq!(world.open("").stdout.as_bytes(), TEXT);
}

#[test]
fn a_custodian_whose_release_is_damaged_is_named() {
    let world = World::sealed();
    for custodian in [1, 2, 3] {
        assert_eq!(release(&world, custodian).code, 0);
    }
    flip(&world.path("r2"), usize::MAX);
    let ran = combine(&world, "r1 r2 r3");
    assert_eq!(ran.code, 0);
    assert!(
        ran.stderr
            .ends_with("left out r2: custodian 2 did not sign it\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_release_that_another_than_its_custodian_signed_is_left_out() {
    let world = World::sealed();
    for custodian in [1, 2] {
        assert_eq!(release(&world, custodian).code, 0);
    }
    // The custodians in another order: each then signed for the other.
    let ran = combine_of(
        &world,
        "r1 r2 --custodian c2.pub --custodian c1.pub --custodian c3.pub",
    );
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("left out r1: custodian 1 did not"));
    let ran = combine_of(&world, "r1 r2 --custodian c1.pub --custodian c2.pub");
    assert!(
        ran.error()
            .contains("2 public keys of custodians, should be 3"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_record_is_dealt_again_to_others() {
    let world = World::sealed();
    let deal = |more: &str| {
        world.run(&format!(
            "deal record --key reader.key --password-file password --slots slots --author author.pub {more}"
        ))
    };
    let ran = deal(
        "--custodian c2.pub --custodian c3.pub --threshold 2 --epoch 1 --deals again --dealing dealing",
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(names(&world.path("again")), ["deal-1", "deal-2"]);
    for (index, custodian) in [(1, "c2"), (2, "c3")] {
        let ran = world.run(&format!(
            "release again/deal-{index} --record record --dealing dealing --request {REQUEST} --key {custodian}.key \
             --password-file password --to reader.pub --out r{index}"
        ));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    }
    // Shares of the new deal are of no use in the old one.
    assert_eq!(combine(&world, "r1 r2").code, 2);
    let others = "r1 r2 --dealing dealing --custodian c2.pub --custodian c3.pub";
    assert_eq!(combine_of(&world, others).code, 0);

    // The first deal, once more.
    let ran = deal("--custodian c1.pub --custodian c2.pub --custodian c3.pub --deals resent");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(names(&world.path("resent")), ["deal-1", "deal-2", "deal-3"]);
}

#[test]
fn what_is_damaged_is_refused_and_nothing_is_left() {
    let world = World::sealed();
    let record = world.read("record");
    // In the header, in the body, in the signature.
    for at in [30, record.len() / 2, record.len() - 10] {
        world.write("record", &record);
        flip(&world.path("record"), at);
        let ran = world.open("--out out.txt");
        assert!([1, 3].contains(&ran.code), "{at}: {}", ran.stderr);
        assert!(ran.stderr.contains("(CS-ENV-"), "{at}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    world.write("record", &record);
    for name in ["slots", "reader.key"] {
        let good = world.read(name);
        flip(&world.path(name), good.len() / 2);
        let ran = world.open("--out out.txt");
        assert!([1, 3].contains(&ran.code), "{name}: {}", ran.stderr);
        world.write(name, &good);
    }
    flip(&world.path("deals/deal-1"), usize::MAX);
    let ran = release(&world, 1);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("(CS-ENV-54)"), "{}", ran.stderr);
    for left in names(world.0.path()) {
        assert!(
            !left.starts_with('.') && left != "out.txt" && left != "r1",
            "{left}"
        );
    }
    assert_eq!(world.open("").code, 0);
}

#[test]
fn keys_are_encrypted_and_never_overwritten() {
    let world = World::new();
    let key = world.read("author.key");
    let ran = world.run("key new --out author.key --password-file password");
    assert!(ran.error().ends_with("author.key: it exists already"));
    assert_eq!(world.read("author.key"), key);
    world.write("wrong", b"another\n");
    let ran = world.run("key show author.key --password-file wrong");
    assert!(
        ran.error()
            .ends_with("wrong password, or the file was altered (CS-ENV-83)")
    );
    let shown = world.run("key show author.key --password-file password");
    let public = world.run("key show author.pub");
    assert_eq!((shown.code, public.code), (0, 0));
    assert_eq!(shown.stdout, public.stdout);
    // Without a terminal there is nobody to ask.
    world.write("empty", b"\n");
    let ran = world.run("key new --out other.key --password-file empty");
    assert!(ran.error().contains("password is empty"));
}

#[test]
fn every_object_is_shown_without_a_key() {
    let world = World::sealed();
    assert_eq!(release(&world, 1).code, 0);
    let kinds = [
        ("record", "record"),
        ("slots", "slots"),
        ("deals/deal-1", "deal"),
        ("r1", "release"),
        ("author.pub", "identity"),
        ("author.key", "key"),
    ];
    for (file, kind) in kinds {
        let ran = world.run(&format!("inspect {file}"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{file}");
        assert!(ran.stdout.starts_with("kind "), "{}", ran.stdout);
        let document = world.run(&format!("inspect {file} --json")).json();
        assert_eq!(document["schema"], "chartseal.inspect/1");
        assert_eq!(document["kind"], kind);
    }
    let ran = world.run("inspect password");
    assert!(
        ran.error()
            .ends_with("password: no object of Chartseal: its first line names none")
    );
    let slots = world.read("slots");
    world.write("slots", &slots[..slots.len() - 1]);
    assert_eq!(world.run("inspect slots").code, 3);
}

#[test]
fn progress_is_told_where_it_is_asked_for() {
    let world = World::new();
    world.write("text", TEXT);
    let ran = world.seal("text --out record --progress");
    assert_eq!(ran.code, 0);
    assert_eq!(ran.stderr, "sealed 20 bytes of 20 bytes (100 %)\n");
}
