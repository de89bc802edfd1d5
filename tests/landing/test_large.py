"""Files of real size: past PostgreSQL's limit for one value, in bounded memory, each read once."""

from pathlib import Path

import built
import pytest
from conftest import Database, await_the_end_of_sessions
from pipeline import Pipeline

from benchmarks import floors, points
from benchmarks.commands import Commands
from benchmarks.memory import Watch
from benchmarks.scenarios import BACKEND_LIMIT, LOADER_FACTOR
from benchmarks.server import Database as Measured
from loader import demo
from loader.server.embedded import Server

LARGEST_VALUE = 2**28 - 1  # bytes of one JSON array or object in PostgreSQL


def test_a_file_beyond_one_value_is_published_point_for_point_in_bounded_memory(
    server: Server, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    measured = Measured(database.environment["PGDATABASE"])
    path = tmp_path / "data" / "FastCharge_900001_CH1_structure.json"
    path.parent.mkdir()
    demo.write(path, demo.large(1000))
    size = path.stat().st_size
    assert size > LARGEST_VALUE

    pushed = Commands(tmp_path / "checkout", server.pid()).push(measured, path.parent)
    with Watch([], server.pid()) as built:
        Pipeline.create(database).build()

    [(file_id, parts)] = database.rows("select file_id, part_count from raw.files")
    assert parts > 1
    expected = points.of_file(path)
    with measured.connect() as connection:
        assert points.published(connection, file_id) == expected
    assert expected["voltage"].rows == 200_000
    assert floors.build(measured)[1] == 200_000

    assert pushed.peaks.loader <= LOADER_FACTOR * size
    for peaks in (pushed.peaks, built.peaks):
        assert peaks.backend is not None
        assert 0 < peaks.backend <= BACKEND_LIMIT


def test_a_build_takes_apart_what_is_new_and_touches_no_other_document(
    database: Database, tmp_path: Path
) -> None:
    pipeline = Pipeline.create(database)
    landed = [tmp_path / "FastCharge_1_structure.json", tmp_path / "FastCharge_2_structure.json"]
    for seed, path in enumerate(landed):
        demo.write(path, demo.large(20, seed=seed))
    pipeline.push(*landed)
    database.rows(  # vacuum reads documents, too
        "alter table raw.documents set (autovacuum_enabled = off, toast.autovacuum_enabled = off)"
    )
    untouched = blocks_of_documents(database)
    pipeline.build_tables()
    assert blocks_of_documents(database) > untouched, "the counter counts"

    before = blocks_of_documents(database)
    pipeline.build()
    assert blocks_of_documents(database) == before

    added = tmp_path / "FastCharge_3_structure.json"
    demo.write(added, demo.large(1, seed=3))
    pipeline.push(added)
    before = blocks_of_documents(database)
    pipeline.build_tables()
    new, *others = chunks_of_documents(database)
    assert 0 < blocks_of_documents(database) - before < min(others)
    assert 10 * new < min(others), "one of the others would be noticed"


def test_a_build_with_little_new_reads_no_table_for_its_statistics(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("new")
    files = [folder / f"FastCharge_90000{number}_CH1_structure.json" for number in range(4)]
    for seed, (path, cycles) in enumerate(zip(files, (20, 20, 1, 1), strict=True)):
        demo.write(path, demo.large(cycles, seed=seed))
    with built.built(server, tmp_path_factory) as pipeline:
        counts = []
        for paths in (files[:2], files[2:]):
            pipeline.push(*paths)
            pipeline.build_tables("--select", "+battery_cycles_interpolated")
            counts.append(analyzed(pipeline.database))
    assert counts == [1, 1]


def analyzed(database: Database) -> int:
    """How many times the table of points was analyzed by builds."""
    await_the_end_of_sessions(database)
    [(count,)] = database.rows(
        "select analyze_count from pg_stat_all_tables where relname = 'battery_cycles_interpolated'"
    )
    return int(count)


def blocks_of_documents(database: Database) -> int:
    """Blocks of landed documents looked at so far."""
    query = """
        select heap_blks_read + heap_blks_hit
        from pg_statio_all_tables
        where relid = (select reltoastrelid from pg_class where oid = 'raw.documents'::regclass)
    """
    await_the_end_of_sessions(database)
    [(blocks,)] = database.rows(query)
    return int(blocks)


def chunks_of_documents(database: Database) -> list[int]:
    """Chunks, of 2 kB each, that hold each file's documents; the file landed last comes first."""
    rows = database.rows(
        "select sum(pg_column_size(document))::bigint / 2000 from raw.documents"
        " group by file_id order by file_id desc"
    )
    return [chunks for (chunks,) in rows]
