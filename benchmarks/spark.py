"""A build on Spark, on a cluster of its own: what the executors, the server and dbt take for it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster import EVENTS, NEEDS, Cluster, home
from benchmarks.commands import Commands, Failed, Ran

TASKS, COLLECTOR = "tasks", "collector"
EXECUTORS, SERVER, DBT = "executors", "server", "dbt"

COUNTED = {
    TASKS: "processor time of the executors' threads in tasks, by Spark's event log",
    COLLECTOR: "garbage collection that tasks waited for, by that log and the clock: load adds",
    EXECUTORS: "the executors' processes: tasks, garbage collection, Java's compiler, the rest",
    SERVER: "the process of the Connect server: it plans the queries",
    DBT: "the process of dbt",
}
"""What each figure of `Ran.processor` counts."""

OTHERS = "others"
"""Tasks of no model or test."""

_MEMORY = "2g"  # an executor's


@dataclass
class Spark:
    """A cluster with an event log, and a landing that commands fill and build."""

    cluster: Cluster
    landing: Path
    commands: Commands

    def push(self, folder: Path) -> None:
        """Land the files of a folder."""
        self.commands.push_to(folder, self.landing)

    def build(self, *more: str) -> Ran:
        """Build and test what is landed; `more` are options of dbt."""
        before, by_model = self._processor(), self._tasks()
        ran = self.commands.build_on_spark(self.landing, self.cluster.remote, *more)
        ran.processor = {name: now - before[name] for name, now in self._processor().items()}
        ran.tasks = dict(self._tasks() - by_model)
        collected = ran.tasks.pop(COLLECTOR, 0.0)
        ran.processor |= {TASKS: sum(ran.tasks.values()), COLLECTOR: collected}
        return ran

    def _tasks(self) -> Counter[str]:
        return sum(map(tasks, (self.cluster.folder / EVENTS).iterdir()), Counter())

    def _processor(self) -> dict[str, float]:
        executors, server = self.cluster.processor_seconds()
        times = os.times()
        return {EXECUTORS: executors, SERVER: server, DBT: times[2] + times[3]}


@contextmanager
def spark(folder: Path, commands: Commands, workers: int) -> Iterator[Spark]:
    """Give a new cluster of as many workers, of a core each, with nothing landed."""
    package = home()
    if not package:
        raise Failed(f"Spark needs {NEEDS}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with Cluster(folder, package, workers, memory=_MEMORY, java_options="") as cluster:
        yield Spark(cluster, folder / "landing", commands)


def tasks(log: Path) -> Counter[str]:
    """Seconds of processor time in an event log: by model or test, and of garbage collection."""
    seconds: Counter[str] = Counter()
    models: dict[str, str] = {}  # by operation of Spark Connect
    operations: dict[int, str] = {}  # by stage
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                break  # is being written
            if '"SparkListenerTaskEnd"' in line[:40]:
                task = json.loads(line)
                took = task.get("Task Metrics")
                if not took:
                    continue  # its executor is gone, and with it what it took
                model = models.get(operations[task["Stage ID"]], OTHERS)
                nanoseconds = took["Executor CPU Time"] + took["Executor Deserialize CPU Time"]
                seconds[model] += nanoseconds / 1e9
                seconds[COLLECTOR] += took["JVM GC Time"] / 1e3
            elif '"SparkListenerJobStart"' in line[:40]:
                job = json.loads(line)
                operation = job["Properties"].get("spark.connect.operation_id", "")
                operations |= dict.fromkeys(job["Stage IDs"], operation)
            elif "SparkListenerConnectOperationStarted" in line[:100]:
                started = json.loads(line)
                node = re.search(r"node_id\W+\w+\.\w+\.(\w+)", started["statementText"])
                models[started["operationId"]] = node[1] if node else OTHERS
    return seconds
