"""Backbones behind one interface, the head that is put on them, and freezing; nothing here knows of configurations."""

from aistudio.models.backbone import BackboneWrapper
from aistudio.models.freeze import freeze
from aistudio.models.head import BackboneWithHead, PooledHead
from aistudio.models.input_contract import InputContract

__all__ = [
    "BackboneWithHead",
    "BackboneWrapper",
    "InputContract",
    "PooledHead",
    "freeze",
]
