"""Results that are not worked out are those that torch would have worked out."""

import pytest
import torch

from aistudio.costs.shortcuts import SAME_TYPE, WORK_OUT, shortcut

aten = torch.ops.aten


def meta(*shape, **options):
    return torch.empty(shape, device="meta", **options)


@pytest.mark.parametrize("name", sorted(SAME_TYPE))
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "transposed", "bfloat16"])
def test_same_shape_strides_and_type(name, layout):
    x = meta(2, 3, 4, 5, dtype=torch.bfloat16 if layout == "bfloat16" else torch.float32)
    x = (
        x.to(memory_format=torch.channels_last)
        if layout == "channels_last"
        else x.transpose(1, 3)
        if layout[0] == "t"
        else x
    )
    packet = getattr(aten, name)
    tried = 0
    for overload in packet.overloads():
        function = getattr(packet, overload)
        needed = [a for a in function._schema.arguments if not a.kwarg_only and not a.has_default_value()]
        kinds = [str(a.type) for a in needed]
        if overload.endswith("mode") or function._schema.is_mutable or not set(kinds) <= {"Tensor", "number", "bool"}:
            continue
        args = [x if kind == "Tensor" else kind == "bool" or 2 for kind in kinds]
        found = shortcut(function, args, {})
        if found is not WORK_OUT:
            expected = function(*args)
            assert (found.shape, found.stride(), found.dtype) == (expected.shape, expected.stride(), expected.dtype)
            tried += 1
    assert tried or layout == "transposed"


@pytest.mark.parametrize(
    "args", [(meta(2, 3), meta(3)), (meta(2, 3), meta(2, 3, dtype=torch.float64)), (meta(3, 2).T, meta(3, 2).T)]
)
def test_broadcast_mixed_and_strided_are_worked_out(args):
    assert shortcut(aten.add.Tensor, args, {}) is WORK_OUT


def test_integers_and_real_tensors_are_worked_out():
    assert shortcut(aten.add.Tensor, (meta(3, dtype=torch.int64), 1), {}) is WORK_OUT
    assert shortcut(aten.add.Tensor, (torch.ones(3), 1), {}) is WORK_OUT
    assert shortcut(aten.gt.Scalar, (meta(3), 1), {}) is WORK_OUT
    assert shortcut(aten.sum.default, (meta(3),), {}) is WORK_OUT


def test_what_is_written_in_place_is_the_target():
    x, y = meta(3), [meta(3), meta(4)]
    assert shortcut(aten.add_.Tensor, (x, 1), {}) is x
    assert shortcut(aten._foreach_mul_.Scalar, (y, 2), {}) is None
    assert shortcut(aten.zero_.default, (x,), {}) is WORK_OUT  # zeros are followed
    assert shortcut(aten.index_put_.default, (x, [meta(1, dtype=torch.int64)], x), {}) is WORK_OUT
    ones = torch.ones(3)
    assert shortcut(aten.add_.Tensor, (ones, 1), {}) is WORK_OUT


def norms(x, statistics):
    """Arguments of every normalisation and of its gradient."""
    channels = x.shape[1]
    weight, bias, mean, variance = (meta(channels, dtype=statistics) for _ in range(4))
    yield aten.native_batch_norm.default, (x, weight, bias, mean, variance, True, 0.1, 1e-5)
    saved = meta(channels, dtype=statistics), meta(channels, dtype=statistics)
    args = (x, x, weight, mean, variance, *saved, True, 1e-5, [True, True, True])
    yield aten.native_batch_norm_backward.default, args
    if x.dtype == statistics:
        images, pixels = len(x), x.shape[2] * x.shape[3]
        yield aten.native_group_norm.default, (x, weight, bias, images, channels, pixels, 2, 1e-5)
        saved = meta(images, 2, dtype=statistics), meta(images, 2, dtype=statistics)
        args = (x, x, *saved, weight, images, channels, pixels, 2, [True, True, True])
        yield aten.native_group_norm_backward.default, args


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_normalisation(dtype, layout):
    x = meta(2, 6, 4, 5, dtype=dtype).to(memory_format=layout)
    for function, args in norms(x, torch.float32):
        found, expected = shortcut(function, args, {}), function(*args)
        if found is not WORK_OUT:
            assert [(t.shape, t.dtype, t.stride()) for t in found] == [(t.shape, t.dtype, t.stride()) for t in expected]
        else:
            assert layout == torch.channels_last and "group" in str(function)


def test_normalisation_in_eval_mode_is_worked_out():
    x, of_channels = meta(2, 6, 4, 5), [meta(6) for _ in range(4)]
    assert shortcut(aten.native_batch_norm.default, (x, *of_channels, False, 0.1, 1e-5), {}) is WORK_OUT
    args = (x, x, *of_channels[:3], None, None, True, 1e-5, [True, False, False])
    assert shortcut(aten.native_batch_norm_backward.default, args, {}) is WORK_OUT
