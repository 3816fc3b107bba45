"""Where images come from, with what is known of each."""

from aistudio.data.images import ImageFolder
from aistudio.data.labelled import Labelled
from aistudio.data.objects import place_objects
from aistudio.data.sample import Painter, Sample, Source
from aistudio.data.synthetic import Synthetic

__all__ = [
    "ImageFolder",
    "Labelled",
    "Painter",
    "Sample",
    "Source",
    "Synthetic",
    "place_objects",
]
