# SPDX-License-Identifier: Apache-2.0
# toolchain.cmake for arm64, by Debian's cross compiler.
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CNATIVE_ARCH arm64)
set(CNATIVE_CROSS aarch64-linux-gnu-)
set(CNATIVE_MUSL_BUILD build-musl-arm64)
include("${CMAKE_CURRENT_LIST_DIR}/toolchain.cmake")
