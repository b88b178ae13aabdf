//! Prints each figure as one line of JSON: all but the largest, or the one that is named, or all of `network/`, say. `leave-chain DIR N
//! visits|relabellings` leaves a chain of N transactions, for `chartseal audit replay DIR`; `node FILE` runs a node of the
//! networks that are measured; `nation [FILE]` prints the tables of `docs/nation.md`, or puts them into it; `scale [PATIENTS]` what each operation
//! costs at every decade of patients, up to so many.

use std::error::Error;
use std::fs;
use std::path::Path;

use chartseal_benches::{
    Figure, audit, codec, custody, envelope, ledger, merkle, nation, network, policy, vault, visit,
};

/// What is measured together, by the figures' names; whether it is unless another is named; and how.
type Measure = (
    &'static [&'static str],
    bool,
    fn() -> Result<Vec<Figure>, Box<dyn Error>>,
);

const MEASURES: [Measure; 27] = [
    (&["codec/encode"], true, || Ok(vec![codec::encode()])),
    (&["codec/decode"], true, || Ok(vec![codec::decode()])),
    (&["merkle/append"], true, || Ok(vec![merkle::append()])),
    (&["merkle/map-update"], true, || Ok(vec![merkle::update()])),
    (&audit::FIGURES, true, audit::figures),
    (&ledger::APPLY, true, ledger::apply),
    (&ledger::AUDIT_REPLAY, true, ledger::audit_replay),
    (&ledger::GROWTH, true, ledger::growth),
    (&ledger::MILLION, false, ledger::growth_to_a_million),
    (&envelope::ONE_RECORD, true, envelope::one_record),
    (&envelope::FURTHER_RECORDS, true, envelope::further_records),
    (&policy::GROWTH, true, policy::growth),
    (&[policy::OWN], true, || Ok(vec![policy::own()?])),
    (&policy::CHANGES, true, policy::changes),
    (&visit::TIMES, true, visit::times),
    (&visit::SIZES, true, visit::sizes),
    (&network::CARRIED, false, network::carried),
    (&network::FAR, false, network::far),
    (&[network::CAUGHT_UP], false, || {
        Ok(vec![network::caught_up()?])
    }),
    (&network::IDLE, false, network::idle),
    (&[network::SOAKED], false, || Ok(vec![network::soaked()?])),
    (&network::READ, false, network::read),
    (&network::IMAGE, false, network::image),
    (&[network::QUERIES], false, network::queries),
    (&[network::HEARD], false, network::heard),
    (&vault::RATES, false, vault::rates),
    (&[custody::RELEASES], true, || {
        Ok(vec![custody::releases()?])
    }),
];

/// As in the program that is measured. Replaying and executing allocate a lot, on several threads.
#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, dir, transactions, kind] = args.as_slice()
        && verb == "leave-chain"
    {
        let transactions = transactions.parse()?;
        return ledger::leave_chain(dir.as_ref(), transactions, kind == "visits");
    }
    if let [verb, config] = args.as_slice()
        && verb == "node"
    {
        return network::node(config.as_ref());
    }
    if let [verb, files @ ..] = args.as_slice()
        && verb == "nation"
    {
        return print_nation(files.first().map(Path::new));
    }
    if let [verb, most @ ..] = args.as_slice()
        && verb == "scale"
    {
        let most = most.first().map(|most| most.parse()).transpose()?;
        let is_wanted = |patients: &u64| most.is_none_or(|most: u64| *patients <= most);
        let decades: Vec<u64> = ledger::DECADES.into_iter().filter(is_wanted).collect();
        print!("{}", ledger::scale(&decades)?);
        return Ok(());
    }
    let only = args.into_iter().next();
    let is_wanted = |id: &str, by_default| match only.as_deref() {
        Some(only) if only.ends_with('/') => id.starts_with(only),
        Some(only) => id == only,
        None => by_default,
    };
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

/// The simulated nation's tables, to the terminal or in the places of a document.
fn print_nation(document: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let plan = nation::plan(nation::SEED);
    let Some(document) = document else {
        print!("{plan}");
        return Ok(());
    };
    let text = fs::read_to_string(document)?;
    let text = plan.put_into(&text);
    let text = text.ok_or("the document has not one place for each table")?;
    Ok(fs::write(document, text)?)
}
