//! Taking in shares of keys that were dealt anew, to the present committee.

use std::collections::BTreeMap;

use chartseal_api::EnvelopeFront;
use chartseal_envelope::{Deal, Dealing, HeldShare, ShareFault, accept_all};
use chartseal_ledger::body::RedealAcknowledged;
use chartseal_wire::HeaderDigest;

use super::deposit::by_header;
use super::{Deposited, dealing_of};
use crate::error::{DepositFault, NodeError};
use crate::node::Node;

impl Node {
    /// Takes in this custodian's shares of keys that were dealt anew, and acknowledges those that fit the anchored
    /// deals, unless the chain has that already. The ciphertext need not be here: another organization has it.
    ///
    /// # Errors
    /// [`NodeError`] if the deal as a whole is refused or can't be stored. Nothing is acknowledged
    /// then.
    pub fn redeposit(
        &mut self,
        fronts: &[EnvelopeFront],
        deal: &Deal,
    ) -> Result<Deposited, NodeError> {
        self.check_running()?;
        let numbers = deal.items().map(|item| (item.header, item.deal_epoch));
        let numbers: BTreeMap<_, _> = numbers.collect();
        let (mut expected, mut refused) = (Vec::new(), Vec::new());
        for front in fronts {
            let number = numbers.get(&front.header.digest()).copied();
            match self.anew(front, number) {
                Ok(dealing) => expected.push((front, dealing)),
                Err(why) => refused.push((front.record(), why)),
            }
        }
        let mut acknowledgements = Vec::new();
        let Some((_, first)) = expected.first() else {
            return Ok(Deposited {
                acknowledgements,
                refused,
            });
        };
        let index = self.index_in(first.custodians().epoch)?;
        let dealings: Vec<&Dealing> = expected.iter().map(|(_, dealing)| dealing).collect();
        let accepted = accept_all(&self.keys.kem, index, &dealings, deal);
        let accepted = accepted.map_err(NodeError::Deal)?;
        let shares = by_header(accepted);

        let mut taken: Vec<(&EnvelopeFront, &HeldShare)> = Vec::new();
        for (front, _) in &expected {
            match shares.get(&front.header.digest()) {
                Some(Ok(held)) => taken.push((front, held)),
                share => {
                    let why = share.and_then(|share| share.as_ref().err().copied());
                    let why = why.unwrap_or(ShareFault::Foreign);
                    refused.push((front.record(), DepositFault::Share(why)));
                }
            }
        }
        // Fronts first: they name the bodies, so that an erasure finds each.
        self.put_fronts(taken.iter().map(|(front, _)| *front))?;
        self.put_shares(taken.iter().map(|(_, held)| *held))?;

        for (front, held) in taken {
            let header = HeaderDigest(held.dealing().header().0);
            let deal = held.dealing().epoch();
            let anchored = self.state().deal(&header, deal);
            if anchored.is_some_and(|anchored| !anchored.is_acknowledged_by(index.get().into())) {
                acknowledgements.push(self.transaction(RedealAcknowledged {
                    record: front.record(),
                    header,
                    deal,
                    index: u64::from(index.get()),
                }));
            }
        }
        Ok(Deposited {
            acknowledgements,
            refused,
        })
    }

    /// The anchored deal, later than the first, of a version of which a share came.
    fn anew(&self, front: &EnvelopeFront, number: Option<u64>) -> Result<Dealing, DepositFault> {
        self.check_signed(front)?;
        let number = number.ok_or(DepositFault::Share(ShareFault::Foreign))?;
        let header = HeaderDigest(front.header.digest().0);
        if self.is_replaced(&header, number) {
            return Err(DepositFault::Replaced);
        }
        // The first deal comes with its ciphertext.
        let dealing = dealing_of(self.state(), &front.header, number).filter(|_| number > 0);
        dealing.ok_or(DepositFault::NotAnchored)
    }
}
