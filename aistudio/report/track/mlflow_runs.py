"""A run in MLflow: its tracking server, a database, or what ``MLFLOW_TRACKING_URI`` names."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from itertools import islice
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a preflight reports to its user

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from aistudio.report.track.entry import Entry

BATCH = 100  # parameters that MLflow takes at once


def log(entry: Entry, settings: Mapping[str, Any]) -> None:
    """One run with its parameters, metrics, losses by step, page and images."""
    for name in ("mlflow", "alembic", "urllib3"):  # they announce every step and every try
        logging.getLogger(name).setLevel(logging.ERROR)
    client = MlflowClient(settings.get("uri"))
    name = settings.get("experiment") or "aistudio"
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known else client.create_experiment(name)
    identity = client.create_run(experiment, run_name=entry.name).info.run_id
    now = int(time.time() * 1000)
    metrics = [Metric(key, value, now, 0) for key, value in entry.metrics.items()]
    metrics += [
        Metric(key, loss, now, step) for key, losses in entry.losses.items() for step, loss in enumerate(losses)
    ]
    tags = [RunTag("verdict", entry.verdict), *([RunTag("sweep", entry.group)] if entry.group else [])]
    client.log_batch(identity, metrics=metrics[:1000], tags=tags)
    parameters = iter([Param(key, value) for key, value in entry.parameters.items()])
    while batch := list(islice(parameters, BATCH)):
        client.log_batch(identity, params=batch)
    for path in entry.files:
        client.log_artifact(identity, str(path))
    for path in entry.images:
        client.log_artifact(identity, str(path), "drawings")
    client.set_terminated(identity, "FINISHED" if entry.passed else "FAILED")
