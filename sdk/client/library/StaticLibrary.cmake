# libmillrace.a, usable by itself: the objects of the public layer and of all internal modules that
# it needs are linked into one, in which only the public names are left global. Nothing in it can
# clash with names of a program, not even with another version of a library that only headers are
# used of.
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

millrace_static_closure(static_modules ${internal_modules})
set(static_files "")
foreach(module ${static_modules})
  get_target_property(type ${module} TYPE)
  if(type STREQUAL STATIC_LIBRARY)
    list(APPEND static_files $<TARGET_FILE:${module}>)
  endif()
endforeach()

set(MILLRACE_STATIC_LIBRARY ${CMAKE_BINARY_DIR}/lib/libmillrace.a)
set(merged ${CMAKE_CURRENT_BINARY_DIR}/millrace.o)
add_custom_command(
  OUTPUT ${MILLRACE_STATIC_LIBRARY}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/lib
  COMMAND ${MILLRACE_GNU_LD} -r --force-group-allocation -o ${merged}
          $<TARGET_OBJECTS:millrace_library_objects> --start-group ${static_files} --end-group
  COMMAND ${MILLRACE_GNU_OBJCOPY} --strip-debug --wildcard
          --keep-global-symbol=_ZN8millrace2v1* --keep-global-symbol=_ZNK8millrace2v1*
          --keep-global-symbol=_ZT[ISV]N8millrace2v1* ${merged}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${MILLRACE_STATIC_LIBRARY}
  COMMAND ${MILLRACE_GNU_AR} rcs ${MILLRACE_STATIC_LIBRARY} ${merged}
  DEPENDS millrace_library_objects $<TARGET_OBJECTS:millrace_library_objects> ${static_files}
  COMMAND_EXPAND_LISTS
  VERBATIM
  COMMENT "Linking libmillrace.a")
add_custom_target(millrace_static ALL DEPENDS ${MILLRACE_STATIC_LIBRARY})
