//! A component as a command names it: a file, `bundled:NAME`, or the folder of a project, whose component it is then.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::Wrong;
use crate::cli::policy::project::Project;
use crate::config::{BUNDLED, Grant, Isolation, Limits, Mode, OnError, read_file_within};
use crate::generation::bundled;
use crate::policy::{MAX_SIZE, StageSpec, inspect};

/// A component as the command line names it.
#[derive(Clone)]
pub(super) struct Component {
    /// A file, or `bundled:NAME`.
    path: PathBuf,
    /// The project that it is built from, where a project was named.
    project: Option<Box<Project>>,
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

impl Component {
    /// Of what is named on the command line; of a folder, that of its project.
    pub(super) fn named(path: &Path) -> Result<Component, Wrong> {
        if !path.is_dir() {
            let path = path.to_owned();
            return Ok(Component {
                path,
                project: None,
            });
        }
        let project = Project::read(path)?;
        Ok(Component {
            path: project.component(),
            project: Some(Box::new(project)),
        })
    }

    /// The file; of a bundled policy there is none.
    pub(super) fn file(&self) -> Option<&Path> {
        match self.bundled() {
            Some(_) => None,
            None => Some(&self.path),
        }
    }

    /// The project that it is built from.
    pub(super) fn project(&self) -> Option<&Project> {
        self.project.as_deref()
    }

    /// The name of a bundled policy.
    pub(super) fn bundled(&self) -> Option<&str> {
        self.path.to_str()?.strip_prefix("bundled:")
    }

    /// The file beside it in which its samples are.
    pub(super) fn samples(&self) -> Option<PathBuf> {
        Some(self.file()?.with_extension("samples.yaml"))
    }

    /// What it is tried with: what was given, else what its project says.
    pub(super) fn settings(&self, given: Option<Value>) -> Value {
        let of_project = || self.project.as_ref().map(|it| it.settings.clone());
        given.or_else(of_project).unwrap_or_else(|| json!({}))
    }

    pub(super) fn bytes(&self) -> Result<Vec<u8>, Wrong> {
        let Some(bundled) = self.bundled() else {
            let read = read_file_within(&self.path, MAX_SIZE);
            return read.map_err(|error| match (&self.project, error.kind()) {
                (Some(_), std::io::ErrorKind::NotFound) => {
                    format!("{self}: it isn't built yet; `witgate policy build` makes it").into()
                }
                _ => format!("{self}: {error}").into(),
            });
        };
        let known = bundled::component(bundled).map(<[u8]>::to_vec);
        known.ok_or_else(|| {
            format!(
                "{self}: no policy is bundled by that name (valid: {})",
                BUNDLED.join(", ")
            )
            .into()
        })
    }
}

/// The id of the stage of a policy that an author looks at alone. It is part of what a snapshot is made from, so all commands have the same: what
/// one of them compiled the others find.
pub(super) const STAGE: &str = "policy";

/// A stage of a policy that is looked at alone: every grant, and the usual limits, or what its author says that it needs.
pub(super) fn alone(settings: &Value, bytes: &[u8]) -> StageSpec {
    // What can't be inspected doesn't load either, and says why there.
    let manifest = inspect(bytes).ok().and_then(|it| it.manifest);
    let needed = manifest.map(|it| it.limits).unwrap_or_default();
    StageSpec {
        id: STAGE.into(),
        on_error: OnError::Deny,
        breaker: false,
        mode: Mode::Enforce,
        isolation: Isolation::default(),
        limits: needed.within(Limits::default()),
        grants: Grant::ALL.to_vec(),
        http: None,
        settings: settings.to_string(),
        pinned: None,
    }
}

/// Settings as the command line gives them: JSON, or `@FILE` with JSON in it.
pub(super) fn settings(text: &str) -> Result<Value, String> {
    let from_file = text.strip_prefix('@').map(std::fs::read_to_string);
    let json = match from_file {
        Some(read) => read.map_err(|error| format!("the file can't be read: {error}"))?,
        None => text.to_owned(),
    };
    let read: Result<Value, _> = serde_json::from_str(&json);
    let settings = read.map_err(|error| format!("they aren't JSON: {error}"))?;
    if settings.is_object() {
        Ok(settings)
    } else {
        Err("they must be an object, such as {\"limit\": 3}".to_owned())
    }
}
