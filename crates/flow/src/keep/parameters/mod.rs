//! Parameters (AWS Systems Manager Parameter Store): values under names, with their former versions.
//!
//! A `SecureString` is **not encrypted**: it lies in the store like every other value, and `WithDecryption` only
//! decides whether it is shown. Labels and parameter policies are refused. Never serves AWS's public parameters.

mod filter;
mod history;
mod name;
mod put;
mod read;
mod tagging;
#[cfg(test)]
mod tests;

use landfall_core::arn::arn;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

pub use filter::describe;
pub use history::get_history;
pub use put::{delete, delete_many, put};
pub use read::{get, get_by_path, get_many};
pub use tagging::{add_tags, list_tags, remove_tags};

use crate::key::Key;
use crate::tx::{Reader, Tx};
use name::{Selected, Selector};

const SECURE: &str = "SecureString";

/// One version of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Parameter {
    name: String,
    account: String,
    region: String,
    /// `String`, `StringList` or `SecureString`.
    kind: String,
    value: String,
    version: u64,
    modified: Timestamp,
    modified_by: String,
    description: Option<String>,
    allowed_pattern: Option<String>,
    key_id: Option<String>,
    tier: String,
    data_type: String,
}
crate::record!(Parameter in Control);

impl Parameter {
    fn arn(&self) -> String {
        let name = self.name.trim_start_matches('/');
        arn(
            "ssm",
            &self.region,
            &self.account,
            format_args!("parameter/{name}"),
        )
    }

    /// The value as a reader sees it: a secret that nobody asked to decrypt is replaced by a text that says nothing.
    fn shown(&self, with_decryption: Option<bool>) -> String {
        if self.kind != SECURE || with_decryption == Some(true) {
            return self.value.clone();
        }
        use base64::Engine as _;
        let text = format!("not shown: {} version {}", self.arn(), self.version);
        base64::engine::general_purpose::STANDARD.encode(text)
    }
}

/// The value of a parameter by name or ARN, each with or without `:version`; secrets are shown.
pub fn value(db: &impl Reader, caller: &Caller, name: &str) -> Result<Option<String>, ApiError> {
    match select(db, caller, &Selected::parse(name)) {
        Ok(parameter) => Ok(Some(parameter.value)),
        Err(e) if e.status < 500 => Ok(None),
        Err(e) => Err(e),
    }
}

/// The value of a version, or of the latest one; secrets are shown.
pub fn lookup(
    db: &impl Reader,
    account: &str,
    region: &str,
    name: &str,
    version: Option<u64>,
) -> Result<Option<String>, ApiError> {
    let found = match version {
        None => db.get::<Parameter>(&key(account, region, name))?,
        Some(version) => db.get(&history::key(account, region, name, version))?,
    };
    Ok(found.map(|parameter| parameter.value))
}

/// The version of a parameter that a name with its selector means.
fn select(db: &impl Reader, caller: &Caller, wanted: &Selected) -> Result<Parameter, ApiError> {
    let latest = find(db, caller, wanted)?;
    match &wanted.selector {
        None => Ok(latest),
        Some(Selector::Version(version)) if *version == latest.version => Ok(latest),
        Some(Selector::Version(version)) => {
            let Parameter {
                account,
                region,
                name,
                ..
            } = &latest;
            db.get(&history::key(account, region, name, *version))?.ok_or_else(|| {
                version_not_found(format!(
                    "Systems Manager could not find version {version} of {name}. Verify the version and try again."
                ))
            })
        }
        Some(Selector::Label(label)) => Err(version_not_found(format!(
            "Systems Manager could not find the label {label} of {}. Landfall does not keep labels.",
            latest.name
        ))),
    }
}

/// The latest version of a parameter, whatever the selector says.
fn find(db: &impl Reader, caller: &Caller, wanted: &Selected) -> Result<Parameter, ApiError> {
    let account = wanted.account.as_deref().unwrap_or(&caller.account);
    let region = wanted.region.as_deref().unwrap_or(&caller.region);
    for name in &wanted.names {
        if let Some(parameter) = db.get::<Parameter>(&key(account, region, name))? {
            return Ok(parameter);
        }
    }
    Err(not_found())
}

/// Writes a version and keeps it in the history.
fn save(tx: &mut Tx<'_>, parameter: &Parameter) -> Result<(), ApiError> {
    let Parameter {
        account,
        region,
        name,
        version,
        ..
    } = parameter;
    tx.put(&history::key(account, region, name, *version), parameter)?;
    tx.put(&key(account, region, name), parameter)
}

fn prefix(caller: &Caller) -> Key {
    Key::new("parameter")
        .part(&caller.account)
        .part(&caller.region)
}

fn key(account: &str, region: &str, name: &str) -> Key {
    Key::new("parameter").part(account).part(region).part(name)
}

/// `ParameterNotFound`; AWS says no more.
fn not_found() -> ApiError {
    ApiError::client("ParameterNotFound", "")
}

fn version_not_found(text: String) -> ApiError {
    ApiError::client("ParameterVersionNotFound", text)
}
