"""Where images come from, with what is known of each."""

from aistudio.data.images import ImageFolder
from aistudio.data.labelled import Labelled
from aistudio.data.sample import Scene, Source
from aistudio.data.synthetic import Synthetic

__all__ = [
    "ImageFolder",
    "Labelled",
    "Scene",
    "Source",
    "Synthetic",
]
