//! The service's certificate. TLS 1.3 alone, with a key exchange that a later quantum computer does not open (X25519MLKEM768)
//! for who offers it.

use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, version};

use super::config::{ConfigError, MAX_CONFIG, Tls, read};

/// What the service shows.
///
/// # Errors
/// [`ConfigError::Tls`], [`ConfigError::File`].
pub(super) fn shown(tls: &Tls) -> Result<RustlsConfig, ConfigError> {
    Ok(RustlsConfig::from_config(Arc::new(config(tls)?)))
}

/// Shows what the files hold now to who connects from now on. What is shown stays if they hold nothing that can be.
///
/// # Errors
/// As [`shown`].
pub(super) fn show_anew(shown: &RustlsConfig, tls: &Tls) -> Result<(), ConfigError> {
    shown.reload_from_config(Arc::new(config(tls)?));
    Ok(())
}

/// The certificate, and those up to a root's.
///
/// # Errors
/// [`ConfigError::Tls`] if there is none, [`ConfigError::File`].
pub(super) fn chain(tls: &Tls) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let bytes = read(&tls.certificate, MAX_CONFIG)?;
    let chain = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let chain =
        chain.map_err(|why| of_certificate(tls, format!("no certificates in PEM: {why}")))?;
    if chain.is_empty() {
        return Err(of_certificate(tls, "it has no certificate in PEM".into()));
    }
    Ok(chain)
}

fn of_certificate(tls: &Tls, why: String) -> ConfigError {
    ConfigError::Tls {
        key: "tls_certificate",
        file: tls.certificate.clone(),
        why,
    }
}

fn config(tls: &Tls) -> Result<ServerConfig, ConfigError> {
    let of_key = |why: String| ConfigError::Tls {
        key: "tls_key",
        file: tls.key.clone(),
        why,
    };
    let chain = chain(tls)?;
    let bytes = read(&tls.key, MAX_CONFIG)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes);
    let key = key.map_err(|_| of_key("it has no private key in PEM (PKCS#8)".into()))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(&[&version::TLS13]);
    let builder = builder.map_err(|why| of_certificate(tls, why.to_string()))?;
    let config = builder.with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.map_err(|why| match why {
        rustls::Error::InconsistentKeys(_) => of_key(
            "it is not the key of `tls_certificate`; name the two that were made together".into(),
        ),
        why => of_certificate(tls, why.to_string()),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
