"""A file imports only from lower floors, without cycles, and below the torch line nothing needs torch."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "aistudio"
GROUND = {"errors", "files", "safety"}
RECORDS = ("report.records", "report.listeners")
ROOMS = {  # room: what it may import; a dotted name stands for that file alone
    "safety": set(),
    "errors": {"safety"},
    "files": {"errors", "safety"},
    "weights": {"errors", "files"},
    "config": GROUND | {"weights"},
    "report": GROUND | {"config.lines"},
    "drawing": {"files", "safety"},
    "audit": GROUND | {"drawing"},
    "jobs": GROUND | {"report", "config", "audit"},
    "cli": GROUND | {"jobs", "report", "config", "weights"},
    "__main__": {"cli"},
    # ---------------------------------------------------------------- torch line
    "oriented": set(),
    "models": GROUND | {"weights"},
    "data": GROUND | {"audit", "oriented"},
    "tasks": GROUND | {"data", "drawing", "models", "oriented"},
    "checks": GROUND | {"tasks", "data", "drawing", "models", "oriented", "weights", *RECORDS},
    "costs": GROUND | {"checks", "tasks", "data", "models", *RECORDS},
    "assembly": GROUND | {"audit", "checks", "tasks", "data", "models", "config", "weights", *RECORDS},
    "forecast": GROUND | {"assembly", "costs", "checks", "tasks", "config", *RECORDS},
    "rounds": GROUND | {"assembly", "costs", "config", *RECORDS},
    "sanity": GROUND | {"audit", "forecast", "assembly", "costs", "checks", "config", *RECORDS, "report.terminal"},
}
BACK_WING = {"oriented", "models", "data", "tasks", "checks", "costs", "assembly", "forecast", "rounds", "sanity"}
ENTERS = {  # imports upwards, inside functions alone, once everything was judged
    "__init__.py": {"assembly", "config", "models", "sanity"},
    "jobs/job.py": {"sanity", "jobs"},
    "jobs/rounds.py": {"rounds"},
    "cli/replay.py": {"sanity"},
    "cli/doctor.py": {"assembly"},
}
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in FILES}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imports(path: Path, at_once: bool = True) -> frozenset[str]:
    """The modules of this package and the top-level packages that a file imports (when it is loaded, or ever)."""
    return frozenset(imported(ast.parse(path.read_text(encoding="utf-8")), at_once))


def imported(node: ast.AST, at_once: bool):
    """The same below one node; ``at_once`` passes by functions and what stands below ``if TYPE_CHECKING``."""
    if isinstance(node, ast.Import):
        yield from (name.name for name in node.names)
    elif isinstance(node, ast.ImportFrom):
        inside = {f"{node.module}.{name.name}" for name in node.names}
        yield from inside if node.module == "aistudio" else {one if one in MODULES else node.module for one in inside}
    is_guard = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if not at_once or not (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_guard):
        for child in ast.iter_child_nodes(node):
            yield from imported(child, at_once)


def test_every_file_is_in_a_room():
    assert {room(path) for path in FILES} - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_what_it_may(path):
    own, file = room(path), str(path.relative_to(PACKAGE))
    for when, allowed in ((True, ROOMS.get(own, GROUND)), (False, ROOMS.get(own, GROUND) | ENTERS.get(file, set()))):
        for module in imports(path, at_once=when):
            if module.startswith("aistudio."):
                other = module.split(".")[1:]
                known = other[0] == own or {other[0], ".".join(other[:2])} & allowed
                assert known, f"{own} imports {module}"
            elif own not in BACK_WING and file != "jobs/gpus.py":
                reads_images = own in ("audit", "drawing") or file == "report/html/images.py"
                inside = reads_images and not when  # once they are asked to
                heavy = ("torch", "torchvision", *(() if inside else ("numpy", "PIL")))
                assert module.split(".")[0] not in heavy, f"{own} imports {module}"


def test_files_of_one_folder_do_not_import_in_a_circle():
    graph = {}
    for path in FILES:
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {module for module in imports(path) if module.startswith("aistudio") and module != name}
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path, name])
        if name in done or name not in graph:
            return
        path.append(name)
        for module in graph[name]:
            visit(module)
        done.add(path.pop())

    for name in graph:
        visit(name)


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["torchvision"] = sys.modules["numpy"] = sys.modules["PIL"] = None
import aistudio
from aistudio.cli.main import main
sys.argv = ["aistudio", "backbone=resnet18", "task=segmentation"]
sys.exit(main())
"""


def test_a_bad_pair_is_refused_in_a_process_in_which_importing_torch_fails(tmp_path):
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "refused: 1 problem\n"
        "backbone=resnet18 does not fit task=segmentation\n"
        "  why      torchvision builds its segmentation models on dilated ResNet-50/101 or MobileNetV3-Large\n"
        "  rule     conf/task/segmentation.yaml · rules.backbones\n"
        "  instead  resnet50, resnet101, mobilenet_v3_large\n"
    )
    assert not [*tmp_path.iterdir()]
