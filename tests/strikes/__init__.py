"""Exceptions and calls that strike the public operations wherever CPython runs signal handlers."""
