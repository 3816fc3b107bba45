"""What is given to the optimiser, and what it does with it, through ``architecture.learning.optimizer``."""

from functools import partial

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW

from bugs.bug import Bug, optimising


class NeverZeroed(Adam):
    def zero_grad(self, set_to_none=True):
        pass


class FirstStepOnly(Adam):
    def step(self, closure=None):
        if not self.state:
            super().step(closure)


class FirstThreeSteps(Adam):
    taken = 0

    def step(self, closure=None):
        self.taken += 1
        if self.taken <= 3:
            super().step(closure)


class RareStep(Adam):
    taken = 0

    def step(self, closure=None):
        self.taken += 1
        if self.taken % 50 == 1:
            super().step(closure)


class Scheduled(Adam):
    """An epoch's scheduler, stepped after every batch."""

    factor = 0.1

    def step(self, closure=None):
        super().step(closure)
        for group in self.param_groups:
            group["lr"] *= self.factor


class HalvedEachStep(Scheduled):
    factor = 0.5


class Clipped(SGD):
    most = 1e-9

    def step(self, closure=None):
        parameters = [p for group in self.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, self.most)
        super().step(closure)


class ClippedAdam(Adam):
    def step(self, closure=None):
        for group in self.param_groups:
            nn.utils.clip_grad_value_(group["params"], 0.0)
        super().step(closure)


class SignFlipped(Adam):
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.neg_()
        super().step(closure)


class PutsBack(Adam):
    """Averages weights with a share of nothing: what was learned is put back."""

    def step(self, closure=None):
        before = [[p.detach().clone() for p in group["params"]] for group in self.param_groups]
        super().step(closure)
        with torch.no_grad():
            for group, old in zip(self.param_groups, before, strict=True):
                for parameter, value in zip(group["params"], old, strict=True):
                    parameter.copy_(value)


class Noisy(SGD):
    def step(self, closure=None):
        super().step(closure)
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.add_(torch.randn_like(parameter))


def on_copies(parameters):
    return Adam([nn.Parameter(p.detach().clone()) for p in parameters], lr=1e-2)


def head_only(parameters):
    return Adam(list(parameters)[-2:], lr=1e-2)


def matrices_only(parameters):
    return Adam([p for p in parameters if p.dim() > 1], lr=1e-2)


def every_second(parameters):
    return Adam(list(parameters)[::2], lr=1e-2)


def first_group_only(parameters):
    listed = list(parameters)
    return Adam([{"params": listed[:3]}, {"params": listed[3:], "lr": 0.0}], lr=1e-2)


def of(optimizer):
    return lambda: optimising(optimizer)


BUGS = [
    Bug("gradients never zeroed", "optimizer", of(partial(NeverZeroed, lr=1e-2))),
    Bug("first step only", "optimizer", of(partial(FirstStepOnly, lr=1e-2))),
    Bug("first three steps only", "optimizer", of(partial(FirstThreeSteps, lr=1e-2))),
    Bug("one step in fifty", "optimizer", of(partial(RareStep, lr=1e-2))),
    Bug("epoch's scheduler stepped each batch", "optimizer", of(partial(Scheduled, lr=1e-2))),
    Bug("rate halved each batch", "optimizer", of(partial(HalvedEachStep, lr=1e-2))),
    Bug("gradients clipped to nothing", "optimizer", of(partial(Clipped, lr=0.1))),
    Bug("gradients clipped to zero", "optimizer optimizer_step", of(partial(ClippedAdam, lr=1e-2))),
    Bug("sign flipped inside the step", "optimizer overfits_one_batch", of(partial(SignFlipped, lr=1e-2))),
    Bug("step put back", "optimizer optimizer_step", of(partial(PutsBack, lr=1e-2))),
    Bug("noise added to weights", "optimizer overfits_one_batch", of(partial(Noisy, lr=1e-2))),
    Bug("climbs", "optimizer overfits_one_batch", of(partial(Adam, lr=1e-2, maximize=True))),
    Bug("learning rate 0", "optimizer optimizer_step", of(partial(Adam, lr=0.0))),
    Bug("learning rate 1e-9", "optimizer", of(partial(Adam, lr=1e-9))),
    Bug("learning rate 1e6", "optimizer overfits_one_batch", of(partial(SGD, lr=1e6))),
    Bug("weight decay of 10", "optimizer", of(partial(Adam, lr=1e-2, weight_decay=10.0))),
    Bug("decoupled weight decay of 50", "optimizer", of(partial(AdamW, lr=1e-2, weight_decay=50.0))),
    Bug("eps of 1", "optimizer", of(partial(Adam, lr=1e-3, eps=1.0)), "some train so on purpose: a smaller step"),
    Bug("momentum of 1", "optimizer", of(partial(SGD, lr=1e-2, momentum=1.0))),
    Bug("momentum of 0.9999", "optimizer", of(partial(SGD, lr=1e-2, momentum=0.9999))),
    Bug("dampened away", "optimizer", of(partial(SGD, lr=1e-2, momentum=0.9, dampening=1.0))),
    Bug("copies of the parameters", "optimizer optimizer_step", of(on_copies)),
    Bug("the head's parameters only", "optimizer optimizer_step", of(head_only)),
    Bug("matrices only", "optimizer optimizer_step", of(matrices_only)),
    Bug("every second parameter", "optimizer optimizer_step", of(every_second)),
    Bug("a group whose rate is 0", "optimizer optimizer_step", of(first_group_only)),
]
