use chartseal_policy::Position;
use chartseal_wire::{
    ActorId, ChainId, Entry, Event, HeaderDigest, OrgId, PatientId, PublicKey, RecordId, Subject,
    Time, TxId,
};

use crate::admission::AdmissionError;
use crate::body::{Body, Countersignature, CustodianSet};
use crate::scratch::Scratch;
use crate::state::{ActorState, Holder, PatientState, RecordState, Shared, State};

/// One admitted transaction on its way into the state.
pub(super) struct Context<'s, 'b> {
    pub(super) scratch: &'s mut Scratch<'b>,
    pub(super) shared: &'s Shared,
    pub(super) tx: TxId,
    pub(super) index: u32,
    pub(super) key: PublicKey,
    pub(super) seq: u64,
    pub(super) holder: Holder,
    pub(super) actor: ActorId,
    pub(super) org: OrgId,
}

impl Context<'_, '_> {
    pub(super) fn state(&self) -> State<'_> {
        State {
            source: &*self.scratch,
            shared: self.shared,
        }
    }

    pub(super) fn chain(&self) -> ChainId {
        self.shared.chain
    }

    pub(super) fn now(&self) -> Time {
        self.scratch.time()
    }

    pub(super) fn position(&self) -> Position {
        Position {
            height: self.scratch.height(),
            index: self.index,
        }
    }

    /// The organization that answers for whoever signed: whose office enrolled them.
    pub(super) fn answerable(&self) -> OrgId {
        let enrolled_by = match self.holder {
            Holder::Patient(id) => self.state().patient(&id).map(|one| one.enrolled_by),
            _ => None,
        };
        self.state().answerable(&enrolled_by.unwrap_or(self.org))
    }

    /// The office's organization, if an office signed.
    pub(super) fn office(&self) -> Result<OrgId, AdmissionError> {
        match self.holder {
            Holder::Office(org) => Ok(org),
            _ => Err(wrong_signer("an organization's office")),
        }
    }

    /// The practitioner in good standing, if one signed.
    pub(super) fn practitioner(&self) -> Result<ActorState, AdmissionError> {
        let Holder::Practitioner(id) = self.holder else {
            return Err(wrong_signer("a practitioner"));
        };
        let actor = self.state().actor(&id).ok_or(AdmissionError::UnknownKey)?;
        if actor.in_standing(self.now()) {
            Ok(actor)
        } else {
            Err(AdmissionError::Standing)
        }
    }

    /// The patient, if one signed.
    pub(super) fn patient(&self) -> Result<PatientId, AdmissionError> {
        match self.holder {
            Holder::Patient(patient) => Ok(patient),
            _ => Err(wrong_signer("a patient")),
        }
    }

    /// The patient who may decide for themselves, if one signed.
    pub(super) fn capable(&self) -> Result<PatientId, AdmissionError> {
        let patient = self.patient()?;
        if self.state().has_capacity(&patient, self.now()) {
            Ok(patient)
        } else {
            Err(AdmissionError::Capacity)
        }
    }

    /// A patient whom the transaction names, by an id that has not ended.
    pub(super) fn known_patient(&self, id: &PatientId) -> Result<PatientState, AdmissionError> {
        let patient = self.state().patient(id);
        let patient = patient.ok_or(AdmissionError::UnknownPatient)?;
        if self.state().owner(id) == *id {
            Ok(patient)
        } else {
            Err(AdmissionError::AdoptedId)
        }
    }

    /// Another committee member's office agrees to this body in this transaction.
    pub(super) fn check_second_office(
        &self,
        by: Option<&Countersignature>,
        body: &Body,
    ) -> Result<(), AdmissionError> {
        let committee = &self.shared.committee;
        let by = by.filter(|by| by.org != self.org && committee.index_of(&by.org).is_some());
        let by = by.ok_or(AdmissionError::SecondOffice)?;
        let office = self.state().org(&by.org).map(|org| org.enrolment_key);
        let message = body.to_countersign(&self.chain(), &self.key, self.seq);
        office
            .and_then(|office| office.verify_raw(&message, &by.signature).ok())
            .ok_or(AdmissionError::SecondOffice)
    }

    /// To whom records are dealt now.
    pub(super) fn custodians(&self) -> CustodianSet {
        let committee = &self.shared.committee;
        let (epoch, t, n) = (committee.epoch(), committee.quorum(), committee.n());
        CustodianSet { epoch, t, n }
    }

    /// The custodian, if one signed.
    pub(super) fn custodian(&self) -> Result<OrgId, AdmissionError> {
        match self.holder {
            Holder::Custodian(org) => Ok(org),
            _ => Err(wrong_signer("a custodian")),
        }
    }

    /// The custodian's index, from 1, in the committee of an epoch, if one signed.
    pub(super) fn custodian_of(&self, epoch: u64) -> Result<u64, AdmissionError> {
        let org = self.custodian()?;
        let present = &self.shared.committee;
        let index = if epoch == present.epoch() {
            present.index_of(&org)
        } else {
            let committee = self.state().committee_of(epoch);
            committee.and_then(|committee| committee.index_of(&org))
        };
        index.ok_or(AdmissionError::NotInCommittee)
    }

    /// The deal of a version from which releases come now, and the set to which it was dealt.
    pub(super) fn releasing(&self, header: &HeaderDigest) -> (u64, Option<CustodianSet>) {
        let deal = self.state().deals(header).durable;
        (deal, self.state().dealt_to(header, deal))
    }

    /// The patient's own record, not erased.
    pub(super) fn own_record(
        &self,
        patient: PatientId,
        record: &RecordId,
    ) -> Result<RecordState, AdmissionError> {
        let record = self
            .state()
            .record(record)
            .ok_or(AdmissionError::UnknownRecord)?;
        if self.state().owner(&record.patient) != patient {
            return Err(AdmissionError::OtherPatient);
        }
        if record.erased {
            Err(AdmissionError::ErasedRecord)
        } else {
            Ok(record)
        }
    }

    /// Enters an event into the history of a subject.
    pub(super) fn enter(&mut self, subject: Subject, event: Event) {
        self.enter_into(&[subject], event);
    }

    fn enter_into(&mut self, subjects: &[Subject], event: Event) {
        let entry = Entry {
            height: self.scratch.height(),
            time: self.scratch.time(),
            tx: self.tx,
            actor: self.actor,
            org: self.org,
            event,
        };
        self.scratch.enter(subjects, &entry);
    }

    /// Enters an event that concerns a patient into the patient's history, or that of who adopted the
    /// id, and the actor's.
    pub(super) fn enter_for(&mut self, patient: PatientId, event: Event) {
        let patient = self.state().owner(&patient);
        let subjects = [Subject::Patient(patient), Subject::Actor(self.actor)];
        self.enter_into(&subjects, event);
    }
}

pub(super) fn wrong_signer(expected: &'static str) -> AdmissionError {
    AdmissionError::WrongSigner { expected }
}

/// A list of records is 1 to 512 long, and none comes twice.
pub(super) fn check_list<'a>(
    records: impl ExactSizeIterator<Item = &'a RecordId>,
) -> Result<(), AdmissionError> {
    if !(1..=chartseal_wire::history::MAX_REQUEST_RECORDS).contains(&records.len()) {
        return Err(AdmissionError::RecordList);
    }
    let mut sorted: alloc::vec::Vec<_> = records.collect();
    sorted.sort_unstable();
    if sorted.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(AdmissionError::RecordList)
    }
}
