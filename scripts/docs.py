"""Write docs/tasks/, a page for every task from conf/ and the docstrings of aistudio/tasks/, and docs/findings.md.

Made from what they tell of, none goes stale.

python scripts/docs.py              # the pages; a test compares them with what is committed
python scripts/docs.py --images     # their images, too: what each model gives after the learning check, some minutes
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import aistudio
from aistudio.audit import kinds
from aistudio.audit.configured import TASKS
from aistudio.audit.remedies import REMEDIES
from aistudio.config import groups, shipped
from aistudio.safety import conf_folder

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "tasks"
SMALLEST = {"segmentation": "mobilenet_v3_large"}  # what the images are made with, where any backbone is not taken
CAPTION = "From random weights, after the few steps of `overfits_one_batch`: it trains, and finds little as yet."
MEMBERS = {
    "inputs": "the model takes",
    "target": "an image's target",
    "loss": "the loss takes",
    "output_problems": "the output",
    "metrics": "the metric",
    "draw": "the drawing",
}


def page(task: str) -> str:
    """A task's page as Markdown."""
    yaml = (conf_folder.conf_folder() / "task" / f"{task}.yaml").read_text(encoding="utf-8")
    header = [line[2:] for line in yaml.splitlines() if line.startswith("# ") and "@package" not in line]
    what, learns, command = header[:3]
    settings = f"`conf/task/{task}.yaml`, which a file of yours can build on:\n\n```yaml\n{yaml.strip()}\n```"
    sections = [
        f"# {task.replace('_', ' ').capitalize()}",
        f"{plain(what.partition(': ')[2])}\n{learns}",
        f"```sh\n{command.strip()}\n```",
        f"![What a model says of painted images, and what was expected]({task}.jpg)\n\n{CAPTION}",
        f"## What fits\n\n{backbones(task)}\n\n{architectures(task)}",
        f"## What can be loaded\n\n{weights(task)}",
        f"## Your data\n\n{formats(task)}",
        f"## The contract\n\n{contract(task)}",
        f"## The settings\n\n{settings}",
    ]
    return "\n\n".join(sections) + "\n"


def formats(task: str) -> str:
    """The formats of labelled data that the task takes, as the files of conf/data say."""
    rows = []
    for name in (name for name, tasks in TASKS.items() if task in tasks):
        text = (conf_folder.conf_folder() / "data" / f"{name}.yaml").read_text(encoding="utf-8")
        rows.append(f"- `data={name}`: {text.splitlines()[0][2:]}")
    command = (
        f"python -m aistudio task={task} data={rows[0].split('`')[1].partition('=')[2]} data.root=photos sanity=data"
    )
    told = (
        "names every mistake in labels and files, without torch; any other level does so first, and trains on the data."
    )
    return "\n".join([*rows, "", f"`{command}`", told])


def backbones(task: str) -> str:
    """Which backbones the task takes, and why no others."""
    rule = shipped.section("task", task)["rules"]["backbones"]
    if rule["allow"] == "any":
        return "Any backbone, those that you add, too."
    names = ", ".join(f"`{name}`" for name in rule["allow"])
    return f"{names} and no other: {rule['because']}."


def architectures(task: str) -> str:
    """A table of the architectures of a task."""
    default = shipped.default_architecture(task)
    lines = ["| `architecture=` | what it is |", "| --- | --- |"]
    for name in groups.options("architecture"):
        facts = shipped.section("architecture", name)
        if task in facts["tasks"] and name in shipped.families():
            first = (conf_folder.conf_folder() / "architecture" / f"{name}.yaml").read_text(encoding="utf-8")
            words = next(line for line in first.splitlines() if "@package" not in line).removeprefix("# ")
            lines.append(f"| `{name}`{' (by default)' if name == default else ''} | {words} |")
    return "\n".join(lines)


def weights(task: str) -> str:
    """The pretrained weights that the models of a task can start from."""
    lines = ["| setting | what it takes, besides `null` and the path of a file |", "| --- | --- |"]
    rule = shipped.section("task", task)["rules"]["backbones"]["allow"]
    taken = groups.options("backbone") if rule == "any" else rule
    named = dict.fromkeys(one for name in taken for one in shipped.section("backbone", name)["pretrained"])
    lines.append(
        f"| `backbone.weights` | {', '.join(f'`{name}`' for name in named)}: ImageNet's, as each backbone has them |"
    )
    whole = {
        one: full
        for name in groups.options("architecture")
        if task in shipped.section("architecture", name)["tasks"]
        for full, names in shipped.section("architecture", name)["pretrained"].items()
        for one in names
    }
    said = ", ".join(f"`{one}`" for one in whole) or "no names: nobody publishes such models"
    lines.append(f"| `architecture.weights` | {said} |")
    kept = "Layers that depend on the number of classes are made anew where the file has another; all others are kept."
    return "\n".join(lines) + f"\n\n{kept}"


def contract(task: str) -> str:
    """What goes in and comes out, in the words of the task's class."""
    tree, base = (
        ast.parse((ROOT / "aistudio" / "tasks" / f"{name}.py").read_text(encoding="utf-8")) for name in (task, "base")
    )
    words = [plain((ast.get_docstring(tree) or "").partition(": ")[2])]
    owner = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    words.append(plain(ast.get_docstring(owner) or ""))
    above = {node.name: node for node in base.body if isinstance(node, ast.ClassDef)}
    owners = [*(above[one.id] for one in owner.bases if isinstance(one, ast.Name)), owner]
    members = [node for one in owners for node in one.body if isinstance(node, ast.FunctionDef)]
    methods = {node.name: ast.get_docstring(node) for node in members}
    rows = [f"| {heading} | {plain(methods[name] or '')} |" for name, heading in MEMBERS.items()]
    return "\n\n".join(words) + "\n\n" + "\n".join(["| | |", "| --- | --- |", *rows])


def plain(docstring: str) -> str:
    """A docstring's marks as Markdown's, its first letter large."""
    text = docstring.replace("``", "`")
    return text[:1].upper() + text[1:]


def draw_images(task: str) -> None:
    """Let the task learn as sanity=standard does, and keep the sheet of what it then gives."""
    chosen = {"backbone_head": ["backbone=resnet18"]}.get(shipped.default_architecture(task), [])
    chosen = [f"backbone={SMALLEST[task]}"] if task in SMALLEST else chosen
    cfg = aistudio.compose(f"task={task}", *chosen, "sanity=quick", "sanity.image_size=96", "runtime=cpu")
    cfg.sanity.checks = {"overfits_one_batch": {**cfg.sanity.checks.overfits_one_batch, "share": 1.0}}
    with tempfile.TemporaryDirectory() as folder:
        aistudio.sanity_run(cfg, drawings=folder)
        with Image.open(Path(folder, "predictions.png")) as sheet:
            sheet.convert("RGB").save(PAGES / f"{task}.jpg", quality=88)


def draw_data() -> None:
    """Audit a made-up set with mistakes in it, and keep the drawings that the audit leaves."""
    import made_up_set  # which imports torch

    with tempfile.TemporaryDirectory() as folder:
        made_up_set.write(Path(folder, "harbour"))
        line = [
            sys.executable,
            "-m",
            "aistudio",
            "task=object_detection",
            "data=coco",
            "data.root=harbour",
            "sanity=data",
        ]
        subprocess.run([*line, "hydra.run.dir=run"], cwd=folder, check=False, stdout=subprocess.DEVNULL)
        for name in ("findings", "labels"):
            with Image.open(Path(folder, "run", "drawings", f"{name}.png")) as sheet:
                sheet.convert("RGB").save(PAGES.parent / f"{name}.jpg", quality=88)


UNSEEN = (
    "",
    "## What it does not see",
    "",
    "- a label that is wrong and well written: a cat that is called a dog, a box around nothing",
    "- labels or masks of another image of the same size, where they lie inside it",
    "- in another split, a crop of an image or one with a border or words over it; a copy turned a little",
    "- of a scene that many images show (a fixed camera), a copy that is hardly different from the others",
    "- another unit whose values lie among the usual ones",
)


def findings() -> str:
    """The page of all kinds of findings, in the order and under the headings of `aistudio.audit.kinds`."""
    lines = [
        "# Findings",
        "",
        "What the audit of labelled data looks for ([data.md](data.md)). What breaks or poisons training fails a run;",
        "what is odd and may be right is said. `findings.csv` names every place, with file, line and id.",
        "",
        *(f"- **{severity}**: {meaning}" for severity, meaning in kinds.MEANING.items()),
    ]
    for line in Path(kinds.__file__).read_text(encoding="utf-8").splitlines():
        if line.startswith("    # "):
            heading = line[6:].capitalize().replace("rle", "RLE")
            lines += ["", f"## {heading}", "", "| kind | | why it matters | what to do |"]
            lines += ["| --- | --- | --- | --- |"]
        elif line.startswith('    "') and (kind := line.split('"')[1]) in kinds.KINDS:
            severity, why = kinds.KINDS[kind]
            lines.append(f"| `{kind}` | {severity} | {why} | {REMEDIES[kind]} |")
    return "\n".join([*lines, *UNSEEN]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", action="store_true", help="make the images, too")
    given = parser.parse_args()
    PAGES.mkdir(parents=True, exist_ok=True)
    if given.images:
        draw_data()
    (PAGES.parent / "findings.md").write_text(findings(), encoding="utf-8")
    for task in groups.options("task"):
        (PAGES / f"{task}.md").write_text(page(task), encoding="utf-8")
        if given.images:
            draw_images(task)


if __name__ == "__main__":
    main()
