"""aistudio: name a backbone and a task; see whether they fit, whether they train, and what they cost.

Importing it imports no torch; ``assemble``, ``dataset`` and ``sanity_run`` do when they are first touched::

    cfg = aistudio.compose("backbone=efficientnet_b3", "task=regression")   # DictConfig, judged by the rules
    model = aistudio.assemble(cfg)                                          # torch.nn.Module
    report = aistudio.sanity_run(cfg)                                       # checks, measurements, verdict
"""

from aistudio.safety import search_path

search_path.leave_out_the_current_folder()  # before anything else is imported

from typing import TYPE_CHECKING  # noqa: E402

from aistudio.errors import Problem, Refusal  # noqa: E402

if TYPE_CHECKING:
    from aistudio.assembly.dataset import dataset
    from aistudio.assembly.model import assemble
    from aistudio.config.compose import compose
    from aistudio.models.parameter_groups import parameter_groups
    from aistudio.sanity import sanity_run

__version__ = "0.1.0"
__all__ = ["Problem", "Refusal", "assemble", "compose", "dataset", "parameter_groups", "sanity_run"]


def __dir__() -> list[str]:
    """What is public, whether or not it was imported yet."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    """Import a public function when it is first asked for (PEP 562)."""
    homes = {
        "assemble": "aistudio.assembly.model",
        "compose": "aistudio.config.compose",
        "dataset": "aistudio.assembly.dataset",
        "parameter_groups": "aistudio.models.parameter_groups",
        "sanity_run": "aistudio.sanity",
    }
    if name not in homes:
        raise AttributeError(f"module 'aistudio' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(homes[name]), name)
