"""Documents to passages, by LlamaIndex's sentence splitter; each keeps the name of its section."""

from __future__ import annotations

from functools import cache
from typing import Any

from indexer.document import Document, Section
from indexer.sentences import split_sentences
from retrieval.passages import Passage

PASSAGE_CHARACTERS = 900  # what the default encoder reads of a text
FEWEST_WORDS = 6  # shorter pieces are labels of figures and the like
FRONT_CHARACTERS = 3000  # before an abstract: title, authors and institutes


def split(document: Document) -> tuple[Passage, ...]:
    """Return the passages of a document in order; its abstract and what stands before it are none."""
    nodes = _splitter().get_nodes_from_documents([_node(s) for s in _body(document)])
    found = (Passage(node.metadata["section"], " ".join(node.text.split())) for node in nodes)
    return tuple(p for p in found if len(p.text.split()) >= FEWEST_WORDS)


def _body(document: Document) -> list[Section]:
    sections = list(document.sections)
    names = [section.name.casefold() for section in sections]
    if "abstract" in names:
        at = names.index("abstract")
        before = [s for s in sections[:at] if s.name or len(s.text) > FRONT_CHARACTERS]
        sections = [*before, *sections[at + 1 :]]
    return [section for section in sections if section.text.strip()]


def _node(section: Section) -> Any:
    from llama_index.core.schema import Document as LlamaDocument

    return LlamaDocument(
        text=section.text,
        metadata={"section": section.name},
        excluded_embed_metadata_keys=["section"],
        excluded_llm_metadata_keys=["section"],
    )


@cache
def _splitter() -> Any:
    """The splitter by characters and Wayfinder's own sentences: its defaults load tiktoken and NLTK."""
    from llama_index.core.node_parser import SentenceSplitter

    return SentenceSplitter(
        chunk_size=PASSAGE_CHARACTERS,
        chunk_overlap=0,
        tokenizer=list,
        chunking_tokenizer_fn=lambda text: [f"{sentence} " for sentence in split_sentences(text)],
        paragraph_separator="\n\n",
        include_prev_next_rel=False,
    )
