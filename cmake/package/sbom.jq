# SPDX-License-Identifier: Apache-2.0
# The SPDX 2.3 document of package.sh: the executables as files of the package cnative, and each library that is linked
# into them statically as a package, with Debian's source package for it.
def id: gsub("\\+"; "x") | gsub("[^A-Za-z0-9.]+"; "-");
def file_id: "SPDXRef-File-" + id;
def library_id: "SPDXRef-Package-" + id;
($components | rtrimstr("\n") | split("\n") | map(split("|") | {executable: .[0], name: .[1], version: .[2], licence: .[3],
    what: .[4], package: .[5], source: .[6], source_version: .[7]})) as $parts
| ($digests | split("\n\n") | map(rtrimstr("\n") | split("\n") | map([match("([0-9a-f]+)  (.*)").captures[].string]
    | {key: .[1], value: .[0]}) | from_entries)) as [$sha1, $sha256]
| ($parts | unique_by(.name)) as $libraries
| def licence($executable): # of cnative and all that is linked in
    [$parts[] | select(.executable == $executable) | .licence] | unique | map(if test(" WITH ") then "(\(.))" else . end)
    | ["Apache-2.0"] + . | join(" AND ");
{
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: "cnative-\($arch)-\($version)",
    documentNamespace: "https://spdx.org/spdxdocs/cnative-\($arch)-\($version)-\($tarball)",
    creationInfo: {
        created: $created,
        creators: ["Organization: cnative", "Tool: cnative-package.sh-\($version)"]
    },
    documentDescribes: ["SPDXRef-Package-cnative"],
    packages: ([{
        SPDXID: "SPDXRef-Package-cnative",
        name: "cnative",
        versionInfo: $version,
        packageFileName: "cnative-\($arch)-\($version).tgz",
        supplier: "Organization: cnative",
        downloadLocation: "NOASSERTION",
        filesAnalyzed: true,
        packageVerificationCode: {packageVerificationCodeValue: $verification},
        checksums: [{algorithm: "SHA256", checksumValue: $tarball}],
        licenseConcluded: ([$sha1 | keys[] | licence(.) | split(" AND ")[]] | unique | join(" AND ")),
        licenseInfoFromFiles: ([$libraries[].licence, "Apache-2.0"] | unique),
        licenseDeclared: "Apache-2.0",
        copyrightText: "NOASSERTION",
        primaryPackagePurpose: "APPLICATION",
        summary: "CNI plugins for Linux as small, static, native executables"
    }] + [$libraries[] | {
        SPDXID: (.name | library_id),
        name,
        versionInfo: .version,
        supplier: "Organization: Debian",
        downloadLocation: "NOASSERTION",
        filesAnalyzed: false,
        licenseConcluded: .licence,
        licenseDeclared: .licence,
        copyrightText: "NOASSERTION",
        primaryPackagePurpose: "LIBRARY",
        summary: .what,
        sourceInfo: "built from the Debian source package \(.source) \(.source_version)",
        externalRefs: [{
            referenceCategory: "PACKAGE-MANAGER",
            referenceType: "purl",
            referenceLocator: "pkg:deb/debian/\(.package | @uri)@\(.version | @uri)"
        }, {
            referenceCategory: "PACKAGE-MANAGER",
            referenceType: "purl",
            referenceLocator: "pkg:deb/debian/\(.source | @uri)@\(.source_version | @uri)?arch=source"
        }]
    }]),
    files: [$sha1 | keys[] | {
        SPDXID: file_id,
        fileName: "./\(.)",
        fileTypes: [if . == "LICENSE" or . == "NOTICE" then "TEXT" else "BINARY" end],
        checksums: [{algorithm: "SHA1", checksumValue: $sha1[.]}, {algorithm: "SHA256", checksumValue: $sha256[.]}],
        licenseConcluded: licence(.),
        licenseInfoInFiles: ["NOASSERTION"],
        copyrightText: "NOASSERTION"
    }],
    relationships: ([{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-Package-cnative"}]
        + [$sha1 | keys[] | {spdxElementId: "SPDXRef-Package-cnative", relationshipType: "CONTAINS", relatedSpdxElement: file_id}]
        + [$parts[] | {spdxElementId: (.executable | file_id), relationshipType: "STATIC_LINK",
            relatedSpdxElement: (.name | library_id)}])
}
