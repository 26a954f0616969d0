// SPDX-License-Identifier: Apache-2.0
#include "io/wire.h"

#include <limits>
#include <vector>

#include "fixtures.h"

namespace onnxpress::io {
namespace {

using test::Fails;
using ::testing::HasSubstr;

std::vector<Field> fields(std::string_view wire) {
  std::vector<Field> all;
  FieldReader reader(as_bytes(wire), "Message");
  for (Field field; reader.next(field);) all.push_back(field);
  return all;
}

TEST(Wire, ReadsWhatItWrote) {
  std::string wire;
  put_int(wire, 1, -1);
  put_float(wire, 2, 0.5F);
  put_text(wire, 1023, "abc");
  const auto all = fields(wire);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].as_int(), -1);
  EXPECT_EQ(all[0].as_int32(), -1);
  EXPECT_EQ(all[1].as_float(), 0.5F);
  EXPECT_EQ(all[2].number, 1023U);
  EXPECT_EQ(all[2].as_text(), "abc");
  EXPECT_EQ(all[0].whole.size() + all[1].whole.size() + all[2].whole.size(), wire.size());
}

TEST(Wire, NumbersOfAllSizesComeBack) {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{127}, std::int64_t{128}, std::int64_t{1} << 35,
        std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    std::string wire;
    put_int(wire, 3, value);
    EXPECT_EQ(fields(wire).at(0).as_int(), value);
  }
}

TEST(Wire, RepeatedNumbersMayBePackedOrNot) {
  std::string wire;
  put_int(wire, 7, 300);
  put_text(wire, 7, std::string("\x01\xAC\x02", 3));
  std::vector<std::uint64_t> values;
  for (const Field& field : fields(wire))
    for_each_varint(field, [&](std::uint64_t v) { values.push_back(v); });
  EXPECT_EQ(values, (std::vector<std::uint64_t>{300, 1, 300}));
}

TEST(Wire, RefusesWhatIsNotWellFormed) {
  using namespace std::string_literals;
  const auto refuses = [](const std::string& wire, const char* why) {
    EXPECT_THAT([&] { fields(wire); }, Fails("E0303", HasSubstr(why))) << why;
  };
  refuses("\x08"s, "ends within a number");
  refuses("\x08\x80"s, "ends within a number");
  refuses("\x08"s + std::string(10, '\xff') + "\x01", "longer than 64 bits");
  refuses("\x08"s + std::string(9, '\x80') + "\x02", "longer than 64 bits");
  refuses("\x0a\x05"s + "abcd", "says it has 5 bytes, but 4 are left");
  refuses("\x0a"s + std::string(8, '\xff') + "\x7f", "says it has 9223372036854775807 bytes");
  refuses("\x0b\x0c"s, "wire type 3");
  refuses("\x00\x01"s, "not a field's tag");
  refuses("\x09\x01\x02"s, "ends within a number");
  refuses("\x0d\x01"s, "ends within a number");
}

TEST(Wire, SaysWhichFieldHasTheWrongType) {
  std::string wire;
  put_int(wire, 7, 1);
  EXPECT_THAT([&] { (void)fields(wire)[0].as_bytes(); },
              Fails("E0303", ::testing::StrEq(
                                 "Message: field 7 should be length-delimited but is a varint")));
}

}  // namespace
}  // namespace onnxpress::io
