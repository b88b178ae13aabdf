//! Certificates for the services of a network that is made on one machine, so that nothing is sent in the clear from the
//! first day on. An organization that has certificates of its own names them in its configuration instead.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use chartseal_wire::{ChainId, OrgId};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use thiserror::Error;
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// For how many days a service's certificate is good: its authority's as well, which makes no later one.
const DAYS: u32 = 730;

/// A certificate can't be made.
#[derive(Debug, Error)]
#[error("no certificate for a service: {0}")]
pub struct CertificateError(String);

/// Who certifies a new network's services. Its key is gone with it.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A service's certificate and its key, both in PEM.
pub(super) struct Certified {
    pub(super) certificate: String,
    pub(super) key: Zeroizing<String>,
}

impl Authority {
    pub(super) fn new(chain: &ChainId) -> Result<Self, CertificateError> {
        let name: String = chain.to_string().chars().take(16).collect();
        let mut params = params(&format!("Chartseal network {name}"), Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().map_err(failed)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(failed)?;
        Ok(Self(issuer))
    }

    /// Its own certificate, in PEM.
    pub(super) fn certificate(&self) -> String {
        self.0.pem()
    }

    /// Makes a certificate for an organization's service at this address of the machine.
    pub(super) fn certify(&self, org: &OrgId, at: IpAddr) -> Result<Certified, CertificateError> {
        let names = vec![at.to_string(), "localhost".to_owned()];
        let mut params = params(&org.to_string(), names)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.0).map_err(failed)?;
        Ok(Certified {
            certificate: certificate.pem(),
            key: Zeroizing::new(key.serialize_pem()),
        })
    }
}

fn params(name: &str, names: Vec<String>) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::new(names).map_err(failed)?;
    // Clocks of the same day agree that it is good already.
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + DAY * DAYS).into();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(why: rcgen::Error) -> CertificateError {
    CertificateError(why.to_string())
}
