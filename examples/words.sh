#!/bin/bash
# The ten most frequent words of the input: holdfast run examples/words.sh --stdin "to be or not to be"
set -euo pipefail

tr --complement --squeeze-repeats '[:alpha:]' '\n' | tr '[:upper:]' '[:lower:]' | sed '/^$/d' |
  sort | uniq --count | sort --numeric-sort --reverse | head --lines 10
