//! Sets up logging: which lines are written, where, and how.

use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// The filter where neither `--log` nor `RUST_LOG` is given.
const DEFAULT_FILTER: &str = "info";

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = LogError;

    fn from_str(word: &str) -> Result<Self, LogError> {
        match word {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(LogError::Format(other.to_owned())),
        }
    }
}

impl std::fmt::Display for LogFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogError {
    /// The filter can't be read.
    #[error(
        "`{filter}` is not a log filter ({why}); write a level, such as info, or witgate=debug,info, with {origin}"
    )]
    Filter {
        /// The filter as it was given.
        filter: String,
        /// Where it was given: `--log` or `RUST_LOG`.
        origin: &'static str,
        /// What is wrong with the filter.
        #[source]
        why: ParseError,
    },
    /// There is no such format.
    #[error("`{0}` is not a log format; write text or json with --log-format")]
    Format(String),
    /// Logging was set up in this process before.
    #[error("logging is set up already")]
    Twice,
}

/// Sets logging up for the process, to standard error. `filter` is what `--log` said; without it `RUST_LOG` counts,
/// and without that `usual`, which is `info` unless a command has its own.
///
/// # Errors
///
/// When the filter can't be read, or logging was set up before.
pub(super) fn init(
    filter: Option<&str>,
    usual: Option<&str>,
    format: LogFormat,
) -> Result<(), LogError> {
    let usual = usual.unwrap_or(DEFAULT_FILTER);
    let filter = choose(filter, std::env::var("RUST_LOG").ok().as_deref(), usual)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let done = match format {
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    done.map_err(|_| LogError::Twice)
}

fn choose(
    option: Option<&str>,
    variable: Option<&str>,
    usual: &str,
) -> Result<EnvFilter, LogError> {
    let variable = variable.filter(|value| !value.trim().is_empty());
    let (filter, origin) = match (option, variable) {
        (Some(filter), _) => (filter, "--log"),
        (None, Some(filter)) => (filter, "RUST_LOG"),
        (None, None) => (usual, "--log"),
    };
    EnvFilter::try_new(filter).map_err(|why| LogError::Filter {
        filter: filter.to_owned(),
        origin,
        why,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn the_option_goes_before_the_variable_before_the_default() {
        let chosen = |option, variable| choose(option, variable, "info").unwrap().to_string();
        assert_eq!(chosen(Some("warn"), Some("debug")), "warn");
        assert_eq!(chosen(None, Some("debug")), "debug");
        assert_eq!(chosen(None, Some(" ")), "info");
        assert_eq!(chosen(None, None), "info");
    }

    #[test]
    fn a_bad_filter_names_itself_and_where_it_stood() {
        let error = choose(None, Some("a=b=c"), "info").unwrap_err().to_string();
        assert!(
            error.contains("`a=b=c`") && error.contains("RUST_LOG"),
            "{error}"
        );
    }

    #[test]
    fn formats_read_and_print_alike() {
        for format in [LogFormat::Text, LogFormat::Json] {
            assert_eq!(format.to_string().parse::<LogFormat>().unwrap(), format);
        }
        let error = "xml".parse::<LogFormat>().unwrap_err().to_string();
        assert!(
            error.contains("`xml`") && error.contains("--log-format"),
            "{error}"
        );
    }
}
