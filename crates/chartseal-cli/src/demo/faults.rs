//! Step 8: a custodian that is stopped, one that lies, and both at once.

use chartseal::{Ask, Error, Purpose, RecordId};
use chartseal_envelope::CombineError;
use chartseal_node::Conduct;

use crate::demo::consent::check_bytes;
use crate::demo::page::Outcome;
use crate::demo::visit::{HOUR, Visit};
use crate::failure::Failure;

/// Which custodian is stopped, and which lies: places from 0.
const STOPPED: usize = 1;
const LIAR: usize = 2;

/// Step 8.
pub fn faults(visit: &mut Visit<'_>) -> Result<(), Failure> {
    visit
        .page
        .step("One custodian is stopped, another lies, then both")?;
    grant_again(visit)?;
    conduct(visit, STOPPED, Conduct::Stopped)?;
    let (works, liars) = read(visit)?;
    visit.page.line(
        "organization 2 is stopped; the new doctor reads",
        Outcome::Good,
        "three shares are enough",
    )?;
    visit.checks.check(
        "P7",
        works && liars.is_empty(),
        "with one organization stopped, requests are decided and records open",
    );

    conduct(visit, STOPPED, Conduct::Honest)?;
    conduct(visit, LIAR, Conduct::LiesAboutShares)?;
    let (works, liars) = read(visit)?;
    let named = liars.len() == 1 && liars.first().is_some_and(|(place, _)| *place == LIAR);
    let who = liars
        .first()
        .map_or_else(|| "nobody is named".into(), |(_, why)| why.clone());
    visit.page.line(
        "organization 2 is back, organization 3 lies about its share; the new doctor reads",
        Outcome::Good,
        &format!("opened, and the liar is named: {who}"),
    )?;
    visit.checks.check(
        "P7",
        works && named,
        "with one custodian lying, records open and the liar is named",
    );
    let heads = visit.network.nodes();
    let caught_up = heads
        .iter()
        .all(|node| Some(node.head().height()) == heads.first().map(|n| n.head().height()));
    visit.checks.check(
        "P7",
        caught_up,
        "the organization that was stopped has caught up, with the same state",
    );

    conduct(visit, STOPPED, Conduct::Stopped)?;
    let (counted, what) = shortage(visit)?;
    visit.page.line(
        "organization 2 is stopped and organization 3 lies; the new doctor reads",
        Outcome::Refused,
        &what,
    )?;
    visit.checks.check(
        "P2",
        counted,
        "with two of four custodians useless nothing opens, and the missing shares are counted",
    );

    conduct(visit, STOPPED, Conduct::Honest)?;
    conduct(visit, LIAR, Conduct::Honest)
}

/// The earlier grants are over.
pub fn grant_again(visit: &mut Visit<'_>) -> Result<(), Failure> {
    let until = visit.network.now().plus_ms(HOUR);
    let offer = visit.offer(until);
    let (network, people) = visit.cast()?;
    people.patient.grant(network, &people.doctor, &offer)?;
    visit.page.line(
        "the patient grants the new doctor another hour",
        Outcome::Good,
        "",
    )?;
    Ok(())
}

fn conduct(visit: &mut Visit<'_>, place: usize, conduct: Conduct) -> Result<(), Failure> {
    visit
        .network
        .set_conduct(place, conduct)
        .map_err(Failure::new)
}

/// Reads one record; says whether its bytes are right, and which custodians lied.
fn read(visit: &mut Visit<'_>) -> Result<(bool, Vec<(usize, String)>), Failure> {
    let records: Vec<RecordId> = visit.granted_records().into_iter().take(1).collect();
    let (network, people) = visit.cast()?;
    let ask =
        Ask::read(people.patient.id(), &records, Purpose::Treat).because("appointment", "control");
    let request = people.doctor.request(network, &ask)?;
    let opening = people.doctor.open(network, &request)?;
    visit.attempt("the new doctor", &request)?;
    let place = |org| {
        visit
            .network
            .nodes()
            .iter()
            .position(|node| node.org() == org)
    };
    let liars = opening
        .liars
        .iter()
        .filter_map(|(org, fault)| Some((place(*org)?, fault.to_string())));
    Ok((check_bytes(visit, &opening), liars.collect()))
}

/// Reads one record in vain; says whether the error counts the missing shares, and what it says.
fn shortage(visit: &mut Visit<'_>) -> Result<(bool, String), Failure> {
    let records: Vec<RecordId> = visit.granted_records().into_iter().take(1).collect();
    let (network, people) = visit.cast()?;
    let ask =
        Ask::read(people.patient.id(), &records, Purpose::Treat).because("appointment", "control");
    let request = people.doctor.request(network, &ask)?;
    let opened = people.doctor.open(network, &request);
    visit.attempt("the new doctor", &request)?;
    let Err(Error::NotCombined {
        why: CombineError::NotEnough(shortage),
        ..
    }) = &opened
    else {
        return Ok((false, "something else happened".into()));
    };
    let missing: Vec<usize> = shortage
        .missing
        .iter()
        .map(|index| usize::from(index.get()))
        .collect();
    let counted = shortage.have == 2 && shortage.need == 3 && missing == [STOPPED + 1, LIAR + 1];
    Ok((counted, shortage.to_string()))
}
