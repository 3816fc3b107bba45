"""The sheets that a run leaves: sharp images, file names, and made-up targets said."""

from functools import partial

import torch
from PIL import Image
from tiny_models import Segmenter, detection, detector, segmentation, subject

from aistudio.checks import predictions
from aistudio.checks.copies import contradiction, one_image
from aistudio.checks.evaluation import UsesImages
from aistudio.checks.overfitting import OverfitsOneBatch
from aistudio.data import ImageFolder, Sample, Synthetic
from aistudio.drawing.canvas import SIDE


def photographs(folder, count, alike=False):
    for index in range(count):
        noise = torch.rand((12, 12, 3), generator=torch.Generator().manual_seed(0 if alike else index))
        image = Image.fromarray((noise * 255).byte().numpy()).resize((160, 160))
        image.save(folder / f"photo{index}.png")
    return ImageFolder(folder)


def headings(monkeypatch):
    said = []
    original = predictions.contact_sheet

    def noted(tiles, heading, notes=(), *more):
        said.append((tiles, " ".join([heading, *notes])))
        return original(tiles, heading, notes, *more)

    monkeypatch.setattr(predictions, "contact_sheet", noted)
    return said


def test_both_sheets_are_written(tmp_path):
    one = subject(Segmenter, segmentation(), batch_size=2)
    predictions.save_predictions(one, tmp_path)
    predictions.save_batch(one, tmp_path, 64)
    for name, least in (("predictions.png", 900), ("batch.png", 450)):
        with Image.open(tmp_path / name) as sheet:
            assert sheet.width >= 900 and sheet.height >= least


def test_photographs_are_named_and_their_targets_said_to_be_made_up(tmp_path, monkeypatch):
    said = headings(monkeypatch)
    one = subject(detector, detection(), source=photographs(tmp_path, 4))
    predictions.save_predictions(one, tmp_path / "out")
    predictions.save_batch(one, tmp_path / "out", 64)
    for tiles, words in said:
        assert sorted(tile.name for tile in tiles) == [f"photo{index}.png" for index in range(4)]
        assert "made up" in words
    assert "no output is right or wrong" in said[0][1]


def test_painted_images_have_targets_that_hold(tmp_path, monkeypatch):
    said = headings(monkeypatch)
    predictions.save_predictions(subject(), tmp_path)
    assert "made up" not in said[0][1] and "after 0 training steps" in said[0][1]


def test_outputs_are_drawn_on_the_same_images_at_a_larger_size(tmp_path):
    for source in (Synthetic(), photographs(tmp_path, 4)):
        one = subject(source=source)
        samples = one.batch().samples
        sharp = predictions.sharper(one, samples)
        assert {sample.image.shape[-1] for sample in sharp} == {SIDE}
        assert all(predictions.is_same(a.image, b.image) for a, b in zip(sharp, samples, strict=True))
        assert not predictions.is_same(sharp[0].image, samples[1].image)


def test_a_source_that_gives_other_images_at_another_size_is_drawn_as_it_is():
    class Fickle:
        description, batch_size, warnings = "fickle", 4, []

        def samples(self, count, size, generator):
            generator.manual_seed(size)
            labels = torch.arange(count).view(-1, 1)
            shades = torch.rand((count, 3, 1, 1), generator=generator).expand(count, 3, size, size)
            return [Sample(shade, labels=one) for shade, one in zip(shades, labels, strict=True)]

    one = subject(source=Fickle())
    samples = one.batch().samples
    assert predictions.sharper(one, samples)[0] is samples[0]


def test_a_task_of_ones_own_is_drawn_as_before(tmp_path):
    class Own:
        """Everything of another task, but not what came later."""

        def __init__(self):
            self.inner, self.drawn = subject().task, []

        def __getattr__(self, name):
            if name in ("enlarge", "inner"):
                raise AttributeError(name)
            return getattr(self.inner, name)

        def draw(self, image, target, output):
            self.drawn.append((image.shape[-1], target is not None, output is not None))
            return Image.new("RGB", (100, 100))

    task = Own()
    one = subject(task=task)
    predictions.save_predictions(one, tmp_path)
    predictions.save_batch(one, tmp_path, 64)
    assert task.drawn == [(64, True, True)] * 4


def test_one_photograph_is_no_fault_of_the_model(tmp_path):
    one = subject(source=photographs(tmp_path, 1))
    used, fitted = UsesImages("Why.")(one), OverfitsOneBatch("Why.", steps=60, ratio=0.1)(one)
    assert [used.status, fitted.status] == ["skipped", "skipped"]
    assert all("all 4 images are the same file, photo0.png" in outcome.cause for outcome in (used, fitted))


def test_copies_of_one_photograph_are_named(tmp_path):
    one = subject(source=photographs(tmp_path, 4, alike=True))
    used = UsesImages("Why.")(one)
    assert used.status == "skipped" and "the same pixels" in used.cause and "photo0.png" in used.cause


def test_two_photographs_contradict_each_other_and_still_show_whether_images_are_used(tmp_path):
    one = subject(source=photographs(tmp_path, 2))
    fitted = OverfitsOneBatch("Why.", steps=60, ratio=0.1)(one)
    assert UsesImages("Why.")(one).status == "passed"
    assert fitted.status == "skipped" and "of the batch are the same" in fitted.cause


def test_different_photographs_are_judged_as_ever(tmp_path):
    one = subject(source=photographs(tmp_path, 4))
    assert UsesImages("Why.")(one).status == "passed"
    assert OverfitsOneBatch("Why.", steps=60, ratio=0.5)(one).status == "passed"
    assert OverfitsOneBatch("Why.", steps=1, ratio=0.01)(one).status == "failed"


def test_a_model_that_climbs_is_blamed_whatever_its_images(tmp_path):
    uphill = partial(torch.optim.SGD, lr=0.1, maximize=True)
    one = subject(source=photographs(tmp_path, 1), optimizer=uphill)
    assert OverfitsOneBatch("Why.", steps=20, ratio=0.1)(one).status == "failed"


def test_which_images_are_one():
    noise = torch.rand((3, 32, 32))
    saved_again = (noise + 0.01 * torch.randn(noise.shape)).clamp(0, 1)
    pair = [Sample(noise), Sample(saved_again)]
    assert one_image(pair) == "all 2 images are the same pixels"
    assert one_image([*pair, Sample(torch.rand((3, 32, 32)))]) == "" == one_image(pair[:1])
    assert one_image([Sample(torch.zeros((3, 8, 8))), Sample(torch.full((3, 8, 8), 0.1))]) == ""
    targets = torch.tensor([0, 1])
    assert contradiction(pair, targets) and not contradiction(pair, targets[[0, 0]])
