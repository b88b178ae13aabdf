use std::time::{Duration, Instant};

use chartseal_api::{HistoryAsk, MAX_BODY, Problem, Signed};
use chartseal_codec::to_bytes;
use chartseal_wire::OrgId;
use reqwest::redirect::Policy;
use reqwest::tls::Version;
use reqwest::{Client, Method, RequestBuilder, Response};

use crate::asking::Asking;
use crate::entries::AsyncEntries;
use crate::error::{ClientError, unreachable};
use crate::question::Question;

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
const MAX_PROBLEM: usize = 16 * 1024;

/// One node's service, for an app that runs on tokio. A future that is dropped before its end may have been heard; whatever
/// is asked may be asked again.
///
/// ```no_run
/// use chartseal_client::{AsyncRemote, Asking};
///
/// # async fn example(org: chartseal_wire::OrgId) -> Result<(), chartseal_client::ClientError> {
/// let node = AsyncRemote::new(org, "https://node.example:9100", &Asking::default())?;
/// let (version, time) = tokio::try_join!(node.version(), node.time())?;
/// println!("chartseal {version}, {} ms since 1970", time.0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AsyncRemote {
    org: OrgId,
    base: String,
    http: Client,
    /// How long an answer may take.
    patience: Duration,
}

impl AsyncRemote {
    /// The service of an organization's node at this address, such as `https://node.example:9100`. Over `https` it is
    /// TLS 1.3 and a certificate for which [`Asking::roots`] vouch; `http` is for a node on this machine.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if the system can't make connections at all.
    pub fn new(org: OrgId, base: &str, asking: &Asking) -> Result<Self, ClientError> {
        let patience = asking.patience;
        let mut http = Client::builder()
            .connect_timeout(CONNECT.min(patience))
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

    /// The same node over the same connections, of which each answer may take so long.
    #[must_use]
    pub fn patiently(&self, patience: Duration) -> Self {
        Self {
            patience,
            ..self.clone()
        }
    }

    /// Whose node it is.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// A history's entries from one on, and each that comes, until the connection ends: within a moment of being final.
    /// What an entry says is proved by an export, as ever.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn watch(&self, ask: &Signed<HistoryAsk>) -> Result<AsyncEntries, ClientError> {
        let request = self.request(Method::POST, "histories/events");
        // A stream has no end to wait for.
        let request = request.timeout(FOREVER).body(to_bytes(ask));
        Ok(AsyncEntries::of(self.org, self.answered(request).await?))
    }

    pub(crate) async fn ask<T>(&self, question: Question<T>) -> Result<T, ClientError> {
        let mut request = self.request(question.method, &question.path);
        if let Some(range) = question.range {
            request = request.header("range", range);
        }
        let told = match self.answered(request.body(question.body)).await {
            Ok(answer) => self.bytes(answer).await,
            Err(error) => Err(error),
        };
        (question.read)(self.org, told)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/v1/{path}", self.base))
            .header("content-type", "application/cbor")
            .timeout(self.patience)
    }

    async fn answered(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let begun = Instant::now();
        loop {
            // Every body is in memory, so a request can be sent again.
            let Some(this) = request.try_clone() else {
                return self.judged(request.send().await).await;
            };
            let judged = self.judged(this.send().await).await;
            let busy = judged.as_ref().is_err_and(ClientError::is_busy);
            if !busy || begun.elapsed() + BUSY > self.patience {
                return judged;
            }
            // Whatever is asked may be asked twice: it is only too much at the moment.
            tokio::time::sleep(BUSY).await;
        }
    }

    async fn judged(&self, sent: reqwest::Result<Response>) -> Result<Response, ClientError> {
        let org = self.org;
        let mut answer = sent.map_err(|why| unreachable(org, &why))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let mut bytes = Vec::new();
        while let Ok(Some(some)) = answer.chunk().await
            && bytes.len() < MAX_PROBLEM
        {
            bytes.extend_from_slice(&some);
        }
        let problem = serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            let title = status.canonical_reason().unwrap_or("Error");
            Problem::new(status.as_u16(), title, "", title)
        });
        Err(ClientError::Refused { org, problem })
    }

    async fn bytes(&self, mut answer: Response) -> Result<Vec<u8>, ClientError> {
        let org = self.org;
        let mut bytes = Vec::new();
        while let Some(some) = answer.chunk().await.map_err(|why| unreachable(org, &why))? {
            bytes.extend_from_slice(&some);
            if bytes.len() > MAX_BODY {
                return Err(ClientError::TooLong { org });
            }
        }
        Ok(bytes)
    }
}
