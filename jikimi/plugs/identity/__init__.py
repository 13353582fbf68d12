"""Proofs of who somebody is: passkeys, passwords, codes, an identity provider."""
