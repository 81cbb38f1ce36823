"""How fast it is, as ratios to ceilings measured in the same run; `python -m benchmarks`, see docs/benchmarks.md."""
