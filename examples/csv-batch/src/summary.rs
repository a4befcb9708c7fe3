//! What the batch tells about a file: one figure set per measured column, over all days and per kind of weather.
//!
//! Never holds a value that JSON cannot carry: a summary is of at least one observation, all of them finite.

use std::collections::BTreeMap;

use serde::Serialize;
use time::format_description::well_known::Iso8601;

use crate::observation::Observation;

/// The summary object.
#[derive(Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Key of the CSV that was read.
    pub source: String,
    /// Valid rows.
    pub rows: usize,
    /// First day, ISO 8601.
    pub first_day: String,
    /// Last day, ISO 8601.
    pub last_day: String,
    /// Figures of each measured column over all rows.
    pub columns: BTreeMap<&'static str, Figures>,
    /// The same, per kind of weather.
    pub by_weather: BTreeMap<String, Group>,
}

/// The rows that share a kind of weather.
#[derive(Debug, PartialEq, Serialize)]
pub struct Group {
    /// How many.
    pub rows: usize,
    /// Figures of each measured column over these rows.
    pub columns: BTreeMap<&'static str, Figures>,
}

/// Least, mean and greatest of a column, rounded to three decimals.
#[derive(Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Least value.
    pub min: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Greatest value.
    pub max: f64,
}

type Measure = fn(&Observation) -> f64;

const MEASURES: [(&str, Measure); 4] = [
    ("precipitation", |day| day.precipitation),
    ("temp_max", |day| day.temp_max),
    ("temp_min", |day| day.temp_min),
    ("wind", |day| day.wind),
];

impl Summary {
    /// Summarises the rows of `source`.
    pub fn of(source: &str, observations: &[Observation]) -> Self {
        let all: Vec<&Observation> = observations.iter().collect();
        let mut groups: BTreeMap<String, Vec<&Observation>> = BTreeMap::new();
        for day in observations {
            groups.entry(day.weather.clone()).or_default().push(day);
        }
        let days = || observations.iter().map(|day| day.date);
        Self {
            source: source.to_owned(),
            rows: all.len(),
            first_day: iso(days().min()),
            last_day: iso(days().max()),
            columns: figures(&all),
            by_weather: groups
                .into_iter()
                .map(|(weather, rows)| (weather, Group::of(&rows)))
                .collect(),
        }
    }
}

impl Group {
    fn of(rows: &[&Observation]) -> Self {
        Self {
            rows: rows.len(),
            columns: figures(rows),
        }
    }
}

fn figures(rows: &[&Observation]) -> BTreeMap<&'static str, Figures> {
    MEASURES
        .iter()
        .map(|(name, measure)| {
            let values: Vec<f64> = rows.iter().map(|day| measure(day)).collect();
            (*name, Figures::of(&values))
        })
        .collect()
}

impl Figures {
    #[allow(
        clippy::cast_precision_loss,
        reason = "a row count beyond 2^52 would not fit in memory"
    )]
    fn of(values: &[f64]) -> Self {
        let sum: f64 = values.iter().sum();
        Self {
            min: rounded(values.iter().copied().fold(f64::INFINITY, f64::min)),
            mean: rounded(sum / values.len() as f64),
            max: rounded(values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn iso(day: Option<time::Date>) -> String {
    day.and_then(|day| day.format(&Iso8601::DATE).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::parse;

    #[test]
    fn figures_cover_all_rows_and_each_group() {
        let csv = "date,precipitation,temp_max,temp_min,wind,weather\n\
                   2012/01/02,2,10,1,4,rain\n\
                   2012/01/01,0,20,-3,1,sun\n\
                   2012/01/03,5,12,2,6,rain\n";
        let summary = Summary::of("a/data.csv", &parse(csv.as_bytes()).unwrap());
        assert_eq!(summary.rows, 3);
        assert_eq!(
            (summary.first_day.as_str(), summary.last_day.as_str()),
            ("2012-01-01", "2012-01-03")
        );
        assert_eq!(
            summary.columns["precipitation"],
            Figures {
                min: 0.0,
                mean: 2.333,
                max: 5.0
            }
        );
        assert_eq!(
            summary.columns["temp_min"],
            Figures {
                min: -3.0,
                mean: 0.0,
                max: 2.0
            }
        );
        let rain = &summary.by_weather["rain"];
        assert_eq!(rain.rows, 2);
        assert_eq!(
            rain.columns["wind"],
            Figures {
                min: 4.0,
                mean: 5.0,
                max: 6.0
            }
        );
    }

    #[test]
    fn the_sample_data_has_the_figures_that_a_spreadsheet_gives() {
        let csv = include_bytes!("../../data/seattle-weather.csv");
        let summary = Summary::of("data.csv", &parse(csv).unwrap());
        assert_eq!(
            (summary.first_day.as_str(), summary.last_day.as_str()),
            ("2012-01-01", "2015-12-31")
        );
        let rows: Vec<(&str, usize)> = summary
            .by_weather
            .iter()
            .map(|(weather, group)| (weather.as_str(), group.rows))
            .collect();
        assert_eq!(
            rows,
            [
                ("drizzle", 54),
                ("fog", 411),
                ("rain", 259),
                ("snow", 23),
                ("sun", 714)
            ]
        );
    }
}
