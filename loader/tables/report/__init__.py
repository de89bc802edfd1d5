"""One self-contained HTML page of the published tables.

The charts are drawn in the browser by Observable Plot and D3, which lie in `vendor/`: half a
megabyte together, where Plotly takes 4.5, and they draw SVG, so that the page's own style sheet
sets colours and type for both schemes and for paper. No Python package ships them.
"""

from loader.tables.report.last_build import Build
from loader.tables.report.last_build import read as last_build
from loader.tables.report.page import render
from loader.tables.report.queries import STEPS, Data, NothingToShow, collect

__all__ = [
    "STEPS",
    "Build",
    "Data",
    "NothingToShow",
    "collect",
    "last_build",
    "render",
]
