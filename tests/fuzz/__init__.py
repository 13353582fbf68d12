"""Chance against the readers of hostile input; run by `make fuzz`, not by the tests."""
