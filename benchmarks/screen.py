"""Results as tables on a terminal."""

from collections import Counter
from collections.abc import Iterator

from rich.table import Table

from benchmarks.results import Check, Measurement, Result

_VERDICTS = {True: "ok", False: "missed", None: "not measured"}
_MODELS = 5  # of a build, with the most to do


def tables(result: Result) -> Iterator[Table]:
    """Give a scenario's tables: what was measured, where builds spend it, sizes, targets."""
    yield _measurements(result)
    if any(one.runs[-1].steps for one in result.measurements):
        yield _steps(result)
    if any(one.processor for one in result.measurements):
        yield _processor(result)
        yield _tasks(result)
    if result.counted:
        yield _words("what is counted", "is", result.counted)
    if result.leaves:
        yield _words("what each leaves behind", "leaves", result.leaves)
    if result.sizes:
        yield _sizes(result)
    yield _checks(result)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(columns[0])
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _measurements(result: Result) -> Table:
    columns = ("", "seconds", "from", "to", "MB/s", "rows/s")
    peaks = ("loader MB", "process MB", "backend MB")
    table = _table(f"{result.scenario}: medians of seconds, highest peaks", *columns, *peaks)
    for one in result.measurements:
        table.add_row(one.name, *_seconds(one), *_peaks(one))
    return table


def _seconds(one: Measurement) -> Iterator[str]:
    all_seconds = [run.seconds for run in one.runs]
    for seconds in (one.seconds, min(all_seconds), max(all_seconds)):
        yield f"{seconds:.2f}"
    yield f"{one.megabytes_per_second:.1f}" if one.size else ""
    yield f"{one.rows_per_second:,.0f}" if one.rows else ""


def _peaks(one: Measurement) -> Iterator[str]:
    for peak in (one.loader_peak, one.process_peak, one.backend_peak):
        yield f"{peak / 1e6:,.0f}" if peak else ""


def _steps(result: Result) -> Table:
    table = _table("slowest models and tests of the last build", "", "seconds")
    for one in result.measurements:
        for name, seconds in one.runs[-1].steps.items():
            table.add_row(f"{one.name}: {name}", f"{seconds:.2f}")
    return table


def _processor(result: Result) -> Table:
    names = list(result.measurements[0].processor)
    table = _table("processor time: medians of seconds", "", *names)
    for one in result.measurements:
        table.add_row(one.name, *(f"{seconds:.1f}" for seconds in one.processor.values()))
    return table


def _tasks(result: Result) -> Table:
    table = _table("processor time of the last build's tasks, by model", "", "seconds")
    for one in result.measurements:
        ranked = Counter(one.runs[-1].tasks).most_common()
        rest = ("all others", sum(seconds for _, seconds in ranked[_MODELS:]))
        for name, seconds in [*ranked[:_MODELS], rest]:
            table.add_row(f"{one.name}: {name}", f"{seconds:.2f}")
    return table


def _sizes(result: Result) -> Table:
    table = _table("on the server's disk", "", "raw MB", "staging MB", "marts MB")
    for name, sizes in result.sizes.items():
        in_megabytes = (sizes.raw / 1e6, sizes.staging / 1e6, sizes.marts / 1e6)
        table.add_row(name, *(f"{size:,.1f}" for size in in_megabytes))
    return table


def _words(title: str, column: str, said: dict[str, str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for header in ("", column):
        table.add_column(header)
    for name, words in said.items():
        table.add_row(name, words)
    return table


def _checks(result: Result) -> Table:
    table = _table("targets", "", "measured", "target", "")
    for check in result.checks:
        table.add_row(check.name, _value(check), _target(check), _VERDICTS[check.met])
    return table


def _value(check: Check) -> str:
    return "" if check.value is None else f"{check.value:.2f} {check.unit}".strip()


def _target(check: Check) -> str:
    bound = "at least" if check.at_least else "at most"
    return f"{bound} {check.target:.4g} {check.unit}".strip()
