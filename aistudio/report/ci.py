"""Refused combinations in the formats of CI systems and code hosts: JUnit XML, and SARIF with the line of each file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from aistudio.config.lines import line_of
from aistudio.errors import Problem, refusal_text
from aistudio.safety.environment import scrub
from aistudio.safety.outlet import as_json, said

SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True)
class Judgement:
    """One combination: its name, the YAML file that stands for it (None where it has none of its own), its problems."""

    name: str
    file: Path | None
    problems: Sequence[Problem]


def as_junit(judgements: Sequence[Judgement]) -> str:
    """A test case for every combination, failed where it was refused."""
    refused = sum(bool(one.problems) for one in judgements)
    suite = ElementTree.Element("testsuite", name="aistudio", tests=str(len(judgements)), failures=str(refused))
    for one in judgements:
        case = ElementTree.SubElement(suite, "testcase", classname="aistudio.config.rules", name=said(one.name))
        if one.file is not None:
            case.set("file", address(one.file))
        if one.problems:
            failure = ElementTree.SubElement(case, "failure", message=said(one.problems[0].what))
            failure.text = refusal_text(one.problems)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def as_sarif(judgements: Sequence[Judgement], version: str) -> str:
    """A result for every problem, at its line; files below the current folder are named relative to it."""
    results = [
        {
            "ruleId": "refused",
            "level": "error",
            "message": {"text": f"{said(one.name)}: {refusal_text([problem])}"},
            "locations": [location(one.file, problem)] if one.file else [],
        }
        for one in judgements
        for problem in one.problems
    ]
    rule = {"id": "refused", "shortDescription": {"text": "A configuration that cannot work, refused before it runs."}}
    driver = {"name": "aistudio", "version": version, "rules": [rule]}
    run = {"tool": {"driver": driver}, "results": results}
    return as_json({"$schema": SARIF, "version": "2.1.0", "runs": [run]})


def location(file: Path, problem: Problem) -> dict[str, Any]:
    """Where in a file a problem stands."""
    place = {"artifactLocation": {"uri": address(file)}, "region": {"startLine": line_of(file, problem)}}
    return {"physicalLocation": place}


def address(file: Path) -> str:
    """The URI of a file, from the current folder where it is below, so that it means the same in another checkout."""
    file, here = Path(scrub(str(file.resolve()))), Path(scrub(str(Path.cwd())))
    return quote(os.fsencode(file.relative_to(here).as_posix())) if file.is_relative_to(here) else file.as_uri()
