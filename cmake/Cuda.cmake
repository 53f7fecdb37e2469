# The CUDA backend: libingot_cuda.so, a module that the core loads when it is there, and the same sources over the
# emulator, for tests on machines without a GPU.
#
#   INGOT_CUDA=AUTO  build it if a CUDA toolkit is here   ON  fetch one if need be, or fail   OFF  do without

set(INGOT_CUDA AUTO CACHE STRING "Build the CUDA backend: AUTO, ON or OFF")
set_property(CACHE INGOT_CUDA PROPERTY STRINGS AUTO ON OFF)
if(NOT INGOT_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "INGOT_CUDA is ${INGOT_CUDA}, but must be AUTO, ON or OFF")
endif()
if(INGOT_CUDA STREQUAL "OFF")
  return()
endif()

include(FindCudaToolkit)
if(NOT INGOT_NO_CUDA)
  # Whether it also gets along with the host's compiler.
  include(CheckLanguage)
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    set(INGOT_NO_CUDA "nvcc does not work with this C++ compiler; CUDAHOSTCXX names another (CUDA 12.4 takes g++ up to 13)")
  endif()
endif()
if(INGOT_NO_CUDA)
  if(INGOT_CUDA STREQUAL "ON")
    message(FATAL_ERROR "INGOT_CUDA=ON, but ${INGOT_NO_CUDA}: install a CUDA toolkit of 12.4 to 13, or name its nvcc with "
      "-DCMAKE_CUDA_COMPILER=")
  endif()
  message(STATUS "The CUDA backend is not built: ${INGOT_NO_CUDA} (scripts/get-cuda.sh fetches a toolkit)")
  return()
endif()
enable_language(CUDA)
# What find_package(CUDAToolkit) would say; CMake 3.25's does not get along with every toolkit.
set(CUDAToolkit_INCLUDE_DIRS "${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES}")
# CMake 3.25 does not know that nvcc has C++20.
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
set(CMAKE_CUDA_COMPILER_LAUNCHER "${CMAKE_CURRENT_SOURCE_DIR}/cmake/strict-ptxas.sh")
set(INGOT_CUDA_BUILT ON)

file(GLOB_RECURSE ingot_cuda_kernels CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/native/cuda/*.cu)
file(GLOB ingot_cuda_host CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/native/cuda/*.cpp)
# What core and module both need, each in its own copy.
set(ingot_cuda_shared ${CMAKE_CURRENT_SOURCE_DIR}/native/core/error.cpp ${CMAKE_CURRENT_SOURCE_DIR}/native/core/text.cpp)
# Kernels for sm_90a are an architecture of their own, which no other GPU runs.
set(ingot_cuda_kernels_90a ${ingot_cuda_kernels})
list(FILTER ingot_cuda_kernels_90a INCLUDE REGEX "wgmma|_sm90a")
list(FILTER ingot_cuda_kernels EXCLUDE REGEX "wgmma|_sm90a")

add_library(ingot_cuda_options INTERFACE)
target_include_directories(ingot_cuda_options INTERFACE native/include native)
target_include_directories(ingot_cuda_options SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
target_compile_options(ingot_cuda_options INTERFACE
  # Warnings of ptxas, spilled registers among them, are errors too. Architectures are compiled side by side.
  $<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings -lineinfo --threads=2 -Xptxas=-warn-spills,-warn-lmem-usage
    --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra,-Werror,-Wno-restrict,-fvisibility=hidden>)

if(INGOT_SANITIZE)
  set(exclude_from_all EXCLUDE_FROM_ALL) # Sanitizers cannot look at a GPU, but they can at the emulator.
endif()
add_library(ingot_cuda MODULE ${exclude_from_all} ${ingot_cuda_host} ${ingot_cuda_kernels} ${ingot_cuda_shared})
set_target_properties(ingot_cuda PROPERTIES CUDA_ARCHITECTURES "80-real;90" CUDA_RUNTIME_LIBRARY Static
  CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
target_link_libraries(ingot_cuda PRIVATE ingot_cuda_options ${CMAKE_DL_LIBS})
target_compile_definitions(ingot_cuda PRIVATE "INGOT_MODULE_HASH=0x${module_hash}ULL")
target_link_options(ingot_cuda PRIVATE -Wl,--exclude-libs,ALL -Wl,-z,defs)
if(ingot_cuda_kernels_90a)
  add_library(ingot_cuda_90a OBJECT ${exclude_from_all} ${ingot_cuda_kernels_90a})
  set_target_properties(ingot_cuda_90a PROPERTIES CUDA_ARCHITECTURES "90a-real" POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(ingot_cuda_90a PRIVATE ingot_cuda_options)
  target_link_libraries(ingot_cuda PRIVATE ingot_cuda_90a)
endif()

option(INGOT_CUDA_EMULATED "Also build the CUDA backend over the emulator, for tests" ON)
if(INGOT_CUDA_EMULATED)
  add_subdirectory(native/emulator)
endif()
