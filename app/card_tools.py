"""What each card offers: to keep its paper in the library and, where the host keeps votes, to judge it.

The cards are one piece of HTML, and one component, which draws nothing, listens to their buttons: a list of papers is
two elements, however many there are. Streamlit puts the HTML into the page anew at each run; what was unfolded in it is
unfolded again. A browser's words are checked, as anyone may send any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import streamlit as st

from app import feedback, feedback_parts, library_parts
from retrieval.records import Answer, Hit

_KEY = "card-tools"
_SCRIPT = """
export default function ({ data, parentElement, setTriggerValue }) {
  parentElement.wfEnd?.();
  const nameOf = (part) => `${part.closest(".wf-paper")?.ariaLabel} ${part.querySelector("summary")?.textContent}`;
  const unfolded = parentElement.wfUnfolded ??= new Set([...document.querySelectorAll(".wf-paper details[open]")].map(nameOf));
  const toggled = ({ target }) => {
    if (target.closest?.(".wf-paper")) unfolded[target.open ? "add" : "delete"](nameOf(target));
  };
  const paint = () => {
    for (const part of document.querySelectorAll(".wf-paper details:not([open])")) if (unfolded.has(nameOf(part))) part.open = true;
    for (const button of document.querySelectorAll(".wf-paper [data-does]")) {
      const { does, n } = button.dataset;
      const on = does === "keep" ? data.kept.includes(Number(n)) : data.votes[n] === does;
      if (does === "keep") {
        button.ariaLabel = on ? `Paper ${n} is in your library: take it out` : `Add paper ${n} to library`;
        button.title = on ? "In your library: click to take it out" : "Add to library";
      } else button.ariaPressed = String(on);
      button.classList.toggle("wf-on", on);
    }
    if (document.activeElement === document.body && parentElement.wfPressed) document.querySelector(parentElement.wfPressed)?.focus();
  };
  const clicked = ({ target }) => {
    const { does, n } = target.closest?.(".wf-paper [data-does]")?.dataset ?? {};
    if (!does) return;
    parentElement.wfPressed = `.wf-paper [data-does="${does}"][data-n="${n}"]`;
    setTriggerValue("done", { does, n: Number(n), of: data.of });
  };
  const watching = new MutationObserver(paint);
  watching.observe(document.querySelector("[data-testid=stMain]") ?? document.body, { childList: true, subtree: true });
  document.addEventListener("click", clicked);
  document.addEventListener("toggle", toggled, true);
  paint();
  return parentElement.wfEnd = () => {
    watching.disconnect();
    document.removeEventListener("click", clicked);
    document.removeEventListener("toggle", toggled, true);
  };
}
"""


@dataclass(frozen=True)
class CardTools:
    """What a list of cards offers; papers of an `answer` can be judged too, where votes are kept."""

    answer: Answer | None = None

    def html(self, n: int, hit: Hit) -> str:
        """The buttons of the card of paper `n`; nothing for a paper of no index."""
        if hit.row < 0:
            return ""
        return _KEEP.format(n=n) + (_VOTES.format(n=n) if self._votes else "")

    def listen(self, hits: Sequence[Hit], first: int) -> None:
        """Mount what listens to the buttons on the cards of `hits`, the first of which is number `first`."""
        library = library_parts.visitors_library()
        by_number = {n: hit for n, hit in enumerate(hits, first) if hit.row >= 0}
        votes = feedback_parts.paper_votes(self.answer) if self.answer and self._votes else {}
        _listener()(
            key=_KEY,
            data={
                "of": _list(by_number),
                "kept": [n for n, hit in by_number.items() if hit.paper in library],
                "votes": {str(n): "good" if good else "bad" for n, good in votes.items()},
            },
            on_done_change=partial(self._done, by_number),
        )

    @property
    def _votes(self) -> bool:
        return self.answer is not None and feedback.enabled()

    def _done(self, by_number: Mapping[int, Hit]) -> None:
        told = st.session_state.get(_KEY, {}).get("done")
        if not isinstance(told, dict) or told.get("of") != _list(by_number):
            return  # forged, or of a list that has gone meanwhile
        does, n = told.get("does"), told.get("n")
        if not isinstance(n, int) or n not in by_number:
            return
        if does == "keep":
            library_parts.keep_or_take_out(by_number[n].paper)
        elif does in ("good", "bad") and self._votes and self.answer is not None:
            feedback_parts.vote_on_paper(self.answer, n, good=does == "good")


_KEEP = '<button type="button" class="wf-keep" data-does="keep" data-n="{n}" aria-label="Add paper {n} to library"></button>'
_VOTES = (
    '<p class="wf-vote" role="group" aria-label="Paper {n}, right for this question?">Right for this question?'
    '<button type="button" data-does="good" data-n="{n}" aria-pressed="false">Yes</button>'
    '<button type="button" data-does="bad" data-n="{n}" aria-pressed="false">No</button></p>'
)


def _list(by_number: Mapping[int, Hit]) -> str:
    """Tells this list of papers from another."""
    return " ".join(f"{n}:{hit.row}" for n, hit in by_number.items())


@cache
def _listener() -> Any:
    return st.components.v2.component("wayfinder_cards", js=_SCRIPT, isolate_styles=False)
