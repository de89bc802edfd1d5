"""Synthetic battery-cycling files in the manner of BEEP: a demonstration set, and any size to test.

The cells imitate the fast-charge study of Severson et al. 2019 (doi:10.1038/s41560-019-0356-8):
1.1 Ah LFP/graphite cells, charged by a two-rate policy to 80 % and at 1C to 3.6 V, discharged at 4C
to 2.0 V, with lives from 150 to 2,300 cycles. The curves are drawn by simple formulas, not fitted;
they look like the real ones and say nothing about any real cell.
"""

from loader.demo.cells import END_OF_LIFE, LAYOUTS, NOMINAL_CAPACITY, Policy, Run
from loader.demo.fleet import large, sample_runs, write_set
from loader.demo.write import document, write

__all__ = [
    "END_OF_LIFE",
    "LAYOUTS",
    "NOMINAL_CAPACITY",
    "Policy",
    "Run",
    "document",
    "large",
    "sample_runs",
    "write",
    "write_set",
]
