//! C2SP tlog-policy: whom a verifier trusts, in lines of text.

use alloc::string::String;
use alloc::vec::Vec;

use chartseal_wire::{FormatError, Hash, VerifierKey};

/// The most bytes of a policy.
pub const MAX_POLICY: usize = 64 * 1024;
/// The most logs, witnesses and groups of a policy, each.
pub const MAX_NAMES: usize = 64;

/// Which logs a verifier knows, which witnesses, and how many of them must have cosigned.
///
/// For a Chartseal network the `log` lines are its validators' proposer keys under the chain's
/// [`origin`](chartseal_wire::checkpoint::origin), and the `witness` lines their cosigner keys:
///
/// ```text
/// log chartseal/chain/<id>+<key id>+<key>
/// witness v1 v1.example+<key id>+<key>
/// witness v2 v2.example+<key id>+<key>
/// group validators 2 v1 v2
/// quorum validators
/// ```
///
/// One line is ours and not C2SP's: `committee NAME HASH` names a committee by its
/// [hash](chartseal_wire::Committee::hash), the genesis's or that of a later epoch. It counts as signing if
/// the export carries the engine's certificate by it, or by who came into office after it:
///
/// ```text
/// committee network <hash>
/// group both all network v1
/// quorum both
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    logs: Vec<VerifierKey>,
    /// Witnesses and groups in the order of their lines: a group's members come before it.
    nodes: Vec<Node>,
    /// The node that must be met; `None` for `quorum none`.
    quorum: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    name: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Witness(VerifierKey),
    Committee(Hash),
    Group { needed: usize, members: Vec<usize> },
}

/// How a policy's quorum was met, or missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// The witness or group that the policy's `quorum` line names; `none`.
    pub name: String,
    /// How many of its members cosigned, or are themselves met.
    pub signed: usize,
    /// How many must.
    pub needed: usize,
    /// How many members it has.
    pub of: usize,
    /// The latest time that at least `needed` members' cosignatures reach, in seconds since 1970:
    /// who would post-date it needs as many liars as the quorum needs signers. `None` if the quorum
    /// is not met, or is `none`.
    pub time: Option<u64>,
}

impl Quorum {
    /// Whether enough signed.
    pub fn is_met(&self) -> bool {
        self.signed >= self.needed
    }

    /// How many members must be corrupt before two different logs can both be signed: any two sets
    /// of `needed` members share so many. 0 if two sets need not share any.
    pub fn overlap(&self) -> usize {
        (2 * self.needed).saturating_sub(self.of)
    }
}

impl TrustPolicy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`FormatError`] names the line, and what should stand there: for unknown keywords and names,
    /// a key of the wrong type, a key or name that stands there twice, a member of two groups, a
    /// threshold that its group can't have, no quorum or two, or anything beyond the caps.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        if text.len() > MAX_POLICY {
            let (bytes, max) = (text.len(), MAX_POLICY);
            return Err(FormatError::TooLong { bytes, max });
        }
        let mut parser = Parser::default();
        let mut lines = 0;
        for (at, line) in text.split('\n').enumerate() {
            lines = at + 1;
            parser.line(line).map_err(|expected| FormatError::Line {
                line: lines,
                expected,
            })?;
        }
        let quorum = parser.quorum.as_ref().ok_or(FormatError::Line {
            line: lines,
            expected: "a quorum line",
        })?;
        Ok(Self {
            quorum: parser.place(quorum),
            logs: parser.logs,
            nodes: parser.nodes,
        })
    }

    /// The keys that may sign for a log.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The witnesses, each with its name in the policy, in the policy's order.
    pub fn witnesses(&self) -> impl Iterator<Item = (&str, &VerifierKey)> {
        self.nodes.iter().filter_map(|node| match &node.rule {
            Rule::Witness(key) => Some((node.name.as_str(), key)),
            Rule::Committee(_) | Rule::Group { .. } => None,
        })
    }

    /// The hash of the committee that the policy names.
    pub fn committee(&self) -> Option<Hash> {
        self.nodes.iter().find_map(|node| match node.rule {
            Rule::Committee(hash) => Some(hash),
            Rule::Witness(_) | Rule::Group { .. } => None,
        })
    }

    /// Whether the quorum is the committee itself.
    pub(crate) fn asks_committee_alone(&self) -> bool {
        let quorum = self.quorum.and_then(|at| self.nodes.get(at));
        quorum.is_some_and(|node| matches!(node.rule, Rule::Committee(_)))
    }

    /// Counts cosignatures: for each witness, in the order of [`witnesses`](Self::witnesses), the
    /// time of its own, in seconds since 1970, if there is a valid one; and the time of what the
    /// committee certified, if it did.
    pub(crate) fn count(&self, times: &[Option<u64>], certified: Option<u64>) -> Quorum {
        let Some(quorum) = self.quorum else {
            return Quorum {
                name: "none".into(),
                signed: 0,
                needed: 0,
                of: 0,
                time: None,
            };
        };
        let mut times = times.iter().copied();
        // What each node is worth: members come first, so that one pass is enough.
        let mut met: Vec<Quorum> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let (needed, stamps, of) = match &node.rule {
                Rule::Witness(_) => (1, Vec::from_iter(times.next().flatten()), 1),
                Rule::Committee(_) => (1, Vec::from_iter(certified), 1),
                Rule::Group { needed, members } => {
                    let members_met = members.iter().filter_map(|at| met.get(*at)?.time);
                    (*needed, members_met.collect(), members.len())
                }
            };
            // The time that so many reach is the latest of those that so many reach: few, so no sorting.
            let reach = |time: &u64| stamps.iter().filter(|one| *one >= time).count() >= needed;
            met.push(Quorum {
                name: node.name.clone(),
                signed: stamps.len(),
                needed,
                of,
                time: stamps.iter().copied().filter(reach).max(),
            });
        }
        met.swap_remove(quorum)
    }
}

#[derive(Default)]
struct Parser {
    logs: Vec<VerifierKey>,
    nodes: Vec<Node>,
    /// The nodes that are some group's members.
    taken: Vec<usize>,
    /// The name on the quorum line.
    quorum: Option<String>,
}

impl Parser {
    /// Where the node of this name is: there are few.
    fn place(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        if line.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f) {
            return Err("no control characters but tab and newline");
        }
        let mut items = line.split([' ', '\t']).filter(|item| !item.is_empty());
        let Some(keyword) = items.next().filter(|item| !item.starts_with('#')) else {
            return Ok(());
        };
        let items: Vec<&str> = items.collect();
        match (keyword, items.as_slice()) {
            ("log", [key] | [key, _]) => self.log(key),
            ("witness", [name, key] | [name, key, _]) => self.witness(name, key),
            ("committee", [name, hash]) => self.committee(name, hash),
            ("group", [name, needed, members @ ..]) => self.group(name, needed, members),
            ("quorum", [name]) => self.quorum(name),
            _ => Err(
                "log KEY, witness NAME KEY, committee NAME HASH, group NAME K MEMBER… or quorum NAME",
            ),
        }
    }

    fn log(&mut self, key: &str) -> Result<(), &'static str> {
        let key = parse_key(key, false)?;
        if self
            .logs
            .iter()
            .any(|log| log.key_bytes() == key.key_bytes())
        {
            return Err("a log's key that no line before has");
        }
        if self.logs.len() == MAX_NAMES {
            return Err("at most 64 logs");
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str) -> Result<(), &'static str> {
        let key = parse_key(key, true)?;
        let is_clone = |node: &Node| matches!(&node.rule, Rule::Witness(other) if other.key_bytes() == key.key_bytes());
        if self.nodes.iter().any(is_clone) {
            return Err("a witness's key that no line before has");
        }
        self.define(name, Rule::Witness(key))
    }

    fn committee(&mut self, name: &str, hash: &str) -> Result<(), &'static str> {
        let hash = hash
            .parse()
            .map_err(|_| "a committee's hash: 64 lower-case hex digits")?;
        let is_committee = |node: &Node| matches!(node.rule, Rule::Committee(_));
        if self.nodes.iter().any(is_committee) {
            return Err("one committee line only");
        }
        self.define(name, Rule::Committee(hash))
    }

    fn group(&mut self, name: &str, needed: &str, members: &[&str]) -> Result<(), &'static str> {
        let needed = match needed {
            "all" => members.len(),
            "any" => 1,
            k => parse_count(k).ok_or("a group's threshold: all, any, or a decimal")?,
        };
        if !(1..=members.len()).contains(&needed) {
            return Err("a threshold from 1 to the number of members");
        }
        let mut found = Vec::with_capacity(members.len());
        for member in members {
            let at = self
                .place(member)
                .ok_or("members that lines before define")?;
            if self.taken.contains(&at) {
                return Err("members of one group at most, once");
            }
            self.taken.push(at);
            found.push(at);
        }
        let members = found;
        self.define(name, Rule::Group { needed, members })
    }

    fn quorum(&mut self, name: &str) -> Result<(), &'static str> {
        if self.quorum.is_some() {
            return Err("one quorum line only");
        }
        if name != "none" && self.place(name).is_none() {
            return Err("a quorum that a line before defines, or none");
        }
        self.quorum = Some(name.into());
        Ok(())
    }

    fn define(&mut self, name: &str, rule: Rule) -> Result<(), &'static str> {
        if name == "none" || self.place(name).is_some() {
            return Err("a name that no line before defines, other than none");
        }
        let kind = core::mem::discriminant(&rule);
        let is_same = |node: &&Node| core::mem::discriminant(&node.rule) == kind;
        if self.nodes.iter().filter(is_same).count() == MAX_NAMES {
            return Err("at most 64 witnesses and 64 groups");
        }
        let name = name.into();
        self.nodes.push(Node { name, rule });
        Ok(())
    }
}

fn parse_key(text: &str, is_cosigner: bool) -> Result<VerifierKey, &'static str> {
    let key = VerifierKey::parse(text)
        .ok()
        .filter(|key| key.kind().is_cosigner() == is_cosigner);
    key.ok_or(if is_cosigner {
        "a witness's verifier key: name+id+key, of a cosigner (type 4; 6 with the feature ml-dsa)"
    } else {
        "a log's verifier key: name+id+key, Ed25519 (type 1)"
    })
}

fn parse_count(text: &str) -> Option<usize> {
    let decimal = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| decimal)
}
