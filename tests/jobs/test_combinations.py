"""Judging a whole sweep says of every combination what judging it alone says."""

import random

import pytest
from omegaconf import OmegaConf

from aistudio.config.compose import compose, composition
from aistudio.errors import Problem, Refusal, refusal_text
from aistudio.jobs.axes import distinct
from aistudio.jobs.combinations import Batch, in_short, judged

OWN_BACKBONE = """
name: my_net
model:
  _target_: torchvision.models.resnet18
  weights: ${backbone.weights}
"""


def alone(line, config_dir=None):
    """The problems and the resolved configuration of one combination by itself."""
    try:
        return (), OmegaConf.to_container(compose(*line, config_dir=config_dir), resolve=True)
    except Refusal as refusal:
        return refusal.problems, None


SWEEPS = {
    "values": ("runtime.seed=range(0,4)", "task.image_size=96,224", "data.batch_size=1,4"),
    "a value that others refer to": ("backbone.weights=null,DEFAULT", "runtime.seed=0,1"),
    "files": ("backbone=resnet18,efficientnet_b0", "task=classification,regression", "sanity=glob(*)"),
    "files and values": ("task=segmentation", "backbone=resnet50,resnet101", "data.batch_size=1,2"),
    "too small for some": ("task=classification", "backbone=resnet18", "task.image_size=8,32,64,224"),
    "wrong types": ("runtime.seed=0,x,-1,1.5,true", "backbone=resnet18"),
    "a misspelt key": ("backbone=resnet18,resnet34", "task.num_clases=3", "runtime.seed=0,1"),
    "a misspelt key that is swept": ("backbone=resnet18", "runtime.sead=0,1"),
    "a misspelt option": ("backbone=resnet18,resnet51",),
    "a section as a value": ("runtime=cpu", "architecture.model=1,2"),
    "a mapping as a value": ("backbone=resnet18", "task.loss={_target_:torch.nn.CrossEntropyLoss},null"),
    "an added key": ("backbone=resnet18", "+task.loss.label_smoothing=0.1,0.2"),
    "a deleted key": ("~experiment", "backbone=resnet18,resnet34"),
    "a name": ("backbone=resnet18", "backbone.name=resnet18,resnet50"),
    "an interpolation": ("backbone=resnet18", "task.image_size='${sanity.image_size}',224"),
    "missing": ("data=images,synthetic", "backbone=resnet18"),
    "missing for a value": ("data=images", "data.root='???',photos"),
    "rules relaxed": ("task=segmentation", "backbone=resnet50,resnet18", "task.rules.backbones.allow=any"),
    "full names": ("task=segmentation", "architecture=fcn_resnet101,fcn,fasterrcnn", "backbone=resnet50,resnet101"),
    "experiments": ("experiment=glob(*)", "runtime.seed=0,1"),
    "quoted": ("backbone=resnet18", "runtime.device='cpu',auto,tpu"),
    "one": ("backbone=resnet18",),
    "given twice": ("backbone=resnet18", "backbone=resnet34,resnet50"),
    "launcher": ("backbone=resnet18,resnet34", "hydra.sweep.dir=out", "hydra/launcher=basic"),
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("line", SWEEPS.values(), ids=SWEEPS)
def test_a_combination_is_judged_as_it_is_alone(line):
    jobs = [*judged(line)]
    assert jobs
    by_name = line[0].startswith("task=segmentation") and "allow" not in line[-1]
    for index, job in enumerate(jobs):
        problems, config = alone(job.overrides)
        if by_name and index and job.problems:  # refused for its names; the rest of its problems is not looked for
            assert set(job.problems) <= set(problems)
        else:
            assert job.problems == tuple(problems) and (problems or job.config == config)


@pytest.mark.slow
def test_pairs_that_names_refuse_have_the_same_problems_as_alone():
    jobs = [*judged(("task=glob(*)", "backbone=glob(*)", "architecture=glob(*)"))]
    assert len(jobs) == 7 * 11 * 25
    for job in random.Random(0).sample(jobs, 40):
        problems, config = alone(job.overrides)
        assert bool(job.problems) == bool(problems) and set(job.problems) <= set(problems)
        assert job.problems or job.config == config


def test_a_folder_of_the_users_own(tmp_path):
    (tmp_path / "backbone").mkdir()
    (tmp_path / "backbone" / "my_net.yaml").write_text(OWN_BACKBONE)
    jobs = [*judged(("backbone=my_net,resnet18", "task=classification,segmentation"), tmp_path)]
    assert [job.name for job in jobs] == [
        "my_net-classification",
        "my_net-segmentation",
        "resnet18-classification",
        "resnet18-segmentation",
    ]
    for job in jobs:
        problems, config = alone(job.overrides, tmp_path)
        assert job.problems == problems and (problems or job.config == config)


def test_values_are_composed_once(monkeypatch):
    made = []
    init = Batch.__init__
    monkeypatch.setattr(Batch, "__init__", lambda self, found: (made.append(1), init(self, found))[1])
    jobs = [*judged(("backbone=resnet18,resnet34", "runtime.seed=range(0,50)", "task.image_size=96,128"))]
    assert len(jobs) == 200 and len(made) == 2
    assert len({(job.config["runtime"]["seed"], job.config["task"]["image_size"]) for job in jobs}) == 100


@pytest.mark.parametrize("same", ["hydra.sweep.dir=runs", "task.loss={_target_:torch.nn.CrossEntropyLoss}", "+new=1"])
def test_what_is_the_same_in_all_is_composed_with_each_once(monkeypatch, same):
    composed = []
    monkeypatch.setattr(
        "aistudio.jobs.combinations.composition", lambda *given: composed.append(1) or composition(*given)
    )
    jobs = [*judged(["backbone=resnet18,resnet50", "task=classification", same, "runtime.seed=range(0,9)"])]
    assert len(jobs) == 18 and len(composed) == 2
    assert {job.config["runtime"]["seed"] for job in jobs} == {*range(9)}


def test_no_torch_is_needed(no_torch):
    assert len([*judged(("backbone=glob(resnet*)", "task=classification"))]) == 4


@pytest.mark.parametrize("override", ["runtime.seed=interval(0,5)", "backbone=glob(nothing*)"])
def test_what_is_no_list_is_refused(override):
    with pytest.raises(Refusal) as refusal:
        [*judged((override,))]
    assert refusal.value.problems[0].why and refusal.value.problems[0].instead


def test_names_say_what_varies_and_nothing_else():
    jobs = judged(("sanity=quick", "task=regression,classification", "data.root=/a b,c", "runtime.seed=0,1"))
    assert [job.name for job in jobs][:3] == [
        "regression-data.root=_a_b-runtime.seed=0",
        "regression-data.root=_a_b-runtime.seed=1",
        "regression-data.root=c-runtime.seed=0",
    ]
    assert [job.name for job in judged(("backbone=resnet18",))] == ["job"]


def test_names_differ_also_where_capitals_do_not_count():
    assert distinct(["a", "A", "b", "a"]) == ["a", "A-2", "b", "a-3"]
    assert distinct(["a", "a", "a-2", "a"]) == ["a", "a-2", "a-2-2", "a-3"], "also from names that look numbered"


def test_what_many_have_in_common_is_said_once():
    jobs = [*judged(("task=segmentation", "backbone=resnet18,resnet34,resnet50", "runtime.seed=0,1"))]
    short = in_short(jobs)
    assert short == [
        Problem(
            f"backbone={name} does not fit task=segmentation",
            short[0].why,
            "conf/task/segmentation.yaml · rules.backbones",
            "resnet50, resnet101, mobilenet_v3_large",
        )
        for name in ("resnet18", "resnet34")
    ]
    answer = refusal_text(short).splitlines()
    assert [line[:11] for line in answer] == ["backbone=re"] * 2 + ["  why      ", "  rule     ", "  instead  "]
