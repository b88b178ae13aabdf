//! Prints each figure as one line of JSON: all of them, or the one that is named.

use std::error::Error;

use chartseal_benches::{Figure, codec, envelope, merkle, policy, visit};

/// What is measured together, by the figures' names.
type Measure = fn() -> Result<Vec<Figure>, Box<dyn Error>>;

const MEASURES: [(&[&str], Measure); 11] = [
    (&["codec/encode"], || Ok(vec![codec::encode()])),
    (&["codec/decode"], || Ok(vec![codec::decode()])),
    (&["merkle/append"], || Ok(vec![merkle::append()])),
    (&["merkle/map-update"], || Ok(vec![merkle::update()])),
    (&envelope::ONE_RECORD, envelope::one_record),
    (&envelope::FURTHER_RECORDS, envelope::further_records),
    (&policy::GROWTH, policy::growth),
    (&[policy::OWN], || Ok(vec![policy::own()?])),
    (&policy::CHANGES, policy::changes),
    (&visit::TIMES, visit::times),
    (&visit::SIZES, visit::sizes),
];

fn main() -> Result<(), Box<dyn Error>> {
    let only = std::env::args().nth(1);
    let is_wanted = |id: &str| only.as_deref().is_none_or(|only| only == id);
    for (ids, measure) in MEASURES {
        if !ids.iter().any(|id| is_wanted(id)) {
            continue;
        }
        for figure in measure()?.iter().filter(|figure| is_wanted(figure.id)) {
            println!("{}", figure.entry());
        }
    }
    Ok(())
}
