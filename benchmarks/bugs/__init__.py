"""Bugs of the kind that real repositories ship, planted one at a time; a file a family."""

from bugs import (
    apart,
    data,
    detectors,
    eval_mode,
    images,
    layer_settings,
    left_behind,
    losses,
    losses_of_boxes,
    losses_of_pixels,
    merged_targets,
    optimisation,
    outputs,
    side_effects,
    what_learns,
    where_it_looks,
)
from bugs.bug import BASE, HEALTHY, Bug

APART = "targets and images apart"  # each takes a training of seconds, and has a check of its own
FAMILIES = {
    "eval is another model": eval_mode.BUGS + layer_settings.BUGS,
    "side effects": side_effects.BUGS + left_behind.BUGS,
    "the wrong part looks": where_it_looks.BUGS + what_learns.BUGS,
    "a loss that looks right": losses.BUGS + losses_of_pixels.BUGS + losses_of_boxes.BUGS + merged_targets.BUGS,
    "a detector that cannot answer": detectors.BUGS,
    "optimisation": optimisation.BUGS,
    "images on their way in": images.BUGS,
    "data that does not fit": data.BUGS,
    "outputs, edges, weights": outputs.BUGS,
    APART: apart.BUGS,
}

__all__ = ["APART", "BASE", "FAMILIES", "HEALTHY", "Bug"]
