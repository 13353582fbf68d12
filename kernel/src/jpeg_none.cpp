// A build without libjpeg: everything is declined.

#include "jikimi/jpeg.h"

namespace jikimi::jpeg {

const char* version() { return ""; }

bool sample(const std::uint8_t*, std::size_t, Size, int, float*) { return false; }

bool pixels(const std::uint8_t*, std::size_t, Size, std::uint8_t*) { return false; }

}  // namespace jikimi::jpeg
