//! `chartseal ledger publish` and `chartseal audit witness`.

use std::fs;

use serde_json::Value;

use crate::ledger::Demo;
use crate::schema;
use crate::support::{Ran, run};

struct World {
    demo: Demo,
}

impl World {
    fn new() -> Self {
        let world = Self { demo: Demo::new() };
        fs::write(world.demo.path("password"), "correct horse battery staple").unwrap();
        let (key, password) = (world.demo.path("witness.key"), world.demo.path("password"));
        let ran = run(["key", "new", "--out", &key, "--password-file", &password]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        world
    }

    fn publish(&self) -> Ran {
        let (node, site) = (self.demo.path("nodes/1"), self.demo.path("site"));
        run(["ledger", "publish", &node, "--to", &site, "--json"])
    }

    fn witness(&self, extra: &[&str]) -> Ran {
        let args = [
            "audit",
            "witness",
            &self.demo.path("site"),
            "--trust",
            &self.demo.path("exports/trust.policy"),
            "--name",
            "example.org/witness",
            "--key",
            &self.demo.path("witness.key"),
            "--password-file",
            &self.demo.path("password"),
            "--state",
            &self.demo.path("state"),
        ];
        run(args.iter().chain(extra))
    }
}

fn valid(name: &str, ran: &Ran) -> Value {
    let document = ran.json();
    let faults = schema::faults(&schema::read(name), &document);
    assert_eq!(faults, Vec::<String>::new(), "{document}");
    document
}

#[test]
fn a_published_chain_is_cosigned_once_it_is_trusted_and_never_rolled_back() {
    let world = World::new();
    let ran = world.witness(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(
        ran.stderr.contains("checkpoint is missing"),
        "{}",
        ran.stderr
    );

    let published = valid("ledger.schema.json", &world.publish());
    let size = published["size"].as_u64().unwrap();
    // Again: nothing new, and nothing wrong.
    assert_eq!(valid("ledger.schema.json", &world.publish())["size"], size);

    let ran = world.witness(&["--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let cosigned = valid("witness.schema.json", &ran);
    assert_eq!(
        (&cosigned["size"], &cosigned["before"]),
        (&size.into(), &0.into())
    );
    let again = world.witness(&[]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(
        again
            .stdout
            .starts_with(published["origin"].as_str().unwrap())
    );
    assert_eq!(again.stdout.matches('\u{2014}').count(), 2);

    // A published byte is changed; then the log is signed by somebody else.
    let tile = world.demo.path(&format!("site/tile/0/000.p/{size}"));
    let whole = fs::read(&tile).unwrap();
    let mut bytes = whole.clone();
    bytes[0] ^= 1;
    fs::write(&tile, bytes).unwrap();
    let ran = world.witness(&["--json"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(valid("witness.schema.json", &ran)["verdict"], "refuted");
    assert_eq!(world.publish().code, 3);
    fs::write(&tile, whole).unwrap();
    let checkpoint = world.demo.path("site/checkpoint");
    let signed = fs::read_to_string(&checkpoint).unwrap();
    let forged = signed.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1);
    fs::write(&checkpoint, forged).unwrap();
    let ran = world.witness(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.starts_with("not cosigned: "), "{}", ran.stderr);
    fs::write(&checkpoint, signed).unwrap();
    assert_eq!(world.witness(&[]).code, 0);
}

#[test]
fn a_witness_without_its_key_its_state_or_a_name_does_nothing() {
    let world = World::new();
    world.publish();
    fs::write(world.demo.path("password"), "wrong").unwrap();
    assert_eq!(world.witness(&[]).code, 3);
    assert!(!fs::exists(world.demo.path("state")).unwrap());
    fs::write(world.demo.path("password"), "correct horse battery staple").unwrap();
    fs::write(world.demo.path("state"), "a file").unwrap();
    let ran = world.witness(&[]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("state"), "{}", ran.stderr);
    let named = run([
        "audit",
        "witness",
        "x",
        "--trust",
        "y",
        "--name",
        "two words",
    ]);
    assert_eq!(named.code, 3);
}
