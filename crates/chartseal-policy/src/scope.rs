use alloc::sync::Arc;
use alloc::vec::Vec;

use chartseal_codec::{Decode, DecodeError, Decoder, Encode, Encoder, canonical_struct};

use crate::{Action, Confidentiality, Effect, Grantee, PolicyError, Purpose, Set, Symbol, Window};

/// The selectors of a directive or of an exception: what it speaks of.
///
/// An absent list matches everything, an empty one nothing. Whether the whole *covers* a request
/// (a permit) or *touches* it (a deny) is explained in the [crate's page](crate#matching).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Who; a grant must say.
    pub to: Option<Set<Grantee>>,
    /// Why; a permit must say.
    pub purposes: Option<Set<Purpose>>,
    /// Which actions; absent: reading for a permit, everything for a deny.
    pub actions: Option<Set<Action>>,
    /// Which classes of record.
    pub classes: Option<Set<Symbol>>,
    /// Which records.
    pub records: Option<Set<Symbol>>,
    /// Of which encounters.
    pub encounters: Option<Set<Symbol>>,
    /// By which authors.
    pub authors: Option<Set<Symbol>>,
    /// Authored when.
    pub data: Window,
    /// For a permit the ceiling (absent: `N`); for a deny the least that it touches (absent: any).
    pub conf: Option<Confidentiality>,
    /// For a permit the gated tags that it names (absent: none); for a deny, one of these is enough.
    pub tags: Option<Set<Symbol>>,
}

canonical_struct!(Scope {
    to,
    purposes,
    actions,
    classes,
    records,
    encounters,
    authors,
    data,
    conf,
    tags,
});

/// An exception: a node of the tree below a directive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Exception {
    /// Its depth; 1 for an exception to the directive itself.
    pub depth: u32,
    /// What it does where it is the deepest that matches.
    pub effect: Effect,
    /// Where it matches.
    pub scope: Scope,
}

canonical_struct!(Exception {
    depth,
    effect,
    scope
});

/// A directive's exceptions: a tree in preorder, at most 256 nodes and 16 deep.
///
/// A node's parent is the nearest node before it that lies one level higher; at depth 1 it is the
/// directive. So a tree is a flat list, here and on the wire, and nothing recurses.
///
/// ```
/// use chartseal_policy::{Effect, Exception, Exceptions, Scope};
///
/// let node = |depth, effect| Exception { depth, effect, scope: Scope::default() };
/// let tree = Exceptions::new([node(1, Effect::Deny), node(2, Effect::Permit)])?;
/// assert_eq!(tree.nodes().len(), 2);
/// assert!(Exceptions::new([node(2, Effect::Deny)]).is_err());
/// # Ok::<(), chartseal_policy::PolicyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Exceptions(Option<Arc<[Exception]>>);

impl Exceptions {
    /// The most nodes of a tree.
    pub const MAX_NODES: usize = 256;
    /// The most levels below the directive.
    pub const MAX_DEPTH: u32 = 16;

    /// The tree of these nodes, in preorder.
    ///
    /// # Errors
    /// [`PolicyError::TreeTooLarge`] over 256 nodes; [`PolicyError::TreeDepth`] for a node deeper
    /// than 16, or more than one level below the node before it.
    pub fn new(nodes: impl IntoIterator<Item = Exception>) -> Result<Self, PolicyError> {
        let nodes: Vec<_> = nodes.into_iter().take(Self::MAX_NODES + 1).collect();
        if nodes.len() > Self::MAX_NODES {
            return Err(PolicyError::TreeTooLarge);
        }
        let mut above = 0;
        for (index, node) in nodes.iter().enumerate() {
            if node.depth == 0 || node.depth > Self::MAX_DEPTH.min(above + 1) {
                return Err(PolicyError::TreeDepth { index });
            }
            above = node.depth;
        }
        Ok(Self((!nodes.is_empty()).then(|| nodes.into())))
    }

    /// The nodes, in preorder.
    pub fn nodes(&self) -> &[Exception] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Encode for Exceptions {
    fn encode(&self, e: &mut Encoder) {
        self.nodes().encode(e);
    }
}

impl Decode for Exceptions {
    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let nodes: Vec<Exception> = d.list(Self::MAX_NODES)?;
        Self::new(nodes)
            .map_err(|_| d.invalid("exceptions are no tree in preorder, 16 deep at most"))
    }
}
