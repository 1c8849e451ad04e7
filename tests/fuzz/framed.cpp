// SPDX-License-Identifier: Apache-2.0
// How the input of a target whose library relies on the kernel's framing is changed: values only, sizes stay.
#include <algorithm>
#include <cstring>
#include <vector>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "fuzz.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

struct Value {
    std::size_t at, size;
};

template <typename Header> Header read_at(fuzz::Bytes bytes, std::size_t at) {
    Header header{};
    std::memcpy(&header, bytes.data() + at, sizeof header);
    return header;
}

// Every attribute's payload that is not itself attributes. False: these bytes are none.
bool collect(fuzz::Bytes bytes, std::size_t at, std::size_t end, std::vector<Value>& values) {
    const std::size_t before = values.size();
    while (at + sizeof(nlattr) <= end) {
        const auto attribute = read_at<nlattr>(bytes, at);
        if (attribute.nla_len < sizeof attribute || at + attribute.nla_len > end)
            return values.resize(before), false;
        const std::size_t first = at + sizeof attribute, size = attribute.nla_len - sizeof attribute;
        const bool nested = size >= sizeof attribute && (attribute.nla_type & NLA_F_NESTED) != 0;
        if (!nested || !collect(bytes, first, first + size, values))
            values.push_back({first, size});
        at += NLA_ALIGN(attribute.nla_len);
    }
    return at >= end;
}

std::vector<Value> values_of(fuzz::Bytes bytes) {
    std::vector<Value> values;
    for (std::size_t at = 1; at + 2 < bytes.size();) { // behind the byte that chooses, datagrams
        const std::size_t size = std::min<std::size_t>(bytes[at] + bytes[at + 1] * 256U, bytes.size() - at - 2);
        at += 2;
        for (std::size_t message = at; message + sizeof(nlmsghdr) + sizeof(nfgenmsg) <= at + size;) {
            const auto header = read_at<nlmsghdr>(bytes, message);
            if (header.nlmsg_len < sizeof header + sizeof(nfgenmsg) || header.nlmsg_len > at + size - message)
                break;
            if (header.nlmsg_type != NLMSG_DONE && header.nlmsg_type != NLMSG_ERROR)
                (void)collect(bytes, message + sizeof header + sizeof(nfgenmsg), message + header.nlmsg_len, values);
            else
                values.push_back({message + sizeof header, sizeof(int)});
            message += NLMSG_ALIGN(header.nlmsg_len);
        }
        at += size;
    }
    return values;
}

} // namespace

std::size_t fuzz::mutate_values(std::uint8_t* data, std::size_t size, unsigned seed) {
    const std::vector<Value> values = values_of({data, size});
    if (values.empty() || seed % 16 == 0) {
        if (size > 0)
            data[0] = static_cast<std::uint8_t>(seed >> 4U);
        return size;
    }
    const Value value = values[seed / 16 % values.size()];
    if (value.size == 0)
        return size;
    std::vector<std::uint8_t> changed(data + value.at, data + value.at + value.size);
    const std::size_t now = LLVMFuzzerMutate(changed.data(), changed.size(), changed.size());
    std::memcpy(data + value.at, changed.data(), std::min(now, value.size));
    return size;
}
