use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chartseal_envelope::{
    KemKeyPair, KemPublicKey, KeySeed, RandomnessError, SigningKeyPair, Suite,
};
use chartseal_ledger::{Body, SignedTransaction, TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};
use chartseal_wire::{ActorId, ChainId, PublicKey, SealedText, Signature, TxId};

use crate::domain;
use crate::error::Error;
use crate::labels::Secret;
use crate::network::Network;

/// How often something is signed anew because another transaction of the same key came first.
const ANEW: usize = 8;

/// The keys of one person, on their own device: all from one seed.
#[derive(Debug)]
pub struct Person {
    id: ActorId,
    seed: KeySeed,
    signing: SigningKeyPair,
    kem: KemKeyPair,
    /// The number of the last transaction that was signed: one for all that this app does at a time.
    seq: Arc<AtomicU64>,
}

impl Person {
    /// A new person: a random id and new keys.
    ///
    /// # Errors
    /// [`RandomnessError`] if the system has none.
    pub fn generate() -> Result<Self, RandomnessError> {
        // An id is as random as a record's: 16 bytes.
        let id = ActorId(chartseal_envelope::RecordId::random()?.0);
        Ok(Self::from_seed(id, KeySeed::generate()?, 0))
    }

    /// The person whose seed was kept, having signed `seq` transactions.
    pub fn from_seed(id: ActorId, seed: KeySeed, seq: u64) -> Self {
        let (signing, kem) = (seed.signing_key(), seed.kem_key(Suite::XWing));
        Self {
            id,
            seed,
            signing,
            kem,
            seq: Arc::new(AtomicU64::new(seq)),
        }
    }

    /// The same person, for what their app does meanwhile.
    pub(crate) fn again(&self) -> Self {
        let seed = KeySeed::from_bytes(*self.seed.expose_bytes());
        Self {
            seq: Arc::clone(&self.seq),
            ..Self::from_seed(self.id, seed, 0)
        }
    }

    /// Their id.
    pub fn id(&self) -> ActorId {
        self.id
    }

    /// The seed, to keep it in an encrypted keystore.
    pub fn seed(&self) -> &KeySeed {
        &self.seed
    }

    /// The key that verifies what they sign.
    pub fn public_key(&self) -> PublicKey {
        public(&self.signing)
    }

    /// The key to which texts for them are sealed.
    pub fn kem_public_key(&self) -> &KemPublicKey {
        self.kem.public_key()
    }

    /// The number of the last transaction that was signed.
    pub(crate) fn sequence(&self) -> u64 {
        self.seq.load(Ordering::Relaxed)
    }

    pub(crate) fn signing(&self) -> &SigningKeyPair {
        &self.signing
    }

    pub(crate) fn kem(&self) -> &KemKeyPair {
        &self.kem
    }

    /// Another secret of theirs, for one purpose.
    pub(crate) fn secret(&self, purpose: &str) -> Secret {
        let seed = Secret::new(*self.seed.expose_bytes());
        Secret::new(seed.derive(domain::PERSON_SECRET, purpose.as_bytes()))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        sign(&self.signing, message)
    }

    /// Signs their next transaction.
    pub(crate) fn transaction(
        &mut self,
        chain: ChainId,
        expires: u64,
        body: impl Into<Body>,
    ) -> SignedTransaction {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain,
            actor_key: self.public_key(),
            seq,
            expires,
            body: body.into(),
        };
        transaction.sign(|message| self.sign(message))
    }

    /// Signs their next transaction and has it ordered, with the sealed texts to which it commits.
    pub(crate) fn submit(
        &mut self,
        network: &mut Network,
        body: impl Into<Body>,
        texts: &[SealedText],
    ) -> Result<TxId, Error> {
        let body = body.into();
        self.again_if_outrun(network, |person, network| {
            let signed = person.transaction(network.chain(), network.expiry()?, body.clone());
            network.submit(signed, texts)
        })
    }

    /// Does what signs something, and does it again if another transaction of the same key came first: of another device,
    /// or of what the same app does meanwhile.
    pub(crate) fn again_if_outrun<T>(
        &mut self,
        network: &mut Network,
        act: impl Fn(&mut Self, &mut Network) -> Result<T, Error>,
    ) -> Result<T, Error> {
        for _ in 0..ANEW {
            match act(self, network) {
                Err(error) if error.is_outrun() => self.catch_up(network)?,
                done => return done,
            }
        }
        act(self, network)
    }

    /// Signs on from the number that the chain has of this key, if it is a later one.
    pub(crate) fn catch_up(&self, network: &Network) -> Result<(), Error> {
        let key = self.public_key();
        let used = network.read(|state| state.sequence(&key))?;
        self.seq.fetch_max(used, Ordering::Relaxed);
        Ok(())
    }
}
