#!/bin/sh
# Creates a customer, limits it, and invites its admin. An order can be sent again: what was done stays done once.
#
#   export API=https://panel.example.com/api/v1/accounts/cloudhaus TOKEN=mpp_…
#   ./customer.sh ORDER IDENTIFIER NAME ADMIN E-MAIL
#   ./customer.sh 4711 wayne "Wayne Enterprises" "Karla Fischer" karla@wayne.example
#
# The token needs the rights to change customers and quotas.
set -eu
order=$1 identifier=$2
json() { printf '%s' "$1" | sed 's/[\\"]/\\&/g'; }

call() { # METHOD PATH STEP BODY
  curl -sS --fail-with-body --retry 3 -X "$1" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -H "Idempotency-Key: order-$order-$3" -d "$4" "$API$2"
  echo
}

call POST /customers create "{\"name\":\"$(json "$3")\",\"identifier\":\"$identifier\"}"
call PUT "/customers/$identifier/quotas" limit "{\"limits\":{\"cores\":8,\"instances\":4},\"remark\":\"Order $order\"}"
call POST "/customers/$identifier/invitations" invite "{\"name\":\"$(json "$4")\",\"email\":\"$(json "$5")\"}"
