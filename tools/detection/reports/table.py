"""Counts with their intervals, and tables of them."""

import math


def interval(hits, of):
    """The 95 % interval of a share, as Wilson has it."""
    if of == 0:
        return 0.0, 1.0
    z, p = 1.96, hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    reach = z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def share(hits, of):
    """`12.3 % (9.8 to 15.2), 74 of 600`."""
    if of == 0:
        return "none"
    low, high = interval(hits, of)
    return f"{100 * hits / of:.1f} % ({100 * low:.1f} to {100 * high:.1f}), {hits} of {of}"


def auc(attacks, harmless):
    """How often an attack has a higher score than a harmless text."""
    if not attacks or not harmless:
        return float("nan")
    ordered = sorted([(score, 1) for score in attacks] + [(score, 0) for score in harmless])
    at, ranks = 0, 0.0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end][0] == ordered[at][0]:
            end += 1
        ranks += sum(label for _, label in ordered[at:end]) * (at + end + 1) / 2
        at = end
    return (ranks - len(attacks) * (len(attacks) + 1) / 2) / (len(attacks) * len(harmless))


def table(title, head, rows):
    lines = [f"## {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"
