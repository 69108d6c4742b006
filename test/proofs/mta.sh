#!/usr/bin/env bash
# test/proofs/mta.sh, as root: a real opensmtpd (Debian's package) takes the letters of one run of the panel, and
# swaks shows that it takes mail at all. Everything runs on loopback, in a scratch folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
for tool in smtpd swaks curl; do
  command -v "$tool" >/dev/null || { echo "Install Debian's packages opensmtpd, swaks and curl first."; exit 2; }
done

scratch=$(mktemp -d)
chmod 755 "$scratch"
port=3298
url=http://localhost:$port
install -d -o nobody -m 700 "$scratch/maildir"
cat >"$scratch/smtpd.conf" <<CONF
table catchall { "@" = "nobody" }
listen on lo port 2598 hostname mail.example
action deliver maildir "$scratch/maildir" virtual <catchall>
match from any for any action deliver
CONF
smtpd -d -f "$scratch/smtpd.conf" >"$scratch/smtpd.log" 2>&1 &
mta=$!
node src/tooling/launch.mjs --prepare
PORT=$port HOST=localhost SMTP_URL=smtp://127.0.0.1:2598 node dist/meshpanel.mjs demo >"$scratch/demo.log" 2>&1 &
demo=$!
trap 'kill $demo $mta; rm -rf "$scratch"' EXIT
until curl -sf "$url/login" >/dev/null; do sleep 0.2; done

echo '== swaks'
swaks --server 127.0.0.1 --port 2598 --to somebody@mail.example --from swaks@mail.example --silent 2 && echo 'taken'

echo '== the panel'
jar=$scratch/jar
csrf() { curl -s -b "$jar" -c "$jar" "$url$1" | grep -o 'name="_csrf" value="[^"]*' | head -1 | sed 's/.*value="//'; }
token=$(csrf /login)
curl -s -b "$jar" -c "$jar" -o /dev/null "$url/login" --data-urlencode "_csrf=$token" \
  --data-urlencode email=stella@acme.example --data-urlencode password=demo-demo-demo
sent=0
for name in 'Greta' "Ünal O'Brien" 'Zoë “the guest” <x@y>'; do
  sent=$((sent + 1))
  token=$(csrf /customer/users)
  curl -s -b "$jar" -c "$jar" -o /dev/null "$url/customer/users" --data-urlencode "_csrf=$token" -d _account=acme \
    --data-urlencode "name=$name" --data-urlencode "email=guest+$sent@mail.example" -d role=member
done
for _ in $(seq 100); do
  [ "$(find "$scratch/maildir" -type f | wc -l)" -gt "$sent" ] && break
  sleep 0.2
done
got=$(grep -rl 'X-\|Message-ID' "$scratch/maildir" | xargs grep -l '/invitations/' | wc -l)
echo "$got of $sent letters are in the mailbox:"
grep -rhiE '^(to|subject|message-id):' "$scratch/maildir" | sort | sed 's/^/  /'
[ "$got" = "$sent" ]
