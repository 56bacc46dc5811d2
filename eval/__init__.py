"""Benchmarks: every measured claim comes from here."""
