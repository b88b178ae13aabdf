use std::fs;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use chartseal_codec::to_bytes;
use chartseal_envelope::{KeySeed, RandomnessError, RecordId as RandomId, SigningKeyPair};
use chartseal_ledger::{Genesis, GenesisError, Params};
use chartseal_wire::{ChainId, OrgId, Time};
use thiserror::Error;
use zeroize::Zeroizing;

use super::authority::{Authority, CertificateError};
use super::config::{Config, KEYS_FILE, Peer, Service, Tls};
use crate::keys::{NodeKeys, public};

/// The files of a network's root, of a service's certificate and of its key.
const ROOT: &str = "tls.root.pem";
const CERTIFICATE: &str = "tls.pem";
const CERTIFICATE_KEY: &str = "tls.key";

/// What a new network on this machine shall be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many organizations run a validator: 3f + 1.
    pub validators: usize,
    /// The first node's port; the others have the next ones.
    pub port: u16,
    /// Whether nodes have a service to clients.
    pub service: Option<ServicePlan>,
    /// How often an idle network makes a block.
    pub heartbeat_ms: Option<u64>,
    /// What holds in it.
    pub params: Params,
}

/// How a new network's nodes serve clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePlan {
    /// The first node's port; the others have the next ones.
    pub port: u16,
    /// Whether the network gets an authority, and each service a certificate of it.
    pub is_encrypted: bool,
}

/// A network that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founded {
    /// Its chain.
    pub chain: ChainId,
    /// The nodes' configuration files.
    pub configs: Vec<PathBuf>,
}

/// Why a network can't be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FoundError {
    /// Not a number of validators that tolerates faults.
    #[error("a network has 4, 7, 10, … or 64 validators (3f + 1), not {0}")]
    Number(usize),
    /// There are not enough ports above the first one.
    #[error("port {0} and those after it are not enough for the validators; choose a lower one")]
    Port(u16),
    /// Something is there already.
    #[error("{} is not empty; name a directory that is, or that does not exist", .0.display())]
    NotEmpty(PathBuf),
    /// A file can't be written.
    #[error("{}: {source}", .file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// No certificates.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The ledger refuses the genesis.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
}

/// Makes a network on this machine. The directory gets `genesis`, `offices/N.key` (the organizations' enrolment keys,
/// which belong on no node) and `node-N` with `node.conf` and `node.keys`; for encrypted services `tls.root.pem`, whose
/// authority can make no other certificate, for its key is not kept, and in each `node-N` `tls.pem` and `tls.key`.
///
/// # Errors
/// [`FoundError`].
pub fn found(directory: &Path, plan: Plan, now: Time) -> Result<Founded, FoundError> {
    let Plan {
        validators,
        port,
        service,
        heartbeat_ms,
        params,
    } = plan;
    if validators % 3 != 1 || !(4..=64).contains(&validators) {
        return Err(FoundError::Number(validators));
    }
    fs::create_dir_all(directory).map_err(failed(directory))?;
    let mut entries = fs::read_dir(directory).map_err(failed(directory))?;
    if entries.next().is_some() {
        return Err(FoundError::NotEmpty(directory.into()));
    }

    let (mut organizations, mut nodes, mut offices) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..validators {
        let (id, office, keys) = (
            OrgId(RandomId::random()?.0),
            SigningKeyPair::generate()?,
            NodeKeys::generate()?,
        );
        organizations.push(keys.organization(id, public(&office)));
        let offset = u16::try_from(number).map_err(|_| FoundError::Port(port))?;
        let port = port.checked_add(offset).ok_or(FoundError::Port(port))?;
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let api = service.map(|it| it.port.checked_add(offset).ok_or(FoundError::Port(it.port)));
        let api = api
            .transpose()?
            .map(|port| SocketAddr::new(address.ip(), port));
        nodes.push((id, keys, address, api));
        offices.push(office);
    }
    let committee: Vec<OrgId> = organizations.iter().map(|org| org.id).collect();
    let salt = *KeySeed::generate()?.expose_bytes();
    let genesis = Genesis::new(now, salt, params, organizations, &committee)?;
    let chain = genesis.chain_id();
    let file = directory.join("genesis");
    fs::write(&file, to_bytes(&genesis)).map_err(failed(&file))?;

    keep_offices(directory, &offices)?;
    let peers: Vec<Peer> = nodes
        .iter()
        .map(|(_, keys, address, _)| Peer {
            key: public(&keys.cosigner),
            address: *address,
        })
        .collect();
    let is_encrypted = service.is_some_and(|it| it.is_encrypted);
    let scheme = if is_encrypted { "https" } else { "http" };
    let services: Vec<Service> = nodes
        .iter()
        .filter_map(|(organization, _, _, api)| {
            Some(Service {
                organization: *organization,
                url: format!("{scheme}://{}", (*api)?),
            })
        })
        .collect();
    let authority = is_encrypted.then(|| Authority::new(&chain)).transpose()?;
    if let Some(authority) = &authority {
        let file = directory.join(ROOT);
        fs::write(&file, authority.certificate()).map_err(failed(&file))?;
    }
    let mut configs = Vec::with_capacity(validators);
    for (number, (organization, keys, listen, api)) in (1..).zip(nodes) {
        let place = directory.join(format!("node-{number}"));
        fs::create_dir(&place).map_err(failed(&place))?;
        let file = place.join(KEYS_FILE);
        write_private(&file, &keys.to_secret_bytes()).map_err(failed(&file))?;
        let certified = authority.as_ref().zip(api);
        let certified = certified.map(|(it, api)| certify(it, &place, &organization, api.ip()));
        let tls = certified.transpose()?;
        let config = Config {
            network: chain,
            organization,
            genesis: "../genesis".into(),
            keys: KEYS_FILE.into(),
            directory: "data".into(),
            listen,
            api,
            tls_root: tls.is_some().then(|| Path::new("..").join(ROOT)),
            tls,
            vault: None,
            requests_per_second: None,
            services: services.clone(),
            validators: peers.clone(),
            later: Vec::new(),
            threads: 2,
            heartbeat_ms,
            scrub_seconds: None,
        };
        let file = place.join("node.conf");
        fs::write(&file, config.text()).map_err(failed(&file))?;
        configs.push(file);
    }
    Ok(Founded { chain, configs })
}

/// Writes the organizations' enrolment keys.
fn keep_offices(directory: &Path, offices: &[SigningKeyPair]) -> Result<(), FoundError> {
    let place = directory.join("offices");
    fs::create_dir(&place).map_err(failed(&place))?;
    for (number, office) in (1..).zip(offices) {
        let file = place.join(format!("{number}.key"));
        let secret = Zeroizing::new(*office.expose_secret_bytes());
        write_private(&file, secret.as_slice()).map_err(failed(&file))?;
    }
    Ok(())
}

/// Writes a service's certificate and its key; gives their names in the node's place.
fn certify(
    authority: &Authority,
    place: &Path,
    organization: &OrgId,
    at: IpAddr,
) -> Result<Tls, FoundError> {
    let made = authority.certify(organization, at)?;
    let [certificate, key] = [CERTIFICATE, CERTIFICATE_KEY].map(|name| place.join(name));
    fs::write(&certificate, made.certificate).map_err(failed(&certificate))?;
    write_private(&key, made.key.as_bytes()).map_err(failed(&key))?;
    Ok(Tls {
        certificate: CERTIFICATE.into(),
        key: CERTIFICATE_KEY.into(),
    })
}

fn failed(file: &Path) -> impl FnOnce(io::Error) -> FoundError {
    let file = file.to_owned();
    move |source| FoundError::File { file, source }
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create_private(path)?.write_all(bytes)
}

/// Makes a file that only its owner may read, where none is yet.
pub(super) fn create_private(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
