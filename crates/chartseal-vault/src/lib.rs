//! Where ciphertext, shares and sealed texts rest: blob, share and side stores.
