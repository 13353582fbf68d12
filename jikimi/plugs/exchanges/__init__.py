"""The ways to programmes that share lists of hashes: one file for each kind of exchange."""
