// The checks of docs/protocol.md, in its order. Keys is where trust rests: a map from thumbprints to {id, jwk}.
import { calculateJwkThumbprint } from "jose";
import { Refused, SKEW, isID, lifetime, publicOf, read, sha256, verify } from "./token.mjs";

function exactly(claims, wanted) {
  for (const [name, value] of Object.entries(wanted)) {
    if (claims[name] !== value) throw new Error(`${name} is not the one that is due`);
  }
  const count = Object.keys(wanted).length + 2; // iat and exp
  if (Object.keys(claims).length !== count) throw new Error("claims that are not allowed");
}

/** signer returns the ID and the key behind a proof: from keys, or from an identity token of the issuer. */
async function signer(token, { keys, issuer }, identity, now) {
  if (!issuer) {
    const known = keys.get(token.header.kid);
    if (!known || identity) throw new Error("a key that nobody knows, or an identity token where there must be none");
    return known;
  }
  const c = await verify(read(identity, "wit+jwt"), issuer.jwk);
  const { iat, exp } = lifetime(c, 3600);
  if ((c.iss !== undefined && c.iss !== issuer.name) || c.aud !== undefined) throw new Error("another issuer, or an aud");
  if (!isID(c.sub) || !c.sub.startsWith(`spiffe://${issuer.domain}/`)) throw new Error("sub is nobody it vouches for");
  if (now >= exp || iat > now + SKEW || Math.floor(c.nbf ?? 0) > now + SKEW) throw new Error("an identity token out of its time");
  const jwk = c.cnf?.jwk;
  if (Object.keys(c.cnf).join() !== "jwk" || jwk.alg !== (jwk.kty === "OKP" ? "EdDSA" : "ES256")) throw new Error("cnf is not a jwk with alg");
  if ((await calculateJwkThumbprint(publicOf(jwk))) !== token.header.kid) throw new Error("the proof is by another key");
  return { id: c.sub, jwk };
}

const guarded = (reason, check) =>
  check().catch((err) => {
    throw err instanceof Refused ? err : new Refused(reason, err.message);
  });

/** serverHello checks frame 1. Exporter is the keying material of the role server. */
export function serverHello(frame, trust, { exporter, server, now }) {
  const { identity, proof } = hello(frame, 1, "SERVER_PROOF_MISSING");
  return guarded("SERVER_PROOF_INVALID", async () => {
    const token = read(proof, "parley-server+jwt");
    const by = await signer(token, trust, identity, now);
    const claims = await verify(token, by.jwk);
    const cth = identity === "" ? {} : { cth: sha256(identity) };
    exactly(claims, { iss: by.id, sub: by.id, cb: exporter.toString("base64url"), ...cth });
    const { iat, exp } = lifetime(claims, 60);
    if (now >= exp + SKEW || iat > now + SKEW) throw new Error("out of its time");
    if (by.id !== server) throw new Refused("SERVER_IDENTITY_MISMATCH", by.id);
  });
}

/** clientHello checks frame 2 and returns the verdict. */
export async function clientHello(frame, trust, { exporter, server, serverHello, now }) {
  try {
    const { proof } = hello(frame, 2, "CREDENTIALS_INVALID");
    const token = read(proof, "parley-client+jwt");
    const by = await signer(token, trust, "", now);
    const claims = await verify(token, by.jwk);
    exactly(claims, { iss: by.id, sub: by.id, cb: exporter.toString("base64url"), aud: server, sph: sha256(serverHello) });
    const { iat, exp } = lifetime(claims, 60);
    if (now >= exp + SKEW) return 2;
    return iat > now + SKEW ? 3 : 0;
  } catch {
    return 1;
  }
}

function hello(frame, type, reason) {
  const body = frame.subarray(4);
  const refuse = (why) => {
    throw new Refused(reason, why);
  };
  if (frame[0] !== type || frame.readUIntBE(1, 3) > 8192 || frame.readUIntBE(1, 3) !== body.length) refuse("not the frame that was due");
  const first = body.length < 2 ? refuse("cut off") : body.readUInt16BE(0);
  const second = body.length < 4 + first ? refuse("cut off") : body.readUInt16BE(2 + first);
  if (second === 0 || body.length !== 4 + first + second) refuse("not two fields");
  return { identity: body.toString("latin1", 2, 2 + first), proof: body.toString("latin1", 4 + first) };
}

/** bearer checks the value of authorization and returns the claims. */
export function bearer(value, { keys }, { server, now }) {
  return guarded("CREDENTIALS_INVALID", async () => {
    const [scheme, compact, ...more] = value.split(" ");
    if (scheme.toLowerCase() !== "bearer" || more.length > 0) throw new Error("not Bearer, one space and a token");
    const token = read(compact, "at+jwt");
    const by = keys.get(token.header.kid);
    if (!by) throw new Error("a key that nobody knows");
    const claims = await verify(token, by.jwk);
    if (claims.iss !== by.id || claims.sub !== by.id) throw new Error("iss or sub is not the owner of the key");
    if ([claims.aud].flat().length !== 1 || [claims.aud].flat()[0] !== server) throw new Error("aud is not this server");
    if (!claims.jti) throw new Error("jti is missing");
    const { iat, exp } = lifetime(claims, 3600);
    if (claims.scope !== undefined && !/^[!#-[\]-~]+( [!#-[\]-~]+)*$/.test(claims.scope)) throw new Error("scope is not a list");
    if (now >= exp + SKEW) throw new Refused("CREDENTIALS_EXPIRED", "exp has passed");
    if (Math.max(iat, Math.floor(claims.nbf ?? 0)) > now + SKEW) throw new Refused("CREDENTIALS_NOT_YET_VALID", "iat or nbf lies ahead");
    return claims;
  });
}

/** serverProof checks the values of parley-proof in the header of an answer that came now to a call that was begun earlier. */
export function serverProof(values, trust, { client, server, nonce, token, method, perCall, begun, now }) {
  if (values.length === 0) throw new Refused("SERVER_PROOF_MISSING", "no proof");
  return guarded("SERVER_PROOF_INVALID", async () => {
    if (values.length > 1) throw new Error("more than one proof");
    const proof = read(values[0], "parley-proof+jwt");
    const by = await signer(proof, trust, "", now);
    const claims = await verify(proof, by.jwk);
    if (perCall && claims.mth === undefined) throw new Error("not made for this call");
    const mth = claims.mth === undefined ? {} : { mth: method };
    exactly(claims, { iss: by.id, sub: by.id, aud: client, nonce, ath: sha256(token), ...mth });
    const { iat, exp } = lifetime(claims, 60);
    if (begun >= exp + SKEW || iat > now + SKEW) throw new Error("out of its time");
    if (by.id !== server) throw new Refused("SERVER_IDENTITY_MISMATCH", by.id);
  });
}

/** possession checks a workload proof token beside a bearer token. Seen holds what was used before. */
export function possession(compact, trust, { caller, server, token, method, seen, now }) {
  return guarded("CREDENTIALS_INVALID", async () => {
    const proof = read(compact, "wpt+jwt");
    const by = await signer(proof, trust, "", now);
    const claims = await verify(proof, by.jwk);
    const { jti } = claims;
    if (typeof jti !== "string" || jti === "" || Buffer.byteLength(jti) > 128 || by.id !== caller) throw new Error("jti, or another caller");
    exactly(claims, { iss: caller, sub: caller, aud: server, ath: sha256(token), mth: method, jti });
    const { iat, exp } = lifetime(claims, 60);
    if (now >= exp + SKEW) throw new Refused("CREDENTIALS_EXPIRED", "exp has passed");
    if (iat > now + SKEW) throw new Refused("CREDENTIALS_NOT_YET_VALID", "iat lies ahead");
    if (seen.has(jti)) throw new Refused("PROOF_REPLAYED", "used before");
    seen.add(jti);
  });
}

/** keySet returns the keys in a set that the root whose thumbprint is pin has signed. */
export function keySet(compact, { pin, now }) {
  return guarded("refused", async () => {
    const token = read(compact, "jwk-set+jwt");
    if (token.header.kid !== pin) throw new Error("not the pinned root");
    const claims = await verify(token, token.claims.root);
    const { iat, exp } = lifetime(claims, 24 * 3600);
    if (now >= exp + SKEW || iat > now + SKEW || !Array.isArray(claims.keys)) throw new Error("out of its time, or no keys");
    return claims.keys;
  });
}
