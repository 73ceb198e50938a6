"""`python -m tests.bench`: measure everything, print it, and write it into docs/benchmarks.md."""

import argparse

from holdfast.cli.benching import bench
from holdfast.settings import load_settings
from tests.bench.report import PAGE, write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="measure everything so many times")
    parser.add_argument("--quick", action="store_true", help="fewer samples; nothing is written")
    options = parser.parse_args()
    report = bench(load_settings(), quick=options.quick, passes=options.runs, as_json=False)
    if not options.quick:
        write(report)
        print(f"Written to {PAGE}")


if __name__ == "__main__":
    main()
