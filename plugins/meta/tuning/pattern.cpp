// SPDX-License-Identifier: Apache-2.0
#include "pattern.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <utility>

#include "cni/error.h"
#include "os/text.h"

namespace tuning {

namespace {

using Bytes = std::bitset<256>;
using Step = Pattern::Step;

constexpr unsigned without_end = ~0U;
constexpr unsigned most_repetitions = 1000; // RE2's limit
constexpr unsigned deepest_group = 100;
constexpr std::size_t most_steps = 20000; // repetitions of repetitions multiply

/// What a part of the expression means.
struct Node {
    enum class Kind { bytes, sequence, alternatives, repetition, assertion };
    Kind kind = Kind::sequence; ///< without children it matches the empty text
    Bytes bytes{};
    char assertion = 0;
    unsigned least = 0, most = 0;
    std::vector<Node> children{};
};

Node of_bytes(const Bytes& bytes) {
    return {.kind = Node::Kind::bytes, .bytes = bytes};
}

Node of_assertion(char assertion) {
    return {.kind = Node::Kind::assertion, .assertion = assertion};
}

template <typename Test> Bytes ascii_where(Test test) {
    Bytes bytes;
    for (int c = 0; c < 128; ++c)
        bytes[static_cast<std::size_t>(c)] = test(c);
    return bytes;
}

bool is_word(int c) {
    return std::isalnum(c) != 0 || c == '_';
}

/// \d and the like; nothing for other letters.
std::optional<Bytes> escaped_class(char letter) {
    switch (letter) {
    case 'd':
    case 'D': {
        const Bytes digits = ascii_where([](int c) { return std::isdigit(c) != 0; });
        return letter == 'd' ? digits : ~digits;
    }
    case 's':
    case 'S': {
        const Bytes blanks = ascii_where([](int c) { return std::isspace(c) != 0 && c != '\v'; });
        return letter == 's' ? blanks : ~blanks;
    }
    case 'w':
    case 'W': {
        const Bytes words = ascii_where(is_word);
        return letter == 'w' ? words : ~words;
    }
    default:
        return std::nullopt;
    }
}

/// [:alpha:] and the like.
std::optional<Bytes> named_class(std::string_view name) {
    constexpr std::pair<std::string_view, int (*)(int)> tests[] = {
        {"alnum", std::isalnum}, {"alpha", std::isalpha}, {"blank", std::isblank}, {"cntrl", std::iscntrl},
        {"digit", std::isdigit}, {"graph", std::isgraph}, {"lower", std::islower}, {"print", std::isprint},
        {"punct", std::ispunct}, {"space", std::isspace}, {"upper", std::isupper}, {"xdigit", std::isxdigit}};
    for (const auto& [known, test] : tests) {
        if (name == known)
            return ascii_where([test = test](int c) { return test(c) != 0; });
    }
    return name == "word" ? std::optional(ascii_where(is_word)) : std::nullopt;
}

class Parser {
  public:
    explicit Parser(std::string_view pattern) : pattern_(pattern), rest_(pattern) {
        if (std::ranges::any_of(pattern, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
            refuse("only ASCII is supported");
    }

    Node parse() {
        Node node = alternatives(0);
        if (!rest_.empty())
            refuse("unexpected )");
        return node;
    }

  private:
    [[noreturn]] void refuse(std::string_view why) const {
        throw cni::Error(os::cat("error parsing regexp: ", why, ": `", pattern_, "`"));
    }
    [[nodiscard]] bool at(char c) const { return !rest_.empty() && rest_.front() == c; }
    bool take(std::string_view text) {
        if (!rest_.starts_with(text))
            return false;
        rest_.remove_prefix(text.size());
        return true;
    }
    char next(std::string_view otherwise) {
        if (rest_.empty())
            refuse(otherwise);
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }

    Node alternatives(unsigned depth) {
        if (depth > deepest_group)
            refuse("expression nests too deeply");
        Node node{.kind = Node::Kind::alternatives};
        do {
            node.children.push_back(sequence(depth));
        } while (take("|"));
        return node;
    }

    Node sequence(unsigned depth) {
        Node node;
        while (!rest_.empty() && !at('|') && !at(')'))
            node.children.push_back(repeated(depth));
        return node;
    }

    Node repeated(unsigned depth) {
        Node node = single(depth);
        const auto count = repetition();
        if (!count)
            return node;
        take("?"); // which of several ways it takes makes no difference to whether there is one
        if (repetition())
            refuse("invalid nested repetition operator");
        Node repeated{.kind = Node::Kind::repetition, .least = count->first, .most = count->second};
        repeated.children.push_back(std::move(node));
        return repeated;
    }

    std::optional<std::pair<unsigned, unsigned>> repetition() {
        if (take("*"))
            return std::pair(0U, without_end);
        if (take("+"))
            return std::pair(1U, without_end);
        if (take("?"))
            return std::pair(0U, 1U);
        return counted_repetition();
    }

    // {2}, {2,} or {2,5}; anything else in braces is text.
    std::optional<std::pair<unsigned, unsigned>> counted_repetition() {
        const std::size_t end = rest_.find('}');
        if (!at('{') || end == rest_.npos)
            return std::nullopt;
        const auto parts = os::split(rest_.substr(1, end - 1), ',');
        const auto least = os::parse_uint(parts[0], UINT32_MAX);
        const bool open = parts.size() == 2 && parts[1].empty();
        const auto most = parts.size() == 1 ? least : os::parse_uint(parts[1], UINT32_MAX);
        if (parts.size() > 2 || !least || (!open && !most))
            return std::nullopt;
        if (*least > most_repetitions || (!open && (*most > most_repetitions || *most < *least)))
            refuse("invalid repeat count");
        rest_.remove_prefix(end + 1);
        return std::pair(static_cast<unsigned>(*least), open ? without_end : static_cast<unsigned>(*most));
    }

    Node single(unsigned depth) {
        if (take("("))
            return group(depth);
        if (take("["))
            return of_bytes(char_class());
        if (take("."))
            return of_bytes(~Bytes().set('\n'));
        if (take("^"))
            return of_assertion('^');
        if (take("$"))
            return of_assertion('$');
        if (take("\\"))
            return escape();
        if (repetition())
            refuse("missing argument to repetition operator");
        return of_bytes(folded(Bytes().set(static_cast<unsigned char>(next("")))));
    }

    Node group(unsigned depth) {
        const bool outer_fold = fold_case_;
        if (take("?i)")) { // for the rest of the group around it
            fold_case_ = true;
            return {};
        }
        if (take("?P<") || (rest_.starts_with("?<") && take("?<"))) {
            while (next("missing >") != '>')
                ;
        } else if (take("?i:")) {
            fold_case_ = true;
        } else if (!take("?:") && at('?')) {
            refuse("this kind of group is not supported");
        }
        Node node = alternatives(depth + 1);
        if (!take(")"))
            refuse("missing closing )");
        fold_case_ = outer_fold;
        return node;
    }

    Node escape() {
        const char c = next("trailing backslash at end of expression");
        if (c == 'A')
            return of_assertion('^');
        if (c == 'z')
            return of_assertion('$');
        if (c == 'b' || c == 'B')
            return of_assertion(c);
        if (const auto bytes = escaped_class(c))
            return of_bytes(*bytes);
        return of_bytes(Bytes().set(static_cast<unsigned char>(escaped_char(c))));
    }

    [[nodiscard]] char escaped_char(char c) const {
        constexpr std::string_view letters = "aftnrv", meanings = "\a\f\t\n\r\v";
        if (const auto at = letters.find(c); at != letters.npos)
            return meanings[at];
        if (std::isalnum(static_cast<unsigned char>(c)) != 0)
            refuse("this escape sequence is not supported");
        return c;
    }

    // Behind the bracket. A "]" right at the beginning is one of the characters.
    Bytes char_class() {
        const bool negated = take("^");
        Bytes bytes;
        do {
            bytes |= class_item();
        } while (!take("]"));
        bytes = folded(bytes);
        return negated ? ~bytes : bytes;
    }

    Bytes class_item() {
        if (take("[:"))
            return named_class_item();
        if (rest_.size() > 1 && at('\\')) {
            if (const auto bytes = escaped_class(rest_[1])) {
                rest_.remove_prefix(2);
                return *bytes;
            }
        }
        const auto first = class_char();
        const bool range = rest_.size() > 1 && at('-') && rest_[1] != ']' && take("-");
        const auto last = range ? class_char() : first;
        if (last < first)
            refuse("invalid character class range");
        Bytes bytes;
        for (unsigned c = first; c <= last; ++c)
            bytes.set(c);
        return bytes;
    }

    // [:alpha:], or [:^alpha:] for everything else.
    Bytes named_class_item() {
        const bool negated = take("^");
        const std::size_t end = rest_.find(":]");
        const auto bytes = end == rest_.npos ? std::nullopt : named_class(rest_.substr(0, end));
        if (!bytes)
            refuse("invalid character class range");
        rest_.remove_prefix(end + 2);
        return negated ? ~folded(*bytes) : *bytes;
    }

    unsigned char class_char() {
        const char c = next("missing closing ]");
        return static_cast<unsigned char>(c == '\\' ? escaped_char(next("missing closing ]")) : c);
    }

    [[nodiscard]] Bytes folded(Bytes bytes) const {
        for (unsigned c = 'a'; fold_case_ && c <= 'z'; ++c) {
            const unsigned upper = c - 'a' + 'A';
            bytes[c] = bytes[upper] = bytes[c] || bytes[upper];
        }
        return bytes;
    }

    std::string_view pattern_, rest_;
    bool fold_case_ = false;
};

class Compiler {
  public:
    explicit Compiler(std::string_view pattern) : pattern_(pattern) {}

    std::vector<Step> compile(const Node& node) {
        emit(node);
        add({.kind = Step::Kind::match});
        return std::move(steps_);
    }

  private:
    std::size_t add(const Step& step) {
        if (steps_.size() == most_steps)
            throw cni::Error(os::cat("error parsing regexp: expression too large: `", pattern_, "`"));
        steps_.push_back(step);
        return steps_.size() - 1;
    }
    [[nodiscard]] std::size_t here() const { return steps_.size(); }

    void emit(const Node& node) {
        switch (node.kind) {
        case Node::Kind::bytes:
            add({.kind = Step::Kind::byte, .bytes = node.bytes, .next = here() + 1});
            break;
        case Node::Kind::assertion:
            add({.kind = Step::Kind::assertion, .assertion = node.assertion, .next = here() + 1});
            break;
        case Node::Kind::sequence:
            for (const Node& child : node.children)
                emit(child);
            break;
        case Node::Kind::alternatives:
            emit_alternatives(node.children);
            break;
        case Node::Kind::repetition:
            emit_repetition(node);
            break;
        }
    }

    // A fork in front of each but the last, and behind each a way to the end.
    void emit_alternatives(const std::vector<Node>& children) {
        std::vector<std::size_t> ends;
        for (const Node& child : children) {
            if (&child == &children.back()) {
                emit(child);
                break;
            }
            const std::size_t fork = add({.kind = Step::Kind::fork, .next = here() + 1});
            emit(child);
            ends.push_back(add({.kind = Step::Kind::fork}));
            steps_[fork].or_next = here();
        }
        for (const std::size_t end : ends)
            steps_[end].next = steps_[end].or_next = here();
    }

    void emit_repetition(const Node& node) {
        const Node& child = node.children.front();
        for (unsigned i = 0; i < node.least; ++i) {
            const std::size_t before = here();
            emit(child);
            if (here() == before)
                return; // the empty text, however often: repetitions of it would multiply without end
        }
        if (node.most == without_end) {
            const std::size_t fork = add({.kind = Step::Kind::fork, .next = here() + 1});
            emit(child);
            add({.kind = Step::Kind::fork, .next = fork, .or_next = fork});
            steps_[fork].or_next = here();
            return;
        }
        std::vector<std::size_t> forks;
        for (unsigned i = node.least; i < node.most; ++i) {
            forks.push_back(add({.kind = Step::Kind::fork, .next = here() + 1}));
            emit(child);
        }
        for (const std::size_t fork : forks)
            steps_[fork].or_next = here();
    }

    std::string_view pattern_;
    std::vector<Step> steps_;
};

bool holds(char assertion, std::string_view text, std::size_t at) {
    if (assertion == '^')
        return at == 0;
    if (assertion == '$')
        return at == text.size();
    const bool before = at > 0 && is_word(static_cast<unsigned char>(text[at - 1]));
    const bool behind = at < text.size() && is_word(static_cast<unsigned char>(text[at]));
    return (before != behind) == (assertion == 'b');
}

/// The steps that wait for a byte, each once.
class Waiting {
  public:
    explicit Waiting(std::size_t steps) : seen_(steps) {}

    /// Follows everything that takes no byte; true when that leads to the end of the expression.
    bool enter(const std::vector<Step>& program, std::size_t first, std::string_view text, std::size_t at) {
        ways_.assign(1, first);
        while (!ways_.empty()) {
            const std::size_t index = ways_.back();
            ways_.pop_back();
            if (seen_[index])
                continue;
            seen_[index] = true;
            const Step& step = program[index];
            if (step.kind == Step::Kind::match)
                return true;
            if (step.kind == Step::Kind::byte)
                steps_.push_back(index);
            if (step.kind == Step::Kind::fork)
                ways_.insert(ways_.end(), {step.next, step.or_next});
            if (step.kind == Step::Kind::assertion && holds(step.assertion, text, at))
                ways_.push_back(step.next);
        }
        return false;
    }
    [[nodiscard]] const std::vector<std::size_t>& steps() const { return steps_; }

  private:
    std::vector<bool> seen_;
    std::vector<std::size_t> steps_, ways_;
};

} // namespace

Pattern::Pattern(std::string_view pattern) : program_(Compiler(pattern).compile(Parser(pattern).parse())) {}

bool Pattern::is_found_in(std::string_view text) const {
    Waiting now(program_.size());
    for (std::size_t at = 0;; ++at) {
        if (now.enter(program_, 0, text, at)) // a match may begin at every place
            return true;
        if (at == text.size())
            return false;
        Waiting then(program_.size());
        for (const std::size_t index : now.steps()) {
            const Step& step = program_[index];
            if (step.bytes[static_cast<unsigned char>(text[at])] && then.enter(program_, step.next, text, at + 1))
                return true;
        }
        now = std::move(then);
    }
}

} // namespace tuning
