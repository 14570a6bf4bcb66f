#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::Value as Serde;

use super::*;

/// Reads a document's values, and holds the ways to read it against each other.
fn read(text: &str) -> Result<Vec<(String, Json<'_>)>, Malformed> {
    let mut cursor = Cursor::new(text, &mut []);
    let result = members(&mut cursor, false);
    let mut as_text = Cursor::new(text, &mut []);
    let skipped = members(&mut as_text, true);
    match (&result, &skipped) {
        (Ok(parsed), Ok(skipped)) => {
            for ((_, parsed), (_, skipped)) in parsed.iter().zip(skipped) {
                if let Json::Text(text) = skipped {
                    let text = std::str::from_utf8(text).unwrap();
                    let mut cursor = Cursor::new(text, &mut []);
                    assert_eq!(&cursor.tree(1).unwrap(), parsed);
                }
            }
        }
        (Err(one), Err(other)) => assert_eq!(one, other, "{text}"),
        _ => panic!("{result:?} and {skipped:?} of {text}"),
    }
    result
}

fn members<'a>(
    cursor: &mut Cursor<'a>,
    as_text: bool,
) -> Result<Vec<(String, Json<'a>)>, Malformed> {
    let mut members = Vec::new();
    cursor.open()?;
    while cursor.next_key(members.is_empty())? {
        let key = cursor.key()?;
        let name = cursor.name_of(key).into_owned();
        cursor.colon()?;
        let mut value = Json::Null;
        cursor.value(&mut value, || as_text)?;
        members.push((name, value));
    }
    cursor.end()?;
    Ok(members)
}

fn number(text: &'static str) -> Json<'static> {
    Json::Number(text.as_bytes())
}

fn string(text: &'static str) -> Json<'static> {
    Json::String(text.as_bytes().into())
}

#[test]
fn values_of_every_kind() {
    let text = " {\"a\" : -0.5e+3 ,\t\"b\":\"x\",\"\":true,\r\n\"c\":[ ] , \"d\":{\"e\":[null,false,1]}}\n";
    let object = Json::Object(vec![(
        "e".into(),
        Json::Array(vec![Json::Null, Json::Bool(false), number("1")]),
    )]);
    let expected = [
        ("a", number("-0.5e+3")),
        ("b", string("x")),
        ("", Json::Bool(true)),
        ("c", Json::Array(vec![])),
        ("d", object),
    ];
    assert_eq!(read(text).unwrap(), expected.map(|(name, json)| (name.to_owned(), json)));
    assert_eq!(read("{}").unwrap(), []);
}

#[test]
fn objects_and_arrays_as_they_are_written() {
    let mut cursor = Cursor::new("{\"a\": [ 1 ,{\"b\" :2}] }", &mut []);
    assert_eq!(
        members(&mut cursor, true).unwrap(),
        [("a".to_owned(), Json::Text(b"[ 1 ,{\"b\" :2}]"))]
    );
}

#[test]
fn escapes_are_resolved() {
    let text =
        r#"{"a\u0062\/":"\"\\\/\b\f\n\r\t\u00e9\u6F22\uD83D\uDE00 é","c":"plain","d":"\u0000"}"#;
    for room in [0, 5, text.len()] {
        let mut scratch = vec![0; room];
        let mut cursor = Cursor::new(text, &mut scratch);
        assert_eq!(
            members(&mut cursor, false).unwrap(),
            [
                ("ab/".to_owned(), string("\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{6f22}\u{1f600} \u{e9}")),
                ("c".to_owned(), string("plain")),
                ("d".to_owned(), string("\0")),
            ]
        );
    }
}

#[test]
fn with_room_no_text_is_allocated() {
    let text = r#"{"a":"\n\u00e9\uD83D\uDE00","b":"\\\\\\\\"}"#;
    let mut scratch = vec![0; text.len()];
    let mut cursor = Cursor::new(text, &mut scratch);
    for (_, json) in members(&mut cursor, false).unwrap() {
        assert!(matches!(json, Json::String(Cow::Borrowed(_))));
    }
}

fn fault(text: &str) -> (usize, What) {
    let malformed = read(text).unwrap_err();
    (malformed.at, malformed.what)
}

#[test]
fn each_fault_has_a_name_and_a_place() {
    let cases: &[(&str, usize, What)] = &[
        ("[{}]", 0, What::NotAnObject),
        (" 12\n", 1, What::NotAnObject),
        ("\"a\"", 0, What::NotAnObject),
        ("hello", 0, What::Value),
        ("1 2", 2, What::After),
        ("{", 1, What::Ends),
        ("{\"a", 3, What::Ends),
        ("{\"a\"", 4, What::Ends),
        ("{\"a\":", 5, What::Ends),
        ("{\"a\":1", 6, What::Ends),
        ("{\"a\":tru", 5, What::Value),
        ("{\"a\":[1,", 8, What::Ends),
        ("{a:1}", 1, What::Key),
        ("{'a':1}", 1, What::Key),
        ("{\"a\":1,}", 7, What::Key),
        ("{,}", 1, What::Key),
        ("{\"a\" 1}", 5, What::Colon),
        ("{\"a\":1 \"b\":2}", 7, What::ObjectEnd),
        ("{\"a\":1]", 6, What::ObjectEnd),
        ("{\"a\":[1 2]}", 8, What::ArrayEnd),
        ("{\"a\":[1,]}", 8, What::Value),
        ("{\"a\":[,1]}", 6, What::Value),
        ("{\"a\":}", 5, What::Value),
        ("{\"a\":+1}", 5, What::Value),
        ("{\"a\":.5}", 5, What::Value),
        ("{\"a\":NaN}", 5, What::Value),
        ("{\"a\":True}", 5, What::Value),
        ("{\"a\":01}", 6, What::Number),
        ("{\"a\":-}", 6, What::Number),
        ("{\"a\":1.}", 7, What::Number),
        ("{\"a\":1e}", 7, What::Number),
        ("{\"a\":0x10}", 6, What::ObjectEnd),
        ("{\"a\":nulls}", 9, What::ObjectEnd),
        ("{\"a\":\"\\x\"}", 7, What::Escape),
        ("{\"a\":\"\\u12G4\"}", 10, What::Escape),
        ("{\"a\":\"\\uD800\"}", 6, What::Surrogate),
        ("{\"a\":\"\\uD800\\n\"}", 6, What::Surrogate),
        ("{\"a\":\"\\uD800\\u0041\"}", 6, What::Surrogate),
        ("{\"a\":\"x\\uDC00\"}", 7, What::Surrogate),
        ("{\"a\":\"tab\there\"}", 9, What::Control),
        ("{\"a\":\"\0\"}", 6, What::Control),
        ("{\"a\":1} {\"a\":2}", 8, What::After),
        ("{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", 18, What::Twice),
        ("{\"a\":{\"b\":1,\"\\u0062\":3}}", 12, What::Twice),
        ("{\"a\":[{\"b\":1},{\"b\":1,\"b\":1}]}", 21, What::Twice),
    ];
    for (text, at, what) in cases {
        assert_eq!(fault(text), (*at, *what), "{text}");
        assert!(Cursor::check(text).is_err(), "{text}");
    }
}

#[test]
fn a_key_twice_among_many() {
    let many: String = (0..1000).map(|i| format!("\"{i}\":1,")).collect();
    let text = format!("{{\"a\":{{{many}\"x\":0,\"777\":2}}}}");
    assert_eq!(fault(&text), (text.len() - 9, What::Twice));
    assert!(read(&text.replace("\"777\":2", "\"y\":2")).is_ok());
}

#[test]
fn nesting_is_bounded_and_never_overflows_the_stack() {
    let nested = |depth: usize| {
        let (open, close) = ("[{\"a\":".repeat(depth / 2), "}]".repeat(depth / 2));
        let (inner, end) = if depth % 2 == 1 { ("[", "]") } else { ("1", "") };
        format!("{{\"a\":{open}{inner}{end}{close}}}")
    };
    assert!(read(&nested(MAX_DEPTH - 1)).is_ok());
    assert_eq!(fault(&nested(MAX_DEPTH)).1, What::Depth);
    assert_eq!(fault(&nested(10_000)).1, What::Depth);
    assert!(Cursor::check(&nested(MAX_DEPTH - 1)).is_ok());
    for text in [nested(1_000_000), "[".repeat(1_000_000), "{\"a\":".repeat(1_000_000)] {
        assert_eq!(Cursor::check(&text).unwrap_err().what, What::Depth);
    }
}

#[test]
fn nested_values_are_bounded() {
    let array = |count: usize| format!("{{\"a\":[{}1]}}", "1,".repeat(count - 1));
    let parse = |text: &str| members(&mut Cursor::new(text, &mut []), false).map(|_| ());
    assert!(parse(&array(MAX_NESTED)).is_ok());
    assert_eq!(parse(&array(MAX_NESTED + 1)).unwrap_err().what, What::Size);
    let keys: String = (0..=MAX_NESTED).map(|key| format!("\"{key}\":1,")).collect();
    let text = format!("{{\"a\":{{{keys}\"x\":1}}}}");
    assert_eq!(parse(&text).unwrap_err().what, What::Size);
    assert_eq!(Cursor::check(&text).unwrap_err().what, What::Size);
}

/// What serde_json reads, as this module gives it.
fn as_serde(json: &Json<'_>) -> Serde {
    match json {
        Json::Null => Serde::Null,
        Json::Bool(value) => Serde::Bool(*value),
        Json::Number(text) => serde_json::from_slice(text).unwrap(),
        Json::String(text) => Serde::String(String::from_utf8(text.to_vec()).unwrap()),
        Json::Array(elements) => elements.iter().map(as_serde).collect(),
        Json::Object(members) => {
            members.iter().map(|(name, json)| (name.to_string(), as_serde(json))).collect()
        }
        Json::Text(_) => panic!("nothing was asked for as text"),
    }
}

/// Holds the cursor against serde_json: both read a document, and the same in it, or neither
/// does. But serde_json takes any key twice, and no number beyond a double's range.
fn agree(text: &str) {
    let theirs = serde_json::from_str::<Serde>(text);
    match (read(text), &theirs) {
        (Ok(members), Ok(Serde::Object(object))) => {
            assert_eq!(members.len(), object.len());
            for (name, json) in &members {
                assert_eq!(&as_serde(json), object.get(name).unwrap(), "{text}");
            }
        }
        (Ok(_), Err(error)) if error.to_string().contains("number out of range") => {}
        (Err(Malformed { what: What::NotAnObject, .. }), Ok(other)) => assert!(!other.is_object()),
        (Err(Malformed { what: What::Depth | What::Twice, .. }), _) => {}
        // The first key of an object that is there twice may come before any other fault.
        (Err(_), Err(_)) => {}
        (ours, theirs) => {
            let twice = ours.as_ref().is_ok_and(|members| {
                let mut names: Vec<_> = members.iter().map(|(name, _)| name).collect();
                names.sort();
                names.windows(2).any(|pair| pair[0] == pair[1])
            });
            assert!(twice, "{ours:?} and {theirs:?} of {text}");
        }
    }
}

fn document() -> impl Strategy<Value = Serde> {
    let text = || {
        prop_oneof![
            "[a-c\\\\\"\\n\\t\u{0}é漢😀/]{0,12}",
            prop::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter),
        ]
    };
    let leaf = prop_oneof![
        Just(Serde::Null),
        any::<bool>().prop_map(Serde::from),
        any::<i64>().prop_map(Serde::from),
        any::<f64>().prop_map(Serde::from),
        text().prop_map(Serde::from),
    ];
    let value = leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Serde::from),
            prop::collection::btree_map(text(), inner, 0..6)
                .prop_map(|members| Serde::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-d\\\\é]{0,3}", value, 0..6)
        .prop_map(|members| Serde::Object(members.into_iter().collect()))
}

/// One change of a text: where, how many characters go, and what comes.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, &'static str)>> {
    let piece = prop::sample::select(vec![
        "", "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d", "\\ude00", "0", "-", ".",
        "e", "+", "null", "1E9", "tru", " ", "\n", "\t", "\u{1}", "é", "\u{feff}",
    ]);
    prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3, piece), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn serde_json_reads_the_same(document in document(), pretty in any::<bool>(), changes in changes()) {
        let mut text = if pretty {
            serde_json::to_string_pretty(&document).unwrap()
        } else {
            document.to_string()
        };
        agree(&text);
        for (index, removed, piece) in changes {
            let characters: Vec<char> = text.chars().collect();
            let at = index.index(characters.len() + 1);
            let rest = characters.iter().skip(at + removed);
            text = characters.iter().take(at).copied().chain(piece.chars()).chain(rest.copied()).collect();
            agree(&text);
        }
    }

    #[test]
    fn any_text_is_read_without_panic(
        text in prop_oneof![
            any::<String>(),
            "[\\[\\]{},:\"\\\\ 0-9.eEu+tfn-]{0,40}",
            "\\{\"a\":[\\[\\]{},:\"\\\\ 0-9.eEu+tfn-]{0,40}",
        ]
    ) {
        agree(&text);
        let _ = Cursor::check(&text);
    }
}
