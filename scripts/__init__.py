"""Tools for those who work on jikimi."""
