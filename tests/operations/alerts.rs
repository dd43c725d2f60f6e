//! The rules that operators copy are rules to Prometheus.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::python::{once, run};

const NEEDED: &str = "The alerts are checked by promtool: have it in the PATH, or Debian's package index, from which it is taken the first time.";

/// `promtool`: that of the machine, or the one in Debian's package, below the target directory.
fn promtool() -> PathBuf {
    let own = Command::new("promtool").arg("--version").output();
    if own.is_ok_and(|output| output.status.success()) {
        return "promtool".into();
    }
    let folder = crate::support::kept().join("promtool");
    once(
        &folder,
        &root().join("tests/operations/promtool.txt"),
        |folder| {
            std::fs::create_dir_all(folder).unwrap();
            let mut get = Command::new("apt-get");
            get.current_dir(folder)
                .args(["--quiet", "download", "prometheus"]);
            if !get.output().is_ok_and(|output| output.status.success()) {
                // Nobody has asked for the index yet.
                run(Command::new("apt-get").args(["--quiet", "update"]), NEEDED);
                run(&mut get, NEEDED);
            }
            let files = std::fs::read_dir(folder).unwrap();
            let mut files = files.map(|file| file.unwrap().path());
            let package = files.find(|file| file.extension().is_some_and(|it| it == "deb"));
            let package = package.unwrap();
            run(
                Command::new("dpkg").arg("-x").arg(&package).arg(folder),
                NEEDED,
            );
            std::fs::remove_file(package).unwrap();
            std::fs::remove_file(folder.join("usr/bin/prometheus")).unwrap();
        },
    );
    folder.join("usr/bin/promtool")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn the_alerts_are_rules_to_prometheus() {
    let mut check = Command::new(promtool());
    check
        .args(["check", "rules"])
        .arg(root().join("docs/alerts.yaml"));
    let said = String::from_utf8(run(&mut check, NEEDED).stdout).unwrap();
    assert!(
        said.contains("SUCCESS") && said.contains("rules found"),
        "{said}"
    );
}
