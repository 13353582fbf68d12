# Hamming search: brute force per instruction level, and the multi-index.
add_library(jikimi_search STATIC src/dispatch.cpp src/isa/generic.cpp)
target_include_directories(jikimi_search PUBLIC include PRIVATE src)
target_link_libraries(jikimi_search PRIVATE jikimi_flags)
