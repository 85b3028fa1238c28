// oidc-provider as all tests use it: client credentials and what belongs to them. Options switch on more.
import { Provider, errors } from 'oidc-provider';

const SECRET = ['HS256', 'HS384', 'HS512'];
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const OTHERS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const SECRETS = ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'];
const CERTIFICATES = ['tls_client_auth', 'self_signed_tls_client_auth'];

const certificateOf = (ctx) => ctx.socket.getPeerX509Certificate?.();

// What the registration names, as this client certificate has it.
function subjectMatches(ctx, property, expected) {
  const certificate = certificateOf(ctx);
  if (property === 'tls_client_auth_subject_dn') {
    return certificate.subject.split('\n').join(',') === expected;
  }
  const kind = { tls_client_auth_san_dns: 'DNS', tls_client_auth_san_uri: 'URI' }[property];
  return (certificate.subjectAltName ?? '').split(', ').includes(`${kind}:${expected}`);
}

const clientCertificates = {
  enabled: true,
  certificateBoundAccessTokens: true,
  tlsClientAuth: true,
  selfSignedTlsClientAuth: true,
  getCertificate: certificateOf,
  certificateAuthorized: (ctx) => ctx.socket.authorized,
  certificateSubjectMatches: subjectMatches,
};

// Details of one type; an action that nobody knows is refused, "delete" is never granted.
const richRequests = {
  enabled: true,
  types: {
    orders: {
      validate: (ctx, detail) => {
        const known = ['read', 'write', 'delete'];
        if (!detail.actions?.every((action) => known.includes(action))) {
          throw new errors.InvalidAuthorizationDetails('unknown action');
        }
      },
    },
  },
  authorizationDetailsForAccessToken: (ctx) => JSON.parse(ctx.oidc.params.authorization_details).map(
    (detail) => ({ ...detail, actions: detail.actions.filter((action) => action !== 'delete') }),
  ),
  authorizationDetailsForIntrospection: (ctx, token) => token.rar,
};

// Options: clients, lifetime (seconds), resource; certificates: client certificates and bound tokens;
// details: rich authorization requests; nonces: each DPoP proof needs one; fapi: the profile FAPI 2.0;
// jwks: of JWT access tokens; aliases: of endpoints, for client certificates.
export function makeProvider(issuer, recorded, options) {
  const { clients, lifetime, resource } = options;
  const provider = new Provider(issuer, {
    clients,
    scopes: ['read', 'write', 'admin', 'system/Patient.rs', 'system/Observation.rs'],
    clientAuthMethods: [
      ...(options.fapi ? [] : SECRETS), 'private_key_jwt', ...(options.certificates ? CERTIFICATES : []),
    ],
    enabledJWA: {
      clientAuthSigningAlgValues: options.fapi
        ? ['PS256', 'ES256', 'EdDSA', 'Ed25519'] : [...SECRET, ...RSA, ...OTHERS],
    },
    ...(options.jwks ? {
      jwks: options.jwks, clientDefaults: { id_token_signed_response_alg: options.jwks.keys[0].alg },
    } : {}),
    ...(options.aliases ? { discovery: { mtls_endpoint_aliases: options.aliases } } : {}),
    ttl: { ClientCredentials: () => lifetime },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      ...(options.certificates ? { mTLS: clientCertificates } : {}),
      ...(options.details ? { richAuthorizationRequests: richRequests } : {}),
      ...(options.fapi ? { fapi: { enabled: true, profile: '2.0' } } : {}),
      dPoP: options.nonces
        ? { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true } : { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo: (ctx, indicator) => {
          if (indicator !== resource) throw new errors.InvalidTarget();
          return {
            scope: 'read write',
            audience: resource,
            accessTokenTTL: lifetime,
            ...(options.jwks
              ? { accessTokenFormat: 'jwt', jwt: { sign: { alg: options.jwks.keys[0].alg } } }
              : { accessTokenFormat: 'opaque' }),
          };
        },
      },
    },
  });
  // A platform vouches for a workload with one assertion for an hour: issuers that trust platforms take it again.
  const { ReplayDetection } = provider;
  const unique = ReplayDetection.unique.bind(ReplayDetection);
  ReplayDetection.unique = async (client, ...used) => client === 'workload' || unique(client, ...used);
  provider.use(async (ctx, next) => {
    await next();
    recorded.push({
      method: ctx.method,
      path: ctx.path,
      host: ctx.host,
      headers: ctx.req.headers,
      form: ctx.oidc?.body ?? {},
      certificate: certificateOf(ctx)?.subject ?? null,
      status: ctx.status,
      response: ctx.body?.error ? ctx.body : null,
    });
  });
  return provider;
}

// What a test asks of the recorded requests: to see them, or (DELETE) to forget them.
export function tell(recorded, request, response) {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(recorded));
  if (request.method === 'DELETE') recorded.length = 0;
}
