// SPDX-License-Identifier: Apache-2.0
// JSON: parse, read by every getter, write, parse again.
#include "fuzz.h"

namespace {

void read_all(const cni::Object& object, unsigned depth) {
    for (const std::string& key : object.keys()) {
        fuzz::survive([&] { (void)object.flag(key); });
        fuzz::survive([&] { (void)object.text(key); });
        fuzz::survive([&] { (void)object.number(key, 0, INT64_MIN, INT64_MAX); });
        fuzz::survive([&] { (void)object.find_unsigned(key); });
        fuzz::survive([&] { (void)object.texts(key); });
        fuzz::survive([&] { (void)object.object_lists(key); });
        const std::string written = object.dump(key);
        if (!written.empty() && written[0] == '{')
            fuzz::must(cni::Object::parse("{\"k\":" + written + "}").dump("k") == written,
                       "what was written reads the same");
        if (depth == 0)
            continue;
        fuzz::survive([&] { read_all(object.object(key).value_or(cni::Object()), depth - 1); });
        fuzz::survive([&] {
            for (const cni::Object& one : object.objects(key))
                read_all(one, depth - 1);
        });
    }
}

} // namespace

FUZZ_TARGET(object) {
    fuzz::survive([&] {
        const cni::Object document = cni::Object::parse(fuzz::text_of(input));
        document.warn_unknown();
        read_all(document, 2);
        cni::accept_runtime_keys(document);
        fuzz::survive([&] { (void)cni::read_net_conf(document); });
        document.warn_unknown();
    });
}
