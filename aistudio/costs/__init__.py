"""What a model costs, each number with its definition."""

from aistudio.costs.measure import Measure

__all__ = [
    "Measure",
]
