"""Tests of the project's eval folder."""
