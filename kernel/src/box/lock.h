// What `jikimi/engine/decode/lock.py` does, in the same order; it says why. The Landlock rule set and the seccomp
// program are not repeated here: they come from there, so that there is one list of what a child may do.
#pragma once

#include <cstdint>
#include <vector>

#include <linux/filter.h>
#include <sys/types.h>

#include "wire.h"

namespace jikimi::box {

struct Lock {
    int output = 0;
    int ruleset = -1;  // of Landlock; without a rule, so children may share it
    std::vector<sock_filter> program;
    std::uint64_t own_space = 0;  // address space of the fork server itself, in bytes
};

// Makes ready what does not change from child to child; false if the kernel refuses or the packet is no set-up.
bool prepare(const std::uint8_t* packet, std::size_t count, Lock& lock);

// Locks this process for good; false if anything is refused, and then nothing may be decoded.
bool lock_down(const Lock& lock, const Job& job, pid_t parent);

}  // namespace jikimi::box
