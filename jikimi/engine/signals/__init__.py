"""One file per type of signal: from decoded pixels or raw bytes to fingerprints."""
