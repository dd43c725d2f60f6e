"""Trained twice on the text in the repository, the scorer has the same bytes: `python -m unittest tools/detection/test_train.py`."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).parent


class Training(unittest.TestCase):
    def test_the_same_text_and_seed_make_the_same_weights(self):
        with tempfile.TemporaryDirectory() as folder:
            made = []
            for run in ("one", "other"):
                out = Path(folder) / run
                command = [sys.executable, HERE / "train.py", "--frames", "1", "--out", out]
                subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
                made.append((out / "weights.bin").read_bytes() + (out / "calibration.rs").read_bytes())
            self.assertEqual(made[0], made[1])
            self.assertGreater(sum(byte != 0 for byte in made[0]), 1000)


if __name__ == "__main__":
    unittest.main()
