// Which instruction set runs the loops of PDQ.

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "pdq_loops.h"

namespace jikimi::pdq {
namespace {

constexpr const char* kNames[] = {"generic", "avx2", "avx512"};

int widest() {
#if defined(__x86_64__)
    static const int level = [] {
        __builtin_cpu_init();
        if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
        const bool is_wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
        return is_wide ? 2 : 1;
    }();
    return level;
#else
    return 0;
#endif
}

// -1 if this processor has no level of this name.
int number_of(const char* name) {
    for (int number = 0; number <= widest(); ++number) {
        if (std::strcmp(kNames[number], name) == 0) return number;
    }
    return -1;
}

std::atomic<int>& current() {
    static std::atomic<int> number = [] {
        const char* wanted = std::getenv("JIKIMI_KERNEL_LEVEL");
        const int asked = wanted == nullptr ? -1 : number_of(wanted);
        return asked < 0 ? widest() : asked;
    }();
    return number;
}

}  // namespace

const Loops& chosen() {
#if defined(__x86_64__)
    switch (current().load(std::memory_order_relaxed)) {
        case 2: return avx512::loops();
        case 1: return avx2::loops();
        default: break;
    }
#endif
    return generic::loops();
}

std::vector<const char*> levels() { return {kNames, kNames + widest() + 1}; }

const char* level() { return kNames[current().load(std::memory_order_relaxed)]; }

bool use_level(const char* name) {
    const int number = number_of(name);
    if (number < 0) return false;
    current().store(number, std::memory_order_relaxed);
    return true;
}

}  // namespace jikimi::pdq
