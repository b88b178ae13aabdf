//! Helpers that several crates' tests share.
//!
//! | item | what |
//! |---|---|
//! | [`bad_bundles`] | FHIR bundles that must be refused, each with a part of its error; and a good one of any size |
//! | `fuzz` (feature `fuzz`) | what the fuzzers run: one function for every decoder |
//! | [`python`] | the verifier in Python, to compare ours with |
//! | `leaks` (feature `leaks`) | finds texts in bytes: plain, in hex, in base64, or hashed |
//! | [`data_dir`] | other people's test data, where a checkout has it |

pub mod bad_bundles;
#[cfg(feature = "fuzz")]
pub mod fuzz;
#[cfg(feature = "leaks")]
pub mod leaks;
pub mod python;
#[cfg(feature = "audit")]
pub mod question;

use std::path::PathBuf;

/// The folder of other people's bundles and vectors, from the variable `CHARTSEAL_DATA`.
///
/// `None` where a user has no such folder; the test then says that it did not run:
///
/// ```
/// let Some(data) = chartseal_testkit::data_dir() else { return };
/// assert!(data.join("fhir").is_dir());
/// ```
///
/// # Panics
/// If `CHARTSEAL_DATA_REQUIRED` is `1`, as in CI, and the folder is not there.
pub fn data_dir() -> Option<PathBuf> {
    let dir = std::env::var_os("CHARTSEAL_DATA")
        .map(PathBuf::from)
        .filter(|dir| dir.is_dir());
    if dir.is_none() {
        let required = std::env::var_os("CHARTSEAL_DATA_REQUIRED").is_some_and(|set| set == "1");
        assert!(
            !required,
            "CHARTSEAL_DATA names no folder, and CHARTSEAL_DATA_REQUIRED is 1"
        );
        eprintln!("did not run: CHARTSEAL_DATA names no folder of test data");
    }
    dir
}
