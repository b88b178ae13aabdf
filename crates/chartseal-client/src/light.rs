use chartseal_api::{TransactionProof, ValueProof};
use chartseal_audit::{Options, ProvedHeader, TrustPolicy, Verdict, verify_header};
use chartseal_ledger::SignedTransaction;
use chartseal_merkle::{MapKey, ProofError, verify_inclusion};
use chartseal_wire::{BlockHeader, TxId};
use thiserror::Error;

use crate::remote::{ClientError, Remote};

/// Asks single things, each with its proof, without following the chain: what an app on a phone does. It holds a trust
/// policy and how new the newest header was that it saw, no more.
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
#[derive(Debug)]
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
    /// The header is not one that the policy's quorum vouches for, or too old.
    #[error("the newest header is not proved: {0}")]
    Header(String),
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
        let ValueProof { head, value, proof } = node.value_proof(key)?;
        let value = value.map(|value| value.0);
        self.header(&head)?.value(key, value.as_deref(), &proof)?;
        Ok(value)
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
        let Some(found) = node.transaction_proof(id)? else {
            return Ok(None);
        };
        let TransactionProof {
            head,
            header,
            in_log,
            transaction,
            index,
            transactions,
            in_block,
        } = found;
        if transaction.id() != *id {
            return Err(LightError::Another);
        }
        let newest = self.header(&head)?;
        if newest.header != header {
            newest.earlier(&header, &in_log)?;
        }
        let leaf = transaction.leaf();
        verify_inclusion(leaf, index, transactions, &in_block, header.tx_root)?;
        Ok(Some(FinalTransaction {
            header,
            index,
            transaction,
        }))
    }

    fn header(&mut self, file: &str) -> Result<ProvedHeader, LightError> {
        let proved = match verify_header(file, &self.policy, &self.options) {
            Verdict::Proved(proved) => proved,
            other => return Err(LightError::Header(other.to_string())),
        };
        let (found, seen) = (proved.header.height, self.height);
        if found < seen {
            return Err(LightError::Older { found, seen });
        }
        self.height = found;
        Ok(*proved)
    }
}
