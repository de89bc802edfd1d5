"""What a file is that holds no JSON, told by its first bytes or lines, and what to do about it."""

from __future__ import annotations

import re
from typing import NamedTuple

LOOKED_AT = 4096
"""Bytes at the beginning of a file that tell what it is."""

APPLE_DOUBLE = b"\x00\x05\x16\x07"
"""What the files `._name` begin with that macOS puts beside others on disks of other systems."""

_UNPACK = "unpack it, and push what is in it; gzip alone is read as it is"
_BEEP = "structure it with BEEP first, and push the JSON that writes"
_EXPORT = "write its content as JSON, in one of the shapes the README shows"


class Format(NamedTuple):
    """What a file is, as a reason to turn it away, and what to do."""

    name: str
    remedy: str


_FORMATS: dict[bytes, Format] = {
    APPLE_DOUBLE + rb"|\x00\x05\x16\x00": Format(
        "a side file of macOS", "it holds no data: delete it (dot_clean does), or leave it alone"
    ),
    rb"version https://git-lfs\.github\.com/spec/": Format(
        "a Git LFS pointer", "the content is not here yet: run `git lfs pull`"
    ),
    rb"(?:\.\./)*(?:\.git)?/?annex/objects/": Format(
        "a git-annex pointer", "the content is not here yet: run `git annex get`"
    ),
    rb"outs:\s*\n-\s": Format("a DVC pointer", "the content is not here yet: run `dvc pull`"),
    rb"\{\s*'": Format("a dictionary as Python prints it", "write it by Python's json.dump"),
    rb"\x00{64}": Format("zero bytes only", "its content was lost on the way: copy it again"),
    rb"PK(?s:.){0,2000}(?:\[Content_Types\]\.xml|xl/|mimetypeapplication/vnd\.oasis)": Format(
        "an Excel workbook", _EXPORT
    ),
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": Format("an Excel workbook", _EXPORT),
    rb"PK(?:\x03\x04|\x05\x06|\x07\x08)": Format("a zip archive", _UNPACK),
    rb"7z\xbc\xaf\x27\x1c": Format("a 7z archive", _UNPACK),
    rb"Rar!\x1a\x07": Format("a RAR archive", _UNPACK),
    rb"(?s:.){257}ustar": Format("a tar archive", _UNPACK),
    rb"\xfd7zXZ\x00|\x5d\x00\x00": Format("xz-compressed", _UNPACK),
    rb"\x1f\x8b": Format("gzip-compressed twice", "unpack it once: gzip is read as it is"),
    rb"BZh[1-9]": Format("bzip2-compressed", _UNPACK),
    rb"[\x22-\x28]\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18": Format("zstd-compressed", _UNPACK),
    rb"\x04\x22\x4d\x18": Format("lz4-compressed", _UNPACK),
    rb"\x1f[\x9d\xa0]": Format("compressed by compress", _UNPACK),
    rb"MATLAB \d\.\d MAT-file": Format("a MATLAB file", _EXPORT),
    rb"\x89HDF\r\n\x1a\n|(?s:.){512}\x89HDF\r\n\x1a\n": Format("an HDF5 file", _EXPORT),
    rb"CDF[\x01\x02\x05]": Format("a NetCDF file", _EXPORT),
    rb"PAR1": Format("a Parquet file", _EXPORT),
    rb"ARROW1|FEA1|\xff{4}.\x00\x00\x00": Format("an Arrow file", _EXPORT),
    rb"\x93NUMPY": Format("a NumPy array", _EXPORT),
    rb"\x80[\x02-\x05](?:\x95|[c}\](])": Format("a Python pickle", _EXPORT),
    rb"SQLite format 3\x00": Format("an SQLite database", _EXPORT),
    rb"\x00\x01\x00\x00Standard (?:Jet|ACE) DB": Format("an Arbin .res (Access) database", _BEEP),
    rb"BIO-LOGIC MODULAR FILE|(?:EC|BT)-Lab ASCII FILE": Format("a BioLogic file", _BEEP),
    rb"NEWARE": Format("a Neware file", _BEEP),
    rb"%PDF-": Format("a PDF document", _EXPORT),
    rb"\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|II\*\x00|MM\x00\*": Format("a picture", _EXPORT),
    rb"(?i)[^\n{]*\bdata_?point\b[^\n]*\b(?:test_?time|date_?time)": Format(
        "a table exported by an Arbin cycler", _BEEP
    ),
    rb"(?i)\W{0,3}today'*s date|(?:[^\n{]*\n){0,20}?[^\n{]*\brec#?\W+cyc(?:#|le\b)": Format(
        "a table exported by a Maccor cycler", _BEEP
    ),
    # At least three fields in each of the first two lines, and none of JSON's brackets.
    rb"(?:(?:[^\n{}\[\]<,;\t]*+[,;\t]){2}[^\n{}\[\]<]*+\n){2}": Format("a table of text", _EXPORT),
}
_EXPRESSIONS = {re.compile(start): form for start, form in _FORMATS.items()}


_BINARY = re.compile(rb"[^\x00-\x08\x0e-\x1f\x7f]{0,64}[\x00-\x08\x0e-\x1f\x7f]")


def is_binary(data: bytes) -> bool:
    """Whether content begins with what no text has; UTF-16 does, too."""
    return bool(_BINARY.match(data))


def recognise(data: bytes) -> Format | None:
    """Say what content that is no JSON is; `None` where that cannot be told."""
    start = data[:LOOKED_AT]
    return next((form for pattern, form in _EXPRESSIONS.items() if pattern.match(start)), None)
