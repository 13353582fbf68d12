// Every machine.
#include "level.h"

namespace jikimi::detail {
namespace {
#include "generic/bits-inl.h"
#include "generic/sum_of_first-inl.h"
#include "generic/probe-inl.h"
#include "generic/scan-inl.h"
#include "generic/sound-inl.h"
#include "generic/sum-inl.h"
constexpr Functions kFunctions = {scan_words, probe_tables, sum_words, largest, add_up};
} // namespace

const Functions* generic_functions() { return &kFunctions; }
} // namespace jikimi::detail
