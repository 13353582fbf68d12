// One file in one locked process, from the fork to the end.
#pragma once

#include "lock.h"
#include "wire.h"

namespace jikimi::box {

[[noreturn]] void live(const Lock& lock, const Job& job, int source, int output, pid_t server);

}  // namespace jikimi::box
