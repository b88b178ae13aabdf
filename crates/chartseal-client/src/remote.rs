use std::io::Read as _;
use std::ops::Range;
use std::time::{Duration, Instant};

use chartseal_api::{
    BlobAsk, Blocks, Deposit, Deposited, Envelope, EventError, ExportAsk, History, HistoryAsk,
    KemKey, MAX_BODY, Outline, Problem, Redeal, ReleaseAsk, Releases, Signed, Submission,
    TransactionProof, TxOutcome, Uploaded, ValueProof,
};
use chartseal_codec::{Decode, DecodeError, from_bytes, to_bytes};
use chartseal_envelope::{Deal, KemPublicKey, Release};
use chartseal_merkle::MapKey;
use chartseal_wire::{Hash, HeaderDigest, OrgId, RecordId, RequestId, SealedText, Time, TxId};
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::redirect::Policy;
use reqwest::tls::Version;
use reqwest::{Method, StatusCode};
use thiserror::Error;

use crate::asking::Asking;
use crate::entries::Entries;

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection without a question is kept: not as long as a node keeps it (20 s), so that none is asked on one
/// that it closes.
const IDLE: Duration = Duration::from_secs(10);
/// For what does not end by itself.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3_600);
/// How long to wait before a node that had too many requests is asked again.
const BUSY: Duration = Duration::from_millis(250);
/// The most bytes of a problem.
const MAX_PROBLEM: u64 = 16 * 1024;

/// One node's service.
#[derive(Clone, Debug)]
pub struct Remote {
    org: OrgId,
    base: String,
    http: Client,
    /// How long an answer may take.
    patience: Duration,
}

/// Why a node gave no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers there, or not in time.
    #[error("organization {org}: {why}")]
    Unreachable {
        /// Whose node.
        org: OrgId,
        /// What the connection says.
        why: String,
    },
    /// The node refuses.
    #[error("organization {org}: {problem}")]
    Refused {
        /// Whose node.
        org: OrgId,
        /// Why.
        problem: Problem,
    },
    /// What came is not in its format.
    #[error("organization {org} answers what is not in its format: {why}")]
    Malformed {
        /// Whose node.
        org: OrgId,
        /// What the decoder says.
        why: DecodeError,
    },
    /// What came is no stream of entries.
    #[error("organization {org} tells of entries in another format: {why}")]
    Events {
        /// Whose node.
        org: OrgId,
        /// What the reader says.
        why: EventError,
    },
    /// What came is no text.
    #[error("organization {org} answers what is no text")]
    NoText {
        /// Whose node.
        org: OrgId,
    },
    /// The answer is too long.
    #[error("organization {org} answers more than {MAX_BODY} bytes")]
    TooLong {
        /// Whose node.
        org: OrgId,
    },
}

impl ClientError {
    /// Whose node it is.
    pub fn org(&self) -> OrgId {
        match self {
            Self::Unreachable { org, .. }
            | Self::Refused { org, .. }
            | Self::Malformed { org, .. }
            | Self::Events { org, .. }
            | Self::NoText { org }
            | Self::TooLong { org } => *org,
        }
    }

    /// Whether it is only too early to ask: the node has too many requests, of all or of this client, or its receipt is not
    /// final yet.
    fn is_busy(&self) -> bool {
        let codes = ["CS-API-05", "CS-API-07", "CS-API-22"];
        matches!(self, Self::Refused { problem, .. } if codes.contains(&problem.code.as_str()))
    }
}

impl Remote {
    /// The service of an organization's node at this address, such as `https://node.example:9100`. Over `https` it is
    /// TLS 1.3 and a certificate for which [`Asking::roots`] vouch; `http` is for a node on this machine.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if the system can't make connections at all.
    pub fn new(org: OrgId, base: &str, asking: &Asking) -> Result<Self, ClientError> {
        let patience = asking.patience;
        let mut http = Client::builder()
            .connect_timeout(CONNECT.min(patience))
            .timeout(patience)
            .pool_idle_timeout(IDLE)
            .redirect(Policy::none())
            .tls_version_min(Version::TLS_1_3)
            .no_proxy();
        if let Some(roots) = &asking.roots {
            http = http.tls_certs_only(roots.0.iter().cloned());
        }
        let http = http.build();
        let http = http.map_err(|why| unreachable(org, &why))?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self {
            org,
            base,
            http,
            patience,
        })
    }

    /// Whose node it is.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// The time, as the node's clock shows it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn time(&self) -> Result<Time, ClientError> {
        self.decoded(self.request(Method::GET, "time"))
    }

    /// Final blocks from a height on, as many as the node gives at a time. If there is none yet it waits so long.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn blocks(&self, from: u64, wait: Duration) -> Result<Blocks, ClientError> {
        let path = format!("blocks?from={from}&wait_ms={}", wait.as_millis());
        self.decoded(self.request(Method::GET, &path))
    }

    /// Hands a transaction in, with its texts. One that is there already is no error.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn submit(&self, submission: &Submission) -> Result<(), ClientError> {
        self.post("transactions", to_bytes(submission)).map(drop)
    }

    /// What became of a transaction, as the node says.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn outcome(&self, id: &TxId) -> Result<TxOutcome, ClientError> {
        self.decoded(self.request(Method::GET, &format!("transactions/{id}")))
    }

    /// What the state has under a key, with its proof; [`Light`](crate::Light) checks it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn value_proof(&self, key: &MapKey) -> Result<ValueProof, ClientError> {
        self.decoded(self.request(Method::GET, &format!("state/{key}")))
    }

    /// A final transaction with its proof; `None` if the node has none of this id.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn transaction_proof(&self, id: &TxId) -> Result<Option<TransactionProof>, ClientError> {
        self.found(&format!("transactions/{id}/proof"))
    }

    /// The newest block's header as the network certified it: an export file without histories, for
    /// [`chartseal_audit::verify_header`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn head(&self) -> Result<String, ClientError> {
        let answer = self.answered(self.request(Method::GET, "head"))?;
        self.text_of(self.bytes(answer)?)
    }

    /// Gives the node somebody's KEM public key, which the chain has as theirs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn put_kem_key(&self, key: &KemKey) -> Result<(), ClientError> {
        let request = self.request(Method::PUT, "kem-keys").body(to_bytes(key));
        self.answered(request).map(drop)
    }

    /// The KEM public key of this id; `None` if the node has none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn kem_key(&self, id: &[u8; 32]) -> Result<Option<KemPublicKey>, ClientError> {
        let found = self.found(&format!("kem-keys/{}", Hash(*id)))?;
        // Whoever answers, the id names one key.
        Ok(found.filter(|key: &KemPublicKey| key.key_id().0 == *id))
    }

    /// A sealed text by its transaction and commitment; `None` if the node has none that opens it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn text(&self, tx: &TxId, commitment: &Hash) -> Result<Option<SealedText>, ClientError> {
        let found = self.found(&format!("texts/{tx}/{commitment}"))?;
        Ok(found.filter(|text: &SealedText| text.commitment() == *commitment))
    }

    /// Gives the custodian sealed records with its shares of their keys.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn deposit(&self, envelopes: &[Envelope], deal: &Deal) -> Result<Deposited, ClientError> {
        let answer = self.post("deposits", Deposit::bytes(envelopes, deal))?;
        self.decode(&answer)
    }

    /// Gives the custodian its shares of keys that were dealt anew.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn redeal(&self, redeal: &Redeal) -> Result<Deposited, ClientError> {
        let answer = self.post("redeals", to_bytes(redeal))?;
        self.decode(&answer)
    }

    /// Asks for this custodian's shares for a request: a release for each index that it has.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn release(&self, ask: &ReleaseAsk) -> Result<Vec<Release>, ClientError> {
        let answer = self.post("releases", to_bytes(ask))?;
        Ok(self.decode::<Releases>(&answer)?.releases)
    }

    /// The sealed record of a request that was permitted.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn envelope(
        &self,
        request: &RequestId,
        record: &RecordId,
    ) -> Result<Envelope, ClientError> {
        let path = format!("envelopes/{request}/{record}");
        self.decoded(self.request(Method::GET, &path))
    }

    /// The sealed record of a request that was permitted, but for its body, and what verifies the body in parts.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn outline(&self, request: &RequestId, record: &RecordId) -> Result<Outline, ClientError> {
        let path = format!("envelopes/{request}/{record}/outline");
        self.decoded(self.request(Method::GET, &path))
    }

    /// A part of that body, of at most [`MAX_PART`](chartseal_api::MAX_PART) bytes. Nothing says that it is the one that was
    /// asked for but the outline.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn body_part(
        &self,
        request: &RequestId,
        record: &RecordId,
        part: Range<u64>,
    ) -> Result<Vec<u8>, ClientError> {
        let path = format!("envelopes/{request}/{record}/body");
        let last = part.end.saturating_sub(1);
        let range = format!("bytes={}-{last}", part.start);
        let request = self.request(Method::GET, &path).header("range", range);
        self.bytes(self.answered(request)?)
    }

    /// Begins to give the custodian a sealed record's body, or goes on where it was cut short.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn begin_upload(&self, outline: &Outline) -> Result<Uploaded, ClientError> {
        let answer = self.post("uploads", to_bytes(outline))?;
        self.decode(&answer)
    }

    /// Gives the custodian some groups of a body, the next ones: at most [`MAX_PART`](chartseal_api::MAX_PART) bytes.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn upload(
        &self,
        header: &HeaderDigest,
        group: u64,
        bytes: Vec<u8>,
    ) -> Result<Uploaded, ClientError> {
        let path = format!("uploads/{header}/{group}");
        self.decoded(self.request(Method::PUT, &path).body(bytes))
    }

    /// Gives the custodian its shares of the keys of records whose bodies are there, or at another node.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn deposit_uploaded(&self, dealt: &Redeal) -> Result<Deposited, ClientError> {
        let answer = self.post("deposits/uploaded", to_bytes(dealt))?;
        self.decode(&answer)
    }

    /// Some of a ciphertext, for another organization's vault: at most [`MAX_PART`](chartseal_api::MAX_PART) bytes, and fewer
    /// only at its end. It is the one that was asked for if its BLAKE3 is the id.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn blob(&self, ask: &Signed<BlobAsk>) -> Result<Vec<u8>, ClientError> {
        self.post("blobs", to_bytes(ask))
    }

    /// A history's entries, at most so many as the node gives at a time.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn history(&self, ask: &Signed<HistoryAsk>) -> Result<History, ClientError> {
        let answer = self.post("histories", to_bytes(ask))?;
        self.decode(&answer)
    }

    /// A history's entries from one on, and each that comes, until the connection ends: within a moment of being final.
    /// What an entry says is proved by an export, as ever.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn watch(&self, ask: &Signed<HistoryAsk>) -> Result<Entries, ClientError> {
        let request = self.request(Method::POST, "histories/events");
        // A stream has no end to wait for.
        let request = request.timeout(FOREVER).body(to_bytes(ask));
        Ok(Entries::of(self.org, self.answered(request)?))
    }

    /// The version of the node's program, such as `0.1.0`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn version(&self) -> Result<String, ClientError> {
        let answer = self.answered(self.request(Method::GET, "version"))?;
        self.text_of(self.bytes(answer)?)
    }

    /// The verifier key under which the node issues checkpoints.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn log_key(&self) -> Result<String, ClientError> {
        let answer = self.answered(self.request(Method::GET, "log-key"))?;
        self.text_of(self.bytes(answer)?)
    }

    /// The newest block's checkpoint, signed by the node's log: a signed note.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn checkpoint(&self) -> Result<String, ClientError> {
        let answer = self.answered(self.request(Method::GET, "checkpoint"))?;
        self.text_of(self.bytes(answer)?)
    }

    /// The validator's cosignature line under a checkpoint of its own chain.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn cosign(&self, checkpoint: &str) -> Result<String, ClientError> {
        let answer = self.post("cosignatures", checkpoint.into())?;
        self.text_of(answer)
    }

    /// An export of histories, to be verified like any.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn export(&self, ask: &Signed<ExportAsk>) -> Result<String, ClientError> {
        let answer = self.post("exports", to_bytes(ask))?;
        self.text_of(answer)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/v1/{path}", self.base))
    }

    fn post(&self, path: &str, body: Vec<u8>) -> Result<Vec<u8>, ClientError> {
        let answer = self.answered(self.request(Method::POST, path).body(body))?;
        self.bytes(answer)
    }

    fn decoded<T: Decode>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let answer = self.answered(request)?;
        self.decode(&self.bytes(answer)?)
    }

    fn found<T: Decode>(&self, path: &str) -> Result<Option<T>, ClientError> {
        match self.decoded(self.request(Method::GET, path)) {
            Ok(found) => Ok(Some(found)),
            Err(ClientError::Refused { problem, .. })
                if problem.status == StatusCode::NOT_FOUND.as_u16() =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn answered(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let request = request.header("content-type", "application/cbor");
        let begun = Instant::now();
        loop {
            // Every body is in memory, so a request can be sent again.
            let Some(this) = request.try_clone() else {
                return self.judged(request.send());
            };
            let judged = self.judged(this.send());
            let busy = judged.as_ref().is_err_and(ClientError::is_busy);
            if !busy || begun.elapsed() + BUSY > self.patience {
                return judged;
            }
            // Whatever is asked may be asked twice: it is only too much at the moment.
            std::thread::sleep(BUSY);
        }
    }

    fn judged(&self, sent: reqwest::Result<Response>) -> Result<Response, ClientError> {
        let answer = sent.map_err(|why| unreachable(self.org, &why))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let mut bytes = Vec::new();
        let _ = answer.take(MAX_PROBLEM).read_to_end(&mut bytes);
        let problem = serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            let title = status.canonical_reason().unwrap_or("Error");
            Problem::new(status.as_u16(), title, "", title)
        });
        let org = self.org;
        Err(ClientError::Refused { org, problem })
    }

    fn bytes(&self, answer: Response) -> Result<Vec<u8>, ClientError> {
        let mut bytes = Vec::new();
        let most = MAX_BODY as u64;
        let read = answer.take(most + 1).read_to_end(&mut bytes);
        read.map_err(|why| unreachable(self.org, &why))?;
        if bytes.len() as u64 > most {
            return Err(ClientError::TooLong { org: self.org });
        }
        Ok(bytes)
    }

    fn text_of(&self, bytes: Vec<u8>) -> Result<String, ClientError> {
        let org = self.org;
        String::from_utf8(bytes).map_err(|_| ClientError::NoText { org })
    }

    fn decode<T: Decode>(&self, bytes: &[u8]) -> Result<T, ClientError> {
        let org = self.org;
        from_bytes(bytes).map_err(|why| ClientError::Malformed { org, why })
    }
}

fn unreachable(org: OrgId, why: &dyn std::fmt::Display) -> ClientError {
    let why = why.to_string();
    ClientError::Unreachable { org, why }
}
