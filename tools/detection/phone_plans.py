#!/usr/bin/env python3
"""Writes plugins/pii-entities/src/find/plans.rs: which numbers are given out, and how they are written at home.

Facts of libphonenumber (Apache-2.0), by the package `phonenumbers` from PyPI. For each country calling code the first three digits of a number say which
lengths it may have: from each region's expression, walked as an automaton. For each region the groups in which numbers are written there.

    pip install phonenumbers==9.0.43
    python3 tools/detection/phone_plans.py
"""

import pathlib
import random
import re

try:
    from re import _parser as parser
except ImportError:
    import sre_parse as parser

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

# Where a number written as at home counts as one without a word for it.
REGIONS = """US CA GB IE FR DE AT CH NL BE LU ES IT PT PL CZ SE NO DK FI GR HU RO TR UA IL IN JP KR SG AU NZ ZA BR MX AR CL CO""".split()


class Nfa:
    def __init__(self, expression):
        self.edges = []  # state -> list of (set of digits or None, state)
        self.start, self.end = self.build(list(parser.parse(expression)))

    def state(self):
        self.edges.append([])
        return len(self.edges) - 1

    def build(self, items):
        first = last = self.state()
        for op, arg in items:
            name = str(op)
            if name == "LITERAL":
                start, end = self.single({chr(arg)})
            elif name == "IN":
                digits = set()
                for kind, value in arg:
                    if str(kind) == "RANGE":
                        digits |= {chr(c) for c in range(value[0], value[1] + 1)}
                    elif str(kind) == "LITERAL":
                        digits.add(chr(value))
                    else:
                        digits |= set("0123456789")
                start, end = self.single(digits)
            elif name == "CATEGORY":
                start, end = self.single(set("0123456789"))
            elif name == "SUBPATTERN":
                start, end = self.build(list(arg[-1]))
            elif name == "BRANCH":
                start, end = self.state(), self.state()
                for branch in arg[1]:
                    a, b = self.build(list(branch))
                    self.edges[start].append((None, a))
                    self.edges[b].append((None, end))
            elif name == "MAX_REPEAT":
                least, most, inner = arg
                most = min(int(most), 17)
                start = end = self.state()
                ends = []
                for n in range(most):
                    if n >= least:
                        ends.append(end)
                    a, b = self.build(list(inner))
                    self.edges[end].append((None, a))
                    end = b
                final = self.state()
                for one in ends + [end]:
                    self.edges[one].append((None, final))
                end = final
            else:
                raise ValueError(name)
            self.edges[last].append((None, start))
            last = end
        return first, last

    def single(self, digits):
        a, b = self.state(), self.state()
        self.edges[a].append((digits, b))
        return a, b

    def closure(self, states):
        todo, seen = list(states), set(states)
        while todo:
            for digits, to in self.edges[todo.pop()]:
                if digits is None and to not in seen:
                    seen.add(to)
                    todo.append(to)
        return frozenset(seen)

    def step(self, states, digit):
        return self.closure({to for s in states for digits, to in self.edges[s] if digits and digit in digits})

    def lengths(self, most=17):
        """For each prefix of three digits a mask of lengths."""
        masks = {}
        start = self.closure({self.start})
        for prefix in range(1000):
            states = start
            for digit in f"{prefix:03}":
                states = self.step(states, digit)
            mask, length = 0, 3
            while states and length <= most:
                if self.end in states:
                    mask |= 1 << length
                states = self.closure({to for s in states for digits, to in self.edges[s] if digits})
                length += 1
            if mask:
                masks[prefix] = mask
        return masks


def ranges(masks):
    out = []
    for prefix in sorted(masks):
        if out and out[-1][1] == prefix - 1 and out[-1][2] == masks[prefix]:
            out[-1][1] = prefix
        else:
            out.append([prefix, prefix, masks[prefix]])
    return out


def groups(text):
    return tuple(len(part) for part in re.findall(r"\d+", text))


def written(region, numbers):
    """The groups in which numbers are written at home."""
    shapes = set()
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    kinds = [metadata.fixed_line, metadata.mobile, metadata.toll_free, metadata.shared_cost, metadata.uan]
    for kind in kinds:
        if kind is None or not kind.national_number_pattern or kind.national_number_pattern == "NA":
            continue
        for _ in range(300):
            number = sample(numbers, list(parser.parse(kind.national_number_pattern)))
            parsed = phonenumbers.PhoneNumber(metadata.country_code, int(number), italian_leading_zero=number.startswith("0") or None)
            shape = groups(phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL))
            if 1 < len(shape) <= 6:
                shapes.add(shape)
    return shapes


def sample(numbers, items):
    out = ""
    for op, arg in items:
        name = str(op)
        if name == "LITERAL":
            out += chr(arg)
        elif name == "IN":
            choice = []
            for kind, value in arg:
                if str(kind) == "RANGE":
                    choice += [chr(c) for c in range(value[0], value[1] + 1)]
                elif str(kind) == "LITERAL":
                    choice.append(chr(value))
                else:
                    choice += "0123456789"
            out += numbers.choice(choice)
        elif name == "CATEGORY":
            out += numbers.choice("0123456789")
        elif name == "SUBPATTERN":
            out += sample(numbers, list(arg[-1]))
        elif name == "BRANCH":
            out += sample(numbers, list(numbers.choice(arg[1])))
        elif name == "MAX_REPEAT":
            for _ in range(numbers.randint(arg[0], min(int(arg[1]), 15))):
                out += sample(numbers, list(arg[2]))
    return out


def main():
    numbers = random.Random(13)
    plans = {}
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        for kind in [metadata.fixed_line, metadata.mobile, metadata.toll_free, metadata.premium_rate, metadata.shared_cost, metadata.uan, metadata.voip, metadata.personal_number]:
            if kind is None or not kind.national_number_pattern or kind.national_number_pattern == "NA":
                continue
            masks = plans.setdefault(metadata.country_code, {})
            for prefix, mask in Nfa(kind.national_number_pattern).lengths().items():
                masks[prefix] = masks.get(prefix, 0) | mask
    flat, index = [], []
    for code in sorted(plans):
        found = ranges(plans[code])
        index.append((code, len(flat), len(flat) + len(found)))
        flat += found
    lines = [
        "//! Which phone numbers are given out, and in which groups they are written at home. Written by `tools/detection/phone_plans.py` from the facts of",
        f"//! libphonenumber (Apache-2.0), as the package `phonenumbers` {phonenumbers.__version__} has them. Long because it is a table.",
        "",
        "/// A country's calling code, and where its ranges begin and end.",
        f"pub(crate) static CODES: [(u16, u16, u16); {len(index)}] = [",
    ]
    row = lambda items: [f"    {', '.join(items[n:n + 6])}," for n in range(0, len(items), 6)]
    lines += row([f"({c}, {a}, {b})" for c, a, b in index])
    lines += ["];", "", "/// The first three digits, from there to there, and the lengths that such numbers have, as bits.", f"pub(crate) static RANGES: [(u16, u16, u32); {len(flat)}] = ["]
    lines += row([f"({a}, {b}, 0x{m:x})" for a, b, m in flat])
    lines += ["];", "", "/// How numbers are written in a country.", "pub(crate) struct Home {", "    pub(crate) region: &'static str,", "    pub(crate) code: u16,",
              "    /// What goes before a number there.", "    pub(crate) prefix: &'static str,", "    /// The digits in each group, four bits for each, the first group's highest.", "    pub(crate) shapes: &'static [u32],", "}", "",
              f"pub(crate) static HOMES: [Home; {len(REGIONS)}] = ["]
    for region in REGIONS:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        packed = set()
        for shape in written(region, numbers):
            value = 0
            for count in shape:
                value = value << 4 | count
            packed.add(value)
        prefix = metadata.national_prefix or ""
        shapes = ", ".join(f"0x{s:x}" for s in sorted(packed))
        lines.append(f'    Home {{ region: "{region.lower()}", code: {metadata.country_code}, prefix: "{prefix}", shapes: &[{shapes}] }},')
    lines += ["];", ""]
    path = pathlib.Path(__file__).resolve().parents[2] / "plugins/pii-entities/src/find/plans.rs"
    path.write_text("\n".join(lines))
    print(f"{len(index)} codes, {len(flat)} ranges")


if __name__ == "__main__":
    main()
