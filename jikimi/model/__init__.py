"""What is true: the nouns of the work and their rules.

Frozen values and pure functions over them, with the standard library only. Nothing here reads a clock, a file or a
database; times and facts come in as arguments.
"""
