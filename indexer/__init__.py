"""Papers in, index out: sources, encoder, weights and the index on disk."""
