"""Simulators of the outside, public, for tests of integrations and of jikimi itself."""
