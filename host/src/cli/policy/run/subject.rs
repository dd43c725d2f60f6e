//! The policy that is run: its files, its build, and the configuration of a gateway with it alone.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::cli::Wrong;
use crate::cli::policy::build;
use crate::cli::policy::component::{Component, STAGE};
use crate::cli::policy::project::Project;
use crate::policy::inspect;

/// The policy that is run.
pub(super) struct Subject {
    component: Component,
    settings: Option<Value>,
    configuration: PathBuf,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.component.fmt(f)
    }
}

impl Subject {
    /// Its configuration is kept in that file.
    pub(super) fn new(
        component: Component,
        settings: Option<Value>,
        configuration: PathBuf,
    ) -> Self {
        Subject {
            component,
            settings,
            configuration,
        }
    }

    pub(super) fn configuration(&self) -> &Path {
        &self.configuration
    }

    /// What is watched, in words.
    pub(super) fn watched(&self) -> Option<String> {
        match self.component.project() {
            Some(project) => Some(format!("the project in {}", project.folder.display())),
            None => self.component.file().map(|file| file.display().to_string()),
        }
    }

    /// Builds the component, where it is a project's.
    pub(super) async fn prepare(&self) -> Result<(), Wrong> {
        if let Some(project) = self.component.project() {
            build::make(&Project::read(&project.folder)?).await?;
        }
        Ok(())
    }

    /// Writes the configuration anew, in one step: it is named by the gateway.
    pub(super) fn configure(&self) -> Result<(), Wrong> {
        let bytes = self.component.bytes()?;
        let inspection = inspect(&bytes).map_err(|error| format!("{self}: {error}"))?;
        // The project as it is now, with other settings perhaps.
        let settings = match (&self.settings, self.component.project()) {
            (Some(settings), _) => settings.clone(),
            (None, Some(project)) => Project::read(&project.folder)?.settings,
            (None, None) => json!({}),
        };
        let manifest = inspection.manifest.unwrap_or_default();
        let limits: Map<String, Value> = manifest
            .limits
            .named()
            .map(|(name, least)| (name.to_owned(), json!(least)))
            .collect();
        // A copy, beside which there are no samples: whoever changes a policy sees it act before they change its samples.
        let component = self.configuration.with_file_name("policy.wasm");
        let aside = component.with_extension("new");
        std::fs::write(&aside, &bytes)?;
        std::fs::rename(&aside, &component)?;
        let entry = json!({
            "id": STAGE, "component": component, "grants": inspection.grants, "limits": limits,
        });
        // JSON is YAML.
        let text = json!({
            "pack": {"name": "policy-run", "version": "0.0.0", "enabled": true},
            "policies": {"chain": [entry]},
            "policy": {STAGE: settings},
            "providers": {"targets": [{"id": "model", "provider": "cerebras"}]},
        });
        let aside = self.configuration.with_extension("new");
        std::fs::write(&aside, text.to_string())?;
        Ok(std::fs::rename(&aside, &self.configuration)?)
    }

    /// The files whose change matters: of a project the sources, else the component.
    pub(super) fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        match self.component.project() {
            Some(project) => files = project.sources(),
            None => {
                files.extend(self.component.file().map(Path::to_owned));
            }
        }
        let absolute = |file: PathBuf| std::path::absolute(&file).unwrap_or(file);
        files.into_iter().map(absolute).collect()
    }
}
