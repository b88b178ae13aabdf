//! A directive counts from its beginning until just before its end, and at no other time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chartseal_policy::{
    Action, Actor, Code, Confidentiality, Directive, Grant, Grantee, Issuer, MemoryWorld, Patient,
    Position, Purpose, Record, Request, Restriction, Set, Symbol, Terms, Time, Window, decide,
};

const WINDOW: Window = Window {
    from: Some(Time(1_000)),
    until: Some(Time(2_000)),
};

fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

fn grant(window: Window) -> Terms {
    let to = Grantee::actor("ada").unwrap();
    Terms::Grant(Grant {
        window,
        ..Grant::to(to, Purpose::Treat)
    })
}

/// What the patient's directives say to one request, at each of these times.
fn codes<const N: usize>(directives: &[Terms], times: [u64; N]) -> [Code; N] {
    let mut world = MemoryWorld::new();
    world.patients.insert(symbol("ann"), Patient::default());
    world.actors.insert(symbol("ada"), Actor::default());
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
    for (height, terms) in (1..).zip(directives) {
        let directive = Directive {
            id: symbol(&format!("d{height}")),
            position: Position { height, index: 0 },
            issuer: Issuer::Actor(symbol("ann")),
            patient: symbol("ann"),
            issued: None,
            terms: terms.clone(),
        };
        world.apply(directive).unwrap();
    }
    times.map(|time| {
        let request = Request {
            actor: symbol("ada"),
            patient: symbol("ann"),
            record: symbol("lab"),
            action: Some(Action::Read),
            purpose: Some(Purpose::Treat),
            time: Time(time),
            position: Position {
                height: 9,
                index: 0,
            },
        };
        decide(&world, &request).code
    })
}

#[test]
fn a_grant_counts_from_its_beginning_until_just_before_its_end() {
    let (granted, no) = (Code::Granted, Code::NoGrant);
    let found = codes(&[grant(WINDOW)], [0, 999, 1_000, 1_999, 2_000, 9_999]);
    assert_eq!(found, [no, no, granted, granted, no, no]);
}

#[test]
fn a_restriction_counts_from_its_beginning_until_just_before_its_end() {
    let (granted, no) = (Code::Granted, Code::Restricted);
    let restriction = Terms::Restrict(Restriction {
        window: WINDOW,
        ..Restriction::default()
    });
    let directives = [grant(Window::ALWAYS), restriction];
    let found = codes(&directives, [0, 999, 1_000, 1_999, 2_000, 9_999]);
    assert_eq!(found, [granted, granted, no, no, granted, granted]);
}
