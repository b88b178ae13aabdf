//! `chartseal key`, `seal`, `open`, `deal`, `release`, `combine`, `inspect`: the envelope on files and pipes.
//!
//! | module | what |
//! |---|---|
//! | `args` | what may be typed |
//! | `key` | keys and passwords |
//! | `seal`, `open`, `deal` | what authors and those who have the record's key do |
//! | `share` | what custodians release, and what a reader makes of it |
//! | `inspect` | every field of an object |
//! | `input`, `output`, `meter` | objects from files; files that are whole or not there; progress |

pub mod args;
mod deal;
mod input;
mod inspect;
mod key;
mod meter;
mod open;
pub mod output;
mod seal;
mod share;

pub use deal::run as deal;
pub use inspect::run as inspect;
pub use key::run as key;
pub use open::run as open;
pub use seal::run as seal;
pub use share::{combine, release};
