# SPDX-License-Identifier: Apache-2.0
# cmake --install: the program, the public headers, and the library as the CMake package `onnxpress`.
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY ONNXPRESS_LAYERS)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/onnxpress)
install(TARGETS onnxpress ${layers} EXPORT onnxpressTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT onnxpressTargets NAMESPACE onnxpress:: DESTINATION ${package_dir})
install(DIRECTORY include/onnxpress DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
configure_package_config_file(cmake/onnxpressConfig.cmake.in onnxpressConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(onnxpressConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/onnxpressConfig.cmake ${PROJECT_BINARY_DIR}/onnxpressConfigVersion.cmake
  cmake/dependencies.cmake cmake/Finddnnl.cmake DESTINATION ${package_dir})
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
