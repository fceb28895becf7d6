# find_package(dlcore) for native apps. Wheels take the component "python" alone.
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME native)

install(TARGETS dlcore EXPORT dlcoreTargets)
install(DIRECTORY cpp/include/dlcore DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT dlcoreTargets NAMESPACE dlcore:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dlcore)
configure_package_config_file(cmake/dlcoreConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/dlcoreConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dlcore)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/dlcoreConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/dlcoreConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/dlcoreConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/dlcore)
