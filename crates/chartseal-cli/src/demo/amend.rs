//! Step 9: a corrected result is a new version that names the old one.

use chartseal::{Ask, Document, Purpose};
use chartseal_fhir::Resource;
use chartseal_wire::{Entry, Event};

use crate::demo::AMENDED;
use crate::demo::faults::grant_again;
use crate::demo::page::Outcome;
use crate::demo::visit::{Visit, plural};
use crate::failure::Failure;

/// Step 9.
pub fn amendment(visit: &mut Visit<'_>) -> Result<(), Failure> {
    visit.page.step("A result is amended")?;
    if visit.remote.is_some() {
        grant_again(visit)?;
    }
    let content = amended(visit);
    let Some((at, content)) = content else {
        return Err(Failure::new("the bundle has no record to amend"));
    };
    let resource = Resource::parse(&content).map_err(Failure::new)?;
    let document = Document::from_fhir(&resource).ok_or_else(|| Failure::new("not clinical"))?;
    let previous = visit
        .filed
        .get(at)
        .and_then(|(_, filed)| filed.header.clone());
    let previous = previous.ok_or_else(|| Failure::new("the record was not filed"))?;
    let (network, people) = visit.cast()?;
    let kit = people.patient.filing_kit();
    let filed = people.author.amend(network, &kit, &previous, &document)?;
    let (record, patient) = (filed.record, people.patient.id());
    let header = filed
        .header
        .ok_or_else(|| Failure::new("the amendment was not filed"))?;

    let names_the_old = header.version().supersedes() == Some(previous.digest());
    let what = format!("the family doctor amends a result: {}", resource.summary());
    let result = format!(
        "version {} of the record, names version {}",
        header.version().number(),
        previous.version().number()
    );
    visit.page.line(&what, Outcome::Good, &result)?;
    visit.checks.check(
        "P6",
        names_the_old,
        "the amendment is a new version and names the old one",
    );

    let records = [record];
    let ask =
        Ask::read(patient, &records, Purpose::Treat).because("appointment", "corrected result");
    let (network, people) = visit.cast()?;
    let request = people.doctor.request(network, &ask)?;
    let opening = people.doctor.open(network, &request)?;
    visit.attempt("the new doctor", &request)?;
    let reads_new = opening
        .records
        .first()
        .is_some_and(|opened| opened.content() == resource.raw());
    visit.page.line(
        "the new doctor reads the corrected result",
        Outcome::Good,
        "",
    )?;
    visit.checks.check(
        "P6",
        reads_new,
        "whoever may read the record reads the new version, byte for byte",
    );
    let (network, people) = visit.cast()?;
    let history = people.patient.history(network)?;
    let is_version =
        |entry: &&Entry| matches!(&entry.event, Event::RecordAdded(it) if it.record == record);
    let versions = history.iter().filter(is_version).count();
    let what = format!(
        "both versions stay anchored ({})",
        plural(versions, "version")
    );
    visit.checks.check("P6", versions == 2, what);
    Ok(())
}

/// Which record is amended, and its new content: the correction that belongs to the built-in bundle, or
/// a result of the given one with its status changed to `amended`.
fn amended(visit: &Visit<'_>) -> Option<(usize, Vec<u8>)> {
    if visit.built_in {
        let id = Resource::parse(AMENDED).ok()?.id()?.to_owned();
        let at = visit
            .filed
            .iter()
            .position(|(resource, _)| resource.id() == Some(&id))?;
        return Some((at, AMENDED.to_vec()));
    }
    let granted = visit.granted_records();
    let record = granted.first()?;
    let at = visit
        .filed
        .iter()
        .position(|(_, filed)| filed.record == *record)?;
    let source = visit.source_of(record)?;
    let text = std::str::from_utf8(source).ok()?;
    // As source files spell it; one without a status gets a space, which is another content too.
    let spellings = [r#""status":"final""#, r#""status": "final""#];
    let spelling = spellings
        .into_iter()
        .find(|spelling| text.contains(spelling));
    let content = match spelling {
        Some(spelling) => text.replacen(spelling, &spelling.replace("final", "amended"), 1),
        None => text.replacen('{', "{ ", 1),
    };
    Some((at, content.into_bytes()))
}
