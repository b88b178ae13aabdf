use thiserror::Error;

/// Why a value is no part of a policy. It names the field and never quotes an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// An id or label is empty or too long.
    #[error("symbol is {len} bytes long, expected 1 to {max}", max = crate::Symbol::MAX_LEN)]
    SymbolLength {
        /// Its length in bytes.
        len: usize,
    },
    /// A list names too many values.
    #[error("list has more than {max} values", max = crate::Set::<crate::Symbol>::MAX_LEN)]
    ListTooLong,
    /// A code is not in its closed table.
    #[error("code is not one of the table of {table}")]
    UnknownCode {
        /// The table, such as `purpose`.
        table: &'static str,
    },
    /// A grantee is none of the five forms.
    #[error("grantee is not actor:ID, org:ID, role:ID, orgrole:ORG/ROLE or any:*")]
    GranteeForm,
    /// An exception tree has too many nodes.
    #[error("exception tree has more than {max} nodes", max = crate::Exceptions::MAX_NODES)]
    TreeTooLarge,
    /// An exception tree is too deep, or a node skips a level.
    #[error(
        "exception at index {index} must lie 1 to {max} deep, at most one below the one before it",
        max = crate::Exceptions::MAX_DEPTH
    )]
    TreeDepth {
        /// Its place in the preorder list, from 0.
        index: usize,
    },
    /// A directive's id is taken.
    #[error("directive's id is already in use for this patient")]
    DuplicateDirective,
    /// A patient has as many directives as a state holds of one.
    #[error(
        "patient already has {max} directives",
        max = crate::PolicyState::MAX_PER_PATIENT
    )]
    TooManyDirectives,
}
