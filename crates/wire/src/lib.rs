//! Speaks AWS: bytes of a request become a typed call, the typed answer becomes bytes. Never decides and never touches
//! the store.
//!
//! [`http`] accepts connections, [`dispatch`] finds the service of a request, [`protocol`] holds each protocol once for
//! all services. A service is a type with async functions for its operations and one use of [`service!`].

pub mod cloudformation;
pub mod cloudtrail;
pub mod cloudwatch;
pub mod dispatch;
pub mod ec2;
pub mod ecs;
pub mod events;
pub mod http;
pub mod iam;
pub mod internal;
pub mod logs;
pub mod protocol;
mod record;
pub mod s3;
mod session;
pub mod sqs;
pub mod ssm;
pub mod sts;
pub mod verbs;
