#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sbom_check.py SBOM FOLDER: what SPDX 2.3 demands of a document, and that it speaks of the files in FOLDER: each is
there with its digests, and is said to contain what its own --version admits to. No output and status 0 is a pass."""
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

LICENCES = {"Apache-2.0", "MIT", "LGPL-2.1-only", "LGPL-2.1-or-later", "GPL-2.0-or-later",
            "GPL-3.0-or-later WITH GCC-exception-3.1", "CC0-1.0"}
document = json.load(open(sys.argv[1], encoding="utf-8"))
folder = pathlib.Path(sys.argv[2])
bad = []


def claim(truth, what):
    if not truth:
        bad.append(what)


def has(element, *keys):
    for key in keys:
        claim(element.get(key) not in (None, "", []), f"{element.get('SPDXID')} lacks {key}")


def expression(text):
    terms = {term.strip("()") for term in text.split(" AND ")}
    claim(terms <= LICENCES, f"licence expression '{text}'")
    return terms


def checksum(element, algorithm):
    found = [c["checksumValue"] for c in element.get("checksums", []) if c["algorithm"] == algorithm]
    claim(len(found) == 1, f"{element['SPDXID']} has {len(found)} digests {algorithm}")
    return found[0] if found else ""


has(document, "spdxVersion", "dataLicense", "SPDXID", "name", "documentNamespace", "creationInfo")
claim(document["spdxVersion"] == "SPDX-2.3", "version")
claim(document["dataLicense"] == "CC0-1.0", "data licence")
claim(document["SPDXID"] == "SPDXRef-DOCUMENT", "identifier of the document")
claim(re.fullmatch(r"https://[^#\s]+", document["documentNamespace"]), "namespace is a URI without fragment")
claim(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"]), "time of creation")
claim(document["creationInfo"]["creators"], "creators")
for creator in document["creationInfo"]["creators"]:
    claim(re.match(r"(Person|Organization|Tool): \S", creator), f"creator {creator}")

packages, files = document["packages"], document["files"]
elements = {element["SPDXID"]: element for element in packages + files}
claim(len(elements) == len(packages) + len(files), "an identifier is used twice")
for identifier in elements:
    claim(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", identifier), f"identifier {identifier}")
for package in packages:
    has(package, "name", "downloadLocation", "versionInfo", "supplier", "licenseConcluded", "licenseDeclared",
        "copyrightText")
    claim(re.match(r"(Person|Organization): \S|NOASSERTION$", package["supplier"]), f"supplier of {package['name']}")
    expression(package["licenseConcluded"]) and expression(package["licenseDeclared"])
    if package["filesAnalyzed"]:
        digests = sorted(checksum(file, "SHA1") for file in files)
        claim(package["packageVerificationCode"]["packageVerificationCodeValue"]
              == hashlib.sha1("".join(digests).encode()).hexdigest(), "package verification code")
    else:
        claim(re.search(r"Debian source package \S+ \S+", package["sourceInfo"]), f"source of {package['name']}")
        for reference in package["externalRefs"]:
            claim(re.fullmatch(r"pkg:deb/debian/[^@\s]+@[^@\s]+", reference["referenceLocator"]), "purl")

for relation in document["relationships"]:
    for end in ("spdxElementId", "relatedSpdxElement"):
        claim(relation[end] in elements or relation[end] == "SPDXRef-DOCUMENT", f"nothing is called {relation[end]}")
describes = [r["relatedSpdxElement"] for r in document["relationships"] if r["relationshipType"] == "DESCRIBES"]
claim(describes == ["SPDXRef-Package-cnative"] == document["documentDescribes"], "what it describes")
contained = {r["relatedSpdxElement"] for r in document["relationships"] if r["relationshipType"] == "CONTAINS"}
claim(contained == {file["SPDXID"] for file in files}, "the package contains its files")

# What each executable says of itself, by the names in which it says so.
SAID = {"libnftnl": "libnftnl", "libnl": "libnl", "libmnl": "libmnl", "nlohmann-json": "JSON for Modern C++"}
claim({file["fileName"] for file in files} == {f"./{path.name}" for path in folder.iterdir()}, "the list of files")
for file in files:
    has(file, "fileName", "licenseConcluded", "copyrightText")
    content = (folder / file["fileName"]).read_bytes()
    claim(checksum(file, "SHA1") == hashlib.sha1(content).hexdigest(), f"SHA-1 of {file['fileName']}")
    claim(checksum(file, "SHA256") == hashlib.sha256(content).hexdigest(), f"SHA-256 of {file['fileName']}")
    terms = expression(file["licenseConcluded"])
    if "BINARY" not in file["fileTypes"]:
        continue
    linked = {elements[r["relatedSpdxElement"]]["name"] for r in document["relationships"]
              if r["relationshipType"] == "STATIC_LINK" and r["spdxElementId"] == file["SPDXID"]}
    claim({"musl", "libgcc", "libgcc-unwinder", "libstdc++"} <= linked, f"{file['fileName']} without run-time libraries")
    said = subprocess.run([*os.environ.get("PLUGIN_LAUNCHER", "").split(), folder / file["fileName"], "--version"],
                          capture_output=True, text=True, check=True).stdout
    for name, words in SAID.items():
        claim((name in linked) == (words in said), f"{file['fileName']}: {name} linked or not, and '{said}'")
    claim(("GPL-2.0-or-later" in terms) == ("libnftnl" in linked), f"licence of {file['fileName']}")

print("\n".join(bad), end="\n" if bad else "")
sys.exit(bool(bad))
