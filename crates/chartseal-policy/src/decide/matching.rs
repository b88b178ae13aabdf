//! Matching, which fails closed: a permit covers, a deny touches.

use alloc::vec::Vec;

use crate::{
    Action, Actor, Confidentiality, Effect, Exceptions, Purpose, Record, Request, Scope, Set,
    Status, Symbol, World,
};

/// What selectors are compared with: the request and what it speaks of.
pub(super) struct Subject<'a> {
    request: &'a Request,
    pub(super) action: Action,
    pub(super) purpose: Purpose,
    pub(super) actor: &'a Actor,
    pub(super) record: &'a Record,
    /// The record's tags that a permit must name.
    gated: Vec<&'a Symbol>,
    /// Filed but not yet sorted: class, tags and confidentiality say nothing yet.
    is_inbox: bool,
}

impl<'a> Subject<'a> {
    pub(super) fn new<W: World + ?Sized>(
        world: &W,
        request: &'a Request,
        (action, purpose): (Action, Purpose),
        actor: &'a Actor,
        record: &'a Record,
    ) -> Self {
        let must_name = |tag: &&Symbol| world.is_gated(tag) || world.is_inbox(tag);
        Self {
            request,
            action,
            purpose,
            actor,
            record,
            gated: record.tags.iter().filter(must_name).collect(),
            is_inbox: record.tags.iter().any(|tag| world.is_inbox(tag)),
        }
    }

    /// What the deepest matching node of a directive's tree says; at equal depth deny wins.
    ///
    /// Gives the root's first mismatch if not even that matches.
    pub(super) fn resolve(
        &self,
        effect: Effect,
        scope: &Scope,
        except: &Exceptions,
    ) -> Result<Effect, Status> {
        self.matches(effect, scope)?;
        let (mut deepest, mut decides) = (0, effect);
        // Nodes come in preorder. Below one that does not match nothing is reachable until the list
        // is back at its level.
        let mut reachable = 1;
        for node in except.nodes() {
            if node.depth > reachable {
                continue;
            }
            reachable = node.depth;
            if self.matches(node.effect, &node.scope).is_err() {
                continue;
            }
            reachable = node.depth.saturating_add(1);
            if node.depth > deepest {
                (deepest, decides) = (node.depth, node.effect);
            } else if node.depth == deepest && node.effect == Effect::Deny {
                decides = Effect::Deny;
            }
        }
        Ok(decides)
    }

    fn matches(&self, effect: Effect, scope: &Scope) -> Result<(), Status> {
        match effect {
            Effect::Permit => self.covered_by(scope),
            Effect::Deny => self.touched_by(scope),
        }
    }

    fn covered_by(&self, scope: &Scope) -> Result<(), Status> {
        if scope.purposes.is_none() {
            return Err(Status::NoPurpose);
        }
        self.spoken_of(scope)?;
        let action = match &scope.actions {
            Some(actions) => actions.contains(&self.action),
            None => self.action == Action::Read,
        };
        ensure(action, Status::OtherAction)?;
        ensure(
            selects(scope.classes.as_ref(), Some(&self.record.class)),
            Status::OtherClass,
        )?;
        let ceiling = scope.conf.unwrap_or_default();
        ensure(self.record.conf <= ceiling, Status::OtherConfidentiality)?;
        let names = |tag: &&Symbol| scope.tags.as_ref().is_some_and(|tags| tags.contains(tag));
        ensure(self.gated.iter().all(names), Status::OtherTags)
    }

    fn touched_by(&self, scope: &Scope) -> Result<(), Status> {
        self.spoken_of(scope)?;
        ensure(
            selects(scope.actions.as_ref(), Some(&self.action)),
            Status::OtherAction,
        )?;
        if self.is_inbox {
            return Ok(());
        }
        ensure(
            selects(scope.classes.as_ref(), Some(&self.record.class)),
            Status::OtherClass,
        )?;
        let least = scope.conf.unwrap_or(Confidentiality::U);
        ensure(self.record.conf >= least, Status::OtherConfidentiality)?;
        let shares = |tags: &Set<Symbol>| tags.intersects(&self.record.tags);
        ensure(scope.tags.as_ref().is_none_or(shares), Status::OtherTags)
    }

    /// The selectors that permit and deny read alike.
    fn spoken_of(&self, scope: &Scope) -> Result<(), Status> {
        let (request, record) = (self.request, self.record);
        let who = scope.to.as_ref().is_none_or(|to| {
            to.iter()
                .any(|grantee| grantee.includes(&request.actor, self.actor))
        });
        ensure(who, Status::OtherActor)?;
        let purposes = scope.purposes.as_ref();
        ensure(
            purposes.is_none_or(|set| set.cover(self.purpose)),
            Status::OtherPurpose,
        )?;
        ensure(
            selects(scope.records.as_ref(), Some(&request.record)),
            Status::OtherRecord,
        )?;
        let encounters = scope.encounters.as_ref();
        ensure(
            selects(encounters, record.encounter.as_ref()),
            Status::OtherEncounter,
        )?;
        let authors = scope.authors.as_ref();
        ensure(
            selects(authors, record.author.as_ref()),
            Status::OtherAuthor,
        )?;
        ensure(scope.data.contains(record.authored), Status::OtherPeriod)
    }
}

/// An absent list selects everything; a list, what it holds.
fn selects<T: Ord>(list: Option<&Set<T>>, value: Option<&T>) -> bool {
    list.is_none_or(|list| value.is_some_and(|value| list.contains(value)))
}

fn ensure(holds: bool, otherwise: Status) -> Result<(), Status> {
    if holds { Ok(()) } else { Err(otherwise) }
}
