"""TensorBoard's event files: frames of a length, its checksum, an event and its checksum, as TFRecord has them.

    uint64 length, uint32 masked CRC-32C of it, data, uint32 masked CRC-32C of the data (little-endian)

TensorBoard's own loader loads TensorFlow where that is installed, and reads as many bytes as a damaged length says;
so only its messages and its checksum are taken from it. Scalars are a `simple_value` (PyTorch, Lightning) or a tensor
of one number (TensorFlow, Keras). They tell a step, and an epoch only where a program writes it as a scalar of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from regtui.errors import InputError
from regtui.files import open_plain
from regtui.foreign.series import EPOCHS, LoggedRows, LoggedRun, Point

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

MARK = b"brain.Event:"
"""Stands in the first event of each file."""
MOST_OF_A_SCALAR = 2**16
"""Larger events in bytes hold pictures, graphs or histograms, and are passed over unread."""
CUT = "it is cut short or damaged: what stands before that counts"


def is_events(beginning: bytes) -> bool:
    """Whether a file that begins so holds TensorBoard's events."""
    return MARK in beginning[:64]


def read(files: Sequence[tuple[str, Path]], name: str, path: Path) -> list[LoggedRun]:
    """The run of one or several event files, each with what its metrics' names begin with ("" or "validation/").

    Raises:
        InputError: TensorBoard is not installed, or there is no scalar.
        OSError: A file can't be read.
    """
    try:  # 0.1 to 0.3 s
        from tensorboard.compat.proto.event_pb2 import Event
    except ImportError:
        raise InputError(
            f"{name} is an event file of TensorBoard, which is not installed: pip install 'regtui[tensorboard]'"
        ) from None
    rows, notes = LoggedRows(), []
    for prefix, part in files:
        try:
            with open_plain(part) as file:
                for event in _events(file, Event):
                    _add(rows, prefix, event)
        except _DamagedError:
            notes.append(CUT)
    if not rows.series:
        raise InputError(f"{name} has no scalar" + (": it is cut short or damaged" if notes else ""))
    if rows.replaced:
        notes.append("it goes back to an earlier step: what came later replaces it")
    _tell_epochs(rows)
    return [LoggedRun(name, path, rows.series, notes=tuple(dict.fromkeys(notes)))]


class _DamagedError(Exception):
    """A frame is incomplete, or its checksum is wrong."""


def _events(file: BinaryIO, kind: type[Event]) -> Iterator[Event]:
    from google.protobuf.message import DecodeError
    from tensorboard.summary.writer.record_writer import masked_crc32c

    while header := file.read(12):
        if len(header) < 12 or masked_crc32c(header[:8]) != struct.unpack("<I", header[8:])[0]:
            raise _DamagedError
        (length,) = struct.unpack("<Q", header[:8])
        if length > MOST_OF_A_SCALAR:
            if length > 2**40:
                raise _DamagedError
            file.seek(length + 4, 1)
            continue
        data = file.read(length + 4)
        if len(data) < length + 4 or masked_crc32c(data[:length]) != struct.unpack("<I", data[length:])[0]:
            raise _DamagedError
        try:
            yield kind.FromString(data[:length])
        except DecodeError:
            raise _DamagedError from None


def _add(rows: LoggedRows, prefix: str, event: Event) -> None:
    for value in event.summary.value:
        which = value.WhichOneof("value")
        if which == "simple_value":
            rows.put(f"{prefix}{value.tag}", Point(None, float(event.step), float(value.simple_value)))
        elif which == "tensor" and value.metadata.plugin_data.plugin_name in ("scalars", ""):
            number = _one_number(value.tensor)
            if number is not None:
                rows.put(f"{prefix}{value.tag}", Point(None, float(event.step), number))


def _one_number(tensor: Any) -> float | None:
    """The number of a tensor that has one; None for texts and for many."""
    if any(dimension.size != 1 for dimension in tensor.tensor_shape.dim):
        return None
    for values in (tensor.float_val, tensor.double_val, tensor.int_val, tensor.int64_val):
        if len(values) == 1:
            return float(values[0])
    form = {1: "<f", 2: "<d", 3: "<i", 9: "<q"}.get(tensor.dtype)
    if form is not None and len(tensor.tensor_content) == struct.calcsize(form):
        return float(struct.unpack(form, tensor.tensor_content)[0])
    return None


def _tell_epochs(rows: LoggedRows) -> None:
    """Give each value its epoch, where the program wrote epochs as a scalar beside, at the same steps."""
    names = [name for name in rows.series if name.lower() in EPOCHS]
    epochs = {point.step: point.value for name in names for point in rows.series.pop(name)}
    for name, points in rows.series.items():
        if epochs and all(point.step in epochs for point in points):
            rows.series[name] = [point._replace(epoch=epochs[point.step]) for point in points]
