//! Tables over whole templates: parsing, checking, evaluating, ordering and comparing them.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

mod refusals;

/// What exists in these tests.
struct World;

impl Lookup for World {
    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Json> {
        (attribute == "Arn").then(|| json!(format!("arn:{logical_id}")))
    }
    fn physical_id(&self, logical_id: &str) -> Option<String> {
        (logical_id != "Unborn").then(|| format!("{logical_id}-id"))
    }
    fn import(&self, export_name: &str) -> Option<String> {
        (export_name == "Sample:ECSServiceSecurityGroup").then(|| "sg-1".to_owned())
    }
    fn ssm_parameter(&self, name: &str, version: Option<u64>) -> Option<String> {
        match (name, version) {
            ("/subnets", None) => Some("subnet-a, subnet-b".to_owned()),
            ("/image", None) => Some("v2".to_owned()),
            ("/image", Some(1)) => Some("v1".to_owned()),
            _ => None,
        }
    }
}

fn pseudo() -> Pseudo {
    Pseudo {
        account_id: "012345678901".to_owned(),
        region: "ap-northeast-1".to_owned(),
        partition: "aws".to_owned(),
        url_suffix: "amazonaws.com".to_owned(),
        stack_name: "app".to_owned(),
        stack_id: "arn:stack".to_owned(),
        notification_arns: Vec::new(),
    }
}

fn supply(values: &[(&str, &str)]) -> BTreeMap<String, Supply> {
    let values = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Supply::Value((*value).to_owned())));
    values.collect()
}

fn resolve(text: &str, values: &[(&str, &str)]) -> Result<Parameters, TemplateError> {
    Template::parse(text)?.resolve_parameters(&supply(values), &BTreeMap::new(), &World)
}

/// The properties of one resource of a template.
fn properties(text: &str, id: &str, values: &[(&str, &str)]) -> Result<Json, TemplateError> {
    let template = Template::parse(text)?;
    let parameters = resolve(text, values)?;
    let pseudo = pseudo();
    let evaluator = Evaluator::new(&template, &parameters, &pseudo, &World)?;
    evaluator
        .properties(&template.resources[id])
        .map(Json::Object)
}

/// The value of one expression, put into a template that has something to refer to.
fn value(expression: &str) -> Result<Json, TemplateError> {
    let text = format!(
        "Parameters:\n  P: {{Type: String, Default: 1.10}}\n  \
         L: {{Type: CommaDelimitedList, Default: 'a, b ,c'}}\n  \
         Image: {{Type: 'AWS::SSM::Parameter::Value<String>', Default: /image}}\n\
         Mappings:\n  M: {{dev: {{a: x, b: [y, z]}}}}\n\
         Conditions:\n  Always: !Equals [a, a]\n  Never: !Not [Condition: Always]\n  Both: !And [Condition: Always, Condition: Never]\n\
         Resources:\n  Other: {{Type: 'AWS::SQS::Queue'}}\n  Gone: {{Type: 'AWS::SQS::Queue', Condition: Never}}\n  \
         R:\n    Type: Custom::Thing\n    Properties:\n      V: {expression}\n"
    );
    let mut found = properties(&text, "R", &[])?;
    Ok(found
        .as_object_mut()
        .unwrap()
        .remove("V")
        .unwrap_or(json!("<nothing>")))
}

fn refusal(text: &str) -> String {
    Template::parse(text).unwrap_err().to_string()
}

const ARTICLE: &str = include_str!("fixtures/article.yaml");

const ARTICLE_VALUES: &[(&str, &str)] = &[
    ("EnvironmentName", "dev"),
    ("OrganizationName", "sample"),
    ("AppName", "batch"),
    ("AppImageTag", "latest"),
    ("SubnetIds", "/subnets"),
];

#[test]
fn functions_have_their_values() {
    let table = [
        ("!Ref P", json!("1.10")),
        ("!Ref L", json!(["a", "b", "c"])),
        ("!Ref Image", json!("v2")),
        ("!Ref Other", json!("Other-id")),
        ("!Ref AWS::Region", json!("ap-northeast-1")),
        ("!Ref AWS::NoValue", json!("<nothing>")),
        ("[1, !Ref AWS::NoValue, 2]", json!([1, 2])),
        ("!GetAtt Other.Arn", json!("arn:Other")),
        ("{'Fn::GetAtt': [Other, Arn]}", json!("arn:Other")),
        ("{'Fn::GetAtt': Other.Arn}", json!("arn:Other")),
        ("!Sub plain", json!("plain")),
        (
            "!Sub 'a-${P}-${Other}-${Other.Arn}-${!P}-${AWS::AccountId}'",
            json!("a-1.10-Other-id-arn:Other-${P}-012345678901"),
        ),
        (
            "!Sub ['${X}${P}', {X: !Ref AWS::Region}]",
            json!("ap-northeast-11.10"),
        ),
        (
            "!Join [',', [a, 1.10, !Ref P, true]]",
            json!("a,1.10,1.10,true"),
        ),
        ("!Join ['-', !Ref L]", json!("a-b-c")),
        ("!Select [1, !Ref L]", json!("b")),
        ("!Select ['0', [x, y]]", json!("x")),
        ("!Split ['|', 'a|b']", json!(["a", "b"])),
        ("!FindInMap [M, dev, a]", json!("x")),
        ("!FindInMap [M, dev, b]", json!(["y", "z"])),
        ("!FindInMap [M, pro, a, DefaultValue: d]", json!("d")),
        (
            "{'Fn::ImportValue': 'Sample:ECSServiceSecurityGroup'}",
            json!("sg-1"),
        ),
        ("!If [Always, 1, 2]", json!(1)),
        ("!If [Never, 1, !Ref AWS::NoValue]", json!("<nothing>")),
        ("!If [Both, 1, 2]", json!(2)),
        ("!Base64 'é'", json!("w6k=")),
        (
            "!GetAZs ''",
            json!(["ap-northeast-1a", "ap-northeast-1b", "ap-northeast-1c"]),
        ),
        (
            "!Cidr ['10.0.0.0/16', 2, 8]",
            json!(["10.0.0.0/24", "10.0.1.0/24"]),
        ),
        (
            "!Select [1, !Cidr ['2001:db8::/56', 2, 64]]",
            json!("2001:db8:0:1::/64"),
        ),
        (
            "'{{resolve:ssm:/image:1}}-{{resolve:ssm:/image}}'",
            json!("v1-v2"),
        ),
        (
            "{Condition: {StringEquals: {a: b}}}",
            json!({"Condition": {"StringEquals": {"a": "b"}}}),
        ),
        ("{Condition: Unheard}", json!("<refused>")),
    ];
    for (expression, expected) in table {
        let found = value(expression);
        if expected == json!("<refused>") {
            assert!(found.is_err(), "{expression}: {found:?}");
        } else {
            assert_eq!(
                found.unwrap_or_else(|error| panic!("{expression}: {error}")),
                expected
            );
        }
    }
}

#[test]
fn plain_scalars_are_what_cloudformation_makes_of_them() {
    let table = [
        ("0777", json!(511)),
        ("012345678901", json!("012345678901")),
        ("yes", json!(true)),
        ("Off", json!(false)),
        ("y", json!("y")),
        ("'yes'", json!("yes")),
        ("1.4.0", json!("1.4.0")),
        ("256", json!(256)),
        ("-5", json!(-5)),
        ("1.5", json!(1.5)),
        ("2010-09-09", json!("2010-09-09")),
        ("99999999999999999999", json!("99999999999999999999")),
        ("!!str 5", json!("5")),
        ("22:22", json!("22:22")),
    ];
    for (scalar, expected) in table {
        assert_eq!(value(scalar).unwrap(), expected, "{scalar}");
    }
}

#[test]
fn spans_cut_out_what_they_name() {
    let text = "# ←コメント\nResources:\n  A:\n    Type: 'T' # é\n    Properties: {é: !Ref A, Tail: ünï}\n";
    let root = parse_document(text).unwrap();
    let properties = root
        .get("Resources")
        .unwrap()
        .get("A")
        .unwrap()
        .get("Properties")
        .unwrap();
    let cut = |span: Span| &text[span.start.byte..span.end.byte];
    let entries = properties.entries().unwrap();
    assert_eq!(cut(entries[0].key_span), "é");
    assert_eq!(cut(entries[0].value.span), "!Ref A");
    assert!(entries[0].value.short_form);
    assert_eq!(cut(entries[0].value.function().unwrap().1.span), "A");
    assert_eq!(cut(entries[1].value.span), "ünï");
    let tagged = "- !Join [',', [a]]\n- !Sub |\n  x\n- !FindInMap\n  - A\n- !Sub 'b'\n";
    let root = parse_document(tagged).unwrap();
    let spans: Vec<(&str, &str)> = root
        .items()
        .unwrap()
        .iter()
        .map(|node| (node.span, node.function().unwrap().1.span))
        .map(|(outer, inner)| {
            let cut = |span: Span| tagged[span.start.byte..span.end.byte].trim_end();
            (cut(outer), cut(inner))
        })
        .collect();
    let expected = [
        ("!Join [',', [a]]", "[',', [a]]"),
        ("!Sub |\n  x", "|\n  x"),
        ("!FindInMap\n  - A", "- A"),
        ("!Sub 'b'", "'b'"),
    ];
    assert_eq!(spans, expected);
    let json = "{\"é\": [1, \"x\\u00e9\"],\n\t\"b\": {\"c\": true}}";
    let root = parse_document(json).unwrap();
    let cut = |span: Span| &json[span.start.byte..span.end.byte];
    assert_eq!(
        cut(root.get("é").unwrap().items().unwrap()[1].span),
        "\"x\\u00e9\""
    );
    assert_eq!(cut(root.get("b").unwrap().span), "{\"c\": true}");
}

#[test]
fn the_table_of_types_is_sorted_and_whole() {
    let types: Vec<&str> = resources::SCHEMAS
        .iter()
        .map(|it| it.resource_type)
        .collect();
    assert!(types.is_sorted());
    assert_eq!(types.len(), 53);
    let bucket = schema("AWS::S3::Bucket").unwrap();
    assert!(bucket.property("BucketName").unwrap().replaces);
    assert!(!bucket.property("BucketName").unwrap().required);
    assert!(
        schema("AWS::S3::BucketPolicy")
            .unwrap()
            .property("Bucket")
            .unwrap()
            .required
    );
    assert!(bucket.attributes().any(|name| name == "RegionalDomainName"));
}

#[test]
fn previous_values_are_kept_and_stored_ones_fetched() {
    let text = "Parameters:\n  P: {Type: 'AWS::SSM::Parameter::Value<List<String>>', Default: /none, NoEcho: true}\nResources: {A: {Type: T}}";
    let template = Template::parse(text).unwrap();
    let supplied = BTreeMap::from([("P".to_owned(), Supply::Previous)]);
    let missing = template
        .resolve_parameters(&supplied, &BTreeMap::new(), &World)
        .unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("Invalid input for parameter key P.")
    );
    let previous = BTreeMap::from([("P".to_owned(), "/subnets".to_owned())]);
    let found = template
        .resolve_parameters(&supplied, &previous, &World)
        .unwrap();
    let expected = Parameter {
        supplied: "/subnets".to_owned(),
        value: json!(["subnet-a", "subnet-b"]),
        resolved: Some("subnet-a, subnet-b".to_owned()),
        no_echo: true,
    };
    assert_eq!(found["P"], expected);
}

#[test]
fn the_articles_template_has_its_values() {
    let rule = properties(ARTICLE, "EventRule", ARTICLE_VALUES).unwrap();
    let detail = &rule["EventPattern"]["detail"];
    assert_eq!(
        detail["object"]["key"][0]["prefix"],
        json!("test/aaa/complete.txt")
    );
    assert_eq!(detail["bucket"]["name"], json!(["sample-bucket"]));
    let target = &rule["Targets"][0];
    assert_eq!(
        target["Arn"],
        json!("arn:aws:ecs:ap-northeast-1:012345678901:cluster/sample-ecs")
    );
    let network = &target["EcsParameters"]["NetworkConfiguration"]["AwsVpcConfiguration"];
    assert_eq!(network["SecurityGroups"], json!(["sg-1"]));
    assert_eq!(network["Subnets"], json!(["subnet-1", "subnet-2"]));
    assert_eq!(target["EcsParameters"]["PlatformVersion"], json!("1.4.0"));
    assert_eq!(
        target["EcsParameters"]["TaskDefinitionArn"],
        json!("ECSTaskDefinition-id")
    );
    let task = properties(ARTICLE, "ECSTaskDefinition", ARTICLE_VALUES).unwrap();
    assert_eq!(
        (&task["Cpu"], &task["Memory"]),
        (&json!("256"), &json!("512"))
    );
    let bucket = properties(ARTICLE, "SampleBucket", ARTICLE_VALUES).unwrap();
    assert_eq!(
        bucket["NotificationConfiguration"]["EventBridgeConfiguration"]["EventBridgeEnabled"],
        json!(true)
    );
    let wrong = resolve(ARTICLE, &[("EnvironmentName", "prod")]).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "Parameter 'EnvironmentName' must be one of AllowedValues"
    );
}

#[test]
fn json_and_yaml_say_the_same() {
    let yaml = Template::parse(ARTICLE).unwrap();
    let pretty = serde_json::to_string_pretty(&yaml.root.to_json())
        .unwrap()
        .replace("  ", "\t");
    let json = Template::parse(&pretty).unwrap();
    assert_eq!(json.root.to_json(), yaml.root.to_json());
    for id in yaml.resources.keys() {
        assert_eq!(
            properties(ARTICLE, id, ARTICLE_VALUES).unwrap(),
            properties(&pretty, id, ARTICLE_VALUES).unwrap()
        );
    }
    let (yaml, json) = (Graph::of_all(&yaml), Graph::of_all(&json));
    assert_eq!(yaml, json);
    assert!(yaml.needs("EventRule").any(|id| id == "ECSTaskDefinition"));
}

#[test]
fn a_rule_fails_in_its_own_words() {
    let text = "Parameters: {BootstrapVersion: {Type: String, Default: '21'}}\n\
                Rules:\n  CheckBootstrapVersion:\n    Assertions:\n      - Assert:\n          Fn::Not:\n            - Fn::Contains: [['1', '2'], !Ref BootstrapVersion]\n        AssertDescription: bootstrap again\n\
                Resources: {A: {Type: T}}";
    let template = Template::parse(text).unwrap();
    let rules = |version: &str| {
        let parameters = resolve(text, &[("BootstrapVersion", version)]).unwrap();
        Evaluator::new(&template, &parameters, &pseudo(), &World)
            .unwrap()
            .check_rules()
    };
    assert_eq!(rules("21"), Ok(()));
    assert!(
        rules("2")
            .unwrap_err()
            .to_string()
            .ends_with("failed: bootstrap again")
    );
}

#[test]
fn outputs_have_values_and_exports() {
    let text = "Conditions: {Never: !Equals [a, b]}\nResources: {A: {Type: T}}\nOutputs:\n  \
                O: {Value: !GetAtt A.Arn, Export: {Name: !Sub '${AWS::StackName}-A'}}\n  N: {Value: x, Condition: Never}\n  L: {Value: [a]}";
    let template = Template::parse(text).unwrap();
    let (parameters, pseudo) = (Parameters::new(), pseudo());
    let evaluator = Evaluator::new(&template, &parameters, &pseudo, &World).unwrap();
    let output = |name: &str| evaluator.output(&template.outputs[name]);
    let expected = OutputValue {
        value: "arn:A".to_owned(),
        export: Some("app-A".to_owned()),
    };
    assert_eq!(output("O").unwrap(), Some(expected));
    assert_eq!(output("N").unwrap(), None);
    assert_eq!(
        output("L").unwrap_err().to_string(),
        "Template format error: The Value field of every Outputs member must evaluate to a String."
    );
}

#[test]
fn resources_are_made_after_what_they_need() {
    let text = "Conditions: {Never: !Equals [a, b]}\nResources:\n  D: {Type: T, DependsOn: [B, C]}\n  \
                C: {Type: T, Properties: {X: !Sub '${A.Arn}'}}\n  B: {Type: T, Properties: {X: !Ref A, Y: !If [Never, !Ref E, 1]}}\n  \
                A: {Type: T}\n  E: {Type: T, Condition: Never}\n  F: {Type: T}";
    let template = Template::parse(text).unwrap();
    let (parameters, pseudo) = (Parameters::new(), pseudo());
    let evaluator = Evaluator::new(&template, &parameters, &pseudo, &World).unwrap();
    let graph = Graph::new(&template, evaluator.conditions());
    assert_eq!(
        graph.waves().unwrap(),
        [vec!["A", "F"], vec!["C", "B"], vec!["D"]]
    );
    assert_eq!(graph.needs("D").collect::<Vec<_>>(), ["B", "C"]);
}

fn state(resource_type: &str, properties: Json) -> ResourceState {
    let Json::Object(properties) = properties else {
        panic!("properties are an object")
    };
    let resource_type = resource_type.to_owned();
    ResourceState {
        resource_type,
        properties,
        ..ResourceState::default()
    }
}

fn stack(resources: &[(&str, ResourceState)]) -> IndexMap<String, ResourceState> {
    resources
        .iter()
        .map(|(id, state)| ((*id).to_owned(), state.clone()))
        .collect()
}

#[test]
fn changes_know_what_is_replaced() {
    let queue = |properties: Json| state("AWS::SQS::Queue", properties);
    let old = stack(&[
        (
            "Same",
            queue(json!({"DelaySeconds": 5, "FifoQueue": "true"})),
        ),
        ("Renamed", queue(json!({"QueueName": "a"}))),
        ("Tuned", queue(json!({"DelaySeconds": 5, "Tags": []}))),
        ("Waiting", queue(json!({"QueueName": "a"}))),
        ("Gone", queue(json!({}))),
    ]);
    let new = stack(&[
        (
            "Same",
            queue(json!({"FifoQueue": true, "DelaySeconds": "5"})),
        ),
        ("Fresh", queue(json!({}))),
        (
            "Renamed",
            queue(json!({"QueueName": "b", "DelaySeconds": 1})),
        ),
        ("Tuned", queue(json!({"DelaySeconds": 6}))),
        (
            "Waiting",
            queue(json!({"QueueName": format!("x-{KNOWN_AFTER_APPLY}")})),
        ),
    ]);
    let found: Vec<_> = changes(&old, &new)
        .into_iter()
        .map(|it| {
            (
                it.logical_id,
                it.action.as_str(),
                it.replacement.map(Replacement::as_str),
                it.scope,
            )
        })
        .collect();
    let expected: [(&str, &str, Option<&str>, Vec<&str>); 5] = [
        ("Fresh", "Add", None, vec![]),
        ("Renamed", "Modify", Some("True"), vec!["Properties"]),
        ("Tuned", "Modify", Some("False"), vec!["Properties", "Tags"]),
        ("Waiting", "Modify", Some("Conditional"), vec!["Properties"]),
        ("Gone", "Remove", None, vec![]),
    ];
    assert_eq!(
        found,
        expected.map(|(id, action, how, scope)| (id.to_owned(), action, how, scope))
    );
    assert_eq!(changes(&new, &new), []);
    let retyped = stack(&[("Same", state("AWS::SNS::Topic", json!({})))]);
    assert!(
        check_type_changes(&old, &retyped)
            .unwrap_err()
            .to_string()
            .ends_with("resources: [Same]")
    );
    assert_eq!(check_type_changes(&old, &new), Ok(()));
}

#[test]
fn values_unknown_before_a_change_are_shown_as_such() {
    let text = "Resources: {Unborn: {Type: T}, R: {Type: T, Properties: {X: !Sub '${Unborn}/${Unborn.Name}'}}}";
    let template = Template::parse(text).unwrap();
    let (parameters, pseudo) = (Parameters::new(), pseudo());
    let planned = Planned(&World);
    let evaluator = Evaluator::new(&template, &parameters, &pseudo, &planned).unwrap();
    let found = evaluator.properties(&template.resources["R"]).unwrap();
    assert_eq!(
        found["X"],
        json!(format!("{KNOWN_AFTER_APPLY}/{KNOWN_AFTER_APPLY}"))
    );
}

#[test]
fn loose_scalars_are_taken_for_what_is_meant() {
    assert_eq!(as_bool_loose(&json!("True")), Some(true));
    assert_eq!(as_bool_loose(&json!(1)), None);
    assert_eq!(as_i64_loose(&json!("5")), Some(5));
    assert_eq!(as_i64_loose(&json!(5.0)), Some(5));
    assert_eq!(as_i64_loose(&json!(5.5)), None);
    assert_eq!(as_string_loose(&json!(false)), Some("false".to_owned()));
    assert_eq!(as_string_loose(&json!([])), None);
}

/// Text that comes close to a template, so that more than the first character is looked at.
fn almost_template() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "Resources",
        "A",
        "Type",
        ": ",
        ":",
        "\n",
        "  ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "'",
        "!Ref ",
        "!Sub ",
        "!GetAtt A.B",
        "${A}",
        "${",
        "&a ",
        "*a",
        "<<",
        "|\n",
        ">-\n",
        "# é\n",
        "\t",
        "\\",
        "---\n",
        "...",
        "%YAML",
        "? ",
        "0777",
        "\r",
        "\u{2028}",
        "\u{feff}",
        "null",
        "@",
        "\u{0}",
        "日本",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn parsing_never_panics(text in prop_oneof![any::<String>(), almost_template()]) {
        let _ = Template::parse(&text);
        let _ = Template::parse(&format!("{{{text}"));
        if let Ok(root) = parse_document(&text) {
            prop_assert!(root.span.start.byte <= text.len());
        }
    }

    #[test]
    fn json_reads_as_serde_reads_it(text in "[\\{\\}\\[\\],:\"a1 .e\\\\u\n-]{0,24}") {
        let text = format!("{{{text}");
        let ours = parse_document(&text).ok().map(|root| root.to_json());
        let theirs = serde_json::from_str::<Json>(&text).ok();
        if let Some(ours) = ours {
            prop_assert_eq!(Some(ours), theirs);
        } else if let Some(theirs) = theirs {
            let duplicate = parse_document(&text).unwrap_err().to_string().contains("duplicate key");
            prop_assert!(duplicate, "refused {theirs}");
        }
    }

    #[test]
    fn functions_take_any_argument_without_panic(name in 0..12usize, argument in "[\\[\\]a-z0-9', \\{\\}:$.!]{0,20}") {
        let names = ["Ref", "GetAtt", "Sub", "Join", "Select", "Split", "FindInMap", "If", "Cidr", "GetAZs", "And", "Equals"];
        let _ = value(&format!("!{} {argument}", names[name]));
    }
}
