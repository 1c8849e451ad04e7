// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace cni {

/// CNI_ARGS ("K=V;K2=V2") as the Go suite reads it: IgnoreUnknown is known everywhere, `known` are the plugin's
/// own keys (case-sensitive). Errors (999): `ARGS: invalid pair "…"`, `ARGS: unknown args ["K=V"]`,
/// `ARGS: error parsing value of pair "IgnoreUnknown=x": boolean unmarshal error: invalid input x`.
[[nodiscard]] std::map<std::string, std::string> parse_args(std::string_view args,
                                                            std::initializer_list<std::string_view> known);
/// The same for DEL: what cannot be read is left out.
[[nodiscard]] std::map<std::string, std::string> parse_args_leniently(std::string_view args);

} // namespace cni
