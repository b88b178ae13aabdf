//! Prints a bundle of so many resources: `cargo run --example bundle_of -- 1000`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    let count = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000);
    std::io::stdout().write_all(&chartseal_testkit::bad_bundles::bundle_of(count))
}
