//! The AWS APIs that Landfall serves: their types, their shape tables and the one validator of their input.
//!
//! An input or output of an operation is either its generated type or the JSON value of that type. In the value form
//! members carry the model's names, timestamps are numbers (seconds since the epoch) and blobs base64 text, whatever
//! the protocol. Never knows how a protocol spells them.

pub mod generated;
pub mod model;
pub mod validate;
pub mod value;

pub use generated::{
    cloudformation, cloudtrail, cloudwatch, ec2, ecs, events, iam, logs, sqs, ssm, sts,
};
