// JPEG bytes straight into the PDQ sample, a few rows at a time; only where the pixels are certainly Pillow's.
//
// Anything unusual is declined, never guessed: the caller then takes the general way, which decides what the file is.
// No file is opened, no thread started, nothing written but the sample.
#pragma once

#include <cstddef>
#include <cstdint>

#include "jikimi/pdq.h"

namespace jikimi::jpeg {

struct Size {
    std::size_t width = 0, height = 0;
};

// The library and its version; empty if this build has none.
const char* version();

// The sample of the picture made upright by its EXIF orientation, 1 to 8; false if declined. Upright pictures are never
// held whole; of the others the brightness is, because the filters are not the same from all sides. `expected` is what the caller's own reading of the header
// says: a file that means something else to libjpeg is declined.
bool sample(const std::uint8_t* untrusted_bytes, std::size_t count, Size expected, int orientation, float* sample);

// For tests, the same decoding with all pixels: `rgb` gets 3 bytes per pixel (grey is repeated); false if declined.
bool pixels(const std::uint8_t* untrusted_bytes, std::size_t count, Size expected, std::uint8_t* rgb);

}  // namespace jikimi::jpeg
