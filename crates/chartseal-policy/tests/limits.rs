//! Caps and hostile shapes: void or refused, never a permit, never a stack that grows with the input.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chartseal_policy::{
    Action, Actor, Approval, Code, Confidentiality, Decision, Directive, Effect, Exception,
    Exceptions, Grant, Grantee, Issuer, MemoryWorld, Patient, PolicyError, PolicyState, Position,
    Purpose, Quorum, Record, Request, Restriction, Revocation, Scope, Set, Status, Symbol, Terms,
    Time, Window, decide,
};

fn symbol(text: impl AsRef<str>) -> Symbol {
    Symbol::new(text.as_ref()).unwrap()
}

/// A patient, a record, and as many actors as asked.
fn world(actors: usize) -> MemoryWorld {
    let mut world = MemoryWorld::new();
    world.patients.insert(symbol("ann"), Patient::default());
    for i in 0..actors {
        world
            .actors
            .insert(symbol(format!("a{i}")), Actor::default());
    }
    let record = Record {
        patient: symbol("ann"),
        class: symbol("Observation"),
        conf: Confidentiality::N,
        tags: Set::default(),
        author: None,
        encounter: None,
        authored: Time(0),
        release_at: None,
    };
    world.records.insert(symbol("lab"), record);
    world
}

fn says(id: impl AsRef<str>, height: u64, issuer: &str, terms: Terms) -> Directive {
    Directive {
        id: symbol(id),
        position: Position { height, index: 0 },
        issuer: Issuer::Actor(symbol(issuer)),
        patient: symbol("ann"),
        issued: None,
        terms,
    }
}

fn grant(to: &str) -> Grant {
    Grant::to(Grantee::actor(to).unwrap(), Purpose::Treat)
}

fn ask(world: &MemoryWorld, actor: &str) -> Decision {
    decide(
        world,
        &Request {
            actor: symbol(actor),
            patient: symbol("ann"),
            record: symbol("lab"),
            action: Some(Action::Read),
            purpose: Some(Purpose::Treat),
            time: Time(1_000),
            position: Position {
                height: u64::MAX,
                index: 0,
            },
        },
    )
}

/// A chain of `length` grants, and the decision about its last grantee.
fn chain(length: usize) -> Decision {
    let mut world = world(length);
    for i in 0..length {
        let issuer = if i == 0 {
            "ann".to_owned()
        } else {
            format!("a{}", i - 1)
        };
        let terms = Grant {
            delegable: u32::try_from(length - i).unwrap(),
            parent: i.checked_sub(1).map(|above| symbol(format!("g{above}"))),
            ..grant(&format!("a{i}"))
        };
        let height = u64::try_from(i).unwrap();
        world
            .apply(says(format!("g{i}"), height, &issuer, Terms::Grant(terms)))
            .unwrap();
    }
    ask(&world, &format!("a{}", length - 1))
}

#[test]
fn a_chain_of_32_grants_holds_and_a_longer_one_is_void() {
    assert_eq!(chain(32).code, Code::Granted);
    assert_eq!(chain(33).code, Code::NoGrant);
    assert_eq!(chain(20_000).code, Code::NoGrant);
}

#[test]
fn a_circle_of_grants_is_void() {
    let mut world = world(2);
    for (id, issuer, to, parent) in [("g", "a0", "a1", "h"), ("h", "a1", "a0", "g")] {
        let terms = Grant {
            delegable: 1,
            parent: Some(symbol(parent)),
            ..grant(to)
        };
        world
            .apply(says(id, 1, issuer, Terms::Grant(terms)))
            .unwrap();
    }
    // A revocation by a stranger looks for ancestors, and must not go round for ever.
    let end = Terms::Revoke(Revocation {
        target: symbol("g"),
    });
    world.apply(says("r", 2, "stranger", end)).unwrap();
    let decision = ask(&world, "a1");
    assert_eq!(decision.code, Code::NoGrant);
    assert_eq!(decision.explanation[0].status, Status::NoParent);
}

#[test]
fn a_grant_whose_parent_is_missing_no_grant_or_no_earlier_is_void() {
    for (parent, height) in [
        ("nowhere", 5),
        ("closed", 5),
        ("g", 5),
        ("root", 3),
        ("root", 2),
    ] {
        let mut world = world(2);
        let root = Grant {
            delegable: 1,
            ..grant("a0")
        };
        let elsewhere = Restriction {
            scope: Scope {
                records: Some(Set::one(symbol("other"))),
                ..Scope::default()
            },
            ..Restriction::default()
        };
        let child = Grant {
            parent: Some(symbol(parent)),
            ..grant("a1")
        };
        for directive in [
            says("root", 3, "ann", Terms::Grant(root)),
            says("closed", 1, "ann", Terms::Restrict(elsewhere)),
            says("g", height, "a0", Terms::Grant(child)),
        ] {
            world.apply(directive).unwrap();
        }
        assert_eq!(ask(&world, "a0").code, Code::Granted);
        let decision = ask(&world, "a1");
        assert_eq!(decision.code, Code::NoGrant, "{parent} {height}");
        assert_eq!(decision.explanation[1].status, Status::NoParent);
    }
}

#[test]
fn an_empty_selector_of_a_grant_matches_nothing() {
    let empty: [fn(&mut Scope); 7] = [
        |scope| scope.to = Some(Set::default()),
        |scope| scope.purposes = Some(Set::default()),
        |scope| scope.actions = Some(Set::default()),
        |scope| scope.classes = Some(Set::default()),
        |scope| scope.records = Some(Set::default()),
        |scope| scope.encounters = Some(Set::default()),
        |scope| scope.authors = Some(Set::default()),
    ];
    for (n, empty) in empty.iter().enumerate() {
        let mut world = world(1);
        let mut terms = grant("a0");
        empty(&mut terms.scope);
        world
            .apply(says("g", 1, "ann", Terms::Grant(terms)))
            .unwrap();
        assert_eq!(ask(&world, "a0").code, Code::NoGrant, "selector {n}");
    }
}

#[test]
fn two_restrictions_that_supersede_each_other_end_the_earlier_only() {
    let mut world = world(1);
    for (id, height, other) in [("x", 1, "y"), ("y", 2, "x")] {
        let supersedes = Set::one(symbol(other));
        let terms = Terms::Restrict(Restriction {
            supersedes,
            ..Restriction::default()
        });
        world.apply(says(id, height, "ann", terms)).unwrap();
    }
    assert_eq!(ask(&world, "a0").by, [symbol("y")]);
}

#[test]
fn a_window_that_ends_before_it_begins_never_holds() {
    let mut world = world(1);
    let window = Window {
        from: Some(Time(2_000)),
        until: Some(Time(500)),
    };
    let terms = Terms::Grant(Grant {
        window,
        ..grant("a0")
    });
    world.apply(says("g", 1, "ann", terms)).unwrap();
    let decision = ask(&world, "a0");
    assert_eq!((decision.code, decision.valid_until), (Code::NoGrant, None));
}

#[test]
fn a_second_directive_of_the_same_id_is_refused() {
    let mut world = world(1);
    let directive = says("g", 1, "ann", Terms::Grant(grant("a0")));
    world.apply(directive.clone()).unwrap();
    assert_eq!(world.apply(directive), Err(PolicyError::DuplicateDirective));
}

#[test]
fn the_deepest_tree_is_resolved_level_by_level() {
    let node = |depth| Exception {
        depth,
        effect: if depth % 2 == 1 {
            Effect::Deny
        } else {
            Effect::Permit
        },
        scope: Scope {
            purposes: Some(Set::one(Purpose::Treat)),
            ..Scope::default()
        },
    };
    for (depth, code) in [(15, Code::Restricted), (16, Code::Granted)] {
        let mut world = world(1);
        let except = Exceptions::new((1..=depth).map(node)).unwrap();
        world
            .apply(says(
                "g",
                1,
                "ann",
                Terms::Grant(Grant {
                    except,
                    ..grant("a0")
                }),
            ))
            .unwrap();
        assert_eq!(ask(&world, "a0").code, code, "{depth} levels");
    }
}

#[test]
fn only_at_the_deepest_level_does_deny_win() {
    use Effect::{Deny, Permit};
    for (nodes, code) in [
        (vec![(1, Deny), (2, Permit), (1, Deny)], Code::Granted),
        (vec![(1, Deny), (1, Deny), (2, Permit)], Code::Granted),
        (vec![(1, Permit), (2, Deny), (1, Permit)], Code::Restricted),
        (vec![(1, Permit), (1, Deny)], Code::Restricted),
        (vec![(1, Deny), (1, Permit)], Code::Restricted),
    ] {
        let node = |(depth, effect): &(u32, Effect)| Exception {
            depth: *depth,
            effect: *effect,
            scope: Scope {
                purposes: Some(Set::one(Purpose::Treat)),
                ..Scope::default()
            },
        };
        let mut world = world(1);
        let terms = Grant {
            except: Exceptions::new(nodes.iter().map(node)).unwrap(),
            ..grant("a0")
        };
        world
            .apply(says("g", 1, "ann", Terms::Grant(terms)))
            .unwrap();
        assert_eq!(ask(&world, "a0").code, code, "{nodes:?}");
    }
}

#[test]
fn nothing_below_an_exception_that_does_not_match_is_reached() {
    let elsewhere = Scope {
        records: Some(Set::one(symbol("other"))),
        ..Scope::default()
    };
    let node = |depth, scope| Exception {
        depth,
        effect: Effect::Deny,
        scope,
    };
    let tree = [
        node(1, elsewhere),
        node(2, Scope::default()),
        node(3, Scope::default()),
    ];
    let mut world = world(1);
    let except = Exceptions::new(tree).unwrap();
    world
        .apply(says(
            "g",
            1,
            "ann",
            Terms::Grant(Grant {
                except,
                ..grant("a0")
            }),
        ))
        .unwrap();
    assert_eq!(ask(&world, "a0").code, Code::Granted);
}

/// A million directives for one patient in a long run, a hundred thousand ordinarily.
#[test]
fn masses_of_directives_of_each_hostile_kind_are_borne() {
    let of_each = if std::env::var_os("CHARTSEAL_LONG").is_some() {
        250_000
    } else {
        25_000
    };
    let mut world = world(1);
    let members = Set::new((0..100).map(|i| symbol(format!("m{i}")))).unwrap();
    let patient = world.patients.get_mut(&symbol("ann")).unwrap();
    patient.quorum = Some(Quorum {
        k: 100,
        members,
        ttl: None,
    });
    for i in 0..of_each {
        let parent = Some(symbol(format!("g{}", (i + 1) % of_each)));
        let around = Grant {
            delegable: 1,
            parent,
            supersedes: Set::one(symbol("g0")),
            ..grant("a0")
        };
        world
            .apply(says(format!("g{i}"), 1, "a0", Terms::Grant(around)))
            .unwrap();
        let approval = Approval {
            target: symbol(format!("q{i}")),
            at: Time(0),
        };
        world
            .apply(says(format!("p{i}"), 1, "m1", Terms::Approve(approval)))
            .unwrap();
        let by_quorum = says(format!("q{i}"), 2, "a0", Terms::Grant(grant("a0")));
        world
            .apply(Directive {
                issuer: Issuer::Quorum,
                ..by_quorum
            })
            .unwrap();
        let end = Terms::Revoke(Revocation {
            target: symbol("g0"),
        });
        world
            .apply(says(format!("r{i}"), 3, "stranger", end))
            .unwrap();
    }
    assert_eq!(ask(&world, "a0").code, Code::NoGrant);
    if of_each == 250_000 {
        let more = |i| says(format!("more{i}"), 4, "ann", Terms::Grant(grant("a0")));
        let room = PolicyState::MAX_PER_PATIENT - world.policy.len();
        for i in 0..room {
            world.apply(more(i)).unwrap();
        }
        assert_eq!(world.apply(more(room)), Err(PolicyError::TooManyDirectives));
    }
}

#[test]
fn many_grants_passed_on_from_one_that_many_strangers_revoke_cost_no_more_than_their_sum() {
    // Each of the 20,000 rests on the root, and whether the root was ended takes 20,000 looks: asked
    // once it is nothing, asked for each it would be 400,000,000.
    let mut world = world(1);
    let root = Grant {
        delegable: 1,
        ..grant("a0")
    };
    world
        .apply(says("root", 1, "ann", Terms::Grant(root)))
        .unwrap();
    for i in 0..20_000 {
        let child = Grant {
            parent: Some(symbol("root")),
            ..grant("friend")
        };
        let end = Revocation {
            target: symbol("root"),
        };
        for directive in [
            says(format!("c{i}"), 2, "a0", Terms::Grant(child)),
            says(format!("r{i}"), 3, "stranger", Terms::Revoke(end)),
        ] {
            world.apply(directive).unwrap();
        }
    }
    world.actors.insert(symbol("friend"), Actor::default());
    assert_eq!(ask(&world, "friend").by.len(), 20_000);
}
