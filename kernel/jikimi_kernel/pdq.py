"""PDQ, and JPEG decoded straight into it; see `include/jikimi/pdq.h` and `jpeg.h`."""

from jikimi_kernel._native import (
    PDQ_LONGEST_SIDE as LONGEST_SIDE,
)
from jikimi_kernel._native import (
    jpeg_pixels,
    jpeg_sample,
    jpeg_version,
)
from jikimi_kernel._native import (
    pdq_dihedral as dihedral,
)
from jikimi_kernel._native import (
    pdq_fingerprint as fingerprint,
)
from jikimi_kernel._native import (
    pdq_level as level,
)
from jikimi_kernel._native import (
    pdq_levels as levels,
)
from jikimi_kernel._native import (
    pdq_reduce as reduce,
)
from jikimi_kernel._native import (
    pdq_reduce_luma as reduce_luma,
)
from jikimi_kernel._native import (
    pdq_use_level as use_level,
)

__all__ = [
    "LONGEST_SIDE",
    "dihedral",
    "fingerprint",
    "jpeg_pixels",
    "jpeg_sample",
    "jpeg_version",
    "level",
    "levels",
    "reduce",
    "reduce_luma",
    "use_level",
]
