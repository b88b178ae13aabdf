use alloc::string::String;

use chartseal_wire::Subject;
use thiserror::Error;

/// What a store keeps, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Table {
    /// Headers by height.
    Headers,
    /// Transactions by height.
    Blocks,
    /// Leaf hashes of pruned transactions, by height.
    Leaves,
    /// Where transactions are, by their ids.
    Transactions,
    /// The state map.
    State,
    /// Histories and their lengths.
    Histories,
    /// A quorum's certificates of blocks, by height, where a store keeps them.
    Certificates,
}

impl core::fmt::Display for Table {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Headers => "headers",
            Self::Blocks => "blocks",
            Self::Leaves => "leaves",
            Self::Transactions => "transactions",
            Self::State => "state",
            Self::Histories => "histories",
            Self::Certificates => "certificates",
        })
    }
}

/// Where a store contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Damage {
    /// `CS-STO-10`: a header below the head is gone.
    #[error("the header of height {height} is missing")]
    MissingHeader {
        /// Its height.
        height: u64,
    },
    /// `CS-STO-11`: a header's bytes are none, or another height's or chain's.
    #[error("the header of height {height} is not that block's header")]
    BadHeader {
        /// Its height.
        height: u64,
    },
    /// `CS-STO-12`: a header names another log than the headers before it make.
    #[error("the headers before height {height} are not those that its log root names")]
    LogRoot {
        /// The height of the header that names the log.
        height: u64,
    },
    /// `CS-STO-13`: the state map is not the one that the head names.
    #[error("the state is not the one that the head's state root names")]
    StateRoot,
    /// `CS-STO-14`: the state has no parameters, though its root is right: another program made it.
    #[error("the state has no parameters in a format of this version")]
    NoParameters,
    /// `CS-STO-15`: a header of a version that this program does not know. The version of the header
    /// is that of the state and the histories too.
    #[error("the header of height {height} has version {found}; this program reads version 1")]
    Version {
        /// Its height.
        height: u64,
        /// The version that it names.
        found: u64,
    },
    /// `CS-STO-16`: a table has more or fewer rows than the others say.
    #[error("there are {found} rows in {table}, expected {expected}")]
    Count {
        /// Which table.
        table: Table,
        /// How many there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// `CS-STO-17`: the transactions of a block are gone.
    #[error("the transactions of height {height} are missing")]
    MissingBlock {
        /// Its height.
        height: u64,
    },
    /// `CS-STO-18`: transactions, or what is kept of pruned ones, are not those that the header names.
    #[error("{table} of height {height} are not those that the header's transaction root names")]
    TxRoot {
        /// [`Table::Blocks`] or [`Table::Leaves`].
        table: Table,
        /// Its height.
        height: u64,
    },
    /// `CS-STO-19`: a transaction is found elsewhere, or not at all, by its id.
    #[error("transaction {index} of height {height} is not where its id says")]
    TxPlace {
        /// The height of the block that has it.
        height: u64,
        /// Its place in the block, from 0.
        index: u32,
    },
    /// `CS-STO-20`: a history's length is not the one that the state names.
    #[error("the history of {subject:?} has {found} entries, expected {expected}")]
    HistoryLength {
        /// Whose history.
        subject: Subject,
        /// The entries that the state names.
        expected: u64,
        /// Those that the store names.
        found: u64,
    },
    /// `CS-STO-21`: a history's entries are not those that the state names.
    #[error("the history of {subject:?} is not the one that the state names{}", At(*index))]
    History {
        /// Whose history.
        subject: Subject,
        /// The first entry that can't be right by itself, if one can't.
        index: Option<u64>,
    },
    /// `CS-STO-22`: a table can't be read.
    #[error("{table} can't be read: {why}")]
    Unreadable {
        /// Which table.
        table: Table,
        /// At which height, for tables by height.
        height: Option<u64>,
        /// What the store said.
        why: String,
    },
    /// `CS-STO-23`: what is kept as a block's certificate is none of that block by its epoch's committee.
    #[error("the certificate of height {height} does not vouch for that block: {why}")]
    Certificate {
        /// The block's height.
        height: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// Says at which entry, if that is known.
struct At(Option<u64>);

impl core::fmt::Display for At {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(index) => write!(f, "; its entry {index} can't be right"),
            None => Ok(()),
        }
    }
}

impl Damage {
    /// The id of the rule that was broken.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::MissingHeader { .. } => "CS-STO-10",
            Self::BadHeader { .. } => "CS-STO-11",
            Self::LogRoot { .. } => "CS-STO-12",
            Self::StateRoot => "CS-STO-13",
            Self::NoParameters => "CS-STO-14",
            Self::Version { .. } => "CS-STO-15",
            Self::Count { .. } => "CS-STO-16",
            Self::MissingBlock { .. } => "CS-STO-17",
            Self::TxRoot { .. } => "CS-STO-18",
            Self::TxPlace { .. } => "CS-STO-19",
            Self::HistoryLength { .. } => "CS-STO-20",
            Self::History { .. } => "CS-STO-21",
            Self::Unreadable { .. } => "CS-STO-22",
            Self::Certificate { .. } => "CS-STO-23",
        }
    }

    /// Which table is damaged.
    pub fn table(&self) -> Table {
        match self {
            Self::MissingHeader { .. }
            | Self::BadHeader { .. }
            | Self::LogRoot { .. }
            | Self::Version { .. } => Table::Headers,
            Self::StateRoot | Self::NoParameters => Table::State,
            Self::MissingBlock { .. } => Table::Blocks,
            Self::TxPlace { .. } => Table::Transactions,
            Self::HistoryLength { .. } | Self::History { .. } => Table::Histories,
            Self::Certificate { .. } => Table::Certificates,
            Self::Count { table, .. }
            | Self::TxRoot { table, .. }
            | Self::Unreadable { table, .. } => *table,
        }
    }

    /// At which height, if it is at one.
    pub fn height(&self) -> Option<u64> {
        match self {
            Self::MissingHeader { height }
            | Self::BadHeader { height }
            | Self::LogRoot { height }
            | Self::Version { height, .. }
            | Self::MissingBlock { height }
            | Self::TxRoot { height, .. }
            | Self::TxPlace { height, .. }
            | Self::Certificate { height, .. } => Some(*height),
            Self::Unreadable { height, .. } => *height,
            _ => None,
        }
    }
}
