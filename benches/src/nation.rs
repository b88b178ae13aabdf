//! A nation on regional chains, simulated: what each chain would carry, keep and burn, who would notice a fork, and what a patient on many
//! chains verifies.
//!
//! Nothing is measured here. [`plan`] takes what was measured of four nodes (`measured`), public figures of a country and stated
//! assumptions (`country`, and the heads of the other modules), and a seed: the same seed gives the same tables on every machine.
//! `docs/nation.md` has them, with what they mean and what they can't tell; a test compares.

mod chain;
mod country;
mod growth;
mod measured;
mod number;
mod outage;
mod people;
mod table;
mod tables;
mod witness;

use std::fmt;

use country::Size;
pub use table::Table;
use tables::{Effort, Nation};

/// The seed of `docs/nation.md`.
pub const SEED: u64 = 2026;

/// The plan's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    tables: Vec<Table>,
}

/// Simulates the nation: the same for the same seed.
pub fn plan(seed: u64) -> Plan {
    let effort = Effort {
        seconds: 120.0,
        people: 20_000,
        trials: 500,
    };
    Plan {
        tables: Nation::new(Size::germany(), seed).tables(effort),
    }
}

impl Plan {
    /// The document with the plan's tables in their places; `None` if a place is missing, or there is one that is no table's.
    pub fn put_into(&self, document: &str) -> Option<String> {
        let places = document.matches(table::END).count();
        let mut tables = self.tables.iter();
        let document = tables.try_fold(document.to_owned(), |text, table| table.put_into(&text))?;
        (places == self.tables.len()).then_some(document)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, table) in self.tables.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            write!(f, "{table}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn one_seed_gives_one_plan_and_another_one_another() {
        let size = Size {
            people: 2e6,
            visits_each: 6.0,
        };
        let effort = Effort {
            seconds: 5.0,
            people: 500,
            trials: 5,
        };
        let tables = |seed| Nation::new(size, seed).tables(effort);
        assert_eq!(tables(1), tables(1));
        assert_ne!(tables(1), tables(2));
    }

    #[test]
    fn the_document_has_the_plans_tables() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/nation.md");
        let document = fs::read_to_string(path).unwrap();
        let should = plan(SEED).put_into(&document);
        assert!(
            should.is_some_and(|should| should == document),
            "docs/nation.md is not what is simulated: `chartseal-benches nation docs/nation.md` puts the tables there"
        );
    }
}
