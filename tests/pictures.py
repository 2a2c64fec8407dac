"""The committed pictures: exactly those that pages of the documentation show."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "screenshots"
LARGEST_PICTURE = 100_000


def pictures_shown() -> set[Path]:
    """Return the paths of the pictures that README and docs/ show."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    links = (
        (page, link)
        for page in pages
        for link in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    )
    paths = {(page.parent / link).resolve() for page, link in links}
    return {path for path in paths if path.parent == FOLDER}
