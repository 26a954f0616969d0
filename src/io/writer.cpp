// SPDX-License-Identifier: Apache-2.0
#include "io/writer.h"

#include <fmt/format.h>

#include <future>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/error_codes.h"
#include "base/sha256.h"
#include "io/destination.h"
#include "io/model_layout.h"
#include "io/reader.h"
#include "io/same_model.h"
#include "io/staged_files.h"

namespace onnxpress {
namespace {

namespace fs = std::filesystem;

// Our own output, whatever its size.
ReadOptions read_back_options() {
  ReadOptions options;
  constexpr auto kUnlimited = std::numeric_limits<std::int64_t>::max();
  options.max_nodes = options.max_initializers = options.max_attributes = kUnlimited;
  options.max_name_bytes = options.max_heap_bytes = kUnlimited;
  return options;
}

std::string sha256_of(const io::Rope& contents) {
  Sha256 digest;
  for (const io::Rope::Piece& piece : contents.pieces()) digest.add(piece.bytes());
  return std::move(digest).hex();
}

// The data file's name tells its contents, so one that is there already will do, if it is what it
// says.
bool same_contents(const fs::path& a, const fs::path& b) {
  std::error_code error;
  return fs::file_size(a, error) == fs::file_size(b, error) && !error &&
         sha256_of_file(a) == sha256_of_file(b);
}

}  // namespace

struct StagedModel::State {
  explicit State(const fs::path& target) : destination(target), folder(target) {}
  fs::path destination;
  io::StagingFolder folder;
  fs::path model;  // in the folder
  fs::path data;   // in the folder, or empty
  std::int64_t bytes = 0;
  std::string sha256;
  bool force = false;
  std::vector<fs::path> beside;  // in the folder
  std::vector<fs::path> protected_inputs;
};

namespace {

// Moves files to a folder, and back where that is not to last: what stood there before, too.
class MovedFiles {
 public:
  // `staging`: a folder for second names.
  explicit MovedFiles(fs::path staging) : staged_(std::move(staging)) {}
  MovedFiles(const MovedFiles&) = delete;
  MovedFiles& operator=(const MovedFiles&) = delete;
  ~MovedFiles() {
    std::error_code ignored;
    for (const Moved& moved : moved_) {
      fs::remove(moved.to, ignored);
      if (!moved.old.empty()) fs::rename(moved.old, moved.to, ignored);
    }
  }

  void move(const fs::path& from, const fs::path& to, bool force) {
    Moved moved{to, {}};
    std::error_code error;
    if (force && fs::exists(to, error)) {
      // A second name for it: it is in its place until the moment it is replaced.
      moved.old = staged_ / (to.filename().string() + ".old");
      fs::create_hard_link(to, moved.old, error);
      if (error) moved.old.clear();
      if (error) throw Error(codes::cannot_write, to.string() + ": " + error.message());
    }
    try {
      io::move_into_place(from, to, force);
    } catch (...) {
      fs::remove(moved.old, error);
      throw;
    }
    moved_.push_back(std::move(moved));
  }

  void keep() {
    std::error_code ignored;
    for (const Moved& moved : moved_) fs::remove(moved.old, ignored);
    moved_.clear();
  }

 private:
  struct Moved {
    fs::path to, old;
  };
  fs::path staged_;
  std::vector<Moved> moved_;
};

}  // namespace

StagedModel::StagedModel(std::unique_ptr<State> state) : state_(std::move(state)) {}
StagedModel::StagedModel(StagedModel&&) noexcept = default;
StagedModel& StagedModel::operator=(StagedModel&&) noexcept = default;
StagedModel::~StagedModel() = default;

const fs::path& StagedModel::path() const {
  return state_->model;
}
std::int64_t StagedModel::bytes() const {
  return state_->bytes;
}
const std::string& StagedModel::sha256() const {
  return state_->sha256;
}
fs::path StagedModel::data_path() const {
  return state_->data.empty() ? fs::path()
                              : state_->destination.parent_path() / state_->data.filename();
}

void StagedModel::add_beside(const std::string& name, const std::string& contents) {
  const fs::path target = state_->destination.parent_path() / name;
  for (const fs::path& input : state_->protected_inputs) {
    std::error_code ignored;
    if (!fs::equivalent(input, target, ignored)) continue;
    throw Error(codes::output_is_input,
                fmt::format("{} would be replaced, but it is read", target.string()),
                "write the output into another folder");
  }
  std::error_code ignored;
  if (target == state_->destination || (!state_->force && fs::exists(target, ignored))) {
    throw Error(codes::output_exists,
                fmt::format("{}, which is to be written beside the model, is there already",
                            target.string()),
                "write the output into another folder, or add --force");
  }
  io::Rope rope;
  rope.append(contents);
  state_->beside.push_back(state_->folder.write(name, rope));
}

void StagedModel::publish() && {
  const std::unique_ptr<State> state = std::move(state_);
  const fs::path data =
      state->data.empty() ? fs::path() : state->destination.parent_path() / state->data.filename();
  const bool move_data = !data.empty() && !(fs::exists(data) && same_contents(state->data, data));
  if (move_data) {
    // Never over another file of that name: it may belong to another model.
    io::move_into_place(state->data, data, false);
    io::sync_folder_of(data);
  }
  try {
    MovedFiles moved(state->model.parent_path());
    for (const fs::path& file : state->beside) {
      moved.move(file, state->destination.parent_path() / file.filename(), state->force);
    }
    io::move_into_place(state->model, state->destination, state->force);
    moved.keep();
  } catch (const Error&) {
    std::error_code ignored;
    if (move_data) fs::remove(data, ignored);
    throw;
  }
  io::sync_folder_of(state->destination);
}

StagedModel stage_model(const Model& model, const fs::path& destination,
                        const WriteOptions& options) {
  check_destination(destination, options);
  const fs::path target = io::final_destination(destination);
  const io::ModelLayout layout = io::lay_out(model, options, target, io::DataName::from_contents);
  io::require_free_space(target, layout.size());
  auto state = std::make_unique<StagedModel::State>(target);
  state->force = options.force;
  state->protected_inputs = options.protected_inputs;
  state->bytes = layout.size();
  if (layout.data) state->data = state->folder.write(layout.data->name(), layout.data->bytes());
  std::future<std::string> sha256 =
      std::async(std::launch::async, [&] { return sha256_of(layout.model); });
  io::UnsyncedFile file = state->folder.begin_writing(target.filename().string(), layout.model);
  state->model = file.path();
  // Read back while the disk writes.
  std::future<void> synced = std::async(std::launch::async, [&] { file.sync(); });
  io::require_same(model, read_model(state->model, read_back_options()));
  synced.get();
  state->sha256 = sha256.get();
  return StagedModel(std::move(state));
}

std::int64_t serialized_size(const Model& model, const WriteOptions& options,
                             const fs::path& destination) {
  return io::lay_out(model, options, destination, io::DataName::placeholder).size();
}

}  // namespace onnxpress
