use drawbridge_verify::json::{Bounds, Refused, Value};
use serde_json::json;

const BOUNDS: Bounds = Bounds { depth: 3, values: 8 };

fn parse(text: &str) -> Result<serde_json::Value, Refused> {
    Value::parse(text.as_bytes(), BOUNDS).map(|value| value.to_json())
}

#[test]
fn what_is_json_is_read_as_it_is() {
    let cases = [
        ("null", json!(null)),
        (" true ", json!(true)),
        ("-0", json!(-0.0)),
        ("9223372036854775807", json!(i64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("1.5", json!(1.5)),
        ("1e2", json!(100.0)),
        ("\"\\u00e9\\n\"", json!("\u{e9}\n")),
        ("\"\\ud83e\\udd80\"", json!("\u{1f980}")),
        ("[]", json!([])),
        ("{}", json!({})),
        ("{\"a\":[1,{\"b\":null}]}", json!({"a": [1, {"b": null}]})),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text), Ok(expected), "{text}");
    }
}

#[test]
fn numbers_are_i64_or_a_finite_float() {
    let parse = |text: &'static str| Value::parse(text.as_bytes(), BOUNDS);
    assert_eq!(parse("1"), Ok(Value::Integer(1)));
    assert_eq!(parse("1.0"), Ok(Value::Float(1.0)));
    assert_eq!(parse("18446744073709551615"), Ok(Value::Float(u64::MAX as f64)));
    assert_eq!(parse("1e308"), Ok(Value::Float(1e308)));
    assert_eq!(parse("1e-400"), Ok(Value::Float(0.0)));
    assert_eq!(parse("1e400"), Err(Refused));
    assert_eq!(parse("-1e400"), Err(Refused));
}

#[test]
fn what_is_not_strict_json_is_refused() {
    let cases = [
        "",
        " ",
        "nul",
        "True",
        "undefined",
        "NaN",
        "01",
        "+1",
        ".5",
        "1.",
        "0x1",
        "'a'",
        "\"a",
        "\"\t\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "[1,]",
        "[,]",
        "[1 2]",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\"}",
        "{\"a\":}",
        "1 1",
        "{}{}",
        "[]]",
        "// x\n1",
        "/**/1",
        "\u{feff}1",
        "1\0",
    ];
    for text in cases {
        assert_eq!(parse(text), Err(Refused), "{text:?}");
    }
    for bytes in [&b"\"\xff\""[..], b"\"\xc0\x80\"", b"\"\xed\xa0\x80\"", b"\xef\xbb\xbf1", b"\xff\xfe1\0"] {
        assert_eq!(Value::parse(bytes, BOUNDS), Err(Refused), "{bytes:?}");
    }
}

#[test]
fn a_duplicate_name_is_refused_at_any_depth() {
    let cases = [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"\u0061":3}"#,
        r#"{"":1,"":2}"#,
        r#"[{"x":{"a":1,"a":2}}]"#,
        r#"{"a":{"b":1},"c":{"d":1,"d":1}}"#,
    ];
    for text in cases {
        assert_eq!(parse(text), Err(Refused), "{text}");
    }
    assert!(parse(r#"{"a":{"a":{}},"b":{"a":1},"A":1}"#).is_ok());
}

#[test]
fn the_bounds_are_exact() {
    assert!(parse("[[[1]]]").is_ok());
    assert_eq!(parse("[[[[]]]]"), Err(Refused));
    assert!(parse(r#"{"a":{"b":{"c":1}}}"#).is_ok());
    assert_eq!(parse(r#"{"a":{"b":{"c":{}}}}"#), Err(Refused));
    assert!(parse("[1,2,3,4,5,6,7]").is_ok());
    assert_eq!(parse("[1,2,3,4,5,6,7,8]"), Err(Refused));
    assert!(parse("[[],[],[],[],[],[],[]]").is_ok());
    assert_eq!(parse("[[],[],[],[],[],[],[1]]"), Err(Refused));
    assert_eq!(Value::parse(b"1", Bounds { depth: 0, values: 1 }), Ok(Value::Integer(1)));
    assert_eq!(Value::parse(b"1", Bounds { depth: 0, values: 0 }), Err(Refused));
    assert_eq!(Value::parse(b"[]", Bounds { depth: 0, values: 9 }), Err(Refused));
    let deep = "[".repeat(1000);
    assert_eq!(Value::parse(deep.as_bytes(), Bounds { depth: usize::MAX, values: usize::MAX }), Err(Refused));
}

#[test]
fn a_string_without_escapes_is_borrowed() {
    let text = br#"{"name":"plain","\u0061":"\u0062"}"#;
    let value = Value::parse(text, BOUNDS).unwrap();
    let Value::Object(members) = &value else { panic!("an object") };
    assert!(matches!(
        &members[0],
        (std::borrow::Cow::Borrowed("name"), Value::String(std::borrow::Cow::Borrowed("plain")))
    ));
    assert!(matches!(&members[1], (std::borrow::Cow::Owned(_), Value::String(std::borrow::Cow::Owned(_)))));
}

#[test]
fn the_examples_of_rfc_6901_point_to_what_they_say() {
    let text =
        r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
    let value = Value::parse(text.as_bytes(), Bounds { depth: 3, values: 32 }).unwrap();
    let whole: serde_json::Value = serde_json::from_str(text).unwrap();
    let cases = [
        ("", Some(whole)),
        ("/foo", Some(json!(["bar", "baz"]))),
        ("/foo/0", Some(json!("bar"))),
        ("/", Some(json!(0))),
        ("/a~1b", Some(json!(1))),
        ("/c%d", Some(json!(2))),
        ("/e^f", Some(json!(3))),
        ("/g|h", Some(json!(4))),
        ("/i\\j", Some(json!(5))),
        ("/k\"l", Some(json!(6))),
        ("/ ", Some(json!(7))),
        ("/m~0n", Some(json!(8))),
        ("/m~n", None),
        ("/m~2n", None),
        ("/m~", None),
        ("foo", None),
        ("/foo/", None),
        ("/foo/2", None),
        ("/foo/-", None),
        ("/foo/00", None),
        ("/foo/01", None),
        ("/foo/+1", None),
        ("/foo/1/2", None),
        ("/foo/99999999999999999999", None),
        ("/bar", None),
        ("/m~0n/0", None),
    ];
    for (pointer, expected) in cases {
        assert_eq!(value.pointer(pointer).map(Value::to_json), expected, "{pointer}");
    }
}
