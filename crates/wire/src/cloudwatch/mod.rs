//! Amazon CloudWatch's metrics, as far as Landfall counts them itself. Never takes a metric in.

use landfall_core::api::generated::cloudwatch as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_flow::Flow;
use landfall_flow::count::cloudwatch;

/// The service.
pub struct CloudWatch(pub Flow);

crate::service! {
    impl CloudWatch for api::SERVICE {
        GetMetricData => get_metric_data,
        GetMetricStatistics => get_metric_statistics,
        ListMetrics => list_metrics,
    }
}

crate::verbs! { CloudWatch {
    read get_metric_data(api::GetMetricDataInput) -> api::GetMetricDataOutput =
        |db, caller, r| cloudwatch::get_metric_data(db, caller, r);
    read get_metric_statistics(api::GetMetricStatisticsInput) -> api::GetMetricStatisticsOutput =
        |db, caller, r| cloudwatch::get_metric_statistics(db, caller, r);
} }

impl CloudWatch {
    async fn list_metrics(
        &self,
        caller: Caller,
        request: api::ListMetricsInput,
    ) -> Result<api::ListMetricsOutput, ApiError> {
        cloudwatch::list_metrics(&self.0.view(), &caller, self.0.clock().now(), &request)
    }
}
