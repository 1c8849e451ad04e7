#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# toolchain.sh FOLDER [ARCH]: makes FOLDER a small system of headers and archives on musl, for toolchain.cmake. Once: a
# few minutes, all from Debian's packages (.ci/packages.sh musl), nothing is installed. For another architecture than
# the machine's own the compiler is Debian's cross compiler, and what is of that architecture lies in
#   sysroot/      libraries and musl, unpacked from Debian's packages
#   musl.specs    tells Debian's own GCC to compile and link against musl (Debian's musl-gcc.specs does so for C alone)
#   lib/          libstdc++ and the unwinder, built here from gcc-12-source; the netlink libraries' archives
#   include/      libstdc++'s headers; links to those of the kernel and of the libraries
#   materials     where each archive comes from: archive, Debian package, version, source package, its version
set -eu
# What `make install DESTDIR=` was told is not meant for the makefiles of libstdc++.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES DESTDIR
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: toolchain.sh FOLDER}"
cd "$1"
root=$PWD
say() { echo "toolchain: $*" >&2; }
own=$(dpkg --print-architecture)
arch=${2:-$own}
case $arch in
amd64) machine=x86_64 hardening=-fcf-protection unwinder=i386 ;;
arm64) machine=aarch64 hardening=-mbranch-protection=standard unwinder=aarch64 ;;
*) say "not prepared for $arch" && exit 1 ;;
esac
triplet=$machine-linux-gnu
if [ "$arch" = "$own" ]; then
    cross='' sysroot='' asm=/usr/include/$triplet/asm
else
    cross=$triplet- sysroot=$root/sysroot asm=/usr/$triplet/include/asm
fi
gcc=${cross}gcc
musl=$sysroot/usr/lib/$machine-linux-musl musl_include=$sysroot/usr/include/$machine-linux-musl
version=$($gcc -dumpfullversion)
major=${version%%.*}
libgcc=libgcc-$major-dev${cross:+-$arch-cross}
# shellcheck disable=SC2016 # for dpkg-query
stamp=$(cat "$here"/* "$here"/../debs.txt | cksum)/$(dpkg-query -W -f '${Version} ' musl-dev "gcc-$major-source" \
    "g++-$major${cross:+-$triplet}" "$libgcc" libnl-3-dev libnftnl-dev nlohmann-json3-dev)
[ "$(cat stamp 2>/dev/null)" = "$stamp" ] && exit 0

quietly() { # quietly NAME COMMAND…: what it says is shown when it fails
    log=$root/$1.log
    shift
    "$@" >"$log" 2>&1 </dev/null || { tail -30 "$log" >&2 && say "failed: $* (all of it: $log)" && exit 1; }
}

# Only what is listed here is seen of the system's headers, so that none of glibc's gets in.
mkdir -p include lib
for folder in linux asm-generic libnl3 libmnl libnftnl nlohmann; do
    ln -sfn "/usr/include/$folder" "include/$folder"
done
ln -sfn "$asm" include/asm
rm -rf sysroot
"$here/../fetch-deb.sh" trixie "$arch" sysroot libmnl-dev
[ -z "$sysroot" ] || "$here/../fetch-deb.sh" "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$arch" sysroot \
    libnl-3-dev libnftnl-dev musl-dev
for archive in libnl-3.a libmnl.a libnftnl.a; do
    found=$(find -L "$root/sysroot" "/usr/lib/$triplet" -name $archive 2>/dev/null | head -n 1)
    [ -n "$found" ] || { say "there is no $archive for $arch" && exit 1; }
    ln -sfn "$found" lib/
done

cat >musl.specs <<SPECS
%rename cpp_options old_cpp_options

*cpp_options:
-nostdinc -idirafter $musl_include -idirafter include%s -idirafter $root/include %(old_cpp_options)

*cc1:
%(cc1_cpu) -nostdinc -idirafter $musl_include -idirafter include%s -idirafter $root/include

*link_libgcc:
-L$root/lib -L$musl -L .%s

*libgcc:
libgcc.a%s -lgcc_eh

*startfile:
%{static-pie:$musl/rcrt1.o;:$musl/crt1.o} $musl/crti.o %{static-pie:crtbeginS.o%s;:crtbeginT.o%s}

*endfile:
%{static-pie:crtendS.o%s;:crtend.o%s} $musl/crtn.o

*link:
-static %{static-pie:-pie --no-dynamic-linker -z text} -nostdlib --eh-frame-hdr --hash-style=gnu

*esp_link:


*esp_options:


*esp_cpp_options:


SPECS

source=gcc-$version
say "building libstdc++ $version for musl in $root"
rm -rf source build eh && mkdir source build eh
tar xf "/usr/src/gcc-$major/$source-dfsg.tar.xz" -C source --strip-components=1 --exclude='*/testsuite/*_*' \
    "$source"/libstdc++-v3 "$source"/libgcc "$source"/libiberty "$source"/libbacktrace "$source"/include \
    "$source"/config "$source"/config-ml.in "$source"/config.guess "$source"/config.sub "$source"/config.rpath \
    "$source"/install-sh "$source"/ltmain.sh "$source"/missing "$source"/mkinstalldirs "$source"/move-if-change \
    "$source"/depcomp "$source"/gcc/BASE-VER "$source"/gcc/DATESTAMP "$source"/gcc/tsystem.h "$source"/gcc/coretypes.h \
    "$source"/gcc/config/aarch64/aarch64.h

flags="-Os -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong $hardening"

# The unwinder is three files of libgcc, which GCC's own build would compile with a handful of headers made for the
# target. What they need of these for a target with DWARF 2 frames and PT_GNU_EH_FRAME is said on the command line.
cp source/libgcc/unwind-generic.h eh/unwind.h
cp source/libgcc/gthr-posix.h eh/gthr-default.h
cp "source/libgcc/config/$unwinder/linux-unwind.h" eh/md-unwind-support.h
touch eh/tconfig.h eh/tm.h eh/libgcc_tm.h eh/auto-target.h
if [ "$machine" = aarch64 ]; then
    grep '^#define AARCH64_DWARF_' source/gcc/config/aarch64/aarch64.h >eh/tm.h
    echo '#include "config/aarch64/value-unwind.h"' >eh/libgcc_tm.h
fi
for part in unwind-dw2 unwind-dw2-fde-dip unwind-c; do
    # shellcheck disable=SC2086 # flags are words
    quietly unwinder "$gcc" -specs="$root/musl.specs" $flags -fexceptions -fvisibility=hidden -fbuilding-libgcc \
        -DIN_GCC -DIN_LIBGCC2 -DUSED_FOR_TARGET -DUSE_PT_GNU_EH_FRAME "-DDWARF_REG_TO_UNWIND_COLUMN(R)=(R)" \
        -Ieh -Isource/libgcc -Isource/gcc -Isource/include -c "source/libgcc/$part.c" -o "eh/$part.o"
done
rm -f lib/libgcc_eh.a
"${cross}ar" rcs lib/libgcc_eh.a eh/*.o

cd build
quietly configure ../source/libstdc++-v3/configure --build="$(gcc -dumpmachine)" --host="$machine-linux-musl" \
    --prefix="$root" --with-gxx-include-dir="$root/include/c++" --disable-shared --disable-nls --disable-multilib \
    --disable-libstdcxx-pch --disable-libstdcxx-filesystem-ts --disable-libstdcxx-verbose \
    CC="$gcc -specs=$root/musl.specs" CXX="${cross}g++ -specs=$root/musl.specs" CPP="$gcc -specs=$root/musl.specs -E" \
    AR="${cross}ar" RANLIB="${cross}ranlib" NM="${cross}nm" STRIP="${cross}strip" \
    CFLAGS="$flags" CXXFLAGS="$flags" LDFLAGS=-static
quietly make make -j"$(nproc)"
quietly install make -C include install
quietly install make -C libsupc++ install
cp src/.libs/libstdc++.a ../lib/
cd ..
rm -rf source build eh
"$here/check-abi.sh" "$cross" "$root/musl.specs" "$musl/libc.a" lib/libnl-3.a lib/libmnl.a lib/libnftnl.a >&2
material() { # ARCHIVE PACKAGE: fetched, else installed
    # shellcheck disable=SC2016 # for dpkg-query
    from=$(awk -v name="$2" '$1 == name { print $1, $2, $4, $5 }' sysroot/packages)
    [ -n "$from" ] || from=$(dpkg-query -W -f '${Package} ${Version} ${source:Package} ${source:Version}' "$2")
    echo "$1 $from"
}
{
    material libc.a musl-dev
    material libnl-3.a libnl-3-dev
    material libmnl.a libmnl-dev
    material libnftnl.a libnftnl-dev
    material libstdc++.a "gcc-$major-source"
    material libgcc_eh.a "gcc-$major-source"
    material libgcc.a "$libgcc"
    material libcnative_cni.a nlohmann-json3-dev # headers, compiled into this one of ours
} >materials
echo "$stamp" >stamp
say "done"
