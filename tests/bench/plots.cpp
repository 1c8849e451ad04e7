// SPDX-License-Identifier: Apache-2.0
#include "plots.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bench {

namespace {

constexpr double width = 760;
constexpr double left = 84, right = 600, top = 56, bottom = 340;
constexpr const char* ink = "#24292f";
constexpr const char* faint = "#8c959f";
constexpr const char* grid = "#e6e9ec";
constexpr const char* colours[] = {"#0969da", "#cf5a00", "#8250df", "#57606a", "#1a7f37"};

std::string number(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

std::string attribute(const std::string& name, double value) {
    return " " + name + "=\"" + number(value, 1) + "\"";
}

std::string attribute(const std::string& name, const std::string& value) {
    return " " + name + "=\"" + value + "\"";
}

struct Style {
    int size = 12;
    std::string anchor = "middle", colour = ink, weight = "normal";
};

std::string label(double x, double y, const std::string& text, const Style& style = {}) {
    return "<text" + attribute("x", x) + attribute("y", y) + attribute("font-size", std::to_string(style.size)) +
           attribute("text-anchor", style.anchor) + attribute("fill", style.colour) +
           attribute("font-weight", style.weight) + ">" + text + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& colour) {
    return "<line" + attribute("x1", x1) + attribute("y1", y1) + attribute("x2", x2) + attribute("y2", y2) +
           attribute("stroke", colour) + "/>\n";
}

std::string box(double x, double y, double w, double h, const std::string& colour) {
    return "<rect" + attribute("x", x) + attribute("y", y) + attribute("width", w) + attribute("height", h) +
           attribute("rx", 2) + attribute("fill", colour) + "/>\n";
}

std::string svg(const std::string& title, const std::string& body, double height) {
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(width, 0) + " " + number(height, 0) +
           "\" font-family=\"Helvetica, Arial, sans-serif\">\n<title>" + title + "</title>\n" + "<rect" +
           attribute("width", width) + attribute("height", height) + " rx=\"6\" fill=\"white\"/>\n" +
           label(24, 30, title, {.size = 16, .anchor = "start", .weight = "bold"}) + body + "</svg>\n";
}

std::string short_milliseconds(double value) {
    return number(value, value < 10 ? (value < 1 ? 2 : 1) : 0) + " ms";
}

std::string thousands(double value) {
    std::string text = number(value, 0);
    for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), ",");
    return text;
}

// Names at the ends of lines must not lie on each other.
std::vector<double> spread(std::vector<double> wanted) {
    constexpr double apart = 15;
    std::vector<std::size_t> order(wanted.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        order[i] = i;
    std::ranges::sort(order, {}, [&](std::size_t i) { return wanted[i]; });
    for (std::size_t i = 1; i < order.size(); ++i)
        wanted[order[i]] = std::max(wanted[order[i]], wanted[order[i - 1]] + apart);
    return wanted;
}

} // namespace

std::string line_plot(const std::string& title, const std::string& x_label, const std::vector<Series>& series) {
    double most_x = 1, most_y = 1e-3, least_y = 1e9;
    for (const Series& one : series) {
        for (const auto& [x, y] : one.points) {
            most_x = std::max(most_x, x);
            most_y = std::max(most_y, y);
            least_y = std::min(least_y, y);
        }
    }
    const double low = std::floor(std::log10(least_y)), high = std::max(low + 1, std::ceil(std::log10(most_y)));
    const auto px = [&](double x) { return left + (right - left) * x / most_x; };
    const auto py = [&](double y) { return bottom - (bottom - top) * (std::log10(y) - low) / (high - low); };

    std::string body;
    for (double decade = low; decade <= high; ++decade) {
        const double value = std::pow(10, decade);
        body += line(left, py(value), right, py(value), grid);
        body += label(left - 10, py(value) + 4, number(value, decade < 0 ? static_cast<int>(-decade) : 0) + " ms",
                      {.anchor = "end", .colour = faint});
    }
    for (int tick = 0; tick <= 4; ++tick) {
        const double x = most_x * tick / 4;
        body += line(px(x), bottom, px(x), bottom + 5, faint);
        body += label(px(x), bottom + 20, thousands(x), {.colour = faint});
    }
    body += label((left + right) / 2, bottom + 42, x_label + " (time: median, logarithmic)");

    std::vector<double> ends;
    for (const Series& one : series)
        ends.push_back(one.points.empty() ? bottom : py(one.points.back().second));
    ends = spread(ends);
    for (std::size_t i = 0; i < series.size(); ++i) {
        const Series& one = series[i];
        if (one.points.empty())
            continue;
        const std::string colour = colours[one.colour % std::size(colours)];
        std::string path, dots;
        for (const auto& [x, y] : one.points) {
            path += (path.empty() ? "M" : " L") + number(px(x), 1) + " " + number(py(y), 1);
            dots += "<circle" + attribute("cx", px(x)) + attribute("cy", py(y)) + attribute("r", 3) +
                    attribute("fill", colour) + "/>\n";
        }
        body += "<path" + attribute("d", path) + " fill=\"none\" stroke-width=\"2\"" + attribute("stroke", colour) +
                (one.dashed ? attribute("stroke-dasharray", "6 4") : "") + "/>\n" + dots;
        body += label(px(one.points.back().first) + 10, ends[i] + 4,
                      one.name + "  " + short_milliseconds(one.points.back().second),
                      {.anchor = "start", .colour = colour, .weight = "bold"});
    }
    return svg(title, body, bottom + 60);
}

namespace {

double sum_of(const Bar& bar) {
    double sum = 0;
    for (const auto& [name, value] : bar.parts)
        sum += value;
    return sum;
}

std::string panel_of(const Panel& panel, double x0, double panel_width) {
    constexpr double name_width = 52, value_width = 70, bar_height = 30;
    double most = 1e-3;
    for (const Bar& bar : panel.bars)
        most = std::max(most, sum_of(bar));
    const double room = panel_width - name_width - value_width;
    std::string body = label(x0 + name_width, top + 12, panel.title, {.size = 14, .anchor = "start", .weight = "bold"});
    double y = top + 32;
    for (const Bar& bar : panel.bars) {
        body += label(x0 + name_width - 8, y + 20, bar.name, {.size = 13, .anchor = "end"});
        double x = x0 + name_width;
        for (std::size_t part = 0; part < bar.parts.size(); ++part) {
            const double length = std::max(1.0, room * bar.parts[part].second / most);
            body += box(x, y, length, bar_height, colours[part % std::size(colours)]);
            x += length;
        }
        body +=
            label(x + 8, y + 20, short_milliseconds(sum_of(bar)), {.size = 13, .anchor = "start", .weight = "bold"});
        y += bar_height + 18;
    }
    double x = x0 + name_width; // the legend, below the bars
    for (std::size_t part = 0; !panel.bars.empty() && part < panel.bars[0].parts.size(); ++part) {
        const std::string& name = panel.bars[0].parts[part].first;
        body += box(x, y + 12, 11, 11, colours[part % std::size(colours)]);
        body += label(x + 17, y + 22, name, {.anchor = "start"});
        x += 30 + 7.0 * static_cast<double>(name.size());
    }
    return body;
}

} // namespace

std::string bar_chart(const std::string& title, const std::vector<Panel>& panels) {
    std::string body;
    const double panel_width = (width - 40) / static_cast<double>(std::max<std::size_t>(1, panels.size()));
    for (std::size_t i = 0; i < panels.size(); ++i)
        body += panel_of(panels[i], 20 + panel_width * static_cast<double>(i), panel_width);
    std::size_t most_bars = 0;
    for (const Panel& panel : panels)
        most_bars = std::max(most_bars, panel.bars.size());
    return svg(title, body, top + 80 + 48.0 * static_cast<double>(most_bars));
}

} // namespace bench
