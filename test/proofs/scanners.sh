#!/usr/bin/env bash
# test/proofs/scanners.sh [MINUTES=5]: wapiti and sqlmap (Debian's packages) against a running demo, logged in as a
# Customer User and as a Partner Admin. Prints what they found; each crawl ends after so many minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
for tool in wapiti sqlmap curl; do
  command -v "$tool" >/dev/null || { echo "Install Debian's package $tool first."; exit 2; }
done

minutes=${1:-5}
port=3299
url=http://localhost:$port
scratch=$(mktemp -d)
node src/tooling/launch.mjs --prepare
PORT=$port HOST=localhost node dist/meshpanel.mjs demo >"$scratch/demo.log" 2>&1 &
demo=$!
trap 'kill $demo; rm -rf "$scratch"' EXIT
until curl -sf "$url/login" >/dev/null; do sleep 0.2; done

# Debian 12's wapiti compiles the patterns of -x in a way that its Python 3.11 refuses: this one is the same, accepted.
run_wapiti() {
  /usr/bin/python3 - "$@" <<'PYTHON'
import re, sys
from wapitiCore.net import crawler
crawler.wildcard_translate = lambda pattern: re.compile(re.escape(pattern).replace(r'\*', '.*') + r'\Z', re.M | re.S)
from wapitiCore.main.wapiti import wapiti_main
sys.argv[0] = 'wapiti'
wapiti_main()
PYTHON
}

# The cookies of somebody who has logged in through the form.
cookies_of() {
  local jar=$scratch/$1.jar token
  token=$(curl -s -c "$jar" "$url/login" | grep -o 'name="_csrf" value="[^"]*' | head -1 | sed 's/.*value="//')
  curl -s -b "$jar" -c "$jar" -o /dev/null "$url/login" \
    --data-urlencode "_csrf=$token" --data-urlencode "email=$1" --data-urlencode 'password=demo-demo-demo'
  awk 'NF == 7 { printf "%s%s=%s", separator, $6, $7; separator = "; " }' "$jar"
}

scan() {
  local who=$1 start=$2 cookies
  cookies=$(cookies_of "$who")
  echo "== wapiti as $who"
  run_wapiti -u "$url$start" --scope domain -H "Cookie: $cookies" --flush-session --store-session "$scratch" \
    -x "$url/*removal" -x "$url/login" -x "$url/profile/password" \
    --max-scan-time $((minutes * 60)) --max-attack-time $((minutes * 10)) --no-bugreport -v 0 -f txt -o "$scratch/$who.txt" >/dev/null
  cat "$scratch/$who.txt"
  cookies=$(cookies_of "$who")
  echo "== sqlmap as $who"
  for target in "${@:3}"; do
    timeout $((minutes * 60)) sqlmap -u "$url$target" --cookie="$cookies" --batch --dbms=SQLite --level=2 --risk=2 --flush-session \
      --output-dir="$scratch/sqlmap" --disable-coloring 2>&1 | grep -Ei 'injectable|vulnerab|critical|all tested' || true
  done
}

scan tom@acme.example / '/projects?q=web' '/customer/users?q=tom&page=1' '/projects/website?q=a&find=b' '/projects/website*'
scan petra@cloudhaus.example /partner/customers '/partner/customers?q=a&page=1' '/partner/history?person=a&family=user&from=2026-01-01' \
  '/partner/customers/acme*/users' '/active-account?q=a' '/?account=acme'

echo '== the demo'
if kill -0 $demo; then echo 'still answers'; else echo 'HAS ENDED'; exit 1; fi
grep -c '"level":50' "$scratch/demo.log" | sed 's/$/ errors in its log/' || true
