//! Made by `tools/detection/train.py`, with the weights.

use super::Calibration;

/// What margins and rules say of a person's text.
pub(super) const PERSON: Calibration = Calibration {
    scale: 0.024806,
    short: 0.46638,
    long: 0.23319,
    spread: 0.0,
    mean: 0.0,
    length: -0.92463,
    rules: 4.3975,
    start: -1.297,
    below: 2.0156,
};

/// What margins and rules say of a tool's.
pub(super) const TOOL: Calibration = Calibration {
    scale: 0.025105,
    short: 1.41,
    long: 0.22364,
    spread: 0.96855,
    mean: -1.6126,
    length: -3.7287,
    rules: 3.0499,
    start: -2.9624,
    below: 1.4198,
};
