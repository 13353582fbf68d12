# Ten seconds of mutated JPEGs; give it more by hand.
if(JPEG_FOUND)
  add_executable(jpeg_mutations fuzz/jpeg_mutations.cpp)
  target_link_libraries(jpeg_mutations PRIVATE jikimi_pdq jikimi_flags JPEG::JPEG)
  add_test(NAME jpeg_mutations COMMAND jpeg_mutations 10)
endif()
