"""CloudFormation through boto3: what fails is rolled back and told, and what is wrong is refused."""

import json
import time

import botocore.exceptions
import pytest

from conftest import refused, unique, wait_until


@pytest.fixture
def cloudformation(server):
    return server.client("cloudformation")


@pytest.fixture
def stack(cloudformation):
    name = unique("stack")
    yield name
    cloudformation.delete_stack(StackName=name)


def finished(cloudformation, name):
    def probe():
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    return wait_until(probe, f"the end of the work on {name}")


def template(resources, **sections):
    return json.dumps({"Resources": resources} | sections)


def parameter(value, **more):
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}} | more


def test_functions_and_outputs(cloudformation, stack):
    body = template(
        {
            "First": parameter("one"),
            "Second": parameter({"Fn::Join": ["-", ["two", {"Fn::GetAtt": ["First", "Value"]}]]}),
            "Third": parameter({"Fn::Sub": "${First}|${AWS::Region}|${!literal}"}, DependsOn=["Second"]),
        },
        Parameters={"P": {"Type": "String", "Default": "b"}},
        Mappings={"M": {"k": {"b": ["x", "y"]}}},
        Outputs={
            "Second": {"Value": {"Fn::GetAtt": ["Second", "Value"]}},
            "Mapped": {"Value": {"Fn::Select": [1, {"Fn::FindInMap": ["M", "k", {"Ref": "P"}]}]}},
            "Third": {"Value": {"Fn::GetAtt": ["Third", "Value"]}},
        },
    )
    cloudformation.create_stack(StackName=stack, TemplateBody=body)
    described = finished(cloudformation, stack)
    assert described["StackStatus"] == "CREATE_COMPLETE"
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    assert outputs["Second"] == "two-one"
    assert outputs["Mapped"] == "y"
    assert outputs["Third"].endswith("|ap-northeast-1|${literal}")


def test_a_failed_resource_rolls_the_stack_back_and_says_why(server, cloudformation, stack):
    bucket = unique("bucket")
    body = template(
        {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}},
            "Bad": {
                "Type": "AWS::Events::Rule",
                "DependsOn": "Bucket",
                "Properties": {"EventPattern": {"source": [{"EXISTS": True}]}},
            },
        }
    )
    cloudformation.create_stack(StackName=stack, TemplateBody=body)
    assert finished(cloudformation, stack)["StackStatus"] == "ROLLBACK_COMPLETE"
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in events
        if event["LogicalResourceId"] == "Bad" and event["ResourceStatus"] == "CREATE_FAILED"
    ]
    assert any("Unrecognized match type EXISTS" in reason for reason in reasons), reasons
    names = [item["Name"] for item in server.client("s3").list_buckets()["Buckets"]]
    assert bucket not in names


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "a: [",
        "[]",
        '{"Resources": {}}',
        '{"Resources": {"A": {"Type": "No::Such::Thing"}}}',
        '{"Resources": {"A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "None"}}}}}',
        "Resources:\n  A:\n    Type: AWS::SQS::Queue\n  A:\n    Type: AWS::SQS::Queue\n",
    ],
)
def test_bad_templates_are_refused_and_make_no_stack(cloudformation, body):
    name = unique("stack")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cloudformation.create_stack(StackName=name, TemplateBody=body)
    assert refused(error) == ("ValidationError", 400)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cloudformation.describe_stacks(StackName=name)
    assert error.value.response["Error"]["Message"] == f"Stack with id {name} does not exist"


def test_parameters_are_checked(cloudformation):
    body = template(
        {"A": parameter({"Ref": "Environment"})},
        Parameters={"Environment": {"Type": "String", "AllowedValues": ["dev", "pro"]}},
    )
    name = unique("stack")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=body,
            Parameters=[{"ParameterKey": "Environment", "ParameterValue": "other"}],
        )
    assert "must be one of" in error.value.response["Error"]["Message"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cloudformation.create_stack(StackName=name, TemplateBody=body)
    assert error.value.response["Error"]["Message"] == "Parameters: [Environment] must have values"


def test_a_change_set_without_changes_says_so(cloudformation, stack):
    body = template({"A": parameter("one")})
    cloudformation.create_stack(StackName=stack, TemplateBody=body)
    finished(cloudformation, stack)
    cloudformation.create_change_set(
        StackName=stack, ChangeSetName="none", TemplateBody=body, ChangeSetType="UPDATE"
    )

    def probe():
        answer = cloudformation.describe_change_set(StackName=stack, ChangeSetName="none")
        return answer if answer["Status"] == "FAILED" else None

    answer = wait_until(probe, "the change set")
    assert "didn't contain changes" in answer["StatusReason"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cloudformation.update_stack(StackName=stack, TemplateBody=body)
    assert error.value.response["Error"]["Message"] == "No updates are to be performed."


def test_a_stock_deployment_does_not_sit_out_the_pause_of_its_poll(server, stack, tmp_path):
    """`deploy` asks once whether the stack stands, and again only after half a minute."""
    body = tmp_path / "template.json"
    body.write_text(template({f"P{n}": parameter(str(n)) for n in range(40)}))
    started = time.monotonic()
    server.aws("cloudformation", "deploy", f"--stack-name={stack}", f"--template-file={body}")
    assert time.monotonic() - started < 25
    [described] = server.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    assert described["StackStatus"] == "CREATE_COMPLETE"
