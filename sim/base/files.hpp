// Files are complete or absent: written beside their place, then renamed into it.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace moesim {

// Throws WorldError with the path and the system's reason.
void write_file(const std::filesystem::path& path, std::string_view content);
std::string read_file(const std::filesystem::path& path);

// The same in pieces, for files that are too large to hold: nothing is there until commit(),
// and nothing stays if that is never called.
class FileWriter {
 public:
  explicit FileWriter(std::filesystem::path path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  // Throw WorldError.
  void append(std::string_view content);
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path draft_;
  std::ofstream out_;
};

// The folder that holds scenarios/ and calibrate/profiles/: $MOESIM_DATA, else beside the
// program (install tree or build tree), else the source tree it was built from.
std::filesystem::path data_folder();

}  // namespace moesim
