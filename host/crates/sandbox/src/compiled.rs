//! Compiled components on the disk: native code, and so checked before it runs.
//!
//! wasmtime keeps what it compiled in files that it reads back as they are; a single changed byte would run. So every such file has its
//! SHA-256 written down beside it, and before anything is compiled each file that isn't as it was written is removed: a miss, and
//! the component is compiled anew. What must stay true: wasmtime reads no file in `code` that wasn't checked since it last changed.

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::{Mutex, MutexGuard};
use sha2::{Digest as _, Sha256};
use wasmtime::{Cache, CacheConfig, Engine};

/// The target of the lines here: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::engine";

/// Where wasmtime keeps its files: `code/modules/COMPILER/NAME`.
const CODE: &str = "code";
/// Where their digests are: the empty file `sha256/COMPILER/NAME.DIGEST`. A name is written whole or not at all.
const DIGESTS: &str = "sha256";

/// The folder of compiled components.
pub(super) struct CompiledFiles {
    folder: PathBuf,
    /// The files that were found as they had been written, and what the system said of each then.
    known: Mutex<HashMap<PathBuf, Stamp>>,
}

/// The folder as it is while something is compiled: every file in it is as it was written.
pub(super) struct Checked<'a> {
    files: &'a CompiledFiles,
    known: MutexGuard<'a, HashMap<PathBuf, Stamp>>,
}

impl Checked<'_> {
    /// Whether what has this key was compiled before.
    pub(super) fn holds(&self, key: &str) -> bool {
        let modules = self.files.folder.join(CODE).join("modules");
        let mut compilers = entries(&modules).into_iter();
        compilers.any(|compiler| modules.join(compiler).join(key).is_file())
    }

    /// What has come since the check is what was compiled since.
    pub(super) fn take_new(&mut self) {
        self.files.write_down_new(&mut self.known);
    }
}

/// The name under which wasmtime keeps what that engine makes of these bytes. wasmtime doesn't say it: a test holds this to what it does.
pub(super) fn key(engine: &Engine, bytes: &[u8]) -> String {
    let mut state = KeyHasher(Sha256::new());
    // Its two options are such as nothing here uses: debugging information in a file of its own, and its own intrinsics.
    let options = (None::<&[u8]>, None::<&str>);
    (engine.precompile_compatibility_hash(), bytes, options).hash(&mut state);
    URL_SAFE_NO_PAD.encode(state.0.finalize())
}

struct KeyHasher(Sha256);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("the digest is what is asked for")
    }
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp([i128; 5]);

/// A file that must not be read stays where it is.
#[derive(Debug, thiserror::Error)]
#[error("{} isn't as it was written, and can't be removed: {source}", path.display())]
pub(super) struct Stuck {
    path: PathBuf,
    source: io::Error,
}

impl CompiledFiles {
    /// Makes the folder ready, for this user alone.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let folder = place::ours(folder)?;
        for part in [CODE, DIGESTS] {
            place::make(&folder.join(part))?;
            place::safe(&folder.join(part))?;
        }
        Ok(CompiledFiles {
            folder,
            known: Mutex::default(),
        })
    }

    /// wasmtime's side of it.
    pub(super) fn cache(&self) -> wasmtime::Result<Cache> {
        let mut config = CacheConfig::new();
        config
            .with_directory(self.folder.join(CODE))
            // It would write a file that is used often once more, and smaller: other bytes under the same name.
            .with_optimized_compression_usage_counter_threshold(u64::MAX);
        Cache::new(config)
    }

    /// Compiles, or reads what was compiled before: only what is as it was written.
    ///
    /// # Errors
    /// Where a file that isn't can't be removed. Nothing is compiled then.
    pub(super) fn checked<T>(
        &self,
        compile: impl FnOnce(&mut Checked<'_>) -> T,
    ) -> Result<T, Stuck> {
        // One at a time: what another compilation has written only now has no digest yet.
        let mut known = self.known.lock();
        self.remove_changed(&mut known)?;
        let mut checked = Checked { files: self, known };
        let compiled = compile(&mut checked);
        checked.take_new();
        Ok(compiled)
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn remove_changed(&self, known: &mut HashMap<PathBuf, Stamp>) -> Result<(), Stuck> {
        for file in self.files() {
            let path = self.folder.join(CODE).join("modules").join(&file);
            let stamp = Stamp::of(&path).ok();
            if stamp.is_some() && stamp.as_ref() == known.get(&file) {
                continue;
            }
            let digest = stamp.and_then(|_| digest(&path).ok());
            if let (Some(stamp), Some(digest)) = (stamp, digest)
                && self.digest_file(&file, &digest).is_file()
            {
                known.insert(file, stamp);
                continue;
            }
            known.remove(&file);
            if std::fs::symlink_metadata(&path).is_ok_and(|data| data.is_dir()) {
                // Nobody reads a folder as a file.
                continue;
            }
            match std::fs::remove_file(&path) {
                Ok(()) => {
                    tracing::warn!(target: TARGET, file = %path.display(), "a compiled component isn't as it was written, or isn't known to be; it is compiled anew");
                }
                // wasmtime removes what is old, and other gateways may share the folder.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(Stuck { path, source }),
            }
        }
        Ok(())
    }

    /// What has come since the check is what was compiled since.
    fn write_down_new(&self, known: &mut HashMap<PathBuf, Stamp>) {
        let files = self.files();
        for file in &files {
            let path = self.folder.join(CODE).join("modules").join(file);
            let Ok(stamp) = Stamp::of(&path) else {
                continue;
            };
            if known.get(file) == Some(&stamp) {
                continue;
            }
            let written = digest(&path).and_then(|digest| {
                let beside = self.digest_file(file, &digest);
                place::make(beside.parent().unwrap_or(&self.folder))?;
                std::fs::File::create(beside)
            });
            match written {
                Ok(_) => drop(known.insert(file.clone(), stamp)),
                Err(error) => {
                    tracing::warn!(target: TARGET, file = %path.display(), %error, "the digest of a compiled component can't be kept; it will be compiled at the next start");
                }
            }
        }
        known.retain(|file, _| {
            let stays = files.contains(file);
            if !stays {
                self.forget(file);
            }
            stays
        });
    }

    /// Removes the digests of a file that is gone.
    fn forget(&self, file: &Path) {
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
            return;
        };
        for beside in entries(&self.folder.join(DIGESTS).join(folder)) {
            if Path::new(&beside).file_stem() == Some(name) {
                let beside = self.folder.join(DIGESTS).join(folder).join(beside);
                std::fs::remove_file(beside).ok();
            }
        }
    }

    /// `COMPILER/NAME` of everything that wasmtime would take for one of its files.
    fn files(&self) -> Vec<PathBuf> {
        let modules = self.folder.join(CODE).join("modules");
        let compilers = entries(&modules).into_iter();
        let files = compilers.flat_map(|compiler| {
            let names = entries(&modules.join(&compiler)).into_iter();
            // What has an extension is statistics, or still being written.
            let names = names.filter(|name| Path::new(name).extension().is_none());
            names.map(move |name| Path::new(&compiler).join(name))
        });
        files.collect()
    }

    fn digest_file(&self, file: &Path, digest: &str) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push(".");
        name.push(digest);
        self.folder.join(DIGESTS).join(name)
    }
}

/// The names in a folder; none where it can't be read, as wasmtime can't read files there either.
fn entries(folder: &Path) -> Vec<std::ffi::OsString> {
    let read = std::fs::read_dir(folder).into_iter().flatten();
    read.filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect()
}

/// 64 hex digits.
fn digest(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:x}", sha.finalize())),
            read => sha.update(&buffer[..read]),
        }
    }
}

impl Stamp {
    /// An error for what isn't a plain file: it is never opened.
    fn of(path: &Path) -> io::Result<Stamp> {
        let data = std::fs::symlink_metadata(path)?;
        if !data.is_file() {
            return Err(io::Error::other("it isn't a plain file"));
        }
        Ok(Stamp(place::stamp(&data)))
    }
}

#[cfg(unix)]
mod place {
    //! Whose folders these are.

    use std::fs::{DirBuilder, Metadata};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    use std::path::{Path, PathBuf};

    /// Makes a folder that only this user may enter, and what leads to it.
    pub(super) fn make(folder: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)
    }

    /// Makes the folder, and says where it really is: whoever may write there, or put another folder in its place, has us run their code.
    pub(super) fn ours(folder: &Path) -> io::Result<PathBuf> {
        make(folder)?;
        // From here on no link is followed that could lead elsewhere tomorrow.
        let folder = folder.canonicalize()?;
        safe(&folder)?;
        for above in folder.ancestors().skip(1) {
            above_is_safe(above)?;
        }
        Ok(folder)
    }

    /// A folder of this user's, or of root's, to which nobody else may write.
    pub(super) fn safe(folder: &Path) -> io::Result<()> {
        let data = std::fs::symlink_metadata(folder)?;
        if !data.is_dir() {
            return refuse(folder, "isn't a folder");
        }
        if !is_trusted(data.uid()) {
            return refuse(folder, "belongs to another user");
        }
        if data.mode() & 0o022 != 0 {
            return refuse(
                folder,
                "may be written to by others; take that from them with chmod go-w",
            );
        }
        Ok(())
    }

    /// A folder in which nobody else can put another in the place of what lies there.
    fn above_is_safe(folder: &Path) -> io::Result<()> {
        let data = std::fs::symlink_metadata(folder)?;
        if !is_trusted(data.uid()) {
            return refuse(folder, "belongs to another user");
        }
        let sticky = data.mode() & 0o1000 != 0;
        if data.mode() & 0o022 != 0 && !sticky {
            return refuse(
                folder,
                "may be written to by others; take that from them with chmod go-w, or chmod +t lets them touch their own files alone",
            );
        }
        Ok(())
    }

    /// This user, or root, who may do anything anyway.
    fn is_trusted(user: u32) -> bool {
        user == 0 || user == rustix::process::geteuid().as_raw()
    }

    fn refuse(folder: &Path, why: &str) -> io::Result<()> {
        Err(io::Error::other(format!("{} {why}", folder.display())))
    }

    /// The change time is the system's: nobody sets it back.
    pub(super) fn stamp(data: &Metadata) -> [i128; 5] {
        [
            data.dev().into(),
            data.ino().into(),
            data.size().into(),
            i128::from(data.mtime()) << 64 | i128::from(data.mtime_nsec()),
            i128::from(data.ctime()) << 64 | i128::from(data.ctime_nsec()),
        ]
    }
}

#[cfg(not(unix))]
mod place {
    //! Whose folders these are isn't asked here.

    use std::fs::Metadata;
    use std::io;
    use std::path::{Path, PathBuf};
    use std::time::UNIX_EPOCH;

    pub(super) fn make(folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)
    }

    pub(super) fn ours(folder: &Path) -> io::Result<PathBuf> {
        make(folder)?;
        folder.canonicalize()
    }

    pub(super) fn safe(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn stamp(data: &Metadata) -> [i128; 5] {
        let modified = data.modified().ok();
        let modified = modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map_or(0, |at| at.as_nanos().cast_signed());
        [data.len().into(), modified, 0, 0, 0]
    }
}

#[cfg(test)]
mod tests;
