# PDQ, and JPEG decoded straight into it where libjpeg is found.
add_library(jikimi_pdq STATIC src/pdq.cpp src/pdq_dispatch.cpp src/isa/pdq_generic.cpp)
target_include_directories(jikimi_pdq PUBLIC include PRIVATE src)
target_link_libraries(jikimi_pdq PRIVATE jikimi_flags)
# A fused multiply-add rounds once where the reference rounds twice: other bits.
target_compile_options(jikimi_pdq PRIVATE -ffp-contract=off)
if(JIKIMI_X86)
  target_sources(jikimi_pdq PRIVATE src/isa/pdq_avx2.cpp src/isa/pdq_avx512.cpp)
  set_source_files_properties(src/isa/pdq_avx2.cpp PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma")
  set_source_files_properties(src/isa/pdq_avx512.cpp PROPERTIES COMPILE_OPTIONS
    "-mavx2;-mfma;-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mprefer-vector-width=512")
endif()

find_package(JPEG)
if(JPEG_FOUND)
  target_sources(jikimi_pdq PRIVATE src/jpeg.cpp src/planes.cpp)
  target_link_libraries(jikimi_pdq PRIVATE JPEG::JPEG)
else()
  message(STATUS "libjpeg has no headers here: JPEG takes the general way")
  target_sources(jikimi_pdq PRIVATE src/jpeg_none.cpp)
endif()
