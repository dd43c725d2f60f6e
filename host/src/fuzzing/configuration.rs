//! A configuration, whatever the file says.

use std::path::Path;

use crate::config::{Config, ConfigError};

/// Bytes as the text of a configuration: it is refused with a sentence for each place, or it means the same whenever it is read.
pub fn configuration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parse = || Config::parse(text, "fuzzed.yaml", Path::new("/etc/witgate"));
    match parse() {
        Ok(config) => {
            assert!(!config.stages.iter().any(|stage| stage.id.is_empty()));
            let again = parse().expect("it was right a moment ago");
            assert_eq!(config, again);
            assert!(Config::changes_needing_restart(&config, &again).is_empty());
        }
        Err(ConfigError::Empty { .. }) => {}
        Err(error) => {
            let problems = error.problems();
            assert!(!problems.is_empty(), "refused without a word: {error}");
            let text = text.replace("\r\n", "\n");
            // YAML ends a line at any of these.
            let ends = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
            let lines: Vec<&str> = text.split(ends).collect();
            for problem in problems {
                assert!(!problem.message.is_empty());
                let (line, column) = (problem.at.line, problem.at.column);
                // The end of the text may be told as a line of its own.
                assert!(
                    (1..=lines.len() + 1).contains(&line),
                    "line {line}: {error}"
                );
                let length = lines.get(line - 1).map_or(0, |line| line.chars().count());
                assert!(
                    (1..=length + 1).contains(&column),
                    "{line}:{column}: {error}"
                );
            }
        }
    }
}
