#include "tools/report/trace.hpp"

#include <algorithm>
#include <cmath>
#include <protozero/pbf_writer.hpp>

#include "sim/base/errors.hpp"
#include "sim/base/files.hpp"

namespace moesim {

namespace {

using protozero::pbf_writer;

// Upper bounds of what one thing takes in the file, held by a law in `bytes`.
constexpr std::size_t kTrackBytes = 64;
constexpr std::size_t kSliceBytes = 112;
constexpr std::size_t kFlowBytes = 10;
constexpr std::size_t kSampleBytes = 40;
constexpr std::size_t kNameBytes = 16;
constexpr std::size_t kHeadBytes = 160;

// Field numbers of perfetto/trace/trace_packet.proto and track_event/*.proto.
namespace field {
enum : protozero::pbf_tag_type {
  packet = 1,
  timestamp = 8,
  sequence = 10,
  track_event = 11,
  interned_data = 12,
  sequence_flags = 13,
  track_descriptor = 60,
  // TrackDescriptor
  uuid = 1,
  track_name = 2,
  process = 3,
  thread = 4,
  parent_uuid = 5,
  counter = 8,
  // ProcessDescriptor, ThreadDescriptor, CounterDescriptor
  pid = 1,
  process_name = 6,
  tid = 2,
  thread_name = 5,
  unit_name = 6,
  // TrackEvent
  annotations = 4,
  type = 9,
  name_iid = 10,
  track_uuid = 11,
  counter_value = 44,
  flow_ids = 47,
  // DebugAnnotation
  annotation_name_iid = 1,
  annotation_int = 4,
  annotation_double = 5,
  // InternedData
  event_names = 2,
  annotation_names = 3,
  iid = 1,
  interned_name = 2,
};
}  // namespace field

enum EventType { kBegin = 1, kEnd = 2, kInstant = 3, kCounter = 4 };
enum AnnotationName : std::uint64_t { kSeconds = 1, kLayer = 2, kExpert = 3 };
constexpr std::uint32_t kSequence = 1;
constexpr std::uint32_t kStateCleared = 1;
constexpr std::uint32_t kNeedsState = 2;

std::int64_t nanoseconds(double seconds) { return std::llround(seconds * 1e9); }

void intern_entry(pbf_writer& data, protozero::pbf_tag_type kind, std::uint64_t iid,
                  std::string_view name) {
  pbf_writer entry(data, kind);
  entry.add_uint64(field::iid, iid);
  entry.add_string(field::interned_name, name.data(), name.size());
}

void stamp(pbf_writer& packet, std::int64_t at_ns) {
  packet.add_uint64(field::timestamp, static_cast<std::uint64_t>(at_ns));
  packet.add_uint32(field::sequence, kSequence);
  packet.add_uint32(field::sequence_flags, kNeedsState);
}

}  // namespace

TraceFile::TraceFile(TraceOptions options) : options_(options) { spent_ = kHeadBytes; }

bool TraceFile::spend(std::size_t bytes) {
  if (spent_ + bytes > options_.max_bytes) {
    ++dropped_;
    return false;
  }
  spent_ += bytes;
  return true;
}

TraceTrack TraceFile::add(Track track) {
  // Tracks are few and named by the cluster, so they are always kept.
  spent_ += kTrackBytes + 2 * track.name.size() + track.unit.size();
  tracks_.push_back(std::move(track));
  return TraceTrack{static_cast<std::uint32_t>(tracks_.size())};
}

TraceTrack TraceFile::process(std::string_view name) {
  return add({Track::Kind::process, 0, std::string(name), ""});
}

TraceTrack TraceFile::thread(TraceTrack process, std::string_view name) {
  return add({Track::Kind::thread, process.value, std::string(name), ""});
}

TraceTrack TraceFile::counter(TraceTrack process, std::string_view name,
                              std::string_view unit) {
  return add({Track::Kind::counter, process.value, std::string(name), std::string(unit)});
}

bool TraceFile::wants(Seconds begin) const {
  return begin >= options_.from && begin < options_.until;
}

bool TraceFile::has(const TraceRoom& room) const {
  return spent_ + kSliceBytes * room.slices + kFlowBytes * room.flows +
             kSampleBytes * room.samples <=
         options_.max_bytes;
}

std::uint32_t TraceFile::intern(std::string_view name) {
  if (const auto known = names_.find(name); known != names_.end()) return known->second;
  spent_ += kNameBytes + name.size();
  const auto iid = static_cast<std::uint32_t>(names_.size() + 1);
  names_.emplace(name, iid);
  return iid;
}

void TraceFile::slice(const TraceSlice& slice) {
  MOESIM_LAW(slice.track.value >= 1 && slice.track.value <= tracks_.size(),
             "a slice lies on a track of this trace");
  MOESIM_LAW(slice.begin.value >= 0 && slice.end >= slice.begin,
             "a slice ends after it begins");
  if (!wants(slice.begin) || !spend(kSliceBytes + kFlowBytes * slice.flows.size())) return;
  slices_.push_back({slice.begin.value, slice.end.value, slice.track.value, intern(slice.name),
                     static_cast<std::uint32_t>(flows_.size()),
                     static_cast<std::uint32_t>(slice.flows.size()), slice.layer,
                     slice.expert});
  flows_.insert(flows_.end(), slice.flows.begin(), slice.flows.end());
}

void TraceFile::count(TraceTrack counter, Seconds at, double value) {
  if (!wants(at) || !spend(kSampleBytes)) return;
  samples_.push_back({at.value, value, counter.value});
}

// Begins and ends in the order of time, inner slices inside outer ones; Perfetto keeps the
// file's order among equal timestamps. Of two equal slices the one reported first is the outer
// one. Ends that miss their neighbour's by the last nanosecond of a sum of doubles are moved to
// it.
std::vector<TraceFile::Event> TraceFile::nested_events() const {
  struct Span {
    std::int64_t begin, end;
    std::uint32_t slice;
  };
  std::vector<Span> spans;
  spans.reserve(slices_.size());
  for (std::uint32_t i = 0; i < slices_.size(); ++i) {
    spans.push_back({nanoseconds(slices_[i].begin), nanoseconds(slices_[i].end), i});
  }
  const auto track = [&](const Span& s) { return slices_[s.slice].track; };
  std::stable_sort(spans.begin(), spans.end(), [&](const Span& a, const Span& b) {
    if (track(a) != track(b)) return track(a) < track(b);
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  std::vector<Event> events;
  events.reserve(2 * spans.size());
  std::vector<Span> open;
  const auto close = [&] {
    events.push_back({open.back().end, open.back().slice, true});
    open.pop_back();
  };
  for (Span span : spans) {
    while (!open.empty() &&
           (track(open.back()) != track(span) || open.back().end <= span.begin ||
            (span.end > open.back().end && open.back().end - span.begin <= 1))) {
      if (track(open.back()) == track(span)) span.begin = std::max(span.begin, open.back().end);
      close();
    }
    if (!open.empty()) {
      MOESIM_LAW(span.end <= open.back().end + 1, "slices of one track nest or lie apart");
      span.end = std::min(span.end, open.back().end);
    }
    events.push_back({span.begin, span.slice, false});
    if (!is_instant(span.slice)) open.push_back(span);
  }
  while (!open.empty()) close();
  return events;
}

bool TraceFile::is_instant(std::uint32_t slice) const {
  return slices_[slice].end == slices_[slice].begin;
}

std::string TraceFile::bytes() const {
  std::string out;
  write_names(out);
  write_tracks(out);
  for (const Event& event : nested_events()) write_event(out, event);
  for (const Sample& sample : samples_) {
    pbf_writer file(out);
    pbf_writer packet(file, field::packet);
    stamp(packet, nanoseconds(sample.at));
    pbf_writer body(packet, field::track_event);
    body.add_enum(field::type, kCounter);
    body.add_uint64(field::track_uuid, sample.track);
    body.add_double(field::counter_value, sample.value);
  }
  MOESIM_LAW(out.size() <= std::max(options_.max_bytes, spent_), "a trace keeps to its bound");
  return out;
}

void TraceFile::write_names(std::string& out) const {
  pbf_writer file(out);
  pbf_writer packet(file, field::packet);
  packet.add_uint32(field::sequence, kSequence);
  packet.add_uint32(field::sequence_flags, kStateCleared);
  pbf_writer data(packet, field::interned_data);
  for (const auto& [name, iid] : names_) intern_entry(data, field::event_names, iid, name);
  intern_entry(data, field::annotation_names, kSeconds, "seconds");
  intern_entry(data, field::annotation_names, kLayer, "layer");
  intern_entry(data, field::annotation_names, kExpert, "expert");
}

void TraceFile::write_tracks(std::string& out) const {
  pbf_writer file(out);
  for (std::uint32_t i = 0; i < tracks_.size(); ++i) {
    const Track& track = tracks_[i];
    const auto id = static_cast<std::int32_t>(i + 1);
    pbf_writer packet(file, field::packet);
    packet.add_uint32(field::sequence, kSequence);
    pbf_writer descriptor(packet, field::track_descriptor);
    descriptor.add_uint64(field::uuid, i + 1);
    if (track.kind == Track::Kind::process) {
      pbf_writer process(descriptor, field::process);
      process.add_int32(field::pid, id);
      process.add_string(field::process_name, track.name);
    } else if (track.kind == Track::Kind::thread) {
      descriptor.add_uint64(field::parent_uuid, track.parent);
      pbf_writer thread(descriptor, field::thread);
      thread.add_int32(field::pid, static_cast<std::int32_t>(track.parent));
      thread.add_int32(field::tid, id);
      thread.add_string(field::thread_name, track.name);
    } else {
      descriptor.add_uint64(field::parent_uuid, track.parent);
      descriptor.add_string(field::track_name, track.name);
      pbf_writer counter(descriptor, field::counter);
      if (!track.unit.empty()) counter.add_string(field::unit_name, track.unit);
    }
  }
}

void TraceFile::write_event(std::string& out, const Event& event) const {
  const Slice& slice = slices_[event.slice];
  pbf_writer file(out);
  pbf_writer packet(file, field::packet);
  stamp(packet, event.at_ns);
  pbf_writer body(packet, field::track_event);
  body.add_enum(field::type, event.ends ? kEnd : is_instant(event.slice) ? kInstant : kBegin);
  body.add_uint64(field::track_uuid, slice.track);
  if (event.ends) return;
  body.add_uint64(field::name_iid, slice.name);
  {
    pbf_writer seconds(body, field::annotations);
    seconds.add_uint64(field::annotation_name_iid, kSeconds);
    seconds.add_double(field::annotation_double, slice.end - slice.begin);
  }
  const auto note = [&](AnnotationName name, std::int32_t value) {
    if (value < 0) return;
    pbf_writer writer(body, field::annotations);
    writer.add_uint64(field::annotation_name_iid, name);
    writer.add_int64(field::annotation_int, value);
  };
  note(kLayer, slice.layer);
  note(kExpert, slice.expert);
  for (std::uint32_t f = 0; f < slice.flows; ++f) {
    body.add_fixed64(field::flow_ids, flows_[slice.flow_at + f]);
  }
}

void TraceFile::write(const std::filesystem::path& path) const { write_file(path, bytes()); }

}  // namespace moesim
