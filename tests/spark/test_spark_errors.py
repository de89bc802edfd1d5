"""What a build on Spark lacks is told in a sentence, with what to do about it."""

import sys
from pathlib import Path

import pytest
import yaml
from checkout import checkout
from conftest import RunLoader, free_port
from pushing import two_files, write

from loader.outcome import NO_DATABASE, USAGE
from loader.spark import variables_among

NOWHERE = {"BATTERY_HOME": "/dev/null/no server is started"}
"""A build on Spark needs no PostgreSQL: one that started would fail here."""

JAVA = "Spark needs a Java runtime, 17 or later (Debian: default-jre-headless), and "


@pytest.fixture
def landing(call_loader: RunLoader, tmp_path: Path) -> Path:
    call_loader("push", two_files(tmp_path / "data"), "--to", tmp_path / "landing", env=NOWHERE)
    return tmp_path / "landing"


def said(call_loader: RunLoader, *arguments: str | Path, **env: str) -> str:
    """What the loader says of a build that cannot go well."""
    done = call_loader("build", *arguments, env=NOWHERE | {"SPARK_REMOTE": ""} | env)
    assert (done.returncode, done.stdout) == (NO_DATABASE, "")
    return done.stderr.removeprefix("loader: ")


def test_the_extra_that_is_missing_is_named(
    call_loader: RunLoader, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    assert said(call_loader, "--to", landing) == (
        "a build on Spark needs dbt-spark and pyspark: pip install 'battery-elt[spark]'\n"
    )


def test_a_build_on_spark_is_told_where_the_files_landed(call_loader: RunLoader) -> None:
    for arguments, problem in {
        ("--target", "spark"): "say where the files have landed: --to FOLDER",
        ("--target", "spark", "--vars", "x: ["): "--vars 'x: [' is no YAML of names and values",
        ("--target", "prod", "--to", "x"): "--to is for the target spark, not prod",
    }.items():
        done = call_loader("build", *arguments, env=NOWHERE)
        assert done.returncode == USAGE
        assert problem in " ".join(done.stderr.replace("│", "").split())


def test_variables_for_dbt_are_kept_beside_the_landing() -> None:
    arguments = ("--select", "x", "--vars", "{sample_every: 5}", "--full-refresh", "-q")
    others = ["--select", "x", "--full-refresh", "-q"]
    assert variables_among(arguments) == ({"sample_every": 5}, others)
    assert variables_among(others) == ({}, others)


@pytest.mark.spark
def test_a_java_that_is_missing_or_too_old(
    call_loader: RunLoader, landing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    needed = "; or SPARK_REMOTE is to name a server of Spark Connect\n"
    assert said(call_loader, "--to", landing, PATH="/nowhere") == f"{JAVA}there is none{needed}"
    away = {"JAVA_HOME": "/nowhere"}
    assert said(call_loader, "--to", landing, **away) == (
        f"{JAVA}none works in JAVA_HOME, /nowhere{needed}"
    )
    java = write(tmp_path / "bin" / "java", b"""#!/bin/sh\necho 'openjdk version "11.0.2"' >&2\n""")
    java.chmod(0o755)
    assert said(call_loader, "--to", landing, JAVA_HOME=str(tmp_path)) == (
        f"{JAVA}{java} is 11: set JAVA_HOME to a later one\n"
    )


@pytest.mark.spark
def test_a_server_that_is_away(call_loader: RunLoader, landing: Path) -> None:
    remote = f"sc://127.0.0.1:{free_port()}"
    assert said(call_loader, "--to", landing, SPARK_REMOTE=remote) == (
        f"no Spark answers at {remote} (Connection refused): is its server of Spark Connect up, "
        "and SPARK_REMOTE right?\n"
    )
    assert said(call_loader, "--to", landing, SPARK_REMOTE="localhost:15002") == (
        "SPARK_REMOTE is 'localhost:15002': it is to read sc://HOST:15002\n"
    )


@pytest.mark.spark
def test_a_push_that_cannot_build_has_landed_all_the_same(
    call_loader: RunLoader, tmp_path: Path
) -> None:
    """And the next one tries again, though nothing is new."""
    remote = f"sc://127.0.0.1:{free_port()}"
    env = NOWHERE | {"SPARK_REMOTE": remote}
    push = ("push", two_files(tmp_path / "data"), "--to", tmp_path / "to", "--build")
    for landed in ("landed 2 files in ", "landed 0 files, skipped 2 in "):
        done = call_loader(*push, env=env)
        assert done.returncode == NO_DATABASE
        assert landed in done.stdout
        assert done.stderr.startswith(f"loader: no Spark answers at {remote} ")
    status = call_loader("status", "--to", tmp_path / "to", env=env).stdout
    assert "last run  failed, began " in status
    assert f": landed 0 files; no Spark answers at {remote} " in status


@pytest.mark.spark
def test_a_folder_without_a_landing(call_loader: RunLoader, tmp_path: Path) -> None:
    away = tmp_path / "away"
    assert said(call_loader, "--to", away) == (
        f"{away}: no such folder; loader push --to {away} makes it\n"
    )
    assert said(call_loader, "--target", "spark", "--vars", f"landing: {tmp_path}") == (
        f"nothing is landed in {tmp_path}: loader push PATH --to {tmp_path} comes first\n"
    )


@pytest.mark.spark
def test_a_profile_that_does_not_know_spark(
    run_loader: RunLoader, landing: Path, tmp_path: Path
) -> None:
    """As one of an older version does not, that somebody has edited."""
    clone = checkout(tmp_path / "clone", tmp_path / "home", run_loader)
    content = yaml.safe_load((clone.folder / "profiles.yml.example").read_text())
    del content["battery_elt"]["outputs"]["spark"]
    content["battery_elt"]["outputs"]["default"]["host"] = "mine"
    profile = clone.folder / "dbt_project" / "profiles.yml"
    profile.write_text(yaml.safe_dump(content))
    done = clone.loader("build", "--to", landing, env=NOWHERE | {"SPARK_REMOTE": ""})
    assert (done.returncode, done.stdout, done.stderr) == (
        NO_DATABASE,
        "",
        f"loader: {profile} has no target spark: copy it from profiles.yml.example, or delete the "
        "file to have it written anew\n",
    )
