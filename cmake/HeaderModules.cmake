# Headers that nearly every file includes are compiled once, as a header module of Clang: an
# #include of one of them then loads what was compiled. Without this each of our modules carries a
# copy of its own of the standard library, and whoever imports thirty of them merges thirty copies:
# three times the time and six times the memory (docs/decisions/0013).
option(MILLRACE_HEADER_MODULES "Compile the most used headers once" ON)

# millrace_header_module(NAME standard HEADERS vector map ... [USES other])
# makes a target that brings the header module to whoever links it. HEADERS are looked up where the
# compiler finds its own.
function(millrace_header_module)
  cmake_parse_arguments(ARG "" "NAME" "HEADERS;USES" ${ARGN})
  set(target header_module_${ARG_NAME})
  add_library(${target} INTERFACE)
  if(NOT MILLRACE_HEADER_MODULES)
    return()
  endif()

  set(map "module millrace_headers_${ARG_NAME} [system] {\n")
  foreach(header ${ARG_HEADERS})
    find_file(path ${header} PATHS ${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES}
              NO_DEFAULT_PATH NO_CACHE REQUIRED)
    string(APPEND map "  header \"${path}\"\n")
    unset(path)
  endforeach()
  string(APPEND map "  export *\n}\n")

  set(base ${CMAKE_BINARY_DIR}/header_modules/${ARG_NAME})
  file(CONFIGURE OUTPUT ${base}.modulemap CONTENT "${map}" @ONLY)
  # The flags must be those of the files that use it.
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  separate_arguments(flags UNIX_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}}")
  get_directory_property(options COMPILE_OPTIONS)
  list(APPEND flags ${CMAKE_CXX20_STANDARD_COMPILE_OPTION} -fPIC ${options})
  set(used "")
  foreach(other ${ARG_USES})
    get_target_property(other_flags header_module_${other} INTERFACE_COMPILE_OPTIONS)
    list(APPEND flags ${other_flags})
    list(APPEND used ${CMAKE_BINARY_DIR}/header_modules/${other}.pcm)
  endforeach()
  add_custom_command(
    OUTPUT ${base}.pcm
    COMMAND ${CMAKE_CXX_COMPILER} ${flags} -fmodule-name=millrace_headers_${ARG_NAME}
            -Xclang -emit-module -x c++ -Xclang -x -Xclang c++-module-map
            -MD -MF ${base}.d -MT ${base}.pcm -c ${base}.modulemap -o ${base}.pcm
    DEPENDS ${base}.modulemap ${used}
    DEPFILE ${base}.d
    COMMENT "Compiling the ${ARG_NAME} headers"
    VERBATIM)
  add_custom_target(${target}_compiled DEPENDS ${base}.pcm)
  target_compile_options(${target} INTERFACE -fmodule-map-file=${base}.modulemap
                                             -fmodule-file=${base}.pcm)
  add_dependencies(${target} ${target}_compiled)
endfunction()

if(MILLRACE_HEADER_MODULES)
  # A header outside these modules may bring functions of the C library that are in them too.
  add_compile_options(-pthread -fmodules -fno-implicit-modules -fno-implicit-module-maps
                      -Wno-modules-ambiguous-internal-linkage)
endif()

millrace_header_module(
  NAME standard
  HEADERS
    algorithm any array atomic bit bitset cassert cctype cerrno charconv chrono cinttypes climits
    cmath compare concepts condition_variable coroutine csignal cstdarg cstddef cstdint cstdio
    cstdlib cstring ctime deque exception filesystem fstream functional future initializer_list
    iomanip ios iosfwd iostream istream iterator latch limits list locale map memory mutex new
    numbers numeric optional ostream queue random ranges ratio regex semaphore set shared_mutex
    source_location span sstream stack stdexcept stop_token streambuf string string_view
    system_error thread tuple type_traits typeindex typeinfo unordered_map unordered_set utility
    variant vector version)
millrace_header_module(
  NAME testing
  HEADERS gtest/gtest.h gmock/gmock.h
  USES standard)
link_libraries(header_module_standard)
