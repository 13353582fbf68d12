"""jikimi finds known abuse pictures at upload, opens the case, and accounts for every step."""
