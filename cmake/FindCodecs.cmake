# The libraries behind Kafka's compression codecs, as one imported target each: Codecs::gzip (zlib),
# Codecs::lz4, Codecs::snappy, Codecs::zstd. lz4 comes with xxHash, which is used from its header
# alone.
find_package(ZLIB)

set(codecs_found ZLIB_FOUND)
foreach(codec lz4 snappy zstd)
  find_path(Codecs_${codec}_INCLUDE_DIR ${codec}.h)
  find_library(Codecs_${codec}_LIBRARY ${codec})
  mark_as_advanced(Codecs_${codec}_INCLUDE_DIR Codecs_${codec}_LIBRARY)
  list(APPEND codecs_found Codecs_${codec}_LIBRARY Codecs_${codec}_INCLUDE_DIR)
endforeach()
find_path(Codecs_xxhash_INCLUDE_DIR xxhash.h)
mark_as_advanced(Codecs_xxhash_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  Codecs
  REQUIRED_VARS ${codecs_found} Codecs_xxhash_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "install zlib1g-dev liblz4-dev libsnappy-dev libzstd-dev libxxhash-dev")

if(Codecs_FOUND AND NOT TARGET Codecs::gzip)
  add_library(Codecs::gzip INTERFACE IMPORTED)
  target_link_libraries(Codecs::gzip INTERFACE ZLIB::ZLIB)
  foreach(codec lz4 snappy zstd)
    add_library(Codecs::${codec} UNKNOWN IMPORTED)
    set_target_properties(Codecs::${codec} PROPERTIES
                          IMPORTED_LOCATION ${Codecs_${codec}_LIBRARY}
                          INTERFACE_INCLUDE_DIRECTORIES ${Codecs_${codec}_INCLUDE_DIR})
  endforeach()
  set_property(TARGET Codecs::lz4 APPEND PROPERTY
               INTERFACE_INCLUDE_DIRECTORIES ${Codecs_xxhash_INCLUDE_DIR})
endif()
