"""A model file as bytes: its frame and checksum, and how it is written to disk."""

import hashlib
import json
import os
import secrets
import shutil
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

# Its line ends are lost if a file is converted as text, which shows at once.
MAGIC = b"\x93skad\r\n\n"
FORMAT = 1

# Magic bytes, format number, length of the whole file, length of the header. After them
# come a SHA-256 of all the other bytes, the header (JSON), and the arrays one after
# another.
_FRAME = struct.Struct("<8sIQQ")
_DIGEST = hashlib.sha256().digest_size
_START = _FRAME.size + _DIGEST


def pack(header: dict, buffers: list[memoryview]) -> list[bytes | memoryview]:
    """Frame a header (anything JSON holds) and buffers; returns the parts of a file."""
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    length = _START + len(text) + sum(buffer.nbytes for buffer in buffers)
    frame = _FRAME.pack(MAGIC, FORMAT, length, len(text))
    digest = hashlib.sha256(frame + text)
    for buffer in buffers:
        digest.update(buffer)
    return [frame, digest.digest(), text, *buffers]


def unpack(data: bytes, name: str) -> tuple[Any, memoryview]:
    """Check the bytes of a file; returns its header and a view of what follows it."""
    if data[: len(MAGIC)] != MAGIC[: len(data)] or not data:
        raise ValueError(f"{name} is not a model file: skad.save did not write it.")
    if len(data) < _START:
        raise ValueError(f"{name} is cut short: it ends after {len(data)} bytes.")
    _, version, length, header_length = _FRAME.unpack_from(data)
    if version != FORMAT:
        raise ValueError(
            f"{name} has format {version}; this version of skad reads format {FORMAT}. "
            "Install a newer skad to open it."
        )
    if len(data) < length:
        raise ValueError(
            f"{name} is cut short: it holds {len(data)} of {length} bytes. Copy it "
            "again."
        )
    view = memoryview(data)
    digest = hashlib.sha256(view[: _FRAME.size])
    digest.update(view[_START:])
    if digest.digest() != view[_FRAME.size : _START]:
        raise ValueError(
            f"{name} has been altered: its checksum does not match its content. Copy "
            "it again."
        )
    end = _START + header_length
    try:
        return json.loads(bytes(view[_START:end])), view[end:]
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} has a header that cannot be read.") from error


def write_atomically(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write a file as a whole or not at all.

    An existing file is replaced only when the new one is complete on the disk.
    """
    path = Path(os.path.realpath(path))  # a link stays, and points to the new file
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor, is_named = _open_temporary(temporary)
    try:
        with open(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(descriptor)
            if not is_named:
                # Python follows the link only if it is given a folder's descriptor.
                os.link(f"/proc/self/fd/{descriptor}", temporary, src_dir_fd=0)
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _open_temporary(path):
    """Open a file for writing, on Linux one without a name if possible.

    A process that is killed while it writes to such a file leaves nothing behind.
    Returns the descriptor, and whether the file has its name.
    """
    if hasattr(os, "O_TMPFILE") and os.path.exists("/proc/self/fd"):
        with suppress(OSError):  # not on every file system
            return os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o666), False
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o666), True


def _sync_folder(folder):
    """Keep the new name through a power cut; Windows cannot open folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
