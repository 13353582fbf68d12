// Which instruction set runs the loops of PDQ.

#include <atomic>

#include "pdq_loops.h"

namespace jikimi::pdq {
namespace {

std::atomic<int> forced{-1};

int widest() {
#if defined(__x86_64__)
    static const int level = [] {
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512dq")) {
            return 2;
        }
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
    }();
    return level;
#else
    return 0;
#endif
}

int level() {
    const int asked = forced.load(std::memory_order_relaxed);
    return asked < 0 ? widest() : asked;
}

}  // namespace

const Loops& chosen() {
#if defined(__x86_64__)
    switch (level()) {
        case 2: return avx512::loops();
        case 1: return avx2::loops();
        default: break;
    }
#endif
    return generic::loops();
}

bool force_level(int asked) {
    if (asked > widest()) return false;
    forced.store(asked, std::memory_order_relaxed);
    return true;
}

const char* level_name() {
    static constexpr const char* kNames[] = {"generic", "avx2", "avx512"};
    return kNames[level()];
}

}  // namespace jikimi::pdq
