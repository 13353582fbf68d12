// Which instruction level runs: the best this machine has, unless the environment or a test says otherwise.

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "level.h"

namespace jikimi {
namespace {

constexpr const char* kNames[kLevels] = {"generic", "popcnt", "avx512", "neon"};

const detail::Functions* functions_of(Level level) {
    switch (level) {
    case Level::generic:
        return detail::generic_functions();
    case Level::popcnt:
#ifdef JIKIMI_HAS_POPCNT
        if (__builtin_cpu_supports("popcnt") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
            __builtin_cpu_supports("bmi2"))
            return detail::popcnt_functions();
#endif
        return nullptr;
    case Level::avx512:
#ifdef JIKIMI_HAS_AVX512
        // The compiler's check includes that the system saves the wide registers.
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("bmi2"))
            return detail::avx512_functions();
#endif
        return nullptr;
    case Level::neon:
#ifdef JIKIMI_HAS_NEON
        return detail::neon_functions();
#else
        return nullptr;
#endif
    }
    return nullptr;
}

// An unknown or unavailable name is ignored: a setting made for one machine must not stop another.
Level first_choice() {
    const char* wanted = std::getenv("JIKIMI_KERNEL_LEVEL");
    Level best = Level::generic;
    for (int number = 0; number < kLevels; ++number) {
        const Level level = static_cast<Level>(number);
        if (!is_available(level)) continue;
        if (wanted != nullptr && std::strcmp(wanted, kNames[number]) == 0) return level;
        best = level;
    }
    return best;
}

std::atomic<int>& current() {
    static std::atomic<int> level{static_cast<int>(first_choice())};
    return level;
}

} // namespace

const char* name_of(Level level) { return kNames[static_cast<int>(level)]; }

bool is_available(Level level) { return functions_of(level) != nullptr; }

Level level_in_use() { return static_cast<Level>(current().load(std::memory_order_relaxed)); }

Status force_level(Level level) {
    if (!is_available(level)) return Status::bad_argument;
    current().store(static_cast<int>(level), std::memory_order_relaxed);
    return Status::ok;
}

const detail::Functions& detail::functions() { return *functions_of(level_in_use()); }

} // namespace jikimi
