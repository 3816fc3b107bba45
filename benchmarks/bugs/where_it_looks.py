"""The wrong part looks: places, colours, units and blocks that have no say, or one that has all."""

import torch
from torch import nn

from bugs.bug import Bug, Classifier, Segmenter, segmenting, subject


class FirstCell(Classifier):
    def pooled(self, maps):
        return maps[:, :, 0, 0]


class CentreCell(Classifier):
    def pooled(self, maps):
        return maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2]


class LeftHalf(Classifier):
    def pooled(self, maps):
        return super().pooled(maps[..., : maps.shape[3] // 2])


class FirstRow(Classifier):
    def pooled(self, maps):
        return super().pooled(maps[:, :, :1])


class LastRowLost(Classifier):
    def pooled(self, maps):
        return super().pooled(maps[:, :, :-1])


class Crop(Classifier):
    def maps(self, x):
        return super().maps(x[:, :, 16:48, 16:48])


class CornerCrop(Classifier):
    def maps(self, x):
        return super().maps(x[:, :, :48, :48])


class Vignette(Classifier):
    def maps(self, x):
        ramp = torch.linspace(-1, 1, x.shape[-1], device=x.device, dtype=x.dtype)
        return super().maps(x * ((ramp**2 + ramp[:, None] ** 2) < 0.6))


class Faded(Classifier):
    """The right of each image at a ten-thousandth of its contrast."""

    def maps(self, x):
        fade = torch.ones(x.shape[-1], device=x.device, dtype=x.dtype)
        fade[x.shape[-1] // 2 :] = 1e-4
        return super().maps(x * fade)


class OneColour(Classifier):
    def maps(self, x):
        return super().maps(x * torch.tensor([0, 1, 0], device=x.device, dtype=x.dtype).view(3, 1, 1))


class NoBlue(Classifier):
    def maps(self, x):
        return super().maps(torch.cat([x[:, :2], torch.zeros_like(x[:, 2:])], 1))


class HalfMasked(Classifier):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled * (torch.arange(self.width, device=pooled.device) < self.width // 2)


class FirstChannels(Classifier):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(self.width // 4, self.fc.out_features)

    def pooled(self, maps):
        return super().pooled(maps)[:, : self.width // 4]


class NeverAboveZero(Classifier):
    """Half of the units are pushed so far down that their ReLU never opens."""

    def pooled(self, maps):
        down = 50.0 * (torch.arange(self.width, device=maps.device) % 2)
        return super().pooled((maps - down.view(-1, 1, 1)).relu())


class HalfHidden(Classifier):
    """Two layers in the head; half of the units between them have no say."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(self.width, 64)
        self.fc = nn.Linear(64, self.fc.out_features)

    def pooled(self, maps):
        hidden = self.hidden(super().pooled(maps)).tanh()
        return torch.cat([hidden[:, :32], torch.zeros_like(hidden[:, 32:])], 1)


class BlindHead(Classifier):
    def pooled(self, maps):
        return super().pooled(maps) * 0 + self.fc.weight.mean(0)


class DrownedSignal(Classifier):
    def pooled(self, maps):
        return super().pooled(maps) * 1e-9 + torch.linspace(-1, 1, self.width, device=maps.device, dtype=maps.dtype)


class DeadOutput(Classifier):
    def head(self, pooled):
        return super().head(pooled) * torch.tensor([1, 1, 0, 1], dtype=pooled.dtype, device=pooled.device)


class LogitsAboveZero(Classifier):
    def head(self, pooled):
        return (super().head(pooled) - 10).relu()


class FirstImageForAll(Classifier):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled[:1].expand_as(pooled)


class SegmenterLeftHalf(Segmenter):
    def maps(self, x):
        half = x.shape[-1] // 2
        return super().maps(torch.cat([x[..., :half], torch.zeros_like(x[..., half:])], -1))


class SegmenterCrop(Segmenter):
    def maps(self, x):
        return super().maps(x[:, :, 8:-8, 8:-8])


class MaskedBuffer(Classifier):
    """Half of the units behind a ReLU are multiplied by zeros."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(self.width, 64)
        self.fc = nn.Linear(64, self.fc.out_features)
        self.register_buffer("mask", torch.arange(64) % 2)

    def pooled(self, maps):
        return self.hidden(super().pooled(maps)).relu() * self.mask


def of(model):
    return lambda: subject(model)


BUGS = [
    Bug("head reads the first cell", "uses_every_place", of(FirstCell)),
    Bug("head reads the middle cell", "uses_every_place", of(CentreCell)),
    Bug("head reads the left half", "uses_every_place", of(LeftHalf)),
    Bug("head reads the first row", "uses_every_place", of(FirstRow)),
    Bug("last row lost", "uses_every_place", of(LastRowLost)),
    Bug("fixed crop of the middle", "uses_every_place input_range", of(Crop)),
    Bug("fixed crop of a corner", "uses_every_place input_range", of(CornerCrop)),
    Bug("corners masked", "uses_every_place input_range", of(Vignette)),
    Bug("right half faded", "uses_every_place input_range", of(Faded)),
    Bug("green only", "uses_every_place input_range", of(OneColour)),
    Bug("blue lost", "uses_every_place input_range", of(NoBlue)),
    Bug("half of the features masked", "uses_every_place gradients", of(HalfMasked)),
    Bug("first quarter of the channels", "uses_every_place", of(FirstChannels)),
    Bug("half of the units never above zero", "uses_every_place", of(NeverAboveZero)),
    Bug("half of a hidden layer masked", "uses_every_place gradients", of(HalfHidden)),
    Bug("half of the units behind a ReLU masked", "uses_every_place", of(MaskedBuffer)),
    Bug("head that sees nothing", "uses_images", of(BlindHead)),
    Bug("signal drowned in a constant", "uses_images", of(DrownedSignal)),
    Bug("dead output", "uses_images", of(DeadOutput)),
    Bug("ReLU on the logits", "uses_images gradients", of(LogitsAboveZero)),
    Bug("first image answers for all", "uses_images batch_independence loss_is_whole", of(FirstImageForAll)),
    Bug("segmenter sees the left half", "uses_every_place input_range", lambda: segmenting(SegmenterLeftHalf)),
    Bug("segmenter sees the middle, enlarged", "uses_every_place input_range", lambda: segmenting(SegmenterCrop)),
]
