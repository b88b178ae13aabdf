use std::collections::BTreeMap;
use std::time::Duration;

use chartseal_api::{StateAsk, StateProof, TransactionProof, ValueProof};
use chartseal_audit::{Doubt, Options, ProvedHeader, TrustPolicy, Verdict, verify_header};
use chartseal_ledger::SignedTransaction;
use chartseal_merkle::{MapKey, ProofError, verify_inclusion};
use chartseal_wire::{BlockHeader, TxId};
use thiserror::Error;

use crate::error::ClientError;
use crate::partial::ProvedValues;
use crate::remote::Remote;

/// Asks single things, each with its proof, without following the chain: what an app on a phone does. It holds a trust
/// policy and how new the newest header was that it saw, no more. [`Nodes`](crate::Nodes) asks several nodes so.
///
/// ```no_run
/// use chartseal_audit::TrustPolicy;
/// use chartseal_client::{Asking, Light, Remote};
/// use chartseal_wire::history::state_key;
///
/// # fn example(org: chartseal_wire::OrgId, policy: &str, id: [u8; 16]) -> Result<(), Box<dyn std::error::Error>> {
/// let node = Remote::new(org, "https://node.example:9100", &Asking::default())?;
/// let mut light = Light::new(TrustPolicy::parse(policy)?);
/// // The state's keys and values are those of docs/ledger.md.
/// match light.value(&node, &state_key("record", &id))? {
///     Some(record) => println!("{} bytes, as a quorum certified", record.len()),
///     None => println!("no such record, as a quorum certified"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Light {
    policy: TrustPolicy,
    options: Options,
    height: u64,
}

/// A transaction that is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalTransaction {
    /// The header of its block.
    pub header: BlockHeader,
    /// Where in the block it stands.
    pub index: u64,
    /// The transaction.
    pub transaction: SignedTransaction,
}

/// Why an answer is not believed, or there is none.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LightError {
    /// The node gives none.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The header is not one that the policy's quorum vouches for.
    #[error("the newest header is not proved: {0}")]
    Header(String),
    /// The header is too old, or of a chain or committee that the policy does not know.
    #[error("the newest header can't be judged: {0}")]
    Doubt(Doubt),
    /// The header is older than one that was seen: another node may be further.
    #[error("the node is at block {found}, and block {seen} was seen already")]
    Older {
        /// The node's.
        found: u64,
        /// The newest that was seen.
        seen: u64,
    },
    /// The proof does not show what the answer says.
    #[error("the answer is not what its proof shows: {0}")]
    Proof(#[from] ProofError),
    /// The answer is about something else.
    #[error("the answer is about another transaction")]
    Another,
    /// Not so many values as keys that were asked for.
    #[error("the answer has {found} values for {asked} keys")]
    Count {
        /// How many keys.
        asked: usize,
        /// How many values.
        found: usize,
    },
}

/// What an answer that is not believed says of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeFault {
    /// It gave no answer, or refused to.
    Silent,
    /// It is honest, for all that one can tell, and has not got the newest blocks.
    Behind,
    /// It answers by a chain or a committee that the policy does not know: the policy may be the one that is old.
    Unknown,
    /// It answers what no honest node does.
    Lying,
}

impl LightError {
    /// What that says of the node.
    pub fn fault(&self) -> NodeFault {
        match self {
            Self::Client(ClientError::Unreachable { .. } | ClientError::Refused { .. }) => {
                NodeFault::Silent
            }
            Self::Older { .. } | Self::Doubt(Doubt::Stale { .. }) => NodeFault::Behind,
            Self::Doubt(_) => NodeFault::Unknown,
            Self::Client(_)
            | Self::Header(_)
            | Self::Proof(_)
            | Self::Another
            | Self::Count { .. } => NodeFault::Lying,
        }
    }
}

impl Light {
    /// Believes headers for which this policy's quorum vouches.
    pub fn new(policy: TrustPolicy) -> Self {
        Self::with(policy, Options::default())
    }

    /// The same, with how fresh a header has to be.
    pub fn with(policy: TrustPolicy, options: Options) -> Self {
        Self {
            policy,
            options,
            height: 0,
        }
    }

    /// The height of the newest header that was seen: an older one is not believed any more.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Remembers what an earlier run saw.
    pub fn seen(&mut self, height: u64) {
        self.height = self.height.max(height);
    }

    /// What the state has under a key, after the newest block that the node has; `None`: nothing.
    ///
    /// # Errors
    /// [`LightError`]; then it is not known.
    pub fn value(&mut self, node: &Remote, key: &MapKey) -> Result<Option<Vec<u8>>, LightError> {
        self.judge_value(key, node.value_proof(key)?)
    }

    /// The same for an answer that somebody fetched, now or long ago: what an app has kept (`ValueProof` is canonical CBOR)
    /// proves the value as of its header without any node.
    ///
    /// # Errors
    /// [`LightError`]; then it is not known.
    pub fn judge_value(
        &mut self,
        key: &MapKey,
        answer: ValueProof,
    ) -> Result<Option<Vec<u8>>, LightError> {
        let ValueProof { head, value, proof } = answer;
        let value = value.map(|value| value.0);
        let newest = self.header(&head)?;
        newest.value(key, value.as_deref(), &proof)?;
        self.advance(&newest)?;
        Ok(value)
    }

    /// What the state has under some keys, at most [`MAX_KEYS`](chartseal_api::MAX_KEYS), after one and the same block: the
    /// newest that the node has.
    ///
    /// # Errors
    /// [`LightError`]; then nothing is known.
    pub fn values(&mut self, node: &Remote, keys: &[MapKey]) -> Result<ProvedValues, LightError> {
        let ask = StateAsk {
            keys: keys.to_vec(),
        };
        let answer = node.state_proof(&ask, 0, Duration::ZERO)?;
        self.judge_values(keys, answer)
    }

    /// The same for an answer that somebody fetched.
    ///
    /// # Errors
    /// [`LightError`]; then nothing is known.
    pub fn judge_values(
        &mut self,
        keys: &[MapKey],
        answer: StateProof,
    ) -> Result<ProvedValues, LightError> {
        let StateProof { head, values } = answer;
        let (asked, found) = (keys.len(), values.len());
        if asked != found {
            return Err(LightError::Count { asked, found });
        }
        let newest = self.header(&head)?;
        let mut proved = ProvedValues {
            header: newest.header.clone(),
            values: BTreeMap::new(),
        };
        for (key, found) in keys.iter().zip(values) {
            let value = found.value.map(|value| value.0);
            newest.value(key, value.as_deref(), &found.proof)?;
            proved.values.insert(*key, value);
        }
        self.advance(&newest)?;
        Ok(proved)
    }

    /// A transaction, if it is final; `None`: the node does not say that it is, which nothing proves.
    ///
    /// # Errors
    /// [`LightError`].
    pub fn transaction(
        &mut self,
        node: &Remote,
        id: &TxId,
    ) -> Result<Option<FinalTransaction>, LightError> {
        let found = node.transaction_proof(id)?;
        found
            .map(|found| self.judge_transaction(id, found))
            .transpose()
    }

    /// The same for an answer that somebody fetched.
    ///
    /// # Errors
    /// [`LightError`].
    pub fn judge_transaction(
        &mut self,
        id: &TxId,
        answer: TransactionProof,
    ) -> Result<FinalTransaction, LightError> {
        let TransactionProof {
            head,
            header,
            in_log,
            transaction,
            index,
            transactions,
            in_block,
        } = answer;
        if transaction.id() != *id {
            return Err(LightError::Another);
        }
        let newest = self.header(&head)?;
        if newest.header != header {
            newest.earlier(&header, &in_log)?;
        }
        let leaf = transaction.leaf();
        verify_inclusion(leaf, index, transactions, &in_block, header.tx_root)?;
        self.advance(&newest)?;
        Ok(FinalTransaction {
            header,
            index,
            transaction,
        })
    }

    fn header(&self, file: &str) -> Result<ProvedHeader, LightError> {
        match verify_header(file, &self.policy, &self.options) {
            Verdict::Proved(proved) => Ok(*proved),
            Verdict::CannotTell(doubt) => Err(LightError::Doubt(doubt)),
            refuted @ Verdict::Refuted(_) => Err(LightError::Header(refuted.to_string())),
        }
    }

    /// Goes on to the header of an answer that holds: one that does not is a lie, however old.
    fn advance(&mut self, newest: &ProvedHeader) -> Result<(), LightError> {
        let (found, seen) = (newest.header.height, self.height);
        if found < seen {
            return Err(LightError::Older { found, seen });
        }
        self.height = found;
        Ok(())
    }
}
