"""The controls that the asking pages share: which papers, which first, how to search, and what was understood.

Limits and usual values are those of app/share_link.py, so that a link restores what the page can set. The controls keep
their values from page to page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.page_parts import literal
from app.share_link import CONTROLS, Number, OneOf, Switch, Value, Words
from indexer import config
from retrieval.consensus import level_in
from retrieval.records import Answer, SearchFilters, SearchSettings
from retrieval.understood import Understood

_CHIP = {"narrows": "only {}", "boosts": "prefer {}", "first": "first {}", "corrects": "read {}"}
_MODES = {"hybrid": "Both", "dense": "Meaning", "lexical": "Words"}
_FILTERS = ("since", "until", "citations", "author", "facility")
_RANKING = (
    "recency", "impact", "halflife", "mode", "words", "diversity", "reviews", "teams", "understand", "hyde", "rerank",
)  # fmt: skip


@dataclass(frozen=True)
class Host:
    """What there is to search and to write with, beyond the index."""

    llm: bool
    reranker: str | None  # None: the one that ships, in hybrid search


def host() -> Host:
    """What the environment configures."""
    return Host(config.llm_config().enabled, config.reranker_config().name)


def state_key(name: str) -> str:
    """Where a control's value is kept in the visitor's session."""
    return f"set-{name}"


def changed(names: Iterable[str] = CONTROLS) -> dict[str, Value]:
    """The controls of `names` that are not as usual."""
    found: dict[str, Value] = {}
    for name in names:
        usual = CONTROLS[name].usual
        value = st.session_state.get(state_key(name), usual)
        if value not in {usual, ""}:
            found[name] = value
    return found


def restore(settings: Mapping[str, Value]) -> None:
    """Set the controls as a link says, all others as usual; before they are drawn."""
    for name in CONTROLS:
        st.session_state.pop(state_key(name), None)
    for name, value in settings.items():
        st.session_state[state_key(name)] = value


def settings_row(of: Host, *further: Callable[[], object]) -> SearchSettings:
    """Buttons that open filters and ranking, and what `further` draws beside them; return what the first two say.

    Where a language model writes, all is drawn with the page, so that a change ends an answer that is being written: a
    fragment would wait for it. Else the row alone is drawn again when a box opens, with what is in it.
    """
    st.session_state["settings-of-page"] = changed()
    (_row if of.llm else _row_alone)(of, further)
    return _chosen(of)


def _row(of: Host, further: Sequence[Callable[[], object]]) -> None:
    with st.container(horizontal=True, key="settings"):
        opened_by("Filters", _FILTERS, ":material/filter_list:", "filters", _filters, of)
        opened_by("Ranking", _RANKING, ":material/sort:", "ranking", lambda: _ranking(of), of)
        for draw in further:
            draw()


@st.fragment
def _row_alone(of: Host, further: Sequence[Callable[[], object]]) -> None:
    _row(of, further)
    if changed() != st.session_state["settings-of-page"]:
        st.rerun()


def opened_by(
    label: str, names: Sequence[str], icon: str, key: str, draw: Callable[[], object], of: Host
) -> None:
    """A button with how many of its controls are not as usual, and the box that it opens; see `settings_row`."""
    n = len(changed(names))
    shown = f"{label} · {n}" if n else label
    if of.llm:
        with st.popover(shown, icon=icon, key=key):
            draw()
        return
    if st.session_state.get(
        key
    ):  # with another label it is another box to Streamlit: it stays open
        st.session_state[key] = True
    with st.popover(shown, icon=icon, key=key, on_change="rerun") as box:
        if box.open:
            draw()


def value_of(name: str) -> Any:
    """A control's value now, whether it is drawn or not."""
    return st.session_state.get(state_key(name), CONTROLS[name].usual)


def _chosen(of: Host) -> SearchSettings:
    """What filters and ranking say."""
    mode = value_of("mode")
    reread = None
    if of.reranker != "none" and (of.reranker or mode == "hybrid"):
        reread = None if value_of("rerank") else False
    return SearchSettings(
        filters=SearchFilters(
            since=value_of("since"),
            until=value_of("until"),
            min_citations=value_of("citations") or None,
            author=written("author") or None,
            facility=written("facility") or None,
        ),
        recency=value_of("recency"),
        half_life_years=value_of("halflife"),
        impact=value_of("impact"),
        diversity=value_of("diversity"),
        mode=mode,
        keyword_weight=value_of("words"),
        reviews_first=value_of("reviews"),
        understand=value_of("understand"),
        hyde=of.llm and value_of("hyde"),
        rerank=reread,
    )


def written(name: str) -> str:
    """The words in a box, without space around them."""
    return str(value_of(name) or "").strip()


def number(name: str, label: str, **options: Any) -> None:
    """A box for a number that may be left empty."""
    control = CONTROLS[name]
    assert isinstance(control, Number)
    st.number_input(
        label,
        control.low,
        control.high,
        value_of(name),
        placeholder="any",
        key=state_key(name),
        persist_state="session",
        **options,
    )


def slider(name: str, label: str, step: float, **options: Any) -> None:
    """A slider over a control's range."""
    control = CONTROLS[name]
    assert isinstance(control, Number)
    st.slider(
        label,
        control.low,
        control.high,
        value_of(name),
        step,
        key=state_key(name),
        persist_state="session",
        **options,
    )


def toggle(name: str, label: str, **options: Any) -> bool:
    """A switch."""
    control = CONTROLS[name]
    assert isinstance(control, Switch)
    return st.toggle(label, value_of(name), key=state_key(name), persist_state="session", **options)


def words(name: str, label: str, **options: Any) -> None:
    """A box for a few words."""
    control = CONTROLS[name]
    assert isinstance(control, Words)
    st.text_input(
        label,
        value_of(name),
        max_chars=control.most,
        key=state_key(name),
        persist_state="session",
        **options,
    )


def one_of(name: str, label: str, shown: Mapping[Any, str], **options: Any) -> None:
    """A choice from a list; `shown` has the words for each value."""
    control = CONTROLS[name]
    assert isinstance(control, OneOf)
    st.selectbox(
        label,
        control.among,
        control.among.index(value_of(name)),
        format_func=lambda value: shown.get(value, str(value)),
        key=state_key(name),
        persist_state="session",
        **options,
    )


def _filters() -> None:
    first, second = st.columns(2)
    with first:
        number("since", "From year")
    with second:
        number("until", "To year")
    number("citations", "Citations at least", help="Papers whose count is unknown are left out.")
    words("author", "Author", placeholder="Riess, or Riess, A")
    words("facility", "Names the facility", placeholder="JWST")
    if changed(_FILTERS):
        st.button("Clear filters", on_click=_clear, args=(_FILTERS,))


def _clear(names: Sequence[str]) -> None:
    for name in names:
        st.session_state[state_key(name)] = CONTROLS[name].usual


def _ranking(of: Host) -> None:
    with st.container(key="ranking-box"):  # app/page.css makes room for two columns
        first, second = st.columns(2, gap="medium")
    with first:
        _which_first()
    with second:
        _how_to_search(of)


def _which_first() -> None:
    slider("recency", "Prefer recent papers", 0.05, help="0 ignores the date. At 1, a paper of today outweighs the best match of long ago.")  # fmt: skip
    if value_of("recency"):
        slider("halflife", "Recent means", 0.5, format="%g years", help="After this time a paper's bonus has halved.")  # fmt: skip
    slider("impact", "Prefer cited papers", 0.05, help="Compares a paper with papers of its own year; unknown counts are neutral.")  # fmt: skip
    slider("diversity", "Different papers", 0.05, help="Above 0, a paper that says what one before it says comes later.")  # fmt: skip


def _how_to_search(of: Host) -> None:
    """What few people change: words against meaning, reviews, models."""
    mode = st.segmented_control(
        "Search by words and meaning",
        list(_MODES),
        default=value_of("mode"),
        required=True,
        format_func=_MODES.__getitem__,
        key=state_key("mode"),
        persist_state="session",
    )
    if mode == "hybrid":
        _keyword_weight()
    toggle("reviews", "Reviews first")
    toggle("teams", "Hear different teams", help="In answers, near-duplicates and further papers of one team make room for others that fit as well.")  # fmt: skip
    toggle("understand", "Understand years, objects and names", help="Off: the question is taken as plain words.")  # fmt: skip
    if of.llm:
        toggle("hyde", "Also search for an imagined abstract", help="The language model writes the abstract that would answer; the search looks for papers like it too.")  # fmt: skip
    if of.reranker != "none" and (of.reranker or mode == "hybrid"):
        toggle("rerank", "Read the first papers again", help="The first papers are read word by word, and those that answer the question best come first.")  # fmt: skip


def _keyword_weight() -> None:
    control = CONTROLS["words"]
    assert isinstance(control, OneOf)
    st.select_slider(
        "Words against meaning",
        control.among,
        value_of("words"),
        format_func=lambda weight: "automatic" if weight is None else f"{weight:.1f}",
        help="1 counts the question's words alone, 0 its meaning alone. "
        "Automatic: a quarter to a half, by the encoder, and a little more for search words than for questions.",
        key=state_key("words"),
        persist_state="session",
    )


def taken_away(question: str) -> tuple[str, ...]:
    """The keys of what was understood of this question and its reader took away."""
    known = st.session_state.get("understood", {}).get(question, {})
    kept = st.session_state.get(_chips_key(question), list(known))
    return tuple(key for key in known if key not in kept)


def take_away(question: str, keys: Sequence[str]) -> None:
    """Take these away before the question is first searched, as a link says."""
    known = st.session_state.setdefault("understood", {}).setdefault(question, {})
    known |= {key: key.partition(":")[2] for key in keys}
    st.session_state[_chips_key(question)] = [key for key in known if key not in keys]


def understood(question: str, items: Sequence[Understood]) -> None:
    """A chip for everything understood; a click takes it away or puts it back."""
    known = st.session_state.setdefault("understood", {}).setdefault(question, {})
    chips = _chips_key(question)
    chosen = list(st.session_state.get(chips, known))
    for item in items:
        if item.key not in known:
            chosen.append(item.key)
        known[item.key] = _CHIP[item.effect].format(item.label)
    if known:
        st.session_state[chips] = chosen
        st.pills(
            "Understood · click to take away or put back",
            list(known),
            key=chips,
            selection_mode="multi",
            format_func=lambda key: literal(known[key]),
        )


def _chips_key(question: str) -> str:
    return f"chips-{hashlib.sha256(question.encode()).hexdigest()[:16]}"


def statement(question: str, answer: Answer) -> None:
    """What a verdict is on, in a box where the reader can correct it."""
    if answer.statement and level_in(answer.sentences):
        key = statement_key(question)
        st.session_state.setdefault(key, answer.statement)
        st.text_input("Statement judged · correct it and press Enter", key=key, max_chars=300)


def corrected_statement(question: str) -> str | None:
    """The statement as its reader left it, or None for the one made of the question."""
    written = str(st.session_state.get(statement_key(question), "")).strip()
    made: Answer | None = st.session_state.get("answer")
    unchanged = made is not None and made.question == question and made.statement == written
    if not written or (made is not None and unchanged and made.statement_by != "user"):
        return None
    return written


def statement_key(question: str) -> str:
    """Where the statement of a question is kept."""
    return f"statement-{hashlib.sha256(question.encode()).hexdigest()[:16]}"
