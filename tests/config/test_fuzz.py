"""Inputs that nobody thought of: each is answered with a configuration or a `Refusal`, and nothing else.

``pytest -m slow tests/config/test_fuzz.py --fuzz 5000 -n auto`` tries 20,000 of them, which takes an hour of a core.
"""

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

from aistudio import Refusal, compose

pytestmark = pytest.mark.slow
SEEDS = range(2)  # each of overrides and of files


@pytest.fixture
def settings(request):
    """As many inputs as ``--fuzz`` says, the same ones each time."""
    return hypothesis.settings(
        max_examples=request.config.getoption("--fuzz"),
        deadline=None,
        database=None,
        suppress_health_check=[*hypothesis.HealthCheck],
    )


KEY_NAMES = """backbone task architecture data sanity runtime sweep experiment hydra hydra/launcher defaults task.name x
backbone.name backbone.weights architecture.tasks architecture.rules architecture.model task.rules task.loss
task.loss._target_ task.image_size task.num_classes data.root data.batch_size sanity.checks sanity.image_size
runtime.seed runtime.device sweep.timeout hydra.run.dir hydra.searchpath hydra.job"""
VALUES = """resnet18 resnet50 segmentation classification fcn images quick null true 5 -1 1.5 1e400 nan ??? any
torch.nn.Linear os.system ${x} ${task.name} ${oc.env:HOME} ${oc.decode:5} ${ [] {} [[]] {a:1} [a,b] range(3) glob(*) 1,2
' \\ ~nobody ../x / _self_ é"""
KEYS, WORDS = KEY_NAMES.split(), [*VALUES.split(), "", "a b", "9" * 5000, "a" * 300]
TEXTS = st.one_of(st.sampled_from(WORDS), st.text(max_size=6), st.text("${}[]:,='\"\\.~+ab1 ", max_size=12))
OVERRIDES = st.builds(
    lambda sign, key, middle, value: f"{sign}{key}{middle}{value}",
    st.sampled_from(["", "", "", "+", "++", "~"]),
    st.one_of(st.sampled_from(KEYS), st.text("abt.[]@/+", max_size=6)),
    st.sampled_from(["=", "=", "=", ""]),
    TEXTS,
)
SCALARS = st.one_of(TEXTS, st.integers(), st.floats(), st.booleans(), st.none())
PARTS = st.one_of(st.sampled_from([part for key in KEYS for part in key.split(".")]), TEXTS)
TREES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(PARTS, below, max_size=3), max_leaves=6
)
MAPPINGS = st.dictionaries(PARTS, TREES, min_size=1, max_size=3)


def answered(*overrides, folder=None):
    try:
        compose(*overrides, config_dir=folder)
    except Refusal as refusal:
        assert refusal.problems and all(problem.what for problem in refusal.problems)


@pytest.mark.parametrize("seed", SEEDS)
def test_overrides(seed, settings):
    @hypothesis.seed(seed)
    @settings
    @hypothesis.given(st.lists(OVERRIDES, min_size=1, max_size=3))
    def all_of_them(said):
        answered(*said)

    all_of_them()


def as_yaml(tree, header):
    return header + yaml.safe_dump(tree, allow_unicode=True)


FILES = st.one_of(
    st.builds(as_yaml, MAPPINGS, st.sampled_from(["# @package _global_\n", "", "# @package x\n", "%"])),
    st.text("ab:- {}[]&*!|>'\"#%@?\n\t1.$", max_size=40),
)


@pytest.mark.parametrize("seed", SEEDS)
def test_files(seed, settings, tmp_path):
    @hypothesis.seed(seed)
    @settings
    @hypothesis.given(st.sampled_from(["experiment", "backbone", "task", "architecture", "data"]), FILES)
    def all_of_them(group, text):
        path = tmp_path / group / "x.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            answered(f"{group}=x", folder=tmp_path)
        finally:
            path.unlink()

    all_of_them()
