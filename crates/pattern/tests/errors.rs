//! What is refused, with the whole message: a table for every check of patterns, and the limits.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use landfall_pattern::{Event, EventError, Pattern};

#[track_caller]
fn message(pattern: &str) -> String {
    match Pattern::parse(pattern) {
        Ok(_) => panic!("accepted: {pattern}"),
        Err(error) => {
            assert!(error.to_string().contains(error.reason()));
            error.to_string()
        }
    }
}

/// `column` 0 stands for no location, a negative one for a location that is there twice.
#[track_caller]
fn check(pattern: &str, reason: &str, column: i32) {
    let at = column.abs();
    let suffix = format!("\n at [Source: (String)\"{pattern}\"; line: 1, column: {at}]");
    let suffix = match column {
        0 => String::new(),
        1.. => suffix,
        _ => suffix.repeat(2),
    };
    assert_eq!(
        message(pattern),
        format!("Event pattern is not valid. Reason: {reason}{suffix}")
    );
}

#[test]
fn shape() {
    for (pattern, reason, column) in [
        ("", "Filter is not an object", 1),
        ("[]", "Filter is not an object", 2),
        (r#""x""#, "Filter is not an object", 2),
        ("12", "Filter is not an object", 3),
        (
            r#"{"string": "my-value"}"#,
            r#""string" must be an object or an array"#,
            13,
        ),
        (
            r#"{"int": 42}"#,
            r#""int" must be an object or an array"#,
            11,
        ),
        (r#"{"a":true}"#, r#""a" must be an object or an array"#, 10),
        (r#"{"a":null}"#, r#""a" must be an object or an array"#, 10),
        ("{}", "Empty objects are not allowed", 3),
        (r#"{"a":{}}"#, "Empty objects are not allowed", 8),
        (r#"{"resources": []}"#, "Empty arrays are not allowed", 17),
        (
            r#"{"a":[[1]]}"#,
            "Match value must be String, number, true, false, or null",
            8,
        ),
        (r#"{"a":[{}]}"#, "Match expression name not found", 9),
        (
            r#"{"a": [{"EXISTS": true}]}"#,
            "Unrecognized match type EXISTS",
            23,
        ),
        (
            r#"{"a": [{"NUMERIC": ["=", 5]}]}"#,
            "Unrecognized match type NUMERIC",
            21,
        ),
        (r#"{"a":[{"b":{"c":1}}]}"#, "Unrecognized match type b", 13),
    ] {
        check(pattern, reason, column);
    }
}

#[test]
fn json_syntax() {
    let kinds =
        "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    let start = r#"(start marker at [Source: (String)"{"a":["x""; line: 1, column: 6])"#;
    for (pattern, reason, column) in [
        ("this is no JSON", format!("Unrecognized token 'this': {kinds}"), 5),
        (r#"{"not": closed mark""#, format!("Unrecognized token 'closed': {kinds}"), 15),
        (
            "{'bad': 'quotation'}",
            "Unexpected character (''' (code 39)): was expecting double-quote to start field name".into(),
            2,
        ),
        (
            r#"{"a" 1}"#,
            "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value"
                .into(),
            6,
        ),
        (
            r#"{"a":["x" "y"]}"#,
            "Unexpected character ('\"' (code 34)): was expecting comma to separate Array entries".into(),
            11,
        ),
        (
            r#"{"a":["x""#,
            format!("Unexpected end-of-input: expected close marker for Array {start}"),
            10,
        ),
        (r#"{"a":[01]}"#, "Invalid numeric value: Leading zeroes not allowed".into(), 8),
        (r#"{"a":["\x"]}"#, "Unrecognized character escape 'x' (code 120)".into(), 10),
        (r#"{"a":[1,]}"#, "Unexpected character (']' (code 93)): expected a value".into(), 9),
    ] {
        check(pattern, &reason, column);
    }
}

#[test]
fn locations_count_lines_and_units() {
    let error = message("{\r\n \"é😀\": 1}");
    assert!(error.ends_with("line: 2, column: 10]"), "{error}");
    let long = format!("{{\"a\":[\"{}\"],\"b\":1}}", "x".repeat(600));
    let error = message(&long);
    let shown: String = long.chars().take(500).collect();
    let cut = long.len() - 500;
    assert!(
        error.contains(&format!(
            "\"{shown}\"[truncated {cut} chars]; line: 1, column: 616]"
        )),
        "{error}"
    );
}

#[test]
fn keys_beyond_the_one() {
    for matcher in [
        r#""exactly":"x""#,
        r#""prefix":"x""#,
        r#""suffix":"x""#,
        r#""equals-ignore-case":"x""#,
        r#""wildcard":"x""#,
        r#""exists":true"#,
        r#""cidr":"10.0.0.0/8""#,
    ] {
        let pattern = format!(r#"{{"a":[{{{matcher},"b":1}}]}}"#);
        let column = i32::try_from(pattern.len()).unwrap() - 2;
        check(&pattern, "Only one key allowed in match expression", column);
    }
    for matcher in [
        r#""numeric":["=",1]"#,
        r#""anything-but":"x""#,
        r#""anything-but":{"prefix":"x"}"#,
    ] {
        let pattern = format!(r#"{{"a":[{{{matcher},"b":1}}]}}"#);
        let column = i32::try_from(pattern.len()).unwrap() - 2;
        check(&pattern, "Too many elements in numeric expression", column);
    }
    let inner = r#"{"a":[{"prefix":{"equals-ignore-case":"x","y":1}}]}"#;
    check(inner, "Only one key allowed in match expression", 48);
}

#[test]
fn string_operands() {
    for (pattern, reason, column) in [
        (
            r#"{"a":[{"exactly":1}]}"#,
            "exact match pattern must be a string",
            19,
        ),
        (
            r#"{"a":[{"prefix":123}]}"#,
            "prefix match pattern must be a string",
            20,
        ),
        (
            r#"{"a":[{"prefix":["x"]}]}"#,
            "prefix match pattern must be a string",
            18,
        ),
        (
            r#"{"a":[{"suffix":null}]}"#,
            "suffix match pattern must be a string",
            21,
        ),
        (
            r#"{"a":[{"equals-ignore-case":{}}]}"#,
            "equals-ignore-case match pattern must be a string",
            30,
        ),
        (
            r#"{"a":[{"wildcard":123}]}"#,
            "wildcard match pattern must be a string",
            22,
        ),
        (
            r#"{"a":[{"wildcard":["x"]}]}"#,
            "wildcard match pattern must be a string",
            20,
        ),
        (
            r#"{"a":[{"cidr":1}]}"#,
            "prefix match pattern must be a string",
            16,
        ),
        (
            r#"{"a":[{"exists":"true"}]}"#,
            "exists match pattern must be either true or false.",
            18,
        ),
        (
            r#"{"a":[{"prefix":{"suffix":"x"}}]}"#,
            "Unsupported prefix pattern: suffix",
            28,
        ),
        (
            r#"{"a":[{"suffix":{"prefix":"x"}}]}"#,
            "Unsupported suffix pattern: prefix",
            28,
        ),
        (
            r#"{"a":[{"prefix":{}}]}"#,
            "Prefix expression name not found",
            19,
        ),
        (
            r#"{"a":[{"suffix":{}}]}"#,
            "Suffix expression name not found",
            19,
        ),
        (
            r#"{"a":[{"suffix":{"equals-ignore-case":1}}]}"#,
            "equals-ignore-case match pattern must be a string",
            40,
        ),
    ] {
        check(pattern, reason, column);
    }
}

#[test]
fn wildcards() {
    for (pattern, reason, column) in [
        (
            r#"{"a":[{"wildcard":"a**"}]}"#,
            "Consecutive wildcard characters at pos 2",
            24,
        ),
        (
            r#"{"a":[{"wildcard":"é**"}]}"#,
            "Consecutive wildcard characters at pos 3",
            24,
        ),
        (
            r#"{"a":[{"wildcard":"a\\b"}]}"#,
            "Invalid escape character at pos 2",
            25,
        ),
        (
            r#"{"a":[{"wildcard":"ab\\"}]}"#,
            "Invalid escape character at pos 3",
            25,
        ),
    ] {
        check(pattern, reason, column);
    }
    assert!(Pattern::parse(r#"{"a":[{"wildcard":"a\\**"}]}"#).is_ok());
}

#[test]
fn cidr() {
    for (operand, reason) in [
        ("", "Malformed CIDR, one '/' required"),
        ("10.0.0.0", "Malformed CIDR, one '/' required"),
        ("10.0.0.0/", "Malformed CIDR, one '/' required"),
        ("10.0.0.0/8/8", "Malformed CIDR, one '/' required"),
        ("10.0.0.0/x", "Malformed CIDR, mask bits must be an integer"),
        (
            "10.0.0.0/9999999999",
            "Malformed CIDR, mask bits must be an integer",
        ),
        ("10.0.0.0//8", "Malformed CIDR, one '/' required"),
        (
            "10.0.0.0/-1",
            "Malformed CIDR, mask bits must not be negative",
        ),
        ("bad/8", "Nonstandard IP address: bad"),
        ("/8", "Nonstandard IP address: "),
        (
            "::ffff:10.0.0.1/8",
            "Nonstandard IP address: ::ffff:10.0.0.1",
        ),
        ("10.0.0.256/8", "Invalid IP address: 10.0.0.256"),
        ("10.0.0.0/32", "IPv4 mask bits must be < 32"),
        ("::1/128", "IPv6 mask bits must be < 128"),
    ] {
        check(&format!(r#"{{"a":[{{"cidr":"{operand}"}}]}}"#), reason, 0);
    }
}

#[test]
fn numeric() {
    for (operand, reason, column) in [
        ("5", "Value of numeric must be an array.", 1),
        ("[]", "Invalid member in numeric match: ]", 2),
        ("[5]", "Invalid member in numeric match: 5", 2),
        ("[{}]", "Invalid member in numeric match: {", 2),
        (r#"["!",5]"#, "Unrecognized numeric range operator: !", 6),
        (r#"["="]"#, "Value of equals must be numeric", 5),
        (r#"["=","5"]"#, "Value of equals must be numeric", 6),
        (r#"["<",null]"#, "Value of < must be numeric", 9),
        (r#"["<=",true]"#, "Value of <= must be numeric", 10),
        (r#"[">",[]]"#, "Value of > must be numeric", 6),
        (r#"[">=",{}]"#, "Value of >= must be numeric", 7),
        (r#"["=",5,6]"#, "Too many elements in numeric expression", 8),
        (
            r#"["<",5,">",1]"#,
            "Too many elements in numeric expression",
            8,
        ),
        (
            r#"["<=",5,6]"#,
            "Too many elements in numeric expression",
            9,
        ),
        (r#"[">",5,6]"#, "Bad value in numeric range: 6", 8),
        (r#"[">",0,">",0]"#, "Bad numeric range operator: >", 10),
        (r#"[">",0,"<"]"#, "Value of < must be numeric", 11),
        (r#"[">",0,"<=","x"]"#, "Value of <= must be numeric", 13),
        (
            r#"[">",0,"<",1,2]"#,
            "Too many terms in numeric range expression",
            14,
        ),
        (r#"[">",5,"<",5]"#, "Bottom must be less than top", 13),
        (r#"[">=",5,"<=",4]"#, "Bottom must be less than top", 15),
        (
            r#"["=",9007199254740993]"#,
            "Cannot compare number : 9007199254740993",
            22,
        ),
        (r#"[">",1,"<",1e400]"#, "Cannot compare number : 1e400", 17),
    ] {
        check(
            &format!(r#"{{"a":[{{"numeric":{operand}}}]}}"#),
            reason,
            18 + column,
        );
    }
}

#[test]
fn anything_but() {
    let shape = "Value of anything-but must be an array or single string/number value.";
    let list = "Inside anything but list, start|null|boolean is not supported.";
    let mixed = "Inside anything but list, either all values are number or string, mixed type is not supported";
    let fold =
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.";
    let affix = "prefix/suffix match pattern must be a string";
    for (operand, reason, column) in [
        ("null", shape, 5),
        ("true", shape, 5),
        ("false", shape, 6),
        (r#"{"equals-ignore-case":{"a":"x"}}"#, shape, 24),
        (r#"{"prefix":{"equals-ignore-case":"x"}}"#, shape, 12),
        (r#"{"wildcard":true}"#, shape, 17),
        ("[null]", list, -6),
        ("[true]", list, -6),
        ("[1,false]", list, -9),
        ("[[1]]", list, -3),
        (r#"["x",{}]"#, list, -7),
        (r#"["x",1]"#, mixed, 8),
        ("[]", mixed, 3),
        ("[1e400]", "Cannot compare number : 1e400", -7),
        ("1e400", "Cannot compare number : 1e400", 0),
        (
            r#"{"numeric":["=",1]}"#,
            "Unsupported anything-but pattern: numeric",
            13,
        ),
        (
            r#"{"cidr":"10.0.0.0/8"}"#,
            "Unsupported anything-but pattern: cidr",
            10,
        ),
        (
            r#"{"exists":true}"#,
            "Unsupported anything-but pattern: exists",
            15,
        ),
        (
            r#"{"anything-but":"x"}"#,
            "Unsupported anything-but pattern: anything-but",
            18,
        ),
        ("{}", "Anything-But expression name not found", 3),
        (r#"{"prefix":1}"#, affix, 12),
        (r#"{"suffix":[1]}"#, affix, -13),
        (r#"{"prefix":["x",null]}"#, affix, -20),
        (r#"{"suffix":""}"#, "Null prefix/suffix not allowed", 13),
        (r#"{"prefix":""}"#, "Null prefix/suffix not allowed", 13),
        (
            r#"{"suffix":["x",""]}"#,
            "Null prefix/suffix not allowed",
            -18,
        ),
        (r#"{"equals-ignore-case":123}"#, fold, 26),
        (r#"{"equals-ignore-case":[123]}"#, fold, -27),
        (
            r#"{"wildcard":1}"#,
            "wildcard match pattern must be a string",
            14,
        ),
        (
            r#"{"wildcard":[[]]}"#,
            "wildcard match pattern must be a string",
            -15,
        ),
        (
            r#"{"wildcard":"**"}"#,
            "Consecutive wildcard characters at pos 1",
            17,
        ),
        (
            r#"{"wildcard":["x","**"]}"#,
            "Consecutive wildcard characters at pos 1",
            23,
        ),
    ] {
        let column = if column == 0 {
            0
        } else {
            column + if column < 0 { -22 } else { 22 }
        };
        check(
            &format!(r#"{{"a":[{{"anything-but":{operand}}}]}}"#),
            reason,
            column,
        );
    }
}

#[test]
fn or() {
    for (pattern, reason, column) in [
        (
            r#"{"$or":{"a":[1]}}"#,
            "It must be an Array followed with $or.",
            9,
        ),
        (
            r#"{"$or":"x"}"#,
            "It must be an Array followed with $or.",
            9,
        ),
        (
            r#"{"$or":[{"a":[1]},2]}"#,
            "Only JSON object is allowed in array of $or relationship.",
            20,
        ),
        (
            r#"{"$or":[]}"#,
            "There must have at least 2 Objects in $or relationship.",
            10,
        ),
        (
            r#"{"$or":[{"a":[1]}]}"#,
            "There must have at least 2 Objects in $or relationship.",
            19,
        ),
        (
            r#"{"$or":[{},{"a":[1]}]}"#,
            "Empty objects are not allowed",
            11,
        ),
        (
            r#"{"$or":[{"a":1},{"a":[1]}]}"#,
            r#""a" must be an object or an array"#,
            15,
        ),
    ] {
        check(pattern, reason, column);
    }
}

#[test]
fn reserved_names_inside_or() {
    for name in [
        "exactly",
        "equals-ignore-case",
        "prefix",
        "suffix",
        "anything-but",
        "exists",
        "wildcard",
        "numeric",
        "cidr",
        "=",
        "<",
        "<=",
        ">",
        ">=",
        "regex",
        "not-wildcard",
        "not-equals-ignore-case",
        "date-after",
        "date-on-or-after",
        "date-before",
        "date-on-or-before",
        "in-date-range",
        "ip-address-in-range",
        "ip-address-not-in-range",
    ] {
        let reason = format!("{name} is Ruler reserved fieldName which cannot be used inside $or.");
        for (start, end) in [(r#"{"$or":[{"a":{"#, "}"), (r#"{"b":{"$or":[{"#, "")] {
            let tail = if end.is_empty() {
                r#"},{"c":[1]}]}}"#
            } else {
                r#"},{"c":[1]}]}"#
            };
            let pattern = format!(r#"{start}"{name}":[1]{end}{tail}"#);
            let column = i32::try_from(start.len() + name.len() + 5).unwrap();
            check(&pattern, &reason, column);
        }
        assert!(Pattern::parse(&format!(r#"{{"{name}":{{"{name}":[1]}}}}"#)).is_ok());
    }
}

#[test]
fn combinations_are_limited() {
    let or = |branches: usize| {
        let branches: Vec<String> = (0..branches).map(|n| format!(r#"{{"b":[{n}]}}"#)).collect();
        format!(r#""$or":[{}]"#, branches.join(","))
    };
    assert!(Pattern::parse(&format!("{{{},{},{}}}", or(10), or(10), or(10))).is_ok());
    let reason = "Event pattern contains more than 1000 rule combinations";
    check(&format!("{{{},{},{}}}", or(10), or(10), or(11)), reason, 0);
    check(&format!("{{{}}}", or(1001)), reason, 0);
    let many = vec![or(2); 64].join(",");
    check(&format!("{{{many}}}"), reason, 0);
}

#[test]
fn fields_are_limited() {
    let pattern = |fields: usize| {
        let fields: Vec<String> = (0..fields).map(|n| format!(r#""f{n}":[1]"#)).collect();
        format!("{{{}}}", fields.join(","))
    };
    assert!(Pattern::parse(&pattern(256)).is_ok());
    check(&pattern(257), "Size of rule exceeds max value of 256", 0);
}

#[test]
fn wildcard_complexity_is_limited_per_field() {
    let reason = "Rule is too complex - try using fewer wildcard characters or fewer repeating character \
                  sequences after a wildcard character";
    let stacks = |count: usize| {
        let values: Vec<String> = (0..count)
            .map(|n| format!(r#"{{"wildcard":"*:stack/N{n}/*"}}"#))
            .collect();
        values.join(",")
    };
    check(r#"{"a":[{"wildcard":"*:*:*:*:*:event-bus/*"}]}"#, reason, 0);
    check(&format!(r#"{{"a":[{}]}}"#, stacks(4)), reason, 0);
    check(
        r#"{"a":[{"anything-but":{"wildcard":"*:*:*:*:*:event-bus/*"}}]}"#,
        reason,
        0,
    );
    assert!(Pattern::parse(&format!(r#"{{"a":[{}],"b":[{}]}}"#, stacks(3), stacks(3))).is_ok());
    assert!(
        Pattern::parse(r#"{"a":[{"wildcard":"*aaaaaaaaab"}]}"#).is_ok(),
        "10 is accepted"
    );
    check(r#"{"a":[{"wildcard":"*aaaaaaaaaab"}]}"#, reason, 0);
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| format!("{}[1]{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    assert!(Pattern::parse(&nested(999)).is_ok());
    assert!(message(&nested(1000)).contains("nesting depth (1001)"));
    assert!(Event::parse(&nested(999)).is_ok());
    assert!(matches!(
        Event::parse(&nested(100_000)),
        Err(EventError::Syntax { .. })
    ));
}

#[test]
fn only_the_pattern_itself_is_kept() {
    assert_eq!(
        Pattern::parse("{\"a\":[1]} garbage {").unwrap().text(),
        "{\"a\":[1]}"
    );
    assert_eq!(
        Pattern::parse(" {\"a\":[1]}\n").unwrap().text(),
        " {\"a\":[1]}\n"
    );
}

#[test]
fn events_must_be_objects() {
    for text in ["[]", "\"x\"", "1", ""] {
        assert_eq!(
            Event::parse(text).unwrap_err(),
            EventError::NotAnObject,
            "{text}"
        );
    }
    for text in [
        "{",
        "{\"a\":1} x",
        "{\"a\":tru}",
        "{\"a\":1,}",
        "{\"a\":\"\n\"}",
        "nope",
    ] {
        assert!(
            matches!(Event::parse(text), Err(EventError::Syntax { .. })),
            "{text}"
        );
    }
    let error = Event::parse("{\n\"a\":x}").unwrap_err();
    assert!(error.to_string().contains("line 2, column 6"), "{error}");
}
