//! X-Wing's own vectors: the three of draft-connolly-cfrg-xwing-kem, public keys and ciphertexts as their
//! SHA-256.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use chartseal_codec::hex_exact;
use chartseal_envelope::{KemKeyPair, Suite};
use sha2::{Digest, Sha256};
use x_wing::{Decapsulate, DecapsulationKey, EncapsulationKey};

struct Vector {
    seed: &'static str,
    eseed: &'static str,
    shared: &'static str,
    public: &'static str,
    ciphertext: &'static str,
}

const VECTORS: [Vector; 3] = [
    Vector {
        seed: "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
        eseed: concat!(
            "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2",
            "35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2"
        ),
        shared: "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
        public: "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
        ciphertext: "17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33",
    },
    Vector {
        seed: "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
        eseed: concat!(
            "17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdef",
            "aee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d"
        ),
        shared: "f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150",
        public: "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
        ciphertext: "1661ea86d608a1924ba30840cb0a65f13ae051e3aec9cf0f064efc0bc92f2154",
    },
    Vector {
        seed: "ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
        eseed: concat!(
            "22a96188d032675c8ac850933c7aff1533b94c834adbb69c6115bad4692d8619",
            "f90b0cdf8a7b9c264029ac185b70b83f2801f2f4b3f70c593ea3aeeb613a7f1b"
        ),
        shared: "953f7f4e8c5b5049bdc771d1dffada0dd961477d1a2ae0988baa7ea6898d893f",
        public: "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
        ciphertext: "d3ca5578500344b5896cffc4fd740c9311946b82951df155e6fd86a7966b43c6",
    },
];

#[test]
fn x_wing_is_the_drafts() {
    for vector in &VECTORS {
        let seed: [u8; 32] = hex_exact(vector.seed).unwrap();
        let ours = KemKeyPair::from_secret_bytes(Suite::XWing, &seed);
        let public = ours.public_key().to_bytes();
        assert_eq!(sha256(&public), hex_exact(vector.public).unwrap());

        // What HPKE runs below our keys.
        let theirs = EncapsulationKey::try_from(public.as_slice()).unwrap();
        let eseed: [u8; 64] = hex_exact(vector.eseed).unwrap();
        let (ciphertext, shared) = theirs.encapsulate_deterministic(&eseed.into());
        assert_eq!(sha256(&ciphertext), hex_exact(vector.ciphertext).unwrap());
        assert_eq!(shared.as_slice(), hex_exact::<32>(vector.shared).unwrap());
        let opened = DecapsulationKey::from(seed).decapsulate(&ciphertext);
        assert_eq!(opened, shared);
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
