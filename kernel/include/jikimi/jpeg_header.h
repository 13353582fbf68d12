// The segments before the first scan of a JPEG, read as Pillow reads them, or declined.
//
// Pillow decides what a file is; its answer is known here only for files whose every segment is in order. So whatever
// Pillow could refuse, repair, warn of or take for several pictures is declined, and read by Pillow itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "jikimi/jpeg.h"

namespace jikimi::jpeg {

struct Header {
    Size size;
    int orientation = 1;  // of EXIF, 1 to 8
};

std::optional<Header> read_header(const std::uint8_t* untrusted_bytes, std::size_t count);

}  // namespace jikimi::jpeg
