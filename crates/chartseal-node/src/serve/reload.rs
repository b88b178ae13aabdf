//! What of a configuration can change while the node runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum_server::tls_rustls::RustlsConfig;
use chartseal_codec::canonical_struct;

use super::api::Api;
use super::config::Config;
use super::others::Others;
use super::{REQUESTS_PER_SECOND, ServeError, tls};

/// What a node did with a configuration that it read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The keys whose values hold from now on.
    pub taken: Vec<String>,
    /// The keys whose values hold when the node is started again.
    pub at_restart: Vec<String>,
}

canonical_struct!(Reloaded { taken, at_restart });

/// A running node's configuration, and what it applies to.
pub(super) struct Reload {
    file: PathBuf,
    running: Mutex<Config>,
    tls: Option<RustlsConfig>,
    api: Option<Arc<Api>>,
    others: Others,
}

impl Reload {
    pub(super) fn new(
        file: &Path,
        running: Config,
        tls: Option<RustlsConfig>,
        api: Option<Arc<Api>>,
        others: Others,
    ) -> Self {
        Self {
            file: file.into(),
            running: Mutex::new(running),
            tls,
            api,
            others,
        }
    }

    /// Reads the configuration again, and the certificate. All of it holds, or, if anything is wrong with it, nothing.
    ///
    /// # Errors
    /// [`ServeError`].
    pub(super) fn again(&self) -> Result<Reloaded, ServeError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Config::read(&self.file)?;
        let others = Others::remotes(&new)?;
        let mut done = Reloaded::default();
        // The certificate's files may have changed though their names have not.
        if let (Some(shown), Some(tls)) = (&self.tls, &new.tls) {
            tls::show_anew(shown, tls)?;
            done.taken.push("tls_certificate".into());
        }
        if new.services != running.services || new.tls_root != running.tls_root {
            done.taken.push("service".into());
        }
        // A root's file may have changed as well.
        self.others.replace(others);
        if new.requests_per_second != running.requests_per_second {
            let rate = new.requests_per_second.unwrap_or(REQUESTS_PER_SECOND);
            if let Some(api) = &self.api {
                api.set_rate(rate);
            }
            done.taken.push("requests_per_second".into());
        }
        let has_tls = |config: &Config| config.tls.is_some();
        for (key, differs) in [
            ("network", new.network != running.network),
            ("organization", new.organization != running.organization),
            ("genesis", new.genesis != running.genesis),
            ("keys", new.keys != running.keys),
            ("directory", new.directory != running.directory),
            ("listen", new.listen != running.listen),
            (
                "api",
                new.api != running.api || has_tls(&new) != has_tls(&running),
            ),
            ("validator", new.validators != running.validators),
            ("vault_bucket", new.vault != running.vault),
            ("later", new.later != running.later),
            ("threads", new.threads != running.threads),
            ("heartbeat_ms", new.heartbeat_ms != running.heartbeat_ms),
            ("scrub_seconds", new.scrub_seconds != running.scrub_seconds),
        ] {
            if differs {
                done.at_restart.push(key.into());
            }
        }
        running.services = new.services;
        running.tls_root = new.tls_root;
        running.requests_per_second = new.requests_per_second;
        tracing::info!(taken = ?done.taken, at_restart = ?done.at_restart, "the configuration is read again");
        Ok(done)
    }
}
