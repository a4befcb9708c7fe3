//! Event patterns of Amazon EventBridge: parse, check, and hold them against events.
//!
//! Behaves as the service does as far as that is recorded, error texts included; the README lists what was decided
//! where it is not. Never does I/O, never blocks, and knows of no other service.
//!
//! ```
//! use landfall_pattern::{Matcher, Pattern};
//!
//! let pattern = Pattern::parse(r#"{"detail":{"object":{"key":[{"suffix":"/complete.txt"}]}}}"#)?;
//! let mut rules = Matcher::new();
//! rules.add("start-batch", &pattern);
//! let event = r#"{"detail":{"object":{"key":"test/aaa/complete.txt"}}}"#;
//! assert_eq!(rules.matches(event)?, ["start-batch"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod address;
mod arrays;
mod compile;
mod complexity;
mod condition;
mod error;
mod evaluate;
mod event;
mod fold;
mod index;
mod leaves;
pub mod limits;
mod marks;
mod matcher;
mod near;
mod number;
mod operators;
mod paths;
mod pattern;
mod reader;
mod scan;
mod wildcard;
mod words;

pub use error::{EventError, PatternError};
pub use event::Event;
pub use matcher::{Matcher, Scratch, Snapshot};
pub use near::Near;
pub use pattern::{Miss, Pattern};
