//! The guest of `tests/guests/hostile`.

use std::sync::OnceLock;

/// The component. Built when first asked for.
pub(crate) fn component() -> &'static [u8] {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    COMPONENT.get_or_init(|| std::fs::read(crate::build::hostile()).unwrap())
}
