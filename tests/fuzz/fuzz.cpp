// SPDX-License-Identifier: Apache-2.0
#include "fuzz.h"

#include <cstring>

namespace {

const fuzz::Target* chosen = nullptr;

} // namespace

namespace fuzz {

cni::Invocation call_of(Bytes input) {
    std::string_view text = text_of(input);
    cni::Invocation call{.command = "ADD", .container_id = "c1", .netns = "/run/netns/c1", .ifname = "eth0"};
    if (const std::size_t line = text.find('\n'); !text.empty() && text[0] != '{' && line != std::string_view::npos) {
        call.args = text.substr(0, line);
        text.remove_prefix(line + 1);
    }
    call.raw_stdin = text;
    call.config = cni::Object::parse(text);
    call.version = call.config.text("cniVersion", "0.1.0");
    call.network = call.config.text("name", "net");
    return call;
}

} // namespace fuzz

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** argv) {
    const char* slash = std::strrchr((*argv)[0], '/');
    const char* name = slash != nullptr ? slash + 1 : (*argv)[0];
    for (const fuzz::Target* target = fuzz::Target::first; target != nullptr; target = target->next) {
        if (std::strcmp(name, target->name) == 0)
            chosen = target;
    }
    if (chosen == nullptr) {
        std::fprintf(stderr, "call it by the name of a target:\n");
        for (const fuzz::Target* target = fuzz::Target::first; target != nullptr; target = target->next)
            std::fprintf(stderr, "%s\n", target->name);
        std::exit(2);
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    chosen->run({data, size});
    return 0;
}
