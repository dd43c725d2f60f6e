//! What a schema takes, what it says of values, and what may be told early.

#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

use crate::{Kind, NoSuchProperty, Schema};

fn unmet(schema: Value, value: Value) -> Option<String> {
    let schema = Schema::new(&schema).unwrap();
    schema
        .check(&value)
        .err()
        .map(|violation| violation.pointer)
}

/// Each keyword with a value that meets it, one that doesn't, and what is named.
#[test]
fn every_keyword_that_is_taken_is_met_and_unmet() {
    let string = || json!({"type": "string"});
    for (schema, good, bad, named) in [
        (json!({"type": "integer"}), json!(1.0), json!(1.5), "/type"),
        (
            json!({"type": ["string", "null"]}),
            json!(null),
            json!(1),
            "/type",
        ),
        (
            json!({"enum": [1, {"a": 1, "b": 2}]}),
            json!({"b": 2.0, "a": 1}),
            json!({"a": 1}),
            "/enum",
        ),
        (json!({"const": "x"}), json!("x"), json!("y"), "/enum"),
        (json!({"minimum": 2}), json!(2), json!(1), "/minimum"),
        (json!({"maximum": 2}), json!("any"), json!(3), "/maximum"),
        (
            json!({"exclusiveMinimum": 2}),
            json!(2.1),
            json!(2),
            "/exclusiveMinimum",
        ),
        (
            json!({"exclusiveMaximum": 2}),
            json!(1.9),
            json!(2),
            "/exclusiveMaximum",
        ),
        (
            json!({"multipleOf": 0.1}),
            json!(0.3),
            json!(0.35),
            "/multipleOf",
        ),
        (
            json!({"minLength": 2}),
            json!("äö"),
            json!("ä"),
            "/minLength",
        ),
        (
            json!({"maxLength": 2}),
            json!("äö"),
            json!("abc"),
            "/maxLength",
        ),
        (
            json!({"pattern": "^a+$"}),
            json!("aa"),
            json!("ab"),
            "/pattern",
        ),
        (
            json!({"prefixItems": [string()]}),
            json!(["a", 1]),
            json!([1]),
            "/prefixItems/0/type",
        ),
        (
            json!({"items": string()}),
            json!(["a"]),
            json!(["a", 1]),
            "/items/type",
        ),
        (
            json!({"contains": string()}),
            json!([1, "a"]),
            json!([1]),
            "/contains",
        ),
        (json!({"minItems": 1}), json!([1]), json!([]), "/minItems"),
        (
            json!({"maxItems": 1}),
            json!([1]),
            json!([1, 2]),
            "/maxItems",
        ),
        (
            json!({"uniqueItems": true}),
            json!([1, "1"]),
            json!([1, 1.0]),
            "/uniqueItems",
        ),
        (
            json!({"properties": {"a/b": string()}}),
            json!({"c": 1}),
            json!({"a/b": 1}),
            "/properties/a~1b/type",
        ),
        (
            json!({"patternProperties": {"^x": string()}}),
            json!({"y": 1}),
            json!({"xy": 1}),
            "/patternProperties/^x/type",
        ),
        (
            json!({"properties": {"a": true}, "additionalProperties": false}),
            json!({"a": 1}),
            json!({"b": 1}),
            "/additionalProperties",
        ),
        (
            json!({"propertyNames": {"maxLength": 1}}),
            json!({"a": 1}),
            json!({"ab": 1}),
            "/propertyNames/maxLength",
        ),
        (
            json!({"required": ["a"]}),
            json!({"a": null}),
            json!({}),
            "/required",
        ),
        (
            json!({"dependentRequired": {"a": ["b"]}}),
            json!({"b": 1}),
            json!({"a": 1}),
            "/dependentRequired",
        ),
        (
            json!({"minProperties": 1}),
            json!({"a": 1}),
            json!({}),
            "/minProperties",
        ),
        (
            json!({"maxProperties": 1}),
            json!({"a": 1}),
            json!({"a": 1, "b": 1}),
            "/maxProperties",
        ),
        (
            json!({"allOf": [string()]}),
            json!("a"),
            json!(1),
            "/allOf/0/type",
        ),
        (
            json!({"anyOf": [string(), {"minimum": 2}]}),
            json!(3),
            json!(1),
            "/anyOf",
        ),
        (
            json!({"oneOf": [string(), {"maxLength": 2}]}),
            json!("abc"),
            json!("ab"),
            "/oneOf",
        ),
        (json!({"not": string()}), json!(1), json!("a"), "/not"),
        (
            json!({"if": string(), "then": {"minLength": 1}, "else": {"minimum": 1}}),
            json!("a"),
            json!(""),
            "/then/minLength",
        ),
        (
            json!({"if": string(), "else": {"minimum": 1}}),
            json!(""),
            json!(0),
            "/else/minimum",
        ),
        (
            json!({"$ref": "#/$defs/a", "$defs": {"a": string()}}),
            json!("a"),
            json!(1),
            "/$defs/a/type",
        ),
        (
            json!({"properties": {"next": {"$ref": "#"}}, "required": ["id"]}),
            json!({"id": 1, "next": {"id": 2}}),
            json!({"id": 1, "next": {}}),
            "/required",
        ),
    ] {
        assert_eq!(unmet(schema.clone(), good.clone()), None, "{schema} {good}");
        assert_eq!(
            unmet(schema.clone(), bad.clone()).as_deref(),
            Some(named),
            "{schema} {bad}"
        );
    }
}

#[test]
fn a_schema_that_says_more_than_is_understood_is_refused_by_name() {
    for (schema, says) in [
        (
            json!({"properties": {"a": {"unevaluatedProperties": false}}}),
            "`/properties/a/unevaluatedProperties`",
        ),
        (json!({"$dynamicRef": "#x"}), "`$dynamicRef` isn't taken"),
        (json!({"$ref": "https://example.org/x"}), "is elsewhere"),
        (json!({"$ref": "#/$defs/x"}), "nothing at `#/$defs/x`"),
        (json!({"$ref": "#"}), "leads back to itself"),
        (json!({"anyOf": [{"$ref": "#"}]}), "leads back to itself"),
        (json!({"pattern": "("}), "no regular expression"),
        (
            json!({"pattern": "(a{1000}){1000}"}),
            "no regular expression",
        ),
        (json!({"type": "text"}), "is no type"),
        (json!({"minimum": "1"}), "`/minimum`: a number"),
        (json!({"multipleOf": 0}), "above 0"),
        (json!({"anyOf": []}), "at least one"),
        (json!([]), "a schema is an object"),
    ] {
        let error = Schema::new(&schema).unwrap_err();
        assert!(error.contains(says), "{schema}: {error}");
    }
}

/// Alternatives of alternatives, of which each level doubles the work, end at the bound, and as no match.
#[test]
fn work_is_bounded() {
    let twice = json!({"not": {"anyOf": [
        {"items": {"$ref": "#"}, "minItems": 9}, {"items": {"$ref": "#"}, "maxItems": 0}, {"items": {"$ref": "#"}}
    ]}});
    let mut deep = json!([]);
    for _ in 0..60 {
        deep = json!([deep]);
    }
    let schema = Schema::new(&twice).unwrap();
    assert!(schema.check(&deep).is_err());
}

#[test]
fn a_type_that_cant_be_is_told_by_its_first_character() {
    let schema = Schema::new(&json!({
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/number"}, "b": {"enum": ["x", null]}, "c": {"items": {"type": "string"}}},
        "additionalProperties": false,
        "$defs": {"number": {"type": "number"}}
    }))
    .unwrap();
    let root = schema.root();
    assert!(schema.may_be(root, Kind::Object) && !schema.may_be(root, Kind::Array));
    let at = |name| schema.property(root, name).unwrap().unwrap();
    assert!(schema.may_be(at("a"), Kind::Number) && !schema.may_be(at("a"), Kind::String));
    assert!(schema.may_be(at("b"), Kind::Null) && !schema.may_be(at("b"), Kind::Number));
    let item = schema.item(at("c"), 3).unwrap();
    assert!(!schema.may_be(item, Kind::Null));
    assert_eq!(schema.property(root, "d"), Err(NoSuchProperty));
}

#[test]
fn a_key_that_stands_twice_is_an_error_at_every_depth() {
    for text in [
        r#"{"cmd": "rm -rf /", "cmd": "ls"}"#,
        r#"{"\u0063md": "rm -rf /", "cmd": "ls"}"#,
        r#"[1, {"a": {"b": 1, "c": 2, "\u0062": 3}}]"#,
        r#"{"": 1, "": 1}"#,
    ] {
        assert_eq!(crate::read(text), Err(crate::Unread::Repeated), "{text}");
    }
    for text in ["", "{", "{} {}", "[1,]", "nul", &"[".repeat(500)] {
        assert_eq!(crate::read(text), Err(crate::Unread::Syntax), "{text}");
    }
    for text in [
        r#" {"a": {"a": [null, true, -1, 18446744073709551615, 1.5e3, "\u00e9\n"]}, "A": {"a": {}}} "#,
        "-0.0",
        r#""x""#,
    ] {
        let plain: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(crate::read(text), Ok(plain), "{text}");
    }
}
