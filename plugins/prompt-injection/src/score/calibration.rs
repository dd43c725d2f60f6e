//! Made by `tools/detection/train.py`, with the weights.

use super::Calibration;

/// What margins and rules say of a person's text.
pub(super) const PERSON: Calibration = Calibration {
    scale: 0.022786526,
    short: 1.7799,
    long: 0.7409,
    spread: -2.7549,
    mean: 1.4625,
    length: -0.32008,
    rules: 6.3694,
    start: -4.5579,
};

/// What margins and rules say of a tool's.
pub(super) const TOOL: Calibration = Calibration {
    scale: 0.023677031,
    short: 1.4988,
    long: 0.55781,
    spread: -2.3122,
    mean: 1.3541,
    length: -0.16092,
    rules: 3.4409,
    start: -2.8752,
};
