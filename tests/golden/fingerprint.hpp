// What a golden scenario's result is recognised by: key figures to four digits, for people, and
// a hash of every byte, for the rest.
#pragma once

#include <map>
#include <string>

namespace moesim::tests {

using Fingerprint = std::map<std::string, std::string>;   // figure -> value
using Fingerprints = std::map<std::string, Fingerprint>;  // scenario -> figures

// Of the text of a result.json.
Fingerprint fingerprint_of(const std::string& result);

// fingerprints.txt: "[scenario]", then "figure = value" lines.
std::string to_text(const Fingerprints& all);
Fingerprints read_fingerprints(const std::string& text);

// One line per figure that differs, "scenario: figure was A, is B"; empty: none does.
std::string moved(const std::string& scenario, const Fingerprint& was, const Fingerprint& is);

}  // namespace moesim::tests
