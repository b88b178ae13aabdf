//! The next committee, as a proposal that travels from office to office until a quorum of the present members agrees; and
//! what a node knows by which each of them judges it. As a file:
//!
//! ```text
//! chartseal committee 1
//! network HEX
//! epoch NUMBER
//! from HEIGHT
//! member ORGANIZATION VALIDATOR KEM    one line for each, in the committee's order; KEM is its key's digest
//! approval ORGANIZATION SIGNATURE      one line for each
//! ```

use std::collections::BTreeSet;

use chartseal_codec::{canonical_struct, from_hex, hex_exact, to_hex};
use chartseal_consensus::engine::NOTICE;
use chartseal_envelope::SigningKeyPair;
use chartseal_ledger::body::{CommitteeChanged, Countersignature, NextMember, Organization};
use chartseal_ledger::state::NextCommittee;
use chartseal_ledger::{Committee, Overlay};
use chartseal_wire::committee::Member;
use chartseal_wire::{ChainId, OrgId, PublicKey, Signature};
use thiserror::Error;

use crate::keys::{public, sign};

/// The first line.
const MAGIC: &str = "chartseal committee 1";
/// The furthest height ahead that the ledger takes.
const MAX_AHEAD: u64 = 100_000;

/// What a node's newest state says of who is in the committee, and of who could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitteeView {
    /// The network.
    pub network: ChainId,
    /// The newest block's height.
    pub height: u64,
    /// The present committee.
    pub committee: Committee,
    /// The committee that is decided on, and not in force yet.
    pub next: Option<NextCommittee>,
    /// Organizations that are enrolled: the members, and of others those that were asked for.
    pub organizations: Vec<KnownOrganization>,
}

canonical_struct!(CommitteeView {
    network,
    height,
    committee,
    next,
    organizations
});

/// An organization that is enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownOrganization {
    /// It, with its keys of today.
    pub organization: Organization,
    /// The last sequence number that its enrolment key used.
    pub sequence: u64,
}

canonical_struct!(KnownOrganization {
    organization,
    sequence
});

impl CommitteeView {
    /// The most organizations that are asked for at once, beside the members.
    pub const MAX_ASKED: usize = 2 * Committee::MAX;

    /// What a state says, of these organizations too.
    pub fn of(overlay: &Overlay, asked: &[OrgId]) -> Self {
        let state = overlay.state();
        let (committee, next) = (overlay.committee().clone(), state.next_committee());
        let nexts = next.iter().flat_map(|next| next.committee.members());
        let members = committee.members().iter().chain(nexts);
        let asked = asked.iter().take(Self::MAX_ASKED).copied();
        let wanted: BTreeSet<OrgId> = members.map(|member| member.org).chain(asked).collect();
        let known = wanted.iter().filter_map(|id| {
            let organization = state.org(id)?;
            Some(KnownOrganization {
                sequence: state.sequence(&organization.enrolment_key),
                organization,
            })
        });
        Self {
            network: state.chain(),
            height: overlay.height(),
            organizations: known.collect(),
            committee,
            next,
        }
    }

    /// An organization that is enrolled.
    pub fn organization(&self, id: &OrgId) -> Option<&KnownOrganization> {
        let mut known = self.organizations.iter();
        known.find(|known| known.organization.id == *id)
    }

    /// The present members, with the digests of their custodians' keys.
    pub fn members(&self) -> Vec<NextMember> {
        let members = self.committee.members().iter();
        let kem = |org| {
            let known = self.organization(org);
            known.map_or([0; 32], |known| known.organization.custodian_kem)
        };
        members
            .map(|member| NextMember {
                org: member.org,
                validator: member.validator,
                custodian_kem: kem(&member.org),
            })
            .collect()
    }

    /// The organization whose enrolment key this is, if it is a member of the present committee.
    pub fn office(&self, key: &PublicKey) -> Option<&KnownOrganization> {
        let mut known = self.organizations.iter();
        known.find(|known| {
            let organization = &known.organization;
            organization.enrolment_key == *key
                && self.committee.index_of(&organization.id).is_some()
        })
    }
}

/// What is to become of one organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// It joins, with the keys of its enrolment, or with others.
    Add {
        /// Which.
        org: OrgId,
        /// Its validator's key, and the digest of its custodian's.
        keys: Option<(PublicKey, Option<[u8; 32]>)>,
    },
    /// It is no member any more: it leaves, or is suspended.
    Remove {
        /// Which.
        org: OrgId,
    },
    /// It stays, with other keys.
    Rotate {
        /// Which.
        org: OrgId,
        /// Its validator's next key.
        validator: PublicKey,
        /// The digest of its custodian's next key, if that changes.
        custodian_kem: Option<[u8; 32]>,
    },
}

impl MemberChange {
    /// Whom it is about.
    pub fn org(&self) -> OrgId {
        match self {
            Self::Add { org, .. } | Self::Remove { org } | Self::Rotate { org, .. } => *org,
        }
    }
}

/// The next committee, as somebody proposes it, with who agreed so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The network.
    pub network: ChainId,
    /// What the ledger is to be told.
    pub change: CommitteeChanged,
}

/// Why a proposal is none, or none to agree to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProposalError {
    /// `CS-COM-01`: not a proposal's file.
    #[error("line {line}: {why}")]
    Malformed {
        /// Which, from 1.
        line: usize,
        /// What should be there.
        why: &'static str,
    },
    /// `CS-COM-02`: another network.
    #[error("it is for network {found}, and this node's is {expected}")]
    Network {
        /// The proposal's.
        found: ChainId,
        /// The node's.
        expected: ChainId,
    },
    /// `CS-COM-03`: an epoch that is over, or not the next one.
    #[error("it is for epoch {found}, and the next one is {next}; draft it anew")]
    Epoch {
        /// The proposal's.
        found: u64,
        /// The next one.
        next: u64,
    },
    /// `CS-COM-04`: the next committee is decided on.
    #[error(
        "the committee of epoch {epoch} is decided on already, from block {from} on; draft it anew after that"
    )]
    Decided {
        /// The next epoch.
        epoch: u64,
        /// Its first height.
        from: u64,
    },
    /// `CS-COM-05`: the epoch begins too soon, or too late.
    #[error(
        "its epoch begins with block {from}; that has to be {NOTICE} blocks after the one that says so, and {MAX_AHEAD} \
         at most, and the newest is {height}; draft it anew with another height"
    )]
    From {
        /// The first height.
        from: u64,
        /// The newest block's.
        height: u64,
    },
    /// `CS-COM-06`: an organization that is not enrolled.
    #[error("organization {0} is not enrolled on this network; enrol it first")]
    NotEnrolled(OrgId),
    /// `CS-COM-07`: not a committee.
    #[error(
        "it has {0} members; a committee has 1, 4, 7, … or 64 (3f + 1), none twice and no two with one key"
    )]
    Members(usize),
    /// `CS-COM-08`: an approval of somebody who has no say.
    #[error("the approval of {0} does not count: it is not in the present committee")]
    NotAMember(OrgId),
    /// `CS-COM-09`: a signature over something else, or by another key.
    #[error(
        "the approval of {0} is not for this: the proposal was altered after it, or another key made it"
    )]
    Approval(OrgId),
    /// `CS-COM-10`: twice.
    #[error("{0} approved it already")]
    Twice(OrgId),
    /// `CS-COM-11`: a key that has no say.
    #[error(
        "the key is not the enrolment key of an organization in the present committee (its public half is {0})"
    )]
    NotAnOffice(PublicKey),
    /// `CS-COM-12`: not enough agree.
    #[error("{found} members approved it, and {needed} have to; {missing} may still")]
    Quorum {
        /// How many did.
        found: u64,
        /// How many have to.
        needed: u64,
        /// Who did not.
        missing: String,
    },
    /// `CS-COM-13`: a draft that changes nothing.
    #[error("nothing would change")]
    Nothing,
    /// `CS-COM-14`: a draft that says two things of one organization, or what can't be.
    #[error("organization {org} {why}")]
    Change {
        /// Which.
        org: OrgId,
        /// What is wrong.
        why: &'static str,
    },
}

impl ProposalError {
    /// The id of the rule that was broken.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "CS-COM-01",
            Self::Network { .. } => "CS-COM-02",
            Self::Epoch { .. } => "CS-COM-03",
            Self::Decided { .. } => "CS-COM-04",
            Self::From { .. } => "CS-COM-05",
            Self::NotEnrolled(_) => "CS-COM-06",
            Self::Members(_) => "CS-COM-07",
            Self::NotAMember(_) => "CS-COM-08",
            Self::Approval(_) => "CS-COM-09",
            Self::Twice(_) => "CS-COM-10",
            Self::NotAnOffice(_) => "CS-COM-11",
            Self::Quorum { .. } => "CS-COM-12",
            Self::Nothing => "CS-COM-13",
            Self::Change { .. } => "CS-COM-14",
        }
    }
}

/// The file's text.
impl std::fmt::Display for Proposal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let CommitteeChanged {
            epoch,
            from,
            members,
            approvals,
        } = &self.change;
        writeln!(f, "{MAGIC}\nnetwork {}", self.network)?;
        writeln!(f, "epoch {epoch}\nfrom {from}")?;
        for member in members {
            let kem = to_hex(&member.custodian_kem);
            writeln!(f, "member {} {} {kem}", member.org, member.validator)?;
        }
        for approval in approvals {
            writeln!(f, "approval {} {}", approval.org, approval.signature)?;
        }
        Ok(())
    }
}

impl Proposal {
    /// The most bytes of a file: 64 members and as many approvals.
    pub const MAX_BYTES: usize = 32 * 1024;

    /// Reads the file.
    ///
    /// # Errors
    /// [`ProposalError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, ProposalError> {
        let wrong = |line, why| ProposalError::Malformed { line, why };
        if text.len() > Self::MAX_BYTES {
            return Err(wrong(1, "longer than 32 KiB"));
        }
        let mut lines = (1..).zip(text.lines());
        let mut next = |prefix: &str, why| {
            let (at, line) = lines.next().unwrap_or((1, ""));
            let rest = line.strip_prefix(prefix).ok_or_else(|| wrong(at, why))?;
            Ok((at, rest))
        };
        let (at, rest) = next(MAGIC, "not `chartseal committee 1`")?;
        if !rest.is_empty() {
            return Err(wrong(at, "not `chartseal committee 1`"));
        }
        let why = "not `network` and 64 hex digits";
        let (at, rest) = next("network ", why)?;
        let network = rest.parse().map_err(|_| wrong(at, why))?;
        let why = "not `epoch` and a number";
        let (at, rest) = next("epoch ", why)?;
        let epoch = rest.parse().map_err(|_| wrong(at, why))?;
        let why = "not `from` and a height";
        let (at, rest) = next("from ", why)?;
        let from = rest.parse().map_err(|_| wrong(at, why))?;
        let (mut members, mut approvals) = (Vec::new(), Vec::new());
        for (at, line) in lines {
            if let Some(rest) = line.strip_prefix("member ") {
                let why = "not `member`, an organization, its validator's key and its custodian key's digest, in hex";
                members.push(member(rest).ok_or_else(|| wrong(at, why))?);
            } else if let Some(rest) = line.strip_prefix("approval ") {
                let why = "not `approval`, an organization and its signature, in hex";
                approvals.push(approval(rest).ok_or_else(|| wrong(at, why))?);
            } else {
                return Err(wrong(at, "neither `member` nor `approval`"));
            }
            if members.len().max(approvals.len()) > Committee::MAX {
                return Err(wrong(at, "more than 64 members or approvals"));
            }
        }
        let proposal = Self {
            network,
            change: CommitteeChanged {
                epoch,
                from,
                members,
                approvals,
            },
        };
        // One proposal, one text: no sign before a number, no other order or end of lines.
        if proposal.to_string() == text {
            Ok(proposal)
        } else {
            Err(wrong(1, "not as this program writes it"))
        }
    }

    /// The next committee by these changes of the present one: who joins takes the place of who goes. `from` is the first
    /// height of its epoch.
    ///
    /// # Errors
    /// [`ProposalError`] if it could not be approved.
    pub fn draft(
        view: &CommitteeView,
        changes: &[MemberChange],
        from: u64,
    ) -> Result<Self, ProposalError> {
        let mut about = BTreeSet::new();
        let mut joining = Vec::new();
        for change in changes {
            let org = change.org();
            let wrong = |why| Err(ProposalError::Change { org, why });
            if !about.insert(org) {
                return wrong("is named twice");
            }
            let is_member = view.committee.index_of(&org).is_some();
            match change {
                MemberChange::Add { .. } if is_member => return wrong("is a member already"),
                MemberChange::Remove { .. } | MemberChange::Rotate { .. } if !is_member => {
                    return wrong("is not a member");
                }
                MemberChange::Add { keys, .. } => {
                    let known = view.organization(&org);
                    let known = known.ok_or(ProposalError::NotEnrolled(org))?;
                    let enrolled = &known.organization;
                    let (validator, kem) = keys.unwrap_or((enrolled.validator, None));
                    joining.push(NextMember {
                        org,
                        validator,
                        custodian_kem: kem.unwrap_or(enrolled.custodian_kem),
                    });
                }
                _ => {}
            }
        }
        let mut joining = joining.into_iter();
        let present = view.members();
        let stays = present.iter().filter_map(|member| {
            let mut changes = changes.iter();
            match changes.find(|change| change.org() == member.org) {
                Some(MemberChange::Remove { .. }) => joining.next(),
                Some(MemberChange::Rotate {
                    validator,
                    custodian_kem,
                    ..
                }) => Some(NextMember {
                    org: member.org,
                    validator: *validator,
                    custodian_kem: custodian_kem.unwrap_or(member.custodian_kem),
                }),
                _ => Some(*member),
            }
        });
        let mut members: Vec<NextMember> = stays.collect();
        members.extend(joining);
        if members == present {
            return Err(ProposalError::Nothing);
        }
        let proposal = Self {
            network: view.network,
            change: CommitteeChanged {
                epoch: view.committee.epoch().saturating_add(1),
                from,
                members,
                approvals: Vec::new(),
            },
        };
        proposal.judge(view)?;
        Ok(proposal)
    }

    /// Whether the ledger would take it, but for approvals that are missing: each rule of `CommitteeChanged`, by what a node
    /// knows now. Those that are there have to be the members' own.
    ///
    /// # Errors
    /// [`ProposalError`].
    pub fn judge(&self, view: &CommitteeView) -> Result<(), ProposalError> {
        let change = &self.change;
        if self.network != view.network {
            return Err(ProposalError::Network {
                found: self.network,
                expected: view.network,
            });
        }
        let next = view.committee.epoch().saturating_add(1);
        if change.epoch != next {
            let found = change.epoch;
            return Err(ProposalError::Epoch { found, next });
        }
        if let Some(decided) = &view.next {
            return Err(ProposalError::Decided {
                epoch: decided.committee.epoch(),
                from: decided.from,
            });
        }
        let (from, height) = (change.from, view.height);
        // The next block is the earliest that can say so.
        let earliest = height.saturating_add(1).saturating_add(NOTICE);
        if from <= earliest || from > height.saturating_add(MAX_AHEAD) {
            return Err(ProposalError::From { from, height });
        }
        for member in &change.members {
            if view.organization(&member.org).is_none() {
                return Err(ProposalError::NotEnrolled(member.org));
            }
        }
        let members = change.members.iter().map(|member| Member {
            org: member.org,
            validator: member.validator,
        });
        if Committee::new(change.epoch, members.collect()).is_none() {
            return Err(ProposalError::Members(change.members.len()));
        }
        let message = change.to_approve(&self.network);
        let mut approved = BTreeSet::new();
        for Countersignature { org, signature } in &change.approvals {
            let known = view.organization(org);
            let known = known.filter(|_| view.committee.index_of(org).is_some());
            let known = known.ok_or(ProposalError::NotAMember(*org))?;
            let key = known.organization.enrolment_key;
            if key.verify_raw(&message, signature).is_err() {
                return Err(ProposalError::Approval(*org));
            }
            if !approved.insert(*org) {
                return Err(ProposalError::Twice(*org));
            }
        }
        Ok(())
    }

    /// Adds an office's approval, if [`judge`](Self::judge) has nothing against it; gives whose it is.
    ///
    /// # Errors
    /// [`ProposalError`]; then nothing was signed.
    pub fn approve(
        &mut self,
        view: &CommitteeView,
        office: &SigningKeyPair,
    ) -> Result<OrgId, ProposalError> {
        self.judge(view)?;
        let key = public(office);
        let known = view.office(&key).ok_or(ProposalError::NotAnOffice(key))?;
        let org = known.organization.id;
        let mut approvals = self.change.approvals.iter();
        if approvals.any(|approval| approval.org == org) {
            return Err(ProposalError::Twice(org));
        }
        let message = self.change.to_approve(&self.network);
        self.change.approvals.push(Countersignature {
            org,
            signature: sign(office, &message),
        });
        Ok(org)
    }

    /// Who of the present committee has not approved it.
    pub fn missing(&self, view: &CommitteeView) -> Vec<OrgId> {
        let approvals = &self.change.approvals;
        let members = view.committee.members().iter().map(|member| member.org);
        members
            .filter(|org| approvals.iter().all(|approval| approval.org != *org))
            .collect()
    }

    /// What the ledger is to be told, if a quorum agrees.
    ///
    /// # Errors
    /// [`ProposalError`].
    pub fn agreed(&self, view: &CommitteeView) -> Result<&CommitteeChanged, ProposalError> {
        self.judge(view)?;
        let found = self.change.approvals.len() as u64;
        let needed = view.committee.quorum();
        if found < needed {
            let missing: Vec<_> = self.missing(view).iter().map(OrgId::to_string).collect();
            return Err(ProposalError::Quorum {
                found,
                needed,
                missing: missing.join(", "),
            });
        }
        Ok(&self.change)
    }

    /// The last block that may say so: with a later one, the epoch would begin too soon after it.
    pub fn expires(&self) -> u64 {
        self.change.from.saturating_sub(NOTICE + 1)
    }

    /// What two offices compare by telephone: the BLAKE3 hash of what they sign. Approvals don't change it.
    pub fn fingerprint(&self) -> String {
        let message = self.change.to_approve(&self.network);
        blake3::hash(&message).to_hex().to_string()
    }
}

fn member(rest: &str) -> Option<NextMember> {
    let mut words = rest.split(' ');
    let (org, validator, kem) = (words.next()?, words.next()?, words.next()?);
    Some(NextMember {
        org: org.parse().ok()?,
        validator: validator.parse().ok()?,
        custodian_kem: hex_exact(kem).ok()?,
    })
}

fn approval(rest: &str) -> Option<Countersignature> {
    let (org, signature) = rest.split_once(' ')?;
    let bytes: [u8; 64] = from_hex(signature).ok()?.try_into().ok()?;
    Some(Countersignature {
        org: org.parse().ok()?,
        signature: Signature(bytes),
    })
}
