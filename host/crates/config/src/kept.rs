//! What executables and Vaults were asked for, and what they said last.
//!
//! Asking takes time, so an answer is good for as long as its reference says. Where asking fails then, the last good secret stays, and it is
//! asked again, soon at first and then less often: a helper that can't reach its service, or a Vault that is away, must not take away a
//! key that works.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Mutex, MutexGuard};

use super::secret::{Secret, SecretError, SecretRef};

/// How long it is until the first try after one that failed; twice as long after each further one.
const RETRY: Duration = Duration::from_secs(1);
/// The longest it gets.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// All that was asked for, by where it is.
static KNOWN: LazyLock<Mutex<HashMap<SecretRef, Known>>> = LazyLock::new(Mutex::default);

struct Known {
    /// The last good one.
    secret: Option<Secret>,
    /// When it is time to ask again.
    due: Instant,
    trouble: Option<Trouble>,
}

struct Trouble {
    why: String,
    since: SystemTime,
    /// How often asking failed since.
    times: u32,
}

/// What came of asking for a secret anew.
#[derive(Debug)]
pub struct Renewal {
    /// It is another secret now, or the first.
    pub changed: bool,
    /// What went wrong, or soon will. The last good secret stays.
    pub trouble: Option<SecretError>,
}

/// How it stands with a secret that is asked for.
#[derive(Clone, Debug)]
pub struct SecretState {
    /// Whether there is one.
    pub had: bool,
    /// What is wrong, and since when. Nothing of the secret.
    pub trouble: Option<(String, SystemTime)>,
}

/// What asking came to: the secret, and what may soon be wrong.
pub(super) type Asked = Result<(Secret, Option<SecretError>), SecretError>;

fn known() -> MutexGuard<'static, HashMap<SecretRef, Known>> {
    KNOWN.lock()
}

/// How long what is asked for there is good.
fn good_for(from: &SecretRef) -> Duration {
    match from {
        SecretRef::Exec(exec) => exec.cache,
        SecretRef::Vault(vault) => vault.refresh,
        SecretRef::Env(_) | SecretRef::File(_) => Duration::ZERO,
    }
}

fn ask(from: &SecretRef) -> Asked {
    match from {
        SecretRef::Exec(exec) => exec.ask().map(|secret| (secret, None)),
        SecretRef::Vault(vault) => vault.ask(),
        SecretRef::Env(_) | SecretRef::File(_) => from.read().map(|secret| (secret, None)),
    }
}

/// The secret that is known and still good, or a new one.
pub(super) fn secret(from: &SecretRef) -> Result<Secret, SecretError> {
    if let Some(known) = known().get(from)
        && known.due > Instant::now()
        && let Some(secret) = &known.secret
    {
        return Ok(secret.clone());
    }
    let renewal = take(from, ask(from));
    let kept = known().get(from).and_then(|known| known.secret.clone());
    match (kept, renewal.trouble) {
        (Some(secret), _) => Ok(secret),
        (None, Some(error)) => Err(error),
        (None, None) => Err(from.unusable("isn't known any more")),
    }
}

pub(super) fn renew(from: &SecretRef) -> Option<Renewal> {
    let due = due(from)?;
    (due <= Instant::now()).then(|| take(from, ask(from)))
}

pub(super) fn due(from: &SecretRef) -> Option<Instant> {
    let due = known().get(from)?.due;
    Some(match from {
        // The token by which it is had may end before.
        SecretRef::Vault(vault) => vault.token_due().map_or(due, |token| token.min(due)),
        _ => due,
    })
}

pub(super) fn state(from: &SecretRef) -> Option<SecretState> {
    let known = known();
    let known = known.get(from)?;
    let trouble = known.trouble.as_ref();
    Some(SecretState {
        had: known.secret.is_some(),
        trouble: trouble.map(|trouble| (trouble.why.clone(), trouble.since)),
    })
}

/// Keeps what asking came to.
fn take(from: &SecretRef, asked: Asked) -> Renewal {
    let mut known = known();
    let now = Instant::now();
    let known = known.entry(from.clone()).or_insert(Known {
        secret: None,
        due: now,
        trouble: None,
    });
    let before = known.trouble.take();
    let trouble = |why: &SecretError| Trouble {
        why: why.to_string(),
        since: before.as_ref().map_or_else(SystemTime::now, |it| it.since),
        times: before.as_ref().map_or(0, |it| it.times).saturating_add(1),
    };
    match asked {
        Ok((secret, warning)) => {
            known.due = now + good_for(from);
            known.trouble = warning.as_ref().map(trouble);
            let old = known.secret.replace(secret.clone());
            Renewal {
                changed: old.is_none_or(|old| old.expose() != secret.expose()),
                trouble: warning,
            }
        }
        Err(error) => {
            let failed = trouble(&error);
            let pause = RETRY.saturating_mul(1 << (failed.times - 1).min(10));
            known.due = now + pause.min(LONGEST_RETRY).min(good_for(from));
            known.trouble = Some(failed);
            Renewal {
                changed: false,
                trouble: Some(error),
            }
        }
    }
}
