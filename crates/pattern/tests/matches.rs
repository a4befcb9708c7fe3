//! What matches what: a table for every rule of event patterns on scalars, matchers, paths, arrays and `$or`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use landfall_pattern::{Event, EventError, Matcher, Near, Pattern, Scratch};

#[track_caller]
fn check(pattern: &str, cases: &[(&str, bool)]) {
    let parsed = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    let mut rules = Matcher::new();
    rules.add("rule", &parsed);
    for (event, expected) in cases {
        let found = rules
            .matches(event)
            .unwrap_or_else(|error| panic!("{event}: {error}"));
        assert_eq!(
            found == ["rule"],
            *expected,
            "as a rule: {pattern} on {event}"
        );
        let flat = Event::parse(event).unwrap_or_else(|error| panic!("{event}: {error}"));
        assert_eq!(parsed.matches(&flat), *expected, "{pattern} on {event}");
        assert_eq!(
            parsed.why_not(&flat).is_empty(),
            *expected,
            "why not {pattern} on {event}"
        );
    }
}

/// A list of values against values of one field; `-` stands for an event without the field.
#[track_caller]
fn check_values(values: &str, cases: &[(&str, bool)]) {
    let events: Vec<(String, bool)> = cases
        .iter()
        .map(|(value, expected)| match *value {
            "-" => (r#"{"other":1}"#.to_owned(), *expected),
            value => (format!(r#"{{"a":{value}}}"#), *expected),
        })
        .collect();
    let events: Vec<(&str, bool)> = events
        .iter()
        .map(|(event, expected)| (event.as_str(), *expected))
        .collect();
    check(&format!(r#"{{"a":{values}}}"#), &events);
}

#[test]
fn fields_are_anded_and_values_ored() {
    check(
        r#"{"a":["x","y"],"b":["z"]}"#,
        &[
            (r#"{"a":"x","b":"z"}"#, true),
            (r#"{"a":"y","b":"z"}"#, true),
            (r#"{"a":"x","b":"q"}"#, false),
            (r#"{"a":"x"}"#, false),
            (r#"{"A":"x","b":"z"}"#, false),
            (r#"{"a":"x","b":"z","c":1}"#, true),
        ],
    );
}

#[test]
fn strings() {
    check_values(
        r#"["s"]"#,
        &[
            (r#""s""#, true),
            (r#""S""#, false),
            (r#""""#, false),
            ("-", false),
        ],
    );
    check_values(
        r#"[""]"#,
        &[
            (r#""""#, true),
            (r#"" ""#, false),
            ("null", false),
            ("[]", false),
        ],
    );
    check_values(r#"["300"]"#, &[("300", false), (r#""300""#, true)]);
    check_values(r#"["null"]"#, &[("null", false), (r#""null""#, true)]);
    check_values(r#"["true"]"#, &[("true", false), (r#""true""#, true)]);
}

#[test]
fn strings_are_compared_by_scalar_values() {
    check_values(
        r#"["\u00e9"]"#,
        &[(r#""é""#, true), (r#""e\u0301""#, false)],
    );
    check_values(
        r#"["😀"]"#,
        &[(r#""\ud83d\ude00""#, true), (r#""\ud83d""#, false)],
    );
    check_values(r#"["a\/b\n"]"#, &[(r#""a/b\u000a""#, true)]);
}

#[test]
fn literals() {
    check_values(
        "[null]",
        &[
            ("null", true),
            ("-", false),
            ("[]", false),
            (r#""""#, false),
            ("0", false),
        ],
    );
    check_values(
        "[true]",
        &[
            ("true", true),
            ("false", false),
            (r#""true""#, false),
            ("1", false),
        ],
    );
    check_values("[false]", &[("false", true), ("null", false)]);
}

#[test]
fn numbers_are_compared_by_value() {
    let spellings = [
        ("300", true),
        ("300.0", true),
        ("3.0e2", true),
        ("3e+2", true),
        ("30", false),
    ];
    check_values("[300]", &spellings);
    check_values("[3.0e2]", &spellings);
    check_values("[300]", &[(r#""300""#, false), ("null", false)]);
    check_values("[0]", &[("-0.0", true), ("0e5", true)]);
    check_values(
        "[0.1]",
        &[
            ("0.10", true),
            ("0.1000000000000000055511151231257827", false),
        ],
    );
}

#[test]
fn numbers_a_double_cannot_carry_match_their_own_text() {
    check_values(
        "[9007199254740993]",
        &[("9007199254740993", true), ("9007199254740992", false)],
    );
    check_values("[9007199254740993]", &[("9007199254740993.0", false)]);
    check_values("[1e400]", &[("1e400", true), ("1E400", false)]);
    check_values(
        "[123456789012]",
        &[("123456789012", true), ("1.23456789012e11", true)],
    );
}

#[test]
fn addresses_in_a_list_are_compared_as_addresses() {
    check_values(
        r#"["::1"]"#,
        &[(r#""0:0:0:0:0:0:0:1""#, true), (r#""::2""#, false)],
    );
    check_values(
        r#"["10.0.0.1"]"#,
        &[(r#""010.0.0.1""#, true), (r#""::ffff:a00:1""#, true)],
    );
    check_values(
        r#"["::ffff:10.0.0.1"]"#,
        &[(r#""10.0.0.1""#, false), (r#""::ffff:10.0.0.1""#, true)],
    );
    check_values(
        r#"["10.0.0.256"]"#,
        &[(r#""10.0.0.256""#, true), (r#""010.0.0.256""#, false)],
    );
    check_values(
        r#"[{"exactly":"::1"}]"#,
        &[(r#""::1""#, true), (r#""0:0:0:0:0:0:0:1""#, false)],
    );
    check_values(
        r#"[{"anything-but":"::1"}]"#,
        &[(r#""::1""#, false), (r#""0::1""#, true)],
    );
}

#[test]
fn prefix_and_suffix() {
    let text_only = [
        ("1", false),
        ("true", false),
        ("null", false),
        ("-", false),
        ("[]", false),
    ];
    for values in [r#"[{"prefix":""}]"#, r#"[{"suffix":""}]"#] {
        check_values(values, &text_only);
        check_values(values, &[(r#""""#, true), (r#""x""#, true)]);
    }
    check_values(
        r#"[{"prefix":"ab"}]"#,
        &[(r#""abc""#, true), (r#""ab""#, true), (r#""Abc""#, false)],
    );
    check_values(r#"[{"prefix":"1"}]"#, &[("12", false), (r#""12""#, true)]);
    check_values(
        r#"[{"suffix":"雨"}]"#,
        &[(r#""大雨""#, true), (r#""雨大""#, false)],
    );
    check_values(
        r#"[{"prefix":"x\""}]"#,
        &[(r#""x""#, false), (r#""x\"y""#, true)],
    );
    check_values(
        r#"[{"prefix":{"equals-ignore-case":"aB"}}]"#,
        &[(r#""AbC""#, true), (r#""a""#, false), ("1", false)],
    );
    check_values(
        r#"[{"suffix":{"equals-ignore-case":".Png"}}]"#,
        &[(r#""A.PNG""#, true), (r#""a.pngx""#, false)],
    );
}

#[test]
fn equals_ignore_case() {
    let fold = |operand: &str, cases: &[(&str, bool)]| {
        check_values(&format!(r#"[{{"equals-ignore-case":"{operand}"}}]"#), cases);
    };
    fold(
        "aB1",
        &[(r#""Ab1""#, true), (r#""ab""#, false), ("1", false)],
    );
    fold("", &[(r#""""#, true), (r#""a""#, false)]);
    fold(
        "ß",
        &[(r#""ß""#, true), (r#""SS""#, true), (r#""ss""#, false)],
    );
    fold(
        "ﬃ",
        &[(r#""ﬃ""#, true), (r#""FFI""#, true), (r#""ffi""#, false)],
    );
    fold(
        "Σ",
        &[(r#""σ""#, true), (r#""Σ""#, true), (r#""ς""#, false)],
    );
    fold(
        "İ",
        &[(r#""i̇""#, true), (r#""İ""#, true), (r#""i""#, false)],
    );
    fold("é", &[(r#""É""#, true)]);
    fold("x😀y", &[(r#""X😀Y""#, true), (r#""x😁y""#, false)]);
    fold("𐐀", &[(r#""𐐀""#, true), (r#""𐐨""#, false)]);
    check_values(
        r#"[{"prefix":{"equals-ignore-case":"ßa"}}]"#,
        &[(r#""SSAb""#, true), (r#""ßa""#, true), (r#""sa""#, false)],
    );
    check_values(
        r#"[{"suffix":{"equals-ignore-case":"aß"}}]"#,
        &[(r#""xASS""#, true)],
    );
}

#[test]
fn wildcard() {
    let wild = |operand: &str, cases: &[(&str, bool)]| {
        check_values(&format!(r#"[{{"wildcard":"{operand}"}}]"#), cases);
    };
    wild(
        "a*b",
        &[
            (r#""ab""#, true),
            (r#""axxb""#, true),
            (r#""abc""#, false),
            (r#""a""#, false),
        ],
    );
    wild(
        "*",
        &[
            (r#""""#, true),
            (r#""x""#, true),
            ("1", false),
            ("null", false),
            ("-", false),
        ],
    );
    wild("", &[(r#""""#, true), (r#""x""#, false)]);
    wild("a?", &[(r#""a?""#, true), (r#""ab""#, false)]);
    wild(r"a\\*b", &[(r#""a*b""#, true), (r#""axb""#, false)]);
    wild(r"a\\\\*", &[(r#""a\\b""#, true), (r#""ab""#, false)]);
    wild(
        "*ab*ab*",
        &[
            (r#""abab""#, true),
            (r#""ab""#, false),
            (r#""xabxabx""#, true),
        ],
    );
    wild("ab*ba", &[(r#""aba""#, false), (r#""abba""#, true)]);
    wild("*é*", &[(r#""xéx""#, true), (r#""x\u00c3x""#, false)]);
}

#[test]
fn numeric() {
    let range = |operand: &str, cases: &[(&str, bool)]| {
        check_values(&format!(r#"[{{"numeric":[{operand}]}}]"#), cases);
    };
    range(
        r#""=",5"#,
        &[
            ("5", true),
            ("5.0", true),
            ("5.1", false),
            (r#""5""#, false),
            ("null", false),
        ],
    );
    range(
        r#""<",5"#,
        &[("4.99", true), ("5", false), ("-1e300", true)],
    );
    range(r#""<=",5"#, &[("5", true), ("5.01", false)]);
    range(r#"">",5"#, &[("5", false), ("5.01", true), ("1e308", true)]);
    range(
        r#"">=",5"#,
        &[("5", true), ("4", false), ("-", false), ("[]", false)],
    );
    range(
        r#"">",0,"<=",5"#,
        &[("0", false), ("1", true), ("5", true), ("6", false)],
    );
    range(
        r#"">=",-1e1,"<",5"#,
        &[("-10", true), ("-10.5", false), ("5", false)],
    );
    range(
        r#"">",5"#,
        &[
            ("9007199254740993", false),
            ("1e400", false),
            ("9007199254740992", true),
        ],
    );
}

#[test]
fn exists() {
    let absent = [
        ("-", true),
        ("{}", true),
        ("[]", true),
        (r#"{"b":1}"#, true),
        ("[[],[{}]]", true),
    ];
    check_values(r#"[{"exists":false}]"#, &absent);
    check_values(
        r#"[{"exists":true}]"#,
        &absent.map(|(event, expected)| (event, !expected)),
    );
    for present in ["null", r#""""#, "0", "false", "[[null]]"] {
        check_values(r#"[{"exists":true}]"#, &[(present, true)]);
        check_values(r#"[{"exists":false}]"#, &[(present, false)]);
    }
    check_values(
        r#"[{"exists":false},"x"]"#,
        &[("-", true), (r#""x""#, true), (r#""y""#, false)],
    );
    check_values(
        r#"[{"exists":false},{"exists":true}]"#,
        &[("-", true), ("1", true)],
    );
}

#[test]
fn cidr() {
    let cidr = |operand: &str, cases: &[(&str, bool)]| {
        check_values(&format!(r#"[{{"cidr":"{operand}"}}]"#), cases);
    };
    cidr(
        "10.0.0.77/24",
        &[
            (r#""10.0.0.0""#, true),
            (r#""10.0.0.255""#, true),
            (r#""10.0.1.0""#, false),
        ],
    );
    cidr(
        "10.0.0.0/24",
        &[(r#""010.0.0.1""#, true), (r#""::ffff:a00:1""#, true)],
    );
    cidr(
        "10.0.0.0/24",
        &[
            (r#""::ffff:10.0.0.1""#, false),
            (r#""x""#, false),
            ("10", false),
        ],
    );
    cidr(
        "0.0.0.0/0",
        &[(r#""255.1.2.3""#, true), (r#""::1""#, false), ("1", false)],
    );
    cidr(
        "0.0.0.0/31",
        &[(r#""0.0.0.1""#, true), (r#""0.0.0.2""#, false)],
    );
    cidr(
        "2001:db8::/32",
        &[(r#""2001:db8:ffff::1""#, true), (r#""2001:db9::""#, false)],
    );
    cidr("::/0", &[(r#""ffff::""#, true), (r#""1.2.3.4""#, false)]);
    cidr("::8/127", &[(r#""::9""#, true), (r#""::a""#, false)]);
    for operand in ["10.0.0.0/24//", "10.0.0.0/+24", "10.0.0.0/0024"] {
        cidr(
            operand,
            &[(r#""10.0.0.1""#, true), (r#""10.0.1.1""#, false)],
        );
    }
    cidr("10.0.0.0/-0", &[(r#""99.0.0.1""#, true)]);
}

#[test]
fn anything_but() {
    let but = |operand: &str, cases: &[(&str, bool)]| {
        check_values(&format!(r#"[{{"anything-but":{operand}}}]"#), cases);
    };
    let others = [
        ("null", true),
        ("true", true),
        ("-", false),
        ("[]", false),
        ("{}", false),
    ];
    for operand in [
        r#""x""#,
        r#"["x","y"]"#,
        "5",
        "[5,6]",
        r#"{"prefix":"x"}"#,
        r#"{"suffix":["x"]}"#,
        r#"{"equals-ignore-case":"x"}"#,
        r#"{"wildcard":"x*"}"#,
        r#"{"prefix":[]}"#,
    ] {
        but(operand, &others);
    }
    but(
        r#""x""#,
        &[
            (r#""x""#, false),
            (r#""X""#, true),
            ("1", true),
            (r#""""#, true),
        ],
    );
    but(r#""""#, &[(r#""""#, false), (r#""x""#, true)]);
    but(
        "1",
        &[
            ("1.0", false),
            ("2", true),
            (r#""1""#, true),
            ("9007199254740993", true),
        ],
    );
    but(
        r#"["x","y"]"#,
        &[(r#""y""#, false), (r#""z""#, true), ("7", true)],
    );
    but("[1,2]", &[("2e0", false), ("3", true), (r#""1""#, true)]);
    but(
        r#""x""#,
        &[
            (r#"["x","y"]"#, true),
            (r#"["x"]"#, false),
            (r#"["x","x"]"#, false),
        ],
    );
    but(
        r#"{"prefix":"ab"}"#,
        &[(r#""abc""#, false), (r#""bc""#, true), ("5", true)],
    );
    but(
        r#"{"suffix":["a","b"]}"#,
        &[(r#""xa""#, false), (r#""xb""#, false), (r#""xc""#, true)],
    );
    but(
        r#"{"equals-ignore-case":["aa","b"]}"#,
        &[(r#""Aa""#, false), (r#""c""#, true), ("1", true)],
    );
    but(
        r#"{"equals-ignore-case":""}"#,
        &[(r#""""#, false), (r#""c""#, true)],
    );
    but(
        r#"{"wildcard":["*/a/*","b*"]}"#,
        &[(r#""x/a/y""#, false), (r#""bb""#, false), (r#""x""#, true)],
    );
    but(
        r#"{"wildcard":""}"#,
        &[(r#""""#, false), (r#""x""#, true), ("12", true)],
    );
    but(r#"{"prefix":[]}"#, &[(r#""x""#, true), ("1", true)]);
    check_values(
        r#"[{"anything-but":"x"},{"numeric":[">",5]}]"#,
        &[("3", true), (r#""x""#, false)],
    );
    check_values(
        r#"[{"anything-but":["roses"]},{"exists":false}]"#,
        &[("-", true), (r#""lilies""#, true), (r#""roses""#, false)],
    );
}

#[test]
fn dots_are_as_good_as_nesting() {
    for pattern in [r#"{"a":{"b":["x"]}}"#, r#"{"a.b":["x"]}"#] {
        check(
            pattern,
            &[
                (r#"{"a":{"b":"x"}}"#, true),
                (r#"{"a.b":"x"}"#, true),
                (r#"{"a\u002eb":"x"}"#, true),
                (r#"{"a":{"b":{"x":"x"}}}"#, false),
                (r#"{"a":"x","b":"x"}"#, false),
            ],
        );
    }
    check(
        r#"{"a.b":{"c.d":[1]}}"#,
        &[(r#"{"a":{"b.c":{"d":1}}}"#, true)],
    );
    check(
        r#"{"":["x"]}"#,
        &[(r#"{"":"x"}"#, true), (r#"{"a":"x"}"#, false)],
    );
    check(
        r#"{"":{"a":["x"]}}"#,
        &[(r#"{"":{"a":"x"}}"#, true), (r#"{"a":"x"}"#, false)],
    );
}

#[test]
fn the_last_of_repeated_paths_wins_in_patterns() {
    let last = [(r#"{"a":{"b":"y"}}"#, true), (r#"{"a":{"b":"x"}}"#, false)];
    check(r#"{"a":{"b":["x"],"b":["y"]}}"#, &last);
    check(r#"{"a":{"b":["x"]},"a.b":["y"]}"#, &last);
    check(r#"{"a.b":["x"],"a":{"b":["y"]}}"#, &last);
}

#[test]
fn a_path_may_be_leaf_and_parent() {
    check(
        r#"{"a":["x"],"a":{"b":["y"]}}"#,
        &[
            (r#"{"a":["x",{"b":"y"}]}"#, true),
            (r#"{"a":"x"}"#, false),
            (r#"{"a":{"b":"y"}}"#, false),
        ],
    );
}

#[test]
fn repeated_keys_of_an_event_are_alternatives() {
    check(
        r#"{"a":["x"]}"#,
        &[
            (r#"{"a":"x","a":"y"}"#, true),
            (r#"{"a":"y","a":"x"}"#, true),
        ],
    );
}

#[test]
fn arrays_are_crushed_out() {
    let event = r#"{"a":[[["z",{"b":["0","1"]}]]]}"#;
    for (pattern, expected) in [
        (r#"{"a":["z"]}"#, true),
        (r#"{"a":{"b":["0"]}}"#, true),
        (r#"{"a":{"b":["1"]}}"#, true),
        (r#"{"a":{"b":["2"]}}"#, false),
    ] {
        check(pattern, &[(event, expected)]);
    }
    check_values(
        r#"["x"]"#,
        &[
            (r#"["x"]"#, true),
            (r#"["y",["x"]]"#, true),
            (r#"[["y"]]"#, false),
        ],
    );
}

#[test]
fn fields_must_come_from_one_element() {
    let name = r#"{"e":{"f":["Anna"],"l":["Jones"]}}"#;
    check(
        name,
        &[
            (
                r#"{"e":[{"f":"Anna","l":"S"},{"f":"P","l":"Jones"}]}"#,
                false,
            ),
            (
                r#"{"e":[{"f":"P","l":"S"},{"f":"Anna","l":"Jones"}]}"#,
                true,
            ),
            (r#"{"e":[[{"f":"Anna"}],[{"l":"Jones"}]]}"#, false),
            (r#"{"e":[[{"f":"Anna"},{"l":"Jones"}]]}"#, false),
            (r#"{"e":[{"f":["x","Anna"],"l":["Jones","y"]}]}"#, true),
        ],
    );
    check(
        r#"{"o":{"i":{"a":[1],"b":[2]},"c":[3]}}"#,
        &[
            (r#"{"o":[{"i":[{"a":1,"b":2}],"c":3}]}"#, true),
            (r#"{"o":[{"i":[{"a":1,"b":2}]},{"c":3}]}"#, false),
            (r#"{"o":[{"i":[{"a":1},{"b":2}],"c":3}]}"#, false),
            (
                r#"{"o":[{"i":[{"a":1,"b":2}]},{"i":{"a":1,"b":2},"c":3}]}"#,
                true,
            ),
        ],
    );
}

#[test]
fn separate_arrays_and_direct_scalars_are_independent() {
    check(
        r#"{"a":["x"],"b":["y"]}"#,
        &[(r#"{"a":["x","z"],"b":["w","y"]}"#, true)],
    );
    check(
        r#"{"a":["x"],"a.b":["y"]}"#,
        &[(r#"{"a":["x",{"b":"y"}]}"#, true)],
    );
    check(
        r#"{"a":["x"],"a.b":["y"]}"#,
        &[(r#"{"a":[["x"],{"b":"y"}]}"#, false)],
    );
    check(
        r#"{"a":{"x":[1]},"b":{"x":[1]}}"#,
        &[(r#"{"a":[{"x":0},{"x":1}],"b":[{"x":1}]}"#, true)],
    );
}

#[test]
fn absence_sees_what_the_choice_so_far_leaves() {
    check(
        r#"{"a":{"x":["1"],"y":[{"exists":false}]}}"#,
        &[
            (r#"{"a":[{"x":"1"},{"x":"3","y":"2"}]}"#, true),
            (r#"{"a":[{"x":"1","y":"2"},{"x":"3"}]}"#, false),
            (r#"{"a":[{"x":"1","y":"2"},{"x":"1"}]}"#, true),
        ],
    );
    check(
        r#"{"a":{"b":[{"exists":false}],"x":["1"]}}"#,
        &[
            (r#"{"a":[{"x":"1"},{"b":"2"}]}"#, false),
            (r#"{"a":[{"x":"1"},{"x":"2"}]}"#, true),
        ],
    );
}

#[test]
fn or_branches() {
    check(
        r#"{"s":["x"],"$or":[{"a":[1]},{"b":{"c":[2]}}]}"#,
        &[
            (r#"{"s":"x","a":1}"#, true),
            (r#"{"s":"x","b":{"c":2}}"#, true),
            (r#"{"s":"x","a":2}"#, false),
            (r#"{"a":1,"b":{"c":2}}"#, false),
        ],
    );
    check(
        r#"{"d":{"$or":[{"a":[1]},{"b":[2],"$or":[{"c":[3]},{"e":[4]}]}]}}"#,
        &[
            (r#"{"d":{"a":1}}"#, true),
            (r#"{"d":{"b":2,"e":4}}"#, true),
            (r#"{"d":{"b":2}}"#, false),
            (r#"{"d":{"c":3,"e":4}}"#, false),
        ],
    );
}

#[test]
fn or_overwrites_in_document_order() {
    check(
        r#"{"a":["x"],"$or":[{"a":["y"]},{"b":["z"]}]}"#,
        &[
            (r#"{"a":"y"}"#, true),
            (r#"{"a":"x","b":"z"}"#, true),
            (r#"{"a":"x"}"#, false),
            (r#"{"a":"q","b":"z"}"#, false),
        ],
    );
    check(
        r#"{"$or":[{"a":["y"]},{"b":["z"]}],"a":["x"]}"#,
        &[
            (r#"{"a":"x"}"#, true),
            (r#"{"a":"y"}"#, false),
            (r#"{"a":"x","b":"z"}"#, true),
        ],
    );
    check(
        r#"{"$or":[{"a":[1]},{"b":[1]}],"$or":[{"c":[1]},{"d":[1]}]}"#,
        &[
            (r#"{"a":1,"d":1}"#, true),
            (r#"{"a":1,"b":1}"#, false),
            (r#"{"c":1,"d":1}"#, false),
        ],
    );
}

#[test]
fn array_consistency_is_per_combination() {
    check(
        r#"{"e":{"$or":[{"a":[1],"b":[2]},{"c":[3],"d":[4]}]}}"#,
        &[
            (r#"{"e":[{"a":1,"d":4},{"b":2,"c":3}]}"#, false),
            (r#"{"e":[{"a":1,"d":4},{"c":3,"d":4}]}"#, true),
        ],
    );
}

#[test]
fn operator_names_are_fields_outside_or() {
    check(r#"{"prefix":["x"]}"#, &[(r#"{"prefix":"x"}"#, true)]);
    check(
        r#"{"a":{"numeric":[1]}}"#,
        &[(r#"{"a":{"numeric":1}}"#, true)],
    );
}

#[test]
fn a_miss_says_how_near_it_came() {
    let start = |same, of| Some(Near::Start { same, of });
    let end = |same, of| Some(Near::End { same, of });
    let off = |by: &str| Some(Near::Number { by: by.to_owned() });
    for (values, value, near) in [
        (r#"["Upload"]"#, r#""upload""#, Some(Near::Case)),
        (r#"["uploads"]"#, r#""upload""#, start(6, 7)),
        (r#"["x","uploads"]"#, r#"["u","uplo"]"#, start(4, 7)),
        (r#"[{"prefix":"in/"}]"#, r#""IN/a""#, Some(Near::Case)),
        (r#"[{"prefix":"in/"}]"#, r#""inbox""#, start(2, 3)),
        (r#"[{"suffix":".csv"}]"#, r#""a.tsv""#, end(2, 4)),
        (r#"[{"suffix":".csv"}]"#, r#""a.CSV""#, Some(Near::Case)),
        (r#"["300"]"#, "300", Some(Near::Kind)),
        ("[300]", r#""300""#, Some(Near::Kind)),
        ("[true]", r#""true""#, Some(Near::Kind)),
        (r#"["null"]"#, "null", Some(Near::Kind)),
        (r#"[{"numeric":[">",5]}]"#, r#""7""#, Some(Near::Kind)),
        ("[300]", "301.5", off("1.5")),
        (r#"[{"numeric":[">=",10,"<=",20]}]"#, "7", off("3")),
        (r#"[{"numeric":[">=",10,"<=",20]}]"#, "[-50,22]", off("2")),
        (r#"[{"anything-but":"x"}]"#, r#""x""#, None),
        (r#"["x"]"#, r#""y""#, None),
    ] {
        let pattern = Pattern::parse(&format!(r#"{{"a":{values}}}"#)).unwrap();
        let text = format!(r#"{{"a":{value}}}"#);
        let misses = pattern.why_not(&Event::parse(&text).unwrap());
        assert_eq!(misses.len(), 1, "{values} on {text}");
        assert_eq!(misses[0].near, near, "{values} on {text}");
    }
}

#[test]
fn a_miss_says_where_the_path_ends_and_which_element_was_wrong() {
    let pattern = Pattern::parse(r#"{"a":{"b":{"c":["x"]}}}"#).unwrap();
    let near = |event: &str| {
        pattern.why_not(&Event::parse(event).unwrap())[0]
            .near
            .clone()
    };
    assert_eq!(near(r#"{"a":{"b":1}}"#), Some(Near::Path("a.b".to_owned())));
    assert_eq!(
        near(r#"{"a.b":{"d":1}}"#),
        Some(Near::Path("a.b".to_owned()))
    );
    assert_eq!(near(r#"{"b":1}"#), None);
    let pattern = Pattern::parse(r#"{"a":{"x":[1],"y":[2]}}"#).unwrap();
    let event = Event::parse(r#"{"a":[{"x":1,"y":3},{"x":4,"y":2}]}"#).unwrap();
    let misses = pattern.why_not(&event);
    assert_eq!(
        (misses.len(), misses[0].near.clone()),
        (1, Some(Near::OtherElement))
    );
}

#[test]
fn a_rule_set_refuses_what_is_no_event() {
    let mut rules = Matcher::new();
    rules.add(1, &Pattern::parse(r#"{"a":{"b":["x"]}}"#).unwrap());
    for text in ["", "[]", "1", r#""x""#] {
        assert!(
            matches!(rules.matches(text), Err(EventError::NotAnObject)),
            "{text}"
        );
    }
    for text in [
        "{",
        r#"{"a""#,
        r#"{"a":"#,
        r#"{"a":{"b":}}"#,
        r#"{"a":{"b":x}}"#,
        r#"{"c":[}"#,
        "{} {}",
        r#"{"a":1"b":2}"#,
    ] {
        assert!(
            matches!(rules.matches(text), Err(EventError::Syntax { .. })),
            "{text}"
        );
    }
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
    assert!(rules.matches(&deep).is_err());
}

#[test]
fn distinct_names_are_read_no_further_than_rules_ask() {
    let mut rules = Matcher::new();
    rules.add(
        1,
        &Pattern::parse(r#"{"a":{"b":["x"],"c":["y"]},"d":[true]}"#).unwrap(),
    );
    let (now, mut scratch) = (rules.snapshot(), Scratch::default());
    for (event, is_match) in [
        (r#"{"a":{"b":"x","c":"y"},"d":true}"#, true),
        (
            r#"{"d":true,"e":{"a":1},"a":{"c":"y","z":"}","b":"x"}}"#,
            true,
        ),
        (r#"{"d":true,"a":{"c":"y","b":"x""#, true),
        (r#"{"d":true,"a":{"c":"y","b":"z", no more of it"#, false),
        (r#"{"a":{"b":"x","c":"y",no member,[{}]},"d":true}"#, true),
        (r#"{"a":{"b":"x","c":"y"},"d":[false,true]}"#, true),
        (
            r#"{"a":[{"b":"x","c":"y","q":[{}]},{"b":"x"}],"d":true}"#,
            true,
        ),
        (
            r#"{"a":[{"b":"x","q":{"c":"y"}},{"c":"y","b":"z"}],"d":true}"#,
            false,
        ),
        (
            r#"{"a":[[{"c":1}],[[{"b":"x","c":"y"},1]]],"d":true}"#,
            true,
        ),
        (r#"{"a":{"b":[],"c":"y"},"d":true}"#, false),
        ("{}", false),
    ] {
        let mut found = Vec::new();
        now.matches_distinct_with(event, &mut scratch, |id| found.push(*id))
            .unwrap();
        assert_eq!(found == [1], is_match, "{event}");
    }
    let broken = r#"{"a":{"b":"x"}"#;
    for text in ["[]", broken] {
        assert!(
            now.matches_distinct_with(text, &mut scratch, |_| {})
                .is_err(),
            "{text}"
        );
    }
    assert!(rules.matches(r#"{"d":true,"a":{"c":"y","b":"x""#).is_err());
}
