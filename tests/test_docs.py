"""Documents say what is so: pages that are made from conf/ are fresh, and every link leads somewhere."""

import importlib.util
import json
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from aistudio.config import groups
from aistudio.report.files import without_verdict
from aistudio.report.receipt import receipt

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


def test_the_page_on_reports_names_every_key():
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    report = json.loads((ROOT / "tests" / "golden" / "report.json").read_text())
    keys = [*json.loads(without_verdict("broke", "", {}))]
    assert re.findall(r"^\| `(\w+)`", text, re.M) == keys, "in the order in which they stand in a file"
    for part in (report["checks"][0], report["measurements"][0], receipt({}, [])):
        assert all(f"`{key}`" in text for key in part), part
    assert report["schema"] == 1 and "`schema` is 1" in text


def test_there_are_pages():
    assert len(PAGES) >= 7
