# Static libraries of the client, usable by themselves: the objects of the public layer and of all
# internal modules that it needs are linked into one, in which only the public names are left
# global. Nothing in it can clash with names of a program or of the other library, not even with
# another version of a library that only headers are used of.
#
# Not built with sanitizers, whose tables such a link would tear apart, nor with ThinLTO, where the
# objects are not machine code yet.
if(MILLRACE_SANITIZE OR MILLRACE_LTO)
  return()
endif()

find_program(MILLRACE_GNU_LD ld.bfd REQUIRED)
find_program(MILLRACE_GNU_OBJCOPY objcopy REQUIRED)
find_program(MILLRACE_GNU_AR ar REQUIRED)

# The static libraries of ours that TARGETS need, in `result`.
function(millrace_static_closure result)
  set(found "")
  set(ahead ${ARGN})
  while(ahead)
    list(POP_FRONT ahead target)
    string(REGEX REPLACE "^[$]<LINK_ONLY:(.*)>$" "\\1" target "${target}")
    if(NOT target MATCHES "^millrace_" OR NOT TARGET ${target} OR target IN_LIST found)
      continue()
    endif()
    list(APPEND found ${target})
    get_target_property(needed ${target} INTERFACE_LINK_LIBRARIES)
    if(needed)
      list(APPEND ahead ${needed})
    endif()
  endwhile()
  set(${result} ${found} PARENT_SCOPE)
endfunction()

# millrace_merged_library(TARGET millrace_static NAME millrace OBJECTS objects
#                         MODULES internal ones) makes lib/lib<NAME>.a.
function(millrace_merged_library)
  cmake_parse_arguments(ARG "" "TARGET;NAME;OBJECTS" "MODULES" ${ARGN})
  millrace_static_closure(static_modules ${ARG_MODULES})
  set(static_files "")
  foreach(module ${static_modules})
    get_target_property(type ${module} TYPE)
    if(type STREQUAL STATIC_LIBRARY)
      list(APPEND static_files $<TARGET_FILE:${module}>)
    endif()
  endforeach()
  set(library ${CMAKE_BINARY_DIR}/lib/lib${ARG_NAME}.a)
  set(merged ${CMAKE_CURRENT_BINARY_DIR}/${ARG_NAME}.o)
  add_custom_command(
    OUTPUT ${library}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/lib
    COMMAND ${MILLRACE_GNU_LD} -r --force-group-allocation -o ${merged}
            $<TARGET_OBJECTS:${ARG_OBJECTS}> --start-group ${static_files} --end-group
    COMMAND ${MILLRACE_GNU_OBJCOPY} --strip-debug --wildcard
            --keep-global-symbol=_ZN8millrace2v1* --keep-global-symbol=_ZNK8millrace2v1*
            --keep-global-symbol=_ZT[ISV]N8millrace2v1* ${merged}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${library}
    COMMAND ${MILLRACE_GNU_AR} rcs ${library} ${merged}
    DEPENDS ${ARG_OBJECTS} $<TARGET_OBJECTS:${ARG_OBJECTS}> ${static_files}
    COMMAND_EXPAND_LISTS
    VERBATIM
    COMMENT "Linking lib${ARG_NAME}.a")
  add_custom_target(${ARG_TARGET} ALL DEPENDS ${library})
endfunction()

set(MILLRACE_STATIC_LIBRARY ${CMAKE_BINARY_DIR}/lib/libmillrace.a)
millrace_merged_library(TARGET millrace_static NAME millrace OBJECTS millrace_library_objects
                        MODULES ${internal_modules})
