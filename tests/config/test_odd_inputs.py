"""Whatever is said to it, `aistudio.compose` answers with a configuration or a `Refusal`, and soon."""

import random
import time

import pytest

from aistudio import Refusal, compose
from aistudio.config.hydra import hydra_composed
from aistudio.config.overrides import quoted, uninterpreted
from aistudio.jobs.axes import folder_name
from aistudio.jobs.combinations import judged

DEEP = 300
OVERRIDES = {
    "a list of lists": ["sanity=[[]]"],
    "no key": ["+=x:y"],
    "neither": ["="],
    "nothing": [""],
    "5,000 digits": [f"runtime.seed={'9' * 5000}"],
    "tasks as a number": ["architecture.tasks=5"],
    "no tasks": ["architecture.tasks=null"],
    "tasks that are lists": ["architecture.tasks=[[classification]]"],
    "nobody's home": ["data=images", "data.root=~nobodyatall"],
    "no such key": ["~nobodyatall"],
    "a long name": [f"backbone={'a' * 300}"],
    "a long folder": ["data=images", f"data.root={'a' * 5000}"],
    "a folder with a zero": ["data=images", "data.root='a\0b'"],
    "a check that is a name": ["+sanity.checks.x=torch.nn.Linear"],
    "brackets": [f"+x={'[' * DEEP}{']' * DEEP}"],
    "braces": [f"+x={'{a:' * DEEP}1{'}' * DEEP}"],
    "interpolations": [f"runtime.seed={'${' * DEEP}x{'}' * DEEP}"],
    "a zero": ["\0"],
    "half a character": ["runtime.seed=\ud800"],
    "no section": ["~task", "~backbone"],
    "no Hydra": ["hydra=null"],
    "a launcher that is a list": ["hydra/launcher=[a]"],
}
FILES = {  # what a stranger's file says
    "a mapping of numbers": "defaults: [{1: 2}]",
    "defaults as a number": "defaults: 5",
    "defaults of lists": "defaults: [[a]]",
    "no defaults": "defaults: [null]",
    "itself": "defaults: [x]",
    "itself by its group": "defaults: ['/experiment/x']",
    "all again": "defaults: [/config]",
    "a loop of two": "defaults: [y]",
    "no Hydra": "hydra: null",
    "Hydra as a number": "hydra: 5",
    "no runtime": "hydra: {runtime: null}",
    "an alias of itself": "a: &a [*a]",
    "an alias in a mapping": "task: &a {b: *a}",
    "200 maps": f"a: {'{a: ' * 200}1{'}' * 200}",
    "200 lists": f"a: {'[' * 200}{']' * 200}",
    "a number": "5",
    "a list": "- 1",
    "two documents": "a: 1\n---\nb: 2",
    "not closed": "a: [1,",
    "a tab": "\tx: 1",
    "no timestamp": "a: !!timestamp 2020",
    "a tag": "a: !!python/name:os.system x",
    "no alias": "a: *nope",
    "a key that is a list": "? [a]\n: 1",
    "a key that is a number": "task: {1: 2}",
    "5,000 digits": f"runtime: {{seed: {'9' * 5000}}}",
    "tasks": "architecture: {tasks: 5}",
    "a loop of values": "task: {name: '${backbone.name}'}\nbackbone: {name: '${task.name}'}",
    "half an interpolation": "task: {name: '${'}",
    "bytes": b"\xff\xfe\x00",
    "half a character": b"a: \xff",
    "zeros": b"\x00",
}
SIGNS = [
    "'",
    ",",
    "(",
    "[",
    "{",
    "=",
    '"',
    "~",
    "#",
    " ",
    "\\",
    "${x}",
    ")",
    "]",
    "}",
    ":",
    "$",
    "*",
    "é",
    "'\\'",
    "\n",
]
NAMES = ["[x]", "'q'", "{a:1}", ".", "..", "a=b", "a,b", "a#b", "~", '"', "null", "1e5", "é", "(", "x" * 200]


def answered(*overrides, folder=None):
    """The configuration, or the refusal."""
    started = time.perf_counter()
    try:
        return compose(*overrides, config_dir=folder)
    except Refusal as refusal:
        assert all(problem.what for problem in refusal.problems)
        return refusal
    finally:
        assert time.perf_counter() - started < 10


def file_of(folder, content, group="experiment", name="x"):
    path = folder / group / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = content if isinstance(content, bytes) else f"# @package _global_\n{content}\n".encode()
    path.write_bytes(lines)
    return path


@pytest.mark.sampled(6)
@pytest.mark.parametrize("said", OVERRIDES)
def test_odd_overrides_are_refused(said, no_torch):
    assert isinstance(answered(*OVERRIDES[said]), Refusal)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("said", FILES)
def test_odd_files_are_refused(said, tmp_path, no_torch):
    file_of(tmp_path, FILES[said])
    file_of(tmp_path, "defaults: [x]", name="y")
    assert isinstance(answered("experiment=x", folder=tmp_path), Refusal)


@pytest.mark.parametrize("said", ["an alias of itself", "200 maps", "bytes", "no Hydra", "a number", "itself"])
def test_the_file_is_named(said, tmp_path):
    path = file_of(tmp_path, FILES[said])
    assert str(path) in str(answered("experiment=x", folder=tmp_path))


def test_what_is_no_file_is_refused(tmp_path):
    path = tmp_path / "experiment" / "x.yaml"
    path.mkdir(parents=True)
    assert isinstance(answered("experiment=x", folder=tmp_path), Refusal)
    path.rmdir()
    path.symlink_to(path)
    assert isinstance(answered("experiment=x", folder=tmp_path), Refusal)
    for folder in (path, "a" * 5000, "a\0b", __file__):
        assert isinstance(answered(folder=folder), Refusal)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("sign", SIGNS)
def test_a_folder_of_ones_own_may_have_any_name(sign, tmp_path):
    folder = tmp_path / f"a{sign}b"
    file_of(folder, "runtime: {seed: 5}")
    assert compose("experiment=x", config_dir=folder).runtime.seed == 5


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_of_any_name_is_answered_soon_and_can_be_swept(name, tmp_path):
    file_of(tmp_path, "runtime: {seed: 5}", name=name)
    said = answered(f"experiment={name}", folder=tmp_path)
    assert isinstance(said, Refusal) or said.runtime.seed == 5
    assert compose(f"experiment={quoted(name)}", config_dir=tmp_path).runtime.seed == 5
    jobs = [*judged(["experiment=glob('*',exclude=['detection*','regression*','segmentation*'])"], tmp_path)]
    mine = [job for job in jobs if not job.problems and job.config["runtime"]["seed"] == 5]
    assert len(mine) == 1 and not any(job.problems for job in jobs)
    inside = tmp_path / "sweep"
    assert (inside / mine[0].name).resolve().parent == inside.resolve()


def test_no_job_is_kept_above_its_sweep():
    for words in (".", "..", "...", "", "/", "../..", "a/../..", "\\..", "x" * 500, "." * 500):
        name = folder_name(words)
        assert name and name.strip(".") and "/" not in name and "\\" not in name and len(name) <= 100
    assert folder_name("a.b-c=1.5") == "a.b-c=1.5"


def test_any_text_can_be_quoted_for_hydra_and_for_the_configuration():
    chance = random.Random(0)
    texts = ["".join(chance.choices("ab'\"\\ ${}x:,[]=~#.", k=chance.randint(1, 12))) for _ in range(200)]
    line = [f"+task.loss.text{index}={quoted(uninterpreted(text))}" for index, text in enumerate(texts)]
    loss = hydra_composed(line, ()).task.loss
    assert [loss[f"text{index}"] for index in range(len(texts))] == texts


def test_a_sweep_answers_numbers_that_cannot_be_read():
    assert [job for job in judged([f"runtime.seed={'9' * 5000}"]) if job.problems]


def test_a_folder_that_hydra_would_interpret_keeps_no_run(tmp_path, monkeypatch, cli):
    from aistudio.cli.run import refuse_what_hydra_would_interpret

    refuse_what_hydra_would_interpret(tmp_path / "a $x {y} \\")
    with pytest.raises(Refusal):
        refuse_what_hydra_would_interpret(tmp_path / "a ${x}")


@pytest.mark.parametrize("where", ["sanity.checks.x", "task", "data", "architecture.model"])
def test_what_makes_another_thing_is_refused(where):
    from omegaconf import OmegaConf, open_dict

    from aistudio import sanity_run

    config = compose("backbone=mobilenet_v3_small", "sanity=quick", "runtime=cpu")
    with open_dict(config):
        node = OmegaConf.select(config, where) or OmegaConf.create({})
        entry = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 2}
        entry |= {key: node[key] for key in ("name", "image_size", "rules", "batch_size") if key in node}
        for key in [*node]:
            del node[key]
        OmegaConf.update(config, where, entry, merge=False)
    with pytest.raises(Refusal) as refusal:
        sanity_run(config)
    assert where.split(".")[0] in str(refusal.value)


def test_a_file_with_an_alias_is_as_if_written_out(tmp_path, no_torch):
    file_of(tmp_path, "backbone: {image_mean: &half [0.5, 0.5, 0.5], image_std: *half}")
    assert answered("experiment=x", folder=tmp_path).backbone.image_std == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(("levels", "refused"), [(3, False), (5, True)])
def test_a_file_whose_aliases_unfold_too_far_is_refused_before_they_do(levels, refused, tmp_path, no_torch):
    lines = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, levels + 1)]
    file_of(tmp_path, "\n".join(["a0: &a0 [1]", *lines]))
    said = str(answered("experiment=x", folder=tmp_path))
    assert ("x.yaml stands for 2e+05 values" in said) is refused and ("a0 is unknown" in said) is not refused
