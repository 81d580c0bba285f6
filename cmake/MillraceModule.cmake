# A module of ours and what proves it:
#   millrace_module(NAME base
#     INTERFACES base.cppm ...      module interface units, exported
#     SOURCES    clock.cpp ...      implementation units
#     LINKS      millrace_x ...     modules and libraries that it uses
#     TESTS      clock_test.cpp ... built into <name>_test and run by ctest
#     TEST_LINKS ...)               what only the tests use
# The target is called millrace_<name>.
function(millrace_module)
  cmake_parse_arguments(ARG "" "NAME" "INTERFACES;SOURCES;LINKS;TESTS;TEST_LINKS" ${ARGN})
  set(target millrace_${ARG_NAME})
  add_library(${target} STATIC)
  target_sources(${target}
    PUBLIC FILE_SET CXX_MODULES BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_BINARY_DIR}
           FILES ${ARG_INTERFACES}
    PRIVATE ${ARG_SOURCES})
  target_compile_options(${target} PRIVATE ${MILLRACE_WARNINGS})
  target_link_libraries(${target} PUBLIC ${ARG_LINKS})
  if(ARG_TESTS)
    millrace_test(NAME ${ARG_NAME}_test SOURCES ${ARG_TESTS} LINKS ${target} ${ARG_TEST_LINKS})
  endif()
endfunction()

# For a folder and those below it. Sanitized, what is not optimised compiles in half the time; where
# that is called, the tests take only seconds more for it. What a fuzz target reaches is optimised
# all the same, by millrace_cover().
macro(millrace_compile_fast_when_sanitized)
  if(MILLRACE_SANITIZE)
    add_compile_options(-O0)
  endif()
endmacro()

# Every test gets a time limit, and in sanitized builds stricter checks with readable traces. The
# label says how `./dev test` counts it: gtest and python programs report their cases, anything else
# is one test.
function(millrace_test_properties name label)
  set(environment "")
  if(MILLRACE_SANITIZE)
    list(APPEND environment
         ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:allow_addr2line=1
         UBSAN_OPTIONS=print_stacktrace=1:allow_addr2line=1
         TSAN_OPTIONS=halt_on_error=1:allow_addr2line=1)
  endif()
  set_tests_properties(${name} PROPERTIES
                       LABELS "${label}" TIMEOUT 600 ENVIRONMENT "${environment}")
endfunction()

# One test program, run by ctest. Tests read their data files from below MILLRACE_SOURCE_DIR.
function(millrace_test)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;LINKS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  # Not optimised: half of the time of a build went into the tests' own objects. What they try is
  # optimised as it is shipped.
  target_compile_options(${ARG_NAME} PRIVATE ${MILLRACE_WARNINGS} -O0)
  target_compile_definitions(${ARG_NAME} PRIVATE MILLRACE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LINKS} GTest::gtest_main GTest::gmock
                        header_module_testing)
  add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
  millrace_test_properties(${ARG_NAME} gtest)
endfunction()

# A file of Python unittest cases, run by ctest; `./dev test` counts each case.
function(millrace_python_test)
  cmake_parse_arguments(ARG "" "NAME;SCRIPT" "" ${ARGN})
  add_test(NAME ${ARG_NAME}
           COMMAND python3 ${CMAKE_SOURCE_DIR}/tools/python_test.py ${ARG_NAME} ${ARG_SCRIPT}
           WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  millrace_test_properties(${ARG_NAME} python)
endfunction()

# Coverage instrumentation, and a little optimisation, for a target and for all of ours that it
# links. Nothing else is instrumented: it makes whatever is slow to compile and to run.
function(millrace_cover target)
  get_target_property(covered ${target} MILLRACE_COVERED)
  if(covered)
    return()
  endif()
  set_target_properties(${target} PROPERTIES MILLRACE_COVERED TRUE)
  target_compile_options(${target} PRIVATE -O1 -fsanitize=fuzzer-no-link)
  get_target_property(links ${target} LINK_LIBRARIES)
  foreach(link IN LISTS links)
    if(NOT TARGET ${link})
      continue()
    endif()
    get_target_property(type ${link} TYPE)
    get_target_property(imported ${link} IMPORTED)
    if(type MATCHES "^(STATIC|OBJECT)_LIBRARY$" AND NOT imported)
      millrace_cover(${link})
    endif()
  endforeach()
endfunction()

# A libFuzzer target over SOURCES (LLVMFuzzerTestOneInput); its small seed corpus lies in CORPUS.
# ctest runs it for a bounded number of inputs; `./dev fuzz` runs it for as long as asked. What it
# finds goes into the build folder: the seed corpus is only read.
function(millrace_fuzz_target)
  cmake_parse_arguments(ARG "" "NAME;CORPUS" "SOURCES;LINKS" ${ARGN})
  if(NOT MILLRACE_FUZZ)
    return()
  endif()
  set(found ${CMAKE_BINARY_DIR}/fuzz/${ARG_NAME})
  set(corpora ${found}/corpus)
  file(MAKE_DIRECTORY ${corpora})
  if(ARG_CORPUS)
    list(APPEND corpora ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_CORPUS})
  endif()
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_compile_options(${ARG_NAME} PRIVATE ${MILLRACE_WARNINGS})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LINKS})
  target_link_options(${ARG_NAME} PRIVATE -fsanitize=fuzzer) # brings main()
  millrace_cover(${ARG_NAME})
  add_test(NAME ${ARG_NAME}
           COMMAND ${ARG_NAME} -runs=20000 -max_total_time=15 -seed=1 -max_len=4096 -timeout=20
                   -rss_limit_mb=2048 -artifact_prefix=${found}/ ${corpora})
  millrace_test_properties(${ARG_NAME} fuzz)
endfunction()

# A Google Benchmark program, built into bin/bench/ and run by `./dev bench`.
function(millrace_benchmark)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;LINKS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  target_compile_options(${ARG_NAME} PRIVATE ${MILLRACE_WARNINGS})
  set_target_properties(${ARG_NAME} PROPERTIES
                        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/bench)
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LINKS} benchmark::benchmark)
endfunction()

# The sources of MODULES once more, with the choice of a mistake (modules/base/planted.hpp). Nothing
# but a mutant program links them.
function(millrace_planted_library target)
  cmake_parse_arguments(ARG "" "" "MODULES;LINKS" ${ARGN})
  add_library(${target} STATIC)
  foreach(module ${ARG_MODULES})
    get_target_property(folder millrace_${module} SOURCE_DIR)
    get_target_property(interfaces millrace_${module} CXX_MODULE_SET)
    get_target_property(sources millrace_${module} SOURCES)
    list(REMOVE_ITEM sources ${interfaces})
    list(FILTER sources EXCLUDE REGEX "[.]cppm$")
    list(TRANSFORM sources PREPEND ${folder}/ REGEX "^[^/]")
    list(TRANSFORM interfaces PREPEND ${folder}/ REGEX "^[^/]")
    target_sources(${target}
                   PUBLIC FILE_SET ${module} TYPE CXX_MODULES BASE_DIRS ${folder}
                          FILES ${interfaces}
                   PRIVATE ${sources})
  endforeach()
  target_compile_options(${target} PRIVATE ${MILLRACE_WARNINGS} -O1)
  target_compile_definitions(${target} PRIVATE MILLRACE_PLANTED)
  target_link_libraries(${target} PUBLIC ${ARG_LINKS})
endfunction()
