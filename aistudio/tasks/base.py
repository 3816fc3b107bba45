"""What a task is: targets of samples, a loss, what the model's output must look like, and a drawing of it.

One file a task, the same things in each; reading one teaches all seven. Your own task is a class with these members,
named by ``_target_`` in a YAML file; nothing is registered. What several of ours have alike is in `StackTask` and
`DetectionTask`. N images, C classes, K objects, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from PIL.Image import Image
from torch import Tensor, nn

from aistudio.data.imagenet import normalize
from aistudio.data.sample import Sample
from aistudio.tasks import detection_contracts, detection_drawing
from aistudio.tasks.detection_maps import raw_maps


class Task(Protocol):
    """What every task has.

    ``num_outputs`` is what the model's last layer gives. Labels of samples are 0 … ``sample_labels`` - 1, at most
    ``max_objects`` an image. ``allows_empty``: an image without any object is a legal case.
    """

    num_outputs: int
    sample_labels: int
    max_objects: int
    allows_empty: bool

    def inputs(self, images: Sequence[Tensor]) -> Tensor | list[Tensor]:
        """Images (3, H, W) in [0, 1] → what the model takes. The only place that normalises, and only once."""

    def target(self, sample: Sample) -> Any:
        """The target of one image."""

    def collate(self, targets: Sequence[Any]) -> Any:
        """Targets of single images → those of a batch, as `loss` takes them."""

    def target_problems(self, images: Sequence[Tensor], targets: Any) -> list[str]:
        """What is wrong with a batch of targets, given its images in [0, 1]; the models take most of it silently."""

    def loss(self, model: nn.Module, inputs: Any, targets: Any) -> dict[str, Tensor]:
        """Named scalars, whose sum is the training loss. The model is in train mode."""

    def raw_outputs(self, model: nn.Module, inputs: Any) -> dict[str, Tensor]:
        """Undecoded outputs (N, …), for comparing two forwards. The model is in eval mode."""

    def output_problems(self, output: Any, inputs: Any) -> list[str]:
        """How an eval-mode output breaks the task's contract: names, shapes, dtypes, ranges. [] if it holds."""

    def training_output_problems(self, output: Any, inputs: Any) -> list[str]:
        """The same for a train-mode output."""

    def metrics(self, output: Any, samples: Sequence[Sample]) -> dict[str, float]:
        """Eval-mode outputs for a batch against what is true of its samples, whatever their targets were.

        Named numbers, the field's usual one first; NaN where it cannot be told. A task without this member trains as
        well, but nothing says how good its outputs are.
        """

    def enlarge(self, values: Any, factor: float) -> Any:
        """A target or an eval-mode output of one image as it would be for one ``factor`` times as large.

        A task without it is drawn at the size that checks run at, and always with both, target and output.
        """

    def draw(self, image: Tensor, target: Any, output: Any) -> Image:
        """The image (3, H, W) in [0, 1] with its target and the eval-mode output for it, for people.

        Either may be None, which draws the other alone.
        """


class StackTask:
    """The members that tasks share whose images have one size and become one stack.

    ``image_mean`` and ``image_std`` are those that images are normalised with; None is ImageNet's.
    """

    image_mean: Sequence[float] | None = None
    image_std: Sequence[float] | None = None

    def inputs(self, images: Sequence[Tensor]) -> Tensor:
        """Images of one size → (N, C, H, W), normalised."""
        return normalize(torch.stack(list(images)), self.image_mean, self.image_std)

    def collate(self, targets: Sequence[Tensor]) -> Tensor:
        """Targets of one shape → one stack of them, (N, …)."""
        return torch.stack(list(targets))

    def output_problems(self, output: Any, inputs: Any) -> list[str]:
        """Each task's own."""
        raise NotImplementedError

    def training_output_problems(self, output: Any, inputs: Any) -> list[str]:
        """As in eval mode."""
        return self.output_problems(output, inputs)

    def enlarge(self, values: Any, factor: float) -> Any:
        """What is said of an image is the same in one of any size."""
        return values


class DetectionTask:
    """The members that tasks share whose model finds objects: a list of images, and losses of its own.

    ``num_classes`` leaves out the background; the model's last layer has it.
    """

    max_objects = 3
    allows_empty = True
    in_channels = 3
    class_names: Sequence[str] = ()  # of labels 1, 2, …

    def __init__(self, num_classes: int, in_channels: int = 3):
        self.in_channels = in_channels
        self.sample_labels = num_classes
        self.num_outputs = num_classes + 1

    def inputs(self, images: Sequence[Tensor]) -> list[Tensor]:
        """The images as they are: detectors take a list in [0, 1], of any sizes, and normalise inside."""
        return list(images)

    def enlarge(self, values: dict[str, Tensor], factor: float) -> dict[str, Tensor]:
        """A target or an output for an image ``factor`` times as large."""
        return detection_drawing.enlarge(values, factor)

    def collate(self, targets: Sequence[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
        """The list itself."""
        return list(targets)

    def loss(self, model: nn.Module, inputs: list[Tensor], targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """The architecture's own losses."""
        return model(inputs, targets)

    def raw_outputs(self, model: nn.Module, inputs: list[Tensor]) -> dict[str, Tensor]:
        """The heads' maps, before anything is decoded."""
        return raw_maps(model, inputs)

    def training_output_problems(self, output: Any, inputs: list[Tensor]) -> list[str]:
        """Scalar losses."""
        return detection_contracts.training_output_problems(output)
