"""What does not go along: to another device, another type, a file, a second build."""

import numpy as np
import torch
from torch import nn

from bugs.bug import Bug, Classifier, subject


class PlainConstant(Classifier):
    def __init__(self):
        super().__init__()
        self.scale = torch.linspace(0.5, 1.5, self.width)

    def pooled(self, maps):
        return super().pooled(maps) * self.scale


class ConstantsInADict(Classifier):
    def __init__(self):
        super().__init__()
        self.constants = {"shift": torch.linspace(-1, 1, self.width)}

    def pooled(self, maps):
        return super().pooled(maps) + self.constants["shift"]


class ConstantWithoutRest(Classifier):
    CONSTANT = torch.ones(3, 1, 1)

    def maps(self, x):
        return super().maps(x * self.CONSTANT)


class DeviceInside(Classifier):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled + torch.zeros(pooled.shape, device="cpu")


class NewTensorInside(Classifier):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        return torch.cat([pooled[:, 1:], torch.ones(len(pooled), 1)], 1)


class ToCpuInside(Classifier):
    def head(self, pooled):
        return super().head(pooled).cpu()


class ThroughNumpy(Classifier):
    def pooled(self, maps):
        pooled = super().pooled(maps)
        mean = torch.from_numpy(pooled.detach().numpy().mean(0, keepdims=True) * 0)
        return pooled + mean


class Float64Constant(Classifier):
    def __init__(self):
        super().__init__()
        self.register_buffer("shift", torch.from_numpy(np.linspace(-1, 1, self.width)))

    def pooled(self, maps):
        return (super().pooled(maps) + self.shift).to(self.fc.weight.dtype)


class Float64Inside(Classifier):
    def pooled(self, maps):
        return maps.double().mean((2, 3)).to(maps.dtype)


class NotRegistered(Classifier):
    def __init__(self):
        super().__init__()
        self.extra = [nn.Linear(self.width, self.width)]

    def pooled(self, maps):
        pooled = super().pooled(maps)
        return pooled + self.extra[0].to(maps.dtype)(pooled)


class StateNotSaved(Classifier):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", 1 + torch.rand(self.width), persistent=False)

    def pooled(self, maps):
        return super().pooled(maps) * self.scale


class UnseededStart(Classifier):
    def __init__(self):
        super().__init__()
        draw = np.random.default_rng().normal(0, 0.1, self.fc.weight.shape)
        self.fc.weight.data = torch.tensor(draw, dtype=torch.float32)


def of(model):
    return lambda: subject(model)


BUGS = [
    Bug("constant that is no buffer", "portable", of(PlainConstant)),
    Bug("constants in a dict", "portable", of(ConstantsInADict)),
    Bug("constant of the class", "portable", of(ConstantWithoutRest)),
    Bug("device named inside", "portable", of(DeviceInside)),
    Bug("tensor made on the CPU inside", "portable", of(NewTensorInside)),
    Bug("answer moved to the CPU", "portable", of(ToCpuInside)),
    Bug("through numpy and back", "portable", of(ThroughNumpy)),
    Bug("float64 buffer", "portable", of(Float64Constant)),
    Bug("float64 inside", "portable", of(Float64Inside)),
    Bug("layer not registered", "state_dict_round_trip portable", of(NotRegistered)),
    Bug("random buffer not saved", "state_dict_round_trip", of(StateNotSaved)),
    Bug("weights drawn without the seed", "reproducible", of(UnseededStart)),
]
