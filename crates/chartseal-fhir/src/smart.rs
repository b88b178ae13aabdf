//! SMART App Launch 2 scopes, such as `patient/Observation.rs?category=…`.

use chartseal_policy::{Action, Scope, Set, Symbol, Window};

use crate::parts::{self, Part, Which};
use crate::types::{Class, ResourceType};

/// What an app may do with which record classes of one patient, as SMART v2 scopes say it.
///
/// A scope is an upper bound: it says nothing of who, why, when, how confidential or how sensitive.
/// These the grant says, and the policy engine decides each access.
///
/// Scopes name resource types, grants name record classes, and a class may hold several types. So the
/// scopes together must name whole classes:
///
/// ```
/// use chartseal_fhir::{SmartError, SmartScopes};
///
/// let vitals = "patient/Observation.rs?category=\
///               http://terminology.hl7.org/CodeSystem/observation-category|vital-signs";
/// let scopes = SmartScopes::parse(vitals)?;
/// assert_eq!(scopes.classes().unwrap()[0].as_str(), "vital-signs");
/// assert_eq!(scopes.to_string(), vitals);
///
/// // The class `medication` also holds what was given and what is taken.
/// let part = SmartScopes::parse("patient/MedicationRequest.rs").unwrap_err();
/// assert!(matches!(part, SmartError::PartOfClass { .. }));
/// # Ok::<(), SmartError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmartScopes {
    /// In the order of SMART's letters.
    letters: String,
    /// `None`: every class.
    classes: Option<Vec<Class>>,
}

/// Why scopes were refused, or a grant can't be said in scopes. It never repeats the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SmartError {
    /// Nothing, or too much.
    #[error("expected 1 to 256 scopes, separated by single spaces")]
    Count,
    /// `launch`, `openid` and the like, or no scope at all.
    #[error("scope {index} is not of the form patient/TYPE.cruds?category=SYSTEM|CODE")]
    Form {
        /// Which, from 0.
        index: usize,
    },
    /// `user/` and `system/` reach beyond one patient.
    #[error("scope {index} is for user or system; a patient's grant is about that patient alone")]
    Context {
        /// Which, from 0.
        index: usize,
    },
    /// SMART v1, or letters out of order.
    #[error("scope {index} needs permissions of v2: letters of cruds, in that order, each once")]
    Permissions {
        /// Which, from 0.
        index: usize,
    },
    /// No record is ever deleted.
    #[error("scope {index} asks to delete; records are amended, never deleted")]
    Delete {
        /// Which, from 0.
        index: usize,
    },
    /// Not a type of R4, or one that is no record.
    #[error("scope {index} names no clinical resource type of FHIR R4")]
    Type {
        /// Which, from 0.
        index: usize,
    },
    /// A filter other than one by category.
    #[error("scope {index} has a filter other than one category parameter with known codes")]
    Filter {
        /// Which, from 0.
        index: usize,
    },
    /// Scopes with different permissions.
    #[error("scope {index} has other permissions than the first; ask for one grant each")]
    MixedPermissions {
        /// Which, from 0.
        index: usize,
    },
    /// A class of which not every type is named.
    #[error("the scopes name only a part of the class {class}: {missing} is missing")]
    PartOfClass {
        /// The class.
        class: Class,
        /// A resource type of it that is missing, or of which a category is.
        missing: &'static str,
    },
    /// A grant of export, or of nothing.
    #[error("SMART has no scope for this grant's actions")]
    Actions,
    /// A grant that names single records, encounters, authors or a period.
    #[error("SMART can't limit a scope to records, encounters, authors or a period")]
    Selectors,
    /// A class that SMART can't name, or a label that is no class of this crate.
    #[error("a class of the grant can't be named by resource types and categories")]
    Class,
}

const MAX_SCOPES: usize = 256;
const LETTERS: [(char, Action); 4] = [
    ('c', Action::Create),
    ('r', Action::Read),
    ('u', Action::Amend),
    ('s', Action::Search),
];

/// What one scope names.
struct Named<'a> {
    letters: &'a str,
    /// `None`: every type.
    resource_type: Option<&'a str>,
    /// Codes, each with its system if one is given; empty: no filter.
    codes: Vec<(Option<&'a str>, &'a str)>,
}

impl SmartScopes {
    /// Reads scopes as an app asks for them, separated by spaces.
    ///
    /// # Errors
    /// [`SmartError`] for whatever can't be granted exactly so.
    pub fn parse(text: &str) -> Result<Self, SmartError> {
        let scopes: Vec<&str> = text.split(' ').take(MAX_SCOPES + 1).collect();
        if scopes.len() > MAX_SCOPES || scopes.iter().any(|scope| scope.is_empty()) {
            return Err(SmartError::Count);
        }
        let scopes = scopes.iter().enumerate();
        let named: Vec<_> = scopes
            .map(|(index, scope)| Named::read(scope, index))
            .collect::<Result<_, _>>()?;
        let letters = named.first().ok_or(SmartError::Count)?.letters;
        if let Some(index) = named.iter().position(|one| one.letters != letters) {
            return Err(SmartError::MixedPermissions { index });
        }
        let is_everything = named.iter().any(|one| one.resource_type.is_none());
        let classes = (!is_everything)
            .then(|| whole_classes(&named))
            .transpose()?;
        Ok(Self {
            letters: letters.to_owned(),
            classes,
        })
    }

    /// The scopes within which an app that this permit speaks of may ask.
    ///
    /// # Errors
    /// [`SmartError`] if a scope would promise more than the permit's actions, classes, records,
    /// encounters, authors and period. Confidentiality and tags have no place in a scope.
    pub fn of_permit(scope: &Scope) -> Result<Self, SmartError> {
        let Scope {
            records,
            encounters,
            authors,
            data,
            ..
        } = scope;
        if records.is_some() || encounters.is_some() || authors.is_some() || *data != Window::ALWAYS
        {
            return Err(SmartError::Selectors);
        }
        let only_read = Set::one(Action::Read);
        let actions = scope.actions.as_ref().unwrap_or(&only_read);
        let letters: String = LETTERS
            .iter()
            .filter(|(_, action)| actions.contains(action))
            .map(|(letter, _)| *letter)
            .collect();
        if letters.is_empty() || letters.len() != actions.len() {
            return Err(SmartError::Actions);
        }
        let class = |symbol: &Symbol| {
            let name = std::str::from_utf8(symbol.as_bytes()).ok();
            let class = name.and_then(Class::from_name);
            let class = class.filter(|class| parts::of_class(*class).iter().all(is_nameable));
            class.ok_or(SmartError::Class)
        };
        let classes = scope.classes.as_ref();
        if classes.is_some_and(Set::is_empty) {
            return Err(SmartError::Class);
        }
        let classes = classes.map(|classes| classes.iter().map(class).collect::<Result<_, _>>());
        Ok(Self {
            letters,
            classes: classes.transpose()?,
        })
    }

    /// The classes that are named; `None`: all.
    pub fn classes(&self) -> Option<&[Class]> {
        self.classes.as_deref()
    }

    /// The actions.
    pub fn actions(&self) -> impl Iterator<Item = Action> + '_ {
        let named = LETTERS
            .iter()
            .filter(|(letter, _)| self.letters.contains(*letter));
        named.map(|(_, action)| *action)
    }

    /// The selectors of a permit for this much: actions and classes. Grantee and purposes, without
    /// which a grant is void, are for the patient's app to add.
    pub fn to_scope(&self) -> Scope {
        // Both lists are shorter than a set may be, and every class name is a symbol.
        let classes = self.classes.as_ref().map(|classes| {
            let symbols = classes
                .iter()
                .filter_map(|one| Symbol::new(one.as_str()).ok());
            Set::new(symbols).unwrap_or_default()
        });
        Scope {
            actions: Some(Set::new(self.actions()).unwrap_or_default()),
            classes,
            ..Scope::default()
        }
    }
}

/// The scopes, separated by spaces: every part of every class.
impl std::fmt::Display for SmartScopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let letters = &self.letters;
        let Some(classes) = &self.classes else {
            return write!(f, "patient/*.{letters}");
        };
        let parts = classes.iter().flat_map(|class| parts::of_class(*class));
        for (index, part) in parts.enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}patient/{}.{letters}", part.resource_type)?;
            if let Which::Category(system, codes) = part.of {
                for (index, code) in codes.iter().enumerate() {
                    let lead = if index == 0 { "?category=" } else { "," };
                    write!(f, "{lead}{system}|{code}")?;
                }
            }
        }
        Ok(())
    }
}

impl<'a> Named<'a> {
    fn read(scope: &'a str, index: usize) -> Result<Self, SmartError> {
        let form = SmartError::Form { index };
        let (context, rest) = scope.split_once('/').ok_or(form)?;
        match context {
            "patient" => {}
            "user" | "system" => return Err(SmartError::Context { index }),
            _ => return Err(form),
        }
        let (rest, filter) = match rest.split_once('?') {
            Some((rest, filter)) => (rest, Some(filter)),
            None => (rest, None),
        };
        let (resource_type, letters) = rest.split_once('.').ok_or(form)?;
        let mut order = "cruds".chars();
        let in_order = letters
            .chars()
            .all(|letter| order.any(|next| next == letter));
        if letters.is_empty() || !in_order {
            return Err(SmartError::Permissions { index });
        }
        if letters.contains('d') {
            return Err(SmartError::Delete { index });
        }
        let resource_type = (resource_type != "*").then_some(resource_type);
        let class = |name| ResourceType::from_name(name).and_then(ResourceType::class);
        if resource_type.is_some_and(|name| class(name).is_none()) {
            return Err(SmartError::Type { index });
        }
        let codes = filter.map_or(Ok(Vec::new()), |filter| {
            let codes = resource_type.and_then(|name| categories(filter, name));
            codes.ok_or(SmartError::Filter { index })
        });
        Ok(Self {
            letters,
            resource_type,
            codes: codes?,
        })
    }

    /// Whether it names all of a part.
    fn names(&self, part: &Part) -> bool {
        if self.resource_type != Some(part.resource_type) {
            return false;
        }
        let lists = |system: &str, code: &str| {
            let same = |(of, named): &(Option<&str>, &str)| {
                *named == code && of.is_none_or(|of| of == system)
            };
            self.codes.iter().any(same)
        };
        match &part.of {
            _ if self.codes.is_empty() => true,
            Which::Category(system, codes) => codes.iter().all(|code| lists(system, code)),
            Which::All | Which::Uncategorized => false,
        }
    }

    /// Whether it names something of a part.
    fn touches(&self, part: &Part) -> bool {
        if self.resource_type != Some(part.resource_type) {
            return false;
        }
        match &part.of {
            _ if self.codes.is_empty() => true,
            Which::Category(_, codes) => self.codes.iter().any(|(_, code)| codes.contains(code)),
            Which::All | Which::Uncategorized => false,
        }
    }
}

/// The codes of a filter `category=SYSTEM|CODE,…`, each of which must be known for the type.
fn categories<'a>(filter: &'a str, resource_type: &str) -> Option<Vec<(Option<&'a str>, &'a str)>> {
    let codes =
        filter
            .strip_prefix("category=")?
            .split(',')
            .map(|token| match token.split_once('|') {
                Some((system, code)) => (Some(system), code),
                None => (None, token),
            });
    let codes: Vec<_> = codes.collect();
    let all_parts = Class::ALL.iter().flat_map(|class| parts::of_class(*class));
    let known: Vec<(&str, &str)> = all_parts
        .filter(|part| part.resource_type == resource_type)
        .filter_map(|part| match part.of {
            Which::Category(system, codes) => {
                Some(codes.into_iter().map(move |code| (system, code)))
            }
            Which::All | Which::Uncategorized => None,
        })
        .flatten()
        .collect();
    let is_known = |(of, named): &(Option<&str>, &str)| {
        let same =
            |(system, code): &(&str, &str)| code == named && of.is_none_or(|of| of == *system);
        known.iter().any(same)
    };
    codes.iter().all(is_known).then_some(codes)
}

/// Every class of which the scopes name something, if they name all of it.
fn whole_classes(named: &[Named<'_>]) -> Result<Vec<Class>, SmartError> {
    let mut whole = Vec::new();
    for class in Class::ALL {
        let parts = parts::of_class(*class);
        if !parts
            .iter()
            .any(|part| named.iter().any(|one| one.touches(part)))
        {
            continue;
        }
        if let Some(missing) = parts
            .iter()
            .find(|part| !named.iter().any(|one| one.names(part)))
        {
            return Err(SmartError::PartOfClass {
                class: *class,
                missing: missing.resource_type,
            });
        }
        whole.push(*class);
    }
    Ok(whole)
}

/// Whether scopes can name all of a part, and nothing else.
fn is_nameable(part: &Part) -> bool {
    !matches!(part.of, Which::Uncategorized)
}
