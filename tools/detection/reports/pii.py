#!/usr/bin/env python3
"""What pii-detector and secrets find, and what they find wrongly.

    pip install phonenumbers==9.0.43
    tools/detection/reports/pii.py [FOLDER ...]

Values are made here, by seed 2: numbers of every country's plan, cards of every scheme, addresses, ids by their check digits, in sentences that the detectors
were not tuned on, and beside each kind what is nearly one. Of a FOLDER every file is read as text without personal data, and what is found there is counted by
MiB; a file of JSON lines with `rule` and `text` is one of secrets, positive unless its name has `near` in it.
"""

import json
import math
import pathlib
import random
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
COUNT = 400


def find(crate, texts):
    """What the crate's example finds in each text."""
    command = ["cargo", "run", "--quiet", "--package", crate, "--example", "find"]
    rows = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    done = subprocess.run(command, input=rows, capture_output=True, text=True, cwd=ROOT, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def interval(hits, total):
    """Wilson's, of 95 %."""
    if not total:
        return "-"
    z, p = 1.96, hits / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    wide = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return f"{hits}/{total} = {p:.3f} ({max(0, middle - wide):.3f} to {min(1, middle + wide):.3f})"


def luhn(digits):
    total = 0
    for n, digit in enumerate(reversed(digits)):
        digit *= 1 + n % 2
        total += digit - 9 if digit > 9 else digit
    return total % 10


def with_luhn(body):
    digits = [int(c) for c in body]
    return next(body + str(check) for check in range(10) if luhn(digits + [check]) == 0)


class Made:
    def __init__(self):
        self.random = random.Random(2)

    def digits(self, count):
        return "".join(self.random.choice("0123456789") for _ in range(count))

    def phones(self):
        """Numbers of all plans; at home only where a word says so, or a region of the defaults writes so."""
        import phonenumbers as p

        words = ["Please ring {} before noon.", "Phone: {}", "mobile {}; thanks", "Reach the office by telephone: {}", "WhatsApp {}", "fax no. {}", '{{"phone": "{}"}}']
        plain = ["He wrote {} on the back of it.", "{}", "Either {} or nothing.", "(see {})"]
        regions = sorted(p.SUPPORTED_REGIONS)
        homes = "US CA GB FR DE AT CH NL ES IT PL SE IN JP AU BR MX ZA PT DK NO IE NZ SG".split()
        for n in range(COUNT):
            at_home = n % 2
            region = self.random.choice(homes if at_home else regions)
            kind = self.random.choice([p.PhoneNumberType.FIXED_LINE, p.PhoneNumberType.MOBILE])
            example = p.example_number_for_type(region, kind) or p.example_number(region)
            text = p.national_significant_number(example)
            for _ in range(300):
                number = p.PhoneNumber(example.country_code, int(text[:-5] + self.digits(5)), italian_leading_zero=example.italian_leading_zero)
                if p.is_valid_number(number):
                    break
            else:
                number = example
            if at_home:
                text = p.format_number(number, p.PhoneNumberFormat.NATIONAL)
                yield self.random.choice(words).format(text), text
            else:
                form = self.random.choice([p.PhoneNumberFormat.E164, p.PhoneNumberFormat.INTERNATIONAL])
                text = p.format_number(number, form)
                yield self.random.choice(plain + words).format(text), text

    def no_phones(self):
        for _ in range(COUNT):
            yield self.random.choice(
                [
                    f"Order {self.digits(8)} left the house.",
                    f"Invoice no. {self.digits(3)}-{self.digits(4)} of 20{self.digits(2)}-0{self.random.randint(1, 9)}-1{self.digits(1)}",
                    f"It took {self.digits(3)} {self.digits(3)} {self.digits(3)} steps.",
                    f"commit {self.digits(10)}, at {self.digits(2)}.{self.digits(2)}.{self.digits(4)}",
                    f"call {self.digits(3)} times, text {self.digits(2)}, contact 12",
                    f"ISBN 978-{self.digits(1)}-{self.digits(4)}-{self.digits(4)}-{self.digits(1)}",
                    f"x = {self.digits(3)}.{self.digits(6)}, y = -{self.digits(2)}.{self.digits(6)}",
                ]
            )

    CARDS = [("4", 16), ("4", 13), ("51", 16), ("2221", 16), ("34", 15), ("37", 15), ("36", 14), ("300", 14), ("3528", 16), ("3589", 16), ("2131", 15), ("1800", 15),
             ("6011", 16), ("65", 16), ("62", 16), ("62", 19), ("5018", 16), ("6759", 19), ("5038", 13), ("2200", 16), ("9792", 16), ("9860", 16), ("8600", 16), ("9704", 16),
             ("5067", 16), ("6362", 16), ("6521", 16), ("8171", 16), ("4571", 16), ("6703", 16)]

    def cards(self):
        for n in range(COUNT):
            prefix, length = self.CARDS[n % len(self.CARDS)]
            card = with_luhn(prefix + self.digits(length - len(prefix) - 1))
            if self.random.random() < 0.5:
                mark = self.random.choice(" -\u00a0")
                sizes = [4, 6, 9] if length == 15 else [4, 4, 4, 4, 4]
                parts, rest = [], card
                for size in sizes:
                    parts.append(rest[:size])
                    rest = rest[size:]
                card = mark.join(part for part in parts if part)
            yield self.random.choice(["Charged to {}.", "{}", "card={}&x=1", "PAN_{}"]).format(card), card

    def no_cards(self):
        for n in range(COUNT):
            prefix, length = self.CARDS[n % len(self.CARDS)]
            card = with_luhn(prefix + self.digits(length - len(prefix) - 1))
            yield self.random.choice(
                [
                    card[:-1] + str((int(card[-1]) + 1) % 10),
                    "7" + self.digits(15),
                    "0" + self.digits(15),
                    card + self.digits(4),
                    f"{self.digits(13)}.{self.digits(3)}",
                    with_luhn("17" + self.digits(10)),
                ]
            )

    def ips(self):
        while True:
            a = self.random.randint(32, 223)
            if a in (100, 127, 169, 172, 192, 198, 203):
                continue
            ip = f"{a}." + ".".join(str(self.random.randint(1, 254)) for _ in range(3))
            if self.random.random() < 0.2:
                ip = f"2a0{self.random.randint(1, 9)}:{self.random.randint(0x100, 0xffff):x}::{self.random.randint(1, 0xffff):x}"
            yield self.random.choice(["Logged in from {}.", "{}", "client={}&x", "host {}, port 80", "http://{}/" if ":" not in ip else "http://[{}]/"]).format(ip), ip

    def emails(self):
        while True:
            name = "".join(self.random.choice("abcdefgijklmnoprstuvw") for _ in range(7))
            mail = f"{name}.{self.digits(2)}@{name[::-1]}.{self.random.choice(['com', 'org', 'de', 'co.uk'])}"
            yield self.random.choice(["Write to {}.", "<{}>", "mailto:{}", "mail%3D{}"]).format(mail), mail

    def ssns(self):
        while True:
            ssn = f"{self.random.randint(1, 665):03}-{self.random.randint(1, 99):02}-{self.random.randint(1, 9999):04}"
            yield self.random.choice(["SSN {}", "{}", "id_{}"]).format(ssn), ssn

    def ids(self):
        def weighted(digits, weights):
            return sum(int(c) * w for c, w in zip(digits, weights))

        while True:
            kind = self.random.choice(["pesel", "nhs", "bsn", "dni", "cpf", "sin", "za", "npi", "nir", "nino", "tfn"])
            if kind == "pesel":
                body = f"{self.digits(2)}{self.random.randint(1, 12):02}{self.random.randint(1, 28):02}{self.digits(4)}"
                yield body + str(-weighted(body, [1, 3, 7, 9] * 3) % 10), None
            elif kind == "nhs":
                body = "4" + self.digits(8)
                check = (11 - weighted(body, range(10, 1, -1)) % 11) % 11
                if check < 10:
                    yield f"NHS number: {body[:3]} {body[3:6]} {body[6:]}{check}", f"{body[:3]} {body[3:6]} {body[6:]}{check}"
            elif kind == "bsn":
                body = "1" + self.digits(7)
                check = weighted(body, range(9, 1, -1)) % 11
                if check < 10:
                    yield f"BSN {body}{check}", f"{body}{check}"
            elif kind == "dni":
                body = self.digits(8)
                yield body + "TRWAGMYFPDXBNJZSQVHLCKE"[int(body) % 23], None
            elif kind == "cpf":
                body = self.digits(9)
                for n in (10, 11):
                    body += str(weighted(body, range(n, 1, -1)) * 10 % 11 % 10)
                yield f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}", None
            elif kind == "sin":
                body = with_luhn("1" + self.digits(7))
                yield f"SIN: {body[:3]}-{body[3:6]}-{body[6:]}", f"{body[:3]}-{body[3:6]}-{body[6:]}"
            elif kind == "za":
                yield with_luhn(f"8{self.digits(1)}{self.random.randint(1, 12):02}{self.random.randint(1, 28):02}{self.digits(4)}08"), None
            elif kind == "npi":
                body = "1" + self.digits(8)
                yield f"NPI {with_luhn('80840' + body)[5:]}", with_luhn("80840" + body)[5:]
            elif kind == "nir":
                body = f"{self.random.randint(1, 2)}{self.digits(2)}{self.random.randint(1, 12):02}75{self.digits(6)}"
                yield f"{body}{97 - int(body) % 97:02}", None
            elif kind == "nino":
                yield f"{self.random.choice('ABCEHJ')}{self.random.choice('ABCEHJ')}{self.digits(6)}{self.random.choice('ABCD')}", None
            else:
                body = "1" + self.digits(7)
                check = next((c for c in range(10) if (weighted(body, [1, 4, 3, 7, 5, 8, 6, 9]) + 10 * c) % 11 == 0), None)
                if check is not None:
                    yield f"tax file number {body}{check}", f"{body}{check}"


def report(*folders):
    made = Made()
    take = lambda values: [next(values) for _ in range(COUNT)]
    kinds = {"phone": (list(made.phones()), list(made.no_phones())), "card": (list(made.cards()), list(made.no_cards()))}
    kinds |= {name: (take(values), []) for name, values in [("ip", made.ips()), ("email", made.emails()), ("ssn", made.ssns()), ("national_id", made.ids())]}
    lines = []
    for name, (positives, negatives) in kinds.items():
        found = find("pii-detector", [text for text, _ in positives] + negatives)
        hits, of_this = 0, 0
        for (text, value), one in zip(positives, found):
            value = value or text
            hits += any(kind == name and (value in what or what in value and len(what) * 5 >= len(value) * 4) for kind, what in one)
            of_this += sum(kind == name for kind, _ in one)
        wrong = sum(kind == name for one in found[len(positives) :] for kind, _ in one)
        lines.append(f"{name:12} recall {interval(hits, len(positives))}")
        if negatives:
            lines.append(f"{'':12} precision {interval(hits, hits + wrong + max(0, of_this - hits))}; false alarms on {len(negatives)} that are nearly one: {wrong}")
    for folder in folders:
        lines += on_folder(pathlib.Path(folder))
    yield "\n".join(lines)


def on_folder(folder):
    texts, size, secret_files = [], 0, []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        text = path.read_text(errors="ignore")
        if path.suffix == ".jsonl" and '"rule"' in text[:300]:
            secret_files.append(path)
            continue
        texts += [text[at : at + 8192] for at in range(0, len(text), 8192)]
        size += len(text.encode())
    for path in secret_files:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        found = find("secrets", [row["text"].replace("\u2063", "") for row in rows])
        acted = sum(any(name != "generic-api-key" for name, _ in one) for one in found)
        yield f"{path.name}: found and acted on {interval(acted, len(rows))}, with the generic rule's reports {interval(sum(map(bool, found)), len(rows))}"
    if size:
        for crate in ("pii-detector", "secrets"):
            counts = {}
            for one in find(crate, texts):
                for name, _ in one:
                    counts[name] = counts.get(name, 0) + 1
            per_mib = ", ".join(f"{name} {count / size * 2**20:.2f}" for name, count in sorted(counts.items()))
            yield f"{folder}: {crate}, findings per MiB of {size / 2**20:.2f} MiB: {per_mib or 'none'}"


if __name__ == "__main__":
    print("\n".join(report(*sys.argv[1:])))
