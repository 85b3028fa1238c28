// What strict deployments run, on loopback with TLS: oidc-provider with all that it can do, a second one
// with the profile FAPI 2.0, and an API that express-oauth2-jwt-bearer protects. Options come in as JSON
// on standard input; one line of JSON goes out when all listen.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import express from 'express';
import { auth } from 'express-oauth2-jwt-bearer';
import { makeProvider, tell } from './provider.mjs';

const { tls, servers, resource, lifetime } = JSON.parse(await text(process.stdin));

async function listen(server) {
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return `https://127.0.0.1:${server.address().port}`;
}

const open = () => createServer({ key: tls.key, cert: tls.certificate });
const askingForCertificates = () => createServer({
  key: tls.key, cert: tls.certificate, ca: tls.authority, requestCert: true, rejectUnauthorized: false,
});

const signing = generateKeyPairSync('rsa', { modulusLength: 2048 });
const naming = { kid: 'access-tokens', alg: 'PS256', use: 'sig' };
const publicKeys = { keys: [{ ...signing.publicKey.export({ format: 'jwk' }), ...naming }] };
const jwks = { keys: [{ ...signing.privateKey.export({ format: 'jwk' }), ...naming }] };

// Its issuer asks for no certificate; its aliases, on another port, do.
async function authorizationServer(options) {
  const recorded = [];
  const [plain, mutual] = [open(), askingForCertificates()];
  const [issuer, alias] = [await listen(plain), await listen(mutual)];
  const provider = makeProvider(issuer, recorded, {
    ...options,
    resource,
    lifetime,
    jwks,
    certificates: true,
    details: true,
    aliases: {
      token_endpoint: `${alias}/token`,
      introspection_endpoint: `${alias}/token/introspection`,
      revocation_endpoint: `${alias}/token/revocation`,
    },
  });
  const handle = provider.callback();
  for (const server of [plain, mutual]) {
    server.on('request', (request, response) => {
      if (request.url === '/_test/requests') tell(recorded, request, response);
      else handle(request, response);
    });
  }
  return { issuer, alias };
}

function orders(request, response) {
  const { payload } = request.auth;
  response.json({ client: payload.client_id, scope: payload.scope, cnf: payload.cnf ?? null, method: request.method });
}

// Below each issuer's name: /any takes what is offered, /dpop and /bound only what is bound to a key or
// a certificate. /moved leads to the orders by a redirect, /pages has three pages.
function api(issuers, recorded) {
  const app = express();
  app.use((request, response, next) => {
    response.on('finish', () => recorded.push({
      method: request.method,
      path: request.path,
      headers: request.headers,
      status: response.statusCode,
      challenge: response.getHeader('www-authenticate') ?? null,
    }));
    next();
  });
  for (const [name, { issuer }] of Object.entries(issuers)) {
    const check = (options) => auth({
      issuer, audience: resource, publicKey: publicKeys, tokenSigningAlg: naming.alg, ...options,
    });
    const getCertificate = (request) => request.socket.getPeerX509Certificate()?.toString();
    const kinds = {
      any: check({ getCertificate }),
      dpop: check({ dpop: { required: true } }),
      bound: check({ getCertificate, mtls: { required: true } }),
    };
    for (const [kind, guard] of Object.entries(kinds)) {
      const router = express.Router();
      router.use(guard);
      router.all('/orders', orders);
      router.all('/moved', (request, response) => response.redirect(307, `/${name}/${kind}/orders`));
      router.get('/pages/:page', (request, response) => response.json({
        page: Number(request.params.page),
        next: request.params.page < 3 ? `/${name}/${kind}/pages/${Number(request.params.page) + 1}` : null,
      }));
      app.use(`/${name}/${kind}`, router);
    }
  }
  // Express would print each refusal with its stack.
  app.use((error, request, response, next) => {
    response.status(error.status ?? 500).set(error.headers ?? {}).json({ error: error.code, message: error.message });
  });
  return app;
}

const issuers = {};
for (const [name, options] of Object.entries(servers)) issuers[name] = await authorizationServer(options);
const recorded = [];
const protectedApi = askingForCertificates();
const app = api(issuers, recorded);
protectedApi.on('request', (request, response) => {
  if (request.url === '/_test/requests') tell(recorded, request, response);
  else app(request, response);
});
console.log(JSON.stringify({ issuers, api: await listen(protectedApi), jwks: publicKeys }));
