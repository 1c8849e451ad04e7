# SPDX-License-Identifier: Apache-2.0
# CPack's part of package.sh, which tells it by the environment what to pack: the folder CNATIVE_STAGE, laid out as it is
# to be installed, becomes the .deb CNATIVE_PACKAGE.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME "$ENV{CNATIVE_PACKAGE}")
set(CPACK_PACKAGE_VERSION "$ENV{CNATIVE_VERSION}")
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE "$ENV{CNATIVE_ARCH}")
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "$ENV{CNATIVE_MAINTAINER}")
set(CPACK_PACKAGE_VENDOR "cnative")
set(CPACK_INSTALLED_DIRECTORIES "$ENV{CNATIVE_STAGE};.")
set(CPACK_PACKAGING_INSTALL_PREFIX "/")
set(CPACK_SET_DESTDIR ON)
set(CPACK_PACKAGE_FILE_NAME "${CPACK_PACKAGE_NAME}")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "CNI plugins as small, static, native executables")
set(where "/usr/lib/cni, in the place of containernetworking-plugins")
if(CPACK_PACKAGE_NAME STREQUAL "cnative-opt")
  # Kubernetes' own package has the same files in /opt/cni/bin, and more, and kubelet depends on it: it stays, and what
  # both have is this package's. Debian's package is not in the way.
  set(where "/opt/cni/bin, where Kubernetes looks for them")
  set(CPACK_DEBIAN_PACKAGE_REPLACES kubernetes-cni)
else()
  # Both have the same files. The second name is what Debian's container tools depend on.
  set(CPACK_DEBIAN_PACKAGE_CONFLICTS containernetworking-plugins)
  set(CPACK_DEBIAN_PACKAGE_REPLACES containernetworking-plugins)
  set(CPACK_DEBIAN_PACKAGE_PROVIDES "containernetworking-plugins, container-network-stack (= 1)")
endif()
set(CPACK_PACKAGE_DESCRIPTION
"Plugins of the Container Network Interface for containerd, CRI-O, podman,
nerdctl and Kubernetes, drop-in replacements for those of the Go suite: same
names, configuration, results and lease files. They need no iptables, nft or
ip: the kernel's interfaces are spoken directly.
.
The plugins are in ${where}.")
