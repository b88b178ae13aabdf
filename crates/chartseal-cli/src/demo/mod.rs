//! `chartseal demo`: one clinic visit, end to end, on real records.
//!
//! | module | steps |
//! |---|---|
//! | `visit` | the people, and what every step needs |
//! | `found` | 1 the network, 2 enrolment |
//! | `file` | 3 every clinical resource sealed and anchored |
//! | `consent` | 4 a granted read, 5 a refused one, 6 revocation and expiry |
//! | `emergency` | 7 the broken glass |
//! | `faults` | 8 a custodian that is stopped, one that lies, both |
//! | `amend` | 9 a corrected result |
//! | `lookback` | 10 the export, verified, and tampered with (`tamper`) |
//! | `erase` | 11 a record erased |
//! | `leaks` | the search of every stored byte for what must not be there |
//! | `directory`, `page`, `report` | where it is kept, what is printed, the JSON document |

mod amend;
mod consent;
mod directory;
mod emergency;
mod erase;
mod faults;
mod file;
mod found;
mod leaks;
mod lookback;
mod page;
mod report;
mod tamper;
mod visit;

use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use chartseal_fhir::Bundle;

use crate::args::Demo;
use crate::exit::Exit;
use crate::failure::{Failure, read_file};
use directory::Directory;
use page::Page;
use visit::{Step, Visit};

/// The synthetic patient that is built in.
const BUILT_IN: &[u8] = include_bytes!("../../assets/demo-bundle.json");
/// The corrected version of one of their laboratory results.
const AMENDED: &[u8] = include_bytes!("../../assets/amended-result.json");

/// The longest bundle that is read, in bytes: 1 GiB.
const MAX_BUNDLE: u64 = 1 << 30;

/// Runs the command.
pub fn run(command: &Demo) -> Result<Exit, Failure> {
    let name = command
        .bundle
        .as_deref()
        .unwrap_or(Path::new("the built-in bundle"));
    let bytes = command
        .bundle
        .as_deref()
        .map(|file| read_file(file, MAX_BUNDLE))
        .transpose()?;
    let source = bytes.as_deref().unwrap_or(BUILT_IN);
    // Bad input is found before anything is stored.
    let bundle = Bundle::parse(source).map_err(|why| Failure::bad(name, why))?;

    let directory = if let Some(path) = &command.dir {
        Directory::keep(path)
    } else {
        for path in Directory::stale() {
            let path = path.display();
            eprintln!("chartseal: note: a demo that was killed left {path} (stale); delete it");
        }
        Directory::temporary()
    };
    let directory = directory.map_err(Failure::new)?;
    let page = Page::new(command.json, crate::text::has_colour());
    page.title(
        "A clinic visit under Chartseal",
        if command.network.is_some() {
            "Not audited, no medical device: synthetic data only. Each organization's node\n\
             is a process of its own. \"ok\" was done or permitted; \"refused\" had to be\n\
             refused; \"flagged\" was permitted, and somebody must look at it."
        } else {
            "Not audited, no medical device: synthetic data only. Four organizations, each\n\
             with a validator on the consensus engine, in one process. \"ok\" was done or\n\
             permitted; \"refused\" had to be refused; \"flagged\" was permitted, and somebody\n\
             must look at it."
        },
    )?;

    // A store that has no room, say, doesn't know which directory a person gave.
    let within = |why: Failure| why.within(directory.path());
    let visit = Visit::new(
        &directory,
        page,
        source,
        &bundle,
        command.bundle.is_none(),
        command.network.as_deref(),
        command.light,
    );
    let mut visit = visit.map_err(within)?;
    for (name, step) in STEPS {
        // Custodians of other processes are not told to lie or stop.
        if visit.remote.is_some() && name == "08_faulty_custodians" {
            continue;
        }
        let begun = Instant::now();
        step(&mut visit).map_err(within)?;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        visit.timings.insert(name, ms);
    }
    let report = visit.finish().map_err(within)?;
    let held = report.promises.values().all(|promise| promise.held);
    if command.json {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &report)
            .map_err(|error| Failure::from(io::Error::from(error)))?;
        writeln!(out)?;
    }
    directory.finish().map_err(Failure::new)?;
    Ok(if held { Exit::Done } else { Exit::Refuted })
}

/// The visit, in order, as `timings_ms` names it.
const STEPS: [(&str, Step); 11] = [
    ("01_network", found::network),
    ("02_enrolment", found::enrolment),
    ("03_records", file::records),
    ("04_granted_read", consent::granted_read),
    ("05_outside_the_grant", consent::outside_the_grant),
    ("06_revocation", consent::revocation),
    ("07_emergency", emergency::emergency),
    ("08_faulty_custodians", faults::faults),
    ("09_amendment", amend::amendment),
    ("10_look_back", lookback::look_back),
    ("11_erasure", erase::erasure),
];
