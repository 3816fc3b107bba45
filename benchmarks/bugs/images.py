"""What becomes of the images before the backbone sees them."""

from dataclasses import replace

import torch

from aistudio.data import Synthetic
from aistudio.data.imagenet import normalize
from bugs.bug import Bug, Classifier, classifying, segmenting, subject


class NormalisesAgain(Classifier):
    def maps(self, x):
        return super().maps((x - 0.45) / 0.225)


class ColoursReversedInside(Classifier):
    def maps(self, x):
        return super().maps(x.flip(1))


class MirroredInside(Classifier):
    def maps(self, x):
        return super().maps(x.flip(3))


class TurnedInside(Classifier):
    def maps(self, x):
        return super().maps(x.transpose(2, 3))


class GreyInside(Classifier):
    def maps(self, x):
        return super().maps(x.mean(1, keepdim=True).expand_as(x))


class ThumbnailInside(Classifier):
    def maps(self, x):
        small = torch.nn.functional.interpolate(x, (16, 16), mode="area")
        return super().maps(torch.nn.functional.interpolate(small, x.shape[-2:], mode="nearest"))


class SmallInside(Classifier):
    def maps(self, x):
        return super().maps(torch.nn.functional.interpolate(x, scale_factor=0.25, mode="area"))


class NormalisedByImage(Classifier):
    """A blank image divides by zero."""

    def maps(self, x):
        return super().maps((x - x.mean((1, 2, 3), True)) / x.std((1, 2, 3), keepdim=True))


class LogarithmInside(Classifier):
    def maps(self, x):
        return super().maps(torch.log(x - x.amin((1, 2, 3), True)).clamp(min=-100) + (x / x.amax((1, 2, 3), True)))


def prepared(change):
    """A task's images, changed before they are normalised."""
    return lambda task, images: task.inputs([change(image) for image in images])


def after(change):
    return lambda task, images: change(task.inputs(images))


def not_normalised(task, images):
    return torch.stack(list(images))


def first_for_all(task, images):
    return task.inputs([images[0]] * len(images))


def last_first(task, images):
    return task.inputs(list(images)[::-1])


def statistics_reversed(task, images):
    return normalize(torch.stack(list(images)).flip(1)).flip(1)


def stretched(image):
    return (image - image.min()) / (image.max() - image.min()).clamp(min=1e-6)


def corner(image):
    height, width = image.shape[-2:]
    part = image[None, :, : height // 2, : width // 2]
    return torch.nn.functional.interpolate(part, (height, width), mode="bilinear")[0]


def thumbnail(image):
    small = torch.nn.functional.interpolate(image[None], (12, 12), mode="area")
    return torch.nn.functional.interpolate(small, image.shape[-2:], mode="bilinear")[0]


def of(model):
    return lambda: subject(model)


class Brightness(Synthetic):
    """A source whose images are in another range."""

    def __init__(self, scale, shift=0.0):
        super().__init__()
        self.scale, self.shift = scale, shift

    def paint(self, labels, size, generator):
        return [
            replace(one, image=self.scale * one.image + self.shift) for one in super().paint(labels, size, generator)
        ]


BUGS = [
    Bug("a source in 0 to 255", "input_range", lambda: subject(source=Brightness(255))),
    Bug("a source in -1 to 1", "input_range", lambda: subject(source=Brightness(2, -1))),
    *(
        Bug(name, "input_range", lambda inputs=inputs: classifying(inputs=inputs))
        for name, inputs in (
            ("not normalised", not_normalised),
            ("in 0 to 255", prepared(lambda image: 255 * image)),
            ("divided by 255 twice", prepared(lambda image: image / 255)),
            ("colours reversed", prepared(lambda image: image.flip(0))),
            ("grey", prepared(lambda image: image.mean(0, keepdim=True).expand_as(image))),
            ("inverted", prepared(lambda image: 1 - image)),
            ("mirrored", prepared(lambda image: image.flip(2))),
            ("upside down", prepared(lambda image: image.flip(1))),
            ("transposed", prepared(lambda image: image.transpose(1, 2))),
            ("stretched to 0 … 1", prepared(stretched)),
            ("gamma of 2.2", prepared(lambda image: image**2.2)),
            ("squared contrast", prepared(lambda image: (0.5 + 2 * (image - 0.5)).clamp(0, 1))),
            ("corner enlarged", prepared(corner)),
            ("thumbnail enlarged", prepared(thumbnail)),
            ("rounded to whole numbers", prepared(torch.round)),
            ("first image for all", first_for_all),
            ("images in reverse order", last_first),
            ("statistics in BGR order", statistics_reversed),
            ("clamped after normalising", after(lambda inputs: inputs.clamp(0, 1))),
            ("standardised by the batch", after(lambda inputs: (inputs - inputs.mean()) / inputs.std())),
            ("red only", after(lambda inputs: inputs * torch.tensor([1, 0, 0]).view(3, 1, 1))),
        )
    ),
    Bug("mirrored, segmentation", "input_range", lambda: segmenting(inputs=prepared(lambda image: image.flip(2)))),
    Bug("normalised twice", "input_range", of(NormalisesAgain)),
    Bug("colours reversed inside", "input_range", of(ColoursReversedInside)),
    Bug("mirrored inside", "input_range", of(MirroredInside)),
    Bug("transposed inside", "input_range", of(TurnedInside)),
    Bug("grey inside", "input_range", of(GreyInside)),
    Bug("thumbnail inside", "input_range", of(ThumbnailInside)),
    Bug("a quarter of the size inside", "input_range", of(SmallInside)),
    Bug("standardised by the image", "input_range blank_images", of(NormalisedByImage)),
    Bug("logarithm of zero on blank images", "input_range blank_images", of(LogarithmInside)),
    Bug(
        "colours reversed in the files themselves",
        "input_range",
        lambda: subject(),
        "random weights know no order of colours, and nothing says which of the two was meant",
    ),
]
