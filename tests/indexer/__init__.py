"""Tests of the project's indexer folder."""
