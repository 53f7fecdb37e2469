# The CUDA backend under test: every op's test program once more, on a GPU and on the emulator.
#
#   gpu.NAME              on the first GPU; skipped without one
#   emulated.ORDER.NAME   on the emulator: what is asynchronous done as late as the program allows, or at once, with the
#                         threads in different orders (see native/emulator/emulator.h)

set(gpu_tests activation attention copy cross_entropy device dropout elementwise embedding matmul norm optimizer reduce
    rotary sample)
set(emulated_environment INGOT_TEST_DEVICE=1 INGOT_CUDA_MODULE=$<TARGET_FILE:ingot_cuda_emulated>
    ASAN_OPTIONS=detect_stack_use_after_return=0)
if(TARGET cublaslt_emulated)
  list(APPEND emulated_environment INGOT_CUBLASLT=$<TARGET_FILE:cublaslt_emulated>;INGOT_CACHE=${CMAKE_BINARY_DIR}/cache)
endif()
foreach(test IN LISTS gpu_tests)
  add_test(NAME gpu.${test} COMMAND ${test}_test)
  set_tests_properties(gpu.${test} PROPERTIES LABELS gpu SKIP_RETURN_CODE 77 TIMEOUT 600
    ENVIRONMENT "INGOT_TEST_DEVICE=1" RESOURCE_LOCK gpu)
  if(NOT TARGET ingot_cuda_emulated)
    continue()
  endif()
  foreach(asynchrony IN ITEMS late early)
    foreach(seed RANGE 0 3)
      set(name emulated.${asynchrony}${seed}.${test})
      add_test(NAME ${name} COMMAND ${test}_test)
      set_tests_properties(${name} PROPERTIES LABELS emulated TIMEOUT 600
        ENVIRONMENT "${emulated_environment};INGOT_EMULATOR=${asynchrony},seed=${seed}")
    endforeach()
  endforeach()
  add_dependencies(${test}_test ingot_cuda_emulated)
endforeach()

# What ptxas made of the kernels.
if(NOT INGOT_SANITIZE)
  get_filename_component(cuda_bin "${CMAKE_CUDA_COMPILER}" DIRECTORY)
  add_test(NAME sass_check COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cuda/check_sass.sh ${cuda_bin}/cuobjdump
    $<TARGET_FILE:ingot_cuda>)
  set_tests_properties(sass_check PROPERTIES LABELS emulated)
endif()

if(NOT TARGET ingot_cuda_emulated)
  return()
endif()

# Matmuls go on without their library.
add_test(NAME emulated.matmul_without_cublaslt COMMAND matmul_test --gtest_filter=Matmul.SaysThatCublasLtIsMissing)
set_tests_properties(emulated.matmul_without_cublaslt PROPERTIES LABELS emulated ENVIRONMENT
  "INGOT_TEST_DEVICE=1;INGOT_CUDA_MODULE=$<TARGET_FILE:ingot_cuda_emulated>;INGOT_CUBLASLT=libnot_there.so"
  FAIL_REGULAR_EXPRESSION SKIPPED)

# The emulator itself, and what of the backend runs on the host.
file(GLOB emulator_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_test.cpp)
foreach(source IN LISTS emulator_tests)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE ingot_emulator ingot_test_main ingot)
  target_compile_options(${name} PRIVATE -Wno-unknown-pragmas -Wno-attributes)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120 NO_PRETTY_VALUES
    # The threads of a kernel that fails are left where they are, with what their stacks own.
    PROPERTIES LABELS emulated TIMEOUT 600 ENVIRONMENT ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0)
endforeach()
