"""What becomes of a visitor's words, made of the settings in force: the same wherever it is shown."""

from __future__ import annotations

from urllib.parse import urlsplit

from indexer import config
from indexer.store import Index


def privacy_parts(index: Index) -> dict[str, list[str]]:
    """What leaves this host, what is kept and for how long, and who can read it: sentences under headings."""
    return {
        "What leaves this machine": _elsewhere(index),
        "What is kept here, and how long": [*_kept_here(), *_noted()],
        "Who can read it": _readers(),
    }


def privacy_note(index: Index) -> str:
    """The same as one paragraph."""
    return " ".join(said for part in privacy_parts(index).values() for said in part)


def model_place() -> str:
    """The host of the language model that writes answers; empty where there is none."""
    llm = config.llm_config()
    if not llm.enabled:
        return ""
    return (urlsplit(llm.base_url).hostname or "its server") if llm.base_url else "api.openai.com"


def library_words() -> str:
    """What becomes of a visitor's library here: whether it is kept, where, and how it is deleted."""
    if config.library_folder() is None:
        return "Your library is kept for this visit only, in this tab: nothing of it is stored on the server, and reloading or closing the tab forgets it."  # fmt: skip
    if not config.web_config().login_header:
        return (
            "This host keeps libraries of people who log in by name, and knows no names: "
            + ("its one password is everybody's" if config.web_config().password else "it has no login")
            + ". So your library is kept for this visit only, in this tab: nothing of it is stored on the server."
        )  # fmt: skip
    return (
        "Your library is kept on this host until you delete it: its papers' identifiers, and of papers that are not in this index the entry "
        "without its abstract, in one file of your own. The file is named by a hash of your login name and does not hold the name. "
        "It is loaded at your next visit. “Delete my library”, on the page Library, deletes it at once, though not from backups that this host may make."
    )


def _elsewhere(index: Index) -> list[str]:
    """What leaves this host."""
    said = []
    if place := model_place():
        said.append(f"Questions and the passages read for them are sent to the language model at {place}, unless you choose to quote only.")  # fmt: skip
    if index.manifest.encoder.startswith("openai:"):
        address = config.embedding_server()[0] or "https://api.openai.com"
        said.append(f"Questions are turned into vectors at {urlsplit(address).hostname or 'an embedding server'}.")  # fmt: skip
    reranker = config.reranker_config().name or ""
    if reranker.startswith(("http://", "https://")):
        said.append(f"Questions and the first papers found are sent to the reranker at {urlsplit(reranker).hostname}.")  # fmt: skip
    if config.simbad_enabled():
        said.append("Names of objects in questions are looked up at SIMBAD.")
    if not said:
        said.append("Everything is computed on this host: no question is sent anywhere.")
    said.append(
        "Links to ADS, arXiv and journals tell those sites what you open, once you click them."
    )
    return said


def _kept_here() -> list[str]:
    """What this host keeps of a visit."""
    llm = config.llm_config()
    said = [
        "Your question, settings and files live in the memory of your visit; they end some minutes after you close its page.",
        library_words(),
    ]
    if llm.enabled and llm.cache is not None:
        said.append(
            "Replies of the language model are kept on this host until whoever runs it deletes them, so that the same "
            "question costs once: each under a name that does not tell the question, but what was answered can be read."
        )
    said.append("Deep research writes its question and what it found to a file, deleted with “Another question” or when you leave; what a stopped server leaves behind goes with the first run a day later.")  # fmt: skip
    if config.feedback_file() is not None:
        said.append(
            "If you vote on an answer, the question, what you judged and your vote are kept in a file on this host, "
            "with nothing that says who you are."
        )
    else:
        said.append("No feedback is kept.")
    return said


def _noted() -> list[str]:
    """What is counted and logged, and what cookies are for."""
    web, log = config.web_config(), config.log_config()
    said = []
    if log.json and log.questions:
        said.append("The log of this host has a line for each question, with its words and your name or address in it.")  # fmt: skip
    elif log.json:
        said.append("The log of this host has a line for each question: when, what kind, how long it took, what came of it; neither its words nor who asked.")  # fmt: skip
    elif log.questions:
        said.append("Questions are in no log, unless an error quotes one.")
    else:
        said.append("Questions are in no log.")
    by = "name" if web.login_header else "address"
    asked = web.questions_per_hour is not None or config.visitor_day_tokens() is not None
    much = ", the pages that you have open and how much you asked" if asked else " and the pages that you have open"  # fmt: skip
    said.append(f"To keep the limits of one visitor, your {by}{much} are counted in memory, and never written down.")  # fmt: skip
    if web.password:
        said.append("A cookie says for two weeks that you know the password; it holds a random name.")  # fmt: skip
    if web.login_header:
        said.append("Whoever runs the login before this site tells it your name.")
    said.append("Nothing here follows you: no statistics of visitors, nothing loaded from elsewhere. A link that you share holds its question.")  # fmt: skip
    return said


def _readers() -> list[str]:
    """Whose eyes what is kept is open to."""
    libraries = config.library_folder() is not None and bool(config.web_config().login_header)
    replies = config.llm_config().enabled and config.llm_config().cache is not None
    kept = libraries or replies or config.feedback_file() is not None
    said = ["No other visitor sees what you ask."]
    said.append(
        "Whoever runs this host could read the memory of its programs"
        + (" and the files named above." if kept or config.log_config().json else ".")
    )
    if place := model_place():
        said.append(f"Whoever runs {place} can read what is sent there; its own rules say what they keep.")  # fmt: skip
    return said
