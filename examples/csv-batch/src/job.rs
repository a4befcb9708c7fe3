//! What to do, read from the environment that the task definition and the rule's input transformer make.
//!
//! Never touches the process environment itself: the caller passes a look-up, so that tests need no global state.

/// One run of the batch. The CSV and the summary lie in the directory of the marker.
#[derive(Debug, PartialEq, Eq)]
pub struct Job {
    /// The bucket of all three objects.
    pub bucket: String,
    /// The key whose upload started this run.
    pub marker_key: String,
    /// The CSV to read.
    pub csv_key: String,
    /// Where the summary goes.
    pub summary_key: String,
}

/// The environment does not describe a job.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A variable is missing or empty.
    #[error("the environment variable {0} is missing or empty")]
    Missing(&'static str),
    /// A file name would lead out of the marker's directory.
    #[error("{name} must be a plain file name, not {value:?}")]
    NotAFileName {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// Writing the summary would start the batch again, or destroy its input.
    #[error("the summary must not replace the object {0:?}")]
    WouldOverwrite(String),
}

impl Job {
    /// Reads `BUCKET` and `OBJECT_KEY`, and optionally `CSV_NAME` (default `data.csv`) and `SUMMARY_NAME` (default
    /// `summary.json`).
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let required = |name| non_empty(get(name)).ok_or(Error::Missing(name));
        let bucket = required("BUCKET")?;
        let marker_key = required("OBJECT_KEY")?;
        let csv_key = beside(&marker_key, "CSV_NAME", get("CSV_NAME"), "data.csv")?;
        let summary_key = beside(
            &marker_key,
            "SUMMARY_NAME",
            get("SUMMARY_NAME"),
            "summary.json",
        )?;
        if summary_key == marker_key || summary_key == csv_key {
            return Err(Error::WouldOverwrite(summary_key));
        }
        Ok(Self {
            bucket,
            marker_key,
            csv_key,
            summary_key,
        })
    }
}

fn non_empty(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}

fn beside(
    marker_key: &str,
    name: &'static str,
    value: Option<String>,
    default: &str,
) -> Result<String, Error> {
    let file = non_empty(value).unwrap_or_else(|| default.to_owned());
    if file.contains('/') {
        return Err(Error::NotAFileName { name, value: file });
    }
    let directory = marker_key.rfind('/').map_or("", |end| &marker_key[..=end]);
    Ok(format!("{directory}{file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(variables: &[(&str, &str)]) -> Result<Job, Error> {
        Job::from_environment(|name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn csv_and_summary_lie_beside_the_marker() {
        let job = job(&[
            ("BUCKET", "sample-bucket"),
            ("OBJECT_KEY", "test/aaa/complete.txt"),
        ])
        .unwrap();
        assert_eq!(job.csv_key, "test/aaa/data.csv");
        assert_eq!(job.summary_key, "test/aaa/summary.json");
    }

    #[test]
    fn a_marker_at_the_top_of_the_bucket_has_no_directory() {
        let job = job(&[
            ("BUCKET", "b"),
            ("OBJECT_KEY", "done"),
            ("CSV_NAME", "é +%.csv"),
        ])
        .unwrap();
        assert_eq!(job.csv_key, "é +%.csv");
        assert_eq!(job.summary_key, "summary.json");
    }

    #[test]
    fn missing_empty_and_leading_out_are_refused() {
        assert_eq!(job(&[("OBJECT_KEY", "k")]), Err(Error::Missing("BUCKET")));
        assert_eq!(
            job(&[("BUCKET", "b"), ("OBJECT_KEY", "")]),
            Err(Error::Missing("OBJECT_KEY"))
        );
        assert_eq!(
            job(&[
                ("BUCKET", "b"),
                ("OBJECT_KEY", "k"),
                ("CSV_NAME", "../x.csv")
            ]),
            Err(Error::NotAFileName {
                name: "CSV_NAME",
                value: "../x.csv".to_owned()
            })
        );
    }

    #[test]
    fn the_summary_never_replaces_the_marker_or_the_data() {
        for key in ["a/summary.json", "a/marker"] {
            let result = job(&[
                ("BUCKET", "b"),
                ("OBJECT_KEY", key),
                ("CSV_NAME", "summary.json"),
            ]);
            assert_eq!(
                result,
                Err(Error::WouldOverwrite("a/summary.json".to_owned()))
            );
        }
    }
}
