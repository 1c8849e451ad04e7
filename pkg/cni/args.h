// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cni/object.h"

namespace cni {

/// CNI_ARGS ("K=V;K2=V2") as the Go suite reads it: IgnoreUnknown is known everywhere, `known` are the plugin's
/// own keys (case-sensitive). Errors (999): `ARGS: invalid pair "…"`, `ARGS: unknown args ["K=V"]`,
/// `ARGS: error parsing value of pair "IgnoreUnknown=x": boolean unmarshal error: invalid input x`.
[[nodiscard]] std::map<std::string, std::string> parse_args(std::string_view args,
                                                            std::initializer_list<std::string_view> known);
/// The config's `args.cni`, where the like is asked for since; nothing when it has none.
[[nodiscard]] std::optional<Object> args_in(const Object& config);

} // namespace cni
