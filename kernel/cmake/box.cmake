# The fork server that decodes plain JPEGs; only where they can go straight into PDQ, and where its lock exists.
if(JPEG_FOUND AND CMAKE_SYSTEM_NAME STREQUAL "Linux" AND (JIKIMI_X86 OR JIKIMI_ARM))
  add_executable(jikimi-box src/box/main.cpp src/box/child.cpp src/box/lock.cpp)
  target_include_directories(jikimi-box PRIVATE src/box)
  target_link_libraries(jikimi-box PRIVATE jikimi_pdq jikimi_flags)
  # Every page and every library less is a cheaper fork; and nothing may be looked up after the lock.
  target_link_options(jikimi-box PRIVATE -static-libstdc++ -static-libgcc -Wl,-z,now -Wl,--gc-sections)
  if(JIKIMI_PYTHON)
    install(TARGETS jikimi-box RUNTIME DESTINATION jikimi_kernel)
  endif()
endif()
