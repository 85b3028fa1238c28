"""How bytes get there and back: sockets with a hard deadline, TLS, proxies, one token request."""
