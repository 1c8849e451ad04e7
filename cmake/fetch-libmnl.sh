#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fetch-libmnl.sh FOLDER: puts libmnl.a into FOLDER. Debian 12 ships none, Debian 13's libmnl-dev does, and that archive
# links against Debian 12's glibc.
set -eu

folder=${1:?usage: fetch-libmnl.sh FOLDER}
[ -s "$folder/libmnl.a" ] && exit 0

echo "fetch-libmnl: taking libmnl.a from trixie's libmnl-dev, into $folder (nothing is installed)"
if ! "$(dirname "$0")/fetch-deb.sh" trixie "$(dpkg --print-architecture)" "$folder/deb" libmnl-dev; then
    cat >&2 <<MESSAGE
  The static build needs libmnl.a, which this system lacks (Debian 12 ships only the shared library). Ways out:
  - give the folder of a libmnl.a that you have:  cmake -B build -DCNATIVE_MNL_DIR=/folder
  - build shared executables:                     cmake -B build -DCNATIVE_STATIC=OFF
MESSAGE
    exit 1
fi
mv "$folder"/deb/usr/lib/*/libmnl.a "$folder/libmnl.a"
