#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# package.sh BUILD PLUGINS ARCH DEB-FOLDER OUT: packs the executables in PLUGINS, built for ARCH in BUILD by the preset
# musl or musl-arm64, into OUT. The same executables give the same bytes.
#   cnative-ARCH-VERSION.tgz         flat, as installers of Kubernetes unpack it into /opt/cni/bin
#   cnative-ARCH-VERSION.spdx.json   what is in the executables (SPDX 2.3)
#   cnative_VERSION_ARCH.deb         into /usr/lib/cni, in the place of Debian's containernetworking-plugins;
#   cnative-opt_VERSION_ARCH.deb     into /opt/cni/bin instead, when that is DEB-FOLDER
#   *.sha256                         one for each
# MAINTAINER: the one of the .deb. SOURCE_DATE_EPOCH: the time in all of them, by default the commit's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "$1") plugins=$(realpath "$2") arch=$3 folder=$4
mkdir -p "$5"
out=$(realpath "$5")
cd "$here/../.."
umask 022
export LC_ALL=C TZ=UTC
case $folder in
/usr/lib/cni) package=cnative ;;
/opt/cni/bin) package=cnative-opt ;;
*) echo "package.sh: a .deb installs into /usr/lib/cni or /opt/cni/bin, not $folder" >&2 && exit 2 ;;
esac
version=$(sed -n 's/^project(cnative VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
maintainer=${MAINTAINER:-cnative maintainers <maintainers@cnative.invalid>}
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    SOURCE_DATE_EPOCH=$(git -c safe.directory='*' log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
fi
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- what is in the executables: a line "executable|component|version|licence|what|package|source package|its version"
# for each archive that the linker took something from

linked() { # EXECUTABLE; libgcc's start files, crtbegin and crtend, are always there
    { echo libgcc.a && sed -nE 's/^([^ ]*\/)?([^ \/]+\.a)\([^)]*\)$/\2/p; /^(Discarded|Memory)/q' "$build/$1.map"; } | sort -u
}
for file in "$plugins"/*; do
    for archive in $(linked "${file##*/}"); do
        if IFS='|' read -r _ component licence what < <(grep "^$archive|" "$here/components.txt"); then
            read -r _ brought version_of source source_version < <(grep "^$archive " "$build/toolchain/materials")
            echo "${file##*/}|$component|$version_of|$licence|$what|$brought|$source|$source_version"
        elif [ -z "$(find -H "$build/pkg" "$build/plugins" -name "$archive")" ]; then
            echo "package.sh: ${file##*/} contains $archive, which components.txt does not list" >&2 && exit 1
        fi
    done
done >"$work/components"

# ---- the texts that go with them

copyright_of() { # PACKAGE
    cat "$build/toolchain/sysroot/usr/share/doc/$1/copyright" 2>/dev/null || cat "/usr/share/doc/$1/copyright"
}
notice() { # of what is linked in, with every text that the licences want to be handed on
    local package file
    cat <<TEXT
cnative $version for $arch: what the executables contain beside cnative itself, which is licensed under the Apache License,
Version 2.0 (LICENSE).

$(cut -d'|' -f2- "$work/components" | sort -u | awk -F'|' '{ print "  " $1 " " $2 ", " $4 ": " $3 "\n    from the Debian source package " $6 " " $7 }')

$(awk -F'|' '{ of[$1] = of[$1] (of[$1] ? ", " : "") $2 } END { for (name in of) print "  " name ": " of[name] }' "$work/components" | sort)

An executable that contains libnftnl is conveyed under the terms of the GNU General Public License, version 3, which the
Apache License 2.0 is compatible with; the others do not contain it. libnl and libmnl are under the GNU Lesser General
Public License: cnative's sources and build files are complete, so each executable can be linked again with a modified
version of them (make release). The sources of all components are Debian's source packages named above; Debian keeps every
version of them in its snapshot archive.

TEXT
    while read -r package; do
        printf '======== %s: copyright file of the Debian package\n\n' "$package"
        copyright_of "$package"
    done < <(cut -d'|' -f6 "$work/components" | sort -u)
    [ "$1" = whole ] || return 0 # Debian has the common licences in a place of their own
    for file in GPL-2 GPL-3 LGPL-2.1; do
        printf '======== %s\n\n' "$file"
        cat "/usr/share/common-licenses/$file"
    done
}
digest() { (cd "$out" && sha256sum "$1" >"$1.sha256"); }

# ---- the tarball

flat=$work/flat
mkdir "$flat"
install -m 755 -t "$flat" "$plugins"/*
install -m 644 LICENSE "$flat/"
notice whole >"$flat/NOTICE"
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu -C "$flat" -cf - . |
    gzip -9n >"$out/cnative-$arch-$version.tgz"
digest "cnative-$arch-$version.tgz"

# ---- the SBOM

(cd "$flat" && sha1sum -- * && echo && sha256sum -- *) >"$work/digests"
jq --null-input --from-file "$here/sbom.jq" --arg version "$version" --arg arch "$arch" --arg maintainer "$maintainer" \
    --arg created "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
    --rawfile components "$work/components" --rawfile digests "$work/digests" \
    --arg tarball "$(cut -d' ' -f1 "$out/cnative-$arch-$version.tgz.sha256")" \
    --arg verification "$(cd "$flat" && sha1sum -- * | cut -d' ' -f1 | sort | tr -d '\n' | sha1sum | cut -d' ' -f1)" \
    >"$out/cnative-$arch-$version.spdx.json"
digest "cnative-$arch-$version.spdx.json"

# ---- the .deb

stage=$work/stage doc=usr/share/doc/$package
mkdir -p "$stage$folder" "$stage/$doc" "$stage/usr/share/lintian/overrides"
install -m 755 -t "$stage$folder" "$plugins"/*
{
    printf 'Copyright: the authors of cnative.\n\nIt is licensed under the Apache License, Version 2.0: /usr/share/common-licenses/Apache-2.0.\n\n'
    notice short
    printf '\nThe common licences are in /usr/share/common-licenses.\n'
} >"$stage/$doc/copyright"
printf '%s (%s) unstable; urgency=medium\n\n  * What changed is in CHANGELOG.md.\n\n -- %s  %s\n' "$package" "$version" \
    "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$stage/$doc/changelog.gz"
gzip -9n <CHANGELOG.md >"$stage/$doc/CHANGELOG.md.gz"
install -m 644 -t "$stage/$doc" README.md docs/{compatibility,errors,runtimes}.md
for readme in plugins/*/*/README.md; do
    install -m 644 "$readme" "$stage/$doc/$(basename "$(dirname "$readme")").md" # the keys
done
install -D -m 644 -t "$stage/$doc/examples" conf-examples/*
cp "$out/cnative-$arch-$version.spdx.json" "$stage/$doc/$package.spdx.json"
{ # static on purpose: a start without a dynamic loader is what the plugins are about
    echo "$package: shared-library-lacks-prerequisites"
    [ "$package" = cnative ] || echo "$package: dir-or-file-in-opt"
} >"$stage/usr/share/lintian/overrides/$package"
find "$stage" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
CNATIVE_PACKAGE=$package CNATIVE_STAGE=$stage CNATIVE_VERSION=$version CNATIVE_ARCH=$arch CNATIVE_MAINTAINER=$maintainer \
    cpack --config "$here/deb.cmake" -B "$work/cpack" >"$work/cpack.log" 2>&1 || { cat "$work/cpack.log" >&2 && exit 1; }
mv "$work/cpack/${package}_${version}_$arch.deb" "$out/"
digest "${package}_${version}_$arch.deb"
