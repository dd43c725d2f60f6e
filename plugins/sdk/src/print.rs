//! `println!` and its kin, sent to the host's log. Import them by name: `use witgate_policy::prelude::{println, *};`.
//!
//! The standard macros would take a handle on stdout. A snapshot keeps memory and not handles, so a policy that printed
//! while it was configured would have to be configured anew in every exchange. And a sandbox has no stdout. So the glob of
//! the prelude alone makes `println!` ambiguous: the compiler stops at it, and the author has to import the macro by name.

/// Logs at `info` what would have been printed.
#[doc(hidden)]
#[macro_export]
macro_rules! __print {
    () => {
        $crate::print::line($crate::Level::Info, "")
    };
    ($($arg:tt)+) => {
        $crate::print::line($crate::Level::Info, &::std::format!($($arg)+))
    };
}

/// Logs at `warn` what would have been printed.
#[doc(hidden)]
#[macro_export]
macro_rules! __eprint {
    () => {
        $crate::print::line($crate::Level::Warn, "")
    };
    ($($arg:tt)+) => {
        $crate::print::line($crate::Level::Warn, &::std::format!($($arg)+))
    };
}

/// Logs a value at `debug`, and gives it back.
#[doc(hidden)]
#[macro_export]
macro_rules! __dbg {
    () => {
        $crate::__log_debug!("[{}:{}:{}]", ::std::file!(), ::std::line!(), ::std::column!())
    };
    ($value:expr $(,)?) => {
        match $value {
            value => {
                $crate::__log_debug!(
                    "[{}:{}:{}] {} = {:#?}",
                    ::std::file!(), ::std::line!(), ::std::column!(), ::std::stringify!($value), &value
                );
                value
            }
        }
    };
    ($($value:expr),+ $(,)?) => { ($($crate::__dbg!($value)),+,) };
}

pub use crate::{
    __dbg as dbg, __eprint as eprint, __eprint as eprintln, __print as print, __print as println,
};

/// Writes one call of a printing macro as one line of the log.
#[doc(hidden)]
pub fn line(level: crate::Level, text: &str) {
    crate::host::log(level, text.strip_suffix('\n').unwrap_or(text));
}

#[cfg(test)]
mod tests {
    use crate::Level::{Debug, Info, Trace, Warn};
    use crate::prelude::{dbg, eprint, println, *};
    use crate::testing::imports::logged;

    #[test]
    fn what_is_printed_goes_to_the_log_a_line_a_call() {
        let log = logged(|| {
            println!();
            println!("{} and {}", 1, 2);
            eprint!("three\n");
            log::trace!("four");
            assert_eq!(dbg!(2 + 3), 5);
        });
        let [lines @ .., (Debug, last)] = &log[..] else {
            panic!("dbg! comes last: {log:?}");
        };
        let expected = [
            (Info, ""),
            (Info, "1 and 2"),
            (Warn, "three"),
            (Trace, "four"),
        ];
        assert_eq!(
            lines,
            expected.map(|(level, line)| (level, line.to_string()))
        );
        assert!(last.ends_with("] 2 + 3 = 5"), "{last}");
    }
}
