"""A text as a push takes it, without a file."""

from loader import files
from loader.validate import check


def validate(text: bytes, block: int = 2**18) -> files.Source:
    """What a file of that text holds, read so many bytes at a time; raises Rejected."""
    source = files.source(text[at : at + block] for at in range(0, len(text), block))
    check(source.json, lambda: text)
    return source
