# What the library installs, as component "sdk", and the tests that use it as strangers do.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Millrace)
set(MILLRACE_MODULE_FOLDER ${CMAKE_INSTALL_DATADIR}/millrace/modules)
# What libmillrace.a needs besides, as names for the linker.
set(MILLRACE_STATIC_NEEDS crypto fmt spdlog lz4 snappy zstd z pthread)
list(TRANSFORM MILLRACE_STATIC_NEEDS PREPEND -l OUTPUT_VARIABLE static_flags)
list(JOIN static_flags " " MILLRACE_STATIC_FLAGS)

configure_package_config_file(
  MillraceConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/MillraceConfig.cmake
  INSTALL_DESTINATION ${package_folder}
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR MILLRACE_MODULE_FOLDER)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/MillraceConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
configure_file(millrace.pc.in millrace.pc @ONLY)

install(TARGETS millrace_library COMPONENT sdk LIBRARY NAMELINK_COMPONENT sdk)
install(DIRECTORY ${public_headers}/millrace TYPE INCLUDE COMPONENT sdk
        FILES_MATCHING PATTERN "*.hpp")
install(FILES millrace.cppm DESTINATION ${MILLRACE_MODULE_FOLDER} COMPONENT sdk)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/MillraceConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/MillraceConfigVersion.cmake
        DESTINATION ${package_folder} COMPONENT sdk)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/millrace.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT sdk)

millrace_python_test(NAME client_exports_test SCRIPT ${CMAKE_CURRENT_SOURCE_DIR}/exports_test.py)
set_property(TEST client_exports_test APPEND PROPERTY ENVIRONMENT
             MILLRACE_LIBRARY=$<TARGET_FILE:millrace_library>)

# Programs of other compilers cannot use a library with the sanitizers of this one.
if(TARGET millrace_static)
  install(FILES ${MILLRACE_STATIC_LIBRARY} TYPE LIB COMPONENT sdk)
  millrace_python_test(NAME client_installation_test
                       SCRIPT ${CMAKE_CURRENT_SOURCE_DIR}/installation_test.py)
  set_property(TEST client_installation_test APPEND PROPERTY ENVIRONMENT
               MILLRACE_LIBRARY=$<TARGET_FILE:millrace_library>
               MILLRACE_BUILD=${CMAKE_BINARY_DIR} MILLRACE_CMAKE=${CMAKE_COMMAND}
               MILLRACE_CLANG=${CMAKE_CXX_COMPILER})
endif()
