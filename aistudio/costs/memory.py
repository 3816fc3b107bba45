"""The forecast: what a pass or a training step of a model needs of memory and arithmetic, told from shapes alone.

A step is simulated on the meta device under a mode that counts the live bytes of tensors, so it costs the same at any
batch and image size. What kernels take for themselves is not in it: the numbers are lower bounds of what a device uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from aistudio.costs.arithmetic import Arithmetic, Operation
from aistudio.costs.attention import FusedAttention
from aistudio.costs.autocast import Autocast, Backend
from aistudio.costs.data_dependent import DataDependent, needs_data, pasting_whole_masks
from aistudio.costs.live_bytes import BLOCKS, Kind, LiveBytes
from aistudio.costs.meta import grown, on_meta, untouched
from aistudio.models.nested import tensors_in

_FEWEST = 1  # regions an image that NMS leaves, and that are foreground, at the lower end
_TELLING = 2  # images that tell whether regions matter


@dataclass(frozen=True)
class Workload:
    """What is to be forecast, in the words of `aistudio.tasks.Task`.

    ``one`` and ``two`` are (inputs, targets) for one image and for two, of which only the shapes are used.
    ``optimizer`` makes one from parameters. ``backend`` decides what autocast casts and whether the optimiser works on
    lists of tensors, as CUDA's do.
    """

    build: Callable[[], nn.Module]
    loss: Callable[[nn.Module, Any, Any], Mapping[str, Tensor]]
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer]
    one: tuple[Any, Any]
    two: tuple[Any, Any]
    precision: torch.dtype = torch.float32
    backend: Backend = "cuda"


@dataclass(frozen=True)
class Peak:
    """The most that is alive at once, in bytes: in all and ``by_kind``, in which ``phase``, at which ``place``.

    ``least`` is the lower end where the number of regions depends on the images, and on what an untrained model makes
    of them: one an image besides its objects; else the same as ``bytes``.
    """

    bytes: int
    least: int
    by_kind: Mapping[Kind, int]
    phase: str
    place: str
    operations: tuple[Operation, ...] = ()

    @property
    def multiply_adds(self) -> int:
        """Of the whole pass or step."""
        return sum(operation.multiply_adds for operation in self.operations)

    @property
    def activations(self) -> int:
        """Of the whole pass: the elements that its convolutions write."""
        return sum(operation.activations for operation in self.operations)


class Forecaster:
    """Forecasts of one workload at any number of images. Raises `CannotFollow` where the data decides what is run."""

    def __init__(self, workload: Workload):
        self.workload = workload
        self.model = on_meta(workload.build)
        self._depends_on_data = False
        self._ranges: bool | None = None  # whether the number of regions matters; not known before it was tried
        self._without_gradient: frozenset[str] = frozenset()

    def training(self, count: int, operations: bool = False) -> Peak:
        """One step, forward, backward and optimiser, whose state is there already."""
        return self._ranged(self._train, count, operations)

    def inference(self, count: int, operations: bool = False) -> Peak:
        """One forward pass in eval mode, without gradient."""
        return self._ranged(self._infer, count, operations)

    def _ranged(self, run: Callable[..., Peak], count: int, operations: bool) -> Peak:
        with untouched(), pasting_whole_masks():
            if not self._depends_on_data:
                try:
                    return run(count, operations, None)
                except (NotImplementedError, RuntimeError) as error:
                    if not needs_data(error):
                        raise
                    self._depends_on_data = True
            most = run(count, operations, self._with(None))
            return replace(most, least=self._lower_end(most, count)) if self.model.training else most

    def _with(self, fewest: int | None) -> DataDependent:
        return DataDependent(_foreground_share(self.model), fewest)

    def _lower_end(self, most: Peak, count: int) -> int:
        """What a step needs with few regions, if that is less by more than a thousandth of what grows with the batch.

        Where it is not for two images, or more, the number of regions is taken to matter for no batch.
        """
        if self._ranges is False:
            return most.bytes
        least = min(self._train(count, False, self._with(_FEWEST)).bytes, most.bytes)
        if self._ranges is None:
            growing = most.by_kind["activations"] + most.by_kind["input"]
            matters = most.bytes - least > max(growing, most.bytes / 10) / 1000
            if not matters and count < _TELLING:  # the peak of a single image may lie in the optimiser
                self._lower_end(self._train(_TELLING, False, self._with(None)), _TELLING)
            else:
                self._ranges = matters
        return least if self._ranges else most.bytes

    def _train(self, count: int, operations: bool, below: DataDependent | None) -> Peak:
        peak, missing = self._step(count, operations, below)
        if missing != self._without_gradient:  # parameters that no gradient reaches have no state either
            self._without_gradient = missing
            peak, _ = self._step(count, operations, below)
        return peak

    def _step(self, count: int, operations: bool, below: DataDependent | None) -> tuple[Peak, frozenset[str]]:
        model = self.model.train()
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        optimizer = self._optimizer(model, [p for name, p in trained.items() if name not in self._without_gradient])
        inputs, targets = self._batch(count)
        with self._counting(below, operations, [inputs, targets], optimizer) as (live, arithmetic):
            optimizer.zero_grad(set_to_none=True)
            live.phase = "forward"
            with self._autocast():
                total = sum(self.workload.loss(model, inputs, targets).values())
            live.phase = "backward"
            if isinstance(total, Tensor) and total.requires_grad:
                total.backward()
            live.phase = "optimizer"
            optimizer.step()
        missing = frozenset(name for name, p in trained.items() if p.grad is None)
        model.zero_grad(set_to_none=True)
        return _peak(live, arithmetic), missing

    def _infer(self, count: int, operations: bool, below: DataDependent | None) -> Peak:
        model = self.model.eval()
        inputs, _ = self._batch(count)
        with self._counting(below, operations, [inputs], None) as (live, arithmetic), torch.no_grad():
            live.phase = "inference"
            with self._autocast():
                model(inputs)
        return _peak(live, arithmetic)

    def _batch(self, count: int) -> tuple[Any, Any]:
        one, two = self.workload.one, self.workload.two
        return grown(one[0], two[0], count), grown(one[1], two[1], count)

    def _autocast(self) -> Any:
        if self.workload.precision == torch.float32:
            return ExitStack()
        return Autocast(self.workload.precision, self.workload.backend)

    def _optimizer(self, model: nn.Module, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser after its first step, when its state is there."""
        optimizer = self.workload.optimizer(parameters)
        for group in optimizer.param_groups:
            if self.workload.backend == "cuda" and group.get("foreach", False) is None and not group.get("fused"):
                group["foreach"] = True  # what torch chooses there
        for parameter in parameters:
            parameter.grad = torch.empty_like(parameter)
        with LiveBytes():  # for its shortcuts
            optimizer.step()
        return optimizer

    @contextmanager
    def _counting(
        self, below: DataDependent | None, operations: bool, batch: list[Any], optimizer: Any
    ) -> Iterator[tuple[LiveBytes, Arithmetic | None]]:
        model, arithmetic = self.model, Arithmetic() if operations else None
        live = LiveBytes(model, block=BLOCKS[self.workload.backend])
        live.hold([*model.parameters(), *model.buffers()], "weights")
        live.hold(tensors_in(batch), "input")
        state = optimizer.state.values() if optimizer else ()
        live.hold(tensors_in([list(of_one.values()) for of_one in state]), "optimizer")
        live.hold([p.grad for p in model.parameters()], "gradients")
        hooks = [
            p.register_post_accumulate_grad_hook(lambda p: live.rename([p.grad], "gradients"))
            for p in (model.parameters() if optimizer else ())
            if p.requires_grad
        ]
        with ExitStack() as stack:
            for mode in (below, arithmetic, live, FusedAttention()):
                if mode is not None:
                    stack.enter_context(mode)
            try:
                yield live, arithmetic
            finally:
                for hook in hooks:
                    hook.remove()


def _foreground_share(model: nn.Module) -> float:
    """The share of sampled regions that may be foreground, 1 where no sampler draws any."""
    heads = [module for module in model.modules() if hasattr(module, "box_roi_pool")]
    samplers = [one for head in heads if hasattr(one := getattr(head, "fg_bg_sampler", None), "positive_fraction")]
    return max((float(one.positive_fraction) for one in samplers if one is not None), default=1.0)


def _peak(live: LiveBytes, arithmetic: Arithmetic | None) -> Peak:
    done = tuple(arithmetic.operations) if arithmetic else ()
    return Peak(live.peak, live.peak, live.at_peak, live.peak_phase, live.place, done)
