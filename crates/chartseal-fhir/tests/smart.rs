//! SMART v2 scopes in and out.

#![allow(clippy::unwrap_used, reason = "tests")]

use chartseal_fhir::{Class, SmartError, SmartScopes};
use chartseal_policy::{Action, Confidentiality, Scope, Set, Time};
use proptest::prelude::*;

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

fn permit(classes: Option<&[Class]>, actions: &[Action]) -> Scope {
    let classes = classes.map(|classes| {
        Set::new(classes.iter().map(|class| class.as_str().parse().unwrap())).unwrap()
    });
    let actions = Some(Set::new(actions.iter().copied()).unwrap());
    Scope {
        classes,
        actions,
        ..Scope::default()
    }
}

#[test]
fn scopes_that_name_whole_classes_are_read() {
    let all = SmartScopes::parse("patient/*.crus").unwrap();
    let actions = [Action::Create, Action::Read, Action::Amend, Action::Search];
    assert_eq!(all.to_scope(), permit(None, &actions));

    let vitals = format!("patient/Observation.rs?category={CATEGORY}|vital-signs");
    let both = format!("{vitals} patient/AllergyIntolerance.rs");
    let scope = SmartScopes::parse(&both).unwrap().to_scope();
    let classes = [Class::VITAL_SIGNS, Class::ALLERGY];
    assert_eq!(
        scope,
        permit(Some(&classes), &[Action::Read, Action::Search])
    );

    let list = "patient/Observation.r?category=vital-signs,exam";
    let scope = SmartScopes::parse(list).unwrap().to_scope();
    assert_eq!(
        scope,
        permit(Some(&[Class::VITAL_SIGNS, Class::EXAM]), &[Action::Read])
    );
}

#[test]
fn what_cant_be_granted_exactly_is_refused() {
    let lab = format!("patient/Observation.rs?category={CATEGORY}|laboratory");
    let class = Class::LABORATORY;
    let missing = "DiagnosticReport";
    let index = 0;
    for (text, expected) in [
        ("", SmartError::Count),
        ("patient/*.r  patient/*.r", SmartError::Count),
        ("openid", SmartError::Form { index }),
        ("launch/patient", SmartError::Form { index }),
        ("patient/Observation", SmartError::Form { index }),
        ("user/*.rs", SmartError::Context { index }),
        ("system/*.rs", SmartError::Context { index }),
        ("patient/*.read", SmartError::Permissions { index }),
        ("patient/*.*", SmartError::Permissions { index }),
        ("patient/*.sr", SmartError::Permissions { index }),
        ("patient/*.", SmartError::Permissions { index }),
        ("patient/*.cruds", SmartError::Delete { index }),
        ("patient/Organization.rs", SmartError::Type { index }),
        ("patient/Nothing.rs", SmartError::Type { index }),
        ("patient/*.rs?category=exam", SmartError::Filter { index }),
        (
            "patient/Observation.rs?code=1",
            SmartError::Filter { index },
        ),
        (
            "patient/Observation.rs?category=exam&code=1",
            SmartError::Filter { index },
        ),
        (
            "patient/Observation.rs?category=http://other|exam",
            SmartError::Filter { index },
        ),
        (
            "patient/*.rs patient/AdverseEvent.r",
            SmartError::MixedPermissions { index: 1 },
        ),
        (&*lab, SmartError::PartOfClass { class, missing }),
    ] {
        assert_eq!(SmartScopes::parse(text), Err(expected), "{text}");
    }
    let part = SmartScopes::parse("patient/Observation.rs");
    assert!(matches!(part, Err(SmartError::PartOfClass { .. })));
}

#[test]
fn a_scope_never_promises_more_than_the_permit_selects() {
    let read = permit(Some(&[Class::ALLERGY]), &[Action::Read]);
    let of = SmartScopes::of_permit;
    assert_eq!(
        of(&read).unwrap().to_string(),
        "patient/AllergyIntolerance.r"
    );
    let one = || Some(Set::one("x".parse().unwrap()));
    let mut period = read.clone();
    period.data.until = Some(Time(1));
    let selectors = [
        Scope {
            records: one(),
            ..read.clone()
        },
        Scope {
            encounters: one(),
            ..read.clone()
        },
        Scope {
            authors: one(),
            ..read.clone()
        },
        period,
    ];
    for scope in selectors {
        assert_eq!(of(&scope), Err(SmartError::Selectors));
    }
    assert_eq!(
        of(&permit(None, &[Action::Read, Action::Export])),
        Err(SmartError::Actions)
    );
    assert_eq!(of(&permit(None, &[])), Err(SmartError::Actions));
    assert_eq!(
        of(&permit(Some(&[]), &[Action::Read])),
        Err(SmartError::Class)
    );
    assert_eq!(
        of(&permit(Some(&[Class::OBSERVATION]), &[Action::Read])),
        Err(SmartError::Class)
    );
    assert_eq!(
        of(&Scope {
            classes: one(),
            ..read.clone()
        }),
        Err(SmartError::Class)
    );
    // Neither has a place in a scope: the engine holds to them at each access.
    let limited = Scope {
        conf: Some(Confidentiality::L),
        tags: one(),
        ..read
    };
    assert!(of(&limited).is_ok());
}

proptest! {
    #[test]
    fn scopes_are_read_back_as_they_were_written(
        classes in proptest::sample::subsequence(Class::ALL.to_vec(), 1..6),
        actions in proptest::sample::subsequence(Action::ALL.to_vec(), 1..=4),
    ) {
        let scope = permit(Some(&classes), &actions);
        let Ok(scopes) = SmartScopes::of_permit(&scope) else {
            let unnameable = [Class::OBSERVATION, Class::DIAGNOSTIC_REPORT];
            prop_assert!(actions.contains(&Action::Export) || classes.iter().any(|one| unnameable.contains(one)));
            return Ok(());
        };
        let again = SmartScopes::parse(&scopes.to_string()).unwrap();
        prop_assert_eq!(again.to_scope(), scope);
    }

    #[test]
    fn no_text_panics(text in "(patient/|user/)?[A-Z*][a-z]{0,9}[.][cruds]{0,5}([?]category=[a-z|,]{0,9})?") {
        let _ = SmartScopes::parse(&text);
    }
}
