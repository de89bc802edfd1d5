"""Builds a landing by dbt on Apache Spark, once it has seen that this can go well.

What is amiss is said in a sentence, where dbt would show a traceback.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import yaml

from loader import dbt
from loader.raw.parquet import Folder
from loader.raw.store import S3, Unavailable

TARGET = "spark"
"""Its name in profiles.yml."""

OLDEST_JAVA = 17

_PATIENCE = 5  # seconds, with a server that does not answer
_EXTRA = "a build on Spark needs dbt-spark and pyspark: pip install 'battery-elt[spark]'"
_SEEN = "which the server and each executor have to see at that path"
_EMPTY = "nothing is landed in {}: loader push PATH --to {} comes first"


@dataclass(frozen=True)
class Spark:
    """What builds a landing: a server of Spark Connect or, without `remote`, Spark within dbt."""

    landing: str
    """The folder as every machine of a cluster names it."""

    remote: str = ""

    def count(self, table: str) -> int | None:
        """How many rows a table has; None where it is not there, or only dbt's own Spark knows."""
        if not self.remote:
            return None
        with _session(self.remote) as session:  # anew: one that is idle for an hour is closed
            return int(session.table(table).count()) if session.catalog.tableExists(table) else None


Engine = psycopg.Connection | Spark
"""What builds the tables."""


def find(landing: str) -> Spark:
    """The Spark that SPARK_REMOTE names, else the one within dbt; `landing` is a folder or bucket.

    Raises store.Unavailable where a build could only fail: it says why and what to do.
    """
    if not (find_spec("pyspark") and find_spec("dbt.adapters.spark")):
        raise Unavailable(_EXTRA)
    remote = os.environ.get("SPARK_REMOTE", "")
    if not remote or re.match(r"local\b(?!:)", remote):
        _require_java()
        if not Folder(landing).totals().files:
            raise Unavailable(_EMPTY.format(landing, landing))
        return Spark(_address(landing))
    with _session(remote) as session:
        _read(session, landing)
    return Spark(_address(landing), remote)


def build(
    engine: Spark,
    arguments: Sequence[str],
    *,
    stop: Callable[[], int] | None = None,
    stdout: int | None = None,
    log: Callable[[str], None] | None = None,
) -> int:
    """Run `dbt build` on Spark with more `arguments`, all else as `dbt.build` has it.

    It has a target folder of its own. With `log`, what Spark itself says goes to logs/spark.log.
    Raises store.Unavailable for a profile that does not know Spark.
    """
    profile = dbt.write_profile({})
    if TARGET not in yaml.safe_load(profile.read_text(encoding="utf-8"))["battery_elt"]["outputs"]:
        raise Unavailable(
            f"{profile} has no target {TARGET}: copy it from profiles.yml.example, or delete the "
            "file to have it written anew"
        )
    variables, others = variables_among(arguments)
    said = yaml.safe_dump(variables | {"landing": engine.landing})
    words = ["--target", TARGET, "--vars", said, *others]
    own = {"DBT_TARGET_PATH": str(dbt.target() / TARGET), "PYTHONWARNINGS": "ignore"}
    if log is None:
        return dbt.build(words, environment=own, stop=stop, stdout=stdout)
    noise = dbt.folder() / "logs" / "spark.log"
    noise.parent.mkdir(parents=True, exist_ok=True)
    with noise.open("wb") as file:
        return dbt.build(words, environment=own, stop=stop, stderr=file.fileno(), log=log)


def variables_among(arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """What `--vars` says among arguments of dbt, and the other arguments.

    Raises ValueError for one that is no YAML of names and values.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--vars", default="{}")
    known, others = parser.parse_known_args(arguments)
    try:
        variables = yaml.safe_load(known.vars)
    except yaml.YAMLError:
        variables = None
    if not isinstance(variables, dict):
        raise ValueError(f"--vars {known.vars!r} is no YAML of names and values")
    return variables, others


def _address(landing: str) -> str:
    if landing.startswith(S3):
        return f"s3a://{landing.removeprefix(S3)}"
    return landing if re.match(r"[a-z0-9]+:/", landing) else str(Path(landing).absolute())


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    wanted = f"Spark needs a Java runtime, {OLDEST_JAVA} or later (Debian: default-jre-headless)"
    try:
        said = subprocess.run([java or "", "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        where = f"none works in JAVA_HOME, {home}" if home else "there is none"
        raise Unavailable(
            f"{wanted}, and {where}; or SPARK_REMOTE is to name a server of Spark Connect"
        ) from None
    version = re.search(r'version "(?:1\.)?(\d+)', said.stderr)
    if version and int(version[1]) < OLDEST_JAVA:
        raise Unavailable(f"{wanted}, and {java} is {version[1]}: set JAVA_HOME to a later one")


@contextmanager
def _session(remote: str) -> Iterator[Any]:
    address = urlsplit(remote)
    if address.scheme != "sc" or not address.hostname:
        raise Unavailable(f"SPARK_REMOTE is {remote!r}: it is to read sc://HOST:15002")
    try:
        socket.create_connection((address.hostname, address.port or 15002), _PATIENCE).close()
    except OSError as error:
        raise Unavailable(
            f"no Spark answers at {remote} ({error.strerror or error}): is its server of Spark "
            "Connect up, and SPARK_REMOTE right?"
        ) from error
    with warnings.catch_warnings(action="ignore"):  # of a pandas that is not used here
        from pyspark.errors import PySparkException  # noqa: PLC0415  an extra
        from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415
        from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415

    session = SparkSession.builder.remote(remote).create()
    try:
        # its own policy would try again for ten minutes
        session.client.set_retry_policies([DefaultPolicy(max_retries=1)])
        yield session
    except PySparkException as error:
        raise Unavailable(f"Spark at {remote} fails: {_said(error)}") from error
    finally:
        session.client.close()


def _read(session: Any, landing: str) -> None:  # noqa: ANN401  pyspark is an extra
    """Have an executor read the list of files, as the build will."""
    from pyspark.errors import AnalysisException, PySparkException  # noqa: PLC0415

    place = _address(landing)
    try:
        files = session.read.parquet(f"{place}/files").count()
    except AnalysisException as error:
        raise Unavailable(
            f"Spark finds no landing in {place}: loader push PATH --to {landing} makes one, {_SEEN}"
        ) from error
    except PySparkException as error:
        raise Unavailable(f"Spark cannot read {place}, {_SEEN} ({_said(error)})") from error
    if not files:
        raise Unavailable(_EMPTY.format(landing, landing))


def _said(error: Exception) -> str:
    """The first line of what may be a page."""
    return str(error).strip().partition("\n")[0]
