"""Sends an SMS with the Python SDK 4 (`pip install vonage`).

The SDK insists on https, so the sidecar needs a listener with `tls = { ca_dir = "ca" }`, and Python must trust its CA:

    REQUESTS_CA_BUNDLE=ca/bundle.pem python send_sms.py

Voice, Video, Users: `Auth(..., application_id="...", private_key="placeholder.key")`, where the key is any RSA key, such
as one of `vonage-sidecar placeholders --sdk python --account abcd1234 --application ID --dir .`.
"""

import os

from vonage import Auth, HttpClientOptions, Vonage
from vonage_sms import SmsMessage

sidecar = os.environ.get("VONAGE_SIDECAR", "localhost:8443")  # the SDK puts https:// in front
options = HttpClientOptions(api_host=sidecar, rest_host=sidecar, video_host=sidecar)
vonage = Vonage(Auth(api_key="abcd1234", api_secret="placeholder"), options)
sent = vonage.sms.send(SmsMessage(to="447700900000", from_="Acme", text="Hello from Python"))
print("status", sent.messages[0].status)
