# SPDX-License-Identifier: Apache-2.0
# Compile and link flags of everything of ours, as one interface target.
add_library(cnative_flags INTERFACE)
target_compile_features(cnative_flags INTERFACE cxx_std_20)
target_compile_options(cnative_flags INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wconversion -Wreturn-type -Wnon-virtual-dtor -Wno-missing-field-initializers
  -fno-rtti -ffunction-sections -fdata-sections -fstack-protector-strong -fno-plt)
target_compile_definitions(cnative_flags INTERFACE _GNU_SOURCE _GLIBCXX_ASSERTIONS)
target_include_directories(cnative_flags INTERFACE "${CMAKE_SOURCE_DIR}/pkg")
# A call lives for a millisecond, most of it in the kernel: small starts faster than fast.
set(CMAKE_CXX_FLAGS_RELEASE "-Os" CACHE STRING "" FORCE)
set(CMAKE_CXX_EXTENSIONS OFF)

if(CNATIVE_SANITIZE)
  target_compile_options(cnative_flags INTERFACE -fsanitize=${CNATIVE_SANITIZE} -fno-omit-frame-pointer -g -fPIE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>) # the instrumentation makes GCC see some that are none
  target_link_options(cnative_flags INTERFACE -fsanitize=${CNATIVE_SANITIZE} -pie)
else()
  target_compile_options(cnative_flags INTERFACE -fPIE $<$<CONFIG:Release>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    target_compile_options(cnative_flags INTERFACE -fcf-protection)
  elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
    target_compile_options(cnative_flags INTERFACE -mbranch-protection=standard)
  endif()
  target_link_options(cnative_flags INTERFACE
    -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,noseparate-code -Wl,--build-id=none)
endif()
