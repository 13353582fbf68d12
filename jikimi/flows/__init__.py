"""What happens: one file per story, each read from top to bottom.

A flow reads, asks `model` to decide, and writes. It knows nothing of HTTP, SQL or files on disk.
"""
