// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

// SVG pictures of the figures.
namespace bench {

/// One line of a plot.
struct Series {
    std::string name;
    std::size_t colour = 0; ///< one a contestant
    bool dashed = false;
    std::vector<std::pair<double, double>> points; ///< x, milliseconds
};
/// Time on a logarithmic axis, for contestants lie decades apart; each line is named at its end.
std::string line_plot(const std::string& title, const std::string& x_label, const std::vector<Series>& series);

struct Bar {
    std::string name;
    std::vector<std::pair<std::string, double>> parts; ///< label, milliseconds
};
struct Panel {
    std::string title;
    std::vector<Bar> bars;
};
/// Panels side by side, each to its own scale.
std::string bar_chart(const std::string& title, const std::vector<Panel>& panels);

} // namespace bench
