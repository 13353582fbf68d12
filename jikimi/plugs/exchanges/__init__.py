"""Programmes and services that share lists, a file for each kind, and the register of kinds."""
