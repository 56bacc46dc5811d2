"""Tests of the project's app folder."""
