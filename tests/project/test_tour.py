"""The tour in docs/: its pictures are there and small, and no page of the app is missing. Run: pytest tests/project/test_tour.py"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from PIL import Image

from tests.tour import LIGHT, LOOKS, PICTURES, VIEWS

ROOT = Path(__file__).resolve().parents[2]
TOUR = ROOT / "docs" / "tour.md"
MOST_BYTES = 2_000_000


def linked(document: Path) -> set[Path]:
    """The pictures that a document shows."""
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"""(?:\]\(|src="|srcset=")([^)"]+\.png)""", text)
    return {(document.parent / name).resolve() for name in named}


def pages_of_the_app() -> set[str]:
    """The titles in the navigation."""
    source = ast.parse((ROOT / "app" / "page.py").read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(source) if isinstance(n, ast.Call) and ast.unparse(n.func) == "st.Page"]  # fmt: skip
    given = [{k.arg: ast.literal_eval(k.value) for k in call.keywords} for call in calls]
    return {str(page["title"]) for page in given if page.get("visibility") != "hidden"}


def test_every_picture_exists_and_every_one_made_is_shown() -> None:
    made = {
        (PICTURES / f"{name}{look.ending}.png").resolve(): look
        for name in VIEWS
        for look in LOOKS.get(name, (LIGHT,))
    }
    assert linked(TOUR) == set(made) == set(PICTURES.resolve().glob("*.png"))
    for path, look in made.items():
        with Image.open(path) as picture:
            assert picture.size == tuple(side * look.scale for side in look.size), path.name
    assert sum(path.stat().st_size for path in made) < MOST_BYTES


def test_every_page_of_the_app_is_in_the_tour() -> None:
    headings = re.findall(r"^## (.+)$", TOUR.read_text(encoding="utf-8"), re.M)
    pages = pages_of_the_app()
    assert len(pages) >= 8
    assert pages <= set(headings)


def test_the_readme_shows_true_pictures_and_leads_to_the_tour() -> None:
    assert "(docs/tour.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert linked(ROOT / "README.md") <= linked(TOUR)
