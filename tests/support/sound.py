"""A text as a push takes it, without a file."""

from loader.source import Source, of_blocks
from loader.validate import check


def validate(text: bytes, block: int = 2**18) -> Source:
    """What a file of that text holds, read so many bytes at a time; raises Rejected."""
    source = of_blocks(text[at : at + block] for at in range(0, len(text), block))
    check(source.json, lambda: text)
    return source
