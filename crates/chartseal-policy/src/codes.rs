//! The closed tables: each code has a number on the wire and the name that HL7 or the semantics
//! page gives it.

use core::fmt;
use core::str::FromStr;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder};

use crate::{PolicyError, Set};

macro_rules! code_table {
    (
        $(#[$meta:meta])*
        $name:ident, $table:literal {
            $($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant = $code,)+
        }

        impl $name {
            /// Every code of the table, in the order of its numbers.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name, as HL7 or the semantics page spells it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Its number on the wire.
            pub const fn wire(self) -> u64 {
                self as u64
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = PolicyError;

            fn from_str(text: &str) -> Result<Self, PolicyError> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(PolicyError::UnknownCode { table: $table }),
                }
            }
        }

        impl Encode for $name {
            fn encode(&self, e: &mut Encoder) {
                e.uint(self.wire());
            }
        }

        impl Decode for $name {
            fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                match d.uint()? {
                    $($code => Ok(Self::$variant),)+
                    _ => Err(d.invalid(concat!("no such ", $table))),
                }
            }
        }
    };
}

code_table! {
    /// What somebody wants to do with a record.
    Action, "action" {
        /// Open one record.
        Read = 1, "read";
        /// Find records.
        Search = 2, "search";
        /// Add a record.
        Create = 3, "create";
        /// Add a new version of a record.
        Amend = 4, "amend";
        /// Take a record out of the system.
        Export = 5, "export";
    }
}

code_table! {
    /// Why somebody wants it: codes of HL7 v3 `ActReason`, as a closed table without its hierarchy.
    Purpose, "purpose" {
        /// Treatment.
        Treat = 1, "TREAT";
        /// Coordination of care.
        Coc = 2, "COC";
        /// Emergency treatment.
        Etreat = 3, "ETREAT";
        /// Emergency room treatment.
        Ertreat = 4, "ERTREAT";
        /// Healthcare payment.
        Hpaymt = 5, "HPAYMT";
        /// Healthcare operations.
        Hoperat = 6, "HOPERAT";
        /// Healthcare research.
        Hresch = 7, "HRESCH";
        /// Clinical trial research.
        Clintrl = 8, "CLINTRL";
        /// The patient's own request.
        Patrqt = 9, "PATRQT";
        /// The family's request.
        Famrqt = 10, "FAMRQT";
        /// Under a power of attorney.
        Pwatrny = 11, "PWATRNY";
        /// Breaking the glass.
        Btg = 12, "BTG";
        /// Public health.
        Pubhlth = 13, "PUBHLTH";
    }
}

impl Purpose {
    /// Whether a directive that names this purpose speaks of a request for `other`.
    ///
    /// `TREAT` covers `TREAT`, `COC`, `ETREAT`, `ERTREAT`; `ETREAT` covers `ETREAT`, `ERTREAT`; every
    /// other code covers itself alone. `BTG` and `CLINTRL` are no treatment here, though HL7's
    /// hierarchy puts them under it.
    pub fn covers(self, other: Self) -> bool {
        match self {
            Self::Treat => matches!(
                other,
                Self::Treat | Self::Coc | Self::Etreat | Self::Ertreat
            ),
            Self::Etreat => matches!(other, Self::Etreat | Self::Ertreat),
            _ => self == other,
        }
    }
}

impl Set<Purpose> {
    /// Whether one of them covers `purpose`.
    pub fn cover(&self, purpose: Purpose) -> bool {
        self.iter().any(|named| named.covers(purpose))
    }
}

code_table! {
    /// How confidential a record is, from `U` to `V` (HL7 v3 `Confidentiality`).
    #[derive(Default)]
    Confidentiality, "confidentiality" {
        /// Unrestricted.
        U = 1, "U";
        /// Low.
        L = 2, "L";
        /// Moderate.
        M = 3, "M";
        /// Normal: what a record is that says nothing else, and the ceiling of a grant that names none.
        #[default]
        N = 4, "N";
        /// Restricted.
        R = 5, "R";
        /// Very restricted.
        V = 6, "V";
    }
}

code_table! {
    /// Permit or deny.
    Effect, "effect" {
        /// The access may go on.
        Permit = 1, "permit";
        /// It may not.
        Deny = 2, "deny";
    }
}

code_table! {
    /// Why a decision is what it is: the rule that ended it.
    Code, "decision code" {
        /// Permit: the patient, own record.
        Own = 1, "self";
        /// Permit: a guardian.
        Guardian = 2, "guardian";
        /// Permit: by a grant.
        Granted = 3, "granted";
        /// Permit: by a declared emergency.
        Emergency = 4, "emergency";
        /// Deny: an unknown purpose or action, a record of another patient, or one from the future.
        Malformed = 16, "malformed";
        /// Deny: no such record.
        NotVisible = 17, "not_visible";
        /// Deny: the record is not yet released to the patient.
        ReleaseDelayed = 18, "release_delayed";
        /// Deny: the patient is under the age of minor consent.
        MinorNoCapacity = 19, "minor_no_capacity";
        /// Deny: the actor is unknown, suspended, or outside every credential window.
        ActorStanding = 20, "actor_standing";
        /// Deny: the record is the minor's own matter.
        MinorPrivate = 21, "minor_private";
        /// Deny: network law.
        Law = 22, "law";
        /// Deny: a restriction, or an exception inside a grant.
        Restricted = 23, "restricted";
        /// Deny: nothing permits it.
        NoGrant = 24, "no_grant";
        /// Deny: the glass is broken without an open declaration.
        EmergencyNotDeclared = 25, "emergency_not_declared";
        /// Deny: the actor holds no emergency role.
        EmergencyRole = 26, "emergency_role";
        /// Deny: an emergency covers reading and searching only.
        EmergencyReadOnly = 27, "emergency_read_only";
        /// Deny: a restriction that no emergency overrides.
        RestrictedAbsolute = 28, "restricted_absolute";
        /// Deny: the organization left too many emergencies unreviewed.
        EmergencyReviewOverdue = 29, "emergency_review_overdue";
    }
}

impl Code {
    /// Whether a decision with this code permits or denies.
    pub fn effect(self) -> Effect {
        match self {
            Self::Own | Self::Guardian | Self::Granted | Self::Emergency => Effect::Permit,
            _ => Effect::Deny,
        }
    }
}

code_table! {
    /// Whether a declared emergency overrides a restriction.
    #[derive(Default)]
    Override, "override" {
        /// It does.
        #[default]
        Emergency = 1, "emergency";
        /// It never does, where network law allows that.
        Never = 2, "never";
    }
}
