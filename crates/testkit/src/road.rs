//! The new road, furnished through the APIs as a client would: bucket, rule, cluster, task definition, target. Never
//! looks behind the server's port.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::http::Client;

/// Each object of `bucket` whose key begins with `prefix` starts a container of `image`, with `OBJECT_KEY`.
#[derive(Debug, Clone)]
pub struct Road {
    /// Name of the bucket, the rule, the cluster and the family.
    pub bucket: String,
    /// Keys that the rule matches.
    pub prefix: String,
    /// Image of the container.
    pub image: String,
    /// The container's command, in place of the image's.
    pub command: Vec<String>,
}

impl Road {
    /// Loads the image from an archive and makes everything that the road needs.
    pub async fn furnish(&self, client: &mut Client, archive: &Path) -> io::Result<()> {
        let archive = std::fs::read(archive)?;
        client
            .send("POST", "/_landfall/images", &[], &archive)
            .await?
            .success()?;
        client.create_bucket(&self.bucket, true).await?;
        let cluster = self.cluster(client).await?;
        self.definition(client).await?;
        self.rule(client).await?;
        self.target(client, &cluster).await
    }

    async fn cluster(&self, client: &mut Client) -> io::Result<String> {
        let target = "AmazonEC2ContainerServiceV20141113.CreateCluster";
        let made = client
            .json_call(target, &json!({"clusterName": self.bucket}))
            .await?;
        let arn = made.pointer("/cluster/clusterArn").and_then(Value::as_str);
        arn.map(str::to_owned)
            .ok_or_else(|| io::Error::other(format!("no ARN in {made}")))
    }

    async fn definition(&self, client: &mut Client) -> io::Result<()> {
        let definition = json!({
            "family": self.bucket,
            "containerDefinitions": [{
                "name": "app",
                "image": self.image,
                "memory": 64,
                "command": self.command,
            }],
        });
        let target = "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition";
        client.json_call(target, &definition).await.map(drop)
    }

    async fn rule(&self, client: &mut Client) -> io::Result<()> {
        let pattern = json!({
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {
                "bucket": {"name": [self.bucket]},
                "object": {"key": [{"prefix": self.prefix}]},
            },
        });
        let rule = json!({"Name": self.bucket, "EventPattern": pattern.to_string()});
        client.json_call("AWSEvents.PutRule", &rule).await.map(drop)
    }

    async fn target(&self, client: &mut Client, cluster: &str) -> io::Result<()> {
        let template = r#"{"containerOverrides":[{"name":"app","environment":[{"name":"OBJECT_KEY","value":<key>}]}]}"#;
        let targets = json!({
            "Rule": self.bucket,
            "Targets": [{
                "Id": "ecs",
                "Arn": cluster,
                "RoleArn": "arn:aws:iam::000000000000:role/events",
                "EcsParameters": {"TaskDefinitionArn": self.bucket},
                "InputTransformer": {
                    "InputPathsMap": {"key": "$.detail.object.key"},
                    "InputTemplate": template,
                },
            }],
        });
        let answer = client.json_call("AWSEvents.PutTargets", &targets).await?;
        match answer.get("FailedEntryCount").and_then(Value::as_i64) {
            Some(0) => Ok(()),
            _ => Err(io::Error::other(format!("refused: {answer}"))),
        }
    }
}
