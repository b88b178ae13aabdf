//! Lines for a terminal.

use std::io::{self, Write};

use chartseal_ledger::Body;
use chartseal_ledger::state::{Holder, State};
use chartseal_wire::{PublicKey, Subject};
use serde_json::{Value, json};

use crate::events::Decided;
use crate::text::{NAME, line};

/// The history of somebody.
pub fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Patient(id) => format!("patient {id}"),
        Subject::Actor(id) => format!("actor {id}"),
    }
}

/// Who signs with a key.
pub struct Signer {
    /// `office`, `custodian`, `practitioner`, `patient`.
    pub role: &'static str,
    pub id: String,
}

impl Signer {
    /// Whose a key is, by the newest state: a key's holder never changes.
    pub fn of(state: &State<'_>, key: &PublicKey) -> Option<Self> {
        let (role, id) = match state.key(key)?.holder {
            Holder::Office(id) => ("office", id.to_string()),
            Holder::Custodian(id) => ("custodian", id.to_string()),
            Holder::Practitioner(id) => ("practitioner", id.to_string()),
            Holder::Patient(id) => ("patient", id.to_string()),
        };
        Some(Self { role, id })
    }

    pub fn json(signer: Option<&Self>) -> Value {
        signer.map_or(
            Value::Null,
            |signer| json!({"role": signer.role, "id": signer.id}),
        )
    }

    pub fn says(signer: Option<&Self>) -> String {
        signer.map_or_else(
            || "a key that the state doesn't know".into(),
            |signer| format!("{} {}", signer.role, signer.id),
        )
    }
}

/// Decisions about records: those that are alike together, two ids a line.
pub fn decisions(out: &mut impl Write, decided: &[Decided]) -> io::Result<()> {
    let basis = |one: &Decided| one.why.as_ref().map(|why| why.basis.clone());
    let alike = |a: &Decided, b: &Decided| a.says() == b.says() && basis(a) == basis(b);
    for group in decided.chunk_by(alike) {
        let Some(first) = group.first() else { continue };
        line(out, "  decision", &first.says())?;
        for by in basis(first).into_iter().flatten() {
            line(out, "    by", &by)?;
        }
        for (index, pair) in group.chunks(2).enumerate() {
            let ids: Vec<&str> = pair.iter().map(|one| one.record.as_str()).collect();
            let name = if index == 0 { "    on" } else { "" };
            writeln!(out, "{name:<NAME$}{}", ids.join(" "))?;
        }
    }
    Ok(())
}

/// A lasting word for what a transaction says.
pub fn kind(body: &Body) -> &'static str {
    match body {
        Body::OrganizationEnrolled(_) => "organization_enrolled",
        Body::PractitionerEnrolled(_) => "practitioner_enrolled",
        Body::PatientEnrolled(_) => "patient_enrolled",
        Body::KeyRotated(_) => "key_rotated",
        Body::KeyRevoked(_) => "key_revoked",
        Body::RecordAdded(_) => "record_added",
        Body::DepositAcknowledged(_) => "deposit_acknowledged",
        Body::Relabelled(_) => "relabelled",
        Body::DirectiveIssued(_) => "directive_issued",
        Body::EmergencyDeclared(_) => "emergency_declared",
        Body::EmergencyReviewed(_) => "emergency_reviewed",
        Body::AccessRequested(_) => "access_requested",
        Body::Released(_) => "released",
        Body::Erased(_) => "erased",
        Body::Destroyed(_) => "destroyed",
        Body::SlotAdded(_) => "slot_added",
        Body::SlotRemoved(_) => "slot_removed",
        Body::Redealt(_) => "redealt",
        Body::RedealAcknowledged(_) => "redeal_acknowledged",
        Body::GuardianAppointed(_) => "guardian_appointed",
        Body::GuardianRemoved(_) => "guardian_removed",
        Body::QuorumSet(_) => "quorum_set",
        Body::QuorumGranted(_) => "quorum_granted",
        Body::StatusChanged(_) => "status_changed",
        Body::RecoveryPlanned(_) => "recovery_planned",
        Body::RecoveryStarted(_) => "recovery_started",
        Body::RecoveryVetoed(_) => "recovery_vetoed",
        Body::RecoveryCompleted(_) => "recovery_completed",
        Body::Adopted(_) => "adopted",
        Body::DuplicateOf(_) => "duplicate_of",
        Body::Disputed(_) => "disputed",
        Body::DisputeAnswered(_) => "dispute_answered",
        Body::HoldPlaced(_) => "hold_placed",
        Body::HoldLifted(_) => "hold_lifted",
        Body::PractitionerReinstated(_) => "practitioner_reinstated",
        Body::CommitteeChanged(_) => "committee_changed",
        Body::CustodianReplaced(_) => "custodian_replaced",
        // The format may grow before this program does.
        _ => "other",
    }
}
