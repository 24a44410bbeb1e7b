#!/bin/bash
# Makes the shipped prompt packs from Debian main alone: apt-get install flite sox
#
#   prompts/make.sh [LANG...]      the languages of prompts.tsv, or those named, into prompts/LANG/; the name "lab" is
#                                  prompts/lab/mailbox.wav, the greeting of the built-in carrier's mailbox
#
# Every file: WAV, 16 kHz, 16 bits, mono; rumble below 80 Hz removed; starts 10 ms before its first sound and ends 40 ms
# after its last, with fades of 5 ms; active speech level (ITU-T P.56) LEVEL dBov; peaks under PEAK dBFS; a whole number
# of 20 ms frames long, so that a pause after it is exact in RTP time. The same input gives the same bytes.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
RATE=16000
FRAME=$((RATE / 50))
LEVEL=-22       # dBov
TOLERANCE=0.2   # dB around LEVEL
PEAK=-3         # dBFS, never reached
LEAD=160        # samples kept before the first sound: 10 ms
TAIL=640        # samples kept after the last sound: 40 ms

for tool in flite sox soxi awk; do
  command -v "$tool" >/dev/null || { echo "make.sh: $tool is missing: apt-get install flite sox" >&2; exit 1; }
done
TEMP=$(mktemp -d)
trap 'rm -rf "$TEMP"' EXIT
export LC_ALL=C

# say VOICE TEXT OUT: raw speech. The full stop gives each digit the falling tone of a word that stands alone.
say() {
  local engine voice stretch
  IFS=: read -r engine voice stretch <<<"$1"
  case $engine in
    flite) flite -voice "$voice" --setf duration_stretch="$stretch" -t "$2." -o "$3" ;;
    *) echo "make.sh: no such engine: $engine" >&2; exit 1 ;;
  esac
}

# bounds IN: first and last sample that sound, from blocks of 5 ms: speech starts within 40 dB of the loudest
# (below that are the voice's ghosts), and dies away within 45 dB.
bounds() {
  sox "$1" -t dat - | awk -v block=$((RATE / 200)) '
    /^;/ { next }
    { sum += $2 * $2; if (++n % block == 0) { power[++blocks] = sum; if (sum > top) top = sum; sum = 0 } }
    END {
      for (first = 1; power[first] < top * 10 ^ -4; first++);
      for (last = blocks; power[last] < top * 10 ^ -4.5; last--);
      print (first - 1) * block, last * block
    }'
}

# active_level IN: active speech level in dBov after ITU-T P.56, method B (envelope of two 30 ms stages, hangover of
# 200 ms, margin of 15.9 dB).
active_level() {
  sox "$1" -t dat - | awk -v rate="$RATE" '
    /^;/ { next }
    BEGIN { g = exp(-1 / (rate * 0.03)); hang = int(rate * 0.2 + 0.5); for (j = 1; j <= 15; j++) { c[j] = 2 ^ -j; h[j] = hang } }
    {
      x = $2; sq += x * x; if (x < 0) x = -x
      p = g * p + (1 - g) * x; q = g * q + (1 - g) * p
      for (j = 1; j <= 15; j++) { if (q >= c[j]) { a[j]++; h[j] = 0 } else if (h[j] < hang) { a[j]++; h[j]++ } }
    }
    function db(v) { return 10 * log(v) / log(10) }
    END {
      for (j = 1; j <= 15; j++) {
        if (!a[j]) continue
        level = db(sq / a[j]); over = level - 2 * db(c[j]) - 15.9
        if (over >= 0) {
          if (seen) level = level + (last - level) * over / (over - before)
          printf "%.3f\n", level
          exit
        }
        seen = 1; last = level; before = over
      }
      exit 1
    }'
}

peak() { sox "$1" -n stats 2>&1 | awk '/^Pk lev dB/ { print $4 }'; }
calculate() { awk "BEGIN { printf \"%.3f\", $1 }"; }
holds() { awk "BEGIN { exit !($1) }"; }

# master IN OUT: raw speech into a finished prompt.
master() {
  local first last gain=0 level length round
  sox "$1" -e floating-point -b 32 "$TEMP/clean.wav" remix - rate -v "$RATE" highpass 80 highpass 80
  read -r first last < <(bounds "$TEMP/clean.wav")
  first=$((first > LEAD ? first - LEAD : 0))
  sox "$TEMP/clean.wav" "$TEMP/word.wav" trim "${first}s" "=$((last + TAIL))s" fade 0.005 -0 0.005
  length=$(soxi -s "$TEMP/word.wav")
  sox "$TEMP/word.wav" "$TEMP/cut.wav" pad 0 "$(((FRAME - length % FRAME) % FRAME))s"
  length=$(soxi -s "$TEMP/cut.wav")
  # The limiter lowers the level a little, so the gain is found in a few rounds.
  for round in 1 2 3 4 5 6; do
    sox "$TEMP/cut.wav" "$TEMP/loud.wav" gain "$gain" \
      compand 0.0005,0.03 3:-60,-60,-10,-10,-5,-7,0,-5 0 -90 0.0005 trim 0 "${length}s"
    level=$(active_level "$TEMP/loud.wav")
    gain=$(calculate "$gain + $LEVEL - ($level)")
  done
  sox -D "$TEMP/loud.wav" -e signed-integer -b 16 "$2"
  check "$2"
}

# check FILE: refuses a prompt that misses what this script promises.
check() {
  local level top samples first last
  level=$(active_level "$1") top=$(peak "$1") samples=$(soxi -s "$1")
  read -r first last < <(bounds "$1")
  printf '%-24s %5.2f s  %6.2f dBov  peak %6.2f dBFS  onset %2d ms\n' \
    "${1#"$HERE"/}" "$(calculate "$samples / $RATE")" "$level" "$top" $((first * 1000 / RATE))
  holds "($level - ($LEVEL))^2 <= $TOLERANCE^2" || { echo "make.sh: $1: level $level dBov" >&2; exit 1; }
  holds "$top < $PEAK" || { echo "make.sh: $1: peak $top dBFS" >&2; exit 1; }
  ((samples % FRAME == 0)) || { echo "make.sh: $1: $samples samples are not whole frames" >&2; exit 1; }
  ((first * 1000 <= 30 * RATE)) || { echo "make.sh: $1: onset at sample $first" >&2; exit 1; }
}

# description LANG VOICE OUT
description() {
  local engine voice stretch
  IFS=: read -r engine voice stretch <<<"$2"
  cat >"$3" <<EOF
# Made by prompts/make.sh from prompts/prompts.tsv.
language = "$1"
voice = "$engine $voice, duration stretch $stretch"
made_with = "$(dpkg-query -W -f '${Package} ${Version}, ' flite sox | sed 's/, $//')"
licence = "free to use, copy and change: output of CMU Flite and its $voice voice (BSD-like licence of Carnegie Mellon University)"
sample_rate = $RATE
level_dbov = $LEVEL.0
# The gate's order of words: the recording, then the key as a digit.
gate = ["otp-press-key", "key"]
EOF
}

wanted=" $* " found=0
if [[ $# -eq 0 || $wanted == *" lab "* ]]; then
  found=$((found + ($# > 0)))
  mkdir -p "$HERE/lab"
  say flite:slt:1.0 "The person you are calling cannot answer. Please leave a message after the tone" "$TEMP/raw.wav"
  master "$TEMP/raw.wav" "$HERE/lab/mailbox.wav"
fi
while IFS='|' read -r language voice digits intro again press_one press_key goodbye; do
  [[ $language == \#* || -z $language ]] && continue
  [[ $# -eq 0 || $wanted == *" $language "* ]] || continue
  found=$((found + 1))
  out=$HERE/$language
  mkdir -p "$out/digits"
  digit=0
  for word in $digits; do
    say "$voice" "$word" "$TEMP/raw.wav"
    master "$TEMP/raw.wav" "$out/digits/$digit.wav"
    digit=$((digit + 1))
  done
  ((digit == 10)) || { echo "make.sh: $language has $digit digits" >&2; exit 1; }
  while IFS='=' read -r name words; do
    say "$voice" "$words" "$TEMP/raw.wav"
    master "$TEMP/raw.wav" "$out/$name.wav"
  done <<EOF
otp-intro=$intro
otp-again=$again
otp-press-1=$press_one
otp-press-key=$press_key
goodbye=$goodbye
EOF
  description "$language" "$voice" "$out/pack.toml"
done <"$HERE/prompts.tsv"
(($# == 0 || found == $#)) || { echo "make.sh: not in prompts.tsv:${wanted}" >&2; exit 1; }
