"""What becomes of a visitor's words, as this host is configured: one paragraph, the same wherever it is shown."""

from __future__ import annotations

from urllib.parse import urlsplit

from indexer import config
from indexer.store import Index


def privacy_note(index: Index) -> str:
    """Where questions go, what is kept and for how long."""
    said = [*_elsewhere(index), *_kept_here()]
    return " ".join(said)


def model_place() -> str:
    """The host of the language model that writes answers; empty where there is none."""
    llm = config.llm_config()
    if not llm.enabled:
        return ""
    return (urlsplit(llm.base_url).hostname or "its server") if llm.base_url else "api.openai.com"


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
    """What this host keeps."""
    llm = config.llm_config()
    said = []
    if llm.enabled and llm.cache is not None:
        said.append("Replies of the language model are kept on this host, so that the same question costs once.")  # fmt: skip
    said.append("Your question, settings, files and library live in the memory of your visit and end with it.")  # fmt: skip
    if config.feedback_file() is not None:
        said.append(
            "If you vote on an answer, the question, what you judged and your vote are kept in a file on this host, "
            "with nothing that says who you are."
        )
    else:
        said.append("No feedback is kept.")
    return said
