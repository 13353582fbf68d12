"""The bytes that pass between `parent`, the fork server and its children. No decision, only layout.

Little-endian, fixed sizes. A job goes to the fork server as one packet with three descriptors: the file, the output
pipe, the status socket. A child writes records to the output pipe; the fork server writes one status when it is gone.
"""

from __future__ import annotations

import struct

JOB = struct.Struct("<16sQQQQQd?")
"""Kind, max_bytes, max_pixels, max_frames, max_total_pixels, memory_bytes, seconds, sandbox."""
JOB_DESCRIPTORS = 3
DRAWING = struct.Struct("<HI??")
"""Behind the `JOB` in the same packet, if a picture is to be drawn: longer side, frame number, grey, flattened."""
READY = b"ready"
"""The fork server's one message on the control socket: warm, from now on jobs are taken."""

RECORD = struct.Struct("<cI")
"""Tag and length of the payload that follows."""
SIZE_TAG, SKETCH_TAG, PICTURE_TAG, END_TAG = b"H", b"S", b"P", b"E"
SIZE = struct.Struct("<II")
"""Width and height of the first frame, upright."""
SKETCH = struct.Struct("<I?8s")
"""Frame number, flattened, type; the data follows."""
SKETCH_SIDE = 64
SKETCH_DATA_BYTES = SKETCH_SIDE * SKETCH_SIDE * 4
PICTURE = struct.Struct("<HHB")
"""Width, height, bytes of a pixel (1 or 3); the pixels follow, row by row."""
END = struct.Struct("<I")
"""Number of frames checked; the reasons follow as ASCII, joined by commas."""

STATUS = struct.Struct("<cIQ")
"""How the child ended, with which code or signal, and its largest resident size in bytes."""
EXITED, SIGNALLED, NOT_STARTED = b"E", b"S", b"N"
