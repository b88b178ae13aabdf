use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use chartseal_codec::{canonical_enum, canonical_struct};

use crate::{Actor, PolicyError, Symbol};

/// Whom a directive speaks of.
///
/// ```
/// use chartseal_policy::Grantee;
///
/// let nurses: Grantee = "orgrole:H1/nurse".parse()?;
/// assert_eq!(nurses.to_string(), "orgrole:H1/nurse");
/// assert!("everybody".parse::<Grantee>().is_err());
/// # Ok::<(), chartseal_policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// `any:*`: everybody.
    Any,
    /// `actor:ID`: one actor.
    Actor(Symbol),
    /// `org:ID`: the actors of an organization.
    Org(Symbol),
    /// `role:ID`: the actors in a role, anywhere.
    Role(Symbol),
    /// `orgrole:ORG/ROLE`: the actors in a role at an organization.
    OrgRole(OrgRole),
}

/// A role at an organization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrgRole {
    /// The organization.
    pub org: Symbol,
    /// The role.
    pub role: Symbol,
}

canonical_struct!(OrgRole { org, role });
canonical_enum!(Grantee { 1 => Any, 2 => Actor(_), 3 => Org(_), 4 => Role(_), 5 => OrgRole(_) });

impl Grantee {
    /// The grantee `actor:ID`.
    ///
    /// # Errors
    /// As [`Symbol::new`].
    pub fn actor(id: impl AsRef<[u8]>) -> Result<Self, PolicyError> {
        Symbol::new(id).map(Self::Actor)
    }

    /// Every grantee that speaks of this actor.
    pub(crate) fn all_of(id: &Symbol, actor: &Actor) -> Vec<Self> {
        let mut all = Vec::from([Self::Any, Self::Actor(id.clone())]);
        all.extend(actor.roles.iter().cloned().map(Self::Role));
        if let Some(org) = &actor.org {
            all.push(Self::Org(org.clone()));
            let at_org = |role: &Symbol| OrgRole {
                org: org.clone(),
                role: role.clone(),
            };
            all.extend(actor.roles.iter().map(at_org).map(Self::OrgRole));
        }
        all
    }

    /// Whether it speaks of this actor.
    #[inline]
    pub fn includes(&self, id: &Symbol, actor: &Actor) -> bool {
        match self {
            Self::Any => true,
            Self::Actor(named) => named == id,
            Self::Org(org) => actor.org.as_ref() == Some(org),
            Self::Role(role) => actor.roles.contains(role),
            Self::OrgRole(at) => {
                actor.org.as_ref() == Some(&at.org) && actor.roles.contains(&at.role)
            }
        }
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any:*"),
            Self::Actor(id) => write!(f, "actor:{id}"),
            Self::Org(id) => write!(f, "org:{id}"),
            Self::Role(id) => write!(f, "role:{id}"),
            Self::OrgRole(at) => write!(f, "orgrole:{}/{}", at.org, at.role),
        }
    }
}

impl FromStr for Grantee {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let (form, rest) = text.split_once(':').ok_or(PolicyError::GranteeForm)?;
        match form {
            "any" if rest == "*" => Ok(Self::Any),
            "actor" => rest.parse().map(Self::Actor),
            "org" => rest.parse().map(Self::Org),
            "role" => rest.parse().map(Self::Role),
            "orgrole" => {
                let (org, role) = rest.split_once('/').ok_or(PolicyError::GranteeForm)?;
                Ok(Self::OrgRole(OrgRole {
                    org: org.parse()?,
                    role: role.parse()?,
                }))
            }
            _ => Err(PolicyError::GranteeForm),
        }
    }
}
