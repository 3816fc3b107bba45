"""What is printed at several widths and into a pipe: nothing of a name, a unit or a mark is lost."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from aistudio.jobs.progress import Progress
from aistudio.report import summary
from aistudio.report.figures_in_words import in_a_sentence, remark
from aistudio.report.records import CheckResult, Measurement, SanityReport
from aistudio.report.tables import show_table
from aistudio.report.terminal import NO_WIDTH, Terminal

WIDTHS = (60, 80, 120, NO_WIDTH)
BACKBONES = ("mobilenet_v3_small", "efficientnet_b0", "resnet18")
SETTING = "one forward pass in eval mode of 32 images on cpu, float32"
STEP = "one training step (forward, backward, Adam) of 32 images on cpu, float32"
MEASURED = (
    Measurement("parameters", 11_181_642, "", "all"),
    Measurement("multiply_adds", 1_814_000_000, "MACs", "one image"),
    Measurement("forward", 0.0123, "s", f"{SETTING}; median of 5 passes after 1", 0.012, 0.013),
    Measurement("forward_images_per_second", 2601.6, "images/s", "32 images over the median time"),
    Measurement("forward_peak_memory", 2**29, "bytes", f"highest memory in {SETTING}"),
    Measurement("training_step", 0.9549, "s", f"{STEP}; median of 1 pass after 1", 0.9549, 0.9549),
    Measurement("training_step_images_per_second", 33.5, "images/s", "32 images over the median time"),
    Measurement("training_step_peak_memory", 2.3 * 2**30, "bytes", f"highest memory in {STEP}"),
)
CHECKS = (
    CheckResult("input_range", "why", "passed", "black arrives as -2.12, white as 2.64", seconds=0.06),
    CheckResult("only_remade_layers_are_random", "why", "skipped", cause="the model starts from random numbers"),
)
RUN = SanityReport(
    config={}, assembled={"backbone": "resnet18, weights: random"}, checks=CHECKS, measurements=MEASURED, versions={},
    seconds=2.0, warnings=("the loss is not normalised",),
)  # fmt: skip


def drawn(width, draw):
    """What a terminal of some columns shows; what a pipe gets, where there is no width."""
    file = io.StringIO()
    options = {"file": file, "width": width, "highlight": False, "markup": False}
    shown = {"force_terminal": True, "color_system": None} if width != NO_WIDTH else {}
    draw(Terminal(Console(**options, **shown)))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def at_all_widths(draw):
    """The same at every width, one below the other."""
    return "".join(f"--- {'a pipe' if width == NO_WIDTH else width}\n{drawn(width, draw)}" for width in WIDTHS)


def run(terminal):
    terminal.assembled(RUN.assembled)
    terminal.warned(RUN.warnings)
    for check in RUN.checks:
        terminal.checked(check)
    terminal.measured(RUN.measurements)
    terminal.ended(RUN)


@pytest.fixture
def rows(tmp_path):
    """A sweep that was measured; one job of it has failed."""
    for index, backbone in enumerate(BACKBONES):
        folder = tmp_path / f"classification-{backbone}"
        folder.mkdir()
        measured = [
            {name: getattr(one, name) for name in ("name", "value", "low", "high", "unit", "definition")}
            for one in MEASURED
        ]
        named = {"task": "classification", "architecture": "backbone_head", "backbone": backbone}
        config = {group: {"name": name} for group, name in named.items()}
        config["task"]["image_size"], config["data"] = 224, {"batch_size": 32}
        config |= {"sanity": {"level": "standard", "measure": {"batch_size": None}}, "runtime": {"seed": 0}}
        verdict = "failed" if index == 2 else "passed"
        parts = {"verdict": verdict, "seconds": 2.0, "checks": [], "measurements": measured, "config": config}
        (folder / "report.json").write_text(json.dumps(parts))
    return summary.rows([tmp_path])


def test_golden_run_at_widths(golden):
    golden("terminal_widths.txt", at_all_widths(run))


def test_golden_sweep_at_widths(golden, rows):
    golden("sweep_widths.txt", at_all_widths(lambda terminal: show_table(rows, terminal)))


@pytest.mark.parametrize("width", [20, 40, *WIDTHS])
def test_no_name_unit_or_mark_is_lost(width, rows):
    text = drawn(width, lambda terminal: show_table(rows, terminal))
    assert "…" not in text and text.count("✓") == 2 and text.count("✗") == 1
    assert all(backbone in text for backbone in BACKBONES) and "ms" in text
    if width in (80, 120, NO_WIDTH):
        table = text.partition("classification ·")[0]
        assert width == NO_WIDTH or max(map(len, table.splitlines())) <= width
    if width == NO_WIDTH:
        assert all(heading in text for heading, *_ in (summary.COLUMNS[name] for name in summary.MEASURED[:4]))


def test_warnings_are_said_once_and_above_the_checks():
    text = drawn(80, run)
    assert text.count("the loss is not normalised") == 1 and text.index("warning") < text.index("input_range")


def test_a_job_of_a_long_name_keeps_its_end(rows, tmp_path):
    long = "classification-" + "x" * 85
    Path(rows[0].folder).rename(tmp_path / long)
    path = tmp_path / long / "report.json"

    def ended(terminal):
        progress = Progress([path.parent], terminal)
        progress.reports.clear()
        progress.tell(summary.row(path))

    text = drawn(60, ended)
    joined = text.replace("\n", "")
    assert long in joined and "2.0 s" in joined


def test_one_pass_has_no_spread_and_all_say_how_many():
    told = {one.name: remark(one) for one in MEASURED}
    assert told["training_step"] == "32 images, 1 pass"
    assert told["forward"] == "12.0 ms … 13.0 ms, 32 images, 5 passes"
    assert told["parameters"] == ""


def test_a_run_ends_in_one_sentence():
    assert in_a_sentence(RUN) == "fits; 2.30 GiB of memory at batch 32; 33.5 images/s in training"
    failed = CheckResult("gradients", "why", "failed")
    assert in_a_sentence(SanityReport({}, {}, (*CHECKS, failed), MEASURED, {}, 1.0)) == "does not pass: gradients"
    card = CheckResult("fits_t4", "why", "failed")
    largest = Measurement("largest_batch_t4", 150, "", "x")
    assert in_a_sentence(SanityReport({}, {}, (card,), (largest,), {}, 1.0)) == "does not fit t4, at most batch 150"
    assert in_a_sentence(SanityReport({}, {}, CHECKS, (), {}, 1.0)) == ""


def test_the_counter_says_which_check_of_how_many_runs():
    terminal = Terminal(Console(file=io.StringIO()))
    terminal.plan({"gradients": "", "measure": ": up to 3 passes of batch 1 at 224 px"})
    assert terminal.step("gradients") == "1/2 gradients"
    assert terminal.step("measure") == "2/2 measure: up to 3 passes of batch 1 at 224 px"
    assert terminal.step("importing torch") == "importing torch"


def test_what_checks_have_seen_stands_in_one_column():
    file = io.StringIO()
    terminal = Terminal(Console(file=file, width=120))
    terminal.plan({"gradients": "", "only_remade_layers_are_random": ""})
    for name in ("gradients", "only_remade_layers_are_random"):
        terminal.checked(CheckResult(name, "why", "passed", seen="seen"))
    assert len({line.index("seen") for line in file.getvalue().splitlines()}) == 1
