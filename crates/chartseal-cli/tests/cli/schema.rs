//! Checks JSON documents against `docs/schema`.
//!
//! The crate `jsonschema` would bring some 95 others. This covers the keywords that our schemas use,
//! and refuses any other, so that none is passed over.

use regex_lite::Regex;
use serde_json::{Map, Value};

/// A schema of `docs/schema`.
pub(crate) fn read(name: &str) -> Value {
    let path = format!("{}/../../docs/schema/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&text).unwrap()
}

/// What is wrong with a document, each with its place; nothing if it validates.
pub(crate) fn faults(schema: &Value, document: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, document, "", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    for (keyword, wants) in schema.as_object().expect("a schema is an object") {
        let held = match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" => true,
            "type" => has_type(wants, value),
            "const" => value == wants,
            "enum" => wants.as_array().unwrap().contains(value),
            "minimum" => value.as_i64().is_none_or(|n| n >= wants.as_i64().unwrap()),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() >= count(wants)),
            "pattern" => value.as_str().is_none_or(|text| matches(wants, text)),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() >= count(wants)),
            "minProperties" => object(value).is_none_or(|o| o.len() >= count(wants)),
            "required" => object(value).is_none_or(|o| {
                let mut names = wants.as_array().unwrap().iter();
                names.all(|name| o.contains_key(name.as_str().unwrap()))
            }),
            "propertyNames" => {
                object(value).is_none_or(|o| o.keys().all(|name| matches(&wants["pattern"], name)))
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wants, item, &format!("{at}/{index}"), faults);
                }
                true
            }
            "properties" => {
                for (name, schema) in wants.as_object().unwrap() {
                    if let Some(member) = value.get(name) {
                        check(root, schema, member, &format!("{at}/{name}"), faults);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(object);
                let known = |name: &String| known.is_some_and(|known| known.contains_key(name));
                let others = object(value).into_iter().flatten();
                let others: Vec<_> = others.filter(|(name, _)| !known(name)).collect();
                if wants.is_object() {
                    for (name, member) in &others {
                        check(root, wants, member, &format!("{at}/{name}"), faults);
                    }
                }
                wants != &Value::Bool(false) || others.is_empty()
            }
            "$ref" => {
                let target = wants.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(target).unwrap(), value, at, faults);
                true
            }
            "oneOf" => {
                let alternatives = wants.as_array().unwrap().iter();
                let fit = alternatives.filter(|schema| {
                    let mut faults = Vec::new();
                    check(root, schema, value, at, &mut faults);
                    faults.is_empty()
                });
                fit.count() == 1
            }
            other => panic!("the keyword {other:?} is not supported: add it here"),
        };
        if !held {
            faults.push(format!("{at}: {keyword} {wants}, found {value}"));
        }
    }
}

fn has_type(wants: &Value, value: &Value) -> bool {
    match wants.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the type {other:?} is not supported: add it here"),
    }
}

fn object(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object()
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn matches(pattern: &Value, text: &str) -> bool {
    Regex::new(pattern.as_str().unwrap())
        .unwrap()
        .is_match(text)
}

/// Every way in which one member of a document can be wrong, somewhere: gone, of another type, or
/// with a stranger beside it.
pub(crate) fn spoiled(document: &Value) -> Vec<Value> {
    let mut spoiled = Vec::new();
    for path in objects(document, "") {
        let object = document.pointer(&path).unwrap().as_object().unwrap();
        let mut with = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut copy = document.clone();
            change(copy.pointer_mut(&path).unwrap().as_object_mut().unwrap());
            spoiled.push(copy);
        };
        for name in object.keys() {
            with(&|o| {
                o.remove(name);
            });
            with(&|o| {
                o.insert(name.clone(), Value::from(-1.5));
            });
        }
        with(&|o| {
            o.insert("Stranger!".into(), Value::from("x"));
        });
    }
    spoiled
}

/// Pointers to every object of a document.
fn objects(value: &Value, at: &str) -> Vec<String> {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, v)| (i.to_string(), v))
            .collect(),
        _ => Vec::new(),
    };
    let mut found = Vec::from_iter(value.is_object().then(|| at.to_owned()));
    for (name, member) in members {
        found.extend(objects(member, &format!("{at}/{name}")));
    }
    found
}

#[test]
fn the_checker_sees_each_fault() {
    let schema = serde_json::json!({
        "type": "object", "additionalProperties": false, "required": ["a"], "minProperties": 1,
        "properties": {
            "a": {"type": "integer", "minimum": 1},
            "b": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2},
            "c": {"type": "array", "minItems": 1, "items": {"enum": ["x", "y"]}},
            "d": {"oneOf": [{"const": 1}, {"$ref": "#/$defs/none"}]},
            "e": {"propertyNames": {"pattern": "^k"}, "additionalProperties": {"type": "boolean"}},
        },
        "$defs": {"none": {"type": "null"}},
    });
    let good = serde_json::json!({"a": 1, "b": "xy", "c": ["x"], "d": null, "e": {"k1": true}});
    assert_eq!(faults(&schema, &good), Vec::<String>::new());
    for bad in [
        "{}",
        "[]",
        r#"{"a": 0}"#,
        r#"{"a": 1.5}"#,
        r#"{"a": 1, "z": 1}"#,
        r#"{"a": 1, "b": "X1"}"#,
        r#"{"a": 1, "b": "x"}"#,
        r#"{"a": 1, "c": []}"#,
        r#"{"a": 1, "c": ["z"]}"#,
        r#"{"a": 1, "d": 2}"#,
        r#"{"a": 1, "e": {"x": true}}"#,
        r#"{"a": 1, "e": {"k": 1}}"#,
    ] {
        let document = serde_json::from_str(bad).unwrap();
        assert!(!faults(&schema, &document).is_empty(), "{bad}");
    }
}
