//! The ways in which a file changes.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long a slow writer takes from piece to piece: less than what counts as quiet.
const PAUSE: Duration = Duration::from_millis(40);

/// Replaces a file in one step.
pub fn replace(file: &Path, bytes: impl AsRef<[u8]>) {
    let aside = file.with_extension("aside");
    fs::write(&aside, bytes).unwrap();
    fs::rename(aside, file).unwrap();
}

/// Deletes a file and writes it again a moment later.
pub async fn recreate(file: &Path, bytes: impl AsRef<[u8]>) {
    fs::remove_file(file).unwrap();
    tokio::time::sleep(PAUSE).await;
    fs::write(file, bytes).unwrap();
}

/// Writes a file in place and slowly, in so many pieces.
pub async fn write_in_pieces(file: &Path, bytes: impl AsRef<[u8]>, pieces: usize) {
    let bytes = bytes.as_ref();
    let mut file = File::create(file).unwrap();
    for piece in bytes.chunks(bytes.len().div_ceil(pieces)) {
        file.write_all(piece).unwrap();
        file.sync_data().unwrap();
        tokio::time::sleep(PAUSE).await;
    }
}

/// Changes nothing but the time of the last change.
pub fn touch(file: &Path) {
    let file = File::options().append(true).open(file).unwrap();
    file.set_modified(SystemTime::now()).unwrap();
}

/// A folder as Kubernetes mounts it: files are links into `..data`, a link to a dated folder, which another one replaces.
pub struct Mount {
    at: PathBuf,
    version: usize,
}

impl Mount {
    /// An empty one.
    pub fn create(at: PathBuf) -> Self {
        fs::create_dir(&at).unwrap();
        Mount { at, version: 0 }
    }

    /// Shows these files in place of the ones before, in one step.
    pub fn publish(&mut self, files: &[(&str, &[u8])]) {
        let folder = |version: usize| format!("..2025_01_01_00_00_00.{version}");
        let (old, new) = (folder(self.version), folder(self.version + 1));
        fs::create_dir(self.at.join(&new)).unwrap();
        for (name, bytes) in files {
            fs::write(self.at.join(&new).join(name), bytes).unwrap();
            let link = self.at.join(name);
            if !link.is_symlink() {
                symlink(Path::new("..data").join(name), link).unwrap();
            }
        }
        symlink(&new, self.at.join("..data_tmp")).unwrap();
        fs::rename(self.at.join("..data_tmp"), self.at.join("..data")).unwrap();
        if self.version > 0 {
            fs::remove_dir_all(self.at.join(old)).unwrap();
        }
        self.version += 1;
    }
}
