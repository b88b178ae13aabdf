//! Emergencies: the glass can be broken, by few, with a reason, and never unseen (P2, P3).

use chartseal::{Ask, Clinician, Error, Purpose, RecordId};
use chartseal_envelope::{KemKeyPair, seal_text};
use chartseal_ledger::AdmissionError;
use chartseal_ledger::body::{AccessRequested, EmergencyDeclared};
use chartseal_wire::SealedText;
use chartseal_wire::history::Token;

use crate::fixture::*;

const REASON: &str = "unconscious, bleeding";

struct Emergency {
    visit: Visit,
    physician: Clinician,
    record: RecordId,
}

impl Emergency {
    /// An emergency physician whose role counts, and a record that nobody was granted.
    fn new() -> Self {
        let mut this = Self::just_enrolled();
        let delay = this
            .visit
            .network
            .genesis()
            .params()
            .emergency_role_delay_ms;
        this.visit.wait(delay);
        this
    }

    fn just_enrolled() -> Self {
        let mut visit = Visit::new();
        let record = visit.file_result("blood group 0");
        let hospital = visit.hospital;
        let roles = ["physician", "emergency"];
        let physician = visit.network.enrol_practitioner(&hospital, &roles).unwrap();
        Self {
            visit,
            physician,
            record,
        }
    }

    fn declare(&mut self, reason: &str) {
        let (patient, network) = (self.visit.patient.id(), &mut self.visit.network);
        self.physician
            .declare_emergency(network, patient, "unconscious", reason)
            .unwrap();
    }

    fn break_glass(&mut self) -> Result<chartseal::Opening, Error> {
        let (patient, records) = (self.visit.patient.id(), [self.record]);
        let ask = Ask::read(patient, &records, Purpose::Btg).because("unconscious", REASON);
        self.physician.read(&mut self.visit.network, &ask)
    }

    fn last_codes(&self) -> Vec<String> {
        let (_, access) = self.visit.attempts().pop().unwrap();
        codes(&access).into_iter().map(str::to_owned).collect()
    }
}

#[test]
fn a_broken_glass_opens_flagged_and_the_patient_is_told_and_a_review_is_due_until_it_is_done() {
    let mut emergency = Emergency::new();
    emergency.declare(REASON);
    let opening = emergency.break_glass().unwrap();
    assert_eq!(contents(&opening), [b"blood group 0"]);
    assert_eq!(emergency.last_codes(), ["emergency"]);

    let Emergency {
        visit, physician, ..
    } = &mut emergency;
    let [notice] = &visit.patient.notices(&visit.network).unwrap()[..] else {
        panic!("the patient is told once")
    };
    assert_eq!(notice.actor, physician.id());
    assert_eq!(notice.reason.as_deref(), Some(REASON));
    assert!(
        notice
            .obligations
            .iter()
            .any(|obligation| obligation == "notify_patient")
    );
    assert!(
        notice.obligations.iter().any(|o| o.starts_with("review")),
        "{notice:?}"
    );

    let report = visit.report();
    let history = &report.histories[0];
    assert_eq!((history.declarations, history.emergencies), (1, 1));
    assert_eq!(history.open_reviews.len(), 1, "a review is due");
    assert!(report.anomalies.is_empty());

    // Neither the physician nor a colleague without the role nor another house reviews it.
    let request = notice.request;
    let hospital = visit.hospital;
    let clinic = visit.network.enrol_organization().unwrap();
    let mut foreign = visit
        .network
        .enrol_practitioner(&clinic, &["privacy"])
        .unwrap();
    for reviewer in [physician, &mut visit.doctor, &mut foreign] {
        let refused = reviewer.review(&mut visit.network, request, true);
        assert!(
            matches!(refused, Err(Error::Refused(AdmissionError::Reviewer))),
            "{refused:?}"
        );
    }
    let mut officer = visit
        .network
        .enrol_practitioner(&hospital, &["privacy"])
        .unwrap();
    officer.review(&mut visit.network, request, true).unwrap();
    assert!(visit.report().histories[0].open_reviews.is_empty());
    let again = officer.review(&mut visit.network, request, true);
    assert!(matches!(
        again,
        Err(Error::Refused(AdmissionError::NothingToReview))
    ));
}

#[test]
fn a_review_that_does_not_come_is_an_anomaly() {
    let mut emergency = Emergency::new();
    emergency.declare(REASON);
    emergency.break_glass().unwrap();
    emergency.visit.wait(3 * DAY);
    assert!(emergency.visit.report().anomalies.is_empty());
    emergency.visit.wait(DAY);
    let report = emergency.visit.report();
    assert_eq!(report.anomalies.len(), 1, "{:?}", report.anomalies);
}

#[test]
fn without_a_declaration_nobody_breaks_the_glass_and_the_attempt_is_seen() {
    let mut emergency = Emergency::new();
    assert!(matches!(emergency.break_glass(), Err(Error::Denied(_))));
    assert_eq!(emergency.last_codes(), ["emergency_not_declared"]);
}

#[test]
fn a_declaration_without_a_reason_is_none() {
    let mut emergency = Emergency::new();
    emergency.declare(" \t ");
    assert!(matches!(emergency.break_glass(), Err(Error::Denied(_))));
    assert_eq!(emergency.last_codes(), ["emergency_not_declared"]);
}

#[test]
fn an_emergency_ends() {
    let mut emergency = Emergency::new();
    emergency.declare(REASON);
    emergency.visit.wait(4 * HOUR);
    assert!(matches!(emergency.break_glass(), Err(Error::Denied(_))));
    assert_eq!(emergency.last_codes(), ["emergency_not_declared"]);
}

#[test]
fn an_emergency_role_counts_only_after_its_delay() {
    let mut emergency = Emergency::just_enrolled();
    let delay = emergency
        .visit
        .network
        .genesis()
        .params()
        .emergency_role_delay_ms;
    emergency.visit.wait(delay - 1);
    emergency.declare(REASON);
    assert!(matches!(emergency.break_glass(), Err(Error::Denied(_))));
    assert_eq!(emergency.last_codes(), ["emergency_role"]);
    emergency.visit.wait(1);
    assert!(emergency.break_glass().is_ok());
}

#[test]
fn somebody_without_the_role_does_not_break_the_glass() {
    let mut emergency = Emergency::new();
    let hospital = emergency.visit.hospital;
    let network = &mut emergency.visit.network;
    emergency.physician = network
        .enrol_practitioner(&hospital, &["physician"])
        .unwrap();
    emergency.declare(REASON);
    assert!(matches!(emergency.break_glass(), Err(Error::Denied(_))));
    assert_eq!(emergency.last_codes(), ["emergency_role"]);
}

#[test]
fn a_reason_that_the_patient_cannot_read_is_shown_as_none() {
    let mut emergency = Emergency::new();
    let Emergency {
        visit,
        physician,
        record,
    } = &mut emergency;
    // Sealed to somebody else's key: a lie that only the patient can notice.
    let somebody = KemKeyPair::generate().unwrap();
    let lie = |seed: u8| {
        let by = physician.id();
        let purpose = chartseal::domain::REASON;
        let sealed = seal_text(somebody.public_key(), purpose, by.as_ref(), b"hidden").unwrap();
        SealedText {
            salt: [seed; 32],
            sealed: chartseal_codec::to_bytes(&sealed).into(),
        }
    };
    let (declared, asked) = (lie(1), lie(2));
    let declaration = EmergencyDeclared {
        patient: visit.patient.id(),
        reason_code: Token::new("unconscious").unwrap(),
        reason: declared.commitment(),
        has_reason: true,
    };
    let signed_declaration = signed(&visit.network, physician.person(), declaration);
    visit
        .network
        .submit(signed_declaration, &[declared])
        .unwrap();
    let request = AccessRequested {
        patient: visit.patient.id(),
        records: vec![*record],
        action: Token::new("read").unwrap(),
        purpose: Token::new("BTG").unwrap(),
        reason_code: Token::new("unconscious").unwrap(),
        reason: asked.commitment(),
        reader: somebody.key_id().0,
    };
    let signed_request = signed(&visit.network, physician.person(), request);
    visit.network.submit(signed_request, &[asked]).unwrap();

    assert_eq!(codes(&visit.attempts()[0].1), ["emergency"]);
    let [notice] = &visit.patient.notices(&visit.network).unwrap()[..] else {
        panic!("the patient is told once")
    };
    assert_eq!((notice.actor, &notice.reason), (physician.id(), &None));
}

#[test]
fn a_reason_that_never_came_is_an_anomaly() {
    let mut visit = Visit::new();
    let record = visit.file_result("one");
    let body = AccessRequested {
        patient: visit.patient.id(),
        records: vec![record],
        action: Token::new("read").unwrap(),
        purpose: Token::new("TREAT").unwrap(),
        reason_code: Token::new("visit").unwrap(),
        reason: chartseal_wire::Hash([3; 32]),
        reader: [4; 32],
    };
    let request = signed(&visit.network, visit.doctor.person(), body);
    visit.network.submit(request, &[]).unwrap();
    let (entry, _) = visit.attempts().remove(0);
    assert_eq!(visit.patient.reason(&visit.network, &entry).unwrap(), None);
    assert_eq!(visit.report().anomalies.len(), 1);
}
