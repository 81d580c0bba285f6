# One language level, one set of flags for every target: a mismatch would reject module interfaces.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

# Sanitized builds are optimised a little: the tests then run in minutes, with readable traces.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

set(MILLRACE_SANITIZE "" CACHE STRING "Sanitizers for every target, e.g. address,undefined")
option(MILLRACE_FUZZ "Build the libFuzzer targets" OFF)
option(MILLRACE_LTO "ThinLTO across the build" OFF)

if(MILLRACE_SANITIZE)
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -fno-omit-frame-pointer")
  add_compile_options(-fsanitize=${MILLRACE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
endif()
if(MILLRACE_LTO)
  add_compile_options(-flto=thin)
  add_link_options(-flto=thin)
  # lld reads bitcode from archives without an index. An llvm-ar of another version than the
  # compiler's, which CMake may find, cannot read it; the plain ar does not try.
  find_program(MILLRACE_PLAIN_AR ar REQUIRED)
  set(CMAKE_AR ${MILLRACE_PLAIN_AR})
  set(CMAKE_RANLIB true)
endif()

include(HeaderModules) # after the flags that they are compiled with

# Warnings are errors for our code; third-party headers come in as system headers.
set(MILLRACE_WARNINGS
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
    -Wold-style-cast -Wcast-align -Woverloaded-virtual -Wnull-dereference -Wimplicit-fallthrough
    -Wextra-semi -Wthread-safety -Werror)

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter) # runs the message generator
