// A build without libjpeg: everything is declined.

#include "jikimi/jpeg.h"

namespace jikimi::jpeg {

bool is_available() { return false; }

bool sample(const std::uint8_t*, std::size_t, Size, int, float*) { return false; }

bool pixels(const std::uint8_t*, std::size_t, Size, std::uint8_t*) { return false; }

}  // namespace jikimi::jpeg
