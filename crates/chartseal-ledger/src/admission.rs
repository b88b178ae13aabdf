use chartseal_codec::DecodeError;
use chartseal_wire::{RecordId, Time};
use thiserror::Error;

/// Why a transaction was refused. The state is untouched then.
///
/// Each rule has one variant and one id ([`rule`](Self::rule)). Those up to `CS-LED-09` are of every transaction and
/// are checked in this order; then come those of its body, in an order of its own.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// `CS-LED-01`: its bytes are more than [`MAX_TRANSACTION_BYTES`](crate::MAX_TRANSACTION_BYTES).
    #[error("transaction has {bytes} bytes, 131072 at most are allowed")]
    TooLarge {
        /// How many there are.
        bytes: usize,
    },
    /// `CS-LED-02`: its bytes are not the canonical bytes of a transaction.
    #[error("transaction is not canonical: {0}")]
    NotCanonical(DecodeError),
    /// `CS-LED-03`: another version of the format.
    #[error("transaction's version is {found}, expected 1")]
    Version {
        /// The version that it names.
        found: u64,
    },
    /// `CS-LED-04`: it is for another chain.
    #[error("transaction is for another chain")]
    WrongChain,
    /// `CS-LED-05`: its last height is behind.
    #[error("transaction expired at height {expires}, this is {height}")]
    Expired {
        /// The last height that it allows.
        expires: u64,
        /// The block's height.
        height: u64,
    },
    /// `CS-LED-06`: nobody is enrolled with that key.
    #[error("transaction's key is not enrolled")]
    UnknownKey,
    /// `CS-LED-07`: the key was rotated away or revoked.
    #[error("transaction's key was revoked")]
    RevokedKey,
    /// `CS-LED-08`: the sequence number was used, or skipped.
    #[error("transaction's sequence number is {found}, it must be above {last}")]
    Sequence {
        /// The number that it has.
        found: u64,
        /// The last one that the key used.
        last: u64,
    },
    /// `CS-LED-09`: the signature does not verify, strictly.
    #[error("transaction's signature does not verify")]
    Signature,
    /// `CS-LED-10`: the body is not for such a key.
    #[error("this is signed by {expected}")]
    WrongSigner {
        /// Who signs such a body.
        expected: &'static str,
    },
    /// `CS-LED-11`: the practitioner is suspended, or outside the credential's window.
    #[error("the practitioner is not in good standing at the block's time")]
    Standing,
    /// `CS-LED-12`: the id belongs to somebody.
    #[error("the id is already enrolled")]
    IdInUse,
    /// `CS-LED-13`: the key is, or was, somebody's.
    #[error("the key is or was already enrolled")]
    KeyInUse,
    /// `CS-LED-14`: only committee members do this.
    #[error("the signer's organization is not in the committee")]
    NotInCommittee,
    /// `CS-LED-15`: too many roles.
    #[error("{found} roles, at most 16 are allowed")]
    Roles {
        /// How many there are.
        found: usize,
    },
    /// `CS-LED-16`: an emergency role without another committee member's good countersignature.
    #[error("an emergency role needs the countersignature of another committee member's office")]
    Countersignature,
    /// `CS-LED-17`: the patient's agreement does not verify.
    #[error("the patient's agreement does not verify under the enrolled key")]
    Agreement,
    /// `CS-LED-18`: the new key's signature does not verify.
    #[error("the new key's proof of possession does not verify")]
    Possession,
    /// `CS-LED-19`: the key is neither the signer's nor their own practitioner's, or revoked already.
    #[error("the key to revoke is not an active one of the signer or of the office's practitioner")]
    NotTheirKey,
    /// `CS-LED-20`: no such patient.
    #[error("the patient is not enrolled")]
    UnknownPatient,
    /// `CS-LED-21`: no such record.
    #[error("there is no such record")]
    UnknownRecord,
    /// `CS-LED-22`: the record was erased.
    #[error("the record was erased")]
    ErasedRecord,
    /// `CS-LED-23`: the record is another patient's.
    #[error("the record is another patient's")]
    OtherPatient,
    /// `CS-LED-24`: not the next version.
    #[error("the record's version is {found}, expected {expected}")]
    RecordVersion {
        /// The next version.
        expected: u64,
        /// The version that it names.
        found: u64,
    },
    /// `CS-LED-25`: another version than the head is named as the old one.
    #[error("a first version supersedes nothing, a later one the header of the version before")]
    Supersedes,
    /// `CS-LED-26`: neither the patient nor the author's side amends.
    #[error("only the patient, the author or their organization may amend the record")]
    Amender,
    /// `CS-LED-27`: an amendment by somebody else than the patient drops a label.
    #[error("only the patient may drop a record's label")]
    DropsLabel,
    /// `CS-LED-28`: an amendment by somebody else than the patient lowers the confidentiality.
    #[error("only the patient may lower a record's confidentiality")]
    LowersConfidentiality,
    /// `CS-LED-29`: written in the future.
    #[error("the record was authored after the block's time")]
    FutureRecord,
    /// `CS-LED-30`: its shares are dealt to others than this epoch's committee.
    #[error("the record's custodians are not this epoch's committee")]
    Custodians,
    /// `CS-LED-31`: the header is known.
    #[error("the envelope header is already anchored")]
    HeaderInUse,
    /// `CS-LED-32`: the author stored the same for the patient before.
    #[error("the author already stored this for the patient, as record {existing}")]
    DuplicateRecord {
        /// The record that holds it.
        existing: RecordId,
    },
    /// `CS-LED-33`: no such version of that record.
    #[error("the envelope header is no version of the record")]
    UnknownHeader,
    /// `CS-LED-34`: another custodian's index, or one outside the set.
    #[error("the custodian's index is {found}, expected {expected}")]
    CustodianIndex {
        /// The signer's index.
        expected: u64,
        /// The index that it names.
        found: u64,
    },
    /// `CS-LED-35`: acknowledged before.
    #[error("this custodian already acknowledged its share")]
    AlreadyAcknowledged,
    /// `CS-LED-36`: an empty or too long list of records, or a repeated one.
    #[error("a list of records has 1 to 512 distinct ones")]
    RecordList,
    /// `CS-LED-37`: a directive that cannot mean anything here.
    #[error("directive {0}")]
    Directive(&'static str),
    /// `CS-LED-38`: a revocation of what is not there.
    #[error("the directive to revoke is not one about this patient's records")]
    UnknownDirective,
    /// `CS-LED-39`: too many directives.
    #[error(
        "the issuer, or all whom the issuer's organization enrolled, have {max} directives about this patient's records, no more are allowed"
    )]
    TooManyDirectives {
        /// The cap.
        max: u32,
    },
    /// `CS-LED-40`: emergencies don't exist here.
    #[error("the network has no emergency policy")]
    NoEmergencies,
    /// `CS-LED-41`: too many emergencies are open or unreviewed.
    #[error("{max} emergencies are open or not reviewed, no more are allowed")]
    TooManyEmergencies {
        /// The cap that was met: the actor's or the organization's.
        max: u32,
    },
    /// `CS-LED-42`: no such request.
    #[error("there is no such access request")]
    UnknownRequest,
    /// `CS-LED-43`: nothing to review.
    #[error("the request rests on no emergency, or is reviewed already")]
    NothingToReview,
    /// `CS-LED-44`: the wrong reviewer.
    #[error("a review is by another practitioner of the same organization with the role privacy")]
    Reviewer,
    /// `CS-LED-45`: a receipt without a permit.
    #[error("the request has no permit for a record of the receipt")]
    NotPermitted,
    /// `CS-LED-46`: a second receipt for the same.
    #[error("this custodian already gave a receipt for a record of this request")]
    AlreadyReleased,
    /// `CS-LED-47`: destruction without an erasure.
    #[error("the record was not erased")]
    NotErased,
    /// `CS-LED-48`: attested before.
    #[error("this custodian already attested the destruction")]
    AlreadyDestroyed,
    /// `CS-LED-49`: a slot that the patient could not open, or somebody else could.
    #[error("a slot is for the patient's registered kem key")]
    SlotKey,
    /// `CS-LED-50`: the patient is not to see it yet.
    #[error("the record is not yet released to the patient")]
    ReleasePending,
    /// `CS-LED-51`: too young, provisional, or without capacity.
    #[error("the patient does not decide for themselves at the block's time")]
    Capacity,
    /// `CS-LED-52`: nothing shows that the signer has the record's key by right.
    #[error(
        "the record's key is the patient's, the author's, or a reader's whose permitted read is logged"
    )]
    NoKey,
    /// `CS-LED-53`: the slot is there.
    #[error("the version already has a slot for that key")]
    SlotInUse,
    /// `CS-LED-54`: no such slot.
    #[error("the version has no slot")]
    UnknownSlot,
    /// `CS-LED-55`: not the next deal.
    #[error("the deal's number is {found}, expected {expected}")]
    DealNumber {
        /// The next number.
        expected: u64,
        /// The number that it names.
        found: u64,
    },
    /// `CS-LED-56`: no such deal of that record.
    #[error("the record's version has no deal of that number")]
    UnknownDeal,
    /// `CS-LED-57`: an age that would tell the birth date.
    #[error("ages are told by a month's first moment, in utc")]
    Month,
    /// `CS-LED-58`: no second organization agreed.
    #[error("this needs the countersignature of another committee member's office")]
    SecondOffice,
    /// `CS-LED-59`: another organization's patient.
    #[error("only the office that enrolled the patient does this")]
    Enroller,
    /// `CS-LED-60`: nobody who can be a guardian, or not so.
    #[error("a guardian {0}")]
    Guardian(&'static str),
    /// `CS-LED-61`: there is no such guardian now.
    #[error("they are no guardian of the patient now")]
    UnknownGuardian,
    /// `CS-LED-62`: a quorum that can't work, or is not the signer's.
    #[error("a quorum {0}")]
    Quorum(&'static str),
    /// `CS-LED-63`: a status that the patient has, or can't come to have.
    #[error("the status does not follow from the patient's present one")]
    Status,
    /// `CS-LED-64`: a plan that can't work.
    #[error("a recovery plan {0}")]
    RecoveryPlan(&'static str),
    /// `CS-LED-65`: no plan that the signer is in, or no recovery that waits.
    #[error("there is no such recovery for the signer to begin, veto or complete")]
    NoRecovery,
    /// `CS-LED-66`: one at a time.
    #[error("a recovery of the patient's key waits already")]
    RecoveryPending,
    /// `CS-LED-67`: too few guardians agree.
    #[error("{found} guardians agree, {needed} are needed")]
    RecoveryApprovals {
        /// How many do.
        found: u64,
        /// How many the plan asks for.
        needed: u64,
    },
    /// `CS-LED-68`: an approval that does not count.
    #[error("an approval is not by another guardian of the plan, or does not verify")]
    RecoveryApproval,
    /// `CS-LED-69`: the old key can still veto.
    #[error("the recovery may be completed from {} on", .due.0)]
    RecoveryEarly {
        /// From when on, in ms.
        due: Time,
    },
    /// `CS-LED-70`: an adoption that can't be.
    #[error("an adoption {0}")]
    Adoption(&'static str),
    /// `CS-LED-71`: who speaks for the other id does not agree.
    #[error("the adopted id's key, or its office if it is provisional, does not agree")]
    AdoptionAgreement,
    /// `CS-LED-72`: another id goes on instead.
    #[error("the patient's id has ended: another one adopted it")]
    AdoptedId,
    /// `CS-LED-73`: repetitions of each other.
    #[error("a repetition is of another record that is none itself")]
    Duplicate,
    /// `CS-LED-74`: one at a time.
    #[error("a dispute of the record waits for its answer")]
    DisputeOpen,
    /// `CS-LED-75`: nothing to answer.
    #[error("no dispute of the record waits for an answer")]
    UnknownDispute,
    /// `CS-LED-76`: what was there before rectifies nothing.
    #[error("a rectification is a version after the disputed one")]
    Rectification,
    /// `CS-LED-77`: another organization's record.
    #[error("only the office of the organization that filed the record places a hold")]
    HoldPlacer,
    /// `CS-LED-78`: it must be kept.
    #[error("a legal hold stands on the record")]
    UnderHold,
    /// `CS-LED-79`: no hold of this organization.
    #[error("the organization has no legal hold on the record")]
    UnknownHold,
    /// `CS-LED-100`: a next committee that can't be.
    #[error("the next committee {0}")]
    NextCommittee(&'static str),
    /// `CS-LED-101`: too few of the present committee agree.
    #[error("{found} members' offices agree to the next committee, {needed} are needed")]
    CommitteeApprovals {
        /// How many do.
        found: u64,
        /// The present committee's quorum.
        needed: u64,
    },
    /// `CS-LED-102`: more than labels would change.
    #[error("{0}")]
    Relabelling(&'static str),
    /// `CS-LED-103`: nobody to take back.
    #[error("the office has no suspended practitioner of that id")]
    NotSuspended,
    /// `CS-LED-104`: the office goes over the patient's head.
    #[error("the patient decides this themselves")]
    PatientDecides,
    /// `CS-LED-105`: a reader deals anew what this epoch's custodians have.
    #[error("a reader deals anew only what an earlier epoch's custodians hold")]
    RedealNotNeeded,
    /// `CS-LED-106`: an amendment by somebody else than the patient takes the record out of its encounter, or into one.
    #[error("only the patient may change a record's encounter")]
    MovesEncounter,
    /// `CS-LED-107`: an amendment by somebody else than the patient takes back what the patient may see.
    #[error("only the patient may hold back again what was released to them")]
    HoldsBack,
}

impl AdmissionError {
    /// The id of the rule that was broken, `CS-LED-01` and on.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "CS-LED-01",
            Self::NotCanonical(_) => "CS-LED-02",
            Self::Version { .. } => "CS-LED-03",
            Self::WrongChain => "CS-LED-04",
            Self::Expired { .. } => "CS-LED-05",
            Self::UnknownKey => "CS-LED-06",
            Self::RevokedKey => "CS-LED-07",
            Self::Sequence { .. } => "CS-LED-08",
            Self::Signature => "CS-LED-09",
            Self::WrongSigner { .. } => "CS-LED-10",
            Self::Standing => "CS-LED-11",
            Self::IdInUse => "CS-LED-12",
            Self::KeyInUse => "CS-LED-13",
            Self::NotInCommittee => "CS-LED-14",
            Self::Roles { .. } => "CS-LED-15",
            Self::Countersignature => "CS-LED-16",
            Self::Agreement => "CS-LED-17",
            Self::Possession => "CS-LED-18",
            Self::NotTheirKey => "CS-LED-19",
            Self::UnknownPatient => "CS-LED-20",
            Self::UnknownRecord => "CS-LED-21",
            Self::ErasedRecord => "CS-LED-22",
            Self::OtherPatient => "CS-LED-23",
            Self::RecordVersion { .. } => "CS-LED-24",
            Self::Supersedes => "CS-LED-25",
            Self::Amender => "CS-LED-26",
            Self::DropsLabel => "CS-LED-27",
            Self::LowersConfidentiality => "CS-LED-28",
            Self::FutureRecord => "CS-LED-29",
            Self::Custodians => "CS-LED-30",
            Self::HeaderInUse => "CS-LED-31",
            Self::DuplicateRecord { .. } => "CS-LED-32",
            Self::UnknownHeader => "CS-LED-33",
            Self::CustodianIndex { .. } => "CS-LED-34",
            Self::AlreadyAcknowledged => "CS-LED-35",
            Self::RecordList => "CS-LED-36",
            Self::Directive(_) => "CS-LED-37",
            Self::UnknownDirective => "CS-LED-38",
            Self::TooManyDirectives { .. } => "CS-LED-39",
            Self::NoEmergencies => "CS-LED-40",
            Self::TooManyEmergencies { .. } => "CS-LED-41",
            Self::UnknownRequest => "CS-LED-42",
            Self::NothingToReview => "CS-LED-43",
            Self::Reviewer => "CS-LED-44",
            Self::NotPermitted => "CS-LED-45",
            Self::AlreadyReleased => "CS-LED-46",
            Self::NotErased => "CS-LED-47",
            Self::AlreadyDestroyed => "CS-LED-48",
            Self::SlotKey => "CS-LED-49",
            Self::ReleasePending => "CS-LED-50",
            Self::Capacity => "CS-LED-51",
            Self::NoKey => "CS-LED-52",
            Self::SlotInUse => "CS-LED-53",
            Self::UnknownSlot => "CS-LED-54",
            Self::DealNumber { .. } => "CS-LED-55",
            Self::UnknownDeal => "CS-LED-56",
            Self::Month => "CS-LED-57",
            Self::SecondOffice => "CS-LED-58",
            Self::Enroller => "CS-LED-59",
            Self::Guardian(_) => "CS-LED-60",
            Self::UnknownGuardian => "CS-LED-61",
            Self::Quorum(_) => "CS-LED-62",
            Self::Status => "CS-LED-63",
            Self::RecoveryPlan(_) => "CS-LED-64",
            Self::NoRecovery => "CS-LED-65",
            Self::RecoveryPending => "CS-LED-66",
            Self::RecoveryApprovals { .. } => "CS-LED-67",
            Self::RecoveryApproval => "CS-LED-68",
            Self::RecoveryEarly { .. } => "CS-LED-69",
            Self::Adoption(_) => "CS-LED-70",
            Self::AdoptionAgreement => "CS-LED-71",
            Self::AdoptedId => "CS-LED-72",
            Self::Duplicate => "CS-LED-73",
            Self::DisputeOpen => "CS-LED-74",
            Self::UnknownDispute => "CS-LED-75",
            Self::Rectification => "CS-LED-76",
            Self::HoldPlacer => "CS-LED-77",
            Self::UnderHold => "CS-LED-78",
            Self::UnknownHold => "CS-LED-79",
            Self::NextCommittee(_) => "CS-LED-100",
            Self::CommitteeApprovals { .. } => "CS-LED-101",
            Self::RedealNotNeeded => "CS-LED-105",
            Self::MovesEncounter => "CS-LED-106",
            Self::HoldsBack => "CS-LED-107",
            Self::Relabelling(_) => "CS-LED-102",
            Self::NotSuspended => "CS-LED-103",
            Self::PatientDecides => "CS-LED-104",
        }
    }
}
