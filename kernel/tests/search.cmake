# Ten seconds of the differential driver; give it more by hand.
add_executable(search_differential fuzz/search_differential.cpp)
target_link_libraries(search_differential PRIVATE jikimi_search)
add_test(NAME search_differential COMMAND search_differential 10)
