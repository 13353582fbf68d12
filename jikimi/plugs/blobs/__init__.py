"""Stores for bytes."""
