use std::sync::Arc;

use chartseal_codec::from_bytes;
use chartseal_envelope::open_text;
use chartseal_ledger::body::{EmergencyDeclared, EmergencyReviewed};
use chartseal_policy::Declaration;
use chartseal_wire::{ActorId, OrgId, PatientId, RequestId, TxId};

use crate::anchoring::Anchoring;
use crate::domain;
use crate::error::Error;
use crate::filing::Parcel;
use crate::invitation::{GrantReceipt, Invitation};
use crate::network::Network;
use crate::person::Person;
use crate::texts::{reason_text, token};

/// Somebody who treats patients: files records, asks for them, opens them.
#[derive(Debug)]
pub struct Clinician {
    pub(crate) person: Person,
    org: OrgId,
    /// Deals that a custodian has not acknowledged yet; kept to send them again.
    pub(crate) outbox: Vec<Arc<Parcel>>,
    /// Records of which it is not known yet whether the chain has them.
    pub(crate) anchoring: Vec<Anchoring>,
}

impl Clinician {
    pub(crate) fn new(person: Person, org: OrgId) -> Self {
        Self {
            person,
            org,
            outbox: Vec::new(),
            anchoring: Vec::new(),
        }
    }

    /// Their id.
    pub fn id(&self) -> ActorId {
        self.person.id()
    }

    /// Their organization.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Their keys.
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// Opens the invitation that came with a grant.
    ///
    /// # Errors
    /// [`Error`] if it is gone, or for somebody else.
    pub fn accept(&self, network: &Network, grant: &GrantReceipt) -> Result<Invitation, Error> {
        let text = network.text(&grant.grant, &grant.invitation)?;
        let sealed =
            from_bytes(text.sealed.as_ref()).map_err(|_| Error::Malformed("an invitation"))?;
        let plain = open_text(
            self.person.kem(),
            domain::INVITATION,
            self.id().as_ref(),
            &sealed,
        )?;
        from_bytes(&plain).map_err(|_| Error::Malformed("an invitation"))
    }

    /// Declares an emergency for a patient: for a while, requests for the purpose `BTG` may break the
    /// glass. The patient sees who and why.
    ///
    /// # Errors
    /// [`Error`].
    pub fn declare_emergency(
        &mut self,
        network: &mut Network,
        patient: PatientId,
        reason_code: &str,
        reason: &str,
    ) -> Result<TxId, Error> {
        let text = reason_text(network, &patient, &self.id(), reason)?;
        let body = EmergencyDeclared {
            patient,
            reason_code: token(reason_code)?,
            reason: text.commitment(),
            has_reason: !Declaration::is_blank(reason),
        };
        self.person.submit(network, body, &[text])
    }

    /// Reviews a colleague's emergency access, in the role `privacy`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn review(
        &mut self,
        network: &mut Network,
        request: RequestId,
        justified: bool,
    ) -> Result<TxId, Error> {
        let body = EmergencyReviewed { request, justified };
        self.person.submit(network, body, &[])
    }
}
