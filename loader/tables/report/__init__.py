"""One self-contained HTML page of the published tables.

The charts are drawn in the browser by Observable Plot and D3, which lie in `vendor/` and no Python
package ships: 489 kB together. They draw SVG, so that the page's own style sheet sets colours and
type for both schemes and for paper, and D3's brush zooms. What else there is, minified: uPlot 1.6
51 kB (canvas, no histogram or dot plot), Chart.js 4.6 210 kB (canvas), ECharts 6.1 1,122 kB, Plotly
4.1 basic 1,192 kB, Vega 6.4 with Vega-Lite 772 kB (needs `eval` or an interpreter of its own).
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
