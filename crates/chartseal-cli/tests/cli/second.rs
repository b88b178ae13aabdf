//! `docs/verify_export.py` as the command that a stranger runs, beside `chartseal audit verify`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use chartseal_testkit::python;
use serde_json::Value;

use crate::ledger::Demo;
use crate::support::{Ran, chartseal, names};

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../chartseal-audit/tests/vectors")
        .join(name)
}

/// What both are asked.
#[derive(Clone)]
struct Question {
    file: PathBuf,
    trust: PathBuf,
    state: Option<PathBuf>,
    max_age: Option<u64>,
}

impl Question {
    fn new(file: impl Into<PathBuf>, trust: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            trust: trust.into(),
            state: None,
            max_age: None,
        }
    }

    fn state(self, state: &Path) -> Self {
        Self {
            state: Some(state.into()),
            ..self
        }
    }

    fn ours(&self) -> Command {
        let mut command = chartseal();
        command.args(["audit", "verify"]);
        self.fill(&mut command);
        command.args(self.max_age.map(|age| format!("--max-age={age}s")));
        command
    }

    /// `None` without Python.
    fn theirs(&self) -> Option<Command> {
        let mut command = python::command([""; 0])?;
        self.fill(&mut command);
        command.args(self.max_age.map(|age| format!("--max-age={age}")));
        Some(command)
    }

    fn fill(&self, command: &mut Command) {
        command.arg(&self.file).arg("--trust").arg(&self.trust);
        if let Some(state) = &self.state {
            command.arg("--state").arg(state);
        }
    }
}

fn ran(mut command: Command) -> Ran {
    command.output().unwrap().into()
}

/// Everything of `part` is in `whole`.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|one| is_part(value, one))),
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(a, b)| is_part(a, b))
        }
        _ => part == whole,
    }
}

/// Asks both, each with a copy of the same state, and gives the code and what is kept afterwards; `None` without Python.
fn agreed(question: &Question) -> Option<(i32, Option<Vec<u8>>)> {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| {
        let mut question = question.clone();
        let state = folder.path().join(name);
        if let Some(from) = &question.state {
            if from.is_file() {
                fs::copy(from, &state).unwrap();
            }
            question.state = Some(state.clone());
        }
        (question, state)
    };
    let ((ours, our_state), (theirs, their_state)) = (of("ours"), of("theirs"));
    let what = format!("{} {}", ours.file.display(), ours.trust.display());
    let (mut ours_json, mut theirs_json) = (ours.ours(), theirs.theirs()?);
    ours_json.arg("--json");
    theirs_json.arg("--json");
    let (one, other) = (ran(ours_json), ran(theirs_json));
    assert_eq!(
        one.code, other.code,
        "{what}: {} {} {} {}",
        one.stdout, one.stderr, other.stdout, other.stderr
    );
    let kept = fs::read(&our_state).ok();
    assert_eq!(kept, fs::read(&their_state).ok(), "{what}: what is kept");
    if one.code == 3 {
        assert_eq!(other.stdout, "", "{what}: an error comes alone");
        assert!(other.stderr.starts_with("error: "), "{}", other.stderr);
        assert!(!other.stderr.contains("Traceback"), "{}", other.stderr);
        return Some((3, kept));
    }
    let (one, mut other) = (one.json(), other.json());
    // In whose words is each one's own business.
    for words in ["found", "why"] {
        other.as_object_mut().unwrap().remove(words);
    }
    assert!(is_part(&other, &one), "{what}: {one} {other}");
    assert!(other["result"].is_string());

    // In words, with the state as it is now: again the same.
    let (one, other) = (ran(ours.ours()), ran(theirs.theirs()?));
    assert_eq!(
        one.code, other.code,
        "{what}: {} {}",
        one.stdout, other.stdout
    );
    let verdict = |text: &str| text.split([':', '.']).next().unwrap().to_owned();
    assert_eq!(verdict(&one.stdout), verdict(&other.stdout), "{what}");
    assert!(
        names(folder.path())
            .iter()
            .all(|name| !name.contains(".new"))
    );
    Some((one.code, kept))
}

#[test]
fn the_second_verifier_says_prints_and_keeps_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let (visit, newer) = (vector("visit.tlog-proof"), vector("visit-newer.tlog-proof"));
    let trust = vector("trust.policy");
    let first = Question::new(&visit, &trust).state(Path::new("none"));
    let Some((0, Some(kept))) = agreed(&first) else {
        return assert!(
            python::command([""; 0]).is_none(),
            "a good export is proved"
        );
    };
    let state = file("state", &kept);
    let code = |question: Question| agreed(&question).unwrap().0;

    // What was kept: the same again, newer, older, another chain's, damaged, none at all.
    let of = |file: &Path| Question::new(file, &trust);
    assert_eq!(code(of(&visit).state(&state)), 0);
    let (_, grown) = agreed(&of(&newer).state(&state)).unwrap();
    let grown = file("grown", &grown.expect("it grew"));
    assert_ne!(fs::read(&grown).unwrap(), kept);
    assert_eq!(code(of(&newer).state(&grown)), 2, "it grows from elsewhere");
    assert_eq!(code(of(&visit).state(&grown)), 1, "replayed");
    assert_eq!(code(of(&newer)), 2, "a part alone");
    let grown_otherwise = of(&vector("fork-one.tlog-proof")).state(&state);
    assert_eq!(code(grown_otherwise), 2, "it does not show how it grew");
    let long = vec![0xff; 2 << 20];
    for damaged in [&kept[..kept.len() - 1], b"", b"nonsense", &long] {
        let state = file("damaged", damaged);
        assert_eq!(code(of(&visit).state(&state)), 3);
    }
    for (freshness, expected) in [(1, 2), (1 << 40, 0)] {
        let question = Question {
            max_age: Some(freshness),
            ..of(&visit)
        };
        assert_eq!(code(question), expected);
    }

    // Files that are damaged, or none.
    let export = fs::read(&visit).unwrap();
    for at in (0..export.len()).step_by(export.len() / 8) {
        let mut flipped = export.clone();
        flipped[at] ^= 1;
        assert_eq!(code(of(&file("flipped", &flipped))), 1, "byte {at}");
    }
    for no_export in [
        &b""[..],
        b"\xff\xfe",
        b"no export",
        &export[..export.len() - 1],
    ] {
        assert_eq!(code(of(&file("none", no_export))), 1);
    }
    let (missing, here) = (folder.path().join("missing"), folder.path());
    assert_eq!(code(of(&missing)), 3);
    assert_eq!(code(of(here)), 3);
    let (garbage, binary) = (file("garbage", b"no policy"), file("binary", b"\xff\xfe"));
    for trust in [&missing, &garbage, &binary, &here.to_path_buf()] {
        assert_eq!(code(Question::new(&visit, trust)), 3);
    }

    // A committee's; and a real network's, under both policies.
    let (certified, committee) = (vector("certified.tlog-proof"), vector("committee.policy"));
    let question = Question::new(&certified, &committee);
    assert_eq!(code(question.clone().state(Path::new("none"))), 0);
    assert_eq!(code(question.state(&vector("certified.kept"))), 0);
    let demo = Demo::new();
    for name in names(&demo.dir.join("exports")) {
        if name.ends_with(".tlog-proof") {
            let (export, policy) = (
                demo.path(&format!("exports/{name}")),
                demo.path("exports/trust.policy"),
            );
            let question = Question::new(&export, policy).state(Path::new("none"));
            agreed(&question).unwrap();
            assert_eq!(code(Question::new(export, &trust)), 2, "another network's");
        }
    }
}

#[test]
fn the_second_verifier_tells_misuse() {
    let visit = vector("visit.tlog-proof");
    let visit = visit.to_str().unwrap();
    for args in [
        &[][..],
        &[visit],
        &[visit, "--trust"],
        &[visit, "--trust", "x"],
        &[visit, "--trust", "x", "--max-age", "soon"],
        &[visit, "--trust", "x", "--nothing"],
    ] {
        let Some(command) = python::command(args) else {
            return;
        };
        let ran = ran(command);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{args:?}");
        assert!(ran.stderr.contains("error: "), "{}", ran.stderr);
        assert!(!ran.stderr.contains("Traceback"), "{}", ran.stderr);
    }
}

#[test]
fn both_verifiers_at_once_do_not_undo_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let trust = vector("trust.policy");
    let of = |name: &str| Question::new(vector(name), &trust).state(&state);
    let (visit, newer) = (of("visit.tlog-proof"), of("visit-newer.tlog-proof"));
    let Some(theirs) = visit.theirs() else { return };
    assert_eq!(ran(theirs).code, 0);
    for _ in 0..3 {
        thread::scope(|scope| {
            for (question, is_ours) in [
                (&newer, true),
                (&visit, false),
                (&newer, false),
                (&visit, true),
                (&visit, false),
            ] {
                scope.spawn(move || {
                    let command = if is_ours {
                        question.ours()
                    } else {
                        question.theirs().unwrap()
                    };
                    let ran = ran(command);
                    assert!((0..=2).contains(&ran.code), "{} {}", ran.code, ran.stderr);
                });
            }
        });
        // Whatever their order: the older export never replaced the newer one.
        assert_eq!(ran(visit.ours()).code, 1);
        assert_eq!(ran(visit.theirs().unwrap()).code, 1);
    }
    assert_eq!(names(folder.path()), ["state", "state.lock"]);

    // Each waits for who holds the lock.
    let lock = File::options()
        .write(true)
        .open(folder.path().join("state.lock"))
        .unwrap();
    lock.lock().unwrap();
    let mut waiting = visit.theirs().unwrap();
    let mut waiting = waiting.stdout(Stdio::null()).spawn().unwrap();
    thread::sleep(Duration::from_secs(1));
    assert!(waiting.try_wait().unwrap().is_none(), "it did not wait");
    lock.unlock().unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(1), "replayed");
}

/// Runs the verifier, and notes each `fsync`, of a file or a folder, and each `replace`.
const WATCHED: &str = r#"
import os, runpy, stat, sys
done, fsync, replace = [], os.fsync, os.replace
def synced(fd):
    done.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
    fsync(fd)
def replaced(old, new):
    done.append("replace")
    replace(old, new)
os.fsync, os.replace = synced, replaced
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print(*done, file=sys.stderr)
"#;

#[test]
fn what_the_second_verifier_keeps_outlasts_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    if python::command([""; 0]).is_none() {
        return;
    }
    let mut command = Command::new("python3");
    command.args(["-c", WATCHED]).arg(python::script());
    command.arg(vector("visit.tlog-proof")).arg("--trust");
    command.arg(vector("trust.policy"));
    command.arg("--state").arg("state");
    command.current_dir(folder.path());
    let ran = ran(command);
    assert_eq!(
        (ran.code, ran.stderr.trim_end()),
        (0, "file replace folder")
    );
}
