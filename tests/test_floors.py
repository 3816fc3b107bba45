"""A file imports only from lower floors, without cycles, and below the torch line nothing needs torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "aistudio"
FLOORS = [  # from the ground up; a name stands for the file and for all files of a folder
    ["shipped", "text"],
    ["environment"],
    ["outlet"],
    ["doors", "endings", "errors", "git", "output", "records"],
    ["files", "limits", "receipt", "trust", "interpolations", "audit"],
    ["rules", "report", "report_file"],
    ["catalog", "summary", "labels", "annotations"],
    ["plots"],
    ["search", "summarize", "progress"],
    ["diagnose"],
    ["config"],
    ["combinations", "isolation"],
    ["job"],
    ["sweep", "replay", "verify"],
    ["cli"],
    ["__main__"],
    # ---------------------------------------------------------------- torch line
    ["gpus", "imagenet", "scene", "signatures", "losses", "drawing", "backbone_trace", "oriented"],
    ["backbones", "detection", "detection_drawing"],
    ["heads"],
    ["tasks"],
    ["data"],
    ["assembly"],
    ["checks"],
    ["measure"],
    ["sanity"],
]
TORCH_LINE = 16
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
LAZY = {"aistudio/__init__.py", "aistudio/job.py"}  # import upwards inside functions, once everything was judged
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, at_once: bool = True) -> set[str]:
    """The modules of this package and the top-level packages that a file imports (when it is loaded, or ever)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree)
    if at_once:
        guarded = {id(n) for block in ast.walk(tree) for n in inner(block)}
        nodes = (node for node in ast.walk(tree) if id(node) not in guarded)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(
                f"{node.module}.{name.name}" if node.module == "aistudio" else node.module for name in node.names
            )
    return found


def inner(block):
    """Everything inside a function or below ``if TYPE_CHECKING``."""
    is_guard = isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
    if isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef) or is_guard:
        yield from (node for child in ast.iter_child_nodes(block) for node in ast.walk(child))


def test_every_file_has_a_floor():
    assert {room(path) for path in FILES} - {"__init__"} == set(LEVEL)


@pytest.mark.parametrize("path", [p for p in FILES if room(p) != "__init__"], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_from_lower_floors(path):
    own = room(path)
    lazy = f"aistudio/{path.relative_to(PACKAGE)}" in LAZY or own == "audit"  # it opens images, once there are any
    for module in imports(path, at_once=lazy):
        if module.startswith("aistudio."):
            other = module.split(".")[1]
            assert other == own or LEVEL[other] < LEVEL[own], f"{own} (floor {LEVEL[own]}) imports {other}"
        if LEVEL[own] < TORCH_LINE:
            assert module.split(".")[0] not in ("torch", "torchvision", "numpy", "PIL"), f"{own} imports {module}"


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
from aistudio.cli import main
sys.argv = ["aistudio", "backbone=resnet18", "task=segmentation"]
sys.exit(main())
"""


def test_a_bad_pair_is_refused_in_a_process_in_which_importing_torch_fails(tmp_path):
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "backbone=resnet18 does not fit task=segmentation\n"
        "  why      torchvision builds its segmentation models on dilated ResNet-50/101 or MobileNetV3-Large\n"
        "  rule     conf/task/segmentation.yaml · rules.backbones\n"
        "  instead  resnet50, resnet101, mobilenet_v3_large\n"
    )
    assert not [*tmp_path.iterdir()]
