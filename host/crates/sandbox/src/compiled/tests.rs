#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;

const FILE: &str = "code/modules/wasmtime-1/name";

/// A folder with one compiled file of 100 bytes, as another process left it.
fn left() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let files = CompiledFiles::open(folder.path()).unwrap();
    files.checked(|_| write(&file)).unwrap();
    (folder, file)
}

fn write(file: &Path) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, [7; 100]).unwrap();
}

/// Whether whoever compiles next finds the file.
fn is_found(folder: &Path, file: &Path) -> bool {
    let files = CompiledFiles::open(folder).unwrap();
    let found = files.checked(|_| std::fs::symlink_metadata(file).is_ok());
    found.unwrap()
}

#[test]
fn what_is_as_it_was_written_is_found() {
    let (folder, file) = left();
    assert!(is_found(folder.path(), &file));
    assert!(is_found(folder.path(), &file));
}

#[test]
fn a_change_of_any_byte_is_a_miss() {
    for at in 0..100 {
        let (folder, file) = left();
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert!(!is_found(folder.path(), &file), "byte {at}");
    }
}

#[test]
fn what_is_cut_or_longer_is_a_miss() {
    for length in [0, 50, 99, 101] {
        let (folder, file) = left();
        let opened = std::fs::File::options().write(true).open(&file);
        opened.unwrap().set_len(length).unwrap();
        assert!(!is_found(folder.path(), &file), "{length} bytes");
    }
}

#[test]
fn a_file_that_changes_while_we_run_is_a_miss() {
    let (folder, file) = left();
    let files = CompiledFiles::open(folder.path()).unwrap();
    assert!(files.checked(|_| file.exists()).unwrap());
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[50] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert!(!files.checked(|_| file.exists()).unwrap());
    // And what is compiled in its place is kept.
    files.checked(|_| write(&file)).unwrap();
    assert!(is_found(folder.path(), &file));
}

#[test]
fn a_file_without_a_digest_is_a_miss() {
    let (folder, file) = left();
    let other = file.with_file_name("other");
    write(&other);
    assert!(!is_found(folder.path(), &other), "nobody vouched for it");
    assert!(is_found(folder.path(), &file));
    // Another file's bytes under this name aren't this one's.
    std::fs::write(&file, [8; 100]).unwrap();
    let files = CompiledFiles::open(folder.path()).unwrap();
    files
        .checked(|_| std::fs::write(&other, [8; 100]))
        .unwrap()
        .unwrap();
    std::fs::copy(&other, &file).unwrap();
    assert!(!is_found(folder.path(), &file));
}

#[test]
fn the_digest_goes_with_its_file() {
    let (folder, file) = left();
    let digests = folder.path().join("sha256/wasmtime-1");
    assert_eq!(entries(&digests).len(), 1);
    let files = CompiledFiles::open(folder.path()).unwrap();
    let removed = files.checked(|_| std::fs::remove_file(&file));
    removed.unwrap().unwrap();
    assert_eq!(entries(&digests).len(), 0);
}

#[cfg(unix)]
#[test]
fn what_is_no_plain_file_is_never_opened() {
    use std::os::unix::fs::symlink;
    let (folder, file) = left();
    let elsewhere = folder.path().join("elsewhere");
    std::fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert!(!is_found(folder.path(), &file), "a link");
    // Whoever opened a pipe would wait for good.
    rustix::fs::mkfifoat(rustix::fs::CWD, &file, 0o600.into()).unwrap();
    assert!(!is_found(folder.path(), &file), "a pipe");
}

#[cfg(unix)]
#[test]
fn nobody_elses_folder_is_used_nor_one_that_others_may_replace() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    let opens = |path: &Path| CompiledFiles::open(path).map(|_| ());
    let parent = folder.path().join("parent");
    let compiled = parent.join("compiled");
    opens(&compiled).unwrap();
    mode(&parent, 0o777);
    let error = opens(&compiled).unwrap_err().to_string();
    assert!(error.contains("parent may be written to"), "{error}");
    // Where each may touch what is theirs alone, as in /tmp, nothing can be replaced.
    mode(&parent, 0o1777);
    opens(&compiled).unwrap();
    mode(&compiled, 0o770);
    opens(&compiled).unwrap_err();
    // Through a link it is the real folder that is asked.
    let link = folder.path().join("link");
    symlink(&compiled, &link).unwrap();
    opens(&link).unwrap_err();
    mode(&compiled, 0o700);
    opens(&link).unwrap();
    if rustix::process::geteuid().is_root() {
        let theirs = folder.path().join("theirs");
        opens(&theirs.join("compiled")).unwrap();
        std::os::unix::fs::chown(&theirs, Some(65534), None).unwrap();
        let error = opens(&theirs.join("compiled")).unwrap_err().to_string();
        assert!(error.contains("theirs belongs to another user"), "{error}");
    }
}

/// The bytes of a component that has nothing in it.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

#[test]
fn what_wasmtime_keeps_is_known_by_its_key_whichever_engine_asks() {
    use crate::engine::{self, EngineSettings};
    use wasmtime::component::Component;

    let folder = tempfile::tempdir().unwrap();
    let files = CompiledFiles::open(folder.path()).unwrap();
    let cache = files.cache().unwrap();
    let settings = EngineSettings {
        exchanges: 1,
        ..EngineSettings::default()
    };
    let (serving, kind) = engine::serving(&settings, Some(&cache)).unwrap();
    let (configuring, once) = engine::configuring(&settings, kind, Some(&cache)).unwrap();
    assert_ne!(key(&serving, EMPTY), key(&configuring, EMPTY));
    for (engine, kind) in [(serving, kind), (configuring, once)] {
        let compiler = engine::compiling(kind, &cache, false).unwrap();
        let key = key(&engine, EMPTY);
        assert_eq!(super::key(&compiler, EMPTY), key);
        let compiled = files.checked(|checked| {
            assert!(!checked.holds(&key));
            Component::from_binary(&compiler, EMPTY).unwrap();
            checked.take_new();
            checked.holds(&key)
        });
        assert!(compiled.unwrap());
        Component::from_binary(&engine, EMPTY).unwrap();
        assert_eq!(cache.cache_hits(), cache.cache_misses(), "it is read");
        assert!(files.checked(|checked| checked.holds(&key)).unwrap());
    }
}
