//! Speaks AWS: bytes of a request become a typed call, the typed answer becomes bytes. Never decides and never touches
//! the store.
//!
//! [`http`] accepts connections, [`dispatch`] finds the service of a request, [`protocol`] holds each protocol once for
//! all services. A service is a type with async functions for its operations and one use of [`service!`].

pub mod dispatch;
pub mod http;
pub mod protocol;
