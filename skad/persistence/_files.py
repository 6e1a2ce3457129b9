"""A model file as bytes: its frame and checksum, and how it is written to disk."""

import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

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


def read_file(path: Path, max_bytes: int | None = None) -> tuple[bytes, memoryview]:
    """Read and check a file; returns its header and a view of what follows it.

    Only regular files are opened (a pipe or a device may never end), and their first
    bytes are looked at before the others are read.
    """
    _check_regular(path.stat().st_mode, path)
    with open(path, "rb") as file:
        state = os.fstat(file.fileno())
        _check_regular(state.st_mode, path)
        start = file.read(_START)
        header_length = _check_frame(start, state.st_size, f"{path}")
        if max_bytes is not None and state.st_size > max_bytes:
            raise ValueError(
                f"{path} holds {state.st_size} bytes, over max_bytes={max_bytes}."
            )
        rest = memoryview(file.read(state.st_size - _START))
    digest = hashlib.sha256(start[: _FRAME.size])
    digest.update(rest)
    if digest.digest() != start[_FRAME.size :]:
        raise ValueError(
            f"{path} has been altered: its checksum does not match its content. Copy "
            "it again."
        )
    return bytes(rest[:header_length]), rest[header_length:]


def _check_regular(mode, path):
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), f"{path}")
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is not a regular file, but a device, pipe or socket.")


def _check_frame(start, n_bytes, name):
    """Check the first bytes of a file; returns the length of its header."""
    if start[: len(MAGIC)] != MAGIC[: len(start)] or not start:
        raise ValueError(f"{name} is not a model file: skad.save did not write it.")
    if len(start) < _START:
        raise ValueError(f"{name} is cut short: it ends after {len(start)} bytes.")
    _, version, length, header_length = _FRAME.unpack_from(start)
    if version != FORMAT:
        raise ValueError(
            f"{name} has format {version}; this version of skad reads format {FORMAT}. "
            "Install a newer skad to open it."
        )
    if n_bytes < length:
        raise ValueError(
            f"{name} is cut short: it holds {n_bytes} of {length} bytes. Copy it again."
        )
    if n_bytes > length or header_length > length - _START:
        raise ValueError(
            f"{name} has been altered: it holds {n_bytes} bytes and says {length}, of "
            f"which {header_length} are its header. Copy it again."
        )
    return header_length


def check_target(path: Path) -> None:
    """Refuse to write where a folder, a device or a pipe is."""
    with suppress(FileNotFoundError):
        _check_regular(path.stat().st_mode, path)


def write_atomically(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write a file as a whole or not at all.

    An existing file is replaced only when the new one is complete on the disk.
    """
    path = Path(os.path.realpath(path))  # a link stays, and points to the new file
    temporary = path.with_name(f".skad-{secrets.token_hex(8)}.tmp")
    try:
        _write(temporary, parts)
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # The new file stands, whether or not its folder can be synced.
    with suppress(OSError):
        _sync_folder(path.parent)


def _write(path, parts):
    """Write a new file; on Linux it has no name, if possible, until it is complete.

    A process that is killed while it writes to such a file leaves nothing behind.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    opened = None
    if hasattr(os, "O_TMPFILE") and os.path.exists("/proc/self/fd"):
        with suppress(OSError):  # not on every file system
            opened = _Descriptor(path.parent, os.O_TMPFILE | os.O_WRONLY)
    is_named = opened is None
    with opened or _Descriptor(path, flags) as descriptor:
        with open(descriptor, "wb", closefd=False) as file:
            for part in parts:
                file.write(part)
        os.fsync(descriptor)
        if not is_named:
            # Python follows the link only if it is given a folder's descriptor.
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=0)


def _sync_folder(folder):
    """Keep the new name through a power cut; Windows cannot open folders."""
    if os.name == "posix":
        with _Descriptor(folder, os.O_RDONLY) as descriptor:
            os.fsync(descriptor)


class _Descriptor:
    """An open descriptor that is closed whatever interrupts its owner."""

    number = None

    def __init__(self, path, flags):
        # One step for Python, between whose steps Ctrl-C falls: opened and kept.
        (self.number,) = map(os.open, [path], [flags], [0o666])

    def __enter__(self):
        return self.number

    def __exit__(self, *error):
        # One step again; `close` returns None.
        (self.number,) = map(os.close, [self.number])

    def __del__(self):
        if self.number is not None:  # something came between
            os.close(self.number)
