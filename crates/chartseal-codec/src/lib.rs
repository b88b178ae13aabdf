//! Deterministic CBOR (RFC 8949 4.2.1) that decodes exactly the bytes it would encode.
