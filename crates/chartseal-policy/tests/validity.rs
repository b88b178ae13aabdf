//! Each reason why a directive is void, met alone; and the same directive without it, valid.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chartseal_policy::{
    Actor, Approval, Declaration, Directive, EmergencyPolicy, Grant, Grantee, Guardian, Issuer,
    MemoryWorld, Millis, Moment, Patient, Position, Purpose, Quorum, Restriction, Revocation, Set,
    Status, Symbol, Terms, Time, Window, validity,
};

fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

/// Ann, whose mother is a guardian until 500; a quorum of two; glass breaks for 100 ms.
fn world() -> MemoryWorld {
    let mut world = MemoryWorld::new();
    let term = Window {
        from: None,
        until: Some(Time(500)),
    };
    let ann = Patient {
        guardians: Set::one(Guardian {
            actor: symbol("mum"),
            window: term,
        }),
        quorum: Some(Quorum {
            k: 1,
            members: Set::new([symbol("mum"), symbol("dad")]).unwrap(),
            ttl: Some(Millis(100)),
        }),
        ..Patient::default()
    };
    world.patients.insert(symbol("ann"), ann);
    world.actors.insert(symbol("dr"), Actor::default());
    world.network.emergency = Some(EmergencyPolicy {
        ttl: Millis(100),
        roles: Set::default(),
        max_overdue: 1,
        allow_absolute: true,
    });
    world
}

fn says(issuer: &str, height: u64, terms: Terms) -> Directive {
    Directive {
        id: symbol("it"),
        position: Position { height, index: 0 },
        issuer: Issuer::Actor(symbol(issuer)),
        patient: symbol("ann"),
        issued: Some(Time(900)),
        terms,
    }
}

fn grant() -> Grant {
    Grant::to(Grantee::actor("dr").unwrap(), Purpose::Treat)
}

/// What is said of a directive at 1,000, before position 10.
fn found(world: &MemoryWorld, directive: &Directive) -> Result<(), Status> {
    let position = Position {
        height: 10,
        index: 0,
    };
    let time = Time(1_000);
    validity(world, directive, Moment { time, position })
}

fn by_ann(change: impl Fn(&mut Grant)) -> Result<(), Status> {
    let mut grant = grant();
    change(&mut grant);
    found(&world(), &says("ann", 5, Terms::Grant(grant)))
}

#[test]
fn a_grant_must_name_somebody_and_something_and_hold_at_some_time() {
    assert_eq!(by_ann(|_| {}), Ok(()));
    assert_eq!(by_ann(|g| g.scope.to = None), Err(Status::NoGrantee));
    assert_eq!(by_ann(|g| g.scope.purposes = None), Err(Status::NoPurpose));
    let empty: [fn(&mut Grant); 9] = [
        |g| g.scope.to = Some(Set::default()),
        |g| g.scope.purposes = Some(Set::default()),
        |g| g.scope.actions = Some(Set::default()),
        |g| g.scope.classes = Some(Set::default()),
        |g| g.scope.records = Some(Set::default()),
        |g| g.scope.encounters = Some(Set::default()),
        |g| g.scope.authors = Some(Set::default()),
        |g| g.scope.data.until = Some(Time(0)),
        |g| {
            g.window = Window {
                from: Some(Time(3_000)),
                until: Some(Time(3_000)),
            };
        },
    ];
    for change in empty {
        assert_eq!(by_ann(change), Err(Status::MatchesNothing));
    }
    // No tags named is not nothing, but no gated ones.
    assert_eq!(by_ann(|g| g.scope.tags = Some(Set::default())), Ok(()));
    let until = |until| by_ann(|g| g.window.until = Some(Time(until)));
    assert_eq!((until(1_000), until(1_001)), (Err(Status::Expired), Ok(())));
    let from = |from| by_ann(|g| g.window.from = Some(Time(from)));
    assert_eq!((from(1_001), from(1_000)), (Err(Status::NotYet), Ok(())));
    let parent = |g: &mut Grant| g.parent = Some(symbol("nowhere"));
    assert_eq!(by_ann(parent), Err(Status::NoParent));
}

#[test]
fn a_directive_counts_from_later_positions_for_a_known_patient() {
    let world = world();
    for (height, expected) in [(9, Ok(())), (10, Err(Status::Later))] {
        let directive = says("ann", height, Terms::Grant(grant()));
        assert_eq!(found(&world, &directive), expected);
    }
    let stranger = Directive {
        patient: symbol("nobody"),
        ..says("nobody", 5, Terms::Grant(grant()))
    };
    assert_eq!(found(&world, &stranger), Err(Status::NoPatient));
}

#[test]
fn a_restriction_needs_an_issuer_who_may_and_a_selector_that_matches() {
    let world = world();
    let says_all = |issuer, issued, restriction: Restriction| {
        let directive = says(issuer, 5, Terms::Restrict(restriction));
        let issued = Some(Time(issued));
        found(
            &world,
            &Directive {
                issued,
                ..directive
            },
        )
    };
    assert_eq!(says_all("ann", 900, Restriction::default()), Ok(()));
    assert_eq!(says_all("mum", 499, Restriction::default()), Ok(()));
    for issuer in ["mum", "dr"] {
        let late = says_all(issuer, 500, Restriction::default());
        assert_eq!(late, Err(Status::NoAuthority));
    }
    let mut nothing = Restriction::default();
    nothing.scope.actions = Some(Set::default());
    assert_eq!(says_all("ann", 900, nothing), Err(Status::MatchesNothing));
    // It touches what is filed and not yet sorted, whatever the class.
    let mut unsorted = Restriction::default();
    unsorted.scope.classes = Some(Set::default());
    assert_eq!(says_all("ann", 900, unsorted), Ok(()));
}

#[test]
fn a_revocation_needs_an_earlier_target_and_an_issuer_who_may_end_it() {
    let mut world = world();
    let id = symbol("G");
    world
        .apply(Directive {
            id: id.clone(),
            ..says("ann", 3, Terms::Grant(grant()))
        })
        .unwrap();
    let declared = Terms::Emergency(Declaration {
        from: Time(950),
        has_reason: true,
        closed: None,
    });
    let id_of_other = symbol("E");
    world
        .apply(Directive {
            id: id_of_other.clone(),
            ..says("dr", 3, declared)
        })
        .unwrap();
    let ends = |issuer, height, target: &Symbol| {
        let target = target.clone();
        found(
            &world,
            &says(issuer, height, Terms::Revoke(Revocation { target })),
        )
    };
    assert_eq!(ends("ann", 4, &id), Ok(()));
    assert_eq!(ends("ann", 3, &id), Err(Status::NotAfterTarget));
    assert_eq!(ends("dr", 4, &id), Err(Status::NoAuthority));
    assert_eq!(ends("ann", 4, &symbol("none")), Err(Status::NoTarget));
    assert_eq!(ends("dr", 4, &id_of_other), Err(Status::NoTarget));
}

#[test]
fn an_approval_needs_a_member_and_a_quorums_grant_in_time() {
    let mut world = world();
    let quorums = |id, to: &str| Directive {
        id: symbol(id),
        issuer: Issuer::Quorum,
        ..says(
            "ann",
            5,
            Terms::Grant(Grant::to(to.parse().unwrap(), Purpose::Treat)),
        )
    };
    world.apply(quorums("Q", "actor:dr")).unwrap();
    world.apply(quorums("toDad", "actor:dad")).unwrap();
    let own = Directive {
        id: symbol("own"),
        ..says("ann", 5, Terms::Grant(grant()))
    };
    world.apply(own).unwrap();
    let approves = |who, height, target, at| {
        let target = symbol(target);
        let terms = Terms::Approve(Approval {
            target,
            at: Time(at),
        });
        found(&world, &says(who, height, terms))
    };
    assert_eq!(approves("dad", 5, "Q", 900), Ok(()));
    assert_eq!(approves("dad", 5, "Q", 800), Ok(()));
    assert_eq!(approves("dad", 5, "not yet made", 900), Ok(()));
    for (height, at) in [(6, 900), (5, 901), (5, 799)] {
        assert_eq!(approves("dad", height, "Q", at), Err(Status::NotInTime));
    }
    assert_eq!(approves("dr", 5, "Q", 900), Err(Status::NoAuthority));
    assert_eq!(
        approves("dr", 5, "not yet made", 900),
        Err(Status::NoAuthority)
    );
    assert_eq!(approves("dad", 5, "toDad", 900), Err(Status::NoAuthority));
    assert_eq!(approves("dad", 5, "own", 900), Err(Status::NoTarget));

    let granted = |world: &MemoryWorld| found(world, &quorums("Q", "actor:dr"));
    let (found, needed) = (0, 1);
    assert_eq!(granted(&world), Err(Status::Approvals { found, needed }));
    let target = symbol("Q");
    let at = Time(900);
    let good = says("dad", 5, Terms::Approve(Approval { target, at }));
    world.apply(good).unwrap();
    assert_eq!(granted(&world), Ok(()));
}

#[test]
fn a_declaration_needs_a_reason_its_time_and_a_network_that_allows_it() {
    let declared = |from, has_reason, closed: Option<u64>| Declaration {
        from: Time(from),
        has_reason,
        closed: closed.map(Time),
    };
    let mut world = world();
    for (declaration, expected) in [
        (declared(950, true, None), Ok(())),
        (declared(950, true, Some(1_001)), Ok(())),
        (declared(950, false, None), Err(Status::NoReason)),
        (declared(950, true, Some(1_000)), Err(Status::Closed)),
        (declared(900, true, None), Err(Status::Expired)),
        (declared(1_001, true, None), Err(Status::NotYet)),
    ] {
        let directive = says("dr", 5, Terms::Emergency(declaration));
        assert_eq!(found(&world, &directive), expected);
    }
    world.network.emergency = None;
    let directive = says("dr", 5, Terms::Emergency(declared(950, true, None)));
    assert_eq!(found(&world, &directive), Err(Status::NoEmergencies));
}
