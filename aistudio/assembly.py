"""From a composed configuration to a model: the only file that joins backbone, head and task.

What torch alone can know (a weight name, a device, a precision) is refused here, in the same form as the rules'.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.error import URLError

import torch
import torchvision
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from aistudio.backbones import BackboneWrapper, freeze
from aistudio.config import settle
from aistudio.errors import Problem, Refusal
from aistudio.interpolations import left_over_problems
from aistudio.signatures import keyword_problems
from aistudio.trust import target_problems

NOT_FOR_THE_TASK = ("name", "image_size", "rules")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def assemble(cfg: DictConfig, seed: int | None = None) -> nn.Module:
    """Build the configured model on the CPU, in train mode, with as many outputs as the task has.

    ``seed`` (by default ``runtime.seed``) decides the random weights; the caller's random numbers are left alone.
    Raises `Refusal` for what the rules refuse, and for weights that do not exist, cannot be had, or were trained for
    another number of classes.
    """
    cfg = as_config(settle(cfg).values)  # whoever composed it, what is judged here is what is built
    refuse(torch_problems(cfg))
    outputs = build_task(cfg).outputs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(cfg.runtime.seed if seed is None else seed)
        model = build(cfg.architecture.model, "architecture.model", num_classes=outputs)
    one_with(model, "architecture.model", "named_parameters", "forward")
    refuse(width_problems(cfg, model))
    if cfg.backbone.frozen:
        freeze(named_backbone(model)[1])
    return model


def as_config(values: Mapping[str, Any]) -> DictConfig:
    """Settled values, read by attributes: nothing is left in them to interpret, and unknown keys are errors."""
    config = OmegaConf.create(dict(values))
    OmegaConf.set_struct(config, True)
    return config


def torch_problems(cfg: DictConfig) -> list[Problem]:
    """What could not be judged before torch and torchvision were there: arguments of ``_target_`` entries, weights."""
    settings = {**OmegaConf.to_container(cfg), "task": task_settings(cfg)}
    # the backbone's own entry stands inside the architecture's, too
    problems = list({(problem.why, problem.instead): problem for problem in keyword_problems(settings)}.values())
    return problems or weight_problems(cfg, build_task(cfg).outputs)


def width_problems(cfg: DictConfig, model: nn.Module) -> list[Problem]:
    """A number of channels that the configuration states and the backbone does not have."""
    wrapper, stated = getattr(model, "backbone", None), cfg.backbone.out_channels
    if not isinstance(wrapper, BackboneWrapper) or stated in (None, wrapper.out_channels):
        return []
    what, found = f"backbone.out_channels={stated} is not what the backbone gives", wrapper.out_channels
    return [Problem(what, f"its last map has {found} channels", "backbone.out_channels", f"{found}, or null")]


def build_task(cfg: DictConfig) -> Any:
    """The task object: targets, loss and output contract."""
    return one_with(build(task_settings(cfg), "task"), "task", "outputs", "loss")


def task_settings(cfg: DictConfig) -> dict[str, Any]:
    """The part of the section ``task`` that its class takes, as plain containers."""
    settings = OmegaConf.to_container(cfg.task, resolve=True)
    return {key: value for key, value in settings.items() if key not in NOT_FOR_THE_TASK}


def build_source(cfg: DictConfig) -> Any:
    """The source of pictures. Raises `Refusal` where there are none."""
    return one_with(build(cfg.data, "data"), "data", "scenes", "description")


def build_optimizer(cfg: DictConfig) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    """What makes the optimiser of the learning checks from parameters."""
    return build(cfg.architecture.learning.optimizer, "architecture.learning.optimizer", _partial_=True)


def one_with(made: Any, where: str, *needed: str) -> Any:
    """What was made, if it has what is asked of it; else the `Refusal` of an entry that makes another thing."""
    absent = [name for name in needed if not hasattr(made, name)]
    if absent:
        what = f"{where} makes a {type(made).__name__}"
        why = f"what is made there has {', '.join(needed)}; this has no {absent[0]}"
        refuse([Problem(what, why, where, f"a _target_ such as those in conf/{where.split('.')[0]}/")])
    return made


def build(node: Any, where: str, **extra: Any) -> Any:
    """Make the object of a ``_target_`` entry; what the entry got wrong is a `Refusal` that names ``where``.

    What is made is a plain container that is looked at here once more: in it nothing is left to interpret.
    """
    entry = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    refuse([*target_problems({where: entry}), *left_over_problems({where: entry})])
    try:
        with loading_weights_only():
            return instantiate(entry, _convert_="all", **extra)
    except InstantiationException as error:
        cause = error.__cause__ or error
        if isinstance(cause, Refusal):
            raise cause from None
        problem = _problem_of(cause, str(error), where, node)
        if problem is None:
            raise cause from error
        raise Refusal([problem]) from error


@contextmanager
def loading_weights_only() -> Iterator[None]:
    """Let ``torch.load`` read tensors and no pickled code, whatever a model's builder asks for.

    torchvision checks the hash of what it downloads, not of what lies in the cache. The person who runs this may say
    otherwise, with torch's own ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD``.
    """
    force, refuse_it = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    if force in os.environ or refuse_it in os.environ:
        yield
        return
    os.environ[force] = "1"
    try:
        yield
    finally:
        del os.environ[force]


def named_backbone(model: nn.Module) -> tuple[str, nn.Module]:
    """The feature extractor of a model after its prefix: ``backbone.body.`` in detectors, else ``backbone.``."""
    backbone = getattr(model, "backbone", None)
    if not isinstance(backbone, nn.Module):
        return "", model
    body = getattr(backbone, "body", None)
    return ("backbone.body.", body) if isinstance(body, nn.Module) else ("backbone.", backbone)


def weight_problems(cfg: DictConfig, outputs: int) -> list[Problem]:
    """What is wrong with the names of pretrained weights, known without downloading any."""
    full = cfg.architecture.model
    problems = _name_problems(cfg.backbone.model, cfg.backbone.weights, "backbone.weights")
    if "weights" in full and full.weights is not None:
        problems += _name_problems(full, full.weights, "architecture.model.weights")
        problems += [] if problems else _class_problems(full, outputs)
    return problems


def device_problems(cfg: DictConfig) -> list[Problem]:
    """What is wrong with ``runtime.device`` and ``runtime.precision`` on this machine."""
    name, there = str(cfg.runtime.device), devices()
    if name not in ("auto", "cuda", "mps") and name not in there or name in ("cuda", "mps") and not _has(name):
        why = "torch sees " + (", ".join(there) if len(there) > 1 else "no GPU on this machine")
        return [Problem(f"runtime.device={name} is not there", why, "runtime.device", ", ".join(["auto", *there]))]
    device, precision = resolve_device(name), cfg.runtime.precision
    fine = precisions(device)
    if precision not in fine:
        why = f"{device.type} computes in {', '.join(fine)} here"
        what = f"runtime.precision={precision} does not run on {device}"
        return [Problem(what, why, "runtime.precision", ", ".join(fine))]
    return []


def devices() -> list[str]:
    """The devices that torch can use here, as ``runtime.device`` names them."""
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *gpus, *["mps"] * torch.backends.mps.is_available()]


def resolve_device(name: str) -> torch.device:
    """``auto`` is the current GPU, else Apple's, else the CPU; ``cuda`` the current GPU; anything else is itself."""
    if name in ("auto", "cuda") and _has("cuda"):
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device(name if name != "auto" else "mps" if _has("mps") else "cpu")


def precisions(device: torch.device) -> list[str]:
    """The precisions that autocast offers on a device. float16 on a CPU is slow and overflows, so it is not offered."""
    if device.type == "cuda":
        return ["float32", *["bfloat16"] * torch.cuda.is_bf16_supported(), "float16"]
    return ["float32", "float16"] if device.type == "mps" else ["float32", "bfloat16"]


def refuse(problems: list[Problem]) -> None:
    """Raise a `Refusal` if there is anything to refuse."""
    if problems:
        raise Refusal(problems)


def _has(kind: str) -> bool:
    return torch.cuda.is_available() if kind == "cuda" else torch.backends.mps.is_available()


def weights_of(node: DictConfig) -> Any:
    """torchvision's enumeration of the weights of a ``_target_`` of its own, None for other people's models."""
    package, _, builder = str(node["_target_"]).rpartition(".")
    if not package.startswith("torchvision.models"):
        return None
    try:
        return torchvision.models.get_model_weights(builder)
    except ValueError:
        return None


def _name_problems(node: DictConfig, name: str | None, where: str) -> list[Problem]:
    choices = weights_of(node)
    if name is None or choices is None:
        return []
    names = [*choices.__members__]  # DEFAULT is one of them
    if str(name).removeprefix(f"{choices.__name__}.") in names:
        return []
    model = str(node["_target_"]).rpartition(".")[2]
    near = difflib.get_close_matches(str(name), names, n=1)
    instead = ", ".join([*near, *[choice for choice in names if choice not in near], "null (random numbers)"])
    return [Problem(f"{where}={name} does not exist", f"torchvision has no such weights for {model}", where, instead)]


def _class_problems(node: DictConfig, outputs: int) -> list[Problem]:
    choices = weights_of(node)
    if choices is None:
        return []
    weights = choices[str(node.weights).removeprefix(f"{choices.__name__}.")]
    trained = len(weights.meta["categories"])
    if trained == outputs:
        return []
    classes = trained - ("detection" in str(node["_target_"]))  # detectors count the background as an output
    return [
        Problem(
            f"task.num_classes does not fit architecture.model.weights={node.weights}",
            f"these weights have {trained} outputs, the task has {outputs}",
            "task.num_classes",
            f"task.num_classes={classes}, or architecture.model.weights=null with backbone.weights=DEFAULT",
        )
    ]


def _problem_of(cause: BaseException, message: str, where: str, node: Any) -> Problem | None:
    """The user's part in a failed instantiation, or None where it looks like a bug."""
    if isinstance(cause, URLError | ConnectionError | TimeoutError) or "invalid hash value" in str(cause):
        folder = f"{torch.hub.get_dir()}/checkpoints"
        instead = f"backbone.weights=null (random numbers), or the file in {folder}"
        return Problem("the pretrained weights could not be downloaded", str(cause), "backbone.weights", instead)
    key = message.rpartition("full_key: ")[2].strip() if "full_key: " in message else ""
    place = key if key.startswith(where) else f"{where}.{key}"  # Hydra counts from the root, if it knows one
    place = place.strip(".")
    if isinstance(cause, TypeError) and "argument" in str(cause):
        return Problem(f"{place} does not fit its _target_", str(cause), place, "the arguments that the _target_ takes")
    if "Error locating target" in message or isinstance(cause, ImportError):
        what, instead = f"{place}._target_ cannot be imported", "the dotted path of a class or function"
        return Problem(what, " ".join(str(cause).split()), place, instead)
    return None
