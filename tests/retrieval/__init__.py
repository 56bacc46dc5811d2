"""Tests of the project's retrieval folder."""
