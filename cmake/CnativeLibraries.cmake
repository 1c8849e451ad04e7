# SPDX-License-Identifier: Apache-2.0
# The libraries. Static builds take the archives; Debian 12 has no libmnl.a, so when neither the system nor
# CNATIVE_MNL_DIR has it, fetch-libmnl.sh puts one into the build folder.
set(CNATIVE_MNL_DIR "" CACHE PATH "Folder that holds libmnl.a when the system has none")
find_path(NL_INCLUDE_DIR netlink/netlink.h PATH_SUFFIXES libnl3 REQUIRED)
find_path(MNL_INCLUDE_DIR libmnl/libmnl.h REQUIRED)
find_path(NFTNL_INCLUDE_DIR libnftnl/set.h REQUIRED)
find_path(NLOHMANN_INCLUDE_DIR nlohmann/json.hpp REQUIRED)

function(cnative_import target include archive)
  if(CNATIVE_STATIC)
    find_library(${archive}_PATH NAMES lib${archive}.a HINTS "${CNATIVE_MNL_DIR}" REQUIRED)
  else()
    find_library(${archive}_PATH NAMES ${archive} lib${archive}.so.200 lib${archive}.so.0 lib${archive}.so.11 REQUIRED)
  endif()
  add_library(${target} UNKNOWN IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES IMPORTED_LOCATION "${${archive}_PATH}"
    INTERFACE_INCLUDE_DIRECTORIES "${include}")
endfunction()

if(CNATIVE_STATIC)
  find_library(mnl_PATH NAMES libmnl.a HINTS "${CNATIVE_MNL_DIR}")
  if(NOT mnl_PATH)
    execute_process(COMMAND "${CMAKE_CURRENT_LIST_DIR}/fetch-libmnl.sh" "${CMAKE_BINARY_DIR}/libmnl"
      RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR "no libmnl.a (see above)")
    endif()
    find_library(mnl_PATH NAMES libmnl.a HINTS "${CMAKE_BINARY_DIR}/libmnl" REQUIRED)
  endif()
endif()
cnative_import(nl::core "${NL_INCLUDE_DIR}" nl-3)
cnative_import(mnl::mnl "${MNL_INCLUDE_DIR}" mnl)
cnative_import(nftnl::nftnl "${NFTNL_INCLUDE_DIR}" nftnl)
target_link_libraries(nftnl::nftnl INTERFACE mnl::mnl)
add_library(nlohmann INTERFACE)
target_include_directories(nlohmann SYSTEM INTERFACE "${NLOHMANN_INCLUDE_DIR}")
target_compile_definitions(nlohmann INTERFACE JSON_NO_IO JSON_USE_IMPLICIT_CONVERSIONS=0)
