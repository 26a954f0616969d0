# SPDX-License-Identifier: Apache-2.0
# What every target of the project has in common, and the two functions that declare a layer and its tests.

add_library(onnxpress_options INTERFACE)
# -Wno-restrict: GCC 12 warns of overlaps that can't be in std::string's own code (GCC bug 105651).
target_compile_features(onnxpress_options INTERFACE cxx_std_20)
target_compile_options(onnxpress_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
  -Woverloaded-virtual -ffp-contract=off $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<BOOL:${ONNXPRESS_WERROR}>:-Werror>)
if(ONNXPRESS_SANITIZE)
  target_compile_options(onnxpress_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(onnxpress_options INTERFACE -fsanitize=address,undefined)
endif()

# onnxpress_layer(NAME SOURCES a.cpp … [USES layer …] [LIBRARIES public …] [PRIVATE_LIBRARIES …])
# Declares the static library onnxpress_NAME from the folder src/NAME. Its headers are included as "NAME/x.h" and are
# visible only to targets that name NAME in USES: each layer has an include root of its own that holds just that folder,
# so an include that the layers do not allow does not compile.
function(onnxpress_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES;PRIVATE_LIBRARIES" ${ARGN})
  set(root ${PROJECT_BINARY_DIR}/include_roots/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${root}/${name} SYMBOLIC)
  add_library(onnxpress_${name} STATIC ${ARG_SOURCES})
  set_property(GLOBAL APPEND PROPERTY ONNXPRESS_LAYERS onnxpress_${name})
  set_target_properties(onnxpress_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_include_directories(onnxpress_${name} PUBLIC $<BUILD_INTERFACE:${root}>
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  target_link_libraries(onnxpress_${name} PUBLIC ${ARG_LIBRARIES}
    PRIVATE $<BUILD_INTERFACE:onnxpress_options> ${ARG_PRIVATE_LIBRARIES})
  foreach(layer IN LISTS ARG_USES)
    target_link_libraries(onnxpress_${name} PUBLIC onnxpress_${layer})
  endforeach()
endfunction()

# onnxpress_test(NAME SOURCES a_test.cpp … [USES layer …] [LIBRARIES …] [LABELS …])
# A GoogleTest program of the folder tests/NAME; every TEST becomes a ctest case.
function(onnxpress_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES;LABELS" ${ARGN})
  add_executable(${name}_tests ${ARG_SOURCES})
  target_link_libraries(${name}_tests PRIVATE onnxpress_options onnxpress_test_support ${ARG_LIBRARIES} GTest::gmock_main)
  target_compile_definitions(${name}_tests PRIVATE ONNXPRESS_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  foreach(layer IN LISTS ARG_USES)
    target_link_libraries(${name}_tests PRIVATE onnxpress_${layer})
  endforeach()
  gtest_discover_tests(${name}_tests DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120
    PROPERTIES LABELS "${name};${ARG_LABELS}" TIMEOUT 600)
endfunction()
