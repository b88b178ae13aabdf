use chartseal_codec::{canonical_enum, canonical_struct};
use chartseal_wire::{ActorId, OrgId, PatientId};

/// Whose a signing key is, and in what capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An organization's office.
    Office(OrgId),
    /// An organization's custodian.
    Custodian(OrgId),
    /// A practitioner.
    Practitioner(ActorId),
    /// A patient.
    Patient(PatientId),
}

canonical_enum!(Holder { 1 => Office(_), 2 => Custodian(_), 3 => Practitioner(_), 4 => Patient(_) });

impl Holder {
    /// Who acts when this holder signs.
    pub fn actor(&self) -> ActorId {
        match self {
            Self::Office(org) | Self::Custodian(org) => (*org).into(),
            Self::Practitioner(actor) => *actor,
            Self::Patient(patient) => (*patient).into(),
        }
    }
}

/// What the chain knows of a signing key. It stays for ever, so that no key has two lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyState {
    /// Whose it is.
    pub holder: Holder,
    /// The last sequence number that it used; 0 before the first.
    pub seq: u64,
    /// Whether it counts no more.
    pub revoked: bool,
}

canonical_struct!(KeyState {
    holder,
    seq,
    revoked
});

/// What a signing key is kept for that nobody signs with here yet: nobody else comes to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The patient whose recovery waits: the key will be theirs.
    Recovery(PatientId),
    /// The organization whose validator has or had it. Those of the first committee are in the committee
    /// itself, as long as that one is in office.
    Validator(OrgId),
}

canonical_enum!(Reserved { 1 => Recovery(_), 2 => Validator(_) });

/// The tables of the state map, and how each makes its keys.
pub(crate) mod table {
    use chartseal_merkle::MapKey;
    use chartseal_wire::history::state_key;
    use chartseal_wire::{
        ActorId, DirectiveId, HeaderDigest, OrgId, PatientId, PublicKey, RecordId, RequestId,
    };

    pub(crate) fn shared() -> MapKey {
        state_key("shared", &[])
    }

    pub(crate) fn org(id: &OrgId) -> MapKey {
        state_key("org", &id.0)
    }

    pub(crate) fn enrolled_by(id: &OrgId) -> MapKey {
        state_key("enrolled-by", &id.0)
    }

    pub(crate) fn former_kem(kem: &[u8; 32]) -> MapKey {
        state_key("former-kem", kem)
    }

    pub(crate) fn actor(id: &ActorId) -> MapKey {
        state_key("actor", &id.0)
    }

    pub(crate) fn patient(id: &PatientId) -> MapKey {
        state_key("patient", &id.0)
    }

    pub(crate) fn adopted_by(id: &PatientId) -> MapKey {
        state_key("adopted-by", &id.0)
    }

    pub(crate) fn care(id: &PatientId) -> MapKey {
        state_key("care", &id.0)
    }

    pub(crate) fn recovery(id: &PatientId) -> MapKey {
        state_key("recovery", &id.0)
    }

    pub(crate) fn adopted(by: &PatientId) -> MapKey {
        state_key("adopted", &by.0)
    }

    pub(crate) fn duplicate(record: &RecordId) -> MapKey {
        state_key("duplicate", &record.0)
    }

    pub(crate) fn dispute(record: &RecordId) -> MapKey {
        state_key("dispute", &record.0)
    }

    pub(crate) fn hold(record: &RecordId) -> MapKey {
        state_key("hold", &record.0)
    }

    pub(crate) fn denials(actor: &ActorId, patient: &PatientId, foreign_claim: bool) -> MapKey {
        let kind = [u8::from(foreign_claim)];
        state_key("denials", &[&actor.0[..], &patient.0, &kind].concat())
    }

    pub(crate) fn org_denials(org: &OrgId) -> MapKey {
        state_key("org-denials", &org.0)
    }

    pub(crate) fn floods() -> MapKey {
        state_key("floods", &[])
    }

    pub(crate) fn committee(epoch: u64) -> MapKey {
        state_key("committee", &epoch.to_be_bytes())
    }

    pub(crate) fn destroyed(record: &RecordId, org: &OrgId) -> MapKey {
        state_key("destroyed", &[record.0, org.0].concat())
    }

    pub(crate) fn key(key: &PublicKey) -> MapKey {
        state_key("key", &key.0)
    }

    pub(crate) fn former_key(key: &PublicKey) -> MapKey {
        state_key("former-key", &key.0)
    }

    pub(crate) fn reserved_key(key: &PublicKey) -> MapKey {
        state_key("reserved-key", &key.0)
    }

    pub(crate) fn record(id: &RecordId) -> MapKey {
        state_key("record", &id.0)
    }

    pub(crate) fn deposit(header: &HeaderDigest) -> MapKey {
        state_key("deposit", &header.0)
    }

    pub(crate) fn deals(header: &HeaderDigest) -> MapKey {
        state_key("deals", &header.0)
    }

    pub(crate) fn deal(header: &HeaderDigest, number: u64) -> MapKey {
        state_key("deal", &[&header.0[..], &number.to_be_bytes()].concat())
    }

    pub(crate) fn slot(header: &HeaderDigest) -> MapKey {
        state_key("slot", &header.0)
    }

    pub(crate) fn fingerprint(author: &ActorId, patient: &PatientId, print: &[u8; 32]) -> MapKey {
        state_key("fingerprint", &[&author.0[..], &patient.0, print].concat())
    }

    pub(crate) fn directive(patient: &PatientId, index: u64) -> MapKey {
        state_key(
            "directive",
            &[&patient.0[..], &index.to_be_bytes()].concat(),
        )
    }

    pub(crate) fn directive_place(id: &DirectiveId) -> MapKey {
        state_key("directive-place", &id.0)
    }

    pub(crate) fn directive_count(patient: &PatientId) -> MapKey {
        state_key("directive-count", &patient.0)
    }

    pub(crate) fn directives_by(issuer: &ActorId, patient: &PatientId) -> MapKey {
        state_key("directives-by", &[issuer.0, patient.0].concat())
    }

    pub(crate) fn revoked(target: &DirectiveId, by: &ActorId) -> MapKey {
        state_key("revoked", &[&target.0[..], &by.0].concat())
    }

    pub(crate) fn declared(by: &OrgId, patient: &PatientId) -> MapKey {
        state_key("declared", &[by.0, patient.0].concat())
    }

    pub(crate) fn emergencies(org: &OrgId) -> MapKey {
        state_key("emergencies", &org.0)
    }

    pub(crate) fn request(id: &RequestId) -> MapKey {
        state_key("request", &id.0)
    }
}
