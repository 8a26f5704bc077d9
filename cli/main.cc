// fjord: trains, applies and shows neural networks from the command line.
//
//   fjord train --data mnist --mlp 784,128,10 --out digits.safetensors
//   fjord predict digits.safetensors --data mnist
//   fjord inspect digits.safetensors
//
// Exit status: 0 done; 1 it did not work; 2 the arguments make no sense; 130 ended by Ctrl-C.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>

#include "commands.h"
#include "options.h"

namespace fjord::cli {
namespace {

constexpr int kFailed = 1, kUsage = 2;

constexpr const char* kFooter = R"(First steps:
  fjord train --data FOLDER --mlp 784,128,10 --out digits.safetensors
      trains a small network on the MNIST files in FOLDER (train-images-idx3-ubyte
      and so on, also as .gz) and tells how well it does on the test pictures
  fjord predict digits.safetensors --image digit.png
      says which digit a picture shows
  fjord train --csv flowers.csv --label-column species --mlp 4,16,3
      trains on a table: one row a sample, one column with the class
  fjord inspect digits.safetensors
      shows the layers and how far they have been trained

fjord VERB --help explains all options of a verb.)";

/// Help without the parser's inner words: an option, what it takes, what it does.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() {
    constexpr int kColumn = 28;
    column_width(kColumn);
    label("SUBCOMMAND", "VERB");
    label("OPTIONS", "options");
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string type = option->get_type_name();
    // What follows the colon is how the parser checks it.
    type = type.substr(0, type.find(':'));
    return type.empty() ? "" : " " + type;
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    std::string start = option->get_default_str();
    return option->get_description() + (start.empty() ? "" : " [" + start + "]");
  }
};

int refuse(const std::string& why) {
  std::fprintf(stderr, "fjord: %s\nRun with --help for more information.\n", why.c_str());
  return kUsage;
}

int run(int argc, char** argv) {
  CLI::App app("Trains, applies and shows neural networks.", "fjord");
  app.set_version_flag("--version", std::string("fjord ") + FJORD_VERSION,
                       "Say which fjord this is and end");
  app.set_help_flag("-h,--help", "Explain and end");
  app.formatter(std::make_shared<HelpFormatter>());
  app.require_subcommand(1);
  app.footer(kFooter);
  const Command commands[] = {addTrain(app), addPredict(app), addInspect(app)};
  if (argc == 1) {
    std::puts(app.help().c_str());
    return kUsage;
  }
  bool isVerb =
      std::ranges::any_of(commands, [&](auto& c) { return c.app->get_name() == argv[1]; });
  if (!isVerb && argv[1][0] != '-') {
    std::fprintf(stderr, "fjord: there is no verb %s; there are train, predict and inspect\n",
                 argv[1]);
    return kUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help, too, comes as an exception.
    if (error.get_exit_code() == 0) return app.exit(error);
    return refuse(explain(app, error));
  }
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    std::string empty = emptyOption(*command.app);
    if (!empty.empty()) return refuse(empty);
    Result<int> status = command.run();
    bool isSaid = std::fflush(stdout) == 0;
    if (status && !isSaid) status = fail("standard output: ", std::strerror(errno));
    if (status) return *status;
    std::fprintf(stderr, "fjord: %s\n", status.error().message.c_str());
    return kFailed;
  }
  return kUsage;
}

}  // namespace
}  // namespace fjord::cli

int main(int argc, char** argv) {
  // A file over the limit is an error of the call that writes it, not the end of the program.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return fjord::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("fjord: out of memory\n", stderr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fjord: %s\n", error.what());
  }
  return fjord::cli::kFailed;
}
