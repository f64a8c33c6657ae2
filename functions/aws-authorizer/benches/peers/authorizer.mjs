// A Lambda authorizer with aws-jwt-verify, as a peer to measure beside.
import http from "node:http";
import { JwtVerifier } from "aws-jwt-verify";
import { SimpleJwksCache } from "aws-jwt-verify/jwk";

const { AWS_LAMBDA_RUNTIME_API: api, PEER_ISSUER: issuer, PEER_AUDIENCE: audience, PEER_SCOPE: scope, PEER_JWKS: jwks } = process.env;
const agent = new http.Agent({ keepAlive: true });

function request(url, method = "GET", body) {
  return new Promise((resolve, reject) => {
    const sent = http.request(url, { method, agent }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

// The library asks for a whole key set at one URL; this endpoint has one URL for each key.
const keys = new Map();
class OneKeyAtATime extends SimpleJwksCache {
  async getJwk(_uri, { header }) {
    if (!keys.has(header.kid)) {
      const set = JSON.parse((await request(jwks.replace("{kid}", encodeURIComponent(header.kid)))).body);
      keys.set(header.kid, set.keys.find((key) => key.kid === header.kid));
    }
    return keys.get(header.kid);
  }
}

const verifier = JwtVerifier.create(
  { issuer, audience, scope, jwksUri: "https://unused.invalid/" },
  { jwksCache: new OneKeyAtATime() },
);

function answer(effect, principalId, resource) {
  return {
    principalId,
    policyDocument: { Version: "2012-10-17", Statement: [{ Action: "execute-api:Invoke", Effect: effect, Resource: resource }] },
    context: {},
  };
}

async function authorize(event) {
  const header = event.headers?.Authorization ?? event.headers?.authorization ?? "";
  try {
    const claims = await verifier.verify(header.replace(/^Bearer /i, ""));
    return answer("Allow", claims.sub, event.methodArn);
  } catch (error) {
    if (process.env.PEER_DEBUG) console.error(error);
    return answer("Deny", "unknown", event.methodArn);
  }
}

const base = `http://${api}/2018-06-01/runtime/invocation`;
for (;;) {
  const next = await request(`${base}/next`);
  const decision = await authorize(JSON.parse(next.body));
  await request(`${base}/${next.headers["lambda-runtime-aws-request-id"]}/response`, "POST", JSON.stringify(decision));
}
