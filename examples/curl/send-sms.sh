#!/bin/sh
# Sends an SMS with curl: the address is all that changes, and the secret is any text.
set -eu
sidecar=${VONAGE_SIDECAR:-http://localhost:8787}
curl --fail --silent --show-error --user abcd1234:placeholder \
    --data-urlencode from=Acme --data-urlencode to=447700900000 --data-urlencode "text=Hello from curl" \
    "$sidecar/sms/json"
