//! What the file system says of a file: enough to tell, without reading it, whether it is another file than before.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A file's identity, length and times; nothing where there is no file. The time of change is among them, because a tool can set the
/// time of modification back, and that sets the time of change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStamp(Option<[u64; 7]>);

impl FileStamp {
    /// Asks the file system. Links are followed.
    pub fn of(path: &Path) -> Self {
        let metadata = std::fs::metadata(path).ok();
        FileStamp(metadata.map(|file| {
            let (modified, changed) = (file.mtime(), file.ctime());
            let (modified_ns, changed_ns) = (file.mtime_nsec(), file.ctime_nsec());
            let times = [modified, modified_ns, changed, changed_ns].map(i64::cast_unsigned);
            let [a, b, c, d] = times;
            [file.dev(), file.ino(), file.len(), a, b, c, d]
        }))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn it_tells_a_file_from_none_and_from_another_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("file"), folder.path().join("other"));
        let none = FileStamp::of(&file);
        assert_eq!(none, FileStamp::of(&other));
        std::fs::write(&file, "one").unwrap();
        let one = FileStamp::of(&file);
        assert_ne!(one, none);
        assert_eq!(one, FileStamp::of(&file));
        std::fs::write(&other, "two").unwrap();
        std::fs::rename(&other, &file).unwrap();
        assert_ne!(one, FileStamp::of(&file));
    }
}
