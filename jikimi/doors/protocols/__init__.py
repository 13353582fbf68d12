"""Doors that speak the protocols of other programs, so that who speaks to them can speak to us."""
