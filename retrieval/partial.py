"""The sentence that a model is writing, read from a stream that is cut anywhere: shown, never trusted.

Nothing of it is checked. It is for people who wait, and gives way to the sentence once that is whole.
"""

from __future__ import annotations

import json
import re

MOST_SHOWN_CHARACTERS = 1500

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TEXT = re.compile(r'(?<!\\)"text"\s*:\s*"')
_HALF_A_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}$")
_OPEN_MARK = re.compile(r"\s*\[[\d,;\s–-]*$")
_MARK = re.compile(r"\s*\[\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\]")
# Models write LaTeX into JSON: "\times" would be a tab and "imes", "\odot" an error.
LATEX_ESCAPE = re.compile(
    r"(?<!\\)\\(?=(?:times|tau|theta|text\w*|nu|nabla|neq?|beta|bar|rho|rm|frac|right)(?![a-z])|[^\"\\/bfnrtu])"
)
_NOT_PROSE = re.compile(r"\s*(?:[\[{`<]|$)")


def being_written(rest: str, *, prose: bool) -> str:
    """The readable part of the sentence that `rest` of a stream begins, or an empty string.

    `prose` says that no JSON has come so far: then text that does not look like JSON, a fence or a tag
    is shown as it stands.
    """
    begun = _TEXT.search(rest)
    if begun:
        return _shown(_unescaped(rest[begun.end() :]))
    if prose and not _NOT_PROSE.match(rest) and '"text"' not in rest:
        return _shown(rest[-MOST_SHOWN_CHARACTERS:].replace("**", ""))
    return ""


def _unescaped(raw: str) -> str:
    """What a JSON string says as far as it has come.

    An escape that may go on waits: a backslash, "\\u00e", "\\ti" of "\\times", half a surrogate pair.
    """
    end = _closing_quote(raw)
    raw = raw if end is None else raw[:end]
    if end is None:
        raw = _without_open_escape(raw)
    escaped = LATEX_ESCAPE.sub(r"\\\\", raw)
    try:
        value = json.loads(f'"{escaped}"', strict=False)
    except ValueError:
        return raw
    return str(value)


def _closing_quote(raw: str) -> int | None:
    escaped = False
    for i, character in enumerate(raw):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            return i
    return None


def _without_open_escape(raw: str) -> str:
    match = re.search(r"\\+[A-Za-z0-9]{0,6}$", raw)
    if match:
        backslashes = len(match.group()) - len(match.group().lstrip("\\"))
        if backslashes % 2:
            raw = raw[: match.start() + backslashes - 1]
    return _HALF_A_PAIR.sub("", raw)


def _shown(text: str) -> str:
    whole = _OPEN_MARK.sub("", _MARK.sub("", text.encode("utf-8", "replace").decode()))
    whole = CONTROL.sub(" ", whole)
    return " ".join(whole.split())[:MOST_SHOWN_CHARACTERS]
