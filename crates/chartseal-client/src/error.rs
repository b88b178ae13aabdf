use chartseal_api::{EventError, MAX_BODY, Problem};
use chartseal_codec::DecodeError;
use chartseal_wire::OrgId;
use thiserror::Error;

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

    /// Whether it may go well the next time: nobody answered, or not in time, or the node has too much to do.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { problem, .. } => matches!(problem.status, 408 | 429 | 502..=504),
            _ => false,
        }
    }

    /// Whether it is only too early to ask: the node has too many requests, of all or of this client, or its receipt is not
    /// final yet.
    pub(crate) fn is_busy(&self) -> bool {
        let codes = ["CS-API-05", "CS-API-07", "CS-API-22"];
        matches!(self, Self::Refused { problem, .. } if codes.contains(&problem.code.as_str()))
    }
}

pub(crate) fn unreachable(org: OrgId, why: &dyn std::fmt::Display) -> ClientError {
    let why = why.to_string();
    ClientError::Unreachable { org, why }
}
