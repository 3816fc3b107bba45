"""Every check that ships has its heading in docs/checks.md, in the order of a run, and every heading its check."""

import re
from pathlib import Path

import pytest
from tiny_models import battery

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")


def test_the_page_has_a_heading_for_each_check_and_no_other():
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == list(battery())


@pytest.mark.parametrize("name", battery())
def test_a_heading_is_followed_by_sentences(name):
    said = PAGE.partition(f"### {name}\n")[2].partition("\n#")[0]
    assert len(said.split()) > 5 and said.rstrip().endswith((".", "|"))
