// The tokens of docs/protocol.md: strict reading, and signing.
import { createHash } from "node:crypto";
import { CompactSign, calculateJwkThumbprint, compactVerify, importJWK } from "jose";

export const SKEW = 30;
const MAX_TOKEN = 8192;
const MAX_DEPTH = 16;
const MAX_MEMBERS = 64;

/** Refused is what every check throws; reason is the one of the protocol. */
export class Refused extends Error {
  constructor(reason, detail) {
    super(`${reason}: ${detail}`);
    this.reason = reason;
  }
}

/** base64url of the SHA-256 of text or bytes. */
export const sha256 = (data) => createHash("sha256").update(data).digest("base64url");

const algorithmOf = (jwk) => (jwk.kty === "OKP" ? "EdDSA" : "ES256");

/** publicOf leaves the secret out of a JWK. */
export const publicOf = ({ kty, crv, x, y }) => (y === undefined ? { kty, crv, x } : { kty, crv, x, y });

/** sign returns a compact JWS over the exact text of the claims. */
export async function sign(jwk, typ, claims) {
  const alg = algorithmOf(jwk);
  const kid = await calculateJwkThumbprint(publicOf(jwk));
  return new CompactSign(Buffer.from(claims)).setProtectedHeader({ alg, kid, typ }).sign(await importJWK(jwk, alg));
}

function decode(segment) {
  const bytes = Buffer.from(segment, "base64url");
  if (segment === "" || bytes.toString("base64url") !== segment) {
    throw new Error("not strict base64url");
  }
  return bytes;
}

function parse(bytes) {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  strict(text);
  const value = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("not a JSON object");
  }
  return value;
}

/** strict refuses what JSON.parse lets pass: duplicate names, which also differ in case alone, NUL, depth and size. */
function strict(text) {
  const open = [];
  for (const [lexeme] of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/gs)) {
    const inside = open.at(-1);
    if (lexeme === "{" || lexeme === "[") {
      if (open.push(lexeme === "{" ? new Set() : null) > MAX_DEPTH) throw new Error("nested too deep");
    } else if (lexeme === "}" || lexeme === "]") {
      open.pop();
    } else {
      const name = JSON.parse(lexeme.replace(/\s*:$/, ""));
      if (name.includes("\0") || !name.isWellFormed()) throw new Error("NUL or a lone surrogate");
      if (!lexeme.endsWith(":") || !inside) continue;
      const folded = name.toLowerCase();
      if (inside.has(folded) || inside.size === MAX_MEMBERS) throw new Error("a duplicate name, or too many");
      inside.add(folded);
    }
  }
}

/** read takes a token apart; nothing of it is proven. */
export function read(compact, typ) {
  if (compact.length > MAX_TOKEN || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(compact)) throw new Error("not a compact JWS");
  const [head, payload, signature] = compact.split(".");
  const header = parse(decode(head));
  if (Object.keys(header).sort().join() !== "alg,kid,typ" || header.typ !== typ || typeof header.kid !== "string") {
    throw new Error("the header is not alg, kid and the typ that is due");
  }
  if (decode(signature).length !== 64) throw new Error("not a signature of 64 bytes");
  return { compact, header, claims: parse(decode(payload)) };
}

/** verify checks the signature with a public JWK, which decides on the algorithm. */
export async function verify(token, jwk) {
  const alg = algorithmOf(jwk);
  if (token.header.alg !== alg || token.header.kid !== (await calculateJwkThumbprint(publicOf(jwk)))) {
    throw new Error("alg or kid is not the key's");
  }
  await compactVerify(token.compact, await importJWK(publicOf(jwk), alg), { algorithms: [alg] });
  return token.claims;
}

/** lifetime returns iat and exp, cut to whole seconds. */
export function lifetime(claims, longest) {
  const [iat, exp] = [claims.iat, claims.exp].map((t) => (typeof t === "number" ? Math.floor(t) : Number.NaN));
  if (!(iat > 0 && exp > iat && exp - iat <= longest)) throw new Error("iat and exp do not fit");
  return { iat, exp };
}

const ID = /^spiffe:\/\/([a-z0-9._-]+)((?:\/[A-Za-z0-9._-]+)+)$/;

/** isID tells whether text is the ID of a workload. */
export const isID = (text) => {
  const found = ID.exec(text);
  return found !== null && !found[2].split("/").some((segment) => segment === "." || segment === "..");
};
