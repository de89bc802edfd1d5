"""A Spark cluster on loopback from the pyspark package: master, workers, Connect server."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import psutil

JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
"""For what is over in minutes: the second compiler takes half of the time and never pays.

With one compiler Java has room for 48 MB of code, throws what does not fit away, compiles it again.
"""

EVENTS = "events"
"""The folder of the event logs, one for each time the server is started."""

NEEDS = "Java (Debian: default-jre-headless) and pip install 'battery-elt[spark]'"

_OWN = ("--host", "127.0.0.1", "--webui-port", "0", "--port")


def home() -> Path | None:
    """Where the pyspark package is; None where what a cluster needs is missing."""
    found = find_spec("pyspark")
    if not (shutil.which("java") and found and found.origin):
        return None
    return Path(found.origin).parent


@dataclass
class Cluster:
    """Processes with small heaps; state and logs in a folder. As a context it runs."""

    folder: Path
    home: Path
    workers: int = 2
    memory: str = "768m"
    """An executor's heap."""

    java_options: str = JAVA_OPTIONS

    master: str = ""
    remote: str = ""
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Start."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        self.stop()

    def start(self) -> None:
        """Start all processes; each is ready when this returns."""
        port = _free_port()
        self.master = f"spark://127.0.0.1:{port}"
        master = "org.apache.spark.deploy.master.Master"
        self._run("master", "Starting Spark master", master, *_OWN, str(port))
        for number in range(1, self.workers + 1):
            self.start_worker(number)
        self.start_driver()

    def stop(self) -> None:
        """End all processes."""
        for name in list(self.processes):
            self.kill(name)

    def start_worker(self, number: int) -> None:
        """A worker of one core, and so of one executor."""
        work = str(self.folder / f"work{number}")
        options = ("-c", "1", "-m", "2g", "-d", work, *_OWN, "0", self.master)
        worker = "org.apache.spark.deploy.worker.Worker"
        self._run(f"worker{number}", "Successfully registered with master", worker, *options)

    def start_driver(self) -> None:
        """The Connect server: it holds the session, plans the queries and keeps the catalog.

        Started again, it is where it was.
        """
        port = int(self.remote.rpartition(":")[2]) if self.remote else _free_port()
        self.remote = f"sc://127.0.0.1:{port}"
        events = self.folder / EVENTS
        events.mkdir(exist_ok=True)
        settings = {
            "spark.executor.memory": self.memory,
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
            "spark.hadoop.javax.jdo.option.ConnectionURL": (
                f"jdbc:derby:;databaseName={self.folder}/metastore;create=true"
            ),
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.files.openCostInBytes": "65536",  # many small files to a task
            "spark.sql.connect.serverStacktrace.enabled": "false",
            "spark.ui.enabled": "false",
            "spark.sql.ui.explainMode": "simple",  # a plan is written out whenever it changes
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": events.as_uri(),
            "spark.eventLog.rolling.enabled": "false",
            "spark.eventLog.compress": "false",
        }
        options = [word for pair in settings.items() for word in ("--conf", "=".join(pair))]
        connect = "org.apache.spark.sql.connect.service.SparkConnectServer"
        self._run(
            "connect",
            "Spark Connect server started",
            "org.apache.spark.deploy.SparkSubmit",
            *("--class", connect, "--master", self.master, "--driver-memory", "1g"),
            *options,
            "spark-internal",
        )

    def _run(self, name: str, said: str, *arguments: str) -> None:
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            self.processes[name] = subprocess.Popen(
                [str(self.home / "bin" / "spark-class"), *arguments],
                env=os.environ
                | {"SPARK_HOME": str(self.home), "SPARK_LOCAL_IP": "127.0.0.1"}
                | {"JDK_JAVA_OPTIONS": self.java_options},
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 180
        while said not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)

    def kill(self, name: str) -> None:
        """-9 for the process and the executors it started."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What a query gives."""
        from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415  an extra

        # a session of its own: an older one may know files that a build has replaced
        session = SparkSession.builder.remote(self.remote).create()
        try:
            session.conf.set("spark.sql.session.timeZone", "UTC")
            rows: list[dict[str, Any]] = session.sql(query).toArrow().to_pylist()
            return rows
        finally:
            session.client.close()  # else it looks for a server that is gone, for minutes

    def tasks(self) -> list[int]:
        """How many tasks each executor has finished, by its log."""
        logs = self.folder.glob("work*/app-*/*/stderr")
        return [log.read_text().count("Finished task") for log in sorted(logs)]

    def processor_seconds(self) -> tuple[float, float]:
        """Seconds of processor time so far: of all executors' processes, and of the server's."""
        seen = {name: psutil.Process(process.pid) for name, process in self.processes.items()}
        workers = [seen[name] for name in seen if name.startswith("worker")]
        executors = [executor for worker in workers for executor in worker.children()]
        return sum(map(_seconds, executors)), _seconds(seen["connect"])


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
