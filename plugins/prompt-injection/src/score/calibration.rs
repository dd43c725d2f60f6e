//! Made by `tools/detection/train.py`, with the weights.

use super::Calibration;

/// What margins and rules say of a person's text.
pub(super) const PERSON: Calibration = Calibration {
    scale: 0.023056599,
    short: 1.7914,
    long: 0.83518,
    spread: -2.8141,
    mean: 1.4115,
    length: -0.34425,
    rules: 6.4205,
    start: -4.7426,
};

/// What margins and rules say of a tool's.
pub(super) const TOOL: Calibration = Calibration {
    scale: 0.023971228,
    short: 1.2952,
    long: 0.57933,
    spread: -2.034,
    mean: 1.103,
    length: -0.17161,
    rules: 3.0437,
    start: -2.6554,
};
