"""What is measured: one function a scenario, by the name it is asked for."""

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import floors, points
from benchmarks import peers as others
from benchmarks import spark as on_spark
from benchmarks.commands import Commands, Ran
from benchmarks.files import Files, make, small
from benchmarks.memory import Peaks
from benchmarks.results import Check, Measurement, Result
from benchmarks.server import Database, Server

BACKEND_LIMIT = 600 * 10**6  # bytes
LOADER_FACTOR = 3  # times the largest file: the command and a worker
WORKER_FACTOR = 3  # times the largest file: 1.9 to 2.6, as the memory of the file before it lies
SPARK_SPEED = 10  # MB of files for a second of an executor's processor
SMALL_FILES = 160  # for each large one of other scenarios


@dataclass(frozen=True)
class Bench:
    """Where and how much to measure."""

    folder: Path
    server: Server
    commands: Commands
    cycles: int
    files: int
    repeat: int

    def make(self, count: int, cycles: int, first_seed: int = 1) -> tuple[Files, Path]:
        """Give files, and a folder of these alone to push."""
        files = make(self.folder / "files", count, cycles, first_seed)
        return files, self.link(f"{count}-from-{first_seed}-of-{cycles}", files.paths)

    def link(self, name: str, paths: Iterable[Path]) -> Path:
        """Give a folder of links to these files alone, to push."""
        folder = self.folder / "push" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path in paths:
            os.link(path, folder / path.name)
        return folder

    def push(self, database: Database, folder: Path) -> Ran:
        """Land the files of a folder."""
        self.server.settle(sum(path.stat().st_size for path in folder.iterdir()))
        return self.commands.push(database, folder)

    def build(self, database: Database) -> Ran:
        """Build and test what is landed."""
        self.server.settle(database.sizes().raw)
        return self.commands.build(database)

    def land(self, database: Database, files: Files) -> Ran:
        """Run the landing floor."""
        self.server.settle(files.size)
        seconds, peaks = floors.landing(database, files.paths, self.server.postmaster)
        return Ran(seconds, peaks)

    def build_on_nothing(self) -> Ran:
        """Build on an empty raw zone for the first time.

        Also done unmeasured after a build elsewhere: dbt then has parsed its project for the
        database that is measured, as it has in every build of a user but the first.
        """
        with self.server.database() as database:
            nothing = self.folder / "push" / "nothing"
            nothing.mkdir(parents=True, exist_ok=True)
            self.push(database, nothing)
            return self.build(database)


def push(bench: Bench) -> Result:
    """Push against the landing floor."""
    files, folder = bench.make(bench.files, bench.cycles)
    result = Result("push")
    floor = result.measure("landing floor", files.size, files.points)
    pushes = result.measure("push", files.size, files.points)
    for _ in range(bench.repeat):
        with bench.server.database() as database:
            floor.runs.append(bench.land(database, files))
        with bench.server.database() as database:
            pushes.runs.append(bench.push(database, folder))
            result.sizes[f"{bench.files} files landed"] = database.sizes()
    result.checks.append(Check("push / landing floor", pushes.seconds / floor.seconds, 1.3))
    result.check_backends([pushes], BACKEND_LIMIT)
    largest = pushes.process_peak * len(files.paths) / files.size
    result.checks.append(Check("largest loader process / file", largest, WORKER_FACTOR))
    return result


def build(bench: Bench) -> Result:
    """First build and increment against the build floor; what a build takes anyway is taken off."""
    files, folder = bench.make(bench.files, bench.cycles)
    _, before = bench.make(1, max(1, bench.cycles // 20), first_seed=1001)
    rows = files.points // points.EVERY
    result = Result("build")
    floor = result.measure("build floor", files.size, rows)
    empty = result.measure("first build, raw zone empty")
    first = result.measure("first build", files.size, rows)
    increment = result.measure("increment onto tables", files.size, rows)
    with (
        bench.server.database(name="landed") as landed,
        bench.server.database(name="grown") as grown,
    ):
        bench.push(landed, folder)
        bench.push(grown, before)
        bench.build(grown)
        bench.push(grown, folder)
        bench.build_on_nothing()
        for _ in range(bench.repeat):
            empty.runs.append(bench.build_on_nothing())
            with bench.server.database(landed) as database:
                bench.server.settle(files.size)
                seconds, taken = floors.build(database)
                floor.runs.append(Ran(seconds, Peaks()))
                first.runs.append(bench.build(database))
                _expect(taken, database, rows)
                result.sizes[f"{bench.files} files built"] = database.sizes()
            with bench.server.database(grown) as database:
                increment.runs.append(bench.build(database))
    for measured, target in ((first, 2.5), (increment, 3.5)):
        ratio = (measured.seconds - empty.seconds) / floor.seconds
        name = f"({measured.name} - {empty.name}) / {floor.name}"
        result.checks.append(Check(name, ratio, target))
    result.check_backends([first, increment], BACKEND_LIMIT)
    return result


def _expect(taken: int, database: Database, rows: int) -> None:
    """The floor has to do the same work as what is held against it."""
    with database.connect() as connection:
        row = connection.execute(
            "select count(*) from battery.battery_cycles_interpolated"
        ).fetchone()
    if row != (rows,) or taken != rows:
        raise RuntimeError(f"{rows} points expected, the floor took {taken}, published are {row}")


def end_to_end(bench: Bench) -> Result:
    """From files to tested tables; the target is in proportion to the landing floor."""
    files, folder = bench.make(bench.files, bench.cycles)
    result = Result("end-to-end")
    floor = result.measure("landing floor", files.size, files.points)
    pushes = result.measure("push", files.size, files.points)
    builds = result.measure("build", files.size, files.points // points.EVERY)
    bench.build_on_nothing()
    for _ in range(bench.repeat):
        with bench.server.database() as database:
            floor.runs.append(bench.land(database, files))
        with bench.server.database() as database:
            pushes.runs.append(bench.push(database, folder))
            builds.runs.append(bench.build(database))
            result.sizes[f"{bench.files} files landed and built"] = database.sizes()
    speed = files.size / 1e6 / _both(pushes, builds)
    target = 45 * min(1.0, floor.megabytes_per_second / 85)
    result.checks.append(Check("push and build", speed, target, "MB/s", at_least=True))
    result.check_backends([pushes, builds], BACKEND_LIMIT)
    return result


def growth(bench: Bench) -> Result:
    """How cost grows with the files, and that it does not with those that are there already."""
    result = Result("growth")
    bench.build_on_nothing()
    for count in (1, 4, 16):
        files, folder = bench.make(count, bench.cycles)
        pushes = result.measure(f"push, files: {count}", files.size, files.points)
        builds = result.measure(f"build, files: {count}", files.size, files.points // points.EVERY)
        for _ in range(bench.repeat):
            with bench.server.database() as database:
                pushes.runs.append(bench.push(database, folder))
                builds.runs.append(bench.build(database))
                result.sizes[f"files: {count}"] = database.sizes()
    _add_one(bench, result)
    return result


def _add_one(bench: Bench, result: Result) -> None:
    """The files that are there are a fifth of the size: 50 full ones would take minutes."""
    crowd, crowd_folder = bench.make(50, max(1, bench.cycles // 5), first_seed=2001)
    one, folder = bench.make(1, bench.cycles)
    places = ("an empty database", f"{len(crowd.paths)} landed ones")
    measured = [
        (
            result.measure(f"push, one file to {place}", one.size, one.points),
            result.measure(f"build, one file to {place}", one.size, one.points // points.EVERY),
        )
        for place in places
    ]
    with (
        bench.server.database(name="nothing") as nothing,
        bench.server.database(name="crowded") as crowded,
    ):
        bench.push(crowded, crowd_folder)
        bench.build(crowded)
        bench.build_on_nothing()
        for _ in range(bench.repeat):
            for template, (pushes, builds) in zip((nothing, crowded), measured, strict=True):
                with bench.server.database(template) as database:
                    pushes.runs.append(bench.push(database, folder))
                    builds.runs.append(bench.build(database))
    to_nothing, to_crowd = (_both(*pair) for pair in measured)
    name = "one file more: to 50 landed ones / to an empty database"
    result.checks.append(Check(name, to_crowd / to_nothing, 1.2))


def large(bench: Bench) -> Result:
    """Files beyond PostgreSQL's limit for one value, every point checked."""
    result = Result("large")
    bench.build_on_nothing()
    for cycles in (2 * bench.cycles, round(4.48 * bench.cycles)):
        files, folder = bench.make(1, cycles)
        size = f"{files.size / 1e6:,.0f} MB"
        pushes = result.measure(f"push, {size}", files.size, files.points)
        builds = result.measure(f"build, {size}", files.size, files.points // points.EVERY)
        differ = 0
        for _ in range(bench.repeat):
            with bench.server.database() as database:
                pushes.runs.append(bench.push(database, folder))
                builds.runs.append(bench.build(database))
                differ = max(differ, _columns_that_differ(database, files.paths[0]))
                result.sizes[size] = database.sizes()
        result.checks.append(Check(f"columns that differ from the file, {size}", differ, 0))
        ratio = pushes.loader_peak / files.size
        result.checks.append(Check(f"peak of the loader / file, {size}", ratio, LOADER_FACTOR))
        result.check_backends([pushes, builds], BACKEND_LIMIT)
    return result


def _columns_that_differ(database: Database, path: Path) -> int:
    expected = points.of_file(path)
    with database.connect() as connection:
        row = connection.execute("select file_id from raw.files").fetchone()
        if row is None:
            raise RuntimeError("nothing landed")
        found = points.published(connection, row[0])
    return sum(found[name] != expected[name] for name in expected)


def idle(bench: Bench) -> Result:
    """What it takes to find nothing new."""
    _, folder = bench.make(200, 2)
    result = Result("idle")
    version = result.measure("loader --version")
    pushes = result.measure("push, nothing new of 200 files")
    empty = result.measure("first build, raw zone empty")
    builds = result.measure("build, nothing new")
    with bench.server.database(name="built") as built:
        bench.push(built, folder)
        bench.build(built)
        bench.build_on_nothing()
        for _ in range(bench.repeat):
            empty.runs.append(bench.build_on_nothing())
            with bench.server.database(built) as database:
                version.runs.append(bench.commands.version(database))
                pushes.runs.append(bench.push(database, folder))
                builds.runs.append(bench.build(database))
    more = pushes.seconds - version.seconds
    result.checks.append(Check("push, nothing new - loader --version", more, 0.5, "s"))
    ratio = builds.seconds / empty.seconds
    result.checks.append(Check("build, nothing new / on an empty database", ratio, 1.5))
    return result


def peers(bench: Bench) -> Result:
    """Push and build against what others would do, and against what the server takes at least.

    The landing floor here is the same server taking ready-made parts over two connections.
    """
    files, folder = bench.make(bench.files, bench.cycles)
    rows = files.points // points.EVERY
    result = Result("peers", leaves=dict(others.LEAVES))
    result.leaves["push"] = "every file whole, its digits, a record of all"
    result.leaves["build"] = "the published tables, keys, references, tests"
    names = [name for name in others.LEAVES if not others.missing(name)]
    for name in others.LEAVES.keys() - set(names):
        result.leaves[name] = f"not measured: install {others.NEEDS[name]}"
    measured = {name: result.measure(name, files.size, rows) for name in names}
    pushes = result.measure("push", files.size, files.points)
    empty = result.measure("build, raw zone empty")
    builds = result.measure("build", files.size, rows)
    bare = result.measure("create table as", files.size, rows)
    parts = bench.folder / "parts"
    others.prepare(files.paths, parts)
    ready = tuple(parts / path.stem for path in files.paths)
    bench.build_on_nothing()
    for _ in range(bench.repeat):
        for name in names:
            paths = ready if name == "ready-made parts" else files.paths
            with bench.server.database() as database:
                bench.server.settle(files.size)
                run = others.run(name, database, paths, bench.server.postmaster)
                measured[name].runs.append(Ran(*run))
                if name.endswith("COPY") and (taken := others.points_of(database)) != rows:
                    raise RuntimeError(f"{name}: {taken} points instead of {rows}")
        empty.runs.append(bench.build_on_nothing())
        with bench.server.database() as database:
            pushes.runs.append(bench.push(database, folder))
            bench.server.settle(files.size)
            bare.runs.append(Ran(floors.build(database)[0], Peaks()))
            builds.runs.append(bench.build(database))
            result.sizes[f"{bench.files} files landed and built"] = database.sizes()
    landing = pushes.seconds / measured["ready-made parts"].seconds
    result.checks.append(Check("push / the server taking ready-made parts", landing, 1.25))
    beyond = (builds.seconds - empty.seconds) / bare.seconds
    result.checks.append(Check("build beyond one of nothing / create table as", beyond, 1.5))
    if "pandas + COPY" in measured:
        speed = measured["pandas + COPY"].seconds / _both(pushes, builds)
        name = "pandas + COPY / push and build"
        result.checks.append(Check(name, speed, 0.75, at_least=True))
    largest = pushes.process_peak * len(files.paths) / files.size
    result.checks.append(Check("largest loader process / file", largest, WORKER_FACTOR))
    return result


def statistics(bench: Bench) -> Result:
    """A build of many small files, whatever the planner knows of `raw`.

    Autovacuum analyzes it a minute after a push, or has when it was small; a plan that follows from
    that and compares all points with all cycles would take minutes.
    """
    paths = small(bench.folder / "files", SMALL_FILES * bench.files)
    size = sum(path.stat().st_size for path in paths)
    folders = bench.link("small-first", paths[:20]), bench.link("small-all", paths)
    result = Result("statistics")
    names = ("never analyzed", "analyzed", "analyzed when it was small")
    builds = [result.measure(f"build, raw {name}", size) for name in names]
    bench.build_on_nothing()
    for _ in range(bench.repeat):
        for name, measured in zip(names, builds, strict=True):
            with bench.server.database() as database:
                for folder, moment in zip(folders, (names[2], names[1]), strict=True):
                    bench.push(database, folder)
                    database.keep_statistics(analyze=name == moment)
                measured.runs.append(bench.build(database))
    seconds = [measured.seconds for measured in builds]
    result.checks.append(Check("builds, slowest / fastest", max(seconds) / min(seconds), 1.5))
    return result


def spark(bench: Bench) -> Result:
    """What a first build, nothing new and one more file take on Spark, on clusters of its own.

    Targets are for the executors' whole processes: garbage collection is by the clock in the log.
    """
    files, folder = bench.make(bench.files, bench.cycles)
    more, more_folder = bench.make(1, bench.cycles, first_seed=1001)
    rows = files.points // points.EVERY
    result = Result("spark", counted=dict(on_spark.COUNTED))
    alone = result.measure("first build, 1 worker", files.size, rows)
    first = result.measure("first build, 2 workers", files.size, rows)
    nothing = result.measure("nothing new")
    one_more = result.measure("one more file", more.size, more.points // points.EVERY)
    for _ in range(bench.repeat):
        for workers, measured in ((1, alone), (2, first)):
            with on_spark.spark(bench.folder / "spark", bench.commands, workers) as spark:
                spark.push(folder)
                measured.runs.append(spark.build())
                if workers == 2:
                    nothing.runs.append(spark.build())
                    spark.push(more_folder)
                    one_more.runs.append(spark.build())
    took = {one.name: one.processor[on_spark.EXECUTORS] for one in result.measurements}
    took[f"{first.name}, beyond {nothing.name}"] = took[first.name] - took.pop(nothing.name)
    del took[one_more.name]
    for name, seconds in took.items():
        whole = f"files / processor time of executors: {name}"
        speed = files.size / 1e6 / seconds
        result.checks.append(Check(whole, speed, SPARK_SPEED, "MB/s", at_least=True))
    return result


def _both(pushes: Measurement, builds: Measurement) -> float:
    """Median seconds of push and build together."""
    return median(
        one.seconds + other.seconds for one, other in zip(pushes.runs, builds.runs, strict=True)
    )


SCENARIOS: dict[str, Callable[[Bench], Result]] = {
    "push": push,
    "build": build,
    "end-to-end": end_to_end,
    "growth": growth,
    "large": large,
    "idle": idle,
    "statistics": statistics,
    "peers": peers,
    "spark": spark,
}

UNLESS_NAMED = {"spark"}
"""What does not run where no scenario is named: it needs more than the package."""
