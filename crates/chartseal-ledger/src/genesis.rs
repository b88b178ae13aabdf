use alloc::sync::Arc;
use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, to_bytes};
use chartseal_merkle::{Frontier, Map, MapChanges, empty_root};
use chartseal_wire::block::HEADER_VERSION;
use chartseal_wire::domain::{CHAIN_ID, tagged_sha256};
use chartseal_wire::{BlockHeader, ChainId, Hash, OrgId, Time};
use thiserror::Error;

use crate::block::Block;
use crate::body::Organization;
use crate::execute::Executed;
use crate::overlay::Overlay;
use crate::params::Params;
use crate::state::{Holder, KeyState, Reserved, Shared, table};
use chartseal_wire::committee::{Committee, Member};

/// The version of [`Genesis`]'s format.
pub const GENESIS_VERSION: u64 = 1;

/// What a chain starts from. Whoever starts from the same genesis is on the same chain.
///
/// It is for nodes. Apps need the chain's id and the committee only, and practitioners must not
/// learn the salt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    time: Time,
    salt: [u8; 32],
    params: Params,
    organizations: Vec<Organization>,
    committee: Committee,
}

/// Why there is no such genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// Two organizations have one id.
    #[error("two organizations have one id")]
    DuplicateOrganization,
    /// A key is used twice.
    #[error("each organization's enrolment, custodian and validator keys must be its own")]
    DuplicateKey,
    /// A committee member is no organization of this genesis.
    #[error("committee member {place} is no organization of this genesis")]
    UnknownMember {
        /// Its place, from 0.
        place: usize,
    },
    /// A rule of network law has a name that no history's entry could hold.
    #[error("a rule of network law is named by 1 to 31, or 33 to 64, printable ascii bytes")]
    LawName,
    /// The committee has the wrong size or a repeated member.
    #[error("a committee has 3f + 1 distinct members, 64 at most, not {members}")]
    Committee {
        /// How many there are.
        members: usize,
    },
}

impl Genesis {
    /// The most organizations of a genesis.
    pub const MAX_ORGANIZATIONS: usize = 1_024;

    /// The genesis of these organizations, of which `committee` order blocks and keep shares, in
    /// that order.
    ///
    /// `salt` is random; it keeps practitioners from testing guesses about decisions on patients that
    /// do not exist.
    ///
    /// # Errors
    /// [`GenesisError`].
    pub fn new(
        time: Time,
        salt: [u8; 32],
        params: Params,
        organizations: Vec<Organization>,
        committee: &[OrgId],
    ) -> Result<Self, GenesisError> {
        let mut ids: Vec<_> = organizations.iter().map(|org| org.id).collect();
        ids.sort_unstable();
        if !ids.is_sorted_by(|a, b| a < b) {
            return Err(GenesisError::DuplicateOrganization);
        }
        let keys = |org: &Organization| [org.enrolment_key, org.custodian_key, org.validator];
        let mut keys: Vec<_> = organizations.iter().flat_map(keys).collect();
        keys.sort_unstable();
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(GenesisError::DuplicateKey);
        }
        if !params
            .network
            .law
            .iter()
            .all(|rule| is_law_name(rule.id.as_bytes()))
        {
            return Err(GenesisError::LawName);
        }
        let members = committee.iter().enumerate().map(|(place, id)| {
            let org = organizations.iter().find(|org| org.id == *id);
            let org = org.ok_or(GenesisError::UnknownMember { place })?;
            Ok(Member {
                org: org.id,
                validator: org.validator,
            })
        });
        let members = members.collect::<Result<_, _>>()?;
        let wrong = GenesisError::Committee {
            members: committee.len(),
        };
        let committee = Committee::new(0, members).ok_or(wrong)?;
        Ok(Self {
            time,
            salt,
            params,
            organizations,
            committee,
        })
    }

    /// The chain's id: the tagged SHA-256 of this genesis.
    pub fn chain_id(&self) -> ChainId {
        ChainId(tagged_sha256(CHAIN_ID, &to_bytes(self)))
    }

    /// When the chain begins.
    pub fn time(&self) -> Time {
        self.time
    }

    /// The network's parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The first organizations.
    pub fn organizations(&self) -> &[Organization] {
        &self.organizations
    }

    /// The first committee.
    pub fn committee(&self) -> &Committee {
        &self.committee
    }

    /// The header of height 0.
    pub fn header(&self) -> BlockHeader {
        self.executed().overlay.head().clone()
    }

    /// The block of height 0: its header, and no transactions.
    pub fn block(&self) -> Block {
        Block {
            header: self.header(),
            transactions: Vec::new(),
        }
    }

    /// The state at height 0.
    pub fn overlay(&self) -> Overlay {
        self.executed().overlay
    }

    /// Height 0 as if it had been executed: what a store commits first.
    pub fn executed(&self) -> Executed {
        let shared = Shared {
            chain: self.chain_id(),
            salt: self.salt,
            params: self.params.clone(),
            committee: self.committee.clone(),
            next: None,
        };
        let mut changes = MapChanges::new();
        changes.insert(table::shared(), Some(to_bytes(&shared).into()));
        for org in &self.organizations {
            changes.insert(table::org(&org.id), Some(to_bytes(org).into()));
            let keys = [
                (org.enrolment_key, Holder::Office(org.id)),
                (org.custodian_key, Holder::Custodian(org.id)),
            ];
            for (key, holder) in keys {
                let state = KeyState {
                    holder,
                    seq: 0,
                    revoked: false,
                };
                changes.insert(table::key(&key), Some(to_bytes(&state).into()));
            }
            // A member's validator is found in the committee.
            if self.committee.index_of(&org.id).is_none() {
                let reserved = to_bytes(&Reserved::Validator(org.id));
                changes.insert(table::reserved_key(&org.validator), Some(reserved.into()));
            }
        }
        let state = Map::new().updated(&changes);
        let head = BlockHeader {
            version: HEADER_VERSION,
            chain: shared.chain,
            epoch: shared.committee.epoch(),
            height: 0,
            parent: Hash::ZERO,
            time: self.time,
            tx_root: empty_root(),
            state_root: state.root(),
            log_root: empty_root(),
            log_size: 0,
            next_committee: shared.committee.hash(),
        };
        let overlay = Overlay::new(state, Frontier::new(), head, Arc::new(shared));
        Executed {
            overlay,
            changes,
            entries: Vec::new(),
            receipts: Vec::new(),
        }
    }
}

/// A name that is a history's token, and can't be taken for a directive's id (32 bytes).
fn is_law_name(name: &[u8]) -> bool {
    name.len() != chartseal_wire::DirectiveId::LEN && name.iter().all(u8::is_ascii_graphic)
}

impl Encode for Genesis {
    fn encode(&self, e: &mut Encoder) {
        let committee = self.committee.members().iter().map(|member| member.org);
        e.array(6)
            .uint(GENESIS_VERSION)
            .item(&self.time)
            .item(&self.salt)
            .item(&self.params);
        e.item(&self.organizations)
            .item(&committee.collect::<Vec<_>>());
    }
}

impl Decode for Genesis {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        d.at("Genesis").array_exact(6)?;
        d.at("version").uint_in(GENESIS_VERSION, GENESIS_VERSION)?;
        let time = Time::decode(d.at("time"))?;
        let salt = <[u8; 32]>::decode(d.at("salt"))?;
        let params = Params::decode(d.at("params"))?;
        let organizations = d.at("organizations").list(Self::MAX_ORGANIZATIONS)?;
        let committee: Vec<OrgId> = d.at("committee").list(Committee::MAX)?;
        Self::new(time, salt, params, organizations, &committee)
            .map_err(|_| d.invalid("ids and keys are distinct, the committee is 3f + 1 of them"))
    }
}
