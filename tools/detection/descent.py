"""Fits weights of hashed features: a logistic regression over windows of blocks, by descent with a step of its own for each weight (AdaGrad).

Compiled, since a pass goes through tens of millions of features. The same input and seed make the same weights.
"""

import numpy as np
from numba import njit

# How often all windows are gone through, in each of the two rounds; the length of a step; how little weights are held back.
PASSES = (3, 4)
STEP = 0.1
C = 1.0
# How many of a window's features are left out, by chance, whenever it is learned from: what tells an attack by one phrase alone
# tells none that is phrased otherwise.
LEFT_OUT = 0.3


@njit
def one_pass(ends, columns, first, last, attack, importance, norm, order, weights, squares, start, step, hold, seed):
    np.random.seed(seed)
    for k in order:
        a, b = ends[first[k]], ends[last[k]]
        there = np.random.random(b - a) >= LEFT_OUT
        # Those that are there stand for those that aren't.
        scale = norm[k] / (1 - LEFT_OUT)
        z = 0.0
        for j in range(a, b):
            if there[j - a]:
                z += weights[columns[j]]
        z = z * scale + start[0]
        error = importance[k] * (1.0 / (1.0 + np.exp(-z)) - attack[k])
        start[1] += error * error
        start[0] -= step * error / np.sqrt(start[1] + 1e-6)
        if abs(error) < 1e-4:
            continue
        for j in range(a, b):
            if not there[j - a]:
                continue
            column = columns[j]
            slope = error * scale + hold[column] * weights[column] * importance[k]
            squares[column] += slope * slope
            weights[column] -= step * slope / np.sqrt(squares[column])


@njit
def sums(ends, columns, weights):
    """The sum of each block's weights."""
    found = np.zeros(len(ends) - 1)
    for block in range(len(found)):
        for j in range(ends[block], ends[block + 1]):
            found[block] += weights[columns[j]]
    return found


@njit
def touched(ends, columns, importance, count):
    """How often each feature stands in a block, each block counted as often as it matters."""
    found = np.zeros(count)
    for block in range(len(ends) - 1):
        for j in range(ends[block], ends[block + 1]):
            found[columns[j]] += importance[block]
    return found


def fit(data, windows, attack, importance, seed):
    """Weights of the columns of `data`. Two rounds: in the second, only windows of attacks that the first found."""
    row, first, last = (np.ascontiguousarray(column) for column in windows.T)
    norm = 1 / np.sqrt(span(data.words, first, last))
    chance = np.random.RandomState(seed)
    weights, start = np.zeros(data.count), np.zeros(2)
    taken = np.arange(len(row))
    for turn, passes in enumerate(PASSES):
        blocks = np.zeros(len(data.words) + 1)
        np.add.at(blocks, first[taken], importance[taken])
        np.add.at(blocks, last[taken], -importance[taken])
        seen = touched(data.ends, data.columns, np.cumsum(blocks)[:-1], data.count)
        hold = np.minimum(1 / (C * np.maximum(seen, 1e-3)), 2.0)
        squares = np.full(data.count, 1e-3)
        for number in range(passes):
            step = STEP * (1 - 0.7 * number / (passes - 1))
            order = chance.permutation(taken)
            one_pass(data.ends, data.columns, first, last, attack.astype(float), importance, norm, order, weights, squares, start, step, hold, int(chance.randint(1 << 30)))
        if turn == 0:
            margins = span(sums(data.ends, data.columns, weights), first, last) * norm
            best = np.full(row.max() + 1, -np.inf)
            np.maximum.at(best, row, margins)
            keep = ~attack | (margins >= best[row] - 1.0)
            many, kept = np.bincount(row), np.bincount(row[keep], minlength=row.max() + 1)
            importance = np.where(attack, importance * many[row] / np.maximum(kept, 1)[row], importance)
            taken = np.flatnonzero(keep)
    return weights


def span(of_blocks, first, last):
    """The sum over the blocks of each window."""
    until = np.concatenate([[0], np.cumsum(of_blocks, dtype=float)])
    return until[last] - until[first]
