// Checks every test vector: node vectors.mjs <folder>
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { calculateJwkThumbprint } from "jose";
import * as proofs from "./proofs.mjs";
import { publicOf, sha256, sign } from "./token.mjs";

const load = (name) => JSON.parse(readFileSync(join(process.argv[2], name), "utf8"));
const hex = (text) => Buffer.from(text, "hex");

/** result is what became of a check. */
const result = async (check) => {
  try {
    await check();
    return "accepted";
  } catch (err) {
    return err.reason ?? err.stack;
  }
};

const secrets = {};
const keys = new Map();
for (const k of load("keys.json").keys) {
  assert.equal(await calculateJwkThumbprint(publicOf(k.private)), k.thumbprint, k.name);
  secrets[k.name] = k.private;
  if (["orders", "payments", "reports"].includes(k.name)) keys.set(k.thumbprint, { id: k.id, jwk: publicOf(k.private) });
}

/** resigned makes a token again, byte for byte, where its algorithm has only one signature. */
async function resigned(name, t) {
  if (secrets[t.key].kty !== "OKP" || /\.A+$/.test(t.token)) return;
  assert.equal(await sign(secrets[t.key], t.typ, t.claims), t.token, `${name}: signed again`);
}

let count = 0;
async function each(file, cases, check) {
  for (const c of cases) {
    for (const token of [c, c.proof, c.identity]) if (token?.claims) await resigned(`${file}: ${c.name}`, token);
    assert.equal(await check(c), c.verdict ?? c.result, `${file}: ${c.name}`);
    count++;
  }
}

const h = load("handshake.json");
const body = hex(h.frame_1[0].frame).subarray(4);
await each("handshake.json", h.frame_1, (c) =>
  result(async () => proofs.serverHello(hex(c.frame), { keys }, { exporter: hex(h.exporter_server), server: h.server, now: h.now })));
await each("handshake.json", h.frame_2, (c) =>
  proofs.clientHello(hex(c.frame), { keys }, { exporter: hex(h.exporter_client), server: h.server, serverHello: body, now: h.now }));

const b = load("bearer.json");
await each("bearer.json", b.cases, (c) => result(() => proofs.bearer(c.authorization, { keys }, b)));

const p = load("serverproof.json");
const token = p.authorization.split(" ")[1];
assert.equal(sha256(token), p.ath);
await each("serverproof.json", p.cases, (c) =>
  result(() => proofs.serverProof([c.token], { keys }, { ...p, token, perCall: c.per_call, begun: p.now })));

const w = load("possession.json");
const seen = new Set();
await each("possession.json", w.cases, (c) =>
  result(() => proofs.possession(c.token, { keys }, { ...w, caller: "spiffe://shop.example/orders", token: w.authorization.split(" ")[1], seen })));

const i = load("identity.json");
const issuer = { name: i.issuer, domain: i.trust_domain, jwk: publicOf(secrets[i.issuer_key]) };
await each("identity.json", i.frame_1, (c) =>
  result(async () => proofs.serverHello(hex(c.frame), { issuer }, { exporter: hex(i.exporter_server), server: i.server, now: i.now })));

const s = load("keyset.json");
await each("keyset.json", s.cases, (c) => result(() => proofs.keySet(c.token, s)));

console.log(`${count} vectors hold`);
