//! The keys that a node holds, and how it signs.

use chartseal_codec::{DecodeError, Decoder, Encoder, to_hex};
use chartseal_envelope::{KemKeyPair, KeySeed, RandomnessError, SigningKeyPair, Suite};
use chartseal_ledger::body::{KeyRotated, Organization};
use chartseal_vault::StoreKey;
use chartseal_wire::note::KeyKind;
use chartseal_wire::{ActorId, ChainId, OrgId, PublicKey, Signature, VerifierKey};
use zeroize::Zeroizing;

/// The file of [`NodeKeys::to_secret_bytes`] in a node's directory.
pub const FILE: &str = "node.keys";

/// The domain in which a file of version 1 gives a store key.
const STORE_KEY: &str = "chartseal/node/store-key/1";

/// The keys on one node. The organization's enrolment key is not among them: it lives elsewhere.
#[derive(Debug)]
pub struct NodeKeys {
    /// Signs the custodian's transactions: acknowledgements, receipts, attestations.
    pub custodian: SigningKeyPair,
    /// Opens the deals of this epoch.
    pub kem: KemKeyPair,
    /// Cosigns checkpoints as a validator.
    pub cosigner: SigningKeyPair,
    /// Signs checkpoints under the log's origin, when this node issues them.
    pub log: SigningKeyPair,
    /// Encrypts shares and side texts on this node's disk. Whatever else is rotated, it stays.
    pub store: StoreKey,
}

impl NodeKeys {
    /// New keys.
    ///
    /// # Errors
    /// [`RandomnessError`] if the system has none.
    pub fn generate() -> Result<Self, RandomnessError> {
        Ok(Self {
            custodian: SigningKeyPair::generate()?,
            kem: KemKeyPair::generate()?,
            cosigner: SigningKeyPair::generate()?,
            log: SigningKeyPair::generate()?,
            store: StoreKey::from_secret_bytes(KeySeed::generate()?.expose_bytes()),
        })
    }

    /// What genesis says of the organization that runs this node.
    pub fn organization(&self, id: OrgId, enrolment_key: PublicKey) -> Organization {
        Organization {
            id,
            enrolment_key,
            custodian_key: public(&self.custodian),
            custodian_kem: self.kem.key_id().0,
            validator: public(&self.cosigner),
        }
    }

    /// The custodian key's signature that it agrees to be this organization's, for the office that gives it
    /// ([`CustodianReplaced`](chartseal_ledger::body::CustodianReplaced)).
    pub fn possession(&self, chain: &ChainId, org: &OrgId) -> Signature {
        let key = public(&self.custodian);
        let message = KeyRotated::to_possess(chain, &ActorId(org.0), &key);
        sign(&self.custodian, &message)
    }

    /// Whether the chain has the custodian under these keys: else nothing that it signs counts, and nothing is dealt to it.
    ///
    /// # Errors
    /// Which of them is another one there, in words.
    pub fn check_custodian(&self, expected: &Organization) -> Result<(), String> {
        let key = public(&self.custodian);
        if key != expected.custodian_key {
            let expected = expected.custodian_key;
            return Err(format!("its key is {key}, the chain has {expected}"));
        }
        let kem = self.kem.key_id().0;
        if kem != expected.custodian_kem {
            let (kem, expected) = (to_hex(&kem), to_hex(&expected.custodian_kem));
            return Err(format!(
                "its KEM key's digest is {kem}, the chain has {expected}"
            ));
        }
        Ok(())
    }

    /// The verifier key under which this node issues checkpoints of the log `origin`.
    pub fn log_vkey(&self, origin: &str) -> Option<VerifierKey> {
        VerifierKey::new(origin, KeyKind::Log, public(&self.log))
    }

    /// The verifier key under which this node cosigns checkpoints.
    pub fn cosigner_vkey(&self, org: &OrgId) -> Option<VerifierKey> {
        cosigner_vkey(org, public(&self.cosigner))
    }

    /// Its secrets, for a file that only the node's user may read.
    pub fn to_secret_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut e = Encoder::new();
        e.array(5).bytes(self.custodian.expose_secret_bytes());
        e.bytes(self.kem.expose_secret_bytes().as_slice());
        e.bytes(self.cosigner.expose_secret_bytes())
            .bytes(self.log.expose_secret_bytes())
            .bytes(self.store.expose_secret_bytes());
        Zeroizing::new(e.finish())
    }

    /// The keys that [`to_secret_bytes`](Self::to_secret_bytes) wrote. A file of version 1 has no store key, so it is
    /// derived from the custodian's.
    ///
    /// # Errors
    /// [`DecodeError`] for other bytes.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        let fields = d.at("node keys").array(5)?;
        if fields < 4 {
            return Err(d.invalid("a node has five keys"));
        }
        let mut secret = || d.bytes_exact::<32>().map(Zeroizing::new);
        let (custodian, kem, cosigner, log) = (secret()?, secret()?, secret()?, secret()?);
        let store = if fields == 5 {
            secret()?
        } else {
            Zeroizing::new(blake3::derive_key(STORE_KEY, custodian.as_slice()))
        };
        d.finish()?;
        Ok(Self {
            custodian: SigningKeyPair::from_secret_bytes(&custodian),
            kem: KemKeyPair::from_secret_bytes(Suite::XWing, &kem),
            cosigner: SigningKeyPair::from_secret_bytes(&cosigner),
            log: SigningKeyPair::from_secret_bytes(&log),
            store: StoreKey::from_secret_bytes(&store),
        })
    }
}

/// The name under which an organization's validator cosigns.
pub fn cosigner_name(org: &OrgId) -> String {
    format!("chartseal/validator/{org}")
}

/// A key pair's public half, as the ledger writes it.
pub fn public(keys: &SigningKeyPair) -> PublicKey {
    PublicKey(keys.verifying_key().to_bytes())
}

/// The verifier key under which an organization's validator cosigns checkpoints.
pub fn cosigner_vkey(org: &OrgId, validator: PublicKey) -> Option<VerifierKey> {
    VerifierKey::new(&cosigner_name(org), KeyKind::Cosigner, validator)
}

/// Signs a message, as the ledger writes signatures.
pub fn sign(keys: &SigningKeyPair, message: &[u8]) -> Signature {
    Signature(keys.sign(message).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_their_bytes_and_never_show() {
        let keys = NodeKeys::generate().unwrap();
        let read = NodeKeys::from_secret_bytes(&keys.to_secret_bytes()).unwrap();
        assert_eq!(read.to_secret_bytes(), keys.to_secret_bytes());
        assert!(NodeKeys::from_secret_bytes(&keys.to_secret_bytes()[1..]).is_err());
        // Version 1: without the store key, always the same one.
        let mut old = keys.to_secret_bytes()[..=4 * 34].to_vec();
        old[0] = 0x84;
        let [one, other] = [(); 2].map(|()| NodeKeys::from_secret_bytes(&old).unwrap());
        assert_eq!(one.to_secret_bytes(), other.to_secret_bytes());
        assert_eq!(
            one.log.expose_secret_bytes(),
            keys.log.expose_secret_bytes()
        );
        assert_ne!(
            one.store.expose_secret_bytes(),
            keys.store.expose_secret_bytes()
        );
        old[0] = 0x83;
        assert!(NodeKeys::from_secret_bytes(&old[..=3 * 34]).is_err());
        let secret = keys.custodian.expose_secret_bytes();
        let hex = PublicKey(*secret).to_string();
        assert!(!format!("{keys:?}").contains(&hex[..8]));
    }
}
