//! What is refused, and in which words: documents, templates, functions, properties, parameters.

use serde_json::{Value as Json, json};

use super::*;

#[test]
fn functions_are_refused_in_cloudformations_words() {
    let table = [
        (
            "!Ref Nobody",
            "Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template",
        ),
        (
            "!Sub '${Nobody}'",
            "Template format error: Unresolved resource dependencies [Nobody] in the Resources block of the template",
        ),
        (
            "!Ref Gone",
            "Template format error: Unresolved resource dependencies [Gone] in the Resources block of the template",
        ),
        (
            "!GetAtt Nobody.Arn",
            "Template error: instance of Fn::GetAtt references undefined resource Nobody",
        ),
        (
            "!GetAtt Other",
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
        ),
        (
            "!If [Nobody, 1, 2]",
            "Template error: unresolved condition dependency Nobody in Fn::If",
        ),
        (
            "!FindInMap [M, pro, a]",
            "Template error: Unable to get mapping for M::pro::a",
        ),
        (
            "!FindInMap [N, pro, a]",
            "Template error: Mapping named 'N' is not present in the 'Mappings' section of template.",
        ),
        ("!ImportValue nothing", "No export named nothing found"),
        (
            "!Select [3, [a]]",
            "Template error: Fn::Select cannot select nonexistent value at index 3",
        ),
        (
            "!Cidr ['10.0.0.0/31', 200, 8]",
            "Template error: Fn::Cidr requires an IP address block, a count from 1 to 256 and, optionally, the number of subnet bits",
        ),
        (
            "!Length [a]",
            "Template error: Fn::Length is not supported here",
        ),
        (
            "'{{resolve:secretsmanager:x}}'",
            "Template error: the dynamic reference {{resolve:secretsmanager:x}} is not supported; ssm and ssm-secure are",
        ),
    ];
    for (expression, expected) in table {
        let error = value(expression).expect_err(expression);
        assert_eq!(error.to_string(), expected, "{expression}");
    }
}

#[test]
fn malformed_documents_are_refused_with_their_place() {
    let table = [
        ("Resources:\n  A: *x\n", 2, 6, "aliases"),
        (
            "Resources:\n  A: {Type: T}\n  A: {Type: T}\n",
            3,
            3,
            "duplicate key 'A'",
        ),
        ("Resources:\n  A:\n    <<: {Type: T}\n", 3, 5, "hash merges"),
        ("Resources:\n  A: !Frob x\n", 2, 6, "!Frob"),
        (
            "Resources:\n  # é←\n  A: [x\n",
            4,
            1,
            "YAML not well-formed. (line 4, column 1)",
        ),
        (
            "Resources:\n  A:\n    Type: T\n    Properties:\n",
            4,
            15,
            "[/Resources/A/Properties] 'null' values",
        ),
        (
            "{\"Resources\": {\"A\": {},\n \"A\": {}}}",
            2,
            2,
            "duplicate key 'A'",
        ),
        (
            "{\"Resources\": {\n  \"A\": tru}}",
            2,
            8,
            "JSON not well-formed. (line 2, column 8)",
        ),
        ("{\"Resources\": {}", 1, 17, "JSON not well-formed."),
        ("{} {}", 1, 4, "text after the document"),
    ];
    for (text, line, column, words) in table {
        let error = Template::parse(text).expect_err(text);
        let start = error.span.expect(text).start;
        assert!(error.message.contains(words), "{text:?}: {error}");
        assert_eq!(
            (start.line, start.column),
            (line, column),
            "{text:?}: {error}"
        );
    }
    assert!(refusal(&format!("{{\"a\":{}", "[".repeat(100_000))).contains("nested too deeply"));
    assert!(refusal(&"- ".repeat(10_000)).contains("nested too deeply"));
    assert!(refusal(&format!("a: {}", "[".repeat(10_000))).contains("YAML not well-formed"));
    assert!(refusal(&" ".repeat(2 << 20)).contains("may not exceed"));
    assert_eq!(refusal(""), "Template format error: unsupported structure.");
    assert_eq!(
        refusal("just text"),
        "Template format error: unsupported structure."
    );
}

#[test]
fn templates_are_refused_in_cloudformations_words() {
    let table = [
        (
            "Resources: {}",
            "Template format error: At least one Resources member must be defined.",
        ),
        (
            "Resorces: {A: {Type: T}}",
            "Template format error: Invalid template property or properties [Resorces]",
        ),
        (
            "Resources: {A: {}}",
            "Template format error: [/Resources/A] Every Resources object must contain a Type member.",
        ),
        (
            "Resources: {A-b: {Type: T}}",
            "Template format error: Resource name A-b is non alphanumeric.",
        ),
        (
            "Resources: {A: {Type: T, Property: {}}}",
            "Template validation error: Invalid template resource property 'Property'",
        ),
        (
            "Resources: {A: {Type: T, DependsOn: B}}",
            "Template format error: Unresolved resource dependencies [B] in the Resources block of the template",
        ),
        (
            "Resources: {A: {Type: T}}\nOutputs: {O: {Value: !Ref B}}",
            "Template format error: Unresolved resource dependencies [B] in the Outputs block of the template",
        ),
        (
            "Resources: {A: {Type: T, DependsOn: B}, B: {Type: T, Properties: {X: !GetAtt A.Y}}, C: {Type: T, DependsOn: A}}",
            "Circular dependency between resources: [A, B]",
        ),
        (
            "Resources: {A: {Type: T}}\nConditions: {C: !Equals [!Ref A, x]}",
            "Template format error: Unresolved dependencies [A]. Cannot reference resources in the Conditions block of the template",
        ),
        (
            "Resources: {A: {Type: T}}\nConditions: {C: !Not [Condition: D], D: !Not [Condition: C]}",
            "Template format error: Circular dependency between conditions: [C, D]",
        ),
        (
            "Resources: {A: {Type: T}}\nTransform: AWS::Serverless-2016-10-31",
            "Template error: the transforms [AWS::Serverless-2016-10-31] are not run here. Deploy the processed template instead",
        ),
        (
            "Resources: {A: {Type: T}}\nParameters: {P: {Type: Strin}}",
            "Template format error: Unrecognized parameter type: Strin (parameter P)",
        ),
        (
            "Resources: {A: {Type: T}}\nParameters: {P: {Type: String, AllowedValues: a}}",
            "Template format error: Every AllowedValues member must be a list.",
        ),
        (
            "Resources: {A: {Type: T}}\nOutputs: {O: {Value: x, Export: {Name: !Ref A}}}",
            "Template format error: Output O is malformed. The Name field of Export must not depend on any resources, imported values, or Fn::GetAZs.",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(refusal(text), expected, "{text}");
    }
    let many: String = (0..501)
        .map(|at| format!("  R{at}: {{Type: T}}\n"))
        .collect();
    assert_eq!(
        refusal(&format!("Resources:\n{many}")),
        "Template format error: Number of resources, 501, is greater than maximum allowed, 500"
    );
}

#[test]
fn types_and_attributes_are_checked_against_the_table() {
    let parse = |text: &str| Template::parse(text).unwrap();
    let known = |name: &str| schema(name).is_some();
    let strange = parse("Resources: {A: {Type: X::Y}, B: {Type: A::B}, C: {Type: Custom::C}}");
    assert_eq!(
        strange.check_types(known).unwrap_err().to_string(),
        "Template format error: Unrecognized resource types: [A::B, X::Y]"
    );
    let attribute =
        "Resources: {Q: {Type: AWS::SQS::Queue}}\nOutputs: {O: {Value: !GetAtt Q.Colour}}";
    assert_eq!(
        parse(attribute).check_types(known).unwrap_err().to_string(),
        "Template error: resource Q does not support attribute type Colour in Fn::GetAtt"
    );
    parse(&attribute.replace("Colour", "QueueName"))
        .check_types(known)
        .unwrap();
    let role = "Resources: {R: {Type: AWS::IAM::Role, Properties: {}}}";
    assert_eq!(parse(role).required_capability(), Some("CAPABILITY_IAM"));
    let role = role.replace("{}}", "{RoleName: x}}");
    assert_eq!(
        parse(&role).required_capability(),
        Some("CAPABILITY_NAMED_IAM")
    );
    assert_eq!(parse(attribute).required_capability(), None);
}

#[test]
fn properties_are_checked_against_the_table() {
    let check = |resource_type: &str, properties: Json| {
        check_properties("R", resource_type, properties.as_object().unwrap())
    };
    let head = "Properties validation failed for resource R with message:\n";
    assert_eq!(
        check(
            "AWS::SSM::Parameter",
            json!({"Type": "String", "Colour": 1})
        ),
        Err(format!(
            "{head}#: extraneous key [Colour] is not permitted\n#: required key [Value] not found"
        ))
    );
    assert_eq!(
        check(
            "AWS::SSM::Parameter",
            json!({"Type": "String", "Value": "x"})
        ),
        Ok(())
    );
    assert_eq!(
        check("AWS::CDK::Metadata", json!({"Analytics": "x"})),
        Ok(())
    );
    assert_eq!(check("Custom::X", json!({"Any": 1})), Ok(()));
}

#[test]
fn parameters_keep_their_constraints() {
    let with =
        |declared: &str| format!("Parameters: {{P: {declared}}}\nResources: {{A: {{Type: T}}}}");
    let table = [
        ("{Type: String}", None, "Parameters: [P] must have values"),
        (
            "{Type: String, AllowedValues: [dev, pro]}",
            Some("x"),
            "Parameter 'P' must be one of AllowedValues",
        ),
        (
            "{Type: String, AllowedValues: [yes]}",
            Some("yes"),
            "Parameter 'P' must be one of AllowedValues",
        ),
        (
            "{Type: String, AllowedValues: [a], ConstraintDescription: be a}",
            Some("x"),
            "Parameter P failed to satisfy constraint: be a",
        ),
        (
            "{Type: String, AllowedPattern: '(?=.*1)[a-z1]+'}",
            Some("abc"),
            "Parameter 'P' must match pattern (?=.*1)[a-z1]+",
        ),
        (
            "{Type: String, AllowedPattern: 'a|b'}",
            Some("ab"),
            "Parameter 'P' must match pattern a|b",
        ),
        (
            "{Type: String, MinLength: 3}",
            Some("éé"),
            "Parameter 'P' must contain at least 3 characters",
        ),
        (
            "{Type: String, MaxLength: '1'}",
            Some("ab"),
            "Parameter 'P' must contain at most 1 characters",
        ),
        (
            "{Type: Number}",
            Some("x"),
            "Parameter 'P' must be a number",
        ),
        (
            "{Type: Number, MinValue: 2}",
            Some("1.5"),
            "Parameter 'P' must be a number not less than 2",
        ),
        (
            "{Type: List<Number>, MaxValue: 2}",
            Some("1,3"),
            "Parameter 'P' must be a number not greater than 2",
        ),
        (
            "{Type: 'AWS::SSM::Parameter::Value<String>'}",
            Some("/none"),
            "Unable to fetch parameters [/none] from parameter store for this account.",
        ),
    ];
    for (declared, supplied, expected) in table {
        let values: Vec<(&str, &str)> = supplied.map(|value| ("P", value)).into_iter().collect();
        let error = resolve(&with(declared), &values).expect_err(declared);
        assert_eq!(error.to_string(), expected, "{declared}");
    }
    let unknown = resolve(&with("{Type: String, Default: a}"), &[("Q", "x")]).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "Parameters: [Q] do not exist in the template"
    );
    let accepted = resolve(
        &with("{Type: String, AllowedPattern: '(?=.*1)[a-z1]+'}"),
        &[("P", "a1")],
    );
    assert_eq!(accepted.unwrap()["P"].value, json!("a1"));
}
