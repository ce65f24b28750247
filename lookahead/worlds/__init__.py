"""Environments that imagine: exact copies of real things, recordings, language world models."""
