//! The service as its own OpenAPI document describes it, by a tester that is not ours: <https://schemathesis.io>.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::refusals::patient;
use crate::service::sent;
use crate::support::target_folder;

#[test]
fn what_is_described_is_what_is_served() {
    let cluster = patient();
    let api = cluster.config(0).api.unwrap();

    // The description that is kept is the one that is served, and OpenAPI 3.1.
    let (status, described) = sent(api, "GET /openapi.json", b"");
    assert_eq!(status, 200);
    let described: Value = serde_json::from_str(&described).unwrap();
    assert_eq!(described["openapi"], "3.1.0");
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let pretty = serde_json::to_string_pretty(&described).unwrap() + "\n";
    if env::var_os("CHARTSEAL_KEEP_OPENAPI").is_some() {
        fs::write(&kept, &pretty).unwrap();
    }
    assert!(
        fs::read_to_string(&kept).unwrap() == pretty,
        "docs/openapi.json is not what is served: run this with CHARTSEAL_KEEP_OPENAPI=1, and look at the difference"
    );
    // And a page that shows it, with nothing from elsewhere.
    let (status, page) = sent(api, "GET /docs/", b"");
    assert_eq!(status, 200);
    assert!(
        page.contains("swagger-ui") && !page.contains("https://"),
        "{page}"
    );

    let target = target_folder();
    let tester = target.join("contract/venv/bin/schemathesis");
    if !tester.exists() {
        let required = env::var_os("CI").is_some_and(|set| set == "true");
        assert!(!required, "`cargo xtask test` installs {tester:?}");
        eprintln!("not run: {tester:?} is missing; `cargo xtask test` installs it");
        return;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract");
    let ran = Command::new(tester)
        .arg("run")
        .arg(format!("http://{api}/openapi.json"))
        // A stream of blocks has no end; it has its own test.
        .args(["--exclude-path", "/v1/events"])
        .args(["--phases", "examples,coverage,fuzzing"])
        // A message of a format need not be one of this network, and what is damaged is refused as such.
        .args([
            "--checks",
            "all",
            "--exclude-checks",
            "positive_data_acceptance",
        ])
        .args([
            "--max-examples",
            "50",
            "--seed",
            "20261129",
            "--request-timeout",
            "30",
        ])
        .args(["--warnings", "off"])
        .current_dir(cluster.place())
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", here)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env(
            "CHARTSEAL_SEEDS",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds"),
        )
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    println!("{said}");
    // It went on serving.
    assert_eq!(sent(api, "GET /ready", b"").0, 204);
}
