//! The two calls to S3, through an ordinary AWS client: region, credentials and endpoint come from the environment.
//!
//! Never contains anything made for Landfall: `AWS_ENDPOINT_URL` is the AWS SDK's own setting.

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// Largest CSV that is read; it is held in memory as a whole.
const CSV_BYTES_MAX: i64 = 256 * 1024 * 1024;

/// S3 did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object could not be read.
    #[error("cannot read s3://{bucket}/{key}: {reason}")]
    Read {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// What S3 or the network said.
        reason: String,
    },
    /// The object could not be written.
    #[error("cannot write s3://{bucket}/{key}: {reason}")]
    Write {
        /// Its bucket.
        bucket: String,
        /// Its key.
        key: String,
        /// What S3 or the network said.
        reason: String,
    },
}

/// A connection to S3.
pub struct Storage {
    client: Client,
}

impl Storage {
    /// Reads the settings of the environment, as every AWS client does.
    pub async fn connect() -> Self {
        let http = Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let settings = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .load()
            .await;
        let config = aws_sdk_s3::config::Builder::from(&settings)
            .force_path_style(settings.endpoint_url().is_some())
            .build();
        Self {
            client: Client::from_conf(config),
        }
    }

    /// The whole object.
    pub async fn read(&self, bucket: &str, key: &str) -> Result<Vec<u8>, Error> {
        let failed = |reason: String| Error::Read {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            reason,
        };
        let object = self
            .client
            .get_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| failed(reasons(&error)))?;
        if object
            .content_length()
            .is_some_and(|bytes| bytes > CSV_BYTES_MAX)
        {
            return Err(failed(format!("it is larger than {CSV_BYTES_MAX} bytes")));
        }
        let body = object
            .body
            .collect()
            .await
            .map_err(|error| failed(reasons(&error)))?;
        Ok(body.to_vec())
    }

    /// Replaces the object by this JSON text.
    pub async fn write_json(&self, bucket: &str, key: &str, json: Vec<u8>) -> Result<(), Error> {
        self.client
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(json))
            .send()
            .await
            .map(drop)
            .map_err(|error| Error::Write {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                reason: reasons(&error),
            })
    }
}

/// The error and all that caused it, each said once.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        source = cause.source();
    }
    texts.join(": ")
}
