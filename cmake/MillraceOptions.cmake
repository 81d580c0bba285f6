# One language level, one set of flags for every target: a mismatch would reject module interfaces.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

set(MILLRACE_SANITIZE "" CACHE STRING "Sanitizers for every target, e.g. address,undefined")
option(MILLRACE_FUZZ "Build the libFuzzer targets" OFF)
option(MILLRACE_LTO "ThinLTO across the build" OFF)
option(MILLRACE_TOGETHER "Compile several source files at once" ON)

if(MILLRACE_SANITIZE)
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -fno-omit-frame-pointer")
  add_compile_options(-fsanitize=${MILLRACE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
  # With checks of addresses, optimising takes two thirds of the time of a compiler, and checks of
  # each pointer a sixth: only what tests spend their time in gets them, see
  # millrace_optimised_when_sanitized(). A null pointer is found all the same, when it is used.
  set(MILLRACE_SANITIZE_FAST "")
  set(MILLRACE_SANITIZE_OPTIMISED "")
  set(MILLRACE_SANITIZE_TESTS -fno-sanitize=null,alignment)
  if(MILLRACE_SANITIZE MATCHES address)
    set(MILLRACE_SANITIZE_FAST -O0 -fno-sanitize=null,alignment)
    set(MILLRACE_SANITIZE_OPTIMISED -O1 -fsanitize=null,alignment)
    # Checks by a call. CMake drops an option that it has had before, but not what SHELL: begins.
    set(MILLRACE_SANITIZE_TESTS
        "SHELL:-O0 -fno-sanitize=null,alignment -fsanitize-address-outline-instrumentation")
  endif()
  add_compile_options(${MILLRACE_SANITIZE_FAST})
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
