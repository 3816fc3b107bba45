"""Whether two images are alike is asked of their files, which may be gone by then."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from aistudio.audit.alike import alike


@dataclass
class Known:
    name: str
    thumbnail: np.ndarray
    stored: tuple[int, int] | None = (96, 96)


def pair(folder):
    random = np.random.default_rng(0)
    content = Image.fromarray(random.integers(0, 255, (96, 96, 3), dtype=np.uint8))
    thumbnail = np.asarray(content.resize((16, 16), Image.Resampling.BOX))
    for name in ("one.png", "other.png"):
        content.save(folder / name)
    return [Known("one.png", thumbnail), Known("other.png", thumbnail)]


def test_the_same_content_is_a_pair(tmp_path):
    assert [*alike(tmp_path, pair(tmp_path))] == [(1, 0)]


def test_a_file_that_is_gone_by_then_is_in_none(tmp_path):
    those = pair(tmp_path)
    (tmp_path / "one.png").unlink()
    assert [*alike(tmp_path, those)] == []
