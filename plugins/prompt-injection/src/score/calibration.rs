//! Made by `tools/detection/train.py`, with the weights.

use super::Calibration;

/// What margins and rules say of a person's text.
pub(super) const PERSON: Calibration = Calibration {
    scale: 0.033761,
    short: 0.53016,
    long: 0.26508,
    spread: 0.0,
    mean: 0.0,
    length: -1.2307,
    rules: 5.9591,
    start: -1.7465,
};

/// What margins and rules say of a tool's.
pub(super) const TOOL: Calibration = Calibration {
    scale: 0.031327,
    short: 1.2875,
    long: 0.2184,
    spread: 1.1227,
    mean: -1.7049,
    length: -3.7243,
    rules: 3.1723,
    start: -3.2554,
};
