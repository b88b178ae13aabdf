//! Cosignatures of other people's code (`aics-tlog`, in Python) under our checkpoints, and of our witness as they read
//! them. `cargo xtask test` installs it; where it is missing the tests say that they did not run, and fail if `CI` is `true`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chartseal_tiles::{Directory, Witness};
use chartseal_wire::note::KeyKind;
use chartseal_wire::{SignedNote, VerifierKey};

use crate::log::{key, log_vkey, publish, sign, vkey};

const NAME: &str = "witness.example/w1";
const TIME: u64 = 1_800_000_000;

/// Their program, if it is installed.
struct Theirs {
    python: PathBuf,
    script: PathBuf,
}

impl Theirs {
    fn new() -> Option<Self> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let installed = target.join("cosign");
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cosign");
        let wanted = fs::read(scripts.join("requirements.txt")).unwrap();
        let mark = fs::read(installed.join("requirements.txt.installed"));
        let is_there = mark.is_ok_and(|mark| mark == wanted);
        let required = std::env::var_os("CI").is_some_and(|set| set == "true");
        assert!(
            is_there || !required,
            "aics-tlog is not installed, and CI is true"
        );
        if !is_there {
            eprintln!("did not run: aics-tlog is not installed; `cargo xtask test` does it");
        }
        is_there.then(|| Self {
            python: installed.join("venv/bin/python"),
            script: scripts.join("cosign.py"),
        })
    }

    /// What it prints for a note.
    fn ask(&self, words: &[&str], note: &SignedNote) -> String {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(note.to_string().as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{words:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The same signatures over another tree.
fn of_another_size(note: &SignedNote) -> SignedNote {
    SignedNote {
        text: note.text.replacen("\n10\n", "\n11\n", 1),
        signatures: note.signatures.clone(),
    }
}

#[test]
fn other_peoples_cosignature_of_our_checkpoint_is_valid_here() {
    let Some(theirs) = Theirs::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let note = publish(dir.path(), 10);
    let seed = "02".repeat(32);
    let answer = theirs.ask(&["sign", &seed, NAME, &TIME.to_string()], &note);
    let (made, cosigned) = answer.split_once('\n').unwrap();
    let made = VerifierKey::parse(made).unwrap();
    assert_eq!(made, vkey(NAME, KeyKind::Cosigner, &key(2)));
    let cosigned = SignedNote::parse(cosigned).unwrap();
    assert_eq!(cosigned.text, note.text);
    let [log, line] = &cosigned.signatures[..] else {
        panic!("{cosigned}");
    };
    assert!(log_vkey().verify(&cosigned.text, log).is_ok());
    assert_eq!(made.verify(&cosigned.text, line), Ok(TIME));
    // Ed25519 is deterministic: the line is the one that we make.
    assert_eq!(*line, made.line(&note.text, TIME, sign(&key(2))));

    let other = of_another_size(&cosigned);
    assert_ne!(other.text, note.text);
    assert!(made.verify(&other.text, line).is_err());
}

#[test]
fn our_witness_cosignature_is_valid_for_other_people() {
    let Some(theirs) = Theirs::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    publish(dir.path(), 10);
    let ours = vkey(NAME, KeyKind::Cosigner, &key(2));
    let mut witness =
        Witness::open(ours.clone(), dir.path().join("witness"), sign(&key(2))).unwrap();
    witness.trust(log_vkey());
    let cosigned = witness.follow(&Directory::new(dir.path()), TIME).unwrap();
    let verify = ["verify", &ours.to_string()];
    let asked = theirs.ask(&verify, &cosigned.note);
    assert_eq!(asked, format!("{TIME}\n"));
    assert_eq!(
        theirs.ask(&verify, &of_another_size(&cosigned.note)),
        "invalid\n"
    );
    let stranger = vkey(NAME, KeyKind::Cosigner, &key(3)).to_string();
    assert_eq!(
        theirs.ask(&["verify", &stranger], &cosigned.note),
        "invalid\n"
    );
}
