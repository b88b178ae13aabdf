use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chartseal_client::{Asking, Roots};
use chartseal_codec::from_bytes;
use chartseal_ledger::{Genesis, State};
use chartseal_vault::{ObjectBlobStore, S3};
use chartseal_wire::{ChainId, OrgId, PublicKey, Time};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::error::NodeError;
use crate::files::replace;
use crate::keys::{FILE as KEYS, NodeKeys, public};
use crate::stores::Stores;

/// The most bytes of a configuration, and of a genesis.
pub(super) const MAX_CONFIG: u64 = 64 * 1024;
const MAX_GENESIS: u64 = 16 * 1024 * 1024;
/// The file that says whose a data directory is.
pub(super) const OWNER: &str = "owner";
/// The file that says that a backup is being put back into a data directory.
pub(super) const RESTORING: &str = "restoring";

/// One node's configuration: a text file of lines `key value`, `#` before comments.
///
/// | key | value |
/// |---|---|
/// | `network` | the chain's id, in hex: the node starts on no other |
/// | `organization` | whose node it is, in hex |
/// | `genesis` | the file of the network's genesis |
/// | `keys` | the file of the node's keys |
/// | `directory` | the data directory, made if it is missing |
/// | `listen` | the address at which other validators reach it |
/// | `validator` | a line each: a genesis member's validator key in hex, and its address; one that is no member any more may be left out, and is not spoken to then |
/// | `later` | a line each: the same of a validator that is no member at genesis: a newcomer, or a member's next key |
/// | `api` | the address at which clients reach its service; none is served if it is not said |
/// | `tls_certificate` | the file of its service's certificate and those up to a root's (PEM); needed if `api` is not a loopback address |
/// | `tls_key` | the file of that certificate's key (PKCS#8 PEM), which only the node's user may read |
/// | `tls_root` | the file of the certificates that vouch for other organizations' services (PEM); the system's if it is not said |
/// | `vault_bucket` | the bucket of an S3-compatible store that keeps the ciphertext; `blobs` in the data directory if it is not said |
/// | `vault_folder` | the folder in it, which is this node's alone; the organization in hex if it is not said |
/// | `vault_endpoint`, `vault_region` | the store's URL, if it is not Amazon's; its region, if it has some |
/// | `requests_per_second` | how many requests of one address its service takes in a second, and twice as many at once; 2000 if it is not said |
/// | `service` | a line each: an organization in hex, and where its node's service is, such as `https://node.example:9100`; its own included |
/// | `threads` | how many threads run it; 2 if it is not said |
/// | `heartbeat_ms` | how often an idle network makes a block; 8000 if it is not said. Every node has the same |
/// | `scrub_seconds` | how often the node looks at its whole vault; 86400 if it is not said |
///
/// Paths are relative to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The chain.
    pub network: ChainId,
    /// Whose node it is.
    pub organization: OrgId,
    /// The file of genesis.
    pub genesis: PathBuf,
    /// The file of keys.
    pub keys: PathBuf,
    /// The data directory.
    pub directory: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where clients reach its service, if they may.
    pub api: Option<SocketAddr>,
    /// What it shows to clients.
    pub tls: Option<Tls>,
    /// The certificates that vouch for other organizations' services.
    pub tls_root: Option<PathBuf>,
    /// Where the ciphertext is, if not in the data directory.
    pub vault: Option<S3>,
    /// How many requests of one address are taken in a second.
    pub requests_per_second: Option<u32>,
    /// The services of the network's nodes that this one may ask.
    pub services: Vec<Service>,
    /// Every validator of genesis, itself included.
    pub validators: Vec<Peer>,
    /// Validators of later epochs.
    pub later: Vec<Peer>,
    /// How many threads run it.
    pub threads: usize,
    /// How often an idle network makes a block, in ms.
    pub heartbeat_ms: Option<u64>,
    /// How often the node looks at its vault, in seconds.
    pub scrub_seconds: Option<u64>,
}

/// Another validator, or itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its validator key.
    pub key: PublicKey,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A service's certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The file of the certificate and those up to a root's.
    pub certificate: PathBuf,
    /// The file of its key.
    pub key: PathBuf,
}

/// A node's service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Whose node.
    pub organization: OrgId,
    /// Where it answers, such as `https://node.example:9100`.
    pub url: String,
}

/// Why a node does not start: the key, the reason, the remedy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// `CS-CFG-01`: a file can't be read or written.
    #[error("{}: {source}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `CS-CFG-02`: a line that says nothing, or says it wrongly.
    #[error("{}, line {line}: {why}", .file.display())]
    Line {
        /// The configuration.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// `CS-CFG-03`: a key that has to be there.
    #[error("{}: `{key}` is missing; add a line `{key} …`", .file.display())]
    Missing {
        /// The configuration.
        file: PathBuf,
        /// Which key.
        key: &'static str,
    },
    /// `CS-CFG-04`: another network's genesis.
    #[error(
        "network: {} is of network {found}, not {expected}; copy the genesis that this network's \
         founders gave out",
        .file.display()
    )]
    Network {
        /// The genesis.
        file: PathBuf,
        /// The network that the configuration names.
        expected: ChainId,
        /// The genesis' own.
        found: ChainId,
    },
    /// `CS-CFG-05`: no genesis.
    #[error("genesis: {} is no genesis; copy it again from this network's founders", .file.display())]
    Genesis {
        /// Which file.
        file: PathBuf,
    },
    /// `CS-CFG-06`: an organization without a validator.
    #[error(
        "organization: {0} is not in the committee of genesis; name the one whose node this is"
    )]
    Organization(OrgId),
    /// `CS-CFG-07`: keys of another organization or another network, or none.
    #[error("keys: {}: {why}; put the file back that was made for this organization and network", .file.display())]
    Keys {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// `CS-CFG-08`: not the committee's validators.
    #[error(
        "validator: {why}; list each member of the committee once, each at an address of its own"
    )]
    Validators {
        /// What is wrong.
        why: String,
    },
    /// `CS-CFG-09`: somebody listens there already.
    #[error(
        "{key}: {address} can't be used: {source}; stop what listens there, or choose another port"
    )]
    Port {
        /// Which key of the configuration.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// `CS-CFG-10`: another node's directory.
    #[error(
        "directory: {} belongs to another node ({found}); name this node's own directory, or an empty one",
        .directory.display()
    )]
    Directory {
        /// Which.
        directory: PathBuf,
        /// Whose it is.
        found: String,
    },
    /// `CS-CFG-14`: a directory into which a backup was put back in part.
    #[error(
        "directory: {} has a part of a backup alone; run `chartseal node restore` again, or remove the directory", .0.display()
    )]
    Restoring(PathBuf),
    /// `CS-CFG-11`: the clock can't be right.
    #[error("clock: it shows {clock}, {ms} ms {side} {what}; set the machine's clock")]
    Clock {
        /// What it shows.
        clock: Time,
        /// By how much it is wrong, in ms.
        ms: u64,
        /// `before` or `after`.
        side: &'static str,
        /// What.
        what: &'static str,
    },
    /// `CS-CFG-12`: a certificate, its key or a root that can't be used.
    #[error("{key}: {}: {why}", .file.display())]
    Tls {
        /// Which key of the configuration.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// `CS-CFG-13`: a service that others could listen to.
    #[error(
        "api: {0} can be reached from other machines, so `tls_certificate` and `tls_key` have to be said; or serve on \
         127.0.0.1, to a program that encrypts"
    )]
    Plain(SocketAddr),
}

impl ConfigError {
    /// The id of the rule.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::File { .. } => "CS-CFG-01",
            Self::Line { .. } => "CS-CFG-02",
            Self::Missing { .. } => "CS-CFG-03",
            Self::Network { .. } => "CS-CFG-04",
            Self::Genesis { .. } => "CS-CFG-05",
            Self::Organization(_) => "CS-CFG-06",
            Self::Keys { .. } => "CS-CFG-07",
            Self::Validators { .. } => "CS-CFG-08",
            Self::Port { .. } => "CS-CFG-09",
            Self::Directory { .. } => "CS-CFG-10",
            Self::Clock { .. } => "CS-CFG-11",
            Self::Tls { .. } => "CS-CFG-12",
            Self::Plain(_) => "CS-CFG-13",
            Self::Restoring(_) => "CS-CFG-14",
        }
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let bytes = read(file, MAX_CONFIG)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| ConfigError::Line {
            file: file.into(),
            line: 1,
            why: "not UTF-8 text".into(),
        })?;
        Self::parse(text, file)
    }

    /// The configuration that stands in a file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let line = |line, why: String| ConfigError::Line {
            file: file.into(),
            line,
            why,
        };
        let base = file.parent().unwrap_or(Path::new(""));
        let mut draft = Draft::default();
        for (at, text) in (1..).zip(text.lines()) {
            let text = text.split('#').next().unwrap_or_default().trim();
            if text.is_empty() {
                continue;
            }
            let (key, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            draft
                .take(key, value.trim(), base)
                .map_err(|why| line(at, why))?;
        }
        draft.finish(file)
    }

    /// The text of the configuration, with paths as they are.
    pub fn text(&self) -> String {
        let mut text =
            String::from("# One node of a Chartseal network. Paths are relative to this file.\n");
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "network {}\norganization {}",
            self.network, self.organization
        );
        for (key, path) in [
            ("genesis", &self.genesis),
            ("keys", &self.keys),
            ("directory", &self.directory),
        ] {
            let _ = writeln!(text, "{key} {}", path.display());
        }
        let _ = writeln!(text, "listen {}\nthreads {}", self.listen, self.threads);
        if let Some(api) = self.api {
            let _ = writeln!(text, "api {api}");
        }
        let tls = self.tls.as_ref();
        for (key, path) in [
            ("tls_certificate", tls.map(|tls| &tls.certificate)),
            ("tls_key", tls.map(|tls| &tls.key)),
            ("tls_root", self.tls_root.as_ref()),
        ] {
            if let Some(path) = path {
                let _ = writeln!(text, "{key} {}", path.display());
            }
        }
        if let Some(vault) = &self.vault {
            let _ = writeln!(text, "vault_bucket {}", vault.bucket);
            let _ = writeln!(text, "vault_folder {}", vault.folder);
            for (key, value) in [
                ("vault_endpoint", &vault.endpoint),
                ("vault_region", &vault.region),
            ] {
                if let Some(value) = value {
                    let _ = writeln!(text, "{key} {value}");
                }
            }
        }
        if let Some(rate) = self.requests_per_second {
            let _ = writeln!(text, "requests_per_second {rate}");
        }
        for service in &self.services {
            let _ = writeln!(text, "service {} {}", service.organization, service.url);
        }
        if let Some(ms) = self.heartbeat_ms {
            let _ = writeln!(text, "heartbeat_ms {ms}");
        }
        if let Some(seconds) = self.scrub_seconds {
            let _ = writeln!(text, "scrub_seconds {seconds}");
        }
        for (key, peers) in [("validator", &self.validators), ("later", &self.later)] {
            for peer in peers {
                let _ = writeln!(text, "{key} {} {}", peer.key, peer.address);
            }
        }
        text
    }

    /// The genesis, which is of this network, and of whose members these are. One that the committee lost since may be
    /// left out: [`check_members`](Self::check_members).
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn genesis(&self) -> Result<Genesis, ConfigError> {
        let file = self.genesis.clone();
        let bytes = read(&file, MAX_GENESIS)?;
        let genesis: Genesis =
            from_bytes(&bytes).map_err(|_| ConfigError::Genesis { file: file.clone() })?;
        let (expected, found) = (self.network, genesis.chain_id());
        if expected != found {
            return Err(ConfigError::Network {
                file,
                expected,
                found,
            });
        }
        let members = genesis.committee().members();
        let committee: BTreeSet<_> = members.iter().map(|member| member.validator).collect();
        let listed: BTreeSet<_> = self.validators.iter().map(|peer| peer.key).collect();
        let all = || self.validators.iter().chain(&self.later);
        let keys: BTreeSet<_> = all().map(|peer| peer.key).collect();
        let addresses: BTreeSet<_> = all().map(|peer| peer.address).collect();
        let wrong = |why: String| Err(ConfigError::Validators { why });
        if let Some(stranger) = listed.difference(&committee).next() {
            let why = "is no member's at genesis; one of a later epoch has a `later` line";
            return wrong(format!("key {stranger} {why}"));
        }
        if addresses.len() != all().count() || keys.len() != all().count() {
            return wrong("a key or an address is listed twice".into());
        }
        Ok(genesis)
    }

    /// Whether every validator of the genesis that is still in office, or will be, has a line: a node that spoke to fewer could
    /// hold the network up. Whom the committees have left behind is spoken to as long as there is a line; where one of a later
    /// epoch is, may not be known yet.
    ///
    /// # Errors
    /// [`ConfigError::Validators`].
    pub fn check_members(&self, genesis: &Genesis, state: State<'_>) -> Result<(), ConfigError> {
        let listed = self.validators.iter().chain(&self.later);
        let listed: BTreeSet<_> = listed.map(|peer| peer.key).collect();
        let present = state.committee();
        let next = state.next_committee();
        let next = next.iter().flat_map(|next| next.committee.members());
        let in_office = present.members().iter().chain(next);
        let in_office: BTreeSet<_> = in_office.map(|member| member.validator).collect();
        for member in genesis.committee().members() {
            if in_office.contains(&member.validator) && !listed.contains(&member.validator) {
                let why = format!("the member with key {} is not listed", member.validator);
                return Err(ConfigError::Validators { why });
            }
        }
        Ok(())
    }

    /// The node's keys, which are those that genesis has for its organization.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn keys(&self, genesis: &Genesis) -> Result<NodeKeys, ConfigError> {
        let wrong = |why: String| ConfigError::Keys {
            file: self.keys.clone(),
            why,
        };
        let bytes = read(&self.keys, MAX_CONFIG)?;
        let keys = NodeKeys::from_secret_bytes(&bytes)
            .map_err(|_| wrong("it holds no node's keys".into()))?;
        let mut members = genesis.committee().members().iter();
        let member = members.find(|member| member.org == self.organization);
        let found = public(&keys.cosigner);
        let is_later = self.later.iter().any(|peer| peer.key == found);
        match member {
            Some(member) if member.validator != found && !is_later => {
                let expected = member.validator;
                return Err(wrong(format!(
                    "its validator key is {found}, genesis has {expected} for {}",
                    self.organization
                )));
            }
            None if !is_later => return Err(ConfigError::Organization(self.organization)),
            _ => {}
        }
        let mut all = self.validators.iter().chain(&self.later);
        let own = all.find(|peer| peer.key == found);
        if own.is_none_or(|own| own.address.port() != self.listen.port()) {
            let why = format!(
                "this node's own line has another port than `listen {}`",
                self.listen
            );
            return Err(ConfigError::Validators { why });
        }
        Ok(keys)
    }

    /// The stores of this node, in its data directory and where the ciphertext is.
    ///
    /// # Errors
    /// [`NodeError`] if one can't be used, is in use, damaged, or encrypted under another key.
    pub fn stores(&self, keys: &NodeKeys) -> Result<Stores, NodeError> {
        match &self.vault {
            None => Stores::open(&self.directory, &keys.store),
            Some(place) => {
                let blobs = Arc::new(ObjectBlobStore::s3(place)?);
                Stores::open_with(&self.directory, &keys.store, blobs)
            }
        }
    }

    /// Where this node's own service is, if the configuration says.
    pub fn own_service(&self) -> Option<&Service> {
        let mut services = self.services.iter();
        services.find(|it| it.organization == self.organization)
    }

    /// How services are asked: by whose certificates, and how patiently.
    ///
    /// # Errors
    /// [`ConfigError::Tls`] if the root's file has no certificates.
    pub fn asking(&self, patience: Duration) -> Result<Asking, ConfigError> {
        let Some(file) = &self.tls_root else {
            return Ok(Asking::patiently(patience));
        };
        let roots = Roots::from_pem(&read(file, MAX_CONFIG)?);
        let roots = roots.map_err(|why| ConfigError::Tls {
            key: "tls_root",
            file: file.clone(),
            why: why.to_string(),
        })?;
        Ok(Asking {
            patience,
            roots: Some(roots),
        })
    }

    /// Where the keys are.
    pub fn keys_file(&self) -> PathBuf {
        self.keys.clone()
    }

    /// Makes the directory this node's, if it is nobody's yet.
    ///
    /// # Errors
    /// [`ConfigError::Directory`] if it is another's.
    pub fn claim_directory(&self, genesis: &Genesis) -> Result<(), ConfigError> {
        let directory = self.directory.clone();
        let failed = |file: &Path| {
            let file = file.to_owned();
            move |source| ConfigError::File { file, source }
        };
        if directory.join(RESTORING).exists() {
            return Err(ConfigError::Restoring(directory));
        }
        std::fs::create_dir_all(&directory).map_err(failed(&directory))?;
        let owner = directory.join(OWNER);
        let mine = format!(
            "organization {}\nnetwork {}\n",
            self.organization,
            genesis.chain_id()
        );
        let own = || replace(&owner, &owner.with_extension("new"), mine.as_bytes());
        match std::fs::read_to_string(&owner) {
            Ok(found) if found == mine => Ok(()),
            // An earlier version wrote it in its place, and a power cut left nothing of it.
            Ok(found) if found.is_empty() => own().map_err(failed(&owner)),
            Ok(found) => Err(ConfigError::Directory {
                directory,
                found: found.lines().collect::<Vec<_>>().join(", "),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => own().map_err(failed(&owner)),
            Err(error) => Err(failed(&owner)(error)),
        }
    }

    /// Whether the port is free at the moment, and not this node's service's too.
    ///
    /// # Errors
    /// [`ConfigError::Port`].
    pub fn check_port(&self) -> Result<(), ConfigError> {
        let address = self.listen;
        let is_same = |api: &SocketAddr| {
            let is_any = api.ip().is_unspecified() || address.ip().is_unspecified();
            api.port() == address.port() && (is_any || api.ip() == address.ip())
        };
        if let Some(api) = self.api.filter(is_same) {
            return Err(ConfigError::Port {
                key: "api",
                address: api,
                source: io::Error::new(io::ErrorKind::AddrInUse, "`listen` has the same"),
            });
        }
        TcpListener::bind(address)
            .map(drop)
            .map_err(|source| ConfigError::Port {
                key: "listen",
                address,
                source,
            })
    }

    /// Whether the clock can be right: it is not before what has happened. (One that is ahead shows by the clocks of
    /// others, if the configuration has their services.)
    ///
    /// # Errors
    /// [`ConfigError::Clock`].
    pub fn check_clock(
        &self,
        clock: Time,
        head: Time,
        genesis: &Genesis,
    ) -> Result<(), ConfigError> {
        let drift = genesis.params().max_time_drift_ms;
        let ms = head.0.saturating_sub(clock.0);
        if ms <= drift {
            return Ok(());
        }
        let what = if head == genesis.time() {
            "the network's beginning"
        } else {
            "the newest block of this node's ledger"
        };
        Err(ConfigError::Clock {
            clock,
            ms,
            side: "before",
            what,
        })
    }
}

/// A configuration while it is read.
#[derive(Default)]
struct Draft {
    network: Option<ChainId>,
    organization: Option<OrgId>,
    genesis: Option<PathBuf>,
    keys: Option<PathBuf>,
    directory: Option<PathBuf>,
    listen: Option<SocketAddr>,
    api: Option<SocketAddr>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls_root: Option<PathBuf>,
    vault_bucket: Option<String>,
    vault_folder: Option<String>,
    vault_endpoint: Option<String>,
    vault_region: Option<String>,
    requests_per_second: Option<u32>,
    services: Vec<Service>,
    validators: Vec<Peer>,
    later: Vec<Peer>,
    threads: Option<usize>,
    heartbeat_ms: Option<u64>,
    scrub_seconds: Option<u64>,
}

impl Draft {
    fn take(&mut self, key: &str, value: &str, base: &Path) -> Result<(), String> {
        let path = || Ok(base.join(value));
        match key {
            "network" => set(&mut self.network, key, parse(key, value, "64 hex digits")),
            "organization" => set(
                &mut self.organization,
                key,
                parse(key, value, "32 hex digits"),
            ),
            "genesis" => set(&mut self.genesis, key, path()),
            "keys" => set(&mut self.keys, key, path()),
            "directory" => set(&mut self.directory, key, path()),
            "listen" => set(&mut self.listen, key, parse(key, value, "IP:PORT")),
            "api" => set(&mut self.api, key, parse(key, value, "IP:PORT")),
            "tls_certificate" => set(&mut self.tls_certificate, key, path()),
            "tls_key" => set(&mut self.tls_key, key, path()),
            "tls_root" => set(&mut self.tls_root, key, path()),
            "vault_bucket" => set(&mut self.vault_bucket, key, word(key, value)),
            "vault_folder" => set(&mut self.vault_folder, key, word(key, value)),
            "vault_region" => set(&mut self.vault_region, key, word(key, value)),
            "vault_endpoint" => set(&mut self.vault_endpoint, key, word(key, value)),
            "threads" => {
                let threads = parse(key, value, "1 to 64");
                let threads = threads.and_then(|threads: usize| within(key, threads, 1, 64));
                set(&mut self.threads, key, threads)
            }
            "heartbeat_ms" => {
                let ms = parse(key, value, "10 to 60000");
                let ms = ms.and_then(|ms: u64| within(key, ms, 10, 60_000));
                set(&mut self.heartbeat_ms, key, ms)
            }
            "scrub_seconds" => {
                let seconds = parse(key, value, "1 to 604800");
                let seconds = seconds.and_then(|it: u64| within(key, it, 1, 604_800));
                set(&mut self.scrub_seconds, key, seconds)
            }
            "requests_per_second" => {
                let rate = parse(key, value, "1 to 1000000");
                let rate = rate.and_then(|rate: u32| within(key, rate, 1, 1_000_000));
                set(&mut self.requests_per_second, key, rate)
            }
            "service" => {
                let right = "an organization and a URL, such as https://node.example:9100";
                let (name, url) = pair(key, value, right)?;
                let organization = parse(key, name, "32 hex digits")?;
                if self
                    .services
                    .iter()
                    .any(|it| it.organization == organization)
                {
                    return Err(format!("`{key}` {name} is said twice; keep one line"));
                }
                if !["https://", "http://"].iter().any(|it| url.starts_with(it)) {
                    return Err(format!("`{key}` takes {right}"));
                }
                self.services.push(Service {
                    organization,
                    url: url.into(),
                });
                Ok(())
            }
            "validator" | "later" => {
                let (name, address) = pair(key, value, "a key and an address, such as IP:PORT")?;
                let peer = Peer {
                    key: parse(key, name, "64 hex digits")?,
                    address: parse(key, address, "IP:PORT")?,
                };
                let later = key == "later";
                let peers = if later {
                    &mut self.later
                } else {
                    &mut self.validators
                };
                peers.push(peer);
                Ok(())
            }
            other => Err(format!(
                "`{other}` is no key; the keys are network, organization, genesis, keys, directory, \
                 listen, api, tls_certificate, tls_key, tls_root, vault_bucket, vault_folder, vault_endpoint, vault_region, requests_per_second, service, validator, later, threads, heartbeat_ms, scrub_seconds"
            )),
        }
    }

    fn finish(self, file: &Path) -> Result<Config, ConfigError> {
        let missing = |key| ConfigError::Missing {
            file: file.into(),
            key,
        };
        let tls = match (self.tls_certificate, self.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls { certificate, key }),
            (None, None) => None,
            (None, Some(_)) => return Err(missing("tls_certificate")),
            (Some(_), None) => return Err(missing("tls_key")),
        };
        if let Some(api) = self.api.filter(|api| !api.ip().is_loopback())
            && tls.is_none()
        {
            return Err(ConfigError::Plain(api));
        }
        let organization = self.organization.ok_or_else(|| missing("organization"))?;
        let vault = match self.vault_bucket {
            Some(bucket) => Some(S3 {
                bucket,
                folder: self
                    .vault_folder
                    .unwrap_or_else(|| organization.to_string()),
                endpoint: self.vault_endpoint,
                region: self.vault_region,
            }),
            None if self.vault_folder.is_some()
                || self.vault_endpoint.is_some()
                || self.vault_region.is_some() =>
            {
                return Err(missing("vault_bucket"));
            }
            None => None,
        };
        Ok(Config {
            network: self.network.ok_or_else(|| missing("network"))?,
            organization,
            genesis: self.genesis.ok_or_else(|| missing("genesis"))?,
            keys: self.keys.ok_or_else(|| missing("keys"))?,
            directory: self.directory.ok_or_else(|| missing("directory"))?,
            listen: self.listen.ok_or_else(|| missing("listen"))?,
            api: self.api,
            tls,
            tls_root: self.tls_root,
            vault,
            requests_per_second: self.requests_per_second,
            services: self.services,
            validators: self.validators,
            later: self.later,
            threads: self.threads.unwrap_or(2),
            heartbeat_ms: self.heartbeat_ms,
            scrub_seconds: self.scrub_seconds,
        })
    }
}

fn set<T>(place: &mut Option<T>, key: &str, value: Result<T, String>) -> Result<(), String> {
    if place.is_some() {
        return Err(format!("`{key}` is said twice; keep one line"));
    }
    *place = Some(value?);
    Ok(())
}

/// A value that is there.
fn word(key: &str, value: &str) -> Result<String, String> {
    if value.is_empty() {
        return Err(format!("`{key}` says nothing"));
    }
    Ok(value.into())
}

/// A name, and what follows it.
fn pair<'a>(key: &str, value: &'a str, right: &str) -> Result<(&'a str, &'a str), String> {
    let pair = value.split_once(char::is_whitespace);
    let (name, rest) = pair.ok_or(format!("`{key}` takes {right}"))?;
    Ok((name, rest.trim()))
}

fn parse<T: std::str::FromStr>(key: &str, value: &str, right: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("`{key}` takes {right}"))
}

fn within<T: Copy + PartialOrd + std::fmt::Display>(
    key: &str,
    value: T,
    min: T,
    max: T,
) -> Result<T, String> {
    if value < min || value > max {
        return Err(format!("`{key}` is {value}; {min} to {max} are possible"));
    }
    Ok(value)
}

/// A whole file, which may hold secrets.
pub(super) fn read(file: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    use std::io::Read as _;
    let failed = |source| ConfigError::File {
        file: file.into(),
        source,
    };
    let opened = std::fs::File::open(file).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::new());
    opened
        .take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > max {
        let why = format!("longer than {max} bytes");
        return Err(failed(io::Error::other(why)));
    }
    Ok(bytes)
}

/// The name of the file of keys beside a configuration.
pub(super) const KEYS_FILE: &str = KEYS;
