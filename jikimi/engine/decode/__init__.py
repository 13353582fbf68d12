"""Hostile picture bytes in, small grey sketches out: every decoder runs in a locked child process."""
