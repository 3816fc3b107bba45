"""Subject: what a check is given. Fresh models, batches made on demand, and passes that several checks share.

No check can disturb another: ``model()`` and ``calibrated()`` hand out copies, and what is shared (``output``,
``training``) is a record that nobody writes to. A copy of a deep model takes as long as a pass: checks that change no
parameter and no setting share ``looked_at``, ``own_code`` and ``losing``. Shapes: N images, 3 channels, H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from aistudio.checks.check_mode import (
    apply_check_mode,
    calibrate,
    open_branches,
    own_code_in_training,
    resize_inside,
    silence_random_layers,
)
from aistudio.checks.sensitivity import LossGradients, loss_gradients
from aistudio.checks.training import FirstStep, WatchedTraining
from aistudio.data.sample import Source
from aistudio.models.ledger import Ledger
from aistudio.models.nested import copied
from aistudio.tasks.base import Task
from aistudio.tasks.batch import Batch, make_batch, painter_of

_FLOAT16_SCALE = 1024.0  # float16 loses gradients below 6e-8; a fixed factor lifts them
NOT_PAINTED = "the source has no images with the labels that this needs: it has no `paint`, as Synthetic has"
EARLY_STEPS = 3  # what is silent because a branch starts at zero is silent no longer

MakeOptimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


@dataclass
class Subject:
    """One assembled model with everything that is needed to examine it.

    ``built`` is the model as assembled, on ``device``; nobody may change it. ``rebuild(seed)`` assembles another one
    whose random weights differ. ``size`` is the side in pixels of the square images of the checks,
    ``image_size`` that of the configuration (0: the same). ``check_mode``
    maps dotted attributes of the model to the values that they have while checks run (fewer regions, lower thresholds);
    those that the model does not have are left out. ``frozen`` says that the configuration froze the whole backbone,
    ``held`` names the tensors that it froze, ``pretrained`` says that the backbone did not start from random numbers,
    ``loaded`` what became of each file of weights; ``rebuild_random(seed)`` assembles a model without any.
    Images have ``channels``, and are to be normalised by ``image_mean`` and ``image_std``, of each; () is ImageNet's.
    ``why_not_one`` says why it cannot train on one image (or ""). ``fit`` is what a check leaves to be drawn of how the
    data fits the model.
    """

    task: Task
    source: Source
    built: nn.Module
    rebuild: Callable[[int], nn.Module]
    optimizer: MakeOptimizer
    device: torch.device = torch.device("cpu")
    size: int = 96
    image_size: int = 0
    batch_size: int = 4
    seed: int = 0
    precision: torch.dtype = torch.float32
    channels_last: bool = False
    compiled: bool = False
    frozen: bool = False
    held: Sequence[str] = ()
    pretrained: bool = False
    loaded: Sequence[Ledger] = ()
    rebuild_random: Callable[[int], nn.Module] | None = None
    why_not_one: str = ""
    channels: int = 3
    image_mean: Sequence[float] = ()
    image_std: Sequence[float] = ()
    check_mode: Mapping[str, Any] = field(default_factory=dict)
    fit: Any = None

    def model(self) -> nn.Module:
        """A fresh copy of the built model in train mode, set up for checks, without random layers."""
        return self.set_up(copied(self.built))

    def set_up(self, model: nn.Module) -> nn.Module:
        """Make a model fit for checks, in place: `check_mode`, image size inside, dropout and stochastic depth off."""
        apply_check_mode(model, self.check_mode)
        resize_inside(model, self.size)
        silence_random_layers(model)
        return model.train()

    def calibrated(self) -> nn.Module:
        """A fresh copy in eval mode whose batch-norm statistics have seen the batch, so that eval checks can see."""
        return copied(self.looked_at)

    def calibrated_state(self) -> dict[str, Tensor]:
        """The state that every copy of the calibrated model starts from; to be read only."""
        return self.looked_at.state_dict()

    @cached_property
    def looked_at(self) -> nn.Module:
        """The calibrated model in eval mode for passes without gradients; it is only asked."""
        return calibrate(self.model(), self.task, self.batch())

    @cached_property
    def own_code(self) -> nn.Module:
        """A calibrated model whose own code is in train mode, its batch norms in eval mode; it is only asked."""
        return own_code_in_training(self.calibrated())

    @cached_property
    def losing(self) -> nn.Module:
        """A model in train mode to take losses of; it is never trained, and statistics that move change no loss."""
        return self.model()

    def batch(
        self,
        count: int | None = None,
        size: int | None = None,
        labels: Sequence[Sequence[int]] | None = None,
        seed: int | None = None,
    ) -> Batch:
        """A batch of square images with targets on the device; by default the one that every check shares.

        ``labels`` gives one list an image, each label in 0 … ``task.sample_labels`` - 1; an empty list is an image
        without object. Ask ``paints`` first.
        """
        if count is None and size is None and labels is None and seed is None:
            return self._batch
        count = count or (len(labels) if labels is not None else self.batch_size)
        seed = self.seed if seed is None else seed
        made = make_batch(self.task, self.source, count, size or self.size, seed, labels)
        return made.to(self.device, channels_last=self.channels_last)

    @property
    def paints(self) -> bool:
        """Whether images with certain labels can be had. A source of one's own need not make any."""
        return painter_of(self.source) is not None

    @cached_property
    def _batch(self) -> Batch:
        return self.batch(count=self.batch_size)

    @cached_property
    def output(self) -> Any:
        """What a calibrated model in eval mode gives for the shared batch (float32 or under autocast)."""
        with torch.no_grad(), self.autocast():
            return self.looked_at(self.batch().inputs)

    @cached_property
    def raw_output(self) -> dict[str, Tensor]:
        """The undecoded output of a calibrated model in eval mode for the shared batch, float32."""
        with torch.no_grad():
            return self.task.raw_outputs(self.looked_at, self.batch().inputs)

    @cached_property
    def training(self) -> WatchedTraining:
        """One model in training on the shared batch; it goes as far as the checks ask and never twice the same step."""
        return self.training_at(1.0)

    @cached_property
    def early_steps(self) -> list[FirstStep]:
        """The first steps of another training, each watched as step 1 is: for what step 1 leaves open."""
        return self.training_at(1.0).watched_steps(EARLY_STEPS)

    def training_at(self, rate: float, full: bool = False) -> WatchedTraining:
        """A training from the start, whose learning rates are ``rate`` times the configured ones.

        With ``full`` it leaves a warm-up out.
        """
        model = self.model()
        optimizer = self.optimizer([p for p in model.parameters() if p.requires_grad])
        for group in optimizer.param_groups if rate != 1.0 else ():
            group["lr"] *= rate
        if full:
            optimizer.register_step_pre_hook(_without_warm_up)
        scale = _FLOAT16_SCALE if self.precision == torch.float16 else 1.0
        return WatchedTraining(model, self.built, self.task, self.batch(), optimizer, self.seed, self.autocast, scale)

    def adopt(self, training: WatchedTraining) -> None:
        """Let the model of another training, which learned where the first one did not, be the trained one."""
        self.__dict__["_learned"] = training

    def trained(self) -> nn.Module:
        """A copy of the model as far as it has been trained, recalibrated, in eval mode, still in `check_mode`."""
        return copied(self._trained)

    def give_trained(self) -> nn.Module:
        """The same model itself, to be changed at will: whoever asks next gets another one."""
        model = self._trained
        del self.__dict__["_trained_at"]
        return model

    def trained_output(self) -> Any:
        """What the model, as far as it has been trained, gives in eval mode for the shared batch."""
        with torch.no_grad(), self.autocast():
            return self._trained(self.batch().inputs)

    @property
    def _trained(self) -> nn.Module:
        training = self.__dict__.get("_learned", self.training)
        state = (training, len(training.losses))
        if self.__dict__.get("_trained_at") != state:
            self.__dict__["_as_trained"] = calibrate(copied(training.model), self.task, self.batch())
            self.__dict__["_trained_at"] = state
        return self.__dict__["_as_trained"]

    @cached_property
    def loss_gradients(self) -> LossGradients:
        """The gradients of the loss of a calibrated model to the images, the last map and the outputs."""
        return loss_gradients(self.own_code, self.task, self.batch(), self.seed)

    @cached_property
    def open_loss_gradients(self) -> LossGradients:
        """The same of a model whose branches that start at zero are open."""
        torch.manual_seed(self.seed)
        model = calibrate(open_branches(self.model()), self.task, self.batch())
        return loss_gradients(own_code_in_training(model), self.task, self.batch(), self.seed)

    @property
    def full_size(self) -> int:
        """The side in pixels that the model is configured for."""
        return self.image_size or self.size

    def release(self) -> None:
        """Let go of every shared pass, so that a measurement of memory sees the model alone."""
        for name in self.__dict__.keys() - self.__dataclass_fields__.keys():
            del self.__dict__[name]

    def autocast(self) -> AbstractContextManager:
        """The precision of the run as a context; float32 needs none."""
        if self.precision == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.precision)


def _without_warm_up(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    """The learning rates that a scheduler was given, whatever it made of them."""
    for group in optimizer.param_groups:
        group["lr"] = group.get("initial_lr", group["lr"])


def take(inputs: Tensor | list[Tensor], first: int, count: int) -> Tensor | list[Tensor]:
    """Some images of a batch, (N, 3, H, W) or a list of N."""
    return inputs[first : first + count]
