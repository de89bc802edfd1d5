"""Which cells there are: seven runs to try things on, and one of any size to measure speed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loader.demo.cells import Policy, Run
from loader.demo.write import write

_PAUSED_ONCE = {"layout": "2026.2", "pauses": ((233, 1870),)}
_PAUSED_TWICE = {"pauses": ((417, 5312), (902, 86720))}
_SECOND_RUN = {"cycles_before": 400}
_NO_SENSOR = {
    "layout": "2022.10",
    "unmeasured": frozenset({"temperature"}),
    "diagnostics": (1, 36, 141),
}
_CUT_SHORT = {"layout": "2026.2", "unmeasured": frozenset({"internal_resistance"})}

_EARLY = {9, 10, 99, 100}  # compared by `battery_early_features` and `battery_cycle_differences`

_Row = tuple[str, str, str, int, int, Policy, dict[str, Any]]

# file, barcode, first cycle at, life, cycles, policy, what else is special
_SET: tuple[_Row, ...] = (
    ("1_CH1", "syn0001a", "2017-05-12T14:20:11Z", 520, 545, Policy(5, 67, 4), {}),
    ("2_CH2", "SYN0002b", "2017-05-12T14:21:40Z", 1160, 1190, Policy(3.6, 80, 3.6), _PAUSED_TWICE),
    ("3_CH3", "SYN0003C", "2017-06-30T08:02:55Z", 870, 495, Policy(4.8, 54, 4), _SECOND_RUN),
    ("4_CH4", "SYN0004", "2018-04-12T16:45:03Z", 1600, 1000, Policy(4.4, 60, 3.6), _NO_SENSOR),
    ("5_CH5", "Syn0005e", "2018-04-12T16:47:38Z", 340, 356, Policy(6, 60, 3), _CUT_SHORT),
    ("6_CH6", "SYN0006F", "2019-01-24T10:05:27Z", 690, 715, Policy(5.6, 36, 4.3), _PAUSED_ONCE),
    ("7_CH3", "syn0003c", "2017-05-12T14:23:02Z", 870, 400, Policy(4.8, 54, 4), {}),
)


def write_set(folder: Path) -> list[Path]:
    """Write the demonstration set and give its files' paths, in order of name.

    Six cells in seven files, about 22 MB: three BEEP layouts, one file gzipped, one cell that never
    falls to 80 %, one tested in two runs (the later file number holds the earlier one), one with
    three sets of diagnostic cycles. Summaries hold every other cycle, `cycles_interpolated` only
    cycle 0, every hundredth and those that early features compare, to keep the set small.
    The folder is made where it is missing; in an existing one only files of the same names are
    overwritten. The same bytes every time; raises OSError where they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, run in sorted(sample_runs().items()):
        paths.append(folder / name)
        write(paths[-1], run)
    return paths


def sample_runs() -> dict[str, Run]:
    """Give the runs of the demonstration set by file name."""
    runs = {}
    for file, barcode, first, life, cycles, policy, special in _SET:
        ending = ".json.gz" if file == "6_CH6" else ".json"
        last = (cycles,) if special is _CUT_SHORT else ()  # a charge the summary lacks
        early = () if special is _SECOND_RUN else _EARLY
        runs[f"FastCharge_90000{file}_structure{ending}"] = Run(
            barcode=barcode,
            channel_id=int(file[-1]),
            first_cycle_at=datetime.fromisoformat(first),
            life=life,
            cycle_count=cycles,
            interpolated=sorted({*range(0, cycles, 100), *early, *last}),
            policy=policy,
            **special,
        )
    return runs


def large(cycles: int, *, seed: int = 0, layout: str = "2020.10") -> Run:
    """Give a run with points in every cycle, to measure speed: 275 kB a cycle in layout 2020.10.

    500 cycles make a million points in 8 columns and 137 MB. Another `seed` gives another cell:
    barcode, dates and measurements.
    """
    return Run(
        barcode=f"synlarge{seed:06d}",
        channel_id=1 + seed % 48,
        first_cycle_at=datetime(2017, 5, 12, 9, tzinfo=UTC) + timedelta(days=seed),
        life=max(2, cycles - cycles // 20),
        cycle_count=cycles,
        interpolated=range(cycles),
        layout=layout,
        seed=seed,
    )
