# What the native library is built on. Debian 12 has all of it.

function(ingot_missing name debian_package)
  message(FATAL_ERROR "${name} was not found. On Debian or Ubuntu: apt-get install ${debian_package}")
endfunction()

# oneDNN's own package file also asks for OpenCL, which its CPU engine does without.
find_path(INGOT_DNNL_INCLUDE dnnl.hpp)
find_library(INGOT_DNNL_LIBRARY dnnl)
mark_as_advanced(INGOT_DNNL_INCLUDE INGOT_DNNL_LIBRARY)
if(NOT INGOT_DNNL_INCLUDE OR NOT INGOT_DNNL_LIBRARY)
  ingot_missing("oneDNN" libdnnl-dev)
endif()
file(STRINGS "${INGOT_DNNL_INCLUDE}/oneapi/dnnl/dnnl_version.h" dnnl_major REGEX "define DNNL_VERSION_MAJOR")
if(NOT dnnl_major MATCHES " 2$")
  message(FATAL_ERROR "oneDNN 2 is needed, but ${INGOT_DNNL_INCLUDE} has another version (${dnnl_major})")
endif()
add_library(DNNL::dnnl SHARED IMPORTED)
set_target_properties(DNNL::dnnl PROPERTIES
  IMPORTED_LOCATION "${INGOT_DNNL_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${INGOT_DNNL_INCLUDE}")

find_package(hwy QUIET)
if(NOT hwy_FOUND)
  ingot_missing("Highway" libhwy-dev)
endif()
find_package(OpenMP QUIET)
if(NOT OpenMP_CXX_FOUND)
  ingot_missing("OpenMP" g++)
endif()

find_package(GTest QUIET)
if(NOT GTest_FOUND)
  message(STATUS "GoogleTest was not found: no native tests (apt-get install libgtest-dev)")
endif()
find_package(benchmark QUIET)
if(NOT benchmark_FOUND)
  message(STATUS "Google Benchmark was not found: no native benchmarks (apt-get install libbenchmark-dev)")
endif()

find_program(INGOT_CCACHE ccache)
mark_as_advanced(INGOT_CCACHE)
if(INGOT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${INGOT_CCACHE}")
endif()
