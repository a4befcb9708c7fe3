//! What the golden test is made of: the store as text, the scenario that fills it, the answers read from it, and how
//! the pipeline goes on from it. Never a test itself.

pub mod answers;
pub mod dump;
pub mod going_on;
pub mod house;
pub mod scenario;
pub mod trails;
