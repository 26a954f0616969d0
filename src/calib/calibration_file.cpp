// SPDX-License-Identifier: Apache-2.0
#include "calib/calibration_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error_codes.h"
#include "calib/byte_stream.h"
#include "calib/fingerprint.h"
#include "calib/tensor_codec.h"

namespace onnxpress {
namespace {

constexpr std::string_view kMagic = "OPXCALIB";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHashSize = 64;

enum HeaderFlags : std::uint8_t { kRandom = 1, kHistogram = 2, kGram = 4 };

Error mismatch(const std::string& message, const std::string& hint) {
  return {codes::calibration_mismatch, message, hint};
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string encode_header(const CalibrationHeader& header, std::size_t tensors) {
  ByteWriter out;
  out.put_text(header.model);
  out.put_text(header.data);
  const StatisticsRequest& request = header.request;
  out.put(static_cast<std::uint8_t>((header.random ? kRandom : 0) |
                                    (request.histogram ? kHistogram : 0) |
                                    (request.gram ? kGram : 0)));
  out.put(static_cast<std::uint64_t>(request.most_gram_channels));
  out.put(static_cast<std::uint64_t>(request.reservoir_rows));
  out.put(header.data_samples);
  out.put(header.batch_size);
  out.put(static_cast<std::uint64_t>(kChunkSamples));
  out.put(header.samples);
  out.put(header.tokens);
  out.put(header.skipped_samples);
  out.put(static_cast<std::uint64_t>(header.chunks.size()));
  for (const auto& [first, last] : header.chunks) {
    out.put(first);
    out.put(last);
  }
  out.put(static_cast<std::uint64_t>(tensors));
  return out.take();
}

void require(bool holds, const char* what) {
  if (!holds) throw Error(codes::bad_calibration, fmt::format("its header is malformed: {}", what));
}

// The header, and the number of tensors that follow.
std::pair<CalibrationHeader, std::uint64_t> decode_header(ByteReader& in) {
  CalibrationHeader header;
  header.model = in.get_text();
  header.data = in.get_text();
  require(header.model.size() == kHashSize && header.data.size() == kHashSize, "hashes");
  const auto flags = in.get<std::uint8_t>();
  header.random = (flags & kRandom) != 0;
  header.request.histogram = (flags & kHistogram) != 0;
  header.request.gram = (flags & kGram) != 0;
  header.request.most_gram_channels = static_cast<std::int64_t>(in.get<std::uint64_t>());
  header.request.reservoir_rows = in.get<std::uint64_t>();
  header.data_samples = in.get<std::uint64_t>();
  header.batch_size = in.get<std::uint64_t>();
  require(header.data_samples > 0 && header.data_samples < std::uint64_t{1} << 48, "samples");
  require(in.get<std::uint64_t>() == kChunkSamples, "size of a chunk");
  header.samples = in.get<std::int64_t>();
  header.tokens = in.get<std::int64_t>();
  header.skipped_samples = in.get<std::int64_t>();
  for (const std::int64_t count : {header.samples, header.tokens, header.skipped_samples}) {
    require(count >= 0 && count < std::int64_t{1} << 48, "counts");
  }
  const auto ranges = in.get<std::uint64_t>();
  for (std::uint64_t i = 0, end = 0; i < ranges; ++i) {
    const auto first = in.get<std::uint64_t>();
    const auto last = in.get<std::uint64_t>();
    require(first < last && last <= header.chunk_count() && (i == 0 || first > end), "chunks");
    header.chunks.emplace_back(first, last);
    end = last;
  }
  require(!header.chunks.empty(), "no chunks");
  const auto tensors = in.get<std::uint64_t>();
  return {std::move(header), tensors};
}

// Both together. Throws Error (calibration_mismatch) if they don't fit.
CalibrationHeader merged(const CalibrationHeader& a, const CalibrationHeader& b) {
  if (a.model != b.model) {
    throw mismatch("the calibration files were made with different models", "calibrate one model");
  }
  if (a.data != b.data || a.data_samples != b.data_samples || a.random != b.random) {
    throw mismatch("the calibration files were made with different samples",
                   "give all shards the same --data, --tokenizer, --samples and --seed");
  }
  if (a.batch_size != b.batch_size || a.request != b.request) {
    throw mismatch("the calibration files were made with different options",
                   "give all shards the same --batch and the same statistics to collect");
  }
  CalibrationHeader sum = a;
  sum.chunks.insert(sum.chunks.end(), b.chunks.begin(), b.chunks.end());
  std::ranges::sort(sum.chunks);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> joined;
  for (const auto& range : sum.chunks) {
    if (!joined.empty() && range.first < joined.back().second) {
      throw mismatch(fmt::format("two of the calibration files hold the samples from {} on",
                                 range.first * kChunkSamples + 1),
                     "merge each shard once");
    }
    if (!joined.empty() && range.first == joined.back().second) {
      joined.back().second = range.second;
    } else {
      joined.push_back(range);
    }
  }
  sum.chunks = std::move(joined);
  sum.samples += b.samples;
  sum.tokens += b.tokens;
  sum.skipped_samples += b.skipped_samples;
  return sum;
}

}  // namespace

std::uint64_t CalibrationHeader::chunks_covered() const {
  std::uint64_t covered = 0;
  for (const auto& [first, last] : chunks) covered += last - first;
  return covered;
}

CalibrationHeader header_of(const Model& model, const CalibrationSet& set,
                            const StatisticsRequest& request, bool random) {
  CalibrationHeader header;
  header.model = fingerprint(model);
  header.data = fingerprint(set.data());
  header.random = random;
  header.data_samples = set.data().size();
  header.batch_size = set.batch_size();
  header.chunks = {{set.first_chunk(), set.last_chunk()}};
  header.samples = set.samples();
  header.tokens = set.tokens();
  header.skipped_samples = set.skipped_samples();
  header.request = request;
  header.request.moving_range = false;
  return header;
}

CalibrationEncoder::CalibrationEncoder(CalibrationHeader header, std::size_t tensors)
    : header_(std::move(header)) {
  ByteWriter start;
  const std::string encoded = encode_header(header_, tensors);
  start.put_all(std::span<const char>(kMagic));
  start.put(kVersion);
  start.put_text(encoded);
  append(start.take());
}

void CalibrationEncoder::append(std::string piece) {
  hash_.add(bytes_of(piece));
  pieces_.push_back(std::move(piece));
}

void CalibrationEncoder::add(const std::string& name, TensorStatistics&& statistics) {
  if (header_.is_complete() && statistics.train) {
    statistics.train->round();
    statistics.held_out->round();
  }
  std::string body = encode_statistics(statistics);
  ByteWriter head;
  head.put_text(name);
  head.put(static_cast<std::uint64_t>(body.size()));
  append(head.take());
  append(std::move(body));
}

std::vector<std::string> CalibrationEncoder::finish() && {
  pieces_.push_back(std::move(hash_).hex());
  return std::move(pieces_);
}

CalibrationFile CalibrationFile::open(const std::filesystem::path& path) {
  CalibrationFile result;
  result.file_ = MappedFile::open(path);
  const auto bytes = result.file_->bytes();
  try {
    constexpr std::size_t kStart = kMagic.size() + sizeof(kVersion);
    if (bytes.size() < kStart ||
        !std::ranges::equal(bytes.first(kMagic.size()), bytes_of(kMagic))) {
      throw Error(codes::bad_calibration, "this is no calibration file of onnxpress",
                  "make one with onnxpress calibrate");
    }
    ByteReader in(bytes.subspan(kMagic.size()));
    if (const auto version = in.get<std::uint32_t>(); version != kVersion) {
      throw Error(codes::bad_calibration,
                  fmt::format("the calibration file is of version {}, but this program reads "
                              "version {}",
                              version, kVersion),
                  "calibrate again");
    }
    if (bytes.size() < kStart + kHashSize) {
      throw Error(codes::bad_calibration, "the file ends too early");
    }
    const auto contents = bytes.first(bytes.size() - kHashSize);
    if (!std::ranges::equal(bytes_of(sha256(contents)), bytes.last(kHashSize))) {
      throw Error(codes::bad_calibration, "the file is damaged: its checksum is wrong",
                  "was it copied completely? otherwise calibrate again");
    }
    in = ByteReader(contents.subspan(kStart));
    ByteReader header(in.take(in.get<std::uint32_t>()));
    std::uint64_t tensors = 0;
    std::tie(result.header_, tensors) = decode_header(header);
    require(header.left() == 0, "its length");
    for (; tensors > 0; --tensors) {
      std::string name = in.get_text();
      const auto body = in.take(in.get<std::uint64_t>());
      require(result.tensors_.emplace(name, body).second, "a tensor occurs twice");
      result.names_.push_back(std::move(name));
    }
    require(in.left() == 0, "its number of tensors");
  } catch (const Error& error) {
    throw error.in(path.string());
  }
  return result;
}

std::optional<TensorStatistics> CalibrationFile::statistics_for(std::string_view value_name) const {
  const auto found = tensors_.find(value_name);
  if (found == tensors_.end()) return {};
  try {
    return decode_statistics(found->second);
  } catch (const Error& error) {
    throw error.in(fmt::format("{}, tensor \"{}\"", file_->path().string(), value_name));
  }
}

void CalibrationFile::require_model(const Model& model) const {
  if (fingerprint(model) == header_.model) return;
  throw mismatch(
      fmt::format("{} was made with another model", file_->path().string()),
      "calibrate the model that is to be compressed: weights and names must be the same");
}

std::vector<std::string> merge_calibrations(std::span<const CalibrationFile> files) {
  if (files.empty()) throw Error(codes::usage_error, "there is nothing to merge");
  CalibrationHeader header = files[0].header();
  for (const CalibrationFile& file : files.subspan(1)) {
    header = merged(header, file.header());
    if (file.names() != files[0].names()) {
      throw mismatch("the calibration files hold different tensors", "make them anew, alike");
    }
  }
  CalibrationEncoder encoder(std::move(header), files[0].names().size());
  for (const std::string& name : files[0].names()) {
    TensorStatistics sum = files[0].statistics_for(name).value();
    for (const CalibrationFile& file : files.subspan(1)) {
      const TensorStatistics part = file.statistics_for(name).value();
      require_same_kind(sum, part);
      sum += part;
    }
    encoder.add(name, std::move(sum));
  }
  return std::move(encoder).finish();
}

}  // namespace onnxpress
