use std::time::Duration;

use reqwest::Certificate;
use thiserror::Error;

/// How long an answer may take, if nothing else is said.
const PATIENCE: Duration = Duration::from_secs(60);

/// How nodes are asked.
///
/// ```
/// use std::time::Duration;
///
/// use chartseal_client::Asking;
///
/// let hurried = Asking::patiently(Duration::from_secs(2));
/// assert!(hurried.roots.is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Asking {
    /// How long an answer may take.
    pub patience: Duration,
    /// The certificates that vouch for services, and none but these; `None`: those of the system.
    pub roots: Option<Roots>,
}

impl Asking {
    /// Waits so long for an answer, and takes the system's word for services.
    pub fn patiently(patience: Duration) -> Self {
        Self {
            patience,
            roots: None,
        }
    }
}

impl Default for Asking {
    fn default() -> Self {
        Self::patiently(PATIENCE)
    }
}

/// Certificates that vouch for services: of a network's own authority, or of the services themselves.
#[derive(Clone, Debug)]
pub struct Roots(pub(crate) Vec<Certificate>);

impl Roots {
    /// The certificates of a file in PEM.
    ///
    /// # Errors
    /// [`RootsError`] if there is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, RootsError> {
        match Certificate::from_pem_bundle(pem) {
            Ok(roots) if !roots.is_empty() => Ok(Self(roots)),
            _ => Err(RootsError),
        }
    }
}

/// A file without certificates in PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it has no certificate in PEM")]
pub struct RootsError;
