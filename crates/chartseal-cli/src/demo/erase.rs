//! Step 11: one record is erased; then every stored byte is searched.

use chartseal::{Ask, Error, Purpose};
use chartseal_node::NodeError;

use crate::demo::leaks;
use crate::demo::lookback::prove;
use crate::demo::page::Outcome;
use crate::demo::visit::{Visit, decision};
use crate::failure::Failure;

/// Step 11.
pub fn erasure(visit: &mut Visit<'_>) -> Result<(), Failure> {
    visit.page.step("One record is erased")?;
    let record = *visit
        .granted_records()
        .last()
        .ok_or_else(|| Failure::new("there is no record to erase"))?;
    let records = [record];
    let (network, people) = visit.cast()?;
    let ask = Ask::read(people.patient.id(), &records, Purpose::Treat)
        .because("appointment", "before it is erased");
    let earlier = people.doctor.request(network, &ask)?;
    people.patient.erase(network, record)?;
    visit.attempt("the new doctor", &earlier)?;

    let custodians = visit.network.organizations().len();
    let mut left = false;
    for node in visit.network.nodes() {
        left |= node.holds_anything_of(&record).map_err(Failure::new)?;
    }
    let what =
        "the patient has one record erased: shares, ciphertext, sealed reasons and their salts";
    visit.page.line(
        what,
        Outcome::Good,
        &format!("{custodians} organizations attest on the chain that they destroyed theirs"),
    )?;
    // Into other processes' stores nobody looks.
    if visit.remote.is_none() {
        visit.checks.check(
            "P9",
            !left,
            "no organization holds a share, the ciphertext, a sealed reason or a salt of it",
        );
    }
    let erased = visit.network.read(|state| state.record(&record))?;
    let attested = erased.map_or(0, |record| record.destroyed.count_ones());
    visit.checks.check(
        "P9",
        usize::try_from(attested) == Ok(custodians),
        "all organizations attested the destruction on the chain",
    );

    let (network, people) = visit.cast()?;
    let opened = people.doctor.open(network, &earlier);
    let refused = matches!(&opened, Err(Error::NotReleased { why, .. })
        if why.code() == NodeError::ERASED);
    visit.checks.check(
        "P9",
        refused,
        "a read that was permitted just before the erasure opens nothing",
    );
    let (network, people) = visit.cast()?;
    let again = people.doctor.request(network, &ask)?;
    let opened = people.doctor.open(network, &again);
    let attempt = visit.attempt("the new doctor", &again)?;
    visit.page.line(
        "the new doctor asks for it again",
        Outcome::Refused,
        &format!("{}; nothing opens, for anybody, ever", decision(&attempt)),
    )?;
    visit
        .checks
        .check("P9", opened.is_err(), "nobody opens it again");

    // The clock has come to the present: the export is fresh for whoever checks it now.
    let now = visit.network.now();
    visit.pass(visit.ends.0.saturating_sub(now.0), 0);
    let trust = visit.trust()?;
    let (network, people) = visit.cast()?;
    let export = people.patient.export(network, None)?;
    let proved = prove(visit, &export, &trust, None)?.is_some();
    visit.checks.check(
        "P9",
        proved,
        "the chain and the history still verify after the erasure",
    );
    search(visit)
}

/// P1, P7 and P8: what the organizations' disks tell.
fn search(visit: &mut Visit<'_>) -> Result<(), Failure> {
    let needles = leaks::needles(visit.bundle);
    let control = leaks::search_bytes(&needles, visit.source);
    let nodes = match visit.remote {
        Some(dir) => dir.to_owned(),
        None => visit.directory.path().join("nodes"),
    };
    let found = leaks::search_folder(&needles, &nodes).map_err(Failure::new)?;
    let what = format!(
        "every stored byte is searched for {} names, dates, codes and texts of the patient",
        needles.len()
    );
    let result = format!(
        "{} found: plain, hexadecimal, base64 or hashed ({} in the source, as a control)",
        found.hits, control
    );
    visit.page.line(
        &what,
        if found.hits == 0 {
            Outcome::Good
        } else {
            Outcome::Flagged
        },
        &result,
    )?;
    let clean = found.hits == 0 && control > 0;
    visit
        .checks
        .check("P1", clean, "no store holds a plaintext");
    visit.checks.check("P8", clean, "no name, date, code or text of the source is on the chain or in a store, in any of the forms that were searched");

    if visit.remote.is_some() {
        // The offices' keys lie in that directory too, beside the nodes' own.
        return Ok(());
    }
    let organizations = visit.network.organizations();
    let offices: Vec<Vec<u8>> = organizations
        .iter()
        .filter_map(|org| visit.network.enrolment_key(org))
        .map(|key| key.expose_secret_bytes().to_vec())
        .collect();
    let keys = leaks::search_raw(&offices, &nodes).map_err(Failure::new)?;
    visit.checks.check(
        "P7",
        keys == 0,
        "no organization's enrolment key is on its node's disk",
    );
    Ok(())
}
