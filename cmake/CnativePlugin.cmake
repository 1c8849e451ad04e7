# SPDX-License-Identifier: Apache-2.0
# cnative_library(NAME SOURCES a.cpp … [LINK lib …] [PRIVATE lib …])
#   a folder of pkg/ as a static library cnative::NAME. PRIVATE libraries' headers stay inside the folder.
# cnative_plugin(NAME SOURCES a.cpp … LINK lib …)
#   an executable in bin/, static-PIE, stripped, at most 1.3 MiB.

add_custom_target(plugins) # what `make` builds; tests come with `cmake --build`

function(cnative_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE" ${ARGN})
  add_library(cnative_${name} STATIC ${ARG_SOURCES})
  add_library(cnative::${name} ALIAS cnative_${name})
  target_link_libraries(cnative_${name} PUBLIC cnative_flags ${ARG_LINK} PRIVATE ${ARG_PRIVATE})
endfunction()

# What the sanitizers are to do in an executable, as it cannot be told by the environment everywhere.
function(cnative_sanitizer_options name)
  if(CNATIVE_SANITIZE)
    target_sources(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests/lib/sanitizer_options.cpp")
    target_compile_definitions(${name} PRIVATE SANITIZER_REPORTS="${CMAKE_BINARY_DIR}/sanitizer-reports/report")
  endif()
endfunction()

function(cnative_plugin name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE cnative_flags ${ARG_LINK})
  add_dependencies(plugins ${name})
  cnative_sanitizer_options(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CNATIVE_BIN_DIR}")
  if(CNATIVE_STATIC)
    target_link_options(${name} PRIVATE -static-pie
      $<$<NOT:$<BOOL:${CNATIVE_MUSL}>>:-Wl,-z,pack-relative-relocs> # musl 1.2.3 does not know them
      "-Wl,-T,${CMAKE_CURRENT_FUNCTION_LIST_DIR}/no-c-unwind.ld"
      "-Wl,-Map,${CMAKE_BINARY_DIR}/${name}.map") # what is linked in, for the packages' SBOM
    set_target_properties(${name} PROPERTIES LINK_DEPENDS "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/no-c-unwind.ld")
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:cnative_static_stubs>)
  elseif(NOT CNATIVE_SANITIZE)
    target_link_options(${name} PRIVATE -pie)
  endif()
  if(NOT CNATIVE_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
    add_custom_command(TARGET ${name} POST_BUILD COMMAND ${CMAKE_STRIP} $<TARGET_FILE:${name}>)
  endif()
  if(CNATIVE_STATIC)
    add_custom_command(TARGET ${name} POST_BUILD
      COMMAND ${CMAKE_COMMAND} -DFILE=$<TARGET_FILE:${name}> -P "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/check-size.cmake")
  endif()
endfunction()
