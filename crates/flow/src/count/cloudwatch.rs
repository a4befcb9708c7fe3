//! CloudWatch's API over what was counted: ListMetrics, GetMetricStatistics, GetMetricData. Never takes a metric in, and
//! never evaluates an expression: both are refused by name.

use std::collections::{BTreeMap, BTreeSet};

use landfall_core::api::generated::cloudwatch as api;
use landfall_core::api::value::EpochSeconds;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::metrics::{Metric, NAMESPACE, Samples, Scope, Statistic, Window};

use super::read::{self, Asked};
use super::record;
use super::record::Series;
use crate::page::page;
use crate::route::DEFAULT_BUS;
use crate::tx::Reader;

const BUS: &str = "EventBusName";
const RULE: &str = "RuleName";

/// `ListMetrics`: those with samples in the last two weeks, or three hours.
pub fn list_metrics(
    db: &impl Reader,
    caller: &Caller,
    now: Timestamp,
    request: &api::ListMetricsInput,
) -> Result<api::ListMetricsOutput, ApiError> {
    let back = match request.recently_active {
        Some(_) => limits::METRICS_RECENT_MINUTES,
        None => limits::METRICS_LISTED_MINUTES,
    };
    let mut all = BTreeSet::new();
    if request
        .namespace
        .as_deref()
        .is_none_or(|it| it == NAMESPACE)
        && request
            .owning_account
            .as_ref()
            .is_none_or(|it| *it == caller.account)
    {
        all = known(db, caller, now.0 / 60_000 - back)?;
    }
    let filters: Vec<&api::DimensionFilter> = request.dimensions.iter().flatten().collect();
    let fits = |(name, dimensions): &Told| {
        request.metric_name.as_ref().is_none_or(|it| it == name)
            && filters.iter().all(|filter| {
                dimensions.iter().any(|(name, value)| {
                    filter.name.as_deref() == Some(name)
                        && filter.value.as_ref().is_none_or(|it| it == value)
                })
            })
    };
    let found: Vec<Told> = all.into_iter().filter(fits).collect();
    let token = request.next_token.as_deref();
    let (found, next_token) =
        page(found, token, None, limits::METRICS_LISTED_MAX).map_err(|_| {
            ApiError::client(
                "InvalidParameterValue",
                "The value for parameter NextToken is not valid.",
            )
        })?;
    Ok(api::ListMetricsOutput {
        metrics: Some(found.into_iter().map(told).collect()),
        next_token,
        owning_accounts: None,
    })
}

/// A metric's name and its dimensions, in order of their names.
type Told = (String, Vec<(&'static str, String)>);

/// Every metric that has samples since a minute, in each of its scopes.
fn known(db: &impl Reader, caller: &Caller, since: i64) -> Result<BTreeSet<Told>, ApiError> {
    let mut budget = limits::METRICS_RECORDS_READ_MAX;
    let whole = record::of_account(&caller.account, &caller.region);
    let mut all = BTreeSet::new();
    for series in read::under(db, &whole)? {
        for metric in read::metrics(db, &series, since, &mut budget)? {
            let scopes = metric.scopes().iter();
            let told = scopes.map(|scope| (metric.name().to_owned(), dimensions(&series, *scope)));
            all.extend(told);
        }
    }
    Ok(all)
}

fn dimensions(series: &Series, scope: Scope) -> Vec<(&'static str, String)> {
    match scope {
        Scope::Account => Vec::new(),
        Scope::Bus => vec![(BUS, series.bus.clone())],
        Scope::Rule if series.bus == DEFAULT_BUS => vec![(RULE, series.rule.clone())],
        Scope::Rule => vec![(BUS, series.bus.clone()), (RULE, series.rule.clone())],
    }
}

fn told((name, dimensions): Told) -> api::Metric {
    let dimension = |(name, value): (&str, String)| api::Dimension {
        name: Some(name.to_owned()),
        value: Some(value),
    };
    api::Metric {
        namespace: Some(NAMESPACE.to_owned()),
        metric_name: Some(name),
        dimensions: Some(dimensions.into_iter().map(dimension).collect()),
    }
}

/// What a metric of a request is; none when nothing was ever counted under that name and those dimensions.
fn find(
    namespace: Option<&str>,
    name: Option<&str>,
    dimensions: Option<&[api::Dimension]>,
    unit: Option<&str>,
) -> Option<(Metric, Asked)> {
    let given: BTreeMap<&str, &str> = dimensions
        .unwrap_or_default()
        .iter()
        .map(|it| {
            (
                it.name.as_deref().unwrap_or_default(),
                it.value.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    let (scope, asked) = match (given.len(), given.get(BUS), given.get(RULE)) {
        (0, ..) => (Scope::Account, Asked::Account),
        (1, Some(bus), None) => (Scope::Bus, Asked::Bus((*bus).to_owned())),
        (1, None, Some(rule)) => (
            Scope::Rule,
            Asked::Rule(DEFAULT_BUS.to_owned(), (*rule).to_owned()),
        ),
        (2, Some(bus), Some(rule)) if *bus != DEFAULT_BUS => (
            Scope::Rule,
            Asked::Rule((*bus).to_owned(), (*rule).to_owned()),
        ),
        _ => return None,
    };
    let metric = Metric::find(name?, scope)?;
    let is_known = namespace == Some(NAMESPACE) && unit.is_none_or(|it| it == metric.unit().name());
    is_known.then_some((metric, asked))
}

fn between(
    start: Option<EpochSeconds>,
    end: Option<EpochSeconds>,
    period: Option<i32>,
) -> Result<Window, ApiError> {
    let moment = |at: Option<EpochSeconds>| Timestamp::from(at.unwrap_or_default());
    Window::of(moment(start), moment(end), period.unwrap_or_default())
        .map_err(|e| ApiError::client("InvalidParameterValue", e.to_string()))
}

/// `GetMetricStatistics`.
pub fn get_metric_statistics(
    db: &impl Reader,
    caller: &Caller,
    request: &api::GetMetricStatisticsInput,
) -> Result<api::GetMetricStatisticsOutput, ApiError> {
    let statistics = statistics(request)?;
    let window = between(request.start_time, request.end_time, request.period)?;
    let (points, max) = (window.points(), limits::METRICS_STATISTICS_POINTS_MAX);
    if points > max {
        let text = format!(
            "You have requested up to {} datapoints, which exceeds the limit of {}. You may reduce the datapoints \
             requested by increasing Period, or decreasing the time range.",
            grouped(points),
            grouped(max)
        );
        return Err(ApiError::client("InvalidParameterCombination", text));
    }
    let found = find(
        request.namespace.as_deref(),
        request.metric_name.as_deref(),
        request.dimensions.as_deref(),
        request.unit.as_deref(),
    );
    let mut datapoints = Vec::new();
    if let Some((metric, asked)) = found {
        let place = (caller.account.as_str(), caller.region.as_str());
        let mut budget = limits::METRICS_RECORDS_READ_MAX;
        let periods = read::periods(db, place, &asked, metric, window, &mut budget)?;
        let points = periods.into_iter();
        datapoints.extend(points.map(|(at, samples)| datapoint(metric, at, samples, &statistics)));
    }
    Ok(api::GetMetricStatisticsOutput {
        label: request.metric_name.clone(),
        datapoints: Some(datapoints),
    })
}

fn statistics(request: &api::GetMetricStatisticsInput) -> Result<Vec<Statistic>, ApiError> {
    if request
        .extended_statistics
        .as_ref()
        .is_some_and(|it| !it.is_empty())
    {
        let text = "ExtendedStatistics are not supported by Landfall, which keeps no percentiles; ask for Statistics.";
        return Err(ApiError::client("InvalidParameterValue", text));
    }
    let asked: Vec<&String> = request.statistics.iter().flatten().collect();
    if asked.is_empty() {
        let text = "Must specify either Statistics or ExtendedStatistics";
        return Err(ApiError::client("MissingParameter", text));
    }
    Ok(asked
        .into_iter()
        .filter_map(|it| Statistic::of(it))
        .collect())
}

/// A number with its thousands set apart, as AWS writes it.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn datapoint(metric: Metric, at: i64, samples: Samples, asked: &[Statistic]) -> api::Datapoint {
    let value = |statistic| {
        asked
            .contains(&statistic)
            .then(|| samples.statistic(statistic))
    };
    api::Datapoint {
        timestamp: Some(moment(at)),
        sample_count: value(Statistic::SampleCount),
        average: value(Statistic::Average),
        sum: value(Statistic::Sum),
        minimum: value(Statistic::Minimum),
        maximum: value(Statistic::Maximum),
        unit: Some(metric.unit().name().to_owned()),
        extended_statistics: None,
    }
}

#[allow(clippy::cast_precision_loss)]
fn moment(seconds: i64) -> EpochSeconds {
    EpochSeconds(seconds as f64)
}

/// One checked query of a GetMetricData.
struct Query<'a> {
    id: &'a str,
    label: String,
    statistic: Statistic,
    window: Window,
    found: Option<(Metric, Asked)>,
    is_returned: bool,
}

/// `GetMetricData`.
pub fn get_metric_data(
    db: &impl Reader,
    caller: &Caller,
    request: &api::GetMetricDataInput,
) -> Result<api::GetMetricDataOutput, ApiError> {
    let queries = queries(caller, request)?;
    let is_ascending = request.scan_by.as_deref() == Some("TimestampAscending");
    let place = (caller.account.as_str(), caller.region.as_str());
    let mut budget = limits::METRICS_RECORDS_READ_MAX;
    let mut sheet = Sheet::of(request)?;
    let mut results = Vec::new();
    for query in queries.into_iter().filter(|query| query.is_returned) {
        let periods = match &query.found {
            Some((metric, asked)) => {
                read::periods(db, place, asked, *metric, query.window, &mut budget)?
            }
            None => BTreeMap::new(),
        };
        let mut points: Vec<(i64, f64)> = periods
            .into_iter()
            .map(|(at, samples)| (at, samples.statistic(query.statistic)))
            .collect();
        if !is_ascending {
            points.reverse();
        }
        let (points, is_whole) = sheet.take(points);
        let status = if is_whole { "Complete" } else { "PartialData" };
        results.push(api::MetricDataResult {
            id: Some(query.id.to_owned()),
            label: Some(query.label),
            timestamps: Some(points.iter().map(|(at, _)| moment(*at)).collect()),
            values: Some(points.into_iter().map(|(_, value)| value).collect()),
            status_code: Some(status.to_owned()),
            messages: None,
        });
    }
    Ok(api::GetMetricDataOutput {
        metric_data_results: Some(results),
        next_token: sheet.token(),
        messages: Some(Vec::new()),
    })
}

/// How much of all points, one result behind the other, an answer holds.
struct Sheet {
    /// Points that former answers held.
    skip: usize,
    room: usize,
    /// Points of this answer and the former ones.
    end: usize,
    is_cut: bool,
}

impl Sheet {
    fn of(request: &api::GetMetricDataInput) -> Result<Self, ApiError> {
        let skip = match request.next_token.as_deref() {
            None | Some("") => 0,
            Some(token) => token
                .strip_prefix("points-")
                .and_then(|it| it.parse().ok())
                .ok_or_else(|| {
                    ApiError::client(
                        "InvalidNextToken",
                        "The value for parameter NextToken is not valid.",
                    )
                })?,
        };
        let max = limits::METRICS_DATA_POINTS_MAX;
        let wish = request
            .max_datapoints
            .and_then(|it| usize::try_from(it).ok());
        Ok(Self {
            skip,
            room: wish.unwrap_or(max).clamp(1, max),
            end: skip,
            is_cut: false,
        })
    }

    fn take(&mut self, mut points: Vec<(i64, f64)>) -> (Vec<(i64, f64)>, bool) {
        let skipped = self.skip.min(points.len());
        self.skip -= skipped;
        points.drain(..skipped);
        let is_whole = points.len() <= self.room;
        points.truncate(self.room);
        self.room -= points.len();
        self.end += points.len();
        self.is_cut |= !is_whole;
        (points, is_whole)
    }

    fn token(&self) -> Option<String> {
        self.is_cut.then(|| format!("points-{}", self.end))
    }
}

fn queries<'a>(
    caller: &Caller,
    request: &'a api::GetMetricDataInput,
) -> Result<Vec<Query<'a>>, ApiError> {
    let asked = request.metric_data_queries.as_deref().unwrap_or_default();
    let max = limits::METRICS_DATA_QUERIES_MAX;
    if asked.len() > max {
        return Err(invalid(format!(
            "The collection MetricDataQueries must not have a size greater than {max}."
        )));
    }
    if request.start_time.is_some() && request.start_time == request.end_time {
        return Err(invalid(
            "The parameter StartTime must not equal parameter EndTime.".to_owned(),
        ));
    }
    let mut ids = BTreeSet::new();
    let mut queries = Vec::new();
    for (index, query) in asked.iter().enumerate() {
        let place = format!("MetricDataQueries.member.{}", index + 1);
        let id = query.id.as_deref().unwrap_or_default();
        check_id(id, &place)?;
        if !ids.insert(id) {
            return Err(invalid(format!(
                "The value for parameter {place}.Id is not unique."
            )));
        }
        queries.push(checked(caller, request, query, id, &place)?);
    }
    Ok(queries)
}

fn checked<'a>(
    caller: &Caller,
    request: &api::GetMetricDataInput,
    query: &api::MetricDataQuery,
    id: &'a str,
    place: &str,
) -> Result<Query<'a>, ApiError> {
    check_honoured(caller, query, place)?;
    let Some(stat) = &query.metric_stat else {
        let text =
            format!("Exactly one of {place}.MetricStat and {place}.Expression must be provided.");
        return Err(invalid(text));
    };
    let name = stat.stat.as_deref().unwrap_or_default();
    let statistic = Statistic::of(name).ok_or_else(|| {
        invalid(format!(
            "The value {name} for parameter {place}.MetricStat.Stat is not a valid statistic."
        ))
    })?;
    let window = between(request.start_time, request.end_time, stat.period)
        .map_err(|e| invalid(e.message))?;
    let metric = stat.metric.clone().unwrap_or_default();
    let found = find(
        metric.namespace.as_deref(),
        metric.metric_name.as_deref(),
        metric.dimensions.as_deref(),
        stat.unit.as_deref(),
    );
    let label = query.label.clone().or(metric.metric_name);
    Ok(Query {
        id,
        label: label.unwrap_or_default(),
        statistic,
        window,
        found,
        is_returned: query.return_data.unwrap_or(true),
    })
}

/// What cannot be told is refused, never left out.
fn check_honoured(
    caller: &Caller,
    query: &api::MetricDataQuery,
    place: &str,
) -> Result<(), ApiError> {
    let is_dynamic = query.label.as_ref().is_some_and(|it| it.contains("${"));
    let is_foreign = query
        .account_id
        .as_ref()
        .is_some_and(|it| *it != caller.account);
    let what = match (&query.expression, is_dynamic, is_foreign) {
        (Some(_), ..) => {
            "Expression: Landfall evaluates no metric math and no Metrics Insights query; ask for MetricStat"
        }
        (None, true, _) => "Label: Landfall fills no dynamic labels",
        (None, _, true) => "AccountId: Landfall tells an account its own metrics only",
        _ => return Ok(()),
    };
    Err(invalid(format!("{place}.{what}.")))
}

fn check_id(id: &str, place: &str) -> Result<(), ApiError> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if id.bytes().all(is_plain) && id.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Ok(());
    }
    Err(invalid(format!(
        "The value {id} for parameter {place}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
    )))
}

fn invalid(text: String) -> ApiError {
    ApiError::client("ValidationError", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let table = [
            (0, "0"),
            (999, "999"),
            (1_440, "1,440"),
            (12_345_678, "12,345,678"),
        ];
        for (number, text) in table {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn ids_are_cloudwatch_s() {
        for (id, is_good) in [
            ("a", true),
            ("m1_A", true),
            ("", false),
            ("1", false),
            ("A", false),
            ("a-b", false),
        ] {
            assert_eq!(check_id(id, "p").is_ok(), is_good, "{id}");
        }
    }
}
