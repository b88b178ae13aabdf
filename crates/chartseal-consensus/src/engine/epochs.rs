//! Which committee makes which heights final, as far as this validator's ledger says.
//!
//! A change of the committee names the first height of the next epoch, at least [`NOTICE`] blocks ahead. So
//! whoever has the final state at a height knows the epoch of every height up to [`NOTICE`] above it, for good.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use chartseal_codec::from_bytes;
use chartseal_ledger::{Committee, Overlay};
use chartseal_wire::{BlockHeader, ChainId, PublicKey};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::{Epoch, EpochInfo, Epocher, Height};
use commonware_cryptography::certificate::{Provider, Scoped};
use commonware_cryptography::ed25519::{PrivateKey, PublicKey as EngineKey};

use crate::certificate::{CertificateError, engine_key, namespace, participants};
use crate::keeper::{Keeper, KeeperError};

/// How many blocks lie at least between a change of the committee and the first block of the next one's.
pub const NOTICE: u64 = 64;

/// The epochs of a chain. Clones share them.
#[derive(Clone)]
pub(crate) struct Epochs(Arc<RwLock<Table>>);

struct Table {
    chain: ChainId,
    me: PrivateKey,
    /// The newest height that is final and durable here.
    head: u64,
    terms: BTreeMap<u64, Term>,
    /// The last height of the present epoch, as a block says that is certified and perhaps not final.
    guess: Option<u64>,
}

/// One committee's term.
#[derive(Clone)]
pub(crate) struct Term {
    pub(crate) epoch: u64,
    /// The first height that it makes final.
    pub(crate) first: u64,
    /// The last one, once a final state names the next committee.
    last: Option<u64>,
    pub(crate) scheme: Arc<Scheme>,
    /// Whether this validator is of the committee.
    pub(crate) is_member: bool,
    /// How many of the committee make a block final.
    pub(crate) quorum: u64,
    members: Vec<EngineKey>,
}

impl Epochs {
    /// The epochs up to the keeper's head.
    pub(crate) fn of(keeper: &dyn Keeper, me: &PrivateKey) -> Result<Self, EpochsError> {
        let head = keeper.head();
        let epochs = Self(Arc::new(RwLock::new(Table {
            chain: head.head().chain,
            me: me.clone(),
            head: head.height(),
            terms: BTreeMap::new(),
            guess: None,
        })));
        let present = head.committee().epoch();
        for epoch in 0..=present {
            let committee = head.state().committee_of(epoch);
            let committee = committee.ok_or(EpochsError::Unknown { epoch })?;
            let first = first_height(keeper, head.height(), epoch)?;
            epochs.table_mut().begin(&committee, first)?;
        }
        epochs.table_mut().foresee(&head);
        Ok(epochs)
    }

    /// What a new final state says. Whether it begins another epoch.
    pub(crate) fn advance(&self, head: &Overlay) -> Result<bool, CertificateError> {
        let mut table = self.table_mut();
        table.head = head.height();
        let begins = head.committee().epoch() > table.present().map_or(0, |term| term.epoch);
        if begins {
            table.guess = None;
            table.begin(head.committee(), head.height() + 1)?;
        }
        table.foresee(head);
        Ok(begins)
    }

    /// Notes the last block of an epoch that was executed before it is final: its leader proposes it again until it is.
    pub(crate) fn guess(&self, executed: &Overlay) {
        let mut table = self.table_mut();
        let is_present = table.present().map(|term| term.epoch) == Some(executed.head().epoch);
        if is_present && executed.committee().epoch() > executed.head().epoch {
            table.guess = Some(executed.height());
        }
    }

    /// The term of the committee that makes the next block final.
    pub(crate) fn present(&self) -> Option<Term> {
        self.table().present().cloned()
    }

    /// The newest final height.
    pub(crate) fn head(&self) -> u64 {
        self.table().head
    }

    /// The other validators of this term and the one before.
    pub(crate) fn others(&self) -> Vec<EngineKey> {
        let table = self.table();
        let mut keys: Vec<EngineKey> = table
            .terms
            .values()
            .rev()
            .take(2)
            .flat_map(|term| term.members.iter().cloned())
            .filter(|key| *key != commonware_cryptography::Signer::public_key(&table.me))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the epochs of a ledger can't be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EpochsError {
    #[error(transparent)]
    Key(#[from] CertificateError),
    #[error("the ledger does not know the committee of epoch {epoch}")]
    Unknown { epoch: u64 },
    #[error("the ledger's header {height} can't be read: {why}")]
    Header { height: u64, why: String },
    #[error(transparent)]
    Keeper(#[from] KeeperError),
}

/// The first height of an epoch, by its headers: their epochs rise with their heights.
fn first_height(keeper: &dyn Keeper, head: u64, epoch: u64) -> Result<u64, EpochsError> {
    let (mut low, mut high) = (0, head + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if header(keeper, middle)?.epoch < epoch {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// A kept header.
pub(crate) fn header(keeper: &dyn Keeper, height: u64) -> Result<BlockHeader, EpochsError> {
    let bytes = keeper.header(height)?.unwrap_or_default();
    from_bytes(&bytes).map_err(|why| EpochsError::Header {
        height,
        why: why.to_string(),
    })
}

impl Table {
    fn present(&self) -> Option<&Term> {
        self.terms.last_key_value().map(|(_, term)| term)
    }

    fn begin(&mut self, committee: &Committee, first: u64) -> Result<(), CertificateError> {
        let keys = committee.members().iter().map(|member| member.validator);
        let members = participants(keys.clone())?;
        let namespace = namespace(&self.chain);
        let signer = Scheme::signer(&namespace, members.clone(), self.me.clone());
        let is_member = signer.is_some();
        let scheme = signer.unwrap_or_else(|| Scheme::verifier(&namespace, members));
        if let Some(mut before) = self.terms.last_entry() {
            before.get_mut().last = Some(first.saturating_sub(1));
        }
        let term = Term {
            epoch: committee.epoch(),
            first,
            last: None,
            scheme: Arc::new(scheme),
            is_member,
            quorum: committee.quorum(),
            members: keys
                .map(|key: PublicKey| engine_key(&key))
                .collect::<Result<_, _>>()?,
        };
        self.terms.insert(term.epoch, term);
        Ok(())
    }

    /// Whether a final state says when the present epoch ends.
    fn foresee(&mut self, head: &Overlay) {
        let next = head.state().next_committee();
        if let (Some(mut present), Some(next)) = (self.terms.last_entry(), next) {
            present.get_mut().last = Some(next.from.saturating_sub(1));
        }
    }

    fn containing(&self, height: u64) -> Option<EpochInfo> {
        let term = self
            .terms
            .values()
            .rev()
            .find(|term| term.first <= height)?;
        let last = term.last.unwrap_or(u64::MAX);
        (height <= last).then(|| {
            let (first, last) = (Height::new(term.first), Height::new(last));
            EpochInfo::new(Epoch::new(term.epoch), Height::new(height), first, last)
        })
    }
}

impl Provider for Epochs {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        let table = self.table();
        let term = table.terms.get(&epoch.get())?;
        // Everybody knows all members' keys, so all can verify single votes too.
        Some(Scoped::scheme(Arc::clone(&term.scheme)))
    }
}

/// What is certain, for whoever fetches final blocks: heights further ahead than [`NOTICE`] are of no epoch yet.
impl Epocher for Epochs {
    fn containing(&self, height: Height) -> Option<EpochInfo> {
        let table = self.table();
        let is_certain = height.get() <= table.head.saturating_add(NOTICE);
        is_certain.then(|| table.containing(height.get())).flatten()
    }

    fn first(&self, epoch: Epoch) -> Option<Height> {
        let table = self.table();
        let term = table.terms.get(&epoch.get())?;
        Some(Height::new(term.first))
    }

    fn last(&self, epoch: Epoch) -> Option<Height> {
        let table = self.table();
        let term = table.terms.get(&epoch.get())?;
        Some(Height::new(term.last.unwrap_or(u64::MAX)))
    }
}

/// What holds for proposals: the present epoch goes on until a block says otherwise.
#[derive(Clone)]
pub(crate) struct Open(pub(crate) Epochs);

impl Open {
    /// An epoch's bounds.
    fn bounds(&self, epoch: u64) -> Option<(u64, u64)> {
        let table = self.0.table();
        let term = table.terms.get(&epoch)?;
        let guess = table
            .guess
            .filter(|_| table.present().map(|term| term.epoch) == Some(epoch));
        Some((term.first, term.last.or(guess).unwrap_or(u64::MAX)))
    }
}

impl Epocher for Open {
    fn containing(&self, height: Height) -> Option<EpochInfo> {
        let epoch = {
            let table = self.0.table();
            let mut terms = table.terms.values().rev();
            terms.find(|term| term.first <= height.get())?.epoch
        };
        let (first, last) = self.bounds(epoch)?;
        (height.get() <= last).then(|| {
            let (first, last) = (Height::new(first), Height::new(last));
            EpochInfo::new(Epoch::new(epoch), height, first, last)
        })
    }

    fn first(&self, epoch: Epoch) -> Option<Height> {
        self.bounds(epoch.get())
            .map(|(first, _)| Height::new(first))
    }

    fn last(&self, epoch: Epoch) -> Option<Height> {
        self.bounds(epoch.get()).map(|(_, last)| Height::new(last))
    }
}
