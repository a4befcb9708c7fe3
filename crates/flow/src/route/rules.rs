//! Rules of a bus as the API knows them. Never matches anything: see `matching.rs`.

use landfall_core::api::generated::events as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_pattern::{Event, Pattern};
use landfall_store::Direction;
use serde::{Deserialize, Serialize};

use super::bus::{BusKey, DEFAULT_BUS, check_exists};
use super::limit_exceeded;
use crate::keep::tags;
use crate::key::Key;
use crate::page::page;
use crate::tx::{Reader, Tx};

/// A rule and its targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Unique on its bus.
    pub name: String,
    /// The event pattern as it was put.
    pub pattern: String,
    /// `ENABLED`, `DISABLED` or `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`.
    pub state: String,
    /// Free text.
    pub description: Option<String>,
    /// Role of the rule.
    pub role_arn: Option<String>,
    /// At most five.
    pub targets: Vec<api::Target>,
    /// The service that manages it, if one does: an archive's.
    #[serde(default)]
    pub managed_by: Option<String>,
}
crate::record!(Rule in Control);

impl Rule {
    /// Whether it takes part in matching.
    pub fn is_enabled(&self) -> bool {
        self.state != "DISABLED"
    }

    /// Whether it gets read-only management events too.
    pub fn takes_reads(&self) -> bool {
        self.state == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    }
}

/// Prefix of the keys of all rules of a bus.
pub fn prefix(bus: &BusKey) -> Key {
    Key::new("rule")
        .part(&bus.account)
        .part(&bus.region)
        .part(&bus.name)
}

fn key(bus: &BusKey, name: &str) -> Key {
    prefix(bus).part(name)
}

/// The rule, or AWS's error when there is none.
pub fn find(db: &impl Reader, bus: &BusKey, name: &str) -> Result<Rule, ApiError> {
    check_exists(db, bus)?;
    db.get::<Rule>(&key(bus, name))?.ok_or_else(|| {
        let bus = &bus.name;
        ApiError::not_found(format!("Rule {name} does not exist on EventBus {bus}."))
    })
}

/// The rule, if there is one.
pub(super) fn get(db: &impl Reader, bus: &BusKey, name: &str) -> Result<Option<Rule>, ApiError> {
    db.get::<Rule>(&key(bus, name))
}

/// Removes a rule with all that belongs to it.
pub(super) fn remove(tx: &mut Tx<'_>, bus: &BusKey, name: &str) {
    tx.caches.forget_rules(bus);
    tx.delete::<Rule>(&key(bus, name));
    tags::clear(tx, &bus.rule_arn(name));
}

/// Refuses to change a rule that a service manages, unless the caller insists.
pub(super) fn check_unmanaged(rule: &Rule, force: Option<bool>) -> Result<(), ApiError> {
    if rule.managed_by.is_none() || force == Some(true) {
        return Ok(());
    }
    let text = format!(
        "{} is a managed rule. Set 'force' parameter to true to override.",
        rule.name
    );
    Err(ApiError::client("ManagedRuleException", text))
}

/// Writes a rule; the next event of the bus meets it.
pub fn store(tx: &mut Tx<'_>, bus: &BusKey, rule: &Rule) -> Result<(), ApiError> {
    tx.caches.forget_rules(bus);
    tx.put(&key(bus, &rule.name), rule)
}

/// `PutRule`: creates a rule or replaces all of it but its targets and tags.
pub fn put(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::PutRuleRequest,
) -> Result<api::PutRuleResponse, ApiError> {
    let bus = BusKey::of(caller, request.event_bus_name.as_deref());
    check_exists(tx, &bus)?;
    let name = request.name.unwrap_or_default();
    if request
        .schedule_expression
        .as_deref()
        .is_some_and(|s| !s.is_empty())
    {
        return Err(ApiError::validation(
            "ScheduleExpression is not supported by Landfall: rules fire on events only.",
        ));
    }
    let state = request.state.unwrap_or_else(|| "ENABLED".to_owned());
    let Some(pattern) = request.event_pattern.filter(|p| !p.is_empty()) else {
        return Err(ApiError::validation(
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ));
    };
    check_pattern(&pattern)?;
    let former = tx.get::<Rule>(&key(&bus, &name))?;
    if let Some(former) = &former {
        check_unmanaged(former, None)?;
    } else {
        let rules = tx.list::<Rule>(&prefix(&bus), Direction::Forward).count();
        if rules >= tx.settings().quotas.event_rules_per_bus {
            return Err(limit_exceeded());
        }
        tags::add(tx, &bus.rule_arn(&name), tags::pairs(request.tags))?;
    }
    let rule = Rule {
        pattern,
        state,
        description: request.description,
        role_arn: request.role_arn,
        targets: former.map(|r| r.targets).unwrap_or_default(),
        managed_by: None,
        name,
    };
    store(tx, &bus, &rule)?;
    Ok(api::PutRuleResponse {
        rule_arn: Some(bus.rule_arn(&rule.name)),
    })
}

/// `DeleteRule`: deleting what is not there is no error; a rule with targets stays.
pub fn delete(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteRuleRequest,
) -> Result<(), ApiError> {
    let bus = BusKey::of(caller, request.event_bus_name.as_deref());
    check_exists(tx, &bus)?;
    let name = request.name.as_deref().unwrap_or_default();
    let Some(rule) = tx.get::<Rule>(&key(&bus, name))? else {
        return Ok(());
    };
    check_unmanaged(&rule, request.force)?;
    if !rule.targets.is_empty() {
        return Err(ApiError::validation(
            "Rule can't be deleted since it has targets.",
        ));
    }
    remove(tx, &bus, name);
    Ok(())
}

/// `EnableRule` and `DisableRule`.
pub fn set_state(
    tx: &mut Tx<'_>,
    bus: &BusKey,
    name: &str,
    state: &'static str,
) -> Result<(), ApiError> {
    let mut rule = find(tx, bus, name)?;
    check_unmanaged(&rule, None)?;
    state.clone_into(&mut rule.state);
    store(tx, bus, &rule)
}

/// `DescribeRule`.
pub fn describe(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeRuleRequest,
) -> Result<api::DescribeRuleResponse, ApiError> {
    let bus = BusKey::of(caller, request.event_bus_name.as_deref());
    let rule = find(db, &bus, request.name.as_deref().unwrap_or_default())?;
    Ok(api::DescribeRuleResponse {
        arn: Some(bus.rule_arn(&rule.name)),
        name: Some(rule.name),
        event_pattern: Some(rule.pattern),
        state: Some(rule.state),
        description: rule.description,
        role_arn: rule.role_arn,
        managed_by: rule.managed_by,
        event_bus_name: Some(bus.name),
        created_by: Some(bus.account),
        ..Default::default()
    })
}

/// `ListRules`.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListRulesRequest,
) -> Result<api::ListRulesResponse, ApiError> {
    let bus = BusKey::of(caller, request.event_bus_name.as_deref());
    check_exists(db, &bus)?;
    let begin = request.name_prefix.as_deref().unwrap_or_default();
    let rules = db.all::<Rule>(&prefix(&bus).beginning(begin))?;
    let (rules, next_token) = page(rules, request.next_token.as_deref(), request.limit, 100)?;
    let answer = |rule: Rule| api::Rule {
        arn: Some(bus.rule_arn(&rule.name)),
        name: Some(rule.name),
        event_pattern: Some(rule.pattern),
        state: Some(rule.state),
        description: rule.description,
        role_arn: rule.role_arn,
        managed_by: rule.managed_by,
        event_bus_name: Some(bus.name.clone()),
        ..Default::default()
    };
    let rules = Some(rules.into_iter().map(answer).collect());
    Ok(api::ListRulesResponse { rules, next_token })
}

/// `ListRuleNamesByTarget`.
pub fn list_names_by_target(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListRuleNamesByTargetRequest,
) -> Result<api::ListRuleNamesByTargetResponse, ApiError> {
    let bus = BusKey::of(caller, request.event_bus_name.as_deref());
    check_exists(db, &bus)?;
    let aims = |rule: &Rule| rule.targets.iter().any(|t| t.arn == request.target_arn);
    let rules = db.all::<Rule>(&prefix(&bus))?;
    let names = rules.into_iter().filter(aims).map(|r| r.name).collect();
    let (names, next_token) = page(names, request.next_token.as_deref(), request.limit, 100)?;
    Ok(api::ListRuleNamesByTargetResponse {
        rule_names: Some(names),
        next_token,
    })
}

/// `TestEventPattern`.
pub fn test_pattern(
    request: &api::TestEventPatternRequest,
) -> Result<api::TestEventPatternResponse, ApiError> {
    let pattern = check_pattern(request.event_pattern.as_deref().unwrap_or_default())?;
    let invalid = || ApiError::validation("Parameter Event is not valid.");
    let text = request.event.as_deref().unwrap_or_default();
    let envelope: serde_json::Value = serde_json::from_str(text).map_err(|_| invalid())?;
    let needed = ["id", "account", "source", "time", "region", "detail-type"];
    if !needed.iter().all(|name| envelope.get(name).is_some()) {
        return Err(invalid());
    }
    let event = Event::parse(text).map_err(|_| invalid())?;
    Ok(api::TestEventPatternResponse {
        result: Some(pattern.matches(&event)),
    })
}

/// The rule behind an ARN of this account and region, for the tag operations.
pub fn check_tagged(db: &impl Reader, caller: &Caller, arn: &str) -> Result<(), ApiError> {
    let parsed = landfall_core::arn::Arn::parse(arn).filter(|a| a.service == "events");
    let Some(parsed) = parsed else {
        return Err(ApiError::validation("Parameter ResourceARN is not valid."));
    };
    let name = parsed.resource_name();
    if parsed.resource.starts_with("event-bus/") {
        return check_exists(db, &BusKey::of(caller, Some(name)));
    }
    let (bus, rule) = name.split_once('/').unwrap_or((DEFAULT_BUS, name));
    find(db, &BusKey::of(caller, Some(bus)), rule).map(|_| ())
}

pub(super) fn check_pattern(pattern: &str) -> Result<Pattern, ApiError> {
    Pattern::parse(pattern)
        .map_err(|e| ApiError::client("InvalidEventPatternException", e.to_string()))
}
