// The certified oidc-provider with client credentials, on loopback. Clients come in as JSON on
// standard input; one line of JSON goes out when it listens. Every token request is recorded.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { Provider, errors } from 'oidc-provider';

const { clients, lifetime, resource } = JSON.parse(await text(process.stdin));
const recorded = [];

const server = createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients,
  scopes: ['read', 'write', 'admin'],
  clientAuthMethods: [
    'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
  ],
  enabledJWA: {
    clientAuthSigningAlgValues: ['HS256', 'RS256', 'PS256', 'ES256', 'EdDSA'],
  },
  ttl: { ClientCredentials: () => lifetime },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: (ctx, indicator) => {
        if (indicator !== resource) throw new errors.InvalidTarget();
        return { scope: 'read write', audience: resource, accessTokenTTL: lifetime, accessTokenFormat: 'opaque' };
      },
    },
  },
});
provider.use(async (ctx, next) => {
  await next();
  if (ctx.path === '/token') {
    recorded.push({ method: ctx.method, headers: ctx.req.headers, form: ctx.oidc?.body ?? {}, status: ctx.status });
  }
});

const handle = provider.callback();
server.on('request', (request, response) => {
  if (request.url !== '/_test/requests') return handle(request, response);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(recorded));
  if (request.method === 'DELETE') recorded.length = 0;
  return undefined;
});
console.log(JSON.stringify({ issuer }));
