//! Steps 4, 5 and 6: a granted read, a refused one, revocation and expiry.

use chartseal::{Ask, Network, Opening, PatientId, Purpose, RecordId, Request, RequestId};
use chartseal_envelope::{KemKeyPair, Release};
use chartseal_fhir::Resource;
use chartseal_node::NodeError;
use chartseal_wire::{Event, OrgId, TxId};

use crate::demo::page::Outcome;
use crate::demo::visit::{HOUR, MINUTE, Visit, clock, decision, plural, purpose};
use crate::failure::Failure;

/// How many opened results the page shows.
const SHOWN: usize = 4;

/// Step 4.
pub fn granted_read(visit: &mut Visit<'_>) -> Result<(), Failure> {
    let class = visit.granted_class();
    visit.page.step(&format!(
        "The new doctor reads what the patient granted: {class}"
    ))?;
    let patient = grant(visit, &class)?;
    no_release_without_a_request(visit)?;

    let records = visit.granted_records();
    let ask =
        Ask::read(patient, &records, Purpose::Treat).because("appointment", "first appointment");
    let (network, people) = visit.cast()?;
    let request = people.doctor.request(network, &ask)?;
    let opening = people.doctor.open(network, &request)?;
    let attempt = visit.attempt("the new doctor", &request)?;
    let what = format!(
        "the new doctor asks for {}, {}",
        plural(records.len(), "record"),
        purpose(&attempt.purpose)
    );
    let result = format!(
        "{}; opened with the shares of {} custodians",
        decision(&attempt),
        visit.network.quorum()
    );
    visit.page.line(&what, Outcome::Good, &result)?;
    let exact = check_bytes(visit, &opening);
    visit.checks.check(
        "P1",
        exact,
        "every opened record has the source's bytes, byte for byte",
    );
    let traced = traced(visit, &request.id())?;
    visit.checks.check(
        "P2",
        traced,
        "the read has its final permit and at least t custodians' receipts on the chain",
    );
    for record in opening.records.iter().take(SHOWN) {
        if let Ok(resource) = Resource::parse(record.content()) {
            visit.page.line(&resource.summary(), Outcome::Note, "")?;
        }
    }
    if opening.records.len() > SHOWN {
        let rest = format!("… and {} more", opening.records.len() - SHOWN);
        visit.page.line(&rest, Outcome::Note, "")?;
    }
    no_release_to_another_key(visit, &request)
}

/// The patient grants the class; gives whose records the doctor was invited to.
fn grant(visit: &mut Visit<'_>, class: &str) -> Result<PatientId, Failure> {
    let until = visit.network.now().plus_ms(HOUR);
    let offer = visit.offer(until);
    let (network, people) = visit.cast()?;
    let grant = people.patient.grant(network, &people.doctor, &offer)?;
    let invited = people.doctor.accept(network, &grant)?;
    let what = format!("the patient lets the new doctor read {class}, for treatment (TREAT)");
    visit.page.line(
        &what,
        Outcome::Good,
        &format!("until {} UTC, when the appointment ends", clock(until)),
    )?;

    let covered = |record: &RecordId| visit.filed.iter().any(|(_, filed)| filed.record == *record);
    let opened = !invited.records.is_empty() && invited.records.iter().all(covered);
    visit.checks.check(
        "P1",
        opened,
        "the invitation opens for the doctor to whom it is sealed",
    );
    let stranger = visit
        .people
        .as_ref()
        .map(|people| people.emergency.accept(&visit.network, &grant));
    visit.checks.check(
        "P1",
        matches!(stranger, Some(Err(_))),
        "and for nobody else",
    );
    Ok(invited.patient)
}

/// Nobody releases for a request that was never made.
fn no_release_without_a_request(visit: &mut Visit<'_>) -> Result<(), Failure> {
    let (network, _) = visit.cast()?;
    let stray = KemKeyPair::generate().map_err(Failure::new)?;
    let asked = network.releases(&TxId([0; 32]), stray.public_key());
    let asked = asked.map_err(Failure::new)?;
    let refused = all_refuse(&asked, &[NodeError::UNKNOWN_REQUEST]);
    visit.checks.check(
        "P2",
        refused,
        "no custodian releases for a request that is not on the chain",
    );
    Ok(())
}

fn no_release_to_another_key(visit: &mut Visit<'_>, request: &Request) -> Result<(), Failure> {
    let another = KemKeyPair::generate().map_err(Failure::new)?;
    let (network, _) = visit.cast()?;
    let asked = network.releases(&request.id(), another.public_key());
    let asked = asked.map_err(Failure::new)?;
    let refused = all_refuse(&asked, &[NodeError::WRONG_READER]);
    visit.checks.check(
        "P2",
        refused,
        "no custodian releases a permitted request to another key",
    );
    Ok(())
}

/// Whether every custodian that answers refuses for one of these reasons, and one does; who is down gives nothing.
fn all_refuse(asked: &[(OrgId, Result<Vec<Release>, NodeError>)], codes: &[&str]) -> bool {
    let is_down = |it: &Result<_, _>| matches!(it, Err(NodeError::Stopped(_)));
    let mut answers = asked.iter().map(|(_, it)| it).filter(|it| !is_down(it));
    let refuses = |it: &Result<Vec<Release>, NodeError>| {
        it.as_ref().is_err_and(|why| codes.contains(&why.code()))
    };
    answers.clone().next().is_some() && answers.all(refuses)
}

/// Step 5.
pub fn outside_the_grant(visit: &mut Visit<'_>) -> Result<(), Failure> {
    visit
        .page
        .step("She asks for something outside the grant")?;
    let other = visit
        .filed
        .iter()
        .filter(|(resource, _)| !visit.is_granted(resource));
    // A sensitive record, if there is one.
    let other =
        other.max_by_key(|(resource, _)| resource.labels().map_or(0, |labels| labels.tags.len()));
    let Some(record) = other.map(|(_, filed)| filed.record) else {
        visit.page.line(
            "the grant covers every record of the bundle: nothing to refuse",
            Outcome::Note,
            "",
        )?;
        return Ok(());
    };
    let patient = visit.cast()?.1.patient.id();
    let records = [record];
    let ask =
        Ask::read(patient, &records, Purpose::Treat).because("appointment", "complete picture");
    visit.denied(
        "the new doctor",
        |p| &mut p.doctor,
        &ask,
        "no_grant",
        "P3",
        "a record outside the grant",
    )?;
    // The purpose counts too.
    let records: Vec<RecordId> = visit.granted_records().into_iter().take(1).collect();
    let ask = Ask::read(patient, &records, Purpose::Hresch).because("study", "a study");
    visit.denied(
        "the new doctor",
        |p| &mut p.doctor,
        &ask,
        "no_grant",
        "P3",
        "a purpose outside the grant",
    )
}

/// Step 6.
pub fn revocation(visit: &mut Visit<'_>) -> Result<(), Failure> {
    visit
        .page
        .step("The patient revokes; another grant expires")?;
    let records: Vec<RecordId> = visit.granted_records();
    let until = visit.network.now().plus_ms(HOUR);
    let (network, people) = visit.cast()?;
    let patient = people.patient.id();
    let ask = Ask::read(patient, &records, Purpose::Treat).because("appointment", "once more");
    let earlier = people.doctor.request(network, &ask)?;
    let grants: Vec<TxId> = own_grants(network, people)?;
    for grant in grants {
        people.patient.revoke(network, grant)?;
    }
    let refused = refusals(network, &mut people.doctor, &earlier);
    visit.attempt("the new doctor", &earlier)?;
    visit
        .page
        .line("the patient revokes the grant", Outcome::Good, "")?;
    let what = "the new doctor tries to open what was permitted a moment before the revocation";
    visit.page.line(
        what,
        Outcome::Refused,
        "no custodian releases: the newest state denies it",
    )?;
    visit.checks.check(
        "P5",
        refused,
        "after the revocation no custodian releases, not even on an older permit",
    );
    visit.denied(
        "the new doctor",
        |p| &mut p.doctor,
        &ask,
        "no_grant",
        "P5",
        "the same read, revoked",
    )?;

    let lasts = if visit.remote.is_some() {
        5_000
    } else {
        10 * MINUTE
    };
    let soon = visit.network.now().plus_ms(lasts);
    let offer = visit.offer(soon.min(until));
    let (network, people) = visit.cast()?;
    people.patient.grant(network, &people.doctor, &offer)?;
    let earlier = people.doctor.request(network, &ask)?;
    visit.pass(11 * MINUTE, 6_000);
    visit.attempt("the new doctor", &earlier)?;
    visit.page.line(
        if visit.remote.is_some() {
            "the patient grants it again, for five seconds; six pass"
        } else {
            "the patient grants it again, for ten minutes; eleven minutes pass"
        },
        Outcome::Good,
        "",
    )?;
    visit.denied(
        "the new doctor",
        |p| &mut p.doctor,
        &ask,
        "no_grant",
        "P5",
        "the same read, expired",
    )?;
    let (network, people) = visit.cast()?;
    let refused = refusals(network, &mut people.doctor, &earlier);
    visit.checks.check(
        "P5",
        refused,
        "after the expiry no custodian releases, not even on an older permit",
    );
    Ok(())
}

/// The patient's grants, from their own history.
fn own_grants(
    network: &Network,
    people: &crate::demo::visit::People,
) -> Result<Vec<TxId>, Failure> {
    let entries = people.patient.history(network)?;
    let grants = entries.into_iter().filter_map(|entry| match entry.event {
        Event::Directive(directive) if directive.kind.as_str() == "grant" => Some(entry.tx),
        _ => None,
    });
    Ok(grants.collect())
}

/// Whether every custodian refuses an older permit because of what came after it.
fn refusals(network: &mut Network, doctor: &mut chartseal::Clinician, request: &Request) -> bool {
    let permitted = !request.permitted().is_empty();
    let refused = matches!(
        doctor.open(network, request),
        Err(chartseal::Error::NotReleased { why, .. })
            if [NodeError::WITHDRAWN, NodeError::TOO_LATE].contains(&why.code())
    );
    permitted && refused
}

/// Whether every opened record has the bytes of its source.
pub fn check_bytes(visit: &Visit<'_>, opening: &Opening) -> bool {
    let same = |record: &chartseal::OpenedRecord| {
        visit.source_of(&record.record) == Some(record.content())
    };
    !opening.records.is_empty() && opening.records.iter().all(same)
}

/// Whether a request is on the chain as permitted, with at least *t* custodians' receipts.
pub fn traced(visit: &Visit<'_>, request: &RequestId) -> Result<bool, Failure> {
    let people = visit
        .people
        .as_ref()
        .ok_or_else(|| Failure::new("nobody is enrolled yet"))?;
    let entries = people.patient.history(&visit.network)?;
    let permitted = entries.iter().any(|entry| {
        entry.tx == *request
            && matches!(&entry.event, Event::Access(access) if access.records.iter().all(|o| o.permitted))
    });
    let receipts: std::collections::BTreeSet<u64> = entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Released(released) if released.request == *request => Some(released.custodian),
            _ => None,
        })
        .collect();
    Ok(permitted && receipts.len() >= visit.network.quorum())
}
