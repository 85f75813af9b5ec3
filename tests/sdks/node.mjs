// Every API that the Node SDK and the task share, round after round until standard input ends.
//
// Reads VONAGE_API_KEY, VONAGE_API_SECRET (a placeholder), VONAGE_APPLICATION_ID, VONAGE_PRIVATE_KEY_PATH (a throw-away
// key), and VONAGE_SIDECAR (a base URL in plain HTTP). Prints a line for each round, and at last a JSON document: how
// many calls were made, and which of them failed and how. The SDK has no conversion API.

import assert from "node:assert";
import { randomInt, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// The SDK lies where VONAGE_SDK_HOME says, not beside this file.
const require = createRequire(`${process.env.VONAGE_SDK_HOME}/`);
const { Vonage } = require("@vonage/server-sdk");
const { Channels } = require("@vonage/verify2");

const [to, from] = ["447700900000", "447700900001"];
const sidecar = process.env.VONAGE_SIDECAR;

const vonage = new Vonage(
  {
    apiKey: process.env.VONAGE_API_KEY,
    apiSecret: process.env.VONAGE_API_SECRET,
    applicationId: process.env.VONAGE_APPLICATION_ID,
    privateKey: readFileSync(process.env.VONAGE_PRIVATE_KEY_PATH, "utf8"),
  },
  { apiHost: sidecar, restHost: sidecar, videoHost: sidecar },
);

const tasks = {
  async sms() {
    const sent = await vonage.sms.send({ to, from: "Acme", text: `Hello ${randomUUID()}` });
    assert.equal(sent.messages[0].status, "0");
  },
  async messages() {
    const text = `Hello ${randomUUID()}`;
    assert.ok((await vonage.messages.send({ channel: "sms", messageType: "text", to, from: "Acme", text })).messageUUID);
  },
  async verify_v1() {
    const started = await vonage.verify.start({ number: to, brand: randomUUID().slice(0, 18) });
    assert.equal((await vonage.verify.check(started.requestId, "1234")).status, "0");
    assert.equal((await vonage.verify.search(started.requestId)).status, "SUCCESS");
  },
  async verify_v2() {
    const clientRef = randomUUID().slice(0, 16);
    const request = { brand: "Acme", clientRef, workflow: [{ channel: Channels.SMS, to }] };
    const started = await vonage.verify2.newRequest(request);
    assert.equal(await vonage.verify2.checkCode(started.requestId, "1234"), "completed");
  },
  async voice() {
    const ncco = [{ action: "talk", text: `Hello ${randomUUID()}` }];
    const call = await vonage.voice.createOutboundCall({ to: [{ type: "phone", number: to }], from: { type: "phone", number: from }, ncco });
    assert.equal(call.status, "started");
    await vonage.voice.search({});
    await vonage.voice.hangupCall(call.uuid);
  },
  async insight() {
    assert.equal((await vonage.numberInsights.basicLookup(to)).status, 0);
    assert.equal((await vonage.numberInsights.standardLookup(to)).status, 0);
  },
  async numbers() {
    const number = { country: "GB", msisdn: `4477${randomInt(1e7, 1e8)}` };
    assert.equal((await vonage.numbers.getAvailableNumbers({ country: "GB" })).count, 3);
    await vonage.numbers.buyNumber(number);
    assert.ok((await vonage.numbers.getOwnedNumbers({})).count >= 1);
    await vonage.numbers.cancelNumber(number);
  },
  async account() {
    assert.ok((await vonage.accounts.getBalance()).value > 0);
  },
  async applications() {
    await vonage.applications.getApplicationPage({ pageSize: 1 });
    const id = process.env.VONAGE_APPLICATION_ID;
    assert.equal((await vonage.applications.getApplication(id)).id, id);
  },
  async users() {
    await vonage.users.createUser({ name: `user-${randomUUID()}` });
    await vonage.users.getUserPage({});
  },
  async video() {
    const { sessionId } = await vonage.video.createSession();
    await vonage.video.disableForceMute(sessionId);
  },
};

let over = false;
process.stdin.on("end", () => (over = true)).resume();

let calls = 0;
const failures = [];
do {
  for (const [name, task] of Object.entries(tasks)) {
    calls += 1;
    await task().catch((error) => failures.push(`${name}: ${error}`));
  }
  console.log("round");
  await new Promise((resolve) => setImmediate(resolve));
} while (!over);
console.log(JSON.stringify({ calls, failures }));
