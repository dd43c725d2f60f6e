//! What a stage keeps from one exchange to the next, in a test.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The longest key, in bytes.
const KEY: usize = 256;
/// The longest value, in bytes.
const VALUE: usize = 1 << 20;
/// The longest time, in seconds.
const LONGEST: u32 = 366 * 24 * 60 * 60;

/// What the grants `counters` and `kv` keep. Each exchange of a test has its own, and forgets it; those that are given the same one by
/// [`Exchange::keep_in`](super::Exchange::keep_in) share it, as the exchanges of a stage do. Time is that of the requests, by their
/// `received_at`.
#[derive(Clone, Debug, Default)]
pub struct StageState(Rc<RefCell<Inner>>);

#[derive(Clone, Debug, Default)]
struct Inner {
    /// By key, length and beginning of the window.
    sums: BTreeMap<(String, u32, u64), i64>,
    /// With the second in which each expires.
    values: BTreeMap<String, (String, u64)>,
    error: Option<String>,
}

impl StageState {
    /// Lets every call from here on fail with this sentence, as where the host's file can't be written.
    pub fn fail(&self, error: &str) {
        self.0.borrow_mut().error = Some(error.into());
    }

    /// The sum of the window that this moment lies in, in milliseconds since 1970.
    pub fn sum(&self, key: &str, window_seconds: u32, at: u64) -> i64 {
        let place = (key.to_owned(), window_seconds, start(window_seconds, at));
        self.0.borrow().sums.get(&place).copied().unwrap_or(0)
    }

    /// The keys of all values, expired ones too.
    pub fn keys(&self) -> Vec<String> {
        self.0.borrow().values.keys().cloned().collect()
    }

    /// The same, apart.
    pub(super) fn copy(&self) -> StageState {
        StageState(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    fn inner(&self, key: &str) -> Result<std::cell::RefMut<'_, Inner>, String> {
        let inner = self.0.borrow_mut();
        if let Some(error) = &inner.error {
            return Err(error.clone());
        }
        if key.len() > KEY {
            return Err(format!("a key has at most {KEY} bytes"));
        }
        Ok(inner)
    }

    pub(super) fn take(
        &self,
        key: &str,
        amount: i64,
        window: u32,
        most: i64,
        at: u64,
    ) -> Result<Option<i64>, String> {
        let mut inner = self.inner(key)?;
        if !(1..=LONGEST).contains(&window) {
            return Err(format!(
                "a window is from 1 to {LONGEST} seconds long (366 days)"
            ));
        }
        let place = (key.to_owned(), window, start(window, at));
        let sum = inner.sums.entry(place).or_default();
        let Some(to) = sum.checked_add(amount) else {
            return Err("the sum would be more than 64 bits can hold".into());
        };
        if amount > 0 && to > most {
            return Ok(None);
        }
        *sum = to;
        Ok(Some(to))
    }

    pub(super) fn get(&self, key: &str, at: u64) -> Result<Option<String>, String> {
        let inner = self.inner(key)?;
        let value = inner.values.get(key);
        let fresh = value.filter(|(_, expires)| *expires > at / 1000);
        Ok(fresh.map(|(value, _)| value.clone()))
    }

    pub(super) fn put(&self, key: &str, value: &str, ttl: u32, at: u64) -> Result<(), String> {
        self.put_if(key, value, ttl, at, |_| true).map(drop)
    }

    /// Whether there was none.
    pub(super) fn put_new(
        &self,
        key: &str,
        value: &str,
        ttl: u32,
        at: u64,
    ) -> Result<bool, String> {
        let is_new = |expires: Option<u64>| expires.is_none_or(|it| it <= at / 1000);
        self.put_if(key, value, ttl, at, is_new)
    }

    /// Puts it, if that says so of the second in which the one that is there expires.
    fn put_if(
        &self,
        key: &str,
        value: &str,
        ttl: u32,
        at: u64,
        puts: impl Fn(Option<u64>) -> bool,
    ) -> Result<bool, String> {
        let mut inner = self.inner(key)?;
        if value.len() > VALUE {
            return Err(format!("a value has at most {VALUE} bytes"));
        }
        if ttl > LONGEST {
            return Err(format!(
                "a value is kept for at most {LONGEST} seconds (366 days)"
            ));
        }
        if !puts(inner.values.get(key).map(|(_, expires)| *expires)) {
            return Ok(false);
        }
        if ttl == 0 {
            inner.values.remove(key);
        } else {
            let expires = at / 1000 + u64::from(ttl);
            inner.values.insert(key.into(), (value.into(), expires));
        }
        Ok(true)
    }
}

/// The beginning of a window, in seconds since 1970. A length that can't be is refused elsewhere.
fn start(window: u32, at: u64) -> u64 {
    let (seconds, window) = (at / 1000, u64::from(window.max(1)));
    seconds - seconds % window
}
