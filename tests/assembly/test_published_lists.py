"""The lists of published weights in ``conf/`` say what torchvision says, and leave none out."""

import pytest
from torchvision import models

from aistudio.config.groups import options
from aistudio.config.shipped import section
from aistudio.data.imagenet import MEAN, STD
from aistudio.weights.published import published

LISTS = {
    **{name: section("backbone", name)["pretrained"] for name in options("backbone")},
    **{
        name: found
        for one in options("architecture")
        for name, found in section("architecture", one)["pretrained"].items()
    },
}


@pytest.mark.parametrize("name", LISTS)
def test_names_files_and_facts_are_torchvisions(name):
    theirs = models.get_model_weights(name)
    assert set(LISTS[name]) == set(theirs.__members__)
    assert LISTS[name]["DEFAULT"] == theirs.DEFAULT.name
    for weights in theirs:
        ours, shown = published(LISTS[name], weights.name), weights.transforms()
        assert ours.url == weights.url
        assert ours.megabytes == pytest.approx(weights.meta["_file_size"], abs=0.051)
        assert ours.classes == len(weights.meta["categories"])
        assert (ours.crop, ours.resize) == tuple(
            (getattr(shown, f"{one}_size", None) or [None])[0] for one in ("crop", "resize")
        )


@pytest.mark.parametrize("name", LISTS)
def test_images_are_normalised_as_the_weights_were_trained(name):
    for weights in models.get_model_weights(name):
        shown = weights.transforms()
        assert tuple(getattr(shown, "mean", MEAN)) == MEAN and tuple(getattr(shown, "std", STD)) == STD


def test_every_backbone_has_a_list():
    assert len(LISTS) == 11 + 13 and all(section("backbone", name)["pretrained"] for name in options("backbone"))
