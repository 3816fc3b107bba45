"""What a model does with one image: which of its parts it calls, in which order, with what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from aistudio.models.dry_run import dry_run


@dataclass(frozen=True)
class Call:
    """One call of a module: its dotted path, what it took and gave, and how many operations had been seen by then.

    ``took`` is None for a call with more than one argument. ``version`` counts the in-place changes of ``gave`` by
    then, ``took_version`` those of ``took`` when the call began: a map that is changed in between is another one.
    """

    path: str
    took: object
    gave: object
    operations: int
    version: int
    took_version: int


class Operations(TorchDispatchMode):
    """Remembers every operation's name with the tensors it took and what it gave."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[Any, ...], object]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run ``func`` as it is, and note it."""
        gave = func(*args, **(kwargs or {}))
        self.seen.append((func.overloadpacket.__name__, args, gave))
        return gave

    def after(self, call: Call, passing: tuple[str, ...] = ()) -> list[str]:
        """The names of the operations on what ``call`` gave, one after another, up to the first not in ``passing``."""
        names, value = [], call.gave
        for name, args, gave in self.seen[call.operations :]:
            if any(arg is value for arg in args):
                names.append(name)
                if name not in passing:
                    break
                value = gave
        return names


@dataclass(frozen=True)
class Pass:
    """One image ``x`` through a model, by its ``method``: the result, the calls and the operations on the way."""

    method: str
    x: Tensor
    result: Any
    calls: list[Call]
    operations: Operations

    def last_of(self, path: str) -> Any:
        """What the module of that path gave when it was last called, or None."""
        return next((call.gave for call in reversed(self.calls) if call.path == path), None)


def watch(model: nn.Module, method: str, height: int, width: int, channels: int = 3) -> Pass:
    """One dry run, with every call of a link of the model. Raises what the model raises."""
    calls: list[Call] = []
    operations = Operations()

    def starting() -> None:
        calls.clear()
        operations.seen.clear()

    with _recording(model, calls, operations), operations:
        x, result = dry_run(model, height, width, method, starting, channels)
    return Pass(method, x, result, calls, operations)


def called(model: nn.Module, method: str, size: int, channels: int = 3) -> set[str]:
    """The paths of all modules that one dry run calls; every path if the model raises."""
    paths: set[str] = set()
    everything = {path: module for path, module in model.named_modules() if path}
    hooks = [module.register_forward_hook(_adding(paths, path)) for path, module in everything.items()]
    try:
        dry_run(model, size, size, method, channels=channels)
    except Exception:  # a timm model with global_pool="" may have a head that cannot be run
        return set(everything)
    finally:
        for hook in hooks:
            hook.remove()
    return paths


def links(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The children of a model, those of nested Sequentials after their parent, and those of lists in its place."""
    for name, child in module.named_children():
        if not isinstance(child, nn.ModuleList):
            yield prefix + name, child
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from links(child, prefix + name + ".")


@contextmanager
def _recording(model: nn.Module, calls: list[Call], operations: Operations) -> Iterator[None]:
    """Every call of a link is appended to ``calls``; no hook stays behind."""
    entered: dict[str, int] = {}
    hooks = []
    for path, module in links(model):
        hooks.append(module.register_forward_pre_hook(_entering(entered, path), with_kwargs=True))
        hooks.append(module.register_forward_hook(_leaving(entered, path, calls, operations), with_kwargs=True))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _entering(entered: dict[str, int], path: str) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        entered[path] = getattr(args[0], "_version", 0) if args else 0

    return hook


def _leaving(entered: dict[str, int], path: str, calls: list[Call], operations: Operations) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], gave: object) -> None:
        took = args[0] if len(args) == 1 and not kwargs else None
        version = getattr(gave, "_version", 0)
        calls.append(Call(path, took, gave, len(operations.seen), version, entered[path]))

    return hook


def _adding(paths: set[str], path: str) -> Callable[..., None]:
    def hook(module: nn.Module, args: tuple[Any, ...], gave: object) -> None:
        paths.add(path)

    return hook
