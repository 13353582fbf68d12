# Hamming search: trying all rows on each instruction level, the multi-index, and the checksum of its files.
find_package(Threads REQUIRED)

add_library(jikimi_search STATIC
  src/dispatch.cpp src/scan.cpp src/plan.cpp src/build.cpp src/search.cpp src/checksum.cpp src/isa/generic.cpp)
target_include_directories(jikimi_search PUBLIC include PRIVATE src)
target_link_libraries(jikimi_search PUBLIC Threads::Threads PRIVATE jikimi_flags)

if(JIKIMI_X86)
  target_sources(jikimi_search PRIVATE src/isa/popcnt_avx2.cpp src/isa/avx512.cpp)
  target_compile_definitions(jikimi_search PRIVATE JIKIMI_HAS_POPCNT JIKIMI_HAS_AVX512)
  set_source_files_properties(src/isa/popcnt_avx2.cpp PROPERTIES COMPILE_OPTIONS "-mpopcnt;-mavx2;-mbmi;-mbmi2")
  set_source_files_properties(src/isa/avx512.cpp PROPERTIES COMPILE_OPTIONS
    "-mpopcnt;-mavx2;-mbmi;-mbmi2;-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mavx512vpopcntdq")
elseif(JIKIMI_ARM)
  target_sources(jikimi_search PRIVATE src/isa/neon.cpp) # NEON is part of every AArch64: no flags
  target_compile_definitions(jikimi_search PRIVATE JIKIMI_HAS_NEON)
endif()
