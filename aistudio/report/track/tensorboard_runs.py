"""A run in TensorBoard: event files in a folder, a folder a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from time import time
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from aistudio.report.track.entry import Entry


def log(entry: Entry, settings: Mapping[str, Any]) -> None:
    """One run with its parameters, metrics, losses by step, images, and the path of its page."""
    writer = EventFileWriter(str(Path(settings.get("folder") or "tensorboard") / entry.group / entry.name))
    try:
        for step, summary in summaries(entry):
            writer.add_event(Event(wall_time=time(), step=step, summary=summary))
    finally:
        writer.close()


def summaries(entry: Entry) -> Iterator[tuple[int, Summary]]:
    """What TensorBoard shows, with its steps."""
    yield 0, hparams_pb(dict(entry.parameters), trial_id=f"{entry.group}/{entry.name}")
    yield 0, text("verdict", entry.verdict)
    for path in entry.files:
        yield 0, text("files", str(path.resolve()))
    steps = [(key, 0, value) for key, value in entry.metrics.items()]
    steps += [(key, step, loss) for key, losses in entry.losses.items() for step, loss in enumerate(losses)]
    for key, step, value in steps:
        yield step, Summary(value=[Summary.Value(tag=key, simple_value=value)])
    for path in entry.images:
        image = Summary.Image(encoded_image_string=path.read_bytes())
        yield 0, Summary(value=[Summary.Value(tag=f"drawings/{path.stem}", image=image)])


def text(tag: str, words: str) -> Summary:
    """Words, as TensorBoard's tab for texts reads them."""
    tensor = TensorProto(dtype="DT_STRING", string_val=[words.encode()])
    return Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=create_summary_metadata("", ""))])
