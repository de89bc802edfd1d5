import bz2
import gzip
import hashlib
import io
import json
import lzma
import math
import os
import pickle
import shutil
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sound import validate

from loader import source
from loader.files import find
from loader.outcome import Rejected
from loader.source import read

SHARED = Path(__file__).parents[3] / "shared" / "data"
REAL_FILES = sorted(SHARED.glob("*/*.json*"))


def rejection(function, *arguments, **options):
    with pytest.raises(Rejected) as caught:
        function(*arguments, **options)
    return caught.value.reason, caught.value.detail


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# --- find


def test_folders_are_walked_and_files_come_sorted_and_once(tmp_path):
    for name in ("b.json", "a/z.json.gz", "a/x.txt", "c.JSON", "x.json/inner.json", "a.json"):
        written(tmp_path / name, b"{}")
    found = find([tmp_path, tmp_path / "a", tmp_path / "a" / ".." / "b.json"])
    expected = ("a.json", "a/z.json.gz", "b.json", "c.JSON", "x.json/inner.json")
    assert list(found) == [tmp_path / name for name in expected]


def test_a_file_named_directly_is_taken_whatever_its_ending(tmp_path):
    file = written(tmp_path / "cell.txt", b"{}")
    assert list(find([file])) == [file]


def test_relative_paths_come_out_absolute(tmp_path, monkeypatch):
    written(tmp_path / "a.json", b"{}")
    monkeypatch.chdir(tmp_path)
    assert list(find([Path("a.json"), Path()])) == [tmp_path / "a.json"]


def test_a_missing_path_is_an_error_before_any_file_is_given(tmp_path):
    written(tmp_path / "a.json", b"{}")
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such file or folder"):
        find([tmp_path, tmp_path / "nowhere"])


def test_links_are_left_aside_or_followed_once(tmp_path):
    written(tmp_path / "elsewhere" / "a.json", b"{}")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "loop").symlink_to(folder)
    (folder / "linked.json").symlink_to(tmp_path / "elsewhere" / "a.json")
    (folder / "folder.json").symlink_to(tmp_path / "elsewhere")
    (folder / "notes.txt").symlink_to(tmp_path / "elsewhere" / "a.json")
    left = []
    assert list(find([folder], leave=lambda path, _: left.append(path))) == []
    assert sorted(left) == [folder / name for name in ("folder.json", "linked.json", "loop")]
    assert list(find([folder], follow_symlinks=True, leave=lambda path, _: left.append(path))) == [
        folder / "folder.json" / "a.json",
        folder / "linked.json",
    ]
    assert len(left) == 3


@pytest.mark.parametrize(
    "folder", [".Trash", ".Trashes", ".Trash-1000", "$RECYCLE.BIN", ".ipynb_checkpoints"]
)
def test_what_was_deleted_is_left_aside_unless_it_is_named(tmp_path, folder):
    inside = written(tmp_path / folder / "a.json", b"{}")
    kept = written(tmp_path / ".hidden" / "a.json", b"{}")
    left = []
    assert list(find([tmp_path], leave=lambda *what: left.append(what))) == [kept]
    assert left == [(tmp_path / folder, "in a folder of deleted or earlier files")]
    assert list(find([tmp_path / folder])) == [inside]


def test_side_files_of_macos_are_left_aside_and_nothing_else(tmp_path):
    side = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(4000)
    for name in ("._a.json", "__MACOSX/._a.json.gz"):
        written(tmp_path / name, side)
    kept = [written(tmp_path / "._b.json", b"{}"), written(tmp_path / "c.json", side)]
    left = []
    assert list(find([tmp_path], leave=lambda *what: left.append(what))) == kept
    assert sorted(left) == [
        (tmp_path / "._a.json", "a side file of macOS"),
        (tmp_path / "__MACOSX" / "._a.json.gz", "a side file of macOS"),
    ]
    for file in (tmp_path / "._a.json", tmp_path / "c.json"):
        assert rejection(validate, source.content(file))[0] == "a side file of macOS"


def test_a_name_that_is_not_utf8_is_found(tmp_path):
    file = tmp_path / os.fsdecode(b"caf\xe9.json")
    try:
        file.write_bytes(b"{}")
    except OSError:
        pytest.skip("the file system takes UTF-8 names only")
    assert list(find([tmp_path])) == [file]
    assert read(file).json == b"{}"


# --- read


def test_the_hash_is_of_the_decompressed_bytes_as_they_are(tmp_path):
    content = b'\xef\xbb\xbf{"barcode": "x"}\n'
    plain = read(written(tmp_path / "a.json", content))
    packed = read(written(tmp_path / "a.json.gz", gzip.compress(content)))
    assert plain == packed
    assert plain.json == content[3:]
    assert plain.sha256 == hashlib.sha256(content).digest()


def test_gzip_is_known_by_its_first_bytes_not_by_its_name(tmp_path):
    assert read(written(tmp_path / "a.json", gzip.compress(b"{}"))).json == b"{}"
    assert read(written(tmp_path / "b.json.gz", b"{}")).json == b"{}"


@pytest.mark.parametrize("tail", [b"", b"\0", b"\0" * 1000])
def test_concatenated_gzip_members_and_zero_padding_are_fine(tmp_path, tail):
    content = gzip.compress(b'{"a":') + gzip.compress(b"1}") + tail
    assert read(written(tmp_path / "a.json.gz", content)).json == b'{"a":1}'


@pytest.mark.parametrize("cut", [1, 4, 9, 12])
def test_truncated_gzip_is_broken_gzip(tmp_path, cut):
    content = gzip.compress(b'{"a":1}')[:-cut]
    reason, detail = rejection(read, written(tmp_path / "a.json.gz", content))
    assert reason == "broken gzip"
    assert detail.startswith("it ends in the middle")


def test_damaged_gzip_is_broken_gzip(tmp_path):
    good = gzip.compress(bytes(range(256)) * 50)
    for at in (12, len(good) // 2, len(good) - 6, len(good) - 2):
        bad = good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :]
        assert rejection(read, written(tmp_path / "a.json.gz", bad))[0] == "broken gzip"


@pytest.mark.parametrize("tail", [b"x", b"garbage", b"\0\0garbage", b"{}"])
def test_other_bytes_after_gzip_are_broken_gzip(tmp_path, tail):
    file = written(tmp_path / "a.json.gz", gzip.compress(b"{}") + tail)
    assert rejection(read, file)[0] == "broken gzip"


def test_a_gzip_bomb_is_refused_before_it_fills_the_memory(tmp_path):
    file = written(tmp_path / "bomb.json.gz", gzip.compress(b" " * 50_000_000))
    assert rejection(read, file, largest=1_000_000) == (
        "too large",
        "more than 1,000,000 bytes when decompressed",
    )


def test_the_largest_size_is_still_read(tmp_path):
    for content in (b"[10]", gzip.compress(b"[10]")):
        file = written(tmp_path / "a.json", content)
        assert read(file, largest=4).json == b"[10]"
        assert rejection(read, file, largest=3)[0] == "too large"


def test_a_folder_is_no_file(tmp_path):
    assert rejection(read, tmp_path) == (
        "a folder, not a file",
        "push the folder to land the files in it",
    )


def test_pipes_sockets_and_devices_are_refused_without_waiting():
    # A socket's path has to be short.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        pipe, sock = Path(folder, "pipe.json"), Path(folder, "socket.json")
        os.mkfifo(pipe)
        listener.bind(str(sock))
        for path in (pipe, sock, Path("/dev/zero")):
            assert rejection(read, path)[0] == "not a regular file"


def test_what_is_gone_cannot_be_read(tmp_path):
    (tmp_path / "broken.json").symlink_to(tmp_path / "nowhere")
    expected = ("cannot be read", "No such file or directory")
    assert rejection(read, tmp_path / "broken.json") == expected
    assert rejection(read, tmp_path / "gone.json") == expected


@contextmanager
def rights_of_no_one_in_particular():
    """Root may read everything; under any other user nothing is to do."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def folder_for_all():
    # The folders above pytest's own are closed to other users.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in folder.iterdir():
        path.chmod(0o700)
    shutil.rmtree(folder)


def test_what_may_not_be_read_is_said_and_holds_up_nothing(folder_for_all):
    closed, usual, secret = (folder_for_all / name for name in ("a", "b.json", "c.json"))
    closed.mkdir(mode=0)
    written(usual, b"{}").chmod(0o644)
    written(secret, b"{}").chmod(0)
    with rights_of_no_one_in_particular():
        assert list(find([folder_for_all])) == [closed, usual, secret]
        assert rejection(read, closed) == ("cannot be read", "Permission denied")
        assert read(usual).json == b"{}"
        assert rejection(read, secret) == ("cannot be read", "Permission denied")


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch, packed):
    file = written(tmp_path / "a.json", gzip.compress(b"{}") if packed else b"{}")
    content = source._content

    def slow(*arguments):
        yield from content(*arguments)
        with file.open("ab") as writer:
            writer.write(b" ")

    monkeypatch.setattr(source, "_content", slow)
    assert rejection(read, file)[0] == "changed while it was read"


# --- validate: what is taken


NON_FINITE = ("NaN", "nan", "NAN", "-NaN", "Infinity", "-Infinity", "INFINITY", "inf", "-Inf")


@pytest.mark.parametrize("spelling", NON_FINITE)
def test_nan_and_the_infinities_become_null_outside_of_strings_only(spelling):
    text = rb"""{"a %s": [%s, "x, %s", 1.5,%s], "\" %s": %s, "n": {"nan": "\\", "b": %s}}"""
    word = spelling.encode()
    expected = text.replace(b"[%s", b"[null").replace(b",%s", b",null").replace(b": %s", b": null")
    sound = validate(text.replace(b"%s", word))
    assert (sound.json, sound.non_finite) == (expected.replace(b"%s", word), 4)
    json.loads(sound.json)


def test_of_a_key_twice_every_nan_is_counted():
    assert validate(b'{"a": NaN, "a": null, "b": "null"}').non_finite == 1
    assert validate(b'{"a": null, "a": 1}').non_finite == 0


def test_nan_is_found_wherever_it_stands_in_a_long_text():
    long = "nan " * 100_000 + "\\" + '"'
    text = json.dumps({"a": [math.nan] * 90_000, long: [1, math.nan, long], "b": [math.inf] * 3})
    sound = validate(text.encode())
    assert sound.non_finite == 90_004
    assert json.loads(sound.json) == {"a": [None] * 90_000, long: [1, None, long], "b": [None] * 3}


def test_a_text_without_nan_stays_as_it_is():
    text = b'{"nano": "NaN", "info": [1, 2.50, 1e400, 123456789012345678901234567890], "n": null}'
    sound = validate(text)
    assert sound.json == text
    assert sound.non_finite == 0


def test_a_byte_order_mark_is_skipped():
    assert validate(b'\xef\xbb\xbf{"a": 1}').json == b'{"a": 1}'


@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_real_files_are_read(path):
    data = source.content(path)
    document = json.loads(read(path).json)
    assert {"barcode", "summary", "cycles_interpolated"} <= set(document)
    assert document == json.loads(data, parse_constant=lambda name: None)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.text(max_size=5), st.lists(st.floats() | st.text('nafi"\\,', max_size=9))),
    st.booleans(),
    st.integers(1, 40),
)
def test_it_does_not_matter_in_which_blocks_a_file_is_read(document, marked, block):
    text = b"\xef\xbb\xbf" * marked + json.dumps(document).encode()
    assert validate(text, block) == validate(text)
    assert json.loads(validate(text, block).json) == json.loads(
        json.dumps(document), parse_constant=lambda name: None
    )


def test_a_file_is_in_memory_once(tmp_path):
    """Half of it numbers, every tenth of them NaN."""
    numbers = b", ".join([b"NaN" if number % 10 == 0 else b"3.1415926" for number in range(10**6)])
    file = written(tmp_path / "a.json", b'{"a": [' + numbers + b'], "b": "' + b"x" * 10**7 + b'"}')
    program = f"""if True:
        import pathlib, resource
        from loader import source, validate
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before = peak()
        read = source.read(pathlib.Path({str(file)!r}))
        validate.check(read.json, bytes)
        print((peak() - before) * {1 if sys.platform == "darwin" else 1024})
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 1.4 * file.stat().st_size


# --- validate: what is refused


@pytest.mark.parametrize("text", [b"", b" \r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_a_file_without_content_is_empty(text):
    assert rejection(validate, text)[0] == "empty file"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (b"[1]", "the document is an array; a file holds one object"),
        (b"3", "the document is a single value; a file holds one object"),
        (b"null", "the document is a single value; a file holds one object"),
        (b"NaN", "the document is a single value; a file holds one object"),
    ],
)
def test_anything_but_an_object_is_refused(text, detail):
    assert rejection(validate, text) == ("not a JSON object", detail)


def archive(name):
    """A zip archive of one member."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written_to:
        written_to.writestr(name, b"{}")
    return file.getvalue()


def tarred():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as written_to:
        written_to.addfile(tarfile.TarInfo("a.json"))
    return file.getvalue()


def database():
    with sqlite3.connect(":memory:") as connection:
        connection.execute("create table a (b)")
        return connection.serialize()


def numpy_array():
    file = io.BytesIO()
    numpy.save(file, numpy.zeros(3))
    return file.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 190000000\n"
ARBIN = b"Data_Point,Test_Time,DateTime,Step_Time,Step_Index,Cycle_Index\n1,0.0,0,0,1,0\n"
ARBIN_EXCEL = b"\xef\xbb\xbfData_Point;Date_Time;Test_Time(s);Step_Time(s)\r\n1;2;3;4\r\n"
MACCOR = (
    b"Today's Date\t08/27/2019\tFilename:\tx.030\r\nRec#\tCyc#\tStep\tTestTime\r\n1\t0\t1\t0\r\n"
)
MACCOR_BARE = b"Rec\tCycle P\tCycle C\tStep\tTestTime\r\n1\t0\t0\t1\t0.0\r\n"


@pytest.mark.parametrize(
    ("content", "reason", "remedy"),
    [
        (LFS, "a Git LFS pointer", "git lfs pull"),
        (b"/annex/objects/SHA256E-s190--0.json\n", "a git-annex pointer", "git annex get"),
        (b"outs:\n- md5: 0\n  path: x\n", "a DVC pointer", "dvc pull"),
        (b"{'barcode': 'A'}", "a dictionary as Python prints it", "json.dump"),
        (bytes(4096), "zero bytes only", "copy it again"),
        (b"L\0\0\0\1\x14\2\0\0\0\0\0\xc0", "binary data", "JSON"),
        ('{"a": 1}'.encode("utf-32"), "not UTF-8", "it is UTF-32"),
        (archive("a.json"), "a zip archive", "unpack it"),
        (archive("[Content_Types].xml"), "an Excel workbook", "as JSON"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(999), "an Excel workbook", "as JSON"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive", "unpack it"),
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive", "unpack it"),
        (tarred(), "a tar archive", "unpack it"),
        (lzma.compress(b"{}"), "xz-compressed", "unpack it"),
        (lzma.compress(b"{}", lzma.FORMAT_ALONE), "xz-compressed", "unpack it"),
        (bz2.compress(b"{}"), "bzip2-compressed", "unpack it"),
        (b"\x28\xb5\x2f\xfd\x24\x02", "zstd-compressed", "unpack it"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file", "as JSON"),
        (
            b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF",
            "a MATLAB file",
            "JSON",
        ),
        (b"PAR1\x15\x04", "a Parquet file", "as JSON"),
        (b"ARROW1\0\0", "an Arrow file", "as JSON"),
        (numpy_array(), "a NumPy array", "as JSON"),
        *[
            (pickle.dumps(value, protocol), "a Python pickle", "as JSON")
            for protocol in range(2, 6)
            for value in ({"a": 1}, [1], Rejected("a", "b"))
        ],
        (database(), "an SQLite database", "as JSON"),
        (b"\0\1\0\0Standard Jet DB\0", "an Arbin .res (Access) database", "BEEP"),
        (b"EC-Lab ASCII FILE\r\nNb header lines : 60\r\n", "a BioLogic file", "BEEP"),
        (ARBIN, "a table exported by an Arbin cycler", "BEEP"),
        (ARBIN_EXCEL, "a table exported by an Arbin cycler", "BEEP"),
        (MACCOR, "a table exported by a Maccor cycler", "BEEP"),
        (MACCOR_BARE, "a table exported by a Maccor cycler", "BEEP"),
        (b"a,b,c\n1,2,3\n", "a table of text", "as JSON"),
        (b"a;b;c\r\n1,5;2;3\r\n", "a table of text", "as JSON"),
        (b"a\tb\tc\n1\t2\t3\n", "a table of text", "as JSON"),
        (b"%PDF-1.7\n", "a PDF document", "as JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # an archive holds the time
)
def test_what_is_something_else_is_named_with_what_to_do(content, reason, remedy):
    said = rejection(validate, content)
    assert said[0] == reason
    assert remedy in said[1]


def test_broken_json_is_taken_for_nothing_else():
    for text in (
        b'{"a": [1, 2',
        b"PK",
        b'{"data_point": [1], "test_time": [2',
        b'["a", 1, 2,\n3, 4, 5',
    ):
        assert rejection(validate, text)[0] == "not valid JSON"


MIDDLE = ": the file ends in the middle: was it copied whole?"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (b'{"a": [1, 2', "unexpected end of data at byte 11" + MIDDLE),
        ('{"é": [NaN, "é'.encode(), "unexpected end of data at byte 16" + MIDDLE),
        (b'{"a": "\\nan", "b": [NaN', "unexpected end of data at byte 23" + MIDDLE),
        (
            b'{"a": 1}\n{"a": 2}\n',
            "unexpected content after document at byte 9: a file holds one document, "
            "this one several: split it",
        ),
        (
            b'{"a": NaN} x',
            "unexpected content after document at byte 11: a file holds one document",
        ),
        (
            b"<!DOCTYPE html><html></html>",
            "unexpected character, expected a JSON value at byte 0: it looks like a web "
            "page: was it downloaded whole, and from the right address?",
        ),
        (
            b'{"a": -Infinity, "b": tru}',
            "invalid literal, expected 'true' at byte 22",
        ),
    ],
)
def test_broken_json_says_where_and_what_to_do(text, detail):
    assert rejection(validate, text) == ("not valid JSON", detail)


def test_a_number_beyond_a_double_is_no_error_of_the_text():
    assert rejection(validate, b'{"a": 1e400, "b": tru}') == (
        "not valid JSON",
        "invalid literal, expected 'true' at byte 18",
    )


@pytest.mark.parametrize("lax", [b"{\"a\": '1'}", b'{"a": 1,}', b'{"a": 1} // x', b'{"a": 01}'])
def test_no_other_dialect_of_json_is_read(lax):
    assert rejection(validate, lax)[0] == "not valid JSON"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named(encoding):
    expected = ("not UTF-8", "it is UTF-16: save it as UTF-8")
    assert rejection(validate, '{"a": "é"}'.encode(encoding)) == expected


def test_latin1_is_named():
    assert rejection(validate, '{"a": "é"}'.encode("latin-1")) == (
        "not UTF-8",
        "byte 0xe9 at byte 7; if it is Latin-1 or Windows-1252, save it as UTF-8",
    )


def test_a_rejection_travels_between_processes():
    there = pickle.loads(pickle.dumps(Rejected("not valid JSON", "at byte 3")))
    assert (there.reason, there.detail, str(there)) == (
        "not valid JSON",
        "at byte 3",
        "not valid JSON: at byte 3",
    )


TOKENS = st.sampled_from(
    b'{ } [ ] , : " \\ \\" "a" "a": 1 -0 1.5 1e400 1e-400 NaN Infinity -Infinity null true \\u0000 '
    b"\\ud800 \xef\xbb\xbf \xff \0".split(b" ")
)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=60) | st.lists(TOKENS, max_size=30).map(b"".join))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"\x1f\x8b")
def test_any_bytes_are_either_an_object_or_rejected(data):
    try:
        sound = validate(data)
    except Rejected as rejected:
        assert rejected.reason
        assert rejected.detail
    else:
        assert sound.json.strip()[:1] == b"{"
        again = validate(sound.json)
        assert (again.json, again.non_finite) == (sound.json, 0)
        if sound.json.count(b"[") + sound.json.count(b"{") < 500:
            assert type(json.loads(sound.json)) is dict
