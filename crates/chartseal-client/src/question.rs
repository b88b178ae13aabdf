use chartseal_codec::{Decode, from_bytes};
use chartseal_wire::OrgId;
use reqwest::{Method, StatusCode};

use crate::error::ClientError;

/// What is asked of a node, and how its answer is read: the same for the async and the blocking face.
pub(crate) struct Question<T> {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    /// Of which part of the answer it is, as HTTP's `Range` says it.
    pub(crate) range: Option<String>,
    pub(crate) read: Box<Read<T>>,
}

/// Reads what this organization's node answered, or makes something of its refusal.
type Read<T> = dyn FnOnce(OrgId, Result<Vec<u8>, ClientError>) -> Result<T, ClientError> + Send;

impl Question<Vec<u8>> {
    fn new(method: Method, path: impl Into<String>, body: Vec<u8>) -> Self {
        Self {
            method,
            path: path.into(),
            body,
            range: None,
            read: Box::new(|_, told| told),
        }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Vec::new())
    }

    pub(crate) fn post(path: impl Into<String>, body: Vec<u8>) -> Self {
        Self::new(Method::POST, path, body)
    }

    pub(crate) fn put(path: impl Into<String>, body: Vec<u8>) -> Self {
        Self::new(Method::PUT, path, body)
    }

    /// Asks for a part only.
    pub(crate) fn ranged(mut self, range: String) -> Self {
        self.range = Some(range);
        self
    }

    /// The answer is nothing but that it went well.
    pub(crate) fn done(self) -> Question<()> {
        self.reading(|_, told| told.map(drop))
    }

    /// The answer is text.
    pub(crate) fn text(self) -> Question<String> {
        self.reading(|org, told| String::from_utf8(told?).map_err(|_| ClientError::NoText { org }))
    }

    /// The answer is canonical CBOR.
    pub(crate) fn decoded<T: Decode + 'static>(self) -> Question<T> {
        self.reading(|org, told| decode(org, &told?))
    }

    /// The answer is canonical CBOR of which this is believed, or "not found".
    pub(crate) fn found<T: Decode + 'static>(
        self,
        is_it: impl FnOnce(&T) -> bool + Send + 'static,
    ) -> Question<Option<T>> {
        self.reading(|org, told| match told {
            Ok(bytes) => Ok(Some(decode(org, &bytes)?).filter(is_it)),
            Err(ClientError::Refused { problem, .. })
                if problem.status == StatusCode::NOT_FOUND.as_u16() =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        })
    }
}

impl<T: 'static> Question<T> {
    /// Only this of the answer counts.
    pub(crate) fn map<U>(self, part: impl FnOnce(T) -> U + Send + 'static) -> Question<U> {
        self.reading(|_, told| told.map(part))
    }

    fn reading<U>(
        self,
        read: impl FnOnce(OrgId, Result<T, ClientError>) -> Result<U, ClientError> + Send + 'static,
    ) -> Question<U> {
        let before = self.read;
        Question {
            method: self.method,
            path: self.path,
            body: self.body,
            range: self.range,
            read: Box::new(move |org, told| read(org, before(org, told))),
        }
    }
}

fn decode<T: Decode>(org: OrgId, bytes: &[u8]) -> Result<T, ClientError> {
    from_bytes(bytes).map_err(|why| ClientError::Malformed { org, why })
}
