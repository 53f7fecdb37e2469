# The CUDA backend: libingot_cuda.so, a module that the core loads when it is there, and the same sources over the
# emulator, for tests on machines without a GPU.
#
#   INGOT_CUDA=AUTO  build it if a CUDA toolkit is found   ON  require one   OFF  do without

set(INGOT_CUDA AUTO CACHE STRING "Build the CUDA backend: AUTO, ON or OFF")
set_property(CACHE INGOT_CUDA PROPERTY STRINGS AUTO ON OFF)
if(INGOT_CUDA STREQUAL "OFF")
  return()
endif()

include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(INGOT_CUDA STREQUAL "ON")
    message(FATAL_ERROR "INGOT_CUDA=ON, but no nvcc was found: install a CUDA toolkit, or give -DCMAKE_CUDA_COMPILER=")
  endif()
  message(STATUS "No CUDA toolkit was found: the CUDA backend is not built")
  return()
endif()
enable_language(CUDA)
find_package(CUDAToolkit 12.4 REQUIRED)
# CMake 3.25 does not know that nvcc has C++20.
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
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
  $<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings -lineinfo -Xptxas=-warn-spills,-warn-lmem-usage
    --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra,-Werror,-fvisibility=hidden>)

add_library(ingot_cuda MODULE ${ingot_cuda_host} ${ingot_cuda_kernels} ${ingot_cuda_shared})
set_target_properties(ingot_cuda PROPERTIES CUDA_ARCHITECTURES "80-real;90" CUDA_RUNTIME_LIBRARY Static
  CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
target_link_libraries(ingot_cuda PRIVATE ingot_cuda_options CUDA::cudart_static ${CMAKE_DL_LIBS})
target_compile_definitions(ingot_cuda PRIVATE "INGOT_MODULE_HASH=0x${module_hash}ULL")
target_link_options(ingot_cuda PRIVATE -Wl,--exclude-libs,ALL -Wl,-z,defs)
if(ingot_cuda_kernels_90a)
  add_library(ingot_cuda_90a OBJECT ${ingot_cuda_kernels_90a})
  set_target_properties(ingot_cuda_90a PROPERTIES CUDA_ARCHITECTURES "90a-real" POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(ingot_cuda_90a PRIVATE ingot_cuda_options)
  target_link_libraries(ingot_cuda PRIVATE ingot_cuda_90a)
endif()

if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/native/emulator/emulator.h")
  add_subdirectory(native/emulator)
endif()
