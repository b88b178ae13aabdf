//! Steps 1 and 2: four organizations, and the people.

use chartseal_codec::to_hex;
use chartseal_wire::OrgId;

use crate::demo::page::Outcome;
use crate::demo::visit::{HOUR, People, Visit};
use crate::failure::Failure;

/// Step 1.
pub fn network(visit: &mut Visit<'_>) -> Result<(), Failure> {
    visit.page.step(if visit.remote.is_some() {
        "Organizations run a network"
    } else {
        "Four organizations found a network"
    })?;
    if visit.remote.is_some() {
        return connected(visit);
    }
    let nodes = visit.network.nodes();
    let same = nodes
        .iter()
        .all(|node| node.head().map().root() == visit.network.genesis().overlay().map().root());
    let quorum = visit.network.quorum();
    let what = format!(
        "{} organizations, each with its own keys, state, store and key shares",
        nodes.len()
    );
    let result = format!(
        "chain {}…; {quorum} of {} must agree on a block, {quorum} shares open a record",
        short(&visit.network.chain()),
        nodes.len()
    );
    visit.page.line(&what, Outcome::Good, &result)?;
    visit.checks.check(
        "P6",
        same,
        "all four organizations start from one state root",
    );

    for (at, node) in (1..).zip(nodes) {
        if let Some(key) = visit.network.enrolment_key(&node.org()) {
            let name = format!("keys/organization-{at}.enrolment");
            visit
                .directory
                .write_secret(&name, to_hex(key.expose_secret_bytes()).as_bytes())
                .map_err(Failure::new)?;
        }
    }
    Ok(())
}

/// Step 1, if the network is there already.
fn connected(visit: &mut Visit<'_>) -> Result<(), Failure> {
    let network = &visit.network;
    let (quorum, all) = (network.quorum(), network.organizations().len());
    let what = format!("{all} organizations, each node a process of its own");
    let height = network.tip()?.height;
    let known = if visit.is_light {
        format!("block {height} certified, and what is asked for proved under it")
    } else {
        format!("{height} blocks followed and verified from its genesis on")
    };
    let result = format!(
        "chain {}…; {known}; {quorum} of {all} must agree",
        short(&network.chain()),
    );
    visit.page.line(&what, Outcome::Good, &result)?;
    let delay = network.read(|state| state.params().emergency_role_delay_ms)?;
    if delay > MOST_DELAY_MS {
        let why = "its emergency roles count after a day; found one with `net init --for-demo`";
        return Err(Failure::new(why));
    }
    Ok(())
}

/// How long an emergency role's delay is waited for.
const MOST_DELAY_MS: u64 = 10_000;

/// Step 2.
pub fn enrolment(visit: &mut Visit<'_>) -> Result<(), Failure> {
    visit
        .page
        .step("A hospital, its practitioners and a patient are enrolled")?;
    let network = &mut visit.network;
    let clinic: OrgId = *network
        .organizations()
        .first()
        .ok_or_else(|| Failure::new("no node"))?;
    let hospital = network.enrol_organization()?;
    let mut enrol =
        |org: &OrgId, roles: &[&str]| network.enrol_practitioner(org, roles).map_err(Failure::new);
    let author = enrol(&clinic, &["physician"])?;
    let doctor = enrol(&hospital, &["physician"])?;
    let emergency = enrol(&hospital, &["physician", "emergency"])?;
    let privacy = enrol(&hospital, &["privacy"])?;
    let patient = network.enrol_patient(&clinic)?;
    // An emergency role counts only a day after a second organization agreed to it.
    let delay = network.read(|state| state.params().emergency_role_delay_ms)?;
    visit.pass(25 * HOUR, delay + 1_000);

    let page = &visit.page;
    page.line(
        "a hospital, by the first organization's office",
        Outcome::Good,
        "",
    )?;
    page.line(
        "the family doctor, at the first organization",
        Outcome::Good,
        "",
    )?;
    page.line(
        "the new doctor and a privacy officer, at the hospital",
        Outcome::Good,
        "",
    )?;
    let why = if visit.remote.is_some() {
        "countersigned by a second organization; the role counts after a delay"
    } else {
        "countersigned by a second organization; the role counts after a day"
    };
    page.line(
        "the emergency physician, at the hospital",
        Outcome::Good,
        why,
    )?;
    let why = format!(
        "id {}…, random; agreed by the patient's own signature",
        short(&patient.id())
    );
    page.line("the patient", Outcome::Good, &why)?;

    let people = [
        ("family-doctor", author.person()),
        ("new-doctor", doctor.person()),
        ("emergency-physician", emergency.person()),
        ("privacy-officer", privacy.person()),
        ("patient", patient.person()),
    ];
    for (name, person) in people {
        let seed = to_hex(person.seed().expose_bytes());
        visit
            .directory
            .write_secret(&format!("keys/{name}.seed"), seed.as_bytes())
            .map_err(Failure::new)?;
    }
    visit.people = Some(People {
        hospital,
        author,
        doctor,
        emergency,
        privacy,
        patient,
    });
    Ok(())
}

/// The first bytes of an id, in hex.
fn short(id: &impl std::fmt::Display) -> String {
    id.to_string().chars().take(8).collect()
}
