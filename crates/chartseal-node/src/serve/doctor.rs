//! What is wrong with a node and what to do, without starting or stopping it.

use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use chartseal_ledger::Genesis;
use chartseal_ledger::body::Organization;
use chartseal_vault::{BlobId, BlobStore as _, ObjectBlobStore};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::config::{Config, Tls};
use super::control::{Control, NodeStatus};
use super::others::{Others, Told};
use super::scrubbed::{FormerShares, Scrubbed};
use super::tls;
use crate::accused::evidence_files;
use crate::clock::Clock;
use crate::custodian::MAX_LAG_MS;
use crate::keys::NodeKeys;
use crate::stores::LEDGER;

/// How long somebody may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much room a disk should have, and must have, in bytes.
const ROOM: u64 = 10 << 30;
const LITTLE_ROOM: u64 = 1 << 30;
/// By how much a clock may be off before it is worth a word, in ms.
const OFF_MS: u64 = 1_000;
/// For how many days a certificate should be good.
const DAYS: i64 = 30;
/// As how many files a process may open at least: its clients' connections, its peers', its stores.
const FILES: u64 = 8_192;

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should be.
    Well,
    /// Not wrong yet, or it could not be looked at.
    Doubtful,
    /// Wrong.
    Ill,
}

impl Health {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Doubtful => "doubtful",
            Self::Ill => "ill",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What: `configuration`, `keys`, …
    pub of: &'static str,
    /// How it is.
    pub health: Health,
    /// What was found.
    pub found: String,
    /// What to do, if anything.
    pub remedy: Option<String>,
}

/// Looks at everything that a node needs: its configuration, keys, directory, disk, ledger, clock, ports, certificate,
/// peers and the versions of others. Nothing is changed.
pub fn examine(file: &Path) -> Vec<Finding> {
    let mut all = Findings::default();
    let Some(config) = all.take("configuration", Config::read(file)) else {
        return all.0;
    };
    all.well(
        "configuration",
        format!("{} is in its format", file.display()),
    );
    let genesis = all.take("genesis", config.genesis());
    if let Some(genesis) = &genesis {
        let members = genesis.committee().n();
        all.well(
            "genesis",
            format!("network {}, {members} validators", config.network),
        );
    }
    let keys = genesis
        .as_ref()
        .and_then(|genesis| all.keys(&config, genesis));
    all.disk(&config);
    let status = Control::connect(&config.directory).and_then(|mut node| {
        node.set_patience(PATIENCE)?;
        let status = node.status()?;
        Ok((status, node.committee(&[config.organization]).ok()))
    });
    if let Ok((status, view)) = &status {
        all.running(status);
        let view = view.as_ref();
        let known = view.and_then(|view| view.organization(&config.organization));
        if let (Some(known), Some(keys)) = (known, &keys) {
            all.custodian(&known.organization, keys);
        }
    } else {
        all.stopped(&config, keys.as_ref());
    }
    all.vault(&config);
    all.scrubbed(&config);
    all.accused(&config);
    all.certificate(&config);
    all.peers(&config);
    // A root that is none is said here, and nobody can be asked then.
    if let Some(others) = all.take("services", Others::of(&config)) {
        let status = status.as_ref().ok().map(|(status, _)| status);
        all.clock(&config, genesis.as_ref(), status, &others);
        all.services(&config, &others);
    }
    all.files();
    all.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn well(&mut self, of: &'static str, found: impl Into<String>) {
        self.put(of, Health::Well, found, None);
    }

    fn doubtful(&mut self, of: &'static str, found: impl Into<String>, remedy: &str) {
        self.put(of, Health::Doubtful, found, Some(remedy));
    }

    fn ill(&mut self, of: &'static str, found: impl Into<String>, remedy: &str) {
        self.put(of, Health::Ill, found, Some(remedy));
    }

    fn put(
        &mut self,
        of: &'static str,
        health: Health,
        found: impl Into<String>,
        remedy: Option<&str>,
    ) {
        self.0.push(Finding {
            of,
            health,
            found: found.into(),
            remedy: remedy.map(Into::into),
        });
    }

    /// What a check gave. An error of ours names its own remedy.
    fn take<T>(&mut self, of: &'static str, got: Result<T, impl std::fmt::Display>) -> Option<T> {
        match got {
            Ok(got) => Some(got),
            Err(error) => {
                self.put(of, Health::Ill, error.to_string(), None);
                None
            }
        }
    }

    fn keys(&mut self, config: &Config, genesis: &Genesis) -> Option<NodeKeys> {
        let keys = self.take("keys", config.keys(genesis));
        if keys.is_some() {
            self.well("keys", "they are this organization's");
            self.private("keys", &config.keys_file());
        }
        if let Some(tls) = &config.tls {
            self.private("tls_key", &tls.key);
        }
        keys
    }

    /// Whether nobody else may read a file of secrets.
    #[cfg(unix)]
    fn private(&mut self, of: &'static str, file: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(file).map_or(0, |it| it.permissions().mode() & 0o777);
        if mode & 0o077 != 0 {
            let found = format!("{} has mode {mode:o}: others may read it", file.display());
            let remedy = format!("chmod 600 {}", file.display());
            self.ill(of, found, &remedy);
        }
    }

    #[cfg(not(unix))]
    fn private(&mut self, _: &'static str, _: &Path) {}

    fn disk(&mut self, config: &Config) {
        let directory = &config.directory;
        if !directory.exists() {
            self.well(
                "disk",
                format!("{} is made at the start", directory.display()),
            );
            return;
        }
        let written = tempfile::NamedTempFile::new_in(directory).and_then(|mut file| {
            file.write_all(b"chartseal node doctor")?;
            file.as_file().sync_all()
        });
        if let Err(error) = written {
            let found = format!("{} can't be written: {error}", directory.display());
            self.ill(
                "disk",
                found,
                "free some room, or mend the file system or its permissions",
            );
            return;
        }
        match room(directory) {
            Ok(free) => {
                let found = format!("{} MiB free in {}", free >> 20, directory.display());
                match free {
                    0..LITTLE_ROOM => self.ill(
                        "disk",
                        found,
                        "free some room now: a full disk stops the node",
                    ),
                    LITTLE_ROOM..ROOM => {
                        self.doubtful("disk", found, "free some room, or choose a larger disk");
                    }
                    _ => self.well("disk", found),
                }
            }
            Err(error) => {
                self.doubtful("disk", error.to_string(), "look at its room by other means");
            }
        }
    }

    /// A bucket has to answer; a folder is on the disk.
    fn vault(&mut self, config: &Config) {
        let Some(place) = &config.vault else { return };
        let asked = ObjectBlobStore::s3(place).and_then(|it| it.contains(&BlobId([0; 32])));
        match asked {
            Ok(_) => self.well("vault", format!("bucket {} answers", place.bucket)),
            Err(error) => self.ill(
                "vault",
                error.to_string(),
                "look at the bucket, at `vault_endpoint`, and at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ),
        }
    }

    /// What the newest look at the vault found.
    fn scrubbed(&mut self, config: &Config) {
        let Some(found) = Scrubbed::read(&config.directory) else {
            self.doubtful(
                "custody",
                "the vault was not looked at yet",
                "chartseal node scrub --config …, or leave it to the node, which does so soon after its start",
            );
            return;
        };
        let before = self.0.len();
        let lost = found.lost;
        if lost > 0 {
            self.ill(
                "custody",
                format!("{lost} ciphertexts or their headers are damaged or missing, and nobody who was asked has them"),
                "chartseal node scrub once the other organizations' nodes run; see `services`",
            );
        }
        for (shares, how) in [
            (
                found.missing_shares,
                "that were acknowledged on the chain are missing",
            ),
            (found.damaged_shares, "are damaged"),
        ] {
            if shares > 0 {
                self.ill(
                    "custody",
                    format!("{shares} shares {how}: no other organization has them"),
                    "restore a newer backup if there is one; else holders of the records' keys have to deal anew",
                );
            }
        }
        for former in &found.former {
            let FormerShares { epoch, shares } = former;
            self.doubtful(
                "custody",
                format!("{shares} shares that records rest on were dealt to the committee of epoch {epoch}"),
                "those organizations' nodes go on until the patients' apps have dealt anew",
            );
        }
        let now = Clock::System.now().0;
        let days = now.saturating_sub(found.at.0) / (24 * 3_600_000);
        let every = config
            .scrub_seconds
            .unwrap_or_default()
            .saturating_mul(2_000);
        if days > 1 && now.saturating_sub(found.at.0) > every {
            self.doubtful(
                "custody",
                format!("the vault was last looked at {days} days ago"),
                "chartseal node scrub --config …, or look into the log for why the node does not",
            );
        }
        if self.0.len() == before {
            self.well(
                "custody",
                format!(
                    "{} ciphertexts are whole, and all shares are there",
                    found.expected
                ),
            );
        }
    }

    fn running(&mut self, status: &NodeStatus) {
        self.well("node", format!("it runs, at block {}", status.height));
        let behind = status.clock.0.saturating_sub(status.block_time.0);
        if behind > MAX_LAG_MS {
            let found = format!(
                "its newest block is {} s old: it releases nothing",
                behind / 1_000
            );
            let remedy = "see `peers`: more than two thirds of the validators have to run and reach each other";
            self.ill("chain", found, remedy);
        } else {
            self.well(
                "chain",
                format!("its newest block is {} s old", behind / 1_000),
            );
        }
        if status.double_votes > 0 {
            self.ill(
                "evidence",
                format!("{} double votes were seen", status.double_votes),
                "an incident: ask the organizations that the log names",
            );
        }
    }

    /// Whether the chain has this node's custodian under these keys.
    fn custodian(&mut self, expected: &Organization, keys: &NodeKeys) {
        match keys.check_custodian(expected) {
            Ok(()) => self.well("custodian", "the chain has it under these keys"),
            Err(why) => self.ill(
                "custodian",
                why,
                "start the node with the keys that its office gave the custodian, or have the office give it these: `chartseal committee custodian`",
            ),
        }
    }

    /// What the node has kept against others, of now and of before.
    fn accused(&mut self, config: &Config) {
        match evidence_files(&config.directory) {
            Ok(files) if files.is_empty() => {}
            Ok(files) => self.ill(
                "evidence",
                format!("{} pieces of it against others are kept", files.len()),
                "an incident: `chartseal node evidence list` says whom they accuse",
            ),
            Err(error) => self.doubtful(
                "evidence",
                format!("what is kept of it can't be read: {error}"),
                "look at `evidence` in the data directory",
            ),
        }
    }

    /// A node that does not run: whether it could.
    fn stopped(&mut self, config: &Config, keys: Option<&NodeKeys>) {
        self.doubtful("node", "it does not run", "chartseal node run --config …");
        for (key, address) in [("listen", Some(config.listen)), ("api", config.api)] {
            let Some(address) = address else { continue };
            match TcpListener::bind(address) {
                Ok(_) => self.well("port", format!("{key} {address} is free")),
                Err(error) => self.ill(
                    "port",
                    format!("{key} {address} can't be used: {error}"),
                    "stop what listens there, or choose another address",
                ),
            }
        }
        if let Some(keys) = keys
            && config.directory.join(LEDGER).exists()
            && self.take("stores", config.stores(keys)).is_some()
        {
            self.well("stores", "they open");
        }
    }

    fn clock(
        &mut self,
        config: &Config,
        genesis: Option<&Genesis>,
        status: Option<&NodeStatus>,
        others: &Others,
    ) {
        let clock = Clock::System;
        if let (Some(genesis), Some(status)) = (genesis, status) {
            let checked = config.check_clock(clock.now(), status.block_time, genesis);
            self.take("clock", checked);
        }
        let told = others.told(&clock);
        let mut off: Vec<u64> = told.iter().map(Told::off).collect();
        off.sort_unstable();
        match off.get(off.len() / 2) {
            None => self.doubtful(
                "clock",
                "no other organization's service tells the time",
                "compare it with a time server",
            ),
            Some(ms) if *ms > OFF_MS => self.ill(
                "clock",
                format!(
                    "half of {} others say that it is {ms} ms off, or more",
                    off.len()
                ),
                "set the machine's clock, and keep it with NTP",
            ),
            Some(_) => self.well("clock", format!("{} others agree with it", off.len())),
        }
    }

    fn certificate(&mut self, config: &Config) {
        let Some(tls) = &config.tls else { return };
        if self.take("certificate", tls::shown(tls)).is_none() {
            return;
        }
        let Some(ends) = ends(tls) else {
            self.doubtful(
                "certificate",
                "its end can't be read",
                "look at it with openssl x509",
            );
            return;
        };
        let now = i64::try_from(Clock::System.now().0 / 1_000).unwrap_or(i64::MAX);
        let days = (ends - now) / (24 * 3_600);
        let found = format!("good for {days} days");
        match days {
            ..0 => self.ill(
                "certificate",
                "it is over: no client takes it",
                "get a new one, then `chartseal node reload`",
            ),
            0..DAYS => self.doubtful(
                "certificate",
                found,
                "get a new one, then `chartseal node reload`",
            ),
            _ => self.well("certificate", found),
        }
    }

    fn peers(&mut self, config: &Config) {
        let others = config.validators.iter().chain(&config.later);
        let others: Vec<_> = others
            .filter(|peer| peer.address != config.listen)
            .collect();
        let silent: Vec<_> = others
            .iter()
            .filter(|peer| TcpStream::connect_timeout(&peer.address, PATIENCE).is_err())
            .map(|peer| peer.address.to_string())
            .collect();
        let (all, reached) = (others.len(), others.len() - silent.len());
        let found = format!("{reached} of {all} other validators' addresses answer");
        if silent.is_empty() {
            self.well("peers", found);
            return;
        }
        let found = format!("{found}; not {}", silent.join(", "));
        let remedy = "ask whether those nodes run, and look at the firewalls between";
        // With as many away as may fail, the rest still decides.
        if silent.len() * 3 > config.validators.len().saturating_sub(1) {
            self.ill("peers", found, remedy);
        } else {
            self.doubtful("peers", found, remedy);
        }
    }

    fn services(&mut self, config: &Config, others: &Others) {
        if config.services.is_empty() {
            self.doubtful(
                "services",
                "no `service` lines: it can't ask others for the time or for keys",
                "add a line for each organization's service",
            );
            return;
        }
        let own = env!("CARGO_PKG_VERSION");
        for node in &others.all() {
            let org = node.org();
            match node.version() {
                Ok(version) if version == own => {
                    self.well("services", format!("organization {org}: version {own}"));
                }
                Ok(version) => self.doubtful(
                    "services",
                    format!("organization {org}: version {version}, not {own}"),
                    "agree on one version; two next to each other are for an upgrade alone",
                ),
                Err(error) => self.doubtful(
                    "services",
                    error.to_string(),
                    "ask whether it runs, and look at `service`, `tls_root` and the firewalls between",
                ),
            }
        }
    }

    #[cfg(unix)]
    fn files(&mut self) {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        // None is no limit.
        match limit.current {
            Some(files) if files < FILES => self.doubtful(
                "files",
                format!("a process of this user may open {files} files"),
                "raise it (LimitNOFILE= of systemd, ulimit -n) to 16384",
            ),
            _ => self.well("files", "a process may open enough files"),
        }
    }

    #[cfg(not(unix))]
    fn files(&mut self) {}
}

/// The free room on the disk of a folder, in bytes.
#[cfg(unix)]
fn room(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn room(_: &Path) -> io::Result<u64> {
    Err(io::ErrorKind::Unsupported.into())
}

/// When a certificate ends, in seconds since 1970.
fn ends(tls: &Tls) -> Option<i64> {
    let chain = tls::chain(tls).ok()?;
    let certificate = Certificate::from_der(chain.first()?).ok()?;
    let ends = certificate.tbs_certificate().validity().not_after;
    i64::try_from(ends.to_unix_duration().as_secs()).ok()
}
