"""Question in, answer out: `load_index`, `search`, `similar` and `ask` are what doors call."""

from indexer.store import open_index as load_index
from retrieval.answer import ask
from retrieval.search import search
from retrieval.similar import similar

__all__ = ["ask", "load_index", "search", "similar"]
