# A module of ours and what proves it:
#   millrace_module(NAME base
#     INTERFACES base.cppm ...      module interface units, exported
#     SOURCES    clock.cpp ...      implementation units
#     SOURCES_APART ...             those that cannot be compiled with others, see millrace_together
#     LINKS      millrace_x ...     modules and libraries that it uses
#     TESTS      clock_test.cpp ... built into <name>_test and run by ctest
#     TESTS_APART ...               those whose names another file of the tests has too
#     TEST_LINKS ...)               what only the tests use
# The target is called millrace_<name>.
function(millrace_module)
  cmake_parse_arguments(
    ARG "" "NAME" "INTERFACES;SOURCES;SOURCES_APART;LINKS;TESTS;TESTS_APART;TEST_LINKS" ${ARGN})
  set(target millrace_${ARG_NAME})
  millrace_together(sources ${ARG_NAME} ${ARG_SOURCES})
  add_library(${target} STATIC)
  target_sources(${target}
    PUBLIC FILE_SET CXX_MODULES BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_BINARY_DIR}
           FILES ${ARG_INTERFACES}
    PRIVATE ${sources} ${ARG_SOURCES_APART})
  target_compile_options(${target} PRIVATE ${MILLRACE_WARNINGS})
  target_link_libraries(${target} PUBLIC ${ARG_LINKS})
  if(ARG_TESTS)
    millrace_test(NAME ${ARG_NAME}_test SOURCES ${ARG_TESTS} APART ${ARG_TESTS_APART}
                  LINKS ${target} ${ARG_TEST_LINKS})
  endif()
endfunction()

# Sets OUT to what is compiled instead of SOURCES: up to six at once, as one. Half of the time of
# compiling one goes into what it imports and instantiates as its neighbours do (decision 0019).
# Those with a name in common cannot stand together. Those that ask planted() stay among themselves,
# because millrace_planted_objects takes their place, and so do those without a module. What is
# generated is large enough.
function(millrace_together OUT name)
  if(NOT MILLRACE_TOGETHER)
    set(${OUT} ${ARGN} PARENT_SCOPE)
    return()
  endif()
  # What the caller calls so is none of this.
  set(all "")
  set(planted "")
  set(module_units "")
  set(plain "")
  foreach(source IN LISTS ARGN)
    cmake_path(IS_PREFIX CMAKE_BINARY_DIR ${source} is_generated)
    if(is_generated)
      list(APPEND all ${source})
      continue()
    endif()
    cmake_path(ABSOLUTE_PATH source)
    file(STRINGS ${source} asks REGEX "/?planted[.]hpp")
    file(STRINGS ${source} module REGEX "^module [a-z_.]+;")
    if(asks)
      list(APPEND planted ${source})
    elseif(module)
      list(APPEND module_units ${source})
    else()
      list(APPEND plain ${source})
    endif()
  endforeach()
  foreach(kind planted module_units plain)
    list(LENGTH ${kind} left)
    math(EXPR files "(${left} + 5) / 6")
    set(begin 0)
    set(number 0)
    while(left GREATER 0)
      math(EXPR count "(${left} + ${files} - 1) / ${files}")
      list(SUBLIST ${kind} ${begin} ${count} part)
      math(EXPR begin "${begin} + ${count}")
      math(EXPR left "${left} - ${count}")
      math(EXPR files "${files} - 1")
      if(count EQUAL 1)
        list(APPEND all ${part})
        continue()
      endif()
      math(EXPR number "${number} + 1")
      set(file ${CMAKE_CURRENT_BINARY_DIR}/${name}_${kind}_${number}.cpp)
      set(writer ${CMAKE_SOURCE_DIR}/cmake/together.py)
      add_custom_command(OUTPUT ${file} COMMAND Python3::Interpreter ${writer} ${file} ${part}
                         DEPENDS ${writer} ${part} VERBATIM)
      list(APPEND all ${file})
    endwhile()
  endforeach()
  set(${OUT} ${all} PARENT_SCOPE)
endfunction()

# For a folder and those below it: what tests spend their time in is optimised in sanitized builds
# too.
macro(millrace_optimised_when_sanitized)
  add_compile_options(${MILLRACE_SANITIZE_OPTIMISED})
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

# Sets OUT to files that include those named, up to eight each: most of the time of compiling a test
# goes into what it imports and what every test instantiates (docs/decisions/0019). Headers of the
# system come first: Clang does not merge them with what a module has brought.
function(millrace_tests_together OUT name)
  list(LENGTH ARGN sources)
  math(EXPR files "(${sources} + 7) / 8")
  set(all "")
  set(index 0)
  foreach(source IN LISTS ARGN)
    math(EXPR number "${index} * ${files} / ${sources}")
    set(file ${CMAKE_CURRENT_BINARY_DIR}/${name}_together_${number}.cpp)
    if(NOT file IN_LIST all)
      list(APPEND all ${file})
      set(text_${number} "#include \"${CMAKE_SOURCE_DIR}/tests/system_headers.hpp\"\n")
    endif()
    string(APPEND text_${number} "#include \"${CMAKE_CURRENT_SOURCE_DIR}/${source}\"\n")
    math(EXPR index "${index} + 1")
  endforeach()
  foreach(number RANGE ${number})
    list(GET all ${number} file)
    file(CONFIGURE OUTPUT ${file} CONTENT "${text_${number}}" @ONLY)
  endforeach()
  set(${OUT} ${all} PARENT_SCOPE)
endfunction()

# One test program, run by ctest. Tests read their data files from below MILLRACE_SOURCE_DIR. Its
# SOURCES are compiled together, those APART by themselves.
function(millrace_test)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;APART;LINKS" ${ARGN})
  list(LENGTH ARG_SOURCES sources)
  if(sources GREATER 1 AND MILLRACE_TOGETHER)
    millrace_tests_together(ARG_SOURCES ${ARG_NAME} ${ARG_SOURCES})
  endif()
  add_executable(${ARG_NAME} ${ARG_SOURCES} ${ARG_APART})
  # Not optimised: half of the time of a build went into the tests' own objects. What they try is
  # optimised as it is shipped. A name of one file may hide that of another.
  target_compile_options(${ARG_NAME} PRIVATE ${MILLRACE_WARNINGS} -Wno-shadow -O0)
  if(MILLRACE_SANITIZE)
    target_compile_options(${ARG_NAME} PRIVATE ${MILLRACE_SANITIZE_TESTS})
  endif()
  # Tests that try many places or seeds take a part of them where each takes many times as long.
  set(slowness 1)
  if(MILLRACE_SANITIZE)
    set(slowness 4)
  endif()
  target_compile_definitions(${ARG_NAME} PRIVATE MILLRACE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                                 MILLRACE_SLOWNESS=${slowness})
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

# Coverage instrumentation for a target and for all of ours that it links. Nothing else is
# instrumented: it makes whatever is slow to compile and to run.
function(millrace_cover target)
  get_target_property(covered ${target} MILLRACE_COVERED)
  if(covered)
    return()
  endif()
  set_target_properties(${target} PROPERTIES MILLRACE_COVERED TRUE)
  target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
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
           COMMAND ${ARG_NAME} -runs=20000 -max_total_time=5 -seed=1 -max_len=4096 -timeout=20
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

# SOURCES (below modules/) once more, with the choice of a mistake (modules/base/planted.hpp): where
# mistakes could be made. A program that links TARGET has these instead of those in LINKS, whose
# other files and interfaces it shares with all. None but a mutant program does; a file that is
# missing here shows by its mistakes not being found.
function(millrace_planted_objects target)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/modules/)
  add_library(${target} OBJECT ${ARG_SOURCES})
  target_compile_options(${target} PRIVATE ${MILLRACE_WARNINGS} -O1)
  target_compile_definitions(${target} PRIVATE MILLRACE_PLANTED)
  target_link_libraries(${target} PUBLIC ${ARG_LINKS})
endfunction()
