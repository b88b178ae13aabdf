//! `chartseal deal`.

use std::num::NonZeroU64;

use chartseal_envelope::{DealVerdict, Dealing, audit_deal, file};

use super::args::Deal;
use super::input::identities;
use super::output::write;
use crate::exit::Exit;
use crate::failure::Failure;

pub fn run(args: &Deal) -> Result<Exit, Failure> {
    let custodians = identities(&args.custodians.keys)?;
    let content = args.opening.open()?;
    let info = content.info();
    let dealer = match NonZeroU64::new(args.epoch) {
        None => {
            let initial = Dealing::initial(info.header());
            if audit_deal(info, &initial) == DealVerdict::DealerCheated {
                let why = "its author dealt something else than the record's key";
                return Err(Failure::Unmet(why.into()));
            }
            info.dealer()
        }
        Some(epoch) => {
            if args.dealing.is_none() {
                return Err(Failure::new(
                    "where does the new deal's public part go? (--dealing)",
                ));
            }
            info.redeal(epoch, args.custodians.set(&custodians)?)
        }
    };
    args.custodians.deal(&dealer, &custodians)?;
    if let Some(path) = &args.dealing {
        write(path, &file::to_bytes(dealer.dealing()))?;
    }
    Ok(Exit::Done)
}
