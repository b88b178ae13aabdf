//! RFC 6962 logs and an authenticated prefix map, with proofs, over SHA-256.
