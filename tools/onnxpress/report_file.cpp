// SPDX-License-Identifier: Apache-2.0
#include "report_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "usage.h"

namespace onnxpress::cli {
namespace {

namespace fs = std::filesystem;

Format format_of(const std::string& path) {
  if (path.ends_with(".json")) return Format::json;
  if (path.ends_with(".md")) return Format::markdown;
  if (path.ends_with(".csv")) return Format::csv;
  throw bad_value(fmt::format("a report can't be written as \"{}\"", path),
                  "give a name that ends in .json, .md or .csv");
}

// Whether the file is a report of ours, by how it begins.
bool is_report(const std::string& path, Format format) {
  std::ifstream file(path, std::ios::binary);
  std::string start(48, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  switch (format) {
    case Format::json:
      return start.starts_with("{\n  \"schema\": \"onnxpress.run/");
    case Format::csv:
      return start.starts_with("model,metric,value,low,high,n,unit");
    default:
      return start.starts_with("|") || start.starts_with("**");
  }
}

Error cannot_write(const std::string& path, const std::string& why) {
  return {find_error("E0206").value(), fmt::format("the report {} can't be written: {}", path, why),
          "check the folder, its permissions and the free space"};
}

}  // namespace

std::vector<std::string> report_files(const OutputOptions& output) {
  std::vector<std::string> files;
  if (!output.json.empty() && output.json != "-") files.push_back(output.json);
  if (!output.report.empty()) files.push_back(output.report);
  return files;
}

void check_report_files(const OutputOptions& output) {
  for (const std::string& path : report_files(output)) {
    const Format format = format_of(path);
    std::error_code error;
    const fs::path folder = fs::path(path).has_parent_path() ? fs::path(path).parent_path() : ".";
    if (!fs::is_directory(folder, error)) throw cannot_write(path, "its folder does not exist");
    if (access(folder.c_str(), W_OK) != 0) throw cannot_write(path, std::strerror(errno));
    if (fs::exists(path, error) && fs::file_size(path, error) > 0 && !is_report(path, format)) {
      throw Error(find_error("E0204").value(),
                  fmt::format("{} exists and is no report of onnxpress", path),
                  "choose another name for the report");
    }
  }
}

void write_report(const std::string& path, const Document& document) {
  const std::string text = render(document, format_of(path));
  const std::string temporary = fmt::format("{}.tmp-{}", path, getpid());
  {
    std::ofstream file(temporary, std::ios::binary);
    file << text << std::flush;
    if (!file) {
      std::remove(temporary.c_str());
      throw cannot_write(path, std::strerror(errno));
    }
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    std::remove(temporary.c_str());
    throw cannot_write(path, std::strerror(reason));
  }
}

}  // namespace onnxpress::cli
