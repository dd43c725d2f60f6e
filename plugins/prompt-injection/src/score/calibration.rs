//! Made by `tools/detection/train.py`, with the weights.

use super::Calibration;

/// What margins and rules say of a person's text.
pub(super) const PERSON: Calibration = Calibration {
    scale: 0.025218,
    short: 1.2004,
    long: 0.58616,
    spread: -1.3886,
    mean: 0.54541,
    length: -0.44766,
    rules: 6.6957,
    start: -2.6727,
};

/// What margins and rules say of a tool's.
pub(super) const TOOL: Calibration = Calibration {
    scale: 0.023842,
    short: 1.5436,
    long: 0.52061,
    spread: -2.2619,
    mean: 1.3514,
    length: -0.15479,
    rules: 3.6876,
    start: -3.0467,
};
