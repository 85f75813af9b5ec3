// Sends an SMS with the Node SDK 3 (`npm install @vonage/server-sdk`), in plain HTTP.
//
// Voice, Video, Users: `applicationId` and `privateKey` beside the key, where the private key is any RSA key, such as one
// of `vonage-sidecar placeholders --sdk node --account abcd1234 --application ID --dir .`.

const { Vonage } = require("@vonage/server-sdk");

const sidecar = process.env.VONAGE_SIDECAR ?? "http://localhost:8787";
const vonage = new Vonage(
  { apiKey: "abcd1234", apiSecret: "placeholder" },
  { apiHost: sidecar, restHost: sidecar, videoHost: sidecar, identityInsightsHost: sidecar },
);
vonage.sms
  .send({ to: "447700900000", from: "Acme", text: "Hello from Node" })
  .then((sent) => console.log("status", sent.messages[0].status));
