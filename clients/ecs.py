"""Help for tests that run containers: task definitions, and what became of a task."""

from conftest import unique, wait_until

NETWORK = "awsvpcConfiguration"


class Tasks:
    """A cluster with its network on a server."""

    def __init__(self, server):
        self.ecs = server.client("ecs")
        self.logs = server.client("logs")
        ec2 = server.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
        self.network = {NETWORK: {"subnets": [subnet], "assignPublicIp": "DISABLED"}}
        # EventBridge spells the members of the same shape with capitals.
        self.rule_network = {NETWORK: {"Subnets": [subnet], "AssignPublicIp": "DISABLED"}}
        self.cluster = unique("cluster")
        self.cluster_arn = self.ecs.create_cluster(clusterName=self.cluster)["cluster"]["clusterArn"]
        self.log_group = unique("/ecs/tests")
        self.logs.create_log_group(logGroupName=self.log_group)

    def define(self, image, **container):
        """Registers a Fargate task definition of one container named app; returns its ARN."""
        answer = self.ecs.register_task_definition(
            family=unique("family"),
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn="arn:aws:iam::000000000000:role/execution",
            containerDefinitions=[
                {
                    "name": "app",
                    "image": image,
                    "essential": True,
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {
                            "awslogs-group": self.log_group,
                            "awslogs-region": "ap-northeast-1",
                            "awslogs-stream-prefix": "t",
                        },
                    },
                }
                | container
            ],
        )
        return answer["taskDefinition"]["taskDefinitionArn"]

    def run(self, definition, **request):
        """Starts one task; returns its ARN."""
        answer = self.ecs.run_task(
            cluster=self.cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=self.network,
            **request,
        )
        assert answer["failures"] == []
        return answer["tasks"][0]["taskArn"]

    def describe(self, arn):
        """The task as ECS describes it."""
        answer = self.ecs.describe_tasks(cluster=self.cluster, tasks=[arn])
        assert answer["failures"] == []
        return answer["tasks"][0]

    def stopped(self, arn):
        """Waits until the task has stopped; returns it."""

        def probe():
            task = self.describe(arn)
            return task if task["lastStatus"] == "STOPPED" else None

        return wait_until(probe, f"the end of {arn}")

    def running(self, arn):
        """Waits until the task runs; returns it."""

        def probe():
            task = self.describe(arn)
            return task if task["lastStatus"] == "RUNNING" else None

        return wait_until(probe, f"the start of {arn}")

    def all(self):
        """ARNs of all tasks of the cluster, running and stopped."""
        arns = []
        for status in ("RUNNING", "STOPPED"):
            pages = self.ecs.get_paginator("list_tasks").paginate(cluster=self.cluster, desiredStatus=status)
            arns.extend(arn for page in pages for arn in page["taskArns"])
        return arns

    def output(self, arn):
        """Lines that the task's container wrote."""
        stream = f"t/app/{arn.rsplit('/', 1)[-1]}"
        answer = self.logs.get_log_events(
            logGroupName=self.log_group, logStreamName=stream, startFromHead=True
        )
        return [event["message"] for event in answer["events"]]
