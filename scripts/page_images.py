"""Take docs/page_run.jpg and docs/page_sweep.jpg from the pages that a run and a sweep have left.

python scripts/page_images.py outputs/DATE/TIME/report.html out/summary.html       # needs chromium and Pillow
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parent.parent / "docs"
WINDOWS = {"page_run": (1700, 1000), "page_sweep": (1425, 1000)}  # pixels; a run's page has two columns from 1,700


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="report.html")
    parser.add_argument("sweep", type=Path, help="summary.html")
    given = parser.parse_args()
    for name, page in (("page_run", given.run), ("page_sweep", given.sweep)):
        take(page, DOCS / f"{name}.jpg", *WINDOWS[name])


def take(page: Path, image: Path, width: int, height: int) -> None:
    """Open a page in a window and keep what is seen without scrolling."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder, "shot.png")
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}"]
        flags += ["--disable-background-networking", "--no-first-run", f"--window-size={width},{height}"]
        subprocess.run(["chromium", *flags, f"--screenshot={shot}", page.resolve().as_uri()], check=True, timeout=60)
        with Image.open(shot) as seen:
            seen.convert("RGB").save(image, quality=90)


if __name__ == "__main__":
    main()
