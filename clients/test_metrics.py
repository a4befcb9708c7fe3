"""CloudWatch's metrics of EventBridge in each protocol that clients speak, and the same counts as Prometheus reads them."""

import datetime
import json
import re
import urllib.request

import botocore.exceptions
import botocore.loaders
import botocore.session
import pytest

from conftest import ACCOUNT, REGION, queue_arn, refused, unique, wait_until


@pytest.fixture(scope="module")
def counted(server):
    """A bus with a rule that three events met, and one that failed twice."""
    events, sqs = server.client("events"), server.client("sqs")
    bus, queue = unique("bus"), unique("queue")
    events.create_event_bus(Name=bus)
    policy = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}}
    url = sqs.create_queue(QueueName=queue, Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    missing = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{unique('none')}"
    for name, source, arn in [("good", "a", queue_arn(sqs, url)), ("bad", "b", missing)]:
        pattern = json.dumps({"source": [source]})
        events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "t", "Arn": arn}])
    for source, count in [("a", 3), ("b", 2)]:
        for _ in range(count):
            entry = {"EventBusName": bus, "Source": source, "DetailType": "d", "Detail": "{}"}
            assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    return bus


def window():
    now = datetime.datetime.now(datetime.timezone.utc)
    return {"StartTime": now - datetime.timedelta(hours=1), "EndTime": now + datetime.timedelta(minutes=2)}


def query(bus, rule, metric, statistic="Sum"):
    dimensions = [{"Name": "EventBusName", "Value": bus}, {"Name": "RuleName", "Value": rule}]
    stat = {
        "Metric": {"Namespace": "AWS/Events", "MetricName": metric, "Dimensions": dimensions},
        "Period": 7200,
        "Stat": statistic,
    }
    return {"Id": metric[0].lower() + metric[1:], "MetricStat": stat}


@pytest.fixture(params=["smithy-rpc-v2-cbor", "json", "query"])
def cloudwatch(request, server, monkeypatch):
    """A client of CloudWatch in each of its protocols."""
    protocol = request.param
    loader = botocore.session.Session().get_component("data_loader")
    model = loader.load_service_model("cloudwatch", "service-2")
    if protocol not in model["metadata"].get("protocols", [model["metadata"]["protocol"]]):
        pytest.skip(f"this botocore knows no {protocol} of CloudWatch")
    load = botocore.loaders.Loader.load_service_model

    def only(self, service_name, type_name, api_version=None):
        found = load(self, service_name, type_name, api_version)
        if (service_name, type_name) != ("cloudwatch", "service-2"):
            return found
        metadata = found["metadata"] | {"protocol": protocol, "protocols": [protocol]}
        return found | {"metadata": metadata}

    monkeypatch.setattr(botocore.loaders.Loader, "load_service_model", only)
    return server.client("cloudwatch")


def test_metric_data_in_every_protocol(cloudwatch, counted):
    queries = [query(counted, "good", metric) for metric in ["Invocations", "MatchedEvents", "FailedInvocations"]]

    def probe():
        results = cloudwatch.get_metric_data(MetricDataQueries=queries, **window())["MetricDataResults"]
        told = {result["Id"]: sum(result["Values"]) for result in results}
        return told if told["invocations"] == 3 else None

    told = wait_until(probe, "three invocations")
    assert told == {"invocations": 3, "matchedEvents": 3, "failedInvocations": 0}


def test_statistics_in_every_protocol(cloudwatch, counted):
    def probe():
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/Events",
            MetricName="FailedInvocations",
            Dimensions=[{"Name": "EventBusName", "Value": counted}, {"Name": "RuleName", "Value": "bad"}],
            Period=7200,
            Statistics=["Sum", "SampleCount", "Maximum"],
            **window(),
        )
        assert answer["Label"] == "FailedInvocations"
        points = answer["Datapoints"]
        return points if sum(point["Sum"] for point in points) == 2 else None

    for point in wait_until(probe, "two failures"):
        assert point["Unit"] == "Count" and point["Maximum"] == 1
        assert isinstance(point["Timestamp"], datetime.datetime) and point["Timestamp"].second == 0


def test_metrics_are_listed_in_every_protocol(cloudwatch, counted):
    def probe():
        pages = cloudwatch.get_paginator("list_metrics").paginate(
            Namespace="AWS/Events", Dimensions=[{"Name": "EventBusName", "Value": counted}, {"Name": "RuleName"}]
        )
        metrics = [metric for page in pages for metric in page["Metrics"]]
        names = {(metric["MetricName"], metric["Dimensions"][1]["Value"]) for metric in metrics}
        return names if ("FailedInvocations", "bad") in names and ("Invocations", "good") in names else None

    names = wait_until(probe, "the metrics")
    assert ("FailedInvocations", "good") not in names


def test_errors_have_the_same_code_in_every_protocol(cloudwatch):
    asked = {"Namespace": "AWS/Events", "MetricName": "Invocations", "Period": 60, "Statistics": ["Sum"]}
    now = datetime.datetime.now(datetime.timezone.utc)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cloudwatch.get_metric_statistics(**asked, StartTime=now, EndTime=now)
    assert refused(error) == ("InvalidParameterValue", 400)
    assert "The parameter StartTime must be less than the parameter EndTime." in str(error.value)
    week = now - datetime.timedelta(days=7)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cloudwatch.get_metric_statistics(**asked, StartTime=week, EndTime=now)
    assert refused(error)[0] == "InvalidParameterCombination"
    math = {"Id": "m", "Expression": "SUM(METRICS())"}
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cloudwatch.get_metric_data(MetricDataQueries=[math], **window())
    assert refused(error) == ("ValidationError", 400)
    assert "Landfall evaluates no metric math" in str(error.value)


def test_what_is_not_served_is_refused(cloudwatch):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        cloudwatch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "m", "Value": 1}])
    assert refused(error)[1] == 400


@pytest.mark.parametrize("cli", ["aws", "aws2"])
def test_both_command_lines_read_them(server, counted, cli):
    start, end = (moment.isoformat(timespec="seconds") for moment in window().values())
    command = getattr(server, cli)

    def probe():
        answer = command(
            "cloudwatch", "get-metric-statistics", "--namespace", "AWS/Events", "--metric-name", "Invocations",
            "--dimensions", f"Name=EventBusName,Value={counted}", "Name=RuleName,Value=good",
            "--start-time", start, "--end-time", end, "--period", "7200", "--statistics", "Sum", "--output", "json",
        )  # fmt: skip
        points = json.loads(answer.stdout)["Datapoints"]
        return sum(point["Sum"] for point in points) == 3

    wait_until(probe, "three invocations")


def test_prometheus_reads_the_same_counts(server, counted):
    def probe():
        with urllib.request.urlopen(f"{server.endpoint}/_landfall/metrics") as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            text = answer.read().decode()
        labels = f'{{account="{ACCOUNT}",region="{REGION}",bus="{counted}",rule="good"}}'
        return text if f"landfall_events_invocations_total{labels} 3" in text else None

    text = wait_until(probe, "three invocations")
    line = re.compile(r'[a-z_]+(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? [0-9.eE+-]+')
    families = set()
    for row in text.splitlines():
        if row.startswith("# TYPE "):
            families.add(row.split()[2])
        elif not row.startswith("#"):
            assert line.fullmatch(row), row
            assert any(row.startswith(family) for family in families), row
    for name in [
        "landfall_build_info",
        "landfall_commits_total",
        "landfall_commit_failures_total",
        "landfall_deliveries_due",
        "landfall_objects_put_total",
        "landfall_queue_messages",
        "landfall_tasks",
        "process_open_fds",
        "process_resident_memory_bytes",
    ]:
        assert name in families
