//! What EventBridge counts of a delivery. An invocation counts when it is settled, once, however often its target took it
//! and failed behind it. Never changes the delivery.

use landfall_core::metrics::Metric;

use super::record::{DeadLetter, Delivery, Outcome};
use crate::count::{Series, millis, once};
use crate::tx::Tx;

/// An attempt is made; the delivery counts it already.
pub(super) fn attempted(tx: &mut Tx<'_>, delivery: &Delivery) {
    let mut samples = vec![once(Metric::InvocationAttempts)];
    if delivery.attempts > 1 {
        samples.push(once(Metric::RetryInvocationAttempts));
    } else {
        // Handing over is a write in the same commit: it is complete as soon as it starts.
        let latencies = [
            Metric::IngestionToInvocationStartLatency,
            Metric::IngestionToInvocationCompleteLatency,
        ];
        samples.extend(latencies.map(|metric| millis(metric, delivery.ingested_at, tx.now())));
    }
    tx.count(series(delivery), samples);
}

/// The target took it; the delivery does not say so yet.
pub(super) fn taken(tx: &mut Tx<'_>, delivery: &Delivery) {
    let mut samples = vec![once(Metric::SuccessfulInvocationAttempts)];
    if delivery.starts == 0 {
        let latency = Metric::IngestionToInvocationSuccessLatency;
        samples.push(once(Metric::Invocations));
        samples.push(millis(latency, delivery.ingested_at, tx.now()));
    }
    tx.count(series(delivery), samples);
}

/// It is given up, and its event has gone this way.
pub(super) fn given_up(tx: &mut Tx<'_>, delivery: &Delivery, outcome: &Outcome) {
    let mut samples = vec![once(Metric::FailedInvocations)];
    if delivery.starts == 0 {
        samples.push(once(Metric::Invocations));
    }
    match outcome {
        Outcome::GivenUp(DeadLetter::Sent(_)) => samples.push(once(Metric::InvocationsSentToDlq)),
        Outcome::GivenUp(DeadLetter::Failed(_)) => {
            samples.push(once(Metric::InvocationsFailedToBeSentToDlq));
        }
        _ => {}
    }
    tx.count(series(delivery), samples);
}

fn series(delivery: &Delivery) -> Series {
    Series {
        account: delivery.account.clone(),
        region: delivery.region.clone(),
        bus: delivery.bus.clone(),
        rule: delivery.rule.clone(),
    }
}
