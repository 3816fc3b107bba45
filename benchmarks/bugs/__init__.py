"""Bugs of the kind that real repositories ship, planted one at a time; a file a family."""

from bugs import data, detectors, eval_mode, images, losses, optimisation, outputs, side_effects, where_it_looks
from bugs.bug import BASE, HEALTHY, Bug

FAMILIES = {
    "eval is another model": eval_mode.BUGS,
    "side effects": side_effects.BUGS,
    "the wrong part looks": where_it_looks.BUGS,
    "a loss that looks right": losses.BUGS,
    "a detector that cannot answer": detectors.BUGS,
    "optimisation": optimisation.BUGS,
    "images on their way in": images.BUGS,
    "data that does not fit": data.BUGS,
    "outputs, edges, weights": outputs.BUGS,
}

__all__ = ["BASE", "FAMILIES", "HEALTHY", "Bug"]
