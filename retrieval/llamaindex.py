"""Wayfinder's search as a LlamaIndex retriever, so that LlamaIndex applications can build on it.

from retrieval import load_index
from retrieval.llamaindex import WayfinderRetriever

nodes = WayfinderRetriever(load_index(Path("my-index"))).retrieve("tidal disruption events")
"""

from __future__ import annotations

from llama_index.core import QueryBundle
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, TextNode

from indexer.store import Index
from retrieval.records import Hit, SearchSettings
from retrieval.rows import hit_row
from retrieval.search import search


class WayfinderRetriever(BaseRetriever):
    """Retrieves whole papers, title and abstract, best first, with their bibliographic facts."""

    def __init__(self, index: Index, settings: SearchSettings | None = None) -> None:
        super().__init__()
        self._wayfinder_index = index
        self._settings = settings or SearchSettings()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        result = search(self._wayfinder_index, query_bundle.query_str, self._settings)
        return [_node(hit) for hit in result.hits]


def _node(hit: Hit) -> NodeWithScore:
    facts = {name: value for name, value in hit_row(hit).items() if name not in ("score", "parts")}
    node = TextNode(id_=hit.paper.id, text=hit.paper.text(), metadata=facts)
    return NodeWithScore(node=node, score=hit.score)
