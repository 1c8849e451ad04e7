# SPDX-License-Identifier: Apache-2.0
# A plugin is at most 1.3 MiB: small is part of the contract, so a larger one does not build.
file(SIZE "${FILE}" size)
if(size GREATER 1363148)
  file(REMOVE "${FILE}")
  message(FATAL_ERROR "${FILE} is ${size} bytes, more than the 1363148 (1.3 MiB) a plugin may have")
endif()
