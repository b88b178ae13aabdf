use chartseal_envelope::{
    KemKeyPair, KemPublicKey, KeySeed, RandomnessError, SigningKeyPair, Suite,
};
use chartseal_ledger::{Body, SignedTransaction, TRANSACTION_VERSION, Transaction};
use chartseal_node::keys::{public, sign};
use chartseal_wire::{ActorId, ChainId, PublicKey, Signature};

use crate::domain;
use crate::labels::Secret;

/// The keys of one person, on their own device: all from one seed.
#[derive(Debug)]
pub struct Person {
    id: ActorId,
    seed: KeySeed,
    signing: SigningKeyPair,
    kem: KemKeyPair,
    /// The number of the last transaction that was signed.
    seq: u64,
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
            seq,
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
        self.seq
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
        self.seq += 1;
        let transaction = Transaction {
            version: TRANSACTION_VERSION,
            chain,
            actor_key: self.public_key(),
            seq: self.seq,
            expires,
            body: body.into(),
        };
        transaction.sign(|message| self.sign(message))
    }
}
