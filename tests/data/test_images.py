"""A folder of photographs: every nasty file is converted rightly or named, and never a crash."""

import os
import struct
import subprocess
import time
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, UnidentifiedImageError, features

from aistudio.data.images import FORMATS, ImageFolder, read_image
from aistudio.errors import Refusal

RED, BLUE = (250, 10, 10), (10, 10, 250)


def halves(mode="RGB", size=(40, 40)):
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture.convert(mode)


def grey16(path, value=32768):
    Image.fromarray(np.full((40, 40), value, np.uint16)).save(path)


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def transparent(mode):
    picture = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    picture.paste((*RED, 255), (0, 0, 20, 40))
    return picture.convert(mode)


def palette(path):
    picture = Image.new("P", (40, 40), 0)
    picture.putpalette([0, 200, 0, *RED])
    picture.paste(1, (0, 0, 20, 40))
    picture.save(path, transparency=0)


def bomb(path):
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)


def truncated(path):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:5000])


def float_tiff(path, values):
    Image.fromarray(np.asarray(values, np.float32)).save(path)


WHITE, GREEN, HALF = (255, 255, 255), (0, 200, 0), (128, 128, 128)
LEFT_RIGHT = {  # name: how to write it, the colour on the left, and on the right
    "plain.png": (lambda p: halves().save(p), RED, BLUE),
    "UPPER.JPG": (lambda p: halves().save(p, "JPEG", quality=95), RED, BLUE),
    "cmyk.jpg": (lambda p: halves("CMYK").save(p, quality=95), RED, BLUE),
    "grey.jpg": (lambda p: Image.new("L", (40, 40), 128).save(p), HALF, HALF),
    "grey16.png": (grey16, HALF, HALF),
    "grey16.tif": (grey16, HALF, HALF),
    "grey32.tif": (lambda p: Image.fromarray(np.full((40, 40), 128, np.int32)).save(p), HALF, HALF),
    "rgba.png": (lambda p: transparent("RGBA").save(p), RED, WHITE),
    "la.png": (lambda p: transparent("LA").save(p), (82, 82, 82), WHITE),
    "p.png": (palette, RED, WHITE),
    "one_bit.png": (lambda p: halves("1", (40, 40)).save(p), None, None),
    "exif6.jpg": (lambda p: halves().rotate(90).save(p, exif=exif(6), quality=95), RED, BLUE),
    "exif8.jpg": (lambda p: halves().rotate(-90).save(p, exif=exif(8), quality=95), RED, BLUE),
    "animated.gif": (lambda p: halves().save(p, save_all=True, append_images=[halves().rotate(180)]), RED, BLUE),
    "pages.tiff": (lambda p: halves().save(p, save_all=True, append_images=[halves().rotate(180)]), RED, BLUE),
    "float01.tif": (lambda p: float_tiff(p, np.full((40, 40), 0.5)), HALF, HALF),
    "float255.tif": (lambda p: float_tiff(p, np.full((40, 40), 128)), HALF, HALF),
    "float_nan.tif": (lambda p: float_tiff(p, [[np.nan, 1.0]] * 2), None, None),
    "one_pixel.png": (lambda p: Image.new("RGB", (1, 1), RED).save(p), RED, RED),
    "thin.png": (lambda p: Image.new("RGB", (1, 500), RED).save(p), RED, RED),
    "wide.png": (lambda p: halves(size=(400, 40)).save(p), RED, BLUE),
    "snö 雪 📷.webp": (lambda p: halves().save(p, lossless=True), RED, BLUE),
    "icon.bmp": (lambda p: halves().quantize(4).save(p), RED, BLUE),
}
BROKEN = {
    "truncated.jpg": truncated,
    "zero_bytes.png": lambda p: p.write_bytes(b""),
    "text.jpg": lambda p: p.write_text("not a picture"),
    "bomb.png": bomb,
    "half_header.tif": lambda p: p.write_bytes(b"II*\x00\x08\x00\x00\x00\xff\xff"),
    "broken.gif": lambda p: p.write_bytes(b"GIF89a\x10\x00\x10\x00\xf7\x00\x00"),
    "zeros.tif": lambda p: p.write_bytes(b"MM\x00*" + b"\x00" * 99),
}


@pytest.mark.parametrize("name", LEFT_RIGHT)
def test_every_kind_of_file_becomes_the_right_colours(name, tmp_path):
    write, left, right = LEFT_RIGHT[name]
    write(tmp_path / name)
    source = ImageFolder(tmp_path)
    (sample,) = source.samples(1, 32, torch.Generator().manual_seed(0))
    assert source.warnings == []
    image = sample.image
    assert image.shape == (3, 32, 32) and image.dtype == torch.float32 and 0 <= image.min() <= image.max() <= 1
    for colour, column in ((left, 4), (right, 27)):
        if colour is not None:
            assert (image[:, 16, column] * 255 - torch.tensor(colour)).abs().max() < 12


def test_one_bit_and_nan_pixels_are_numbers(tmp_path):
    Image.fromarray(np.array([[0, 255]] * 2, np.uint8)).convert("1").save(tmp_path / "bits.png")
    assert read_image(tmp_path / "bits.png", 2)[:, 0].tolist() == [[0.0, 1.0]] * 3
    float_tiff(tmp_path / "nan.tif", [[np.nan, 1.0]] * 2)
    assert read_image(tmp_path / "nan.tif", 2)[:, 0].tolist() == [[0.0, 1.0]] * 3


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named_and_passed_over(name, tmp_path):
    BROKEN[name](tmp_path / name)
    halves().save(tmp_path / "good.png")
    source = ImageFolder(tmp_path)
    samples = source.samples(4, 32, torch.Generator().manual_seed(0))
    assert len(samples) == 4
    assert len(source.warnings) == 1 and source.warnings[0].startswith(f"{name}: ")


def test_all_nasty_files_together(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    for name, (write, _, _) in LEFT_RIGHT.items():
        write((deep if len(name) % 2 else tmp_path) / name)
    for name, write in BROKEN.items():
        write(deep / name)
    (tmp_path / ".hidden.jpg").write_text("no")
    (tmp_path / "notes.txt").write_text("no")
    (deep / "loop").symlink_to(tmp_path, target_is_directory=True)
    (deep / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "folder.png").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
    source = ImageFolder(tmp_path)
    assert len(source.files) == len(LEFT_RIGHT) + len(BROKEN)
    samples = source.paint([[0, 1]] * 60, 64, torch.Generator().manual_seed(0))
    assert len(samples) == 60 and all(sample.image.isfinite().all() for sample in samples)
    assert {warning.split(":")[0].split("/")[-1] for warning in source.warnings} == set(BROKEN)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_files_and_folders_that_may_not_be_read_are_named(tmp_path):
    halves().save(tmp_path / "good.png")
    halves().save(tmp_path / "locked.png")
    (tmp_path / "closed").mkdir(mode=0)
    (tmp_path / "locked.png").chmod(0)
    source = ImageFolder(tmp_path)
    source.samples(3, 32, torch.Generator().manual_seed(0))
    assert {warning.split(":")[0] for warning in source.warnings} == {"closed", "locked.png"}


def test_a_name_that_is_no_utf8_can_be_printed(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_text("no")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    halves().save(tmp_path / "good.png")
    source = ImageFolder(tmp_path)
    source.samples(2, 32, torch.Generator().manual_seed(0))
    assert source.warnings[0].encode("utf-8").startswith(b"caf?.jpg: ")


def test_refusals(tmp_path):
    with pytest.raises(Refusal, match="is not there"):
        ImageFolder(tmp_path / "missing")
    (tmp_path / "notes.txt").write_text("no")
    with pytest.raises(Refusal, match="is a file"):
        ImageFolder(tmp_path / "notes.txt")
    with pytest.raises(Refusal, match="has no images in it"):
        ImageFolder(tmp_path)
    (tmp_path / "text.jpg").write_text("no")
    with pytest.raises(Refusal, match="none of 1 image files .* can be read"):
        ImageFolder(tmp_path).samples(1, 32, torch.Generator().manual_seed(0))


def test_the_choice_is_seeded_and_only_needed_files_are_opened(tmp_path, monkeypatch):
    for index in range(20):
        Image.new("RGB", (8, 8), (index * 10, 0, 0)).save(tmp_path / f"{index:02}.png")
    opened = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda path, formats: opened.append(path) or real(path, formats=formats))
    source = ImageFolder(tmp_path)
    first, second, other = (
        [sample.image[0, 0, 0].item() for sample in source.samples(4, 16, torch.Generator().manual_seed(seed))]
        for seed in (0, 0, 1)
    )
    assert first == second != other and len(set(first)) == 4 and len(opened) == 12


def test_a_large_folder_is_only_listed(tmp_path):
    for index in range(2000):
        (tmp_path / f"{index}.jpg").touch()
    start = time.perf_counter()
    assert len(ImageFolder(tmp_path).files) == 2000
    assert time.perf_counter() - start < 1


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\n(ran) (w) file closefile showpage\n%%EOF\n"
PROGRAMS = {
    "EPS": EPS,
    "WMF": b"\xd7\xcd\xc6\x9a" + bytes(100),
    "FPX": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
}
WRITTEN = ("ICNS", "TGA", "PCX", "SGI", "IM", "DDS", "ICO", "MSP", "JPEG2000", "QOI", "XBM", "SPIDER", "BLP")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".ppm", ".gif"])
@pytest.mark.parametrize("kind", [*PROGRAMS, *WRITTEN])
def test_no_format_is_opened_but_those_that_are_listed(kind, suffix, tmp_path, monkeypatch):
    path, started = tmp_path / f"a{suffix}", []
    Image.init()
    monkeypatch.setattr(Image, "EXTENSION", {**Image.EXTENSION})  # saving as SPIDER takes the ending for its own
    if kind in PROGRAMS:
        path.write_bytes(PROGRAMS[kind])
    else:
        mode = {"MSP": "1", "XBM": "1", "SPIDER": "F", "BLP": "P"}.get(kind, "RGB")
        halves(size=(64, 64)).convert(mode).save(path, kind)
    for module in (subprocess, os):
        for name in ("Popen", "run", "check_call", "system", "popen"):
            monkeypatch.setattr(module, name, lambda *what, **_: started.append(what), raising=False)
    with pytest.raises(UnidentifiedImageError):
        read_image(path, 32)
    assert not started


@pytest.mark.parametrize("kind", FORMATS)
def test_those_that_are_listed_are_read_whatever_they_are_named(kind, tmp_path):
    if not features.check("avif") and kind == "AVIF":
        pytest.skip("this Pillow has no AVIF")
    halves().save(tmp_path / "a.png", kind)
    assert read_image(tmp_path / "a.png", 32).shape == (3, 32, 32)
