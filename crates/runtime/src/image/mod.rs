//! Images: loaded from archives or pulled, unpacked once, found by name. An image is there whole or not at all.
//!
//! Never runs anything and never trusts a digest that it has not computed.

pub mod archive;
mod config;
mod load;
mod name;
mod pull;
mod store;
mod unpack;

pub use config::ImageConfig;
pub use name::ImageName;
pub use store::{ImageStore, StoredImage};
pub(crate) use store::{read_if_there, sync_directory, write_synced};
pub(crate) use unpack::{make_directory_in, resolve_in};
