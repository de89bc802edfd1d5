"""How fast, in how much memory: `python -m benchmarks --help`. No part of the package or tests."""
