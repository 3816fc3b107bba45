"""What a task is: targets of samples, a loss, what the model's output must look like, and a drawing of it.

One file a task, the same things in each; reading one teaches all seven. Your own task is a class with these members,
named by ``_target_`` in a YAML file; nothing is registered. N images, C classes, K objects, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from PIL.Image import Image
from torch import Tensor, nn

from aistudio.data.sample import Sample


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
