# Compiler settings of everything native, as the target ingot_options.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(ingot_options INTERFACE)
target_compile_options(ingot_options INTERFACE
  -Wall -Wextra -Werror
  # GCC 12 gives this warning for string concatenation where nothing is wrong (GCC bug 105651).
  -Wno-restrict
  # Fused multiply-adds are written out where they are meant, so that a vector's lanes, a loop's remainder and every
  # instruction set round in the same way.
  -ffp-contract=off
  -fno-math-errno)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  # The least processor that the library runs on (2010). Kernels choose AVX2 or AVX-512 when they run.
  target_compile_options(ingot_options INTERFACE -msse4.2 -mpopcnt -maes -mpclmul)
endif()

if(INGOT_SANITIZE)
  target_compile_options(ingot_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
    # Instrumented code gives this warning where nothing is wrong.
    -Wno-maybe-uninitialized)
  target_link_options(ingot_options INTERFACE -fsanitize=address,undefined)
endif()
