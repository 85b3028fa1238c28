// The certified oidc-provider with client credentials, on loopback, in clear. Clients come in as JSON on
// standard input; one line of JSON goes out when it listens. Every request is recorded.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { makeProvider, tell } from './provider.mjs';

const options = JSON.parse(await text(process.stdin));
const recorded = [];

const server = createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const handle = makeProvider(issuer, recorded, options).callback();
server.on('request', (request, response) => {
  if (request.url === '/_test/requests') tell(recorded, request, response);
  else handle(request, response);
});
console.log(JSON.stringify({ issuer }));
