// Options that are numbers or one of some words. One table says what each may be, with the engine's
// kinds and ranges (base/fields.h): "--epochs must be a whole number from 0 to 1000000000, got 2.5".
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace fjord::cli {

/// An option of the table; what it is given, else the table's default if there is one, goes to
/// `take`.
CLI::Option* addNumber(CLI::App* verb, const char* name, const std::function<void(double)>& take,
                       const char* help);
CLI::Option* addChoice(CLI::App* verb, const char* name, std::string& target, const char* help);
/// --mlp: whole numbers with commas between them.
CLI::Option* addSizes(CLI::App* verb, const char* name, std::vector<int>& target, const char* help);

/// For a verb's callback: ends the parsing unless one of these is given, and no more.
void exactlyOne(const std::vector<CLI::Option*>& options);

/// What is wrong with the arguments, where the parser says so by an exception.
std::string explain(const CLI::App& app, const CLI::ParseError& error);
/// An option whose text is empty, in words, or "".
std::string emptyOption(const CLI::App& verb);

}  // namespace fjord::cli
