# SPDX-License-Identifier: Apache-2.0
# Unpacks shared/incoming/conformance/onnx_*.tar.xz into DESTINATION, once. Without the shared folder
# there is nothing to do, and the tests that need it skip.
if(DEFINED ENV{ONNXPRESS_SHARED})
  set(shared $ENV{ONNXPRESS_SHARED})
else()
  set(shared ${SOURCE_DIR}/../shared)
endif()
file(GLOB archives ${shared}/incoming/conformance/onnx_*.tar.xz)
foreach(archive IN LISTS archives)
  get_filename_component(stem ${archive} NAME_WLE)
  if(NOT EXISTS ${DESTINATION}/${stem}.unpacked)
    file(ARCHIVE_EXTRACT INPUT ${archive} DESTINATION ${DESTINATION})
    file(TOUCH ${DESTINATION}/${stem}.unpacked)
  endif()
endforeach()
