// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bench {

namespace {

std::string number(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

constexpr const char* colours[] = {"#1565c0", "#ef6c00", "#2e7d32", "#6a1b9a", "#c62828"};

std::string element(const std::string& kind, const std::string& attributes, const std::string& content = {}) {
    return "<" + kind + " " + attributes + (content.empty() ? "/>\n" : ">" + content + "</" + kind + ">\n");
}

std::string label(double x, double y, const std::string& text, const std::string& anchor = "middle", int size = 12) {
    return element("text",
                   "x=\"" + number(x, 1) + "\" y=\"" + number(y, 1) + "\" font-size=\"" + std::to_string(size) +
                       "\" text-anchor=\"" + anchor + "\"",
                   text);
}

std::string svg(const std::string& body) {
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"400\" font-family=\"sans-serif\">\n"
           "<rect width=\"720\" height=\"400\" fill=\"white\"/>\n" +
           body + "</svg>\n";
}

constexpr double left = 70, right = 560, top = 40, bottom = 350;

} // namespace

double Case::at(const std::string& contestant, double percentile) const {
    const auto found = samples_.find(contestant);
    if (found == samples_.end() || found->second.empty())
        return 0;
    std::vector<double> times;
    for (const Sample& sample : found->second)
        times.push_back(sample.microseconds);
    std::ranges::sort(times);
    return times[static_cast<std::size_t>(percentile * static_cast<double>(times.size() - 1) + 0.5)];
}

int Case::failures(const std::string& contestant) const {
    int failures = 0;
    if (const auto found = samples_.find(contestant); found != samples_.end()) {
        for (const Sample& sample : found->second)
            failures += sample.failures;
    }
    return failures;
}

std::size_t Case::count(const std::string& contestant) const {
    const auto found = samples_.find(contestant);
    return found == samples_.end() ? 0 : found->second.size();
}

std::string milliseconds(double microseconds) {
    return number(microseconds / 1000, microseconds < 10000 ? 2 : 1);
}

std::string table(const std::vector<Case>& cases, const std::vector<std::string>& contestants) {
    std::string out = "| case | n |", rule = "|---|---|";
    for (const std::string& contestant : contestants) {
        out += " " + contestant + " median / p95 / p99 / max ms |";
        rule += "---|";
    }
    for (const std::string& contestant : contestants) {
        if (contestant != contestants.front()) {
            out += " " + contestants.front() + " ÷ " + contestant + " |";
            rule += "---|";
        }
    }
    out += " failed |\n" + rule + "---|\n";
    for (const Case& one : cases) {
        out += "| " + one.name() + " | " + std::to_string(one.count(contestants.front())) + " |";
        std::string ratios, failures;
        for (const std::string& contestant : contestants) {
            if (!one.has(contestant)) {
                out += " – |";
                ratios += contestant == contestants.front() ? "" : " – |";
                continue;
            }
            out += " " + milliseconds(one.median(contestant)) + " / " + milliseconds(one.at(contestant, 0.95)) + " / " +
                   milliseconds(one.at(contestant, 0.99)) + " / " + milliseconds(one.at(contestant, 1)) + " |";
            if (contestant != contestants.front())
                ratios += " " + number(one.median(contestants.front()) / one.median(contestant), 3) + " |";
            failures += (failures.empty() ? "" : " / ") + std::to_string(one.failures(contestant));
        }
        out += ratios + " " + failures + " |\n";
    }
    return out;
}

std::string line_plot(const std::string& title, const std::string& x_label, const std::vector<Series>& series) {
    double most_x = 1, most_y = 0, least_y = 1e9;
    for (const Series& one : series) {
        for (const auto& [x, y] : one.points) {
            most_x = std::max(most_x, x);
            most_y = std::max(most_y, y);
            least_y = std::min(least_y, y);
        }
    }
    // Milliseconds on a logarithmic axis: contestants lie decades apart.
    const double low = std::floor(std::log10(least_y)), high = std::ceil(std::log10(most_y));
    const auto px = [&](double x) { return left + (right - left) * x / most_x; };
    const auto py = [&](double y) {
        return bottom - (bottom - top) * (std::log10(y) - low) / std::max(1.0, high - low);
    };
    std::string body = label(360, 22, title, "middle", 15) + label((left + right) / 2, 388, x_label);
    for (double decade = low; decade <= high; ++decade) {
        const double y = py(std::pow(10, decade));
        body += element("line", "x1=\"" + number(left, 0) + "\" x2=\"" + number(right, 0) + "\" y1=\"" + number(y, 1) +
                                    "\" y2=\"" + number(y, 1) + "\" stroke=\"#ddd\"");
        body += label(left - 6, y + 4, number(std::pow(10, decade), decade < 0 ? 1 : 0) + " ms", "end");
    }
    for (int tick = 0; tick <= 4; ++tick)
        body += label(px(most_x * tick / 4), bottom + 18, number(most_x * tick / 4, 0));
    for (std::size_t i = 0; i < series.size(); ++i) {
        const std::string colour = colours[i % std::size(colours)];
        std::string path;
        for (const auto& [x, y] : series[i].points) {
            path += (path.empty() ? "M" : " L") + number(px(x), 1) + " " + number(py(y), 1);
            body += element("circle", "cx=\"" + number(px(x), 1) + "\" cy=\"" + number(py(y), 1) +
                                          "\" r=\"3\" fill=\"" + colour + "\"");
        }
        body += element("path", "d=\"" + path + "\" fill=\"none\" stroke-width=\"2\" stroke=\"" + colour + "\"");
        const double y = top + 20.0 * static_cast<double>(i);
        body += element("rect",
                        "x=\"575\" y=\"" + number(y - 9, 1) + "\" width=\"10\" height=\"10\" fill=\"" + colour + "\"");
        body += label(590, y, series[i].name, "start");
    }
    return svg(body);
}

std::string bar_chart(const std::string& title, const std::vector<Bar>& bars) {
    double most = 0;
    for (const Bar& bar : bars) {
        double sum = 0;
        for (const auto& [name, value] : bar.parts)
            sum += value;
        most = std::max(most, sum);
    }
    std::string body = label(360, 22, title, "middle", 15);
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const double y = top + 30 + static_cast<double>(i) * (bottom - top) / static_cast<double>(bars.size());
        double x = 110, sum = 0;
        body += label(100, y + 24, bars[i].name, "end", 13);
        for (std::size_t part = 0; part < bars[i].parts.size(); ++part) {
            const double width = 470 * bars[i].parts[part].second / most;
            body +=
                element("rect", "x=\"" + number(x, 1) + "\" y=\"" + number(y, 1) + "\" width=\"" + number(width, 1) +
                                    "\" height=\"36\" fill=\"" + colours[part % std::size(colours)] + "\"");
            x += width;
            sum += bars[i].parts[part].second;
        }
        body += label(x + 8, y + 24, number(sum, 1) + " ms", "start", 13);
    }
    if (!bars.empty()) {
        for (std::size_t part = 0; part < bars[0].parts.size(); ++part) {
            const double x = 110 + 140.0 * static_cast<double>(part);
            body += element("rect", "x=\"" + number(x, 1) + "\" y=\"375\" width=\"10\" height=\"10\" fill=\"" +
                                        std::string(colours[part % std::size(colours)]) + "\"");
            body += label(x + 15, 385, bars[0].parts[part].first, "start");
        }
    }
    return svg(body);
}

} // namespace bench
