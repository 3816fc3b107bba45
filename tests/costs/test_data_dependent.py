"""Bounds in place of what only data can tell."""

import pytest
import torch
import torchvision

from aistudio.costs.data_dependent import CannotFollow, DataDependent


def meta(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


def sampled(labels, most, share):
    """As torchvision's sampler of foreground and background writes it."""
    positive, negative = torch.where(labels >= 1)[0], torch.where(labels == 0)[0]
    count = min(int(most * share), positive.numel())
    chosen = torch.zeros_like(labels, dtype=torch.uint8)
    chosen[positive[torch.randperm(positive.numel(), device=labels.device)[:count]]] = 1
    others = torch.zeros_like(labels, dtype=torch.uint8)
    others[negative[torch.randperm(negative.numel(), device=labels.device)[: most - count]]] = 1
    return chosen, others


def test_a_sampler_draws_as_many_as_it_may():
    with DataDependent():
        chosen, others = sampled(meta(100_000, dtype=torch.int64), 256, 0.5)
        assert len(torch.where(chosen | others)[0]) == 256
        assert len(torch.where(chosen)[0]) == 128
        assert len(torch.nonzero(torch.cat([chosen, others, chosen]))) == 384
        assert len(meta(100_000, 4)[(chosen | others).bool()]) == 256


def test_the_lower_end_has_as_many_as_there_are_objects():
    with DataDependent(fewest=3):
        chosen, others = sampled(meta(100_000, dtype=torch.int64), 256, 0.5)
        assert len(torch.where(chosen)[0]) == 3
        assert len(torch.where(chosen | others)[0]) == 256


def test_the_lower_end_is_left_by_nms():
    boxes, scores = meta(2000, 4), meta(2000)
    for fewest, left in ((None, 2000), (1, 1)):
        with DataDependent(fewest=fewest):
            assert len(torchvision.ops.nms(boxes, scores, 0.7)) == left


def test_foreground_is_the_sampler_s_share():
    with DataDependent(foreground=0.25):
        assert len(torch.where(meta(512, dtype=torch.int64) > 0)[0]) == 128
        assert len(torch.where(meta(512) > 0)[0]) == 512  # scores are no labels


def test_regions_spread_evenly_over_levels():
    with DataDependent():
        levels = torch.clamp(torch.floor(meta(512)), min=2, max=5).to(torch.int64) - 2
        assert [len(torch.where(levels == level)[0]) for level in range(4)] == [128] * 4
        assert len(torch.where(meta(512, dtype=torch.int64) == 0)[0]) == 512


def test_unknown_masks_have_all_their_elements():
    with DataDependent():
        mask = meta(10, 20, dtype=torch.bool)
        assert torch.nonzero(mask).shape == (200, 2)
        assert meta(10, 20, 3)[mask].shape == (200, 3)
        assert torch.masked_select(meta(10, 20), mask).shape == (200,)
        x = meta(10, 20)
        x[mask] = 1.0
        assert torchvision.ops.nms(meta(50, 4), meta(50), 0.5).shape == (50,)


def test_gradients_flow_through_what_was_chosen():
    with DataDependent():
        x, mask = meta(30, 4).requires_grad_(), meta(30, dtype=torch.bool)
        (x[mask].sum() + torch.masked_select(x, mask[:, None]).sum()).backward()
    assert x.grad.shape == (30, 4)


def test_numbers_that_something_bounds():
    with DataDependent():
        assert int(meta(7, dtype=torch.bool).sum()) == 7
        assert int(meta(9, 4).argmax(1).flatten()[0]) == 3
        assert not bool(meta(5, dtype=torch.bool).any())
        assert bool(meta(5, dtype=torch.bool).all())
        assert meta().item() == 1.0
        assert torch.equal(meta(3), meta(3))


def test_what_nothing_bounds_is_named_with_its_line():
    with DataDependent(), pytest.raises(CannotFollow, match=r"_local_scalar_dense.*line \d+ of test_data_dependent.py"):
        torch.zeros(int(meta(4, dtype=torch.int64).max()))
    with DataDependent(), pytest.raises(CannotFollow, match=r"bincount.*line \d+ of test_data_dependent.py"):
        torch.bincount(meta(4, dtype=torch.int64))


def test_real_tensors_are_left_alone():
    with DataDependent(foreground=0.0):
        assert torch.nonzero(torch.tensor([0, 1, 2]) > 0).flatten().tolist() == [1, 2]
        assert torch.tensor([4.5]).item() == 4.5


def test_other_errors_stay_what_they_are():
    with DataDependent(), pytest.raises(RuntimeError, match="same reduction dim"):
        meta(2, 3) @ meta(4, 5)
