//! Counts steps, for the tests that show that an edit costs what it brings and what it goes through. Without tests it is nothing.

#[cfg(test)]
thread_local! {
    static TAKEN: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// So many bytes or members were looked at.
#[inline(always)]
pub(crate) fn took(steps: usize) {
    #[cfg(test)]
    TAKEN.with(|taken| taken.set(taken.get() + steps as u64));
    #[cfg(not(test))]
    let _ = steps;
}

/// The steps that `work` takes on this thread.
#[cfg(test)]
pub(crate) fn of(work: impl FnOnce()) -> u64 {
    TAKEN.with(|taken| taken.set(0));
    work();
    TAKEN.with(std::cell::Cell::get)
}
