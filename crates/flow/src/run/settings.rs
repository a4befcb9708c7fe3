//! Account settings of ECS: kept and shown, since clients set them; none changes what Landfall does, so only the
//! values that Landfall lives by already are taken. Never invents a setting.

use landfall_core::api::generated::ecs as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;

use super::invalid;
use crate::tx::{Reader, Tx};

/// What holds here, always.
const FIXED: [(&str, &str); 4] = [
    ("serviceLongArnFormat", "enabled"),
    ("taskLongArnFormat", "enabled"),
    ("containerInstanceLongArnFormat", "enabled"),
    ("containerInsights", "disabled"),
];

/// `PutAccountSetting`.
pub fn put(
    _: &mut Tx<'_>,
    caller: &Caller,
    request: &api::PutAccountSettingRequest,
) -> Result<api::PutAccountSettingResponse, ApiError> {
    let name = request.name.as_deref().unwrap_or_default();
    let value = request.value.as_deref().unwrap_or_default();
    match FIXED.iter().find(|(known, _)| *known == name) {
        Some((_, fixed)) if *fixed == value => Ok(api::PutAccountSettingResponse {
            setting: Some(setting(caller, name, value)),
        }),
        _ => Err(invalid(format!(
            "Landfall does not support setting {name} to {value}."
        ))),
    }
}

/// `ListAccountSettings`.
pub fn list(
    _: &impl Reader,
    caller: &Caller,
    request: &api::ListAccountSettingsRequest,
) -> Result<api::ListAccountSettingsResponse, ApiError> {
    let wanted = |name: &str| request.name.as_deref().is_none_or(|wish| wish == name);
    let known = FIXED.iter().filter(|(name, _)| wanted(name));
    let settings = known
        .map(|(name, value)| setting(caller, name, value))
        .collect();
    Ok(api::ListAccountSettingsResponse {
        settings: Some(settings),
        next_token: None,
    })
}

fn setting(caller: &Caller, name: &str, value: &str) -> api::Setting {
    api::Setting {
        name: Some(name.to_owned()),
        value: Some(value.to_owned()),
        principal_arn: Some(format!("arn:aws:iam::{}:root", caller.account)),
        ..Default::default()
    }
}
