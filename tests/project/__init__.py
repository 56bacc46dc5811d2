"""Tests of the project's shape."""
