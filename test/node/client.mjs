// Calls a Parley server in token mode and believes nothing that it has not proven.
//
//   node client.mjs <file>
//
// The file is JSON: where the servers are, the roots of their certificates, the client's key and the server's public one.
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { calculateJwkThumbprint } from "jose";
import { serverProof } from "./proofs.mjs";
import { publicOf, read, sha256, sign } from "./token.mjs";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { shop } = grpc.loadPackageDefinition(loadSync("shop/payments/v1/payments.proto", { includeDirs: [config.protos], keepCase: true }));
const service = (name) => `/shop.payments.v1.PaymentsService/${name}`;
const now = () => Math.floor(Date.now() / 1000);
const trust = { keys: new Map([[await calculateJwkThumbprint(config.server_key), { id: config.server, jwk: config.server_key }]]) };
const connect = (address) =>
  new shop.payments.v1.PaymentsService(address, grpc.credentials.createSsl(Buffer.from(config.roots)), { "grpc.ssl_target_name_override": "localhost" });

const accessToken = (changes = {}) =>
  sign(config.client_key, "at+jwt", JSON.stringify({
    iss: config.client, sub: config.client, aud: config.server, iat: now(), exp: now() + 600, jti: randomUUID(), ...changes,
  }));

const possession = (token, method, changes = {}) =>
  sign(config.client_key, "wpt+jwt", JSON.stringify({
    iss: config.client, sub: config.client, aud: config.server, ath: sha256(token), mth: method, jti: randomUUID(), iat: now(), exp: now() + 30, ...changes,
  }));

function metadataOf(token, nonce, wpt) {
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  metadata.set("parley-nonce", nonce);
  if (wpt) metadata.set("workload-proof-token", wpt);
  return metadata;
}

/** call makes a unary call or a server stream. What it returns is not believed yet. */
function call(client, method, request, metadata) {
  const begun = now();
  return new Promise((resolve) => {
    const answer = { replies: [], header: [], begun };
    const deadline = { deadline: Date.now() + 20_000 };
    let call;
    if (method === "WatchCharge") {
      call = client[method](request, metadata, deadline);
      call.on("data", (reply) => answer.replies.push(reply));
      call.on("end", () => resolve(answer));
      call.on("error", (err) => resolve({ ...answer, err }));
    } else {
      call = client[method](request, metadata, deadline, (err, reply) => {
        if (reply) answer.replies.push(reply);
        resolve({ ...answer, err });
      });
    }
    call.on("metadata", (header) => {
      answer.header = header.get("parley-proof");
      answer.at = now();
    });
  });
}

/** proven makes a call and checks the server's proof before anything of the answer is believed. */
async function proven(client, method, request, token, { nonce = randomBytes(16).toString("base64url"), wpt, perCall = false, expect = {} } = {}) {
  const answer = await call(client, method, request, metadataOf(token, nonce, wpt));
  await serverProof(answer.header, trust, {
    client: config.client, server: config.server, nonce, token, method: service(method), perCall, begun: answer.begun, now: answer.at, ...expect,
  });
  return answer;
}

/** errorInfo reads the google.rpc.ErrorInfo of a status: its reason and its domain. */
function errorInfo(err) {
  const status = fields(err.metadata.get("grpc-status-details-bin")[0]);
  const any = fields(status.find(([number]) => number === 3)[1]);
  assert.equal(any[0][1].toString(), "type.googleapis.com/google.rpc.ErrorInfo");
  const info = fields(any[1][1]);
  return { reason: info[0][1].toString(), domain: info[1][1].toString() };
}

/** fields takes a protobuf message apart, of which only varints and bytes matter here. */
function fields(bytes) {
  const found = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const b = bytes[at++];
      value += (b & 127) * 2 ** shift;
      if (b < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const value = varint();
    if (tag % 8 === 0) {
      found.push([tag >> 3, value]);
    } else {
      found.push([tag >> 3, bytes.subarray(at, at + value)]);
      at += value;
    }
  }
  return found;
}

const client = connect(config.address);
const silent = connect(config.silent);
const token = await accessToken();
const quote = { order_id: "42" };

async function refused(reason, promise) {
  const err = await promise.then(() => assert.fail(`not refused with ${reason}`), (e) => e);
  assert.equal(err.reason, reason, err.stack);
}

async function denied(code, reason, message, promise) {
  const { err, replies } = await promise;
  assert.equal(replies.length, 0);
  assert.equal(err?.code, code, err?.message);
  assert.deepEqual(errorInfo(err), { reason, domain: "parley" });
  assert.equal(err.details, message);
}

const checks = {
  "a unary call": async () => {
    const { err, replies } = await proven(client, "GetQuote", quote, token);
    assert.ifError(err);
    assert.equal(replies[0].replica, "42");
  },
  "a server stream": async () => {
    const { err, replies } = await proven(client, "WatchCharge", { charge_id: "7" }, token);
    assert.ifError(err);
    assert.deepEqual(replies.map((r) => r.state), ["authorized", "captured", "settled"]);
  },
  "one proof for a session": async () => {
    const nonce = randomBytes(32).toString("base64url");
    const [one, two] = [await proven(client, "GetQuote", quote, token, { nonce }), await proven(client, "WatchCharge", { charge_id: "7" }, token, { nonce })];
    assert.deepEqual(one.header, two.header);
  },
  "a proof for each call": async () => {
    const { err, header } = await proven(client, "Charge", { order_id: "42" }, token, { perCall: true });
    assert.ifError(err);
    assert.equal(read(header[0], "parley-proof+jwt").claims.mth, service("Charge"));
  },
  "a proof of possession": async () => {
    const { err } = await proven(client, "Refund", { charge_id: "7" }, token, { perCall: true, wpt: await possession(token, service("Refund")) });
    assert.ifError(err);
  },
  "another nonce is refused": () => refused("SERVER_PROOF_INVALID", proven(client, "GetQuote", quote, token, { expect: { nonce: randomBytes(16).toString("base64url") } })),
  "another ath is refused": async () => refused("SERVER_PROOF_INVALID", proven(client, "GetQuote", quote, token, { expect: { token: await accessToken() } })),
  "another aud is refused": () => refused("SERVER_PROOF_INVALID", proven(client, "GetQuote", quote, token, { expect: { client: config.server } })),
  "another mth is refused": () => refused("SERVER_PROOF_INVALID", proven(client, "Charge", quote, token, { expect: { method: service("Refund") } })),
  "another server is refused": () => refused("SERVER_IDENTITY_MISMATCH", proven(client, "GetQuote", quote, token, { expect: { server: config.client } })),
  "an answer without proof is refused": () => refused("SERVER_PROOF_MISSING", proven(silent, "GetQuote", quote, token)),
  "a stream without proof is refused": () => refused("SERVER_PROOF_MISSING", proven(silent, "WatchCharge", { charge_id: "7" }, token)),
  "a bad token is denied, in a call and a stream": async () => {
    const bad = `${token.slice(0, -86)}${"A".repeat(86)}`;
    for (const method of ["GetQuote", "WatchCharge"]) {
      await denied(grpc.status.UNAUTHENTICATED, "CREDENTIALS_INVALID", "the credential does not hold", call(client, method, {}, metadataOf(bad, randomBytes(16).toString("base64url"))));
    }
  },
  "no token is denied": () => denied(grpc.status.UNAUTHENTICATED, "CREDENTIALS_MISSING", "the call carries no credential", call(client, "GetQuote", quote, new grpc.Metadata())),
  "a proven server says that a token has expired": async () =>
    denied(grpc.status.UNAUTHENTICATED, "CREDENTIALS_EXPIRED", "the credential has ended", proven(client, "GetQuote", quote, await accessToken({ iat: now() - 600, exp: now() - 60 }))),
  "a proven server says that a proof was used before": async () => {
    const wpt = await possession(token, service("Refund"));
    await proven(client, "Refund", { charge_id: "7" }, token, { perCall: true, wpt });
    await denied(grpc.status.UNAUTHENTICATED, "PROOF_REPLAYED", "the proof was used before", proven(client, "Refund", { charge_id: "7" }, token, { perCall: true, wpt }));
  },
  "a call without proof of possession is denied": () =>
    denied(grpc.status.UNAUTHENTICATED, "PROOF_REQUIRED", "the call carries no proof that the caller holds its key", proven(client, "Refund", { charge_id: "7" }, token, { perCall: true })),
};

for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok: ${name}`);
  } catch (err) {
    console.log(`FAIL: ${name}: ${err.stack}`);
    process.exitCode = 1;
  }
}
client.close();
silent.close();
