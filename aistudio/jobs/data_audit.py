"""``sanity=data``: look at labels and files, and at nothing else; torch stays out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from aistudio.audit import (
    SHEETS,
    Audit,
    Finding,
    as_csv,
    as_lines,
    audit_configured,
    configured_options,
    describe,
    fails,
    finding_lines,
    outputs_key,
    save_sheet,
    verdict,
)
from aistudio.config.compose import Judged
from aistudio.config.stated import names_labelled, stated_outputs
from aistudio.errors import FAILED, PASSED, first_line
from aistudio.files import shown, write_whole
from aistudio.report.files import DRAWINGS, PAGE, REPORT, write
from aistudio.report.html.run_folder import leave_page
from aistudio.report.receipt import receipt
from aistudio.report.records import SanityReport, data_check
from aistudio.report.terminal import Terminal, words
from aistudio.safety.outlet import as_yaml, data

FINDINGS = "findings.csv"
SHARD = "shard.jsonl"  # what the audit of a shard leaves for the others
STYLES = {"✗": "bold red", "!": "yellow", " ": "dim", "F": "bold red", "P": "bold green"}


def audit_data(config: DictConfig, judged: Judged, folder: Path, overrides: Sequence[str]) -> int:
    """Audit, print, and leave ``findings.csv`` and a report in the run's folder; the exit code."""
    started = time.perf_counter()
    terminal = Terminal()
    with terminal.busy():
        audit = audit_configured(judged.values, stated_outputs(config, outputs_key(judged.values)), terminal.started)
    _print_audit(terminal, audit)
    write_whole(folder / FINDINGS, as_csv(audit.findings))
    if judged.values["data"].get("shard") is not None:
        lines = as_lines(audit, configured_options(judged.values))
        write_whole(folder / SHARD, "".join(f"{line}\n" for line in lines))
    seconds = time.perf_counter() - started
    written = data(dict(judged.written))
    report = SanityReport(
        config=written,
        assembled={"task": str(config.task.name), "data": describe(audit)},
        checks=(data_check(audit.findings, fails(audit.findings), seconds),),
        measurements=(),
        versions={},
        seconds=seconds,
        findings=audit.findings,
    )
    write_whole(folder / "config.yaml", as_yaml(written))
    write(folder / REPORT, report, receipt(written, overrides))
    drawn = _save_drawings(audit, folder / DRAWINGS, terminal)
    leave_page(folder)
    for name in (PAGE, FINDINGS, REPORT, *(f"{DRAWINGS}/{one}" for one in drawn)):
        terminal.print(words(f"  {shown(folder / name)}", "dim"), wrap=False)
    return FAILED if fails(audit.findings) else PASSED


def audit_first(config: DictConfig, judged: Judged, folder: Path, terminal: Terminal) -> Audit | None:
    """The audit before a run that trains, with its findings in a file; None where nothing is labelled."""
    if not names_labelled(config):
        return None
    audit = audit_configured(judged.values, stated_outputs(config, outputs_key(judged.values)), terminal.started)
    _print_audit(terminal, audit)
    write_whole(folder / FINDINGS, as_csv(audit.findings))
    _save_drawings(audit, folder / DRAWINGS, terminal)
    return audit


def _save_drawings(audit: Audit, folder: Path, terminal: Terminal) -> list[str]:
    """``findings.png`` where there are any, and ``labels.png``; their names. What cannot be drawn is said."""
    done = []
    for name in SHEETS:
        try:
            done += [name] if save_sheet(audit, folder / name) else []
        except Exception as error:  # an audit is worth more than its drawings
            terminal.print(words(f"{name} could not be drawn: {type(error).__name__}, {first_line(error)}", "yellow"))
    return done


def _print_audit(terminal: Terminal, audit: Audit) -> None:
    """The findings, and what was looked at."""
    print_findings(terminal, describe(audit), audit.findings)


def print_findings(terminal: Terminal, looked_at: str, findings: Sequence[Finding]) -> None:
    """What was looked at, and what is wrong with it."""
    terminal.print(words(f"{'audit':<11} {looked_at}"), wrap=False)
    for line in (*finding_lines(findings), verdict(findings)):
        terminal.print(words(line, STYLES.get(line[:1], "")), wrap=False)
