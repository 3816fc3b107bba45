"""What fits on a card, and what no pass on it can be faster than."""

import pytest
import torch

from aistudio.costs.arithmetic import Arithmetic, Operation
from aistudio.costs.card import Card, floor

CARD = Card("some", 16 * 2**30, 100e9, {"float32": 1e12, "tf32": 4e12, "bfloat16": 8e12})


def test_fits_keeps_a_tenth_and_a_gigabyte():
    needed = 10**10
    assert Card("just", int(1.1 * needed + 10**9) + 2).fits(needed)
    assert not Card("not quite", int(1.1 * needed + 10**9) - 2).fits(needed)
    assert not Card("tiny", 10**9 - 1).fits(1)


def test_the_floor_is_arithmetic_or_bytes_whichever_is_longer():
    computing = Operation("a", 8 * 10**12, 10**9, torch.bfloat16)
    moving = Operation("b", 8, 10**12, torch.bfloat16)
    assert floor([computing], CARD) == pytest.approx(1)
    assert floor([computing, moving], CARD) == pytest.approx(11)


def test_what_a_compiler_may_fuse_counts_nothing():
    assert floor([Operation("relu", 0, 10**12, torch.float32)], CARD) == 0


def test_float32_may_run_on_tensor_cores():
    assert floor([Operation("a", 4 * 10**12, 1, torch.float32)], CARD) == pytest.approx(1)


def test_no_floor_where_a_peak_is_not_known():
    assert floor([Operation("a", 1, 1, torch.float16)], CARD) is None
    assert floor([Operation("a", 1, 1, torch.float32)], Card("memory alone", 10**10)) is None


@pytest.mark.parametrize("groups", [1, 4, 32])
def test_gradients_of_grouped_convolutions_cost_twice_the_forward_pass(groups):
    conv = torch.nn.Conv2d(32, 32, 3, groups=groups, device="meta")
    x = torch.empty(2, 32, 16, 16, device="meta", requires_grad=True)
    with Arithmetic() as forward:
        y = conv(x)
    with Arithmetic() as backward:
        y.backward(torch.empty_like(y))
    assert forward.multiply_adds == 2 * 32 * 14 * 14 * (32 // groups) * 9
    assert backward.multiply_adds == 2 * forward.multiply_adds


def test_gradients_of_transposed_convolutions_too():
    conv = torch.nn.ConvTranspose2d(8, 16, 3, device="meta")
    x = torch.empty(2, 8, 5, 5, device="meta", requires_grad=True)
    with Arithmetic() as forward:
        y = conv(x)
    with Arithmetic() as backward:
        y.backward(torch.empty_like(y))
    assert backward.multiply_adds == 2 * forward.multiply_adds > 0


def test_the_first_layer_needs_no_gradient_of_its_input():
    conv, x = torch.nn.Conv2d(3, 8, 3, device="meta"), torch.empty(1, 3, 8, 8, device="meta")
    with Arithmetic() as forward:
        y = conv(x)
    with Arithmetic() as backward:
        y.backward(torch.empty_like(y))
    assert backward.multiply_adds == forward.multiply_adds


def test_expanded_axes_are_read_once():
    x, weight = torch.empty(1, 8, device="meta").expand(4, 8), torch.empty(8, 2, device="meta")
    with Arithmetic() as product:
        x @ weight
        weight.T.contiguous().add(1).view(16)
    assert [(one.multiply_adds, one.bytes) for one in product.operations] == [(4 * 8 * 2, 4 * (8 + 16 + 8))]
