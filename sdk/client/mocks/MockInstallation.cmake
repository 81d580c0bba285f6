# What the mock installs, with the library, as component "sdk". MillraceConfig.cmake of the library
# knows it as component "mock".
configure_file(millrace-mock.pc.in millrace-mock.pc @ONLY)

install(TARGETS millrace_mock_library COMPONENT sdk LIBRARY NAMELINK_COMPONENT sdk)
install(DIRECTORY ${mock_headers}/millrace TYPE INCLUDE COMPONENT sdk
        FILES_MATCHING PATTERN "*.hpp")
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/millrace-mock.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT sdk)
if(TARGET millrace_mock_static)
  install(FILES ${CMAKE_BINARY_DIR}/lib/libmillrace_mock.a TYPE LIB COMPONENT sdk)
endif()

millrace_python_test(NAME client_mock_exports_test
                     SCRIPT ${CMAKE_CURRENT_SOURCE_DIR}/mock_exports_test.py)
set_property(TEST client_mock_exports_test APPEND PROPERTY ENVIRONMENT
             MILLRACE_LIBRARY=$<TARGET_FILE:millrace_library>
             MILLRACE_MOCK_LIBRARY=$<TARGET_FILE:millrace_mock_library>)
