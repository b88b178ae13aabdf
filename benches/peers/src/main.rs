//! Chartseal beside its peers, in one run and in turns. Prints each figure as one line of JSON: all but
//! the largest, or the one that is named.

#[path = "../../src/figure.rs"]
#[allow(dead_code, reason = "shared with the other figures")]
mod figure;
mod log;
mod map;

use anyhow::Result;

use crate::figure::Figure;

/// A figure's name, whether it is measured unless another is named, and how.
type Measure = (&'static str, bool, fn() -> Result<Figure>);

const MEASURES: [Measure; 4] = [
    (log::TLOG_TILES, true, log::tlog_tiles),
    (log::CT_MERKLE, true, log::ct_merkle),
    (map::JMT, true, map::jmt),
    (map::JMT_MILLION, false, map::jmt_million),
];

fn main() -> Result<()> {
    let only = std::env::args().nth(1);
    for (id, by_default, measure) in MEASURES {
        if only.as_deref().map_or(by_default, |only| only == id) {
            println!("{}", measure()?.entry());
        }
    }
    Ok(())
}
