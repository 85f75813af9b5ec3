# Sends an SMS with the Ruby SDK 7 (gem install vonage).
#
# The SDK insists on https, so the sidecar needs a listener with `tls = { ca_dir = "ca" }`, and Ruby must trust its CA:
# `http: { ca_file: ... }` below, or SSL_CERT_FILE=ca/bundle.pem for the whole process.
# Voice, Users: `application_id:` and `private_key:` beside the key, with any RSA key.

require "vonage"

sidecar = ENV.fetch("VONAGE_SIDECAR", "localhost:8443") # the SDK puts https:// in front
vonage = Vonage::Client.new(
  api_key: "abcd1234",
  api_secret: "placeholder",
  api_host: sidecar,
  rest_host: sidecar,
  video_host: sidecar,
  vonage_host: sidecar,
  http: { ca_file: "ca/bundle.pem" }
)
sent = vonage.sms.send(from: "Acme", to: "447700900000", text: "Hello from Ruby")
puts "status #{sent.messages.first.status}"
