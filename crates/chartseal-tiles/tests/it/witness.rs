//! A witness cosigns what continues, and nothing else.

use std::fs;
use std::path::Path;

use chartseal_merkle::{Log, leaf_hash};
use chartseal_tiles::{AddCheckpoint, Directory, Refusal, TileError, Witness};
use chartseal_wire::note::KeyKind;
use chartseal_wire::{Checkpoint, Signature, SignedNote, VerifierKey};

use crate::log::{ORIGIN, entry, key, log_vkey, publish, publish_fork, sign, signed, vkey};

const NOW: u64 = 1_800_000_000;

fn witness_key() -> VerifierKey {
    vkey("example.org/witness", KeyKind::Cosigner, &key(2))
}

fn open(dir: &Path) -> Witness<impl FnMut(&[u8]) -> Signature + use<>> {
    let mut witness = Witness::open(witness_key(), dir, sign(&key(2))).unwrap();
    witness.trust(log_vkey());
    witness
}

struct World {
    log: tempfile::TempDir,
    state: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let log = tempfile::tempdir().unwrap();
        let state = tempfile::tempdir().unwrap();
        Self { log, state }
    }

    /// Follows as a new process would.
    fn follow(&self) -> Result<u64, Refusal> {
        let files = Directory::new(self.log.path());
        let cosigned = open(self.state.path()).follow(&files, NOW)?;
        let mut lines = cosigned.note.signatures.iter();
        let verified = lines.find_map(|line| witness_key().verify(&cosigned.note.text, line).ok());
        assert_eq!(verified, Some(NOW));
        Ok(cosigned.size)
    }

    fn fork(&self, size: u64, fork: u64) {
        fs::remove_dir_all(self.log.path()).unwrap();
        publish_fork(self.log.path(), size, fork).unwrap();
    }
}

#[test]
fn growth_is_cosigned_and_kept_where_monitors_look() {
    let world = World::new();
    for size in [0, 1, 200, 200, 256, 300, 1000] {
        publish(world.log.path(), size);
        assert_eq!(world.follow().unwrap(), size);
    }
    let dirs = fs::read_dir(world.state.path()).unwrap();
    let kept = dirs.map(|at| at.unwrap().path().join("checkpoint"));
    let kept: Vec<_> = kept.filter(|path| path.exists()).collect();
    assert_eq!(kept.len(), 1);
    let note = SignedNote::parse(&fs::read_to_string(&kept[0]).unwrap()).unwrap();
    assert_eq!(Checkpoint::parse(&note.text).unwrap().size, 1000);
    assert!(log_vkey().verify(&note.text, &note.signatures[0]).is_ok());
    assert!(
        witness_key()
            .verify(&note.text, &note.signatures[1])
            .is_ok()
    );
}

#[test]
fn a_log_that_was_rolled_back_or_forked_is_never_cosigned() {
    let world = World::new();
    publish(world.log.path(), 300);
    world.follow().unwrap();
    world.fork(299, u64::MAX);
    assert!(matches!(
        world.follow(),
        Err(Refusal::RolledBack {
            found: 299,
            kept: 300
        })
    ));
    for (size, fork) in [(300, 299), (300, 0), (301, 299), (1000, 0)] {
        world.fork(size, fork);
        assert!(matches!(
            world.follow(),
            Err(Refusal::Inconsistent { kept: 300 })
        ));
    }
    world.fork(301, 300);
    assert_eq!(world.follow().unwrap(), 301);
}

#[test]
fn what_no_trusted_log_signed_is_not_cosigned() {
    let world = World::new();
    let note = publish(world.log.path(), 10);
    let checkpoint = world.log.path().join("checkpoint");
    let refused = |text: &str| {
        fs::write(&checkpoint, text).unwrap();
        world.follow().unwrap_err()
    };
    let other = log_vkey().line(&note.text, 0, sign(&key(9)));
    let forged = SignedNote {
        text: note.text.clone(),
        signatures: vec![other],
    };
    assert!(matches!(refused(&forged.to_string()), Refusal::Signature));
    let both = SignedNote {
        text: note.text.clone(),
        signatures: [note.signatures.clone(), forged.signatures].concat(),
    };
    assert!(matches!(refused(&both.to_string()), Refusal::Signature));
    let stranger = vkey(ORIGIN, KeyKind::Log, &key(9));
    let stranger = SignedNote {
        text: note.text.clone(),
        signatures: vec![stranger.line(&note.text, 0, sign(&key(9)))],
    };
    assert!(matches!(refused(&stranger.to_string()), Refusal::Signature));
    let elsewhere = note.text.replace(ORIGIN, "example.org/other");
    let elsewhere = signed(elsewhere).to_string();
    assert!(matches!(refused(&elsewhere), Refusal::UnknownLog(_)));
    assert!(matches!(
        refused("no note\n"),
        Refusal::Malformed(_) | Refusal::Tiles(_)
    ));
    fs::remove_file(&checkpoint).unwrap();
    assert!(matches!(
        world.follow(),
        Err(Refusal::Tiles(TileError::Missing { .. }))
    ));
    // A stranger's line beside the log's does no harm, and is not passed on.
    let beside = [note.signatures.clone(), stranger.signatures].concat();
    let beside = SignedNote {
        text: note.text.clone(),
        signatures: beside,
    };
    fs::write(&checkpoint, beside.to_string()).unwrap();
    let mut witness = open(world.state.path());
    let cosigned = witness
        .follow(&Directory::new(world.log.path()), NOW)
        .unwrap();
    assert_eq!(cosigned.note.signatures.len(), 2);
    let no_time = witness.follow(&Directory::new(world.log.path()), 0);
    assert!(matches!(no_time, Err(Refusal::NoTime)));
}

#[test]
fn a_witness_whose_state_is_damaged_or_in_use_cosigns_nothing() {
    let world = World::new();
    publish(world.log.path(), 10);
    world.follow().unwrap();
    let dirs = fs::read_dir(world.state.path()).unwrap();
    let mut kept = dirs.map(|at| at.unwrap().path().join("checkpoint"));
    let kept = kept.find(|path| path.exists()).unwrap();
    let whole = fs::read(&kept).unwrap();
    for len in [0, 10, whole.len() - 1] {
        fs::write(&kept, &whole[..len]).unwrap();
        assert!(matches!(world.follow(), Err(Refusal::State(_))));
    }
    fs::write(&kept, &whole).unwrap();
    let first = open(world.state.path());
    let second = Witness::open(witness_key(), world.state.path(), sign(&key(2)));
    assert_eq!(second.err().unwrap().kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    world.follow().unwrap();
}

fn request(old: u64, log: &Log, note: &SignedNote) -> String {
    let size = Checkpoint::parse(&note.text).unwrap().size;
    let request = AddCheckpoint {
        old,
        proof: log.prove_consistency(old, size).unwrap_or_default(),
        note: note.clone(),
    };
    let text = request.to_string();
    assert_eq!(AddCheckpoint::parse(text.as_bytes()).unwrap(), request);
    text
}

/// Statuses and bodies as C2SP tlog-witness has them.
#[test]
fn add_checkpoint_is_answered_as_the_protocol_says() {
    let state = tempfile::tempdir().unwrap();
    let mut witness = open(state.path());
    let log: Log = (0..300).map(|index| leaf_hash(&entry(index))).collect();
    let note = |size| {
        let root = log.root_at(size).unwrap();
        signed(
            Checkpoint {
                origin: ORIGIN.into(),
                size,
                root,
            }
            .to_string(),
        )
    };
    let mut ask = |request: &str| {
        let response = witness.add_checkpoint(request.as_bytes(), NOW);
        (response.status, response.body)
    };
    let (status, lines) = ask(&request(0, &log, &note(100)));
    assert_eq!(status, 200);
    let cosigned = SignedNote::parse(&format!("{}\n{lines}", note(100).text)).unwrap();
    assert_eq!(
        witness_key()
            .verify(&cosigned.text, &cosigned.signatures[0])
            .unwrap(),
        NOW
    );
    // Another old size than the kept one: the size is told.
    assert_eq!(ask(&request(0, &log, &note(200))), (409, "100\n".into()));
    assert_eq!(ask(&request(50, &log, &note(200))), (409, "100\n".into()));
    assert_eq!(ask(&request(100, &log, &note(200))).0, 200);
    // The same size again is cosigned again, at a new time.
    assert_eq!(ask(&request(200, &log, &note(200))).0, 200);
    assert_eq!(ask(&request(200, &log, &note(100))).0, 400);
    // A wrong proof, none, and one too long.
    let good = request(200, &log, &note(300));
    let no_proof = format!("old 200\n\n{}", note(300));
    assert_eq!(ask(&no_proof).0, 422);
    let hash = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    assert_eq!(
        ask(&good.replacen("old 200\n", &format!("old 200\n{hash}\n"), 1)).0,
        422
    );
    let too_many = format!("old 200\n{}\n{}", format!("{hash}\n").repeat(64), note(300));
    assert_eq!(ask(&too_many).0, 400);
    let fork = Checkpoint {
        origin: ORIGIN.into(),
        size: 200,
        root: leaf_hash(b"fork"),
    };
    assert_eq!(
        ask(&format!("old 200\n\n{}", signed(fork.to_string()))).0,
        422
    );
    // Who signed, and for which log.
    let elsewhere = signed(note(300).text.replace(ORIGIN, "example.org/other"));
    assert_eq!(ask(&format!("old 0\n\n{elsewhere}")).0, 404);
    let unsigned = SignedNote {
        text: note(300).text,
        signatures: vec![witness_key().line(&note(300).text, NOW, sign(&key(2)))],
    };
    assert_eq!(ask(&format!("old 200\n\n{unsigned}")).0, 403);
    for bad in [
        "",
        "old 200",
        "old 0200\n\n",
        "old +1\n\n",
        "new 1\n\n",
        "old 200\n\nno note\n",
    ] {
        assert_eq!(ask(bad).0, 400, "{bad:?}");
    }
    assert_eq!(ask(&"x".repeat(1 << 20)).0, 400);
    // After all of that it still goes on.
    assert_eq!(ask(&good).0, 200);
}

/// The empty log has one root.
#[test]
fn a_checkpoint_of_size_zero_has_the_root_of_the_empty_tree() {
    let state = tempfile::tempdir().unwrap();
    let mut witness = open(state.path());
    let empty = |root| {
        let note = signed(
            Checkpoint {
                origin: ORIGIN.into(),
                size: 0,
                root,
            }
            .to_string(),
        );
        format!("old 0\n\n{note}")
    };
    let response = witness.add_checkpoint(empty(leaf_hash(b"")).as_bytes(), NOW);
    assert_eq!(response.status, 422);
    let response = witness.add_checkpoint(empty(chartseal_merkle::empty_root()).as_bytes(), NOW);
    assert_eq!(response.status, 200);
}

/// The example of the specification, whose key nobody has.
#[test]
fn the_specifications_own_request_is_read() {
    let request = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
        \n\
        example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
        \n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    let read = AddCheckpoint::parse(request.as_bytes()).unwrap();
    assert_eq!((read.old, read.proof.len()), (20_852_014, 4));
    assert_eq!(read.to_string(), request);
    let state = tempfile::tempdir().unwrap();
    assert_eq!(
        open(state.path())
            .add_checkpoint(request.as_bytes(), NOW)
            .status,
        404
    );
}
