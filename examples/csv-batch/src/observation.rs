//! One day's weather: parsing a row and saying why it is not one.
//!
//! Never stops at the first bad row: whoever repairs the file wants to see them all.

use std::fmt;

use serde::Deserialize;
use time::Date;
use time::macros::format_description;

/// The columns that a file must have; their order is free and more are ignored.
pub const COLUMNS: [&str; 6] = [
    "date",
    "precipitation",
    "temp_max",
    "temp_min",
    "wind",
    "weather",
];

/// A valid row.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The day.
    pub date: Date,
    /// Precipitation, mm.
    pub precipitation: f64,
    /// Highest temperature, °C.
    pub temp_max: f64,
    /// Lowest temperature, °C.
    pub temp_min: f64,
    /// Wind speed, m/s.
    pub wind: f64,
    /// Kind of weather, as the file spells it.
    pub weather: String,
}

/// A row that is not an observation.
#[derive(Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// Line in the file, the header being 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// The file cannot be summarised.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct Rejected {
    /// Rows read, good and bad.
    pub rows_total: usize,
    /// The bad ones, in the order of the file.
    pub rows: Vec<RejectedRow>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} rows rejected",
            self.rows.len(),
            self.rows_total
        )
    }
}

#[derive(Deserialize)]
struct Row {
    date: String,
    precipitation: f64,
    temp_max: f64,
    temp_min: f64,
    wind: f64,
    weather: String,
}

/// Parses and checks the whole file.
pub fn parse(csv: &[u8]) -> Result<Vec<Observation>, Rejected> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(csv);
    let header = reader.headers().cloned().map_err(|error| Rejected {
        rows_total: 0,
        rows: vec![rejected(1, error.to_string())],
    })?;
    check_header(&header)?;

    let mut good = Vec::new();
    let mut bad = Vec::new();
    for record in reader.records() {
        match observe(record, &header) {
            Ok(observation) => good.push(observation),
            Err(row) => bad.push(row),
        }
    }
    if good.is_empty() && bad.is_empty() {
        bad.push(rejected(2, "the file has a header and no rows".to_owned()));
    }
    if bad.is_empty() {
        return Ok(good);
    }
    Err(Rejected {
        rows_total: good.len() + bad.len(),
        rows: bad,
    })
}

fn check_header(header: &csv::StringRecord) -> Result<(), Rejected> {
    let missing: Vec<&str> = COLUMNS
        .into_iter()
        .filter(|column| !header.iter().any(|name| name == *column))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Rejected {
        rows_total: 0,
        rows: vec![rejected(
            1,
            format!("the header lacks {}", missing.join(", ")),
        )],
    })
}

fn observe(
    record: Result<csv::StringRecord, csv::Error>,
    header: &csv::StringRecord,
) -> Result<Observation, RejectedRow> {
    let record = record.map_err(|error| unreadable(&error))?;
    let line = record.position().map_or(0, csv::Position::line);
    let row: Row = record
        .deserialize(Some(header))
        .map_err(|error| rejected(line, field_reason(&error, header)))?;
    check(row).map_err(|reason| rejected(line, reason))
}

fn check(row: Row) -> Result<Observation, String> {
    let date = Date::parse(&row.date, format_description!("[year]/[month]/[day]"))
        .map_err(|_| format!("date {:?} is not a day written YYYY/MM/DD", row.date))?;
    let numbers = [row.precipitation, row.temp_max, row.temp_min, row.wind];
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err("a number is not finite".to_owned());
    }
    if row.precipitation < 0.0 || row.wind < 0.0 {
        return Err("precipitation and wind cannot be negative".to_owned());
    }
    if row.temp_max < row.temp_min {
        return Err(format!(
            "temp_max {} is below temp_min {}",
            row.temp_max, row.temp_min
        ));
    }
    if row.weather.is_empty() {
        return Err("weather is empty".to_owned());
    }
    Ok(Observation {
        date,
        precipitation: row.precipitation,
        temp_max: row.temp_max,
        temp_min: row.temp_min,
        wind: row.wind,
        weather: row.weather,
    })
}

fn rejected(line: u64, reason: String) -> RejectedRow {
    RejectedRow { line, reason }
}

fn unreadable(error: &csv::Error) -> RejectedRow {
    let line = error.position().map_or(0, csv::Position::line);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("{len} fields instead of {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    rejected(line, reason)
}

fn field_reason(error: &csv::Error, header: &csv::StringRecord) -> String {
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
        return error.to_string();
    };
    let column = err
        .field()
        .and_then(|index| header.get(usize::try_from(index).ok()?))
        .unwrap_or("a field");
    format!("{column}: {}", err.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "date,precipitation,temp_max,temp_min,wind,weather\n";

    fn reasons(csv: &str) -> Vec<(u64, String)> {
        let rejected = parse(csv.as_bytes()).unwrap_err();
        rejected
            .rows
            .into_iter()
            .map(|row| (row.line, row.reason))
            .collect()
    }

    #[test]
    fn a_good_row_keeps_every_value() {
        let rows = parse(format!("{HEADER}2012/01/02, 10.9,10.6,2.8,4.5,rain\n").as_bytes());
        assert_eq!(
            rows.unwrap(),
            [Observation {
                date: time::macros::date!(2012 - 01 - 02),
                precipitation: 10.9,
                temp_max: 10.6,
                temp_min: 2.8,
                wind: 4.5,
                weather: "rain".to_owned(),
            }]
        );
    }

    #[test]
    fn every_bad_row_is_named_by_its_line() {
        let csv = format!(
            "{HEADER}2012/01/01,0,1,0,1,sun\n\
             2012/02/30,0,1,0,1,sun\n\
             2012/01/03,wet,1,0,1,sun\n\
             2012/01/04,0,1,0\n\
             2012/01/05,-1,1,0,1,sun\n\
             2012/01/06,0,1,2,1,sun\n\
             2012/01/07,0,NaN,2,1,sun\n\
             2012/01/08,0,1,0,1,\n"
        );
        assert_eq!(
            reasons(&csv),
            [
                (
                    3,
                    "date \"2012/02/30\" is not a day written YYYY/MM/DD".to_owned()
                ),
                (4, "precipitation: invalid float literal".to_owned()),
                (5, "4 fields instead of 6".to_owned()),
                (6, "precipitation and wind cannot be negative".to_owned()),
                (7, "temp_max 1 is below temp_min 2".to_owned()),
                (8, "a number is not finite".to_owned()),
                (9, "weather is empty".to_owned()),
            ]
        );
    }

    #[test]
    fn a_line_break_inside_quotes_does_not_shift_the_line_numbers() {
        let csv = format!("{HEADER}2012/01/01,0,1,0,1,\"s\nun\"\nx,0,1,0,1,sun\n");
        assert_eq!(reasons(&csv)[0].0, 4);
    }

    #[test]
    fn files_of_another_kind_are_refused() {
        assert_eq!(
            reasons("date,wind\n2012/01/01,1\n"),
            [(
                1,
                "the header lacks precipitation, temp_max, temp_min, weather".to_owned()
            )]
        );
        assert_eq!(
            reasons(HEADER),
            [(2, "the file has a header and no rows".to_owned())]
        );
        assert_eq!(reasons("")[0].0, 1);
        let latin1 = [HEADER.as_bytes(), b"2012/01/01,0,1,0,1,s\xfcn\n"].concat();
        assert_eq!(
            parse(&latin1).unwrap_err().rows[0].reason,
            "it is not UTF-8"
        );
    }

    #[test]
    fn the_sample_data_is_valid() {
        let csv = include_bytes!("../../data/seattle-weather.csv");
        assert_eq!(parse(csv).unwrap().len(), 1461);
    }
}
