"""A model file as bytes: its frame, its checksum, and how it reaches the disk."""

import hashlib
import json
import os
import secrets
import shutil
import struct
from contextlib import suppress
from pathlib import Path

# The line ends show at once that a file went through a conversion of text.
MAGIC = b"\x93skad\r\n\n"
FORMAT = 1

# Format number, length of the whole file, length of the header; then a SHA-256 over
# all but itself, then the header (JSON), then the arrays one after another.
_FRAME = struct.Struct("<8sIQQ")
_DIGEST = hashlib.sha256().digest_size
_START = _FRAME.size + _DIGEST


def pack(header, buffers) -> list:
    """Frame a header (anything JSON holds) and buffers; returns the parts of a file."""
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    length = _START + len(text) + sum(buffer.nbytes for buffer in buffers)
    frame = _FRAME.pack(MAGIC, FORMAT, length, len(text))
    digest = hashlib.sha256(frame)
    for part in (text, *buffers):
        digest.update(part)
    return [frame, digest.digest(), text, *buffers]


def unpack(data, name):
    """Check a file's bytes; returns the header and a view of what stands behind it.

    Raises
    ------
    ValueError
        If this is no model file, or one that is cut, altered, or of a newer format.
    """
    if data[: len(MAGIC)] != MAGIC[: len(data)] or not data:
        raise ValueError(f"{name} is not a model file of skad.")
    if len(data) < _START:
        raise ValueError(f"{name} is cut short: it ends after {len(data)} bytes.")
    _, version, length, header_length = _FRAME.unpack_from(data)
    if version != FORMAT:
        raise ValueError(
            f"{name} is of format {version}; this version of skad reads format "
            f"{FORMAT}. Install a newer skad to open it."
        )
    if len(data) < length:
        raise ValueError(
            f"{name} is cut short: it holds {len(data)} of {length} bytes. Copy it "
            "once more."
        )
    view = memoryview(data)
    digest = hashlib.sha256(view[: _FRAME.size])
    digest.update(view[_START:])
    if digest.digest() != view[_FRAME.size : _START]:
        raise ValueError(
            f"{name} has been altered: its checksum does not fit its content. Copy it "
            "once more."
        )
    end = _START + header_length
    try:
        return json.loads(bytes(view[_START:end])), view[end:]
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} has a header that cannot be read.") from error


def write_atomically(path, parts):
    """Write a file that is either there as a whole or not at all.

    A file that was there before stays whole until the new one is complete on the disk.
    """
    path = Path(os.path.realpath(path))  # a link goes on pointing to the new file
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor, is_named = _open_temporary(temporary)
    try:
        with open(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(descriptor)
            if not is_named:
                # A descriptor of a folder, of any, makes Python follow the link.
                os.link(f"/proc/self/fd/{descriptor}", temporary, src_dir_fd=0)
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _open_temporary(path):
    """Open a file to write; where Linux can, one that gets its name later.

    A process that is killed while it writes to that one leaves nothing behind.
    """
    if hasattr(os, "O_TMPFILE") and os.path.exists("/proc/self/fd"):
        with suppress(OSError):  # not on every file system
            return os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o666), False
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o666), True


def _sync_folder(folder):
    """Make the new name last through a power cut; Windows opens no folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
