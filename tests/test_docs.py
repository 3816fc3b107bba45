"""Documents say what is so: pages that are made from conf/ are fresh, and every link leads somewhere."""

import ast
import importlib.util
import inspect
import json
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from aistudio.audit.kinds import KINDS
from aistudio.audit.remedies import REMEDIES
from aistudio.checks import Check
from aistudio.config import groups
from aistudio.data import Source
from aistudio.report.files import without_verdict
from aistudio.report.receipt import receipt
from aistudio.tasks import Task

ROOT = Path(__file__).parent.parent
TRACKED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True).stdout.split()
PAGES = [ROOT / name for name in TRACKED]


@pytest.fixture(scope="module")
def docs():
    """The script that makes the pages."""
    spec = importlib.util.spec_from_file_location("docs", ROOT / "scripts" / "docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("task", groups.options("task"))
def test_the_page_of_a_task_is_fresh_and_has_its_image(task, docs):
    text = (ROOT / "docs" / "tasks" / f"{task}.md").read_text(encoding="utf-8")
    assert text == docs.page(task), "python scripts/docs.py writes it anew"
    assert all(words in text for words in ("## What fits", "## The contract", "## The settings", "(by default)"))
    with Image.open(ROOT / "docs" / "tasks" / f"{task}.jpg") as image:
        assert image.width > 300 and image.height > 100
    assert f"docs/tasks/{task}.md" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path):
    text = path.read_text(encoding="utf-8")
    lines = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
    headings = {re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in lines}
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("#"):
            assert link[1:] in headings, link
        elif not link.startswith("http"):
            assert (path.parent / link.partition("#")[0]).exists(), link


def test_the_page_of_findings_is_fresh_and_names_every_kind(docs):
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert text == docs.findings(), "python scripts/docs.py writes it anew"
    assert re.findall(r"^\| `(\w+)`", text, re.M) == [*KINDS]
    assert set(REMEDIES) == set(KINDS)
    sources = [path.read_text() for path in (ROOT / "aistudio" / "audit").rglob("*.py")]
    code = "".join(text for text in sources if "REMEDIES" not in text and "KINDS: dict" not in text)
    assert [kind for kind in KINDS if f'"{kind}"' not in code] == [], "a kind that nothing finds"


def test_the_page_on_reports_names_every_key():
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    report = json.loads((ROOT / "tests" / "golden" / "report.json").read_text())
    keys = [*json.loads(without_verdict("broke", "", {}))]
    keys.insert(keys.index("weights"), "rounds")  # of a job of a sweep
    keys.insert(keys.index("warnings") + 1, "findings")  # of data that was audited
    assert re.findall(r"^\| `(\w+)`", text, re.M) == keys, "in the order in which they stand in a file"
    for part in (report["checks"][0], report["measurements"][0], receipt({}, [])):
        assert all(f"`{key}`" in text for key in part), part
    assert report["schema"] == 1 and "`schema` is 1" in text


def test_there_are_pages():
    assert len(PAGES) >= 7


@pytest.mark.parametrize(
    "room", [path.parent.name for path in (ROOT / "aistudio").glob("*/__init__.py")] + ["aistudio"]
)
def test_every_public_package_has_a_page_with_its_names(room):
    """The pages are made of docstrings by mkdocs, which CI runs; here only that none is forgotten."""
    package = ROOT / "aistudio" / ("" if room == "aistudio" else room)
    names = public_names(package)
    page = ROOT / "docs" / "api" / f"{room}.md"
    assert page.exists() == bool(names), "a package with __all__ has a page, and no other"
    if names:
        path = room if room == "aistudio" else f"aistudio.{room}"
        text, shown = page.read_text(encoding="utf-8"), (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
        assert f"::: {path}\n" in text and f"api/{room}.md" in shown
        hidden = [name for name in names if (package / f"{name}.py").exists()]  # the file hides the function
        assert [f"::: {path}.{name}.{name}\n" in text for name in hidden] == [True] * len(hidden), hidden


def public_names(package):
    lists = re.findall(r"^__all__ = (\[.*?\])", (package / "__init__.py").read_text(encoding="utf-8"), re.S | re.M)
    return [name for found in lists for name in ast.literal_eval(found)]


@pytest.mark.parametrize("protocol", [Task, Source, Check], ids=lambda protocol: protocol.__name__)
def test_contributing_explains_every_member_of_a_part(protocol):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition(f"\n### {protocol.__name__}\n")[2].partition("\n#")[0]
    explained = re.findall(r"^\| `([^`]+)` \|", section, re.M)
    methods = [
        f"{name}({', '.join([*inspect.signature(member).parameters][1:])})"
        for name, member in vars(protocol).items()
        if inspect.isfunction(member) and (name == "__call__" or not name.startswith("_"))
    ]
    assert explained == [*protocol.__annotations__, *methods], "in the order in which they stand in the code"
