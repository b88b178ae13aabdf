//! Step 7: the broken glass.

use chartseal::{Ask, Class, Purpose, RecordId, Request};

use crate::demo::consent::{check_bytes, traced};
use crate::demo::page::Outcome;
use crate::demo::visit::{MINUTE, Visit, clock, decision, plural};
use crate::failure::Failure;

/// What an emergency card lists: at most so many records of these classes.
const CARD: usize = 5;
const CARD_CLASSES: [Class; 3] = [Class::ALLERGY, Class::MEDICATION, Class::CONDITION];
const REASON: &str = "unconscious after a fall, allergies and medication unknown";

/// Step 7.
pub fn emergency(visit: &mut Visit<'_>) -> Result<(), Failure> {
    visit
        .page
        .step("An emergency: the glass is broken, with a name on it")?;
    let records = emergency_card(visit);
    let patient = visit.cast()?.1.patient.id();
    let ask = Ask::read(patient, &records, Purpose::Btg).because("accident", REASON);
    let physician = "the emergency physician";
    visit.denied(
        physician,
        |p| &mut p.emergency,
        &ask,
        "emergency_not_declared",
        "P3",
        "an emergency that nobody declared",
    )?;

    let (network, people) = visit.cast()?;
    people
        .emergency
        .declare_emergency(network, patient, "accident", REASON)?;
    let request = people.emergency.request(network, &ask)?;
    let opening = people.emergency.open(network, &request)?;
    let attempt = visit.attempt(physician, &request)?;
    visit.page.line(
        "the emergency physician declares an emergency, with a reason",
        Outcome::Flagged,
        "",
    )?;
    let what = format!(
        "{physician} asks for {} on the emergency card, to break the glass (BTG)",
        plural(records.len(), "record")
    );
    let result = format!("{}, flagged", decision(&attempt));
    visit.page.line(&what, Outcome::Flagged, &result)?;
    let exact = check_bytes(visit, &opening) && attempt.code == "emergency";
    visit.checks.check(
        "P3",
        exact,
        "the broken glass opens the records and is flagged as an emergency",
    );
    let traced = traced(visit, &request.id())?;
    visit.checks.check(
        "P2",
        traced,
        "the emergency read has its permit and receipts on the chain too",
    );

    patient_is_told(visit, &request)?;
    review(visit, &request)
}

/// The patient's app shows who, when and why.
fn patient_is_told(visit: &mut Visit<'_>, request: &Request) -> Result<(), Failure> {
    let (network, people) = visit.cast()?;
    let physician = people.emergency.id();
    let notices = people.patient.notices(network)?;
    let notice = notices
        .iter()
        .find(|notice| notice.request == request.id() && notice.actor == physician);
    let told = notice.is_some_and(|notice| notice.reason.as_deref() == Some(REASON));
    visit.page.line(
        "the patient's phone: who, when, and the reason, which only the patient can read",
        Outcome::Flagged,
        &format!("“{REASON}”"),
    )?;
    visit.checks.check(
        "P3",
        told,
        "the patient is notified of the emergency and reads its reason",
    );
    Ok(())
}

/// A review is due, and is made.
fn review(visit: &mut Visit<'_>, request: &Request) -> Result<(), Failure> {
    let (network, people) = visit.cast()?;
    let due = people.hospital;
    let until = network.read(|state| {
        let emergencies = state.emergencies(&due).into_iter();
        let open = emergencies.filter(|emergency| emergency.unreviewed > 0);
        let within = state.params().review_within_ms;
        open.map(|open| open.until.plus_ms(within)).next()
    })?;
    let what = until.map_or_else(
        || "no review is due".into(),
        |until| format!("a review is due by {} UTC", clock(until)),
    );
    visit.page.line(&what, Outcome::Flagged, "")?;
    visit
        .checks
        .check("P3", until.is_some(), "a review of the emergency is due");

    visit.pass(30 * MINUTE, 0);
    let (network, people) = visit.cast()?;
    people.privacy.review(network, request.id(), true)?;
    let known = network.read(|state| state.request(&request.id()))?;
    let reviewed = known.is_some_and(|request| request.reviewed);
    visit.page.line(
        "the hospital's privacy officer reviews it: justified",
        Outcome::Good,
        "",
    )?;
    visit
        .checks
        .check("P3", reviewed, "the review is on the chain");
    Ok(())
}

fn emergency_card(visit: &Visit<'_>) -> Vec<RecordId> {
    let on_card = |class: Class| CARD_CLASSES.contains(&class);
    let card = visit
        .filed
        .iter()
        .filter(|(resource, _)| resource.labels().is_some_and(|l| on_card(l.class)));
    let mut records: Vec<RecordId> = card.map(|(_, filed)| filed.record).take(CARD).collect();
    if records.is_empty() {
        records.extend(visit.filed.iter().map(|(_, filed)| filed.record).take(1));
    }
    records
}
