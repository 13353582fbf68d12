// Tasks handed out to threads. For shared code only.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace jikimi::detail {

// Call `work(thread, task)` once for each task; the calling thread is thread 0. The first exception is thrown again.
template <typename Work>
void share(int threads, std::size_t tasks, Work&& work) {
    std::atomic<std::size_t> next{0};
    std::exception_ptr failure;
    std::mutex failing;
    auto run = [&](int thread) {
        try {
            for (std::size_t task; (task = next.fetch_add(1)) < tasks;) work(thread, task);
        } catch (...) {
            next = tasks;
            const std::lock_guard lock(failing);
            if (!failure) failure = std::current_exception();
        }
    };
    const int helpers = static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(std::max(threads, 1)), tasks)) - 1;
    std::vector<std::thread> others;
    try {
        for (int thread = 1; thread <= helpers; ++thread) others.emplace_back(run, thread);
    } catch (const std::system_error&) {
        // The system has no thread to give: those that are there do the work.
    }
    run(0);
    for (std::thread& other : others) other.join();
    if (failure) std::rethrow_exception(failure);
}

} // namespace jikimi::detail
