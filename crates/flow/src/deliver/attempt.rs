//! One attempt at one target: make its input, hand it over. All targets live in this very store, so handing over is
//! part of the same commit. Never waits, never retries: `mod.rs` does.

use landfall_core::api::generated::{ecs, events as api};
use landfall_core::caller::{Caller, Identity};
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::retry::{self, ErrorCode, ExhaustedCondition, dead_letter_attributes};
use landfall_core::transform::{self, RuleContext};

use super::record::{DeadLetter, Delivery, Outcome, Refusal};
use crate::keep::permit::ForRule;
use crate::keep::roles::sessions;
use crate::keep::{logs, queues};
use crate::route::targets::{self, TargetKind};
use crate::route::{BusKey, StoredEvent, bus, emit};
use crate::run;
use crate::trail::own;
use crate::tx::Tx;

const PRINCIPAL: &str = "events.amazonaws.com";
/// Characters of the name of a session of a target's role.
const SESSION_CHARS: usize = 32;

/// Hands a delivery to its target; returns the ARNs of the tasks started.
pub(super) fn deliver(
    tx: &mut Tx<'_>,
    number: u64,
    delivery: &Delivery,
) -> Result<Vec<String>, Refusal> {
    let context = RuleContext {
        rule_arn: &delivery.rule_arn,
        rule_name: &delivery.rule,
        ingestion_time: &delivery.ingested_at.rfc3339_seconds(),
    };
    let input = targets::input(&delivery.target);
    let text = transform::transform(&input, &delivery.event_json, &context)
        .map_err(|e| refuse(ErrorCode::of_input(&e), e.to_string()))?;
    let arn = delivery.target.arn.as_deref().unwrap_or_default();
    match targets::kind(arn) {
        Some(TargetKind::EcsTask) => run_task(tx, number, delivery, &text),
        Some(TargetKind::Queue) => {
            let group = delivery.target.sqs_parameters.as_ref();
            let group = group.and_then(|p| p.message_group_id.as_deref());
            queues::deliver(tx, rule_of(delivery), arn, &text, &[], group).map_err(refusal)?;
            Ok(Vec::new())
        }
        Some(TargetKind::LogGroup) => {
            let stream = format!("{}/{}", delivery.rule, delivery.id);
            logs::deliver(tx, rule_of(delivery), arn, &stream, &text).map_err(refusal)?;
            Ok(Vec::new())
        }
        Some(TargetKind::Bus) => pass_on(tx, delivery, arn, text),
        None => Err(refuse(
            ErrorCode::InvalidParameter,
            format!("{arn} is no target"),
        )),
    }
}

/// Puts the event of a given-up delivery into its target's dead-letter queue.
pub(super) fn dead_letter(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    refusal: &Refusal,
    condition: ExhaustedCondition,
) -> Outcome {
    let config = delivery.target.dead_letter_config.as_ref();
    let Some(queue) = config.and_then(|d| d.arn.as_deref()) else {
        return Outcome::GivenUp(DeadLetter::NoQueue);
    };
    let attributes = dead_letter_attributes(&retry::DeadLetter {
        rule_arn: &delivery.rule_arn,
        target_arn: delivery.target.arn.as_deref().unwrap_or_default(),
        error_code: refusal.code,
        error_message: &refusal.message,
        condition,
        attempts_made: delivery.attempts,
    });
    let (rule, event) = (rule_of(delivery), &delivery.event_json);
    match tx.attempt(|tx| queues::deliver(tx, rule, queue, event, &attributes, None)) {
        Ok(()) => Outcome::GivenUp(DeadLetter::Sent(queue.to_owned())),
        Err(e) => {
            tracing::error!(queue, error = %e, "an event could not be put into its dead-letter queue");
            Outcome::GivenUp(DeadLetter::Failed(e.to_string()))
        }
    }
}

fn run_task(
    tx: &mut Tx<'_>,
    number: u64,
    delivery: &Delivery,
    input: &str,
) -> Result<Vec<String>, Refusal> {
    let no_parameters = api::EcsParameters::default();
    let parameters = delivery
        .target
        .ecs_parameters
        .as_ref()
        .unwrap_or(&no_parameters);
    let caller = starter(tx, delivery).map_err(refusal)?;
    let request = run::from_rule(delivery, parameters, input)
        .map_err(|e| refuse(ErrorCode::InvalidJson, e.to_string()))?;
    let start = |tx: &mut Tx<'_>, caller: &Caller, request| {
        run::run_task(tx, caller, request, Some(number))
    };
    let response = own::call(tx, &caller, &ecs::SERVICE, "RunTask", request, start);
    let response = response.map_err(refusal)?;
    if let Some(failure) = response.failures.iter().flatten().next() {
        let reason = failure.reason.clone().unwrap_or_default();
        return Err(refuse(ErrorCode::Throttling, reason));
    }
    Ok(response
        .tasks
        .into_iter()
        .flatten()
        .filter_map(|t| t.task_arn)
        .collect())
}

/// EventBridge as the role of the target, which it assumes for the delivery.
fn starter(tx: &Tx<'_>, delivery: &Delivery) -> Result<Caller, ApiError> {
    let (account, region) = (&delivery.account, &delivery.region);
    let mut caller = Caller::service(PRINCIPAL, account, region, delivery.id.clone());
    let role = delivery.target.role_arn.as_deref().unwrap_or_default();
    let name = delivery.id.get(..SESSION_CHARS).unwrap_or(&delivery.id);
    if let Some(session) = sessions::assumed(tx, role, name, tx.now())? {
        caller.identity = Identity::Role(session);
    }
    Ok(caller)
}

fn pass_on(
    tx: &mut Tx<'_>,
    delivery: &Delivery,
    arn: &str,
    json: String,
) -> Result<Vec<String>, Refusal> {
    let caller = Caller::service(
        PRINCIPAL,
        &delivery.account,
        &delivery.region,
        delivery.id.clone(),
    );
    let to = BusKey::of(&caller, Some(arn));
    bus::check_exists(tx, &to).map_err(refusal)?;
    if delivery.hops >= limits::EVENTS_BUS_HOPS_MAX {
        let text = format!("the event has already passed {} event buses", delivery.hops);
        return Err(refuse(ErrorCode::InvalidParameter, text));
    }
    if !json.starts_with('{') {
        let text = "an event bus takes JSON objects only".to_owned();
        return Err(refuse(ErrorCode::InvalidParameter, text));
    }
    let event = StoredEvent {
        id: delivery.event_id.clone(),
        account: to.account,
        region: to.region,
        bus: to.name,
        json,
        ingested_at: tx.now(),
        object: delivery.object.clone(),
        hops: delivery.hops + 1,
    };
    emit(tx, &event).map_err(refusal)?;
    Ok(Vec::new())
}

fn rule_of(delivery: &Delivery) -> ForRule<'_> {
    ForRule {
        arn: &delivery.rule_arn,
        account: &delivery.account,
    }
}

fn refuse(code: ErrorCode, message: String) -> Refusal {
    Refusal { code, message }
}

fn refusal(error: ApiError) -> Refusal {
    refuse(ErrorCode::of(&error), error.to_string())
}
