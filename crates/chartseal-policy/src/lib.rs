//! Decides access requests against patients' consents: pure, explained, fail-closed.
