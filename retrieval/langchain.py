"""Wayfinder's search as a LangChain retriever, so that LangChain applications can build on it.

from retrieval import load_index
from retrieval.langchain import WayfinderLangChainRetriever

documents = WayfinderLangChainRetriever(index=load_index(Path("my-index"))).invoke("tidal disruption")
"""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from retrieval.records import SearchSettings
from retrieval.rows import hit_row
from retrieval.search import search


class WayfinderLangChainRetriever(BaseRetriever):
    """Retrieves whole papers, title and abstract, best first, with their bibliographic facts."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: Any  # indexer.store.Index
    settings: SearchSettings = SearchSettings()

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        hits = search(self.index, query, self.settings).hits
        return [
            Document(
                id=hit.paper.id,
                page_content=hit.paper.text(),
                metadata={name: value for name, value in hit_row(hit).items() if name != "parts"},
            )
            for hit in hits
        ]
