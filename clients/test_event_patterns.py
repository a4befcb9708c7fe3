"""What EventBridge says of a pattern that is wrong: every check once, through boto3, with its whole message."""

import json

import botocore.exceptions
import pytest

from conftest import refused, unique

EVENT = json.dumps(
    {name: "x" for name in ("id", "account", "source", "time", "region", "detail-type")}
)
KINDS = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
SHAPE = "Value of anything-but must be an array or single string/number value."
LIST = "Inside anything but list, start|null|boolean is not supported."
MIXED = "Inside anything but list, either all values are number or string, mixed type is not supported"
FOLD = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
TOO_COMPLEX = (
    "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a "
    "wildcard character"
)
RESERVED = "is Ruler reserved fieldName which cannot be used inside $or."


def value(operator, operand):
    return f'{{"a":[{{"{operator}":{operand}}}]}}'


# Pattern, reason, and the column of the one line: none stands for no location, two for one that is there twice.
TABLE = [
    ("[]", "Filter is not an object", [2]),
    ("this is no JSON", f"Unrecognized token 'this': {KINDS}", [5]),
    (
        "{'a': 1}",
        "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
        [2],
    ),
    ('{"string": "my-value"}', '"string" must be an object or an array', [13]),
    ("{}", "Empty objects are not allowed", [3]),
    ('{"a":{}}', "Empty objects are not allowed", [8]),
    ('{"resources": []}', "Empty arrays are not allowed", [17]),
    ('{"a":[[1]]}', "Match value must be String, number, true, false, or null", [8]),
    ('{"a":[{}]}', "Match expression name not found", [9]),
    ('{"a": [{"EXISTS": true}]}', "Unrecognized match type EXISTS", [23]),
    ('{"a":[{"prefix":"x","b":1}]}', "Only one key allowed in match expression", [26]),
    ('{"a":[{"numeric":["=",1],"b":1}]}', "Too many elements in numeric expression", [31]),
    ('{"a":[{"anything-but":"x","b":1}]}', "Too many elements in numeric expression", [32]),
    (value("exactly", "1"), "exact match pattern must be a string", [19]),
    (value("prefix", "123"), "prefix match pattern must be a string", [20]),
    (value("suffix", "null"), "suffix match pattern must be a string", [21]),
    (value("equals-ignore-case", "{}"), "equals-ignore-case match pattern must be a string", [30]),
    (value("wildcard", "123"), "wildcard match pattern must be a string", [22]),
    (value("prefix", '{"suffix":"x"}'), "Unsupported prefix pattern: suffix", [28]),
    (value("suffix", '{"prefix":"x"}'), "Unsupported suffix pattern: prefix", [28]),
    (value("prefix", "{}"), "Prefix expression name not found", [19]),
    (value("suffix", "{}"), "Suffix expression name not found", [19]),
    (
        value("suffix", '{"equals-ignore-case":1}'),
        "equals-ignore-case match pattern must be a string",
        [40],
    ),
    (value("cidr", "1"), "prefix match pattern must be a string", [16]),
    (value("cidr", '"10.0.0.0"'), "Malformed CIDR, one '/' required", []),
    (value("cidr", '"10.0.0.0/x"'), "Malformed CIDR, mask bits must be an integer", []),
    (value("cidr", '"10.0.0.0/-1"'), "Malformed CIDR, mask bits must not be negative", []),
    (value("cidr", '"bad/8"'), "Nonstandard IP address: bad", []),
    (value("cidr", '"10.0.0.256/8"'), "Invalid IP address: 10.0.0.256", []),
    (value("cidr", '"10.0.0.0/32"'), "IPv4 mask bits must be < 32", []),
    (value("cidr", '"::1/128"'), "IPv6 mask bits must be < 128", []),
    (value("wildcard", '"a**"'), "Consecutive wildcard characters at pos 2", [24]),
    (value("wildcard", r'"a\\b"'), "Invalid escape character at pos 2", [25]),
    (value("wildcard", '"*:*:*:*:*:event-bus/*"'), TOO_COMPLEX, []),
    (value("exists", '"true"'), "exists match pattern must be either true or false.", [18]),
    (value("numeric", "5"), "Value of numeric must be an array.", [19]),
    (value("numeric", "[]"), "Invalid member in numeric match: ]", [20]),
    (value("numeric", "[5]"), "Invalid member in numeric match: 5", [20]),
    (value("numeric", '["!",5]'), "Unrecognized numeric range operator: !", [24]),
    (value("numeric", '["=","5"]'), "Value of equals must be numeric", [24]),
    (value("numeric", '["<",null]'), "Value of < must be numeric", [27]),
    (value("numeric", '["=",5,6]'), "Too many elements in numeric expression", [26]),
    (value("numeric", '[">",5,6]'), "Bad value in numeric range: 6", [26]),
    (value("numeric", '[">",0,">",0]'), "Bad numeric range operator: >", [28]),
    (value("numeric", '[">",0,"<",1,2]'), "Too many terms in numeric range expression", [32]),
    (value("numeric", '[">",5,"<",5]'), "Bottom must be less than top", [31]),
    (value("numeric", '["=",1e400]'), "Cannot compare number : 1e400", [29]),
    (value("anything-but", "null"), SHAPE, [27]),
    (value("anything-but", "false"), SHAPE, [28]),
    (value("anything-but", '{"prefix":{"a":"x"}}'), SHAPE, [34]),
    (value("anything-but", "[null]"), LIST, [28, 28]),
    (value("anything-but", "[true]"), LIST, [28, 28]),
    (value("anything-but", "[[1]]"), LIST, [25, 25]),
    (value("anything-but", '["x",{}]'), LIST, [29, 29]),
    (value("anything-but", '["x",1]'), MIXED, [30]),
    (value("anything-but", "[]"), MIXED, [25]),
    (value("anything-but", '{"exists":true}'), "Unsupported anything-but pattern: exists", [37]),
    (value("anything-but", "{}"), "Anything-But expression name not found", [25]),
    (value("anything-but", '{"prefix":1}'), "prefix/suffix match pattern must be a string", [34]),
    (value("anything-but", '{"prefix":""}'), "Null prefix/suffix not allowed", [35]),
    (value("anything-but", '{"suffix":["x",""]}'), "Null prefix/suffix not allowed", [40, 40]),
    (value("anything-but", '{"equals-ignore-case":123}'), FOLD, [48]),
    (value("anything-but", '{"equals-ignore-case":[123]}'), FOLD, [49, 49]),
    (value("anything-but", '{"wildcard":1}'), "wildcard match pattern must be a string", [36]),
    ('{"$or":{"a":[1]}}', "It must be an Array followed with $or.", [9]),
    ('{"$or":[{"a":[1]},2]}', "Only JSON object is allowed in array of $or relationship.", [20]),
    ('{"$or":[{"a":[1]}]}', "There must have at least 2 Objects in $or relationship.", [19]),
    ('{"$or":[{},{"a":[1]}]}', "Empty objects are not allowed", [11]),
    ('{"$or":[{"prefix":[1]},{"a":[1]}]}', f"prefix {RESERVED}", [20]),
    (
        '{"a":[1],"$or":[' + ",".join(['{"b":[1]}'] * 251) + "],"
        '"c":{"$or":[{"d":[1]},{"d":[2]},{"d":[3]},{"d":[4]}]}}',
        "Event pattern contains more than 1000 rule combinations",
        [],
    ),
    (
        '{"a":[1,2],\r\n "é😀": 1}',
        '"é😀" must be an object or an array',
        [(2, 10)],
    ),
]


def message(pattern, reason, locations):
    text = f"Event pattern is not valid. Reason: {reason}"
    for location in locations:
        line, column = location if isinstance(location, tuple) else (1, location)
        text += f'\n at [Source: (String)"{pattern}"; line: {line}, column: {column}]'
    return text


def test_every_row_of_the_error_table_is_answered_exactly(server):
    events = server.client("events")
    name = unique("rule")
    for pattern, reason, locations in TABLE:
        for refuse in (
            lambda: events.test_event_pattern(EventPattern=pattern, Event=EVENT),
            lambda: events.put_rule(Name=name, EventPattern=pattern),
        ):
            with pytest.raises(botocore.exceptions.ClientError) as error:
                refuse()
            assert refused(error) == ("InvalidEventPatternException", 400), pattern
            told = error.value.response["Error"]["Message"]
            assert told == message(pattern, reason, locations), pattern
    assert name not in [rule["Name"] for rule in events.list_rules()["Rules"]]
