"""What became of every tensor of a model and of a file of weights: the ledger of a loading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from aistudio.errors import Problem, Refusal
from aistudio.models.checkpoint import Checkpoint, shapes, shown, state, writing
from aistudio.models.surgery import adapted_input, input_rule
from aistudio.weights.layouts import recognise
from aistudio.weights.match import Match, is_counter, match, plain_names
from aistudio.weights.parts import is_averaged
from aistudio.weights.published import Published

_MOST_ROWS = 6  # of a table of what did not fit; the others are counted


@dataclass(frozen=True)
class Ledger:
    """What was loaded from one file, which ``setting`` asked for by ``value``; ``published`` says more if known.

    ``copied`` maps names of the model to names in the file: the same numbers, bit for bit. ``adapted`` maps names of
    the model to the file's name and the rule. ``remade`` are the layers that depend on the number of classes, which
    start anew. ``missing`` had no tensor in the file and kept its random numbers; ``left_over`` are tensors of the file
    that the model has no place for. ``digest`` computes the file's SHA-256, which takes longer than loading it.
    """

    file: Path
    part: str
    copied: Mapping[str, str]
    digest: Callable[[], str] = str
    setting: str = ""
    value: str = ""
    published: Published | None = None
    adapted: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    remade: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The file's, in hexadecimal digits; computed where somebody asks."""
        return self.digest()

    @property
    def fresh(self) -> tuple[str, ...]:
        """The names whose numbers are still random."""
        return (*self.remade, *self.missing)


def load(
    module: nn.Module,
    checkpoint: Checkpoint,
    prefix: str = "",
    remade: Callable[[], Sequence[str]] = tuple,
    coverage: float = 1.0,
    key: str = "weights",
    called: str = "the model",
) -> Ledger:
    """Put a file's tensors into a module, in place.

    Args:
        module: a model, or a part of one.
        checkpoint: what was read from the file.
        prefix: the module's place in the whole model; the ledger's names begin with it.
        remade: gives the module's tensors that depend on the number of classes and may differ from the file's; it is
            asked only where the file's do.
        coverage: the share of the module's other tensors that the file must fill.
        key: the setting that names the file, for a refusal.
        called: the module's name in a refusal.

    Raises:
        Refusal: if the file fills less than that; the module is then as it was.
    """
    goals = state(module)
    found = match(shapes(checkpoint.tensors), shapes(goals))
    rules = {name: input_rule(module, name, *one[1:]) for name, one in found.other_shape.items()}
    rules = {name: rule for name, rule in rules.items() if rule}
    unmatched = {*found.other_shape, *found.missing} - {*rules}
    anew = [name for name in (remade() if unmatched else ()) if name in unmatched]
    wanted = [name for name in goals if not is_counter(name) and name not in anew]
    filled = [name for name in wanted if name in found.pairs or name in rules]
    deeper = found.beyond and coverage >= 1
    if not filled or deeper or len(filled) < coverage * len(wanted):
        raise Refusal([_misfit(checkpoint, found, len(filled), len(wanted), coverage, key, called, {*anew, *rules})])
    adapted = _fill(module, checkpoint, found, rules)
    return Ledger(
        file=checkpoint.path,
        part=checkpoint.part.place,
        setting=key,
        copied={prefix + name: source for name, source in found.pairs.items() if name not in adapted},
        adapted={prefix + name: one for name, one in adapted.items()},
        remade=tuple(prefix + name for name in anew),
        missing=tuple(prefix + name for name in wanted if name not in filled),
        left_over=found.left_over,
        notes=tuple(_notes(checkpoint, found)),
    )


def _fill(
    module: nn.Module, checkpoint: Checkpoint, found: Match, rules: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Write the tensors; those that are not the file's bit for bit, with their names in the file and the rule."""
    adapted = {}
    with writing(module) as targets:
        for name, source in found.pairs.items():
            tensor = checkpoint.tensors[source]
            targets[name].copy_(tensor)
            if tensor.dtype != targets[name].dtype:
                adapted[name] = (source, f"{_short(tensor)} to {_short(targets[name])}")
        for name, rule in rules.items():
            source = found.other_shape[name][0]
            targets[name].copy_(adapted_input(checkpoint.tensors[source], targets[name].shape[1]))
            adapted[name] = (source, rule)
    return adapted


def _short(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _notes(checkpoint: Checkpoint, found: Match) -> list[str]:
    """What one should know about which numbers were taken."""
    part, notes = checkpoint.part, []
    if part.others:
        kind = "the moving average " if is_averaged(part.place) else ""
        notes.append(
            f"{checkpoint.path.name}: {kind}{part.place or 'the file itself'} was taken, not {shown(part.others)}"
        )
    if found.rivals:
        taken = found.removed or "the names without a prefix"
        notes.append(f"{checkpoint.path.name}: {taken} was taken, not {shown(found.rivals)}, which would fit as well")
    return notes


def _misfit(
    checkpoint: Checkpoint,
    found: Match,
    filled: int,
    wanted: int,
    coverage: float,
    key: str,
    called: str,
    fine: set[str],
) -> Problem:
    """The refusal of a file that does not fill a module: a short table."""
    what = f"{key}={checkpoint.path} does not fit {called}"
    needed = "all of them" if coverage >= 1 else f"{coverage * wanted:.0f}"
    why = f"{filled} of {wanted} tensors found their place; weights_coverage={coverage:g} asks for {needed}"
    if found.beyond:
        why = f"it is of a deeper model: {len(found.beyond)} of its tensors are of layers that this one has not"
    return Problem(what, why, key, _advice(checkpoint, key), tuple(_rows(found, fine)))


def _rows(found: Match, fine: set[str]) -> list[str]:
    shape = [
        f"shape      {name}: {source} has {_sides(theirs)}, the model {_sides(ours)}"
        for name, (source, theirs, ours) in found.other_shape.items()
        if name not in fine
    ]
    missing: list[str] = []
    for name in found.missing:
        near = found.nearest(name) if len(missing) < _MOST_ROWS else ""
        missing += [] if name in fine else [f"missing    {name}{f' (the file has {near})' if near else ''}"]
    left_over = [f"left over  {name}" for name in found.left_over if name not in found.beyond]
    left_over = [f"deeper     {name}: the model has no such layer" for name in found.beyond] or left_over
    return [row for rows in (shape, missing, left_over) for row in _some(rows)]


def _some(rows: Sequence[str]) -> list[str]:
    if len(rows) <= _MOST_ROWS:
        return list(rows)
    kind = rows[0].split("  ")[0]
    return [*rows[: _MOST_ROWS - 2], f"{kind:<10} … and {len(rows) - _MOST_ROWS + 2} more"]


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _advice(checkpoint: Checkpoint, key: str) -> str:
    layout = recognise(plain_names(checkpoint.tensors))
    doctor = f"aistudio doctor {checkpoint.path} says what it fits"
    if layout.advice:
        return f"{layout.advice} (these are {layout.framework}); {doctor}"
    return f"{doctor} (these are {layout.framework})"
