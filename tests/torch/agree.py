"""Does the library compute what PyTorch computes?  A row for each loss, layer, metric, optimizer and schedule.

    python tests/torch/agree.py [--tfm target/release/tfm] [--verbose] [losses layers …] [--only WORD]

The rows are in the modules beside this one, `ROWS` in each; `harness.py` says how one is compared. Without PyTorch or
numpy it says so and leaves with status 0; with a disagreement the status is 1.
"""
import argparse
import importlib
import sys
from pathlib import Path

from harness import compare, find_tfm, torch

NOT_ROWS = {"agree", "harness"}


def main():
    here = Path(__file__).resolve().parent
    modules = sorted(p.stem for p in here.glob("*.py") if p.stem not in NOT_ROWS)
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("modules", nargs="*", help=f"which of {', '.join(modules)} (default: all)")
    options.add_argument("--tfm", help="the binary (default: the one in `target`)")
    options.add_argument("--only", default="", help="rows with this word in their names")
    options.add_argument("--verbose", action="store_true", help="a line for each row that agrees too")
    options = options.parse_args()
    tfm = options.tfm or find_tfm()
    torch.set_num_threads(1)
    bad = False
    for name in options.modules or modules:
        rows = [row for row in importlib.import_module(name).ROWS if options.only in row.name]
        agreed, wrong = compare(tfm, rows, options.verbose)
        bad |= wrong > 0
        print(f"{name}: {agreed} of {agreed + wrong} rows: {'DIFFERS' if wrong else 'agrees'}", flush=True)
    sys.exit(bad)


if __name__ == "__main__":
    main()
