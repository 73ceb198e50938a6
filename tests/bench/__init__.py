"""`make bench`: `holdfast bench`, written into docs/benchmarks.md."""
