//! Chartseal beside its peers, in one run and in turns. Prints each figure as one line of JSON: all but
//! the largest, or the one that is named.

#[path = "../../src/audit_export.rs"]
#[allow(dead_code, reason = "shared with the other figures")]
mod audit_export;
mod bulk;
#[path = "../../src/figure.rs"]
#[allow(dead_code, reason = "shared with the other figures")]
mod figure;
mod history;
mod log;
mod map;

use anyhow::Result;

use crate::figure::Figure;

/// What is measured together, by the figures' names; whether it is unless another is named; and how.
type Measure = (&'static [&'static str], bool, fn() -> Result<Vec<Figure>>);

const MEASURES: [Measure; 8] = [
    (&[log::TLOG_TILES], true, || Ok(vec![log::tlog_tiles()?])),
    (&[log::CT_MERKLE], true, || Ok(vec![log::ct_merkle()?])),
    (&[map::JMT], true, || Ok(vec![map::jmt()?])),
    (&[map::JMT_MILLION], false, || Ok(vec![map::jmt_million()?])),
    (&history::AKD, true, history::akd),
    (&bulk::AGE, true, bulk::beside_age),
    (&bulk::RAW, true, bulk::beside_raw),
    (&bulk::THREADS, true, bulk::two_threads),
];

fn main() -> Result<()> {
    let only = std::env::args().nth(1);
    let is_wanted = |id: &str, by_default| only.as_deref().map_or(by_default, |only| only == id);
    for (ids, by_default, measure) in MEASURES {
        if !ids.iter().any(|id| is_wanted(id, by_default)) {
            continue;
        }
        for figure in measure()?
            .iter()
            .filter(|figure| is_wanted(figure.id, by_default))
        {
            println!("{}", figure.entry());
        }
    }
    Ok(())
}
