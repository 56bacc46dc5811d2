"""Filling prompt templates so that nothing is left out."""

from __future__ import annotations

from string import Formatter


def render(template: str, **values: object) -> str:
    """Fill a template; every placeholder must be given and every value must have its place.

    Raises:
        ValueError: naming what does not fit. A question that never reaches the prompt is an error here.
    """
    wanted = {name for _, name, _, _ in Formatter().parse(template) if name}
    if wanted != set(values):
        raise ValueError(f"template wants {sorted(wanted)}, given {sorted(values)}")
    return template.format(**values)
