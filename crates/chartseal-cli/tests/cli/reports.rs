//! `chartseal audit explain`, `trust` and `report`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chartseal_codec::{from_bytes, to_bytes};
use chartseal_wire::{Export, ProofFile};
use serde_json::{Value, json};

use crate::ledger::Demo;
use crate::schema;
use crate::support::{Ran, names, run};

fn vector(name: &str) -> String {
    let vectors = "../chartseal-audit/tests/vectors";
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(vectors)
        .join(name);
    path.to_str().unwrap().into()
}

fn audit(args: &[&str]) -> Ran {
    run(["audit"].iter().chain(args))
}

fn valid(ran: &Ran) -> Value {
    let (schema, document) = (schema::read("audit.schema.json"), ran.json());
    let faults = schema::faults(&schema, &document);
    assert_eq!(faults, Vec::<String>::new(), "{document}");
    for spoiled in schema::spoiled(&document) {
        assert!(!schema::faults(&schema, &spoiled).is_empty(), "{spoiled}");
    }
    document
}

fn fits(text: &str) {
    for line in text.lines() {
        let is_word = !line.trim().contains(' ');
        assert!(is_word || line.chars().count() <= 80, "{line}");
    }
}

/// What became of each step.
fn outcomes(document: &Value) -> Vec<&str> {
    let steps = document["steps"].as_array().unwrap().iter();
    steps
        .map(|step| step["outcome"].as_str().unwrap())
        .collect()
}

#[test]
fn a_verification_is_explained_step_by_step() {
    let (visit, trust) = (vector("visit.tlog-proof"), vector("trust.policy"));
    let with = |more: &[&str]| audit(&[&["explain", &visit], more].concat());
    let ran = with(&["--trust", &trust]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    fits(&ran.stdout);
    for part in [
        "Proved: ",
        "Did the network sign it? Yes.",
        "This rests on:",
        "No export says:",
    ] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
    let document = valid(&with(&["--trust", &trust, "--json"]));
    let held = ["held", "held", "held", "held", "held", "not_checked"];
    assert_eq!(outcomes(&document), held, "nothing was kept");
    let rules = document["steps"].as_array().unwrap().iter();
    let rules = rules.flat_map(|step| step["rules"].as_array().unwrap());
    let all = chartseal_audit::Rule::ALL.len();
    assert_eq!(rules.count(), all, "each rule answers one question");

    // Without a policy nobody's signature counts.
    let ran = with(&[]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(
        ran.stdout.contains("Did the network sign it? Not checked."),
        "{}",
        ran.stdout
    );
    let document = valid(&with(&["--json"]));
    let unsigned = ["not_checked"; 5];
    assert_eq!(outcomes(&document), [&["held"][..], &unsigned].concat());

    // What breaks a rule in the middle: what comes before held, what comes after wasn't looked at.
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken");
    let text = fs::read_to_string(&visit).unwrap();
    let last = text.trim_end().rfind('\n').unwrap();
    fs::write(&broken, &text[..=last]).unwrap();
    let ran = audit(&[
        "explain",
        broken.to_str().unwrap(),
        "--trust",
        &trust,
        "--json",
    ]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let document = valid(&ran);
    let expected = [
        "held",
        "broken",
        "not_checked",
        "not_checked",
        "not_checked",
        "not_checked",
    ];
    assert_eq!(outcomes(&document), expected);
    assert!(
        document["why"].as_str().unwrap().starts_with("CS-AUD-09"),
        "{document}"
    );

    // With what was kept, also whether it continues that.
    let state = folder.path().join("state");
    let state = state.to_str().unwrap();
    assert_eq!(
        audit(&["verify", &visit, "--trust", &trust, "--state", state]).code,
        0
    );
    let kept = fs::read(state).unwrap();
    let newer = vector("visit-newer.tlog-proof");
    let ran = audit(&[
        "explain", &newer, "--trust", &trust, "--state", state, "--json",
    ]);
    assert_eq!(outcomes(&valid(&ran)), ["held"; 6]);
    assert_eq!(fs::read(state).unwrap(), kept, "explaining keeps nothing");
}

/// A broken rule is found behind what can't be told. Of that nothing is said to hold.
#[test]
fn what_was_not_checked_is_not_said_to_hold() {
    let (visit, trust) = (vector("visit.tlog-proof"), vector("trust.policy"));
    let folder = tempfile::tempdir().unwrap();
    let spoilt = folder.path().join("spoilt");
    let spoilt = spoilt.to_str().unwrap();
    let mut file = ProofFile::parse(&fs::read_to_string(&visit).unwrap()).unwrap();
    let mut export: Export = from_bytes(&file.extra).unwrap();
    export.histories[0].entries.pop();
    file.extra = to_bytes(&export);
    fs::write(spoilt, file.to_string()).unwrap();
    let outcomes_of = |args: &[&str], code| {
        let ran = audit(&[&["explain"], args, &["--json"]].concat());
        assert_eq!(ran.code, code, "{}", ran.stdout);
        let document = valid(&ran);
        let outcomes = outcomes(&document).into_iter().map(str::to_owned);
        outcomes.collect::<Vec<_>>().join(" ")
    };
    // Nobody's key was looked at, so that its block is in the log says nothing; and an entry is missing.
    assert_eq!(
        outcomes_of(&[spoilt], 1),
        "held not_checked not_checked broken not_checked not_checked"
    );
    let ran = audit(&["explain", spoilt]);
    assert!(
        ran.stdout.contains("Did the network sign it? Not checked."),
        "{}",
        ran.stdout
    );
    let signed = outcomes_of(&[spoilt, "--trust", &trust], 1);
    assert_eq!(signed, "held held held broken not_checked not_checked");

    // A state of another chain says nothing of a part's beginning, and nothing of what was before.
    let demo = Demo::new();
    let state = demo.path("state");
    let (proof, theirs) = (
        demo.path("exports/patient.tlog-proof"),
        demo.path("exports/trust.policy"),
    );
    let ran = audit(&["verify", &proof, "--trust", &theirs, "--state", &state]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let newer = vector("visit-newer.tlog-proof");
    let with = |file: &str| {
        let code = if file == spoilt { 1 } else { 2 };
        outcomes_of(&[file, "--trust", &trust, "--state", &state], code)
    };
    assert_eq!(
        with(&newer),
        "held held held not_checked not_checked not_checked"
    );
    assert_eq!(with(&visit), "held held held held held not_checked");
    assert_eq!(
        with(spoilt),
        "held held held broken not_checked not_checked"
    );
    // A history that is missing may be what a text belongs to.
    let own = folder.path().join("own");
    let own = own.to_str().unwrap();
    assert_eq!(
        audit(&["verify", &visit, "--trust", &trust, "--state", own]).code,
        0
    );
    export.histories.clear();
    file.extra = to_bytes(&export);
    fs::write(spoilt, file.to_string()).unwrap();
    assert_eq!(
        outcomes_of(&[spoilt, "--trust", &trust, "--state", own], 2),
        "held held held not_checked not_checked not_checked"
    );
}

#[test]
fn a_policy_is_pinned_only_under_its_fingerprint() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("trust.policy");
    let place = place.to_str().unwrap();
    let policy = vector("trust.policy");
    let shown = valid(&audit(&["trust", "show", &policy, "--json"]));
    let fingerprint = shown["fingerprint"].as_str().unwrap();
    assert_eq!(shown["witnesses"].as_array().unwrap().len(), 4);
    let ran = audit(&["trust", "show", &policy, "--qr"]);
    fits(&ran.stdout);
    assert!(ran.stdout.contains('\u{2588}'), "{}", ran.stdout);
    let aloud: Vec<&str> = (0..64)
        .step_by(4)
        .map(|at| &fingerprint[at..at + 4])
        .collect();
    for row in aloud.chunks(4) {
        assert!(ran.stdout.contains(&row.join(" ")), "{}", ran.stdout);
    }

    let pin = |file: &str, fingerprint: &str, more: &[&str]| {
        let args = [
            "trust",
            "pin",
            file,
            "--fingerprint",
            fingerprint,
            "--as",
            place,
        ];
        audit(&[&args, more].concat())
    };
    let ran = pin(&policy, "1234", &[]);
    assert!(ran.error().contains("64 hex digits"), "{}", ran.stderr);
    let ran = pin(&policy, &"0".repeat(64), &["--json"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert_eq!(valid(&ran)["result"], "wrong_fingerprint");
    assert!(!Path::new(place).exists());

    // As it is written on paper.
    let ran = pin(&policy, &aloud.join(" ").to_uppercase(), &["--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(valid(&ran)["result"], "pinned");
    assert_eq!(fs::read(place).unwrap(), fs::read(&policy).unwrap());
    assert_eq!(
        valid(&pin(&policy, fingerprint, &["--json"]))["result"],
        "already_pinned"
    );

    // The committee changes: who is gone and who is new is told, and nothing replaced unasked.
    let text = fs::read_to_string(&policy).unwrap();
    let changed = text.replacen("group validators 3", "group validators 4", 1);
    assert_ne!(changed, text);
    let new = folder.path().join("new.policy");
    let new = new.to_str().unwrap();
    fs::write(new, &changed).unwrap();
    let shown = valid(&audit(&["trust", "show", new, "--json"]));
    let told = shown["fingerprint"].as_str().unwrap();
    let ran = pin(new, told, &["--json"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    let document = valid(&ran);
    assert_eq!(document["changes"]["other_network"], false);
    let rules = document["changes"]["rules"].to_string();
    assert!(rules.contains("4 of 4 must sign"), "{rules}");
    let ran = pin(new, told, &[]);
    fits(&ran.stdout);
    assert!(ran.stdout.contains("--replace"), "{}", ran.stdout);
    assert_eq!(fs::read_to_string(place).unwrap(), text);
    assert_eq!(pin(new, told, &["--replace"]).code, 0);
    assert_eq!(fs::read_to_string(place).unwrap(), changed);
    let before = format!("trust.policy.{}", &fingerprint[..8]);
    assert_eq!(
        fs::read_to_string(folder.path().join(&before)).unwrap(),
        text
    );
    assert_eq!(
        names(folder.path()),
        ["new.policy", "trust.policy", &before]
    );

    let demo = Demo::new();
    let other = demo.path("exports/trust.policy");
    let shown = valid(&audit(&["trust", "show", &other, "--json"]));
    let ran = pin(&other, shown["fingerprint"].as_str().unwrap(), &["--json"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert_eq!(valid(&ran)["changes"]["other_network"], true);
}

/// A demo's export, reported.
fn report(demo: &Demo, more: &[&str]) -> Ran {
    let (proof, trust) = (
        demo.path("exports/patient.tlog-proof"),
        demo.path("exports/trust.policy"),
    );
    audit(&[&["report", &proof, "--trust", &trust], more].concat())
}

/// The patient of a demo, and somebody whom it let read.
fn people(demo: &Demo) -> (String, String) {
    let bundle: Value = serde_json::from_str(&report(demo, &["--as", "fhir"]).stdout).unwrap();
    let entries = bundle["entry"].as_array().unwrap();
    let access = entries.iter().find(|one| {
        let event = &one["resource"];
        event["type"]["code"] == "110106"
    });
    let event = &access.expect("somebody was let in")["resource"];
    let patient = event["entity"][0]["what"]["identifier"]["value"]
        .as_str()
        .unwrap();
    let user = event["agent"][2]["who"]["identifier"]["value"]
        .as_str()
        .unwrap();
    (patient.into(), user.into())
}

#[test]
fn a_page_is_one_file_that_prints_and_runs_nothing() {
    let demo = Demo::new();
    let (patient, reader) = people(&demo);
    let names = demo.path("names.json");
    let called = json!({&patient: "<script>alert(1)</script>", &reader: "Dr. Day & Partner"});
    fs::write(&names, called.to_string()).unwrap();
    for form in ["html", "hipaa"] {
        let ran = report(&demo, &["--as", form, "--names", &names]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{form}");
        let page = ran.stdout;
        let opens_and_closes = page.starts_with("<!DOCTYPE html>\n") && page.ends_with("</html>\n");
        assert!(opens_and_closes, "{page}");
        for bad in [
            "<script", "src=", "href=", "url(", "onload", "http://", "https://",
        ] {
            assert!(!page.contains(bad), "{form}: {bad}");
        }
        for good in [
            "<html lang=\"en\">",
            "default-src 'none'",
            "@page{",
            "scope=\"col\"",
            "<caption>",
            "Dr. Day &amp; Partner",
            "&lt;script&gt;",
        ] {
            assert!(page.contains(good), "{form}: {good}");
        }
        balanced(&page);
    }

    let page = report(&demo, &[]).stdout;
    assert!(
        page.contains("Proved: what follows is authentic, and complete up to"),
        "{page}"
    );
    let out = demo.path("page.html");
    let ran = report(&demo, &["--out", &out]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(fs::read_to_string(&out).unwrap(), page);

    // Every entry has its row.
    let (proof, trust) = (
        demo.path("exports/patient.tlog-proof"),
        demo.path("exports/trust.policy"),
    );
    let ran = audit(&["verify", &proof, "--trust", &trust, "--json"]);
    let total = ran.json()["histories"][0]["entries"].as_u64().unwrap();
    let rows = page.matches("<th scope=\"row\">").count() as u64;
    assert_eq!(rows, total + 1, "and one in the summary");
}

/// Every element is closed in its order.
fn balanced(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for part in page.split('<').skip(1) {
        let tag = part.split('>').next().unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{part}");
        } else if !tag.starts_with(['!']) {
            let name = tag.split(' ').next().unwrap();
            if !["meta", "br", "wbr"].contains(&name) {
                open.push(name);
            }
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn a_page_names_the_organizations_that_certified() {
    let (proof, both) = (vector("certified.tlog-proof"), vector("committee.policy"));
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("alone.policy");
    let names = folder.path().join("names.json");
    let (alone, names) = (alone.to_str().unwrap(), names.to_str().unwrap());
    // Nobody but the committee is asked for; a witness stands there for its change alone.
    let policy = fs::read_to_string(&both).unwrap();
    let policy = policy
        .replace("group both all network v1\n", "")
        .replace("quorum both", "quorum network");
    fs::write(alone, policy).unwrap();
    let document = valid(&audit(&["verify", &proof, "--trust", &both, "--json"]));
    let orgs = document["certified"]["signers"].as_array().unwrap();
    let orgs: Vec<&str> = orgs.iter().map(|org| org.as_str().unwrap()).collect();
    assert_eq!(orgs.len(), 3);
    fs::write(names, json!({orgs[0]: "St. Mary's"}).to_string()).unwrap();
    let epoch = document["certified"]["epoch"].as_u64().unwrap();
    for (trust, counts) in [(&*both, "2 of 2"), (alone, "1 of 1")] {
        let ran = audit(&["report", &proof, "--trust", trust, "--names", names]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let page = ran.stdout.replace("<wbr>", "");
        balanced(&page.replace("<br>", ""));
        let signed = format!("the committee of epoch {epoch}: {counts}, of which ");
        assert!(page.contains(&signed), "{page}");
        let certified = page.split("<dt>Certified by</dt>").nth(1).unwrap();
        let certified = certified.lines().next().unwrap();
        assert!(certified.contains("St. Mary&#39;s"), "{certified}");
        for org in &orgs[1..] {
            assert!(certified.contains(org), "{certified}");
        }
        let of = format!("3 of the 4 validators of epoch {epoch}");
        assert!(certified.contains(&of), "{certified}");
    }
}

#[test]
fn there_is_no_report_of_what_is_not_proved() {
    let demo = Demo::new();
    let (proof, out) = (
        demo.path("exports/patient.tlog-proof"),
        demo.path("page.html"),
    );
    let other = vector("trust.policy");
    let ran = audit(&["report", &proof, "--trust", &other, "--out", &out]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.starts_with("Can't tell: "), "{}", ran.stderr);
    let text = fs::read_to_string(&proof).unwrap();
    fs::write(&proof, text.replacen('A', "B", 1)).unwrap();
    let ran = report(&demo, &["--out", &out]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.starts_with("Refuted: "), "{}", ran.stderr);
    assert!(!Path::new(&out).exists());
    fs::write(&proof, &text).unwrap();
    let names = demo.path("names.json");
    for (bad, why) in [
        ("[]", "no JSON object of names"),
        (r#"{"1":"x"}"#, "32 hex digits"),
    ] {
        fs::write(&names, bad).unwrap();
        let ran = report(&demo, &["--names", &names]);
        assert!(ran.error().contains(why), "{}", ran.stderr);
    }
}

#[test]
fn the_accounting_has_what_the_rule_asks_for() {
    let demo = Demo::new();
    let page = report(&demo, &["--as", "hipaa"]).stdout;
    for column in ["Date", "To whom", "What", "Purpose"] {
        assert!(
            page.contains(&format!("<th scope=\"col\">{column}</th>")),
            "{column}"
        );
    }
    for part in [
        "45 CFR 164.528",
        "Period",
        "treatment (TREAT)",
        "164.528(a)(1)(i): treatment",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // A row for each request that a custodian answered.
    let bundle: Value = serde_json::from_str(&report(&demo, &["--as", "fhir"]).stdout).unwrap();
    let entries = bundle["entry"].as_array().unwrap().iter();
    let disclosed = entries.filter(|one| one["resource"]["type"]["code"] == "110106");
    let rows = page.matches("<th scope=\"row\">").count();
    assert_eq!(rows, disclosed.count());
}

/// FHIR R4's `AuditEvent`: each element's name, whether it repeats, whether it must be there, and what is in it.
fn audit_event() -> Value {
    let coding =
        json!({"system": "", "version": "", "code": "", "display": "", "userSelected": true});
    let concept = json!({"coding*": coding, "text": ""});
    let identifier = json!({"use": "", "type": concept, "system": "", "value": "", "assigner": {}});
    let reference = json!({"reference": "", "type": "", "identifier": identifier, "display": ""});
    let extension = json!({"url!": "", "valueCode": "", "valueString": ""});
    json!({
        "resourceType!": "", "id": "", "meta": {"profile*": "", "security*": coding},
        "text": {"status!": "", "div!": ""}, "contained*": null,
        "type!": coding, "subtype*": coding, "action": "", "period": {"start": "", "end": ""},
        "recorded!": "", "outcome": "", "outcomeDesc": "", "purposeOfEvent*": concept,
        "agent!*": {
            "type": concept, "role*": concept, "who": reference, "altId": "", "name": "", "requestor!": true,
            "location": reference, "policy*": "", "media": coding, "purposeOfUse*": concept,
            "network": {"extension*": extension, "address": "", "type": ""},
        },
        "source!": {"site": "", "observer!": reference, "type*": coding},
        "entity*": {
            "what": reference, "type": coding, "role": coding, "lifecycle": coding, "securityLabel*": coding,
            "name": "", "description": "", "query": "",
            "detail*": {"type!": "", "valueString": "", "valueBase64Binary": ""},
        },
    })
}

/// What is wrong with a resource, by such a shape.
fn misshapen(shape: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    match (shape, value) {
        (Value::String(_), Value::String(text)) if !text.is_empty() => {}
        // Of what has `null` for its shape nothing is asked.
        (Value::Null, _) | (Value::Bool(_), Value::Bool(_)) => {}
        (Value::Object(shape), Value::Object(members)) if !members.is_empty() => {
            let bare = |name: &str| name.trim_end_matches(['!', '*']).to_owned();
            for name in members.keys() {
                if !shape.keys().any(|one| bare(one) == *name) {
                    faults.push(format!("{at}.{name} is no element"));
                }
            }
            for (mark, inner) in shape {
                let name = bare(mark);
                let at = format!("{at}.{name}");
                match (members.get(&name), mark.contains('*')) {
                    (None, _) if mark.contains('!') => faults.push(format!("{at} is missing")),
                    (None, _) => {}
                    (Some(Value::Array(items)), true) if !items.is_empty() => {
                        for item in items {
                            misshapen(inner, item, &at, faults);
                        }
                    }
                    (Some(one), false) => misshapen(inner, one, &at, faults),
                    (Some(one), true) => faults.push(format!("{at} is no list: {one}")),
                }
            }
        }
        _ => faults.push(format!("{at} is of another kind: {value}")),
    }
}

fn faults(event: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    misshapen(&audit_event(), event, "AuditEvent", &mut faults);
    for (place, table) in [
        ("/action", &["C", "R", "U", "D", "E"][..]),
        ("/outcome", &["0", "4", "8", "12"]),
    ] {
        let value = event.pointer(place).and_then(Value::as_str);
        if value.is_some_and(|value| !table.contains(&value)) {
            faults.push(format!("{place} is {value:?}"));
        }
    }
    faults
}

#[test]
fn the_shape_is_that_of_other_peoples_events() {
    let Some(data) = chartseal_testkit::data_dir() else {
        return;
    };
    let folder = data.join("fhir/hl7-r4-examples");
    let mut seen = 0;
    for name in names(&folder) {
        if name.starts_with("AuditEvent-") {
            let event = fs::read(folder.join(&name)).unwrap();
            let event: Value = serde_json::from_slice(&event).unwrap();
            assert_eq!(faults(&event), Vec::<String>::new(), "{name}");
            seen += 1;
        }
    }
    assert_eq!(seen, 9);
}

/// The codes of an event's agents or entities.
fn codes<'a>(event: &'a Value, list: &str, code: &str) -> Vec<&'a str> {
    let items = event[list].as_array().unwrap().iter();
    items
        .map(|one| one.pointer(code).unwrap().as_str().unwrap())
        .collect()
}

#[test]
fn every_entry_becomes_an_audit_event_and_every_disclosure_one_more() {
    let demo = Demo::new();
    let ran = report(&demo, &["--as", "fhir"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let again = report(&demo, &["--as", "fhir"]).stdout;
    assert_eq!(ran.stdout, again, "the same each time");
    let bundle: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&bundle["resourceType"], &bundle["type"]),
        (&"Bundle".into(), &"collection".into())
    );
    let entries = bundle["entry"].as_array().unwrap();
    let urls: BTreeSet<&str> = entries
        .iter()
        .map(|one| one["fullUrl"].as_str().unwrap())
        .collect();
    assert_eq!(urls.len(), entries.len());
    let (mut decisions, mut disclosures) = (0, 0);
    for entry in entries {
        let event = &entry["resource"];
        assert_eq!(faults(event), Vec::<String>::new(), "{event}");
        let agents = codes(event, "agent", "/type/coding/0/code");
        let entities = codes(event, "entity", "/type/code");
        assert_eq!(entities[0], "1", "the patient comes first");
        let profile = event["meta"]["profile"][0].as_str().unwrap_or_default();
        match event["type"]["code"].as_str().unwrap() {
            // IHE BALP: Privacy Disclosure at the source.
            "110106" => {
                disclosures += 1;
                assert!(
                    profile.ends_with("IHE.BasicAudit.PrivacyDisclosure.Source"),
                    "{profile}"
                );
                assert_eq!(
                    (&event["action"], &event["subtype"][0]["code"]),
                    (&"R".into(), &"disclose".into())
                );
                assert_eq!(agents, ["110153", "110152", "IRCP"]);
                assert_eq!(event["agent"][0]["who"], event["source"]["observer"]);
                assert!(
                    event["agent"][0]["network"].is_object()
                        && event["agent"][1]["network"].is_object()
                );
                assert!(entities.len() >= 2, "{event}");
            }
            "110113" if event["subtype"][0]["code"] == "AuthZ-Consent" => {
                decisions += 1;
                assert_eq!(agents, ["IRCP", "110150", "PROV", "authserver"]);
                assert_eq!(event["agent"][3]["who"], event["source"]["observer"]);
                // With a consent it follows the pattern, which allows patient and consents alone.
                let follows = profile.ends_with("IHE.BasicAudit.AuthZconsent");
                assert_eq!(follows, entities[1..].contains(&"Consent"), "{event}");
                assert!(
                    !follows || entities[1..].iter().all(|one| *one == "Consent"),
                    "{event}"
                );
            }
            _ => {}
        }
    }
    assert!(
        decisions > 3 && disclosures > 1,
        "{decisions} {disclosures}"
    );
    let (proof, trust): (PathBuf, PathBuf) = (
        demo.path("exports/patient.tlog-proof").into(),
        demo.path("exports/trust.policy").into(),
    );
    let ran = audit(&[
        "verify",
        proof.to_str().unwrap(),
        "--trust",
        trust.to_str().unwrap(),
        "--json",
    ]);
    let total = ran.json()["histories"][0]["entries"].as_u64().unwrap();
    assert_eq!(entries.len() as u64, total + disclosures);
}
