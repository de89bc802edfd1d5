"""Everything odd that a folder may hold, and what it gets; see tests/landing/test_bad_input.py."""

import bz2
import gzip
import json
import lzma
import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from loader import files

LANDED, LEFT = "landed", "left aside"
LIMIT = "64MiB"
"""--max-file-size of the push, for a bomb that is quick to make."""

INVALID, NOT_UTF8, EMPTY = "not valid JSON", "not UTF-8", "empty file"
GZIP, NUL, NO_OBJECT = "broken gzip", "a NUL character", "not a JSON object"
SHAPES = "files_have_sections_of_a_known_shape"
NO_BATTERY = "files_are_battery_documents"
NO_SUMMARY = "batteries_have_summaries"


class Kind(NamedTuple):
    """`named_by` is the data test that has to name the file."""

    name: str
    file: str
    content: bytes | Callable[[Path], object]
    gets: str = LANDED
    named_by: str = ""


def document(**edits: Any) -> bytes:
    """A battery, but for the edits; its barcode is told by them or made of them."""
    summary = {"cycle_index": [0, 1], "discharge_capacity": [1.1, 1.0]}
    points = {"voltage": [2.8, 3.5], "cycle_index": [0, 1]}
    barcode = f"odd{abs(hash(json.dumps(edits, sort_keys=True, default=str))) % 10**12}"
    whole = {"barcode": barcode, "summary": summary, "cycles_interpolated": points}
    for key, value in edits.items():
        section, _, column = key.partition("__")
        if column:
            whole[section][column] = value  # type: ignore[index]
        else:
            whole[key] = value
    return json.dumps(whole).encode()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listener(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        folder = Path.cwd()
        os.chdir(path.parent)  # the name of a socket is short
        try:
            one.bind(path.name)
        finally:
            os.chdir(folder)


def link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def folder_of_one(path: Path) -> None:
    path.mkdir()
    (path / "inside.json").write_bytes(document(protocol="in a folder of that name"))


GOOD = document(protocol="good")
PACKED = gzip.compress(document(protocol="packed") + b" " * 5000)
A = b'{"a": %s}'
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(4000) + b"\x9a"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 190000000\n"
ARBIN = b"Data_Point,Test_Time,DateTime,Step_Time,Step_Index,Cycle_Index\n1,0.0,0,0,1,0\n"

KINDS = [
    # encodings
    Kind("UTF-8 with a byte order mark", "bom.json", b"\xef\xbb\xbf" + document(protocol="bom")),
    Kind("letters beyond ASCII", "umlaut.json", document(protocol="Prüfling ✓ 電池")),
    Kind("UTF-16", "utf16.json", '{"a": 1}'.encode("utf-16"), NOT_UTF8),
    Kind("UTF-16 without its mark", "utf16le.json", '{"a": 1}'.encode("utf-16-le"), NOT_UTF8),
    Kind("UTF-32", "utf32.json", '{"a": 1}'.encode("utf-32-le"), NOT_UTF8),
    Kind("Latin-1", "latin1.json", '{"a": "°C"}'.encode("latin-1"), NOT_UTF8),
    Kind("Windows-1252", "cp1252.json", '{"a": "\u2013"}'.encode("cp1252"), NOT_UTF8),
    Kind("overlong UTF-8", "overlong.json", A % b'"\xc0\xaf"', NOT_UTF8),
    Kind("half a surrogate pair in UTF-8", "cesu.json", A % b'"\xed\xa0\x80"', NOT_UTF8),
    # nothing
    Kind("zero bytes", "empty.json", b"", EMPTY),
    Kind("blanks only", "blank.json", b" \n\t ", EMPTY),
    Kind("a byte order mark only", "bom only.json", b"\xef\xbb\xbf", EMPTY),
    Kind("NUL bytes only", "zeros.json", bytes(1000), "zero bytes only"),
    # not quite JSON
    Kind("cut in an array", "cut1.json", GOOD[:-30], INVALID),
    Kind("cut in a string", "cut2.json", b'{"barcode": "el1', INVALID),
    Kind("cut after a colon", "cut3.json", b'{"barcode":', INVALID),
    Kind("two documents", "two.json", GOOD + GOOD, INVALID),
    Kind("a document a line", "lines.json", GOOD + b"\n" + GOOD + b"\n", INVALID),
    Kind("garbage after the end", "garbage.json", GOOD + b" xyz", INVALID),
    Kind("a comma too many", "comma.json", b'{"a": [1, 2,]}', INVALID),
    Kind("a comma missing", "no comma.json", b'{"a": [1 2]}', INVALID),
    Kind("comments", "comment.json", b'{"a": 1 /* why */}', INVALID),
    Kind("single quotes", "quote.json", b"{'a': 1}", "a dictionary as Python prints it"),
    Kind("keys without quotes", "unquoted.json", b"{a: 1}", INVALID),
    Kind("a hexadecimal number", "hex.json", A % b"0x10", INVALID),
    Kind("a leading zero", "zero.json", A % b"007", INVALID),
    Kind("Python's None and True", "python.json", A % b"[None, True]", INVALID),
    Kind("a line break in a string", "break.json", A % b'"a\nb"', INVALID),
    Kind("an unknown escape", "escape.json", A % b'"\\x41"', INVALID),
    Kind("half a surrogate pair, escaped", "surrogate.json", A % b'"\\ud800"', INVALID),
    Kind("a web page", "page.json", b"<!doctype html><title>404</title>", INVALID),
    # JSON, but no object
    Kind("an array", "array.json", b"[1, 2]", NO_OBJECT),
    Kind("a string", "string.json", b'"text"', NO_OBJECT),
    Kind("a number", "number.json", b"1.5", NO_OBJECT),
    Kind("null", "null.json", b"null", NO_OBJECT),
    # what PostgreSQL or the reader cannot hold
    Kind("100,000 arrays deep", "deep1.json", A % (b"[" * 100_000 + b"]" * 100_000),
         "too deeply nested"),
    Kind("100,000 objects deep", "deep2.json", b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
         "too deeply nested"),
    Kind("a NUL in a string", "nul1.json", A % b'"a\\u0000b"', NUL),
    Kind("a NUL in a key", "nul2.json", b'{"a\\u0000b": 1}', NUL),
    Kind("an exponent of six digits", "exponent.json", A % b"1e200000", "a number out of range"),
    Kind("an integer of 200,000 digits", "digits.json", A % (b"9" * 200_000),
         "a number out of range"),
    # something else by its first bytes or lines
    Kind("a side file of macOS", "._bom.json", APPLE_DOUBLE, LEFT),
    Kind("a side file under another name", "side.json", APPLE_DOUBLE, "a side file of macOS"),
    Kind("a Git LFS pointer", "lfs.json", LFS, "a Git LFS pointer"),
    Kind("a DVC pointer", "dvc.json", b"outs:\n- md5: a304af\n  path: x\n", "a DVC pointer"),
    Kind("a program", "exe.json", b"MZ\x90\0\3\0\0\0", "binary data"),
    Kind("MessagePack", "msgpack.json", b"\x82\xa7barcode\xa1A\xa1x\0", "binary data"),
    Kind("a zip archive", "zip.json", b"PK\x03\x04\x14\0\0\0\x08\0", "a zip archive"),
    Kind("an xz archive", "xz.json", lzma.compress(GOOD), "xz-compressed"),
    Kind("a bzip2 archive", "bz2.json", bz2.compress(GOOD), "bzip2-compressed"),
    Kind("a zstd archive", "zst.json", b"\x28\xb5\x2f\xfd\x24\x02", "zstd-compressed"),
    Kind("an HDF5 file", "hdf5.json", b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file"),
    Kind("a pickle", "pickle.json", pickle.dumps({"a": 1}), "a Python pickle"),
    Kind("an export of an Arbin cycler", "arbin.json.gz", gzip.compress(ARBIN),
         "a table exported by an Arbin cycler"),
    # gzip
    Kind("gzip, cut", "cut.json.gz", PACKED[:-9], GZIP),
    Kind("gzip, its header only", "header.json.gz", PACKED[:10], GZIP),
    Kind("gzip, damaged", "damaged.json.gz", PACKED[:40] + b"\xff\xff\xff" + PACKED[43:], GZIP),
    Kind("gzip, garbage after it", "after.json.gz", PACKED + b"garbage", GZIP),
    Kind("gzip of nothing", "nothing.json.gz", gzip.compress(b""), EMPTY),
    Kind("gzip of gzip", "twice.json.gz", gzip.compress(PACKED), "gzip-compressed twice"),
    Kind("a gzip bomb", "bomb.json.gz", gzip.compress(bytes(80 << 20), 1), "too large"),
    Kind("gzip in two members", "members.json.gz",
         gzip.compress(document(protocol="members")[:50])
         + gzip.compress(document(protocol="members")[50:])),
    Kind("gzip without the ending", "packed.json", PACKED),
    Kind("the ending without gzip", "plain.json.gz", document(protocol="plain")),
    # no plain files
    Kind("a pipe", "pipe.json", pipe, "not a regular file"),
    Kind("a socket", "socket.json", listener, "not a regular file"),
    Kind("a folder named like a file", "folder.json", folder_of_one),
    Kind("a link to a device", "device.json", link("/dev/zero"), LEFT),
    Kind("a link to its own folder", "loop", link("."), LEFT),
    Kind("a link to itself", "self.json", link("self.json"), LEFT),
    Kind("a link that leads nowhere", "nowhere.json", link("nowhere"), LEFT),
    Kind("a link out of the folder", "outside.json", link("/etc/passwd"), LEFT),
    # names
    Kind("a name that is no UTF-8", os.fsdecode(b"caf\xe9.json"), document(protocol="name 1")),
    Kind("a name with a line break", "two\nlines.json", document(protocol="name 2")),
    Kind("a name with quotes", "\"it's\".json", document(protocol="name 3")),
    Kind("a name of SQL", "'; drop table raw.files; --.json", document(protocol="name 4")),
    Kind("a name like an option", "--json.json", document(protocol="name 5")),
    Kind("a name of 255 bytes", "n" * 250 + ".json", document(protocol="name 6")),
    Kind("a name with %s, {} and a backslash", "%s {0} \\n.json", document(protocol="name 7")),
    Kind("a name of symbols", "电池 🔋 [bold].json", document(protocol="name 8")),
    # numbers
    Kind("NaN and infinities", "nan.json", GOOD.replace(b"2.8", b"NaN").replace(b"1.1", b"Infinity")
         .replace(b'"good"', b'"nan"').replace(b'"odd', b'"nan')),
    Kind("1e400", "1e400.json", document(protocol="1e400").replace(b"3.5", b"1e400")),
    Kind("1e-400", "1e-400.json", document(protocol="1e-400").replace(b"3.5", b"1e-400")),
    Kind("an integer of 10,000 digits", "10000 digits.json",
         document(protocol="digits").replace(b"3.5", b"9" * 10_000)),
    # odd documents
    Kind("a key twice", "twice.json", GOOD.replace(b'{"barcode"', b'{"barcode": "no", "barcode"')
         .replace(b'"odd', b'"twice')),
    Kind("an empty key", "empty key.json", document(**{"": 1})),
    Kind("numbers as keys", "numbers.json", document(**{"0": 1, "1": [2]})),
    Kind("a key of a megabyte", "long key.json", document(**{"k" * 10**6: 1})),
    Kind("a million keys", "million.json",
         json.dumps({f"key {number}": number for number in range(10**6)}).encode(), LANDED,
         NO_BATTERY),
    Kind("199 levels deep", "199.json", document(metadata=json.loads("[" * 198 + "]" * 198))),
    Kind("no barcode and no section", "no battery.json", b'{"notes": 1}', LANDED, NO_BATTERY),
    Kind("null sections", "null sections.json",
         document(summary=None, cycles_interpolated=None), LANDED, NO_SUMMARY),
    Kind("empty sections", "empty sections.json",
         document(summary={}, cycles_interpolated={}), LANDED, NO_SUMMARY),
    Kind("a section that is text", "text section.json", document(summary="?"), LANDED, SHAPES),
    Kind("a section that is a number", "number section.json",
         document(cycles_interpolated=7), LANDED, SHAPES),
    Kind("a section of arrays in an array", "arrays section.json",
         document(cycles_interpolated=[[1, 2], [3, 4]]), LANDED, SHAPES),
    Kind("a section half by cycle", "mixed section.json",
         document(cycles_interpolated={"0": {"voltage": [1]}, "x": {"voltage": [1]}}),
         LANDED, SHAPES),
    Kind("arrays where numbers belong", "arrays.json",
         document(summary__discharge_capacity=[[1.1], [1.0]])),
    Kind("objects where numbers belong", "objects.json",
         document(cycles_interpolated__voltage=[{"v": 1}, 3.5])),
    Kind("decimals as text", "decimals.json", document(summary__cycle_index=["0", " 1 "])),
    Kind("words where numbers belong", "words.json",
         document(summary__discharge_capacity=["high", "low"])),
    Kind("arrays of unequal length", "unequal.json",
         document(cycles_interpolated__voltage=[1, 2, 3, 4])),
    Kind("a column that is no array", "scalar.json", document(summary__discharge_capacity=1.1)),
    Kind("negative cycle numbers", "negative.json",
         document(summary__cycle_index=[-1, -2]), LANDED, NO_SUMMARY),
    Kind("huge cycle numbers", "huge.json",
         document(summary__cycle_index=[2**31, 10**300]), LANDED, NO_SUMMARY),
    Kind("cycle numbers with a fraction", "fraction.json",
         document(summary__cycle_index=[0.5, 1.5]), LANDED, NO_SUMMARY),
    Kind("a cycle number of 2,147,483,647", "last.json",
         document(summary__cycle_index=[0, 2**31 - 1])),
    Kind("the same cycle a hundred times", "same.json",
         document(summary__cycle_index=[1] * 100, summary__discharge_capacity=[1.0] * 100)),
    Kind("a number for a barcode", "number barcode.json", document(barcode=42)),
    Kind("an object for a barcode", "object barcode.json", document(barcode={"a": 1})),
    Kind("a barcode of a megabyte", "long barcode.json", document(barcode="x" * 10**6)),
    Kind("a barcode of SQL", "sql barcode.json", document(barcode="'; drop schema raw; --")),
    Kind("a list for metadata", "metadata.json", document(metadata=[1, 2], barcode=None)),
    Kind("a channel beyond an integer", "channel.json", document(channel_id=10**30)),
    Kind("time stamps that are none", "stamps.json",
         document(summary__date_time_iso=["yesterday", "2020-13-45T99:99:99"])),
    Kind("time stamps far away", "far.json",
         document(summary__date_time_iso=["999999-01-01T00:00:00", "0000-01-01T00:00:00"])),
]  # fmt: skip


def make(folder: Path) -> None:
    """Write one file of each kind."""
    folder.mkdir()
    for kind in KINDS:
        path = folder / kind.file
        if isinstance(kind.content, bytes):
            path.write_bytes(kind.content)
        else:
            kind.content(path)


def expected() -> dict[str, str]:
    """What a push says of each, by the name as the loader writes it."""
    names = {kind.file: kind.gets for kind in KINDS}
    names["inside.json"] = names.pop("folder.json")
    return {
        os.fsencode(name).decode(errors="backslashreplace"): gets for name, gets in names.items()
    }


def got(outcomes: list[dict[str, Any]]) -> dict[str, str]:
    """What it said, from its `--json`."""
    said = {}
    for file in outcomes:
        left = file["reason"] in (files.LINK, files.SIDE_FILE) and file["outcome"] == "skipped"
        rejected = file["outcome"] == "rejected"
        said[file["name"]] = LEFT if left else file["reason"] if rejected else file["outcome"]
    return said
