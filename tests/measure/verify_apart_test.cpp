#include "calibrate/measure/verify_apart.hpp"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>

#include "fake_device.hpp"

using namespace moesim;

namespace {

// What happens when an operation of a family is checked.
enum class Fate { killed, hangs, loses_device };

class Dangerous final : public MeasuredDevice {
 public:
  Dangerous(std::string family, Fate fate) : family_(std::move(family)), fate_(fate) {}
  [[nodiscard]] const DeviceFacts& facts() const override { return fake_.facts(); }
  std::optional<std::string> prepare(const Operation& op) override { return fake_.prepare(op); }
  [[nodiscard]] std::string kernel() const override { return fake_.kernel(); }
  std::vector<Seconds> sample(int count) override { return fake_.sample(count); }
  std::optional<Conditions> conditions() override { return fake_.conditions(); }
  std::optional<EnergyLoop> energy(Seconds loop) override { return fake_.energy(loop); }
  std::optional<Verification> verify(const Operation& op, std::string& why) override {
    if (family_of(op) == family_ && fate_ == Fate::killed) ::raise(SIGKILL);
    if (family_of(op) == family_ && fate_ == Fate::hangs) ::pause();
    if (family_of(op) == family_) throw WorldError("an illegal memory access");
    return fake_.verify(op, why);
  }

 private:
  FakeDevice fake_;
  std::string family_;
  Fate fate_;
};

std::vector<Verified> verify(const std::string& family, Fate fate) {
  Apart how;
  how.open = [=] { return std::make_unique<Dangerous>(family, fate); };
  if (fate == Fate::hangs) how.patience = Seconds{3};  // long enough for a busy machine
  return with_operations(verify_apart(how), FakeDevice().facts());
}

void check_all_but(const std::string& family, Fate fate, const std::string& why) {
  const auto apart = verify(family, fate);
  const auto failed = std::count_if(apart.begin(), apart.end(),
                                    [](const Verified& v) { return !v.failure.empty(); });
  CHECK(failed == 1);
  for (const Verified& v : apart) {
    if (v.failure.empty()) {
      CHECK(v.right());
      CHECK(family_of(v.op) != family);
    } else {
      CHECK(v.wrong());
      CHECK(family_of(v.op) == family);
      CHECK_THAT(v.failure, Catch::Contains(why));
    }
  }
  FakeDevice device;
  CHECK(apart.size() == verify_all(device, {.without = {family}}).size() + 1);
}

}  // namespace

TEST_CASE("checks apart find what checks in this process find") {
  FakeDevice device;
  const auto here = verify_all(device);
  const auto apart = verify("none", Fate::killed);
  REQUIRE(apart.size() == here.size());
  for (std::size_t i = 0; i < here.size(); ++i) {
    CHECK(apart[i].op == here[i].op);
    CHECK(apart[i].result.error == here[i].result.error);
    CHECK(apart[i].result.tolerance == here[i].result.tolerance);
  }
}

TEST_CASE("a kernel that kills its process costs its family alone") {
  check_all_but("experts bf16 lt_grouped ", Fate::killed, "signal 9");
}

TEST_CASE("a kernel that hangs costs its family and the patience alone") {
  check_all_but("all_to_all bf16 ", Fate::hangs, "did not end within");
}

TEST_CASE("a kernel that takes the device with it costs its family alone") {
  check_all_but("gemm fp8 ", Fate::loses_device, "an illegal memory access");
}

TEST_CASE("where the device cannot be opened, there are no checks") {
  Apart how;
  how.open = []() -> std::unique_ptr<MeasuredDevice> { throw WorldError("no GPU"); };
  CHECK(verify_apart(how).empty());
}
