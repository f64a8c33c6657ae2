// A certified OpenID provider as the consumers' login: discovery, JWKS, client credentials, RFC 9068 access tokens.
// usage: node oidc-provider.mjs PORT AUDIENCE ALGORITHM   (run where oidc-provider is installed)
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(`${process.cwd()}/`);
const { Provider } = await import(require.resolve('oidc-provider'));
const [port, audience, algorithm] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const pair = algorithm === 'ES256'
  ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
  : generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...pair.privateKey.export({ format: 'jwk' }), kid: `login-${algorithm}`, use: 'sig', alg: algorithm };

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'partner',
    client_secret: 'partner-secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_post',
    id_token_signed_response_alg: algorithm,
  }],
  jwks: { keys: [key] },
  scopes: ['customers:read', 'invoices:read'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        audience,
        scope: 'customers:read invoices:read',
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: algorithm } },
      }),
    },
  },
  extraTokenClaims: () => ({ realm_access: { roles: ['sales'] }, custom: { region: 'emea' } }),
});
provider.listen(Number(port), '127.0.0.1');
