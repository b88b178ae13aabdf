//! `chartseal policy explain`, `who` and `diff`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chartseal_testkit::data_dir;
use serde_json::{Value, json};

use crate::schema;
use crate::support::{Ran, run, run_on};

/// Two records; what a case says is the caller's.
fn document(directives: &Value, request: &Value) -> Value {
    let asked = json!({"actor": "drNew", "patient": "P", "record": "lab", "action": "read",
                       "purpose": "TREAT", "t": 1000, "pos": [50, 0]});
    let mut asked = asked.as_object().unwrap().clone();
    asked.extend(request.as_object().unwrap().clone());
    json!({
        "world": {
            "actors": {
                "drNew": {"org": "H1", "roles": ["physician"]},
                "clerk": {"org": "H1"},
                "drEr": {"org": "H2", "roles": ["emergency"]},
            },
            "patients": {"P": {}},
            "records": {
                "lab": {"patient": "P", "class": "Observation", "authored": 100, "author": "drNew"},
                "psy": {"patient": "P", "class": "Condition", "conf": "R", "tags": ["PSY"],
                        "authored": 200},
            },
            "emergency_policy": {"ttl": 4000, "roles": ["emergency"], "max_overdue": 2,
                                 "allow_absolute": true},
            "overdue_reviews": {"H2": ["a", "b"]},
        },
        "cases": [{"n": 7, "title": "a visit", "directives": directives, "request": asked}],
    })
}

fn visit() -> Value {
    json!([
        {"kind": "grant", "id": "G", "seq": [1, 0], "issuer": "P", "patient": "P",
         "to": ["actor:drNew"], "purposes": ["TREAT"], "from": 900, "until": 2000},
        {"kind": "grant", "id": "old", "seq": [1, 1], "issuer": "P", "patient": "P",
         "to": ["org:H1"], "purposes": ["HPAYMT"], "until": 1000},
    ])
}

fn closed() -> Value {
    json!([
        visit()[0],
        {"kind": "restrict", "id": "X", "seq": [2, 0], "issuer": "P", "patient": "P"},
        {"kind": "revoke", "id": "R", "seq": [3, 0], "issuer": "clerk", "target": "G"},
    ])
}

fn asked(verb: &[&str], document: &Value) -> Ran {
    let args = ["policy"].iter().chain(verb).chain(&["-"]);
    run_on(document.to_string().as_bytes(), args)
}

/// The JSON document of a verb; it is as its schema says.
fn answered(verb: &[&str], document: &Value) -> Value {
    let ran = asked(&[verb, &["--json"]].concat(), document);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let answer = ran.json();
    let schema = schema::read(&format!("policy-{}.schema.json", verb[0]));
    assert_eq!(schema::faults(&schema, &answer), Vec::<String>::new());
    // Any number is a name; nothing else may be what it is not.
    let is_named = |one: &Value| one["cases"][0]["n"] == -1.5;
    for spoiled in schema::spoiled(&answer).iter().filter(|one| !is_named(one)) {
        assert!(!schema::faults(&schema, spoiled).is_empty(), "{spoiled}");
    }
    answer
}

#[test]
fn a_decision_is_explained_for_a_person() {
    let ran = asked(&["explain"], &document(&closed(), &json!({})));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(
        ran.stdout,
        "\
Case 7: a visit
  asks      drNew (H1, physician) to read lab of P for TREAT
  record    Observation, N, authored 1970-01-01T00:00:00.100Z, by drNew
  at        1970-01-01T00:00:01Z, position 50/0
  answer    deny (restricted): a restriction, or an exception inside a grant,
            forbids it
  by        X
  time      no lapse of time changes it
  because   G: permits
              grant by P: drNew may read for TREAT, up to N; from
              1970-01-01T00:00:00.900Z until 1970-01-01T00:00:02Z
            R: counts for nothing: its issuer had no authority to make it
              revocation by clerk, of G
            X: forbids
              restriction by P: nobody may do anything
"
    );
}

#[test]
fn a_requester_can_not_tell_a_restriction_from_a_missing_grant_or_record() {
    let restricted = document(&closed(), &json!({}));
    let ungranted = document(&json!([]), &json!({}));
    let mut missing = ungranted.clone();
    let records = missing["world"]["records"].as_object_mut().unwrap();
    records.remove("lab").unwrap();
    let views = [restricted, ungranted, missing]
        .map(|document| asked(&["explain", "--view", "opaque"], &document).stdout);
    assert!(views[0].ends_with("answer    deny\n"), "{}", views[0]);
    assert_eq!((&views[0], &views[0]), (&views[1], &views[2]));
}

#[test]
fn an_emergency_does_not_tell_the_requester_what_it_overrode() {
    let mut directives = closed();
    let declared = json!({"kind": "emergency", "id": "E", "seq": [4, 0], "actor": "drEr",
                          "patient": "P", "from": 900, "reason": "fall"});
    directives.as_array_mut().unwrap().push(declared);
    let document = document(&directives, &json!({"actor": "drEr", "purpose": "BTG"}));
    let full = answered(&["explain"], &document);
    let full = &full["cases"][0];
    assert_eq!(
        (&full["code"], &full["by"]),
        (&json!("emergency"), &json!(["E"]))
    );
    let duties = |case: &Value| case["obligations"].to_string();
    assert!(duties(full).contains("overrides:X"), "{full}");
    let opaque = answered(&["explain", "--view", "opaque"], &document);
    assert!(duties(&opaque["cases"][0]).contains("review"), "{opaque}");
    assert!(!opaque.to_string().contains("overrides"), "{opaque}");
}

#[test]
fn every_worked_case_is_explained_as_it_is_decided() {
    let Some(data) = data_dir() else { return };
    let file = fs::read(data.join("../policy/cases.json")).unwrap();
    let checked = run_on(&file, ["policy", "check", "-"]);
    let explained = run_on(&file, ["policy", "explain", "-", "--json"]).json();
    let schema = schema::read("policy-explain.schema.json");
    assert_eq!(schema::faults(&schema, &explained), Vec::<String>::new());
    let cases = explained["cases"].as_array().unwrap();
    assert_eq!(cases.len(), checked.stdout.lines().count());
    for (case, line) in cases.iter().zip(checked.stdout.lines()) {
        let line: Value = serde_json::from_str(line).unwrap();
        for (name, value) in line.as_object().unwrap() {
            assert_eq!(&case[name], value, "{case}");
        }
    }
    let text = run_on(&file, ["policy", "explain", "-"]).stdout;
    assert_eq!(text.matches("\nCase ").count() + 1, cases.len());
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn who_can_read_a_patients_records_is_a_table() {
    let ran = asked(&["who"], &document(&visit(), &json!({})));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(
        ran.stdout,
        "\
Case 7: a visit
Who can read P's records, at 1970-01-01T00:00:01Z, position 50/0:
  record  is                 for                       who
  lab     Observation, N     PATRQT                    P
                             TREAT COC ETREAT ERTREAT  drNew
  psy     Condition, R, PSY  PATRQT                    P
Attention
  dead grant       old: its window is over
  ends soon        G ends 1970-01-01T00:00:02Z
  reviews overdue  H2: 2; its emergencies open nothing above N
"
    );
    let later = asked(
        &["who", "--at", "1970-01-01T00:00:02Z"],
        &document(&visit(), &json!({})),
    );
    assert!(!later.stdout.contains("drNew"), "{}", later.stdout);
    let narrow = asked(&["who", "--soon", "0s"], &document(&visit(), &json!({})));
    assert!(!narrow.stdout.contains("ends soon"), "{}", narrow.stdout);
    let mine = asked(
        &["who", "--actor", "drNew"],
        &document(&visit(), &json!({})),
    );
    assert_eq!(
        mine.stdout,
        "\
Case 7: a visit
What drNew can read, at 1970-01-01T00:00:01Z, position 50/0:
  patient  record  is              for
  P        lab     Observation, N  TREAT COC ETREAT ERTREAT
"
    );
}

#[test]
fn every_answer_of_who_is_as_its_schema_says() {
    let document = document(&visit(), &json!({}));
    let whole = answered(&["who"], &document);
    let upkeep = &whole["cases"][0]["upkeep"];
    assert_eq!(upkeep["dead_grants"][0]["id"], "old");
    assert_eq!(upkeep["ends_soon"], json!([{"id": "G", "until": 2000}]));
    assert_eq!(
        upkeep["overdue_reviews"],
        json!([{"org": "H2", "count": 2, "barred": true}])
    );
    let one = answered(&["who", "--record", "lab"], &document);
    assert_eq!(
        one["cases"][0]["records"][0],
        whole["cases"][0]["records"][0]
    );
    answered(&["who", "--actor", "drNew"], &document);
}

/// What each says of reading: (patient, record, actor, purposes).
type Reads = BTreeSet<(String, String, String, String)>;

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn readers(case: &Value) -> Reads {
    let records = case["records"].as_array().unwrap().iter();
    let reads = records.flat_map(|record| {
        record["readers"].as_array().unwrap().iter().map(|one| {
            (
                text(&case["patient"]),
                text(&record["record"]),
                text(&one["actor"]),
                one["purposes"].to_string(),
            )
        })
    });
    reads.collect()
}

#[test]
fn what_each_actor_can_read_is_what_others_are_told_of_them() {
    let Some(data) = data_dir() else { return };
    let file = fs::read(data.join("../policy/cases.json")).unwrap();
    let document: Value = serde_json::from_slice(&file).unwrap();
    let who = |args: &[&str]| {
        let args = ["policy", "who", "-", "--json"].iter().chain(args);
        run_on(&file, args).json()["cases"]
            .as_array()
            .unwrap()
            .clone()
    };
    let by_patient = ["P", "K"].map(|patient| who(&["--patient", patient]));
    let actors = document["world"]["actors"].as_object().unwrap();
    let by_actor: Vec<_> = actors
        .keys()
        .map(|actor| (actor, who(&["--actor", actor])))
        .collect();
    for index in 0..document["cases"].as_array().unwrap().len() {
        let told: Reads = by_patient
            .iter()
            .flat_map(|cases| readers(&cases[index]))
            .collect();
        let own = by_actor.iter().flat_map(|(actor, cases)| {
            cases[index]["readable"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| {
                    (
                        text(&one["patient"]),
                        text(&one["record"]),
                        (*actor).clone(),
                        one["purposes"].to_string(),
                    )
                })
        });
        assert_eq!(told, own.collect(), "case at index {index}");
    }
}

fn in_file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path
}

fn diff(document: &Value, directive: impl AsRef<[u8]>, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let directive = in_file(folder.path(), "directive.json", directive);
    let directive = directive.to_str().unwrap();
    asked(
        &[&["diff", "--directive", directive], more].concat(),
        document,
    )
}

const SHUT: &str = r#"{"kind":"restrict","id":"shut","seq":[60,0],"issuer":"P","patient":"P","issued":1000,"to":["org:H1"]}"#;

#[test]
fn who_would_gain_and_lose_is_a_table() {
    let ran = diff(&document(&visit(), &json!({})), SHUT, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(
        ran.stdout,
        "\
Case 7: a visit
If shut stood at position 60/0, then just after it, at 1970-01-01T00:00:01Z:
  restriction by P: the members of H1 may not do anything
Nobody would gain anything.
Would lose:
  who    may   for                       record
  drNew  read  TREAT COC ETREAT ERTREAT  lab
"
    );
    let by_clerk = SHUT.replace(r#""issuer":"P""#, r#""issuer":"clerk""#);
    let ran = diff(&document(&visit(), &json!({})), &by_clerk, &[]);
    assert!(
        ran.stdout
            .contains("It would count for nothing: its issuer had no authority"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("Nobody would lose anything."));

    let wide = r#"{"kind":"grant","id":"wide","seq":[60,0],"issuer":"P","patient":"P","issued":1000,
                   "to":["any:*"],"purposes":["HRESCH"],"actions":["read","search"],"conf":"R","tags":["PSY"]}"#;
    let ran = diff(&document(&visit(), &json!({})), wide, &[]);
    let row = "  clerk, drEr, drNew  read search  HRESCH  lab, psy\n";
    assert!(ran.stdout.contains(row), "{}", ran.stdout);
}

#[test]
fn a_difference_is_what_who_says_before_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let shut = in_file(folder.path(), "shut.json", SHUT);
    let verb = ["diff", "--directive", shut.to_str().unwrap()];
    let before = document(&visit(), &json!({"pos": [60, 1]}));
    let diff = answered(&verb, &before);
    let case = &diff["cases"][0];
    assert_eq!((&case["void"], &case["gained"]), (&Value::Null, &json!([])));
    let mut after = before.clone();
    let directives = after["cases"][0]["directives"].as_array_mut().unwrap();
    directives.push(serde_json::from_str(SHUT).unwrap());
    let [before, after] =
        [before, after].map(|document| readers(&answered(&["who"], &document)["cases"][0]));
    let lost: Vec<_> = before.difference(&after).collect();
    let accesses = case["lost"].as_array().unwrap();
    assert_eq!(accesses.len(), 4);
    for access in accesses {
        let purpose = text(&access["purpose"]);
        assert!(
            lost.iter().any(|(_, record, actor, purposes)| {
                *record == access["record"]
                    && *actor == access["actor"]
                    && purposes.contains(&purpose)
            }),
            "{access}"
        );
    }
}

#[test]
fn a_revocation_is_proposed_by_its_target_alone() {
    let end = r#"{"kind":"revoke","id":"end","seq":[60,0],"issuer":"P","target":"G"}"#;
    let ran = diff(&document(&visit(), &json!({})), end, &[]);
    assert!(
        ran.stdout.contains("revocation by P, of G"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("drNew  read  TREAT"), "{}", ran.stdout);
    // Its window is not open yet; at a later time it would change something.
    let later = SHUT.replace(r#""issued":1000"#, r#""issued":1000,"from":1500"#);
    let document = document(&visit(), &json!({}));
    let now = diff(&document, &later, &[]);
    assert!(
        now.stdout.contains("its window has not begun"),
        "{}",
        now.stdout
    );
    let then = diff(&document, &later, &["--at", "1500"]);
    assert!(then.stdout.contains("Would lose"), "{}", then.stdout);
}

#[test]
fn a_directive_that_cannot_be_read_is_named() {
    let document = document(&visit(), &json!({}));
    let misspelt = SHUT.replace("\"to\"", "\"too\"");
    for (directive, said) in [
        ("", "case 7: not JSON at line 1, column 0"),
        ("{\n \"kind\": ", "not JSON at line 2"),
        ("[]", "a field is missing or of the wrong type at line 1"),
        (&misspelt, "too is no key of a directive of this kind"),
        (
            &SHUT.replace("org:H1", "H1"),
            "directive: to: grantee is not",
        ),
        (&SHUT.replace("shut", "G"), "already in use"),
        (
            r#"{"kind":"revoke","id":"end","seq":[60,0],"issuer":"P","target":"H"}"#,
            "target: no such directive",
        ),
    ] {
        let ran = diff(&document, directive, &[]);
        let error = ran.error();
        assert!(
            error.contains("directive.json: ") && error.contains(said),
            "{error}"
        );
    }
    let ran = diff(&document, b"\"\xff\"", &[]);
    assert!(ran.error().ends_with("not UTF-8 text (at byte 1)"));
}

#[test]
fn a_document_that_cannot_be_asked_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = in_file(
        folder.path(),
        "good.json",
        document(&visit(), &json!({})).to_string(),
    );
    let shut = in_file(folder.path(), "shut.json", SHUT);
    let (good, shut) = (good.to_str().unwrap(), shut.to_str().unwrap());
    let huge = folder.path().join("huge.json");
    fs::File::create(&huge)
        .unwrap()
        .set_len((64 << 20) + 1)
        .unwrap();
    let files = [
        (
            in_file(folder.path(), "empty.json", "\n"),
            "empty; a document",
        ),
        (
            in_file(folder.path(), "cut.json", "{\"world\":\n{"),
            "not JSON at line 2, column 1",
        ),
        (
            in_file(folder.path(), "other.json", "{}"),
            "a field is missing",
        ),
        (
            in_file(folder.path(), "latin.json", b"{\"\xe9\": 1}"),
            "not UTF-8 text (at byte 2)",
        ),
        (folder.path().join("missing.json"), "no such file"),
        (folder.path().to_owned(), "a directory; a file is needed"),
        (huge, "longer than 67108864 bytes"),
    ];
    for verb in [
        &["explain"][..],
        &["who"],
        &["diff", "--directive", shut],
        &["check"],
    ] {
        for (file, said) in &files {
            let file = file.to_str().unwrap();
            let ran = run(["policy"].iter().chain(verb).chain(&[file]));
            assert!(
                ran.error().starts_with(&format!("{file}: ")),
                "{}",
                ran.stderr
            );
            assert!(ran.error().contains(said), "{}", ran.stderr);
        }
        let ran = run_on(b"", ["policy"].iter().chain(verb).chain(&["-"]));
        assert!(ran.error().starts_with("stdin: empty"), "{}", ran.stderr);
    }
    for (args, said) in [
        (
            &["explain", good, "--case", "8"][..],
            "has no case of that name",
        ),
        (
            &["who", good, "--patient", "Q"],
            "case 7: there is no such patient",
        ),
        (
            &["who", good, "--record", "Q"],
            "case 7: there is no such record",
        ),
        (
            &["who", good, "--actor", "Q"],
            "case 7: there is no such actor",
        ),
        (
            &["who", good, "--actor", ""],
            "case 7: there is no such actor",
        ),
        (&["diff", "-", "--directive", "-"], "stdin is one file"),
    ] {
        let ran = run(["policy"].iter().chain(args));
        assert!(ran.error().contains(said), "{}", ran.stderr);
    }
    for misuse in [
        &["explain", good, "--view", "partial"][..],
        &["who", good, "--at", "noon"],
        &["who", good, "--soon", "soon"],
        &["who", good, "--actor", "a", "--record", "b"],
        &["diff", good],
    ] {
        let ran = run(["policy"].iter().chain(misuse));
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{misuse:?}");
    }
}

#[test]
fn no_text_of_a_document_reaches_the_terminal_as_a_command() {
    let mut document = document(&visit(), &json!({"actor": "dr\u{1b}[2J"}));
    document["cases"][0]["title"] = json!("a\u{1b}[2Jb\u{9b}c");
    document["world"]["records"]["lab"]["class"] = json!("\u{7f}");
    for verb in ["explain", "who"] {
        let ran = asked(&[verb], &document);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let dangerous = |one: char| one.is_control() && one != '\n';
        assert!(!ran.stdout.contains(dangerous), "{:?}", ran.stdout);
    }
}
