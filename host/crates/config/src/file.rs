//! The one way to read a file that an operator names: a configuration, a key, a component, its samples.
//!
//! What stands under a name may be anything: a pipe that nobody writes to, a device without an end, a folder, a file on a network that
//! is gone. What must stay true: a file is asked what it is after it is open, so that nothing can be put in its place between; no more of it
//! is read than may be; and reading comes back in time, whatever the file system does.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// How long reading a file may take.
const TIME: Duration = Duration::from_secs(5);

/// How many reads may hang. While so many do, another isn't begun: it would hang as well, and each costs a thread and the time.
const MOST_HUNG: usize = 8;

/// How often a file that changes while it is read is read at most.
const READS: usize = 3;

/// Reads a file, and of one that is too large one byte more than `most`. A file that is still being written is read again; if it doesn't
/// come to rest, what was read last is returned. Blocks for some seconds at most.
///
/// # Errors
/// It can't be read, is no file, or its file system doesn't answer.
pub fn read_file(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    static HUNG: AtomicUsize = AtomicUsize::new(0);
    let path = path.to_owned();
    in_time(TIME, &HUNG, move || read_now(&path, most))
}

/// Reads a file that may have so many bytes.
///
/// # Errors
/// As [`read_file`]; and [`FileTooLarge`](io::ErrorKind::FileTooLarge), with the file's true size, where it has more.
pub fn read_file_within(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let bytes = read_file(path, most)?;
    if bytes.len() <= most {
        return Ok(bytes);
    }
    // Read no further than that: what it has in all, the file system says.
    let size = std::fs::metadata(path).map_or(0, |file| file.len());
    let size = size.max(bytes.len() as u64);
    Err(io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("it has {size} bytes, and may have {most}"),
    ))
}

fn read_now(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for _ in 0..READS {
        bytes.clear();
        let file = open(path)?;
        let before = FileStamp::from(&file.metadata()?);
        (&file).take(most as u64 + 1).read_to_end(&mut bytes)?;
        // Neither this file has changed, nor is there another in its place.
        if FileStamp::from(&file.metadata()?) == before && FileStamp::of(path) == before {
            break;
        }
    }
    Ok(bytes)
}

/// Opens without waiting, and refuses what isn't a regular file. Links are followed.
fn open(path: &Path) -> io::Result<File> {
    // Some devices do something when they are opened, so what is there is looked at before as well.
    refuse_others(std::fs::metadata(path)?.file_type())?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    refuse_others(file.metadata()?.file_type())?;
    Ok(file)
}

fn refuse_others(kind: FileType) -> io::Result<()> {
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a folder; give the path of a file",
            ));
        }
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::other(format!(
        "it is {what}; put what it would say into a file"
    )))
}

/// Does what may hang on a thread of its own, and leaves that behind when it does.
fn in_time<T: Send + 'static>(
    time: Duration,
    hung: &'static AtomicUsize,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let late = |what: &str| {
        let said = format!("it can't be read in time ({what}); is its file system there?");
        Err(io::Error::new(io::ErrorKind::TimedOut, said))
    };
    if hung.load(SeqCst) >= MOST_HUNG {
        return late("too many others hang");
    }
    let (send, done) = sync_channel(1);
    let over = Arc::new(AtomicBool::new(false));
    let reads = Arc::clone(&over);
    std::thread::Builder::new()
        .name("file".into())
        .spawn(move || {
            // Fails only where nobody waits any more.
            let _ = send.send(work());
            // The second of the two to be done, the reader or whoever waited in vain, takes it off the count.
            if reads.swap(true, SeqCst) {
                hung.fetch_sub(1, SeqCst);
            }
        })?;
    match done.recv_timeout(time) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            hung.fetch_add(1, SeqCst);
            if over.swap(true, SeqCst) {
                hung.fetch_sub(1, SeqCst);
            }
            late("it took too long")
        }
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("reading it broke down")),
    }
}

/// A file's identity, length and times; nothing where there is no file. The time of change is among them, because a tool can set the
/// time of modification back, and that sets the time of change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStamp(Option<[u64; 7]>);

impl FileStamp {
    /// Asks the file system. Links are followed.
    pub fn of(path: &Path) -> Self {
        let metadata = std::fs::metadata(path).ok();
        metadata.map_or(FileStamp(None), |metadata| Self::from(&metadata))
    }
}

impl From<&Metadata> for FileStamp {
    fn from(file: &Metadata) -> Self {
        let (modified, changed) = (file.mtime(), file.ctime());
        let (modified_ns, changed_ns) = (file.mtime_nsec(), file.ctime_nsec());
        let times = [modified, modified_ns, changed, changed_ns].map(i64::cast_unsigned);
        let [a, b, c, d] = times;
        FileStamp(Some([file.dev(), file.ino(), file.len(), a, b, c, d]))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_is_no_file_is_said_to_be_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        let _socket = UnixListener::bind(at("socket")).unwrap();
        symlink(at("pipe"), at("link")).unwrap();
        for (path, what) in [
            (at("pipe"), "a pipe"),
            (at("link"), "a pipe"),
            (at("socket"), "a socket"),
            ("/dev/zero".into(), "a device"),
            ("/".into(), "a folder"),
        ] {
            let error = read_file(&path, 10).unwrap_err().to_string();
            assert!(error.contains(what), "{}: {error}", path.display());
        }
        let missing = read_file(&at("missing"), 10).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn no_more_is_read_than_shows_that_it_is_too_large() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read_file(&path, 10).unwrap(), b"0123456789");
        assert_eq!(read_file(&path, 4).unwrap(), b"01234");
        let error = read_file_within(&path, 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "it has 10 bytes, and may have 4");
    }

    #[test]
    fn what_hangs_is_left_behind_and_a_few_of_them_are_enough() {
        static HUNG: AtomicUsize = AtomicUsize::new(0);
        let moment = Duration::from_millis(1);
        let mut gates = Vec::new();
        for _ in 0..MOST_HUNG {
            let (open, gate) = channel::<()>();
            let hangs = move || {
                let _ = gate.recv();
                Ok(())
            };
            let error = in_time(moment, &HUNG, hangs).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            gates.push(open);
        }
        // One more isn't even begun.
        let begun = || -> io::Result<()> { panic!("it was begun") };
        let error = in_time(TIME, &HUNG, begun).unwrap_err();
        assert!(error.to_string().contains("too many others"), "{error}");
        drop(gates);
        while HUNG.load(SeqCst) > 0 {
            std::thread::yield_now();
        }
        in_time(TIME, &HUNG, || Ok(())).unwrap();
    }

    #[test]
    fn a_stamp_tells_a_file_from_none_and_from_another_in_its_place() {
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
