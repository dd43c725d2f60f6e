"""A provider of identities: discovery, keys that rotate, and whatever token the test asks for, good or bad.

It writes its address to standard output, and ends when its standard input does.
"""

import base64
import hmac
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

ALL = ["RS256", "RS384", "ES256"]


def encoded(part):
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


class Provider:
    def __init__(self):
        self.lock = threading.Lock()
        self.foreign = RSAKey.generate_key(2048, {"kid": "rsa-1"})
        self.ec = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig", "alg": "ES256"})
        self.made = 0
        self.asked = 0
        self.fails = False
        self.rotate()

    def rotate(self):
        self.made += 1
        self.rsa = RSAKey.generate_key(2048, {"kid": f"rsa-{self.made}", "use": "sig"})

    def keys(self):
        secret = {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"}
        encrypts = self.foreign.as_dict(private=False) | {"kid": "enc", "use": "enc"}
        keys = [key.as_dict(private=False) for key in (self.rsa, self.ec)]
        return {"keys": keys + [secret, encrypts]}

    def token(self, asked):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "witgate", "sub": "ann", "iat": now, "exp": now + 600}
        for name, value in asked.get("claims", {}).items():
            claims.pop(name, None)
            if value is not None:
                claims[name] = value
        # Times are said as seconds from now.
        for name, seconds in asked.get("times", {}).items():
            claims[name] = now + seconds
        by = asked.get("by", "rsa")
        key = {"rsa": self.rsa, "ec": self.ec, "foreign": self.foreign}.get(by)
        header = {"typ": "JWT", "alg": asked.get("alg", "ES256" if by == "ec" else "RS256")}
        if key is not None:
            header["kid"] = key.kid
        header |= asked.get("header", {})
        header = {name: value for name, value in header.items() if value is not None}
        payload = json.dumps(claims).encode()
        if by in ("nobody", "public"):
            if by == "public":
                header["kid"] = self.rsa.kid
            parts = [json.dumps(header).encode(), payload]
            signed = ".".join(encoded(part) for part in parts)
            # The confusion of old: what everyone knows, taken for a shared secret. No library makes such a token any more.
            secret = self.rsa.as_pem(private=False)
            signature = hmac.new(secret, signed.encode(), "sha256").digest() if by == "public" else b""
            return f"{signed}.{encoded(signature)}"
        registry = jws.JWSRegistry(algorithms=ALL, strict_check_header=False)
        return jws.serialize_compact(header, payload, key, algorithms=ALL, registry=registry)


provider = Provider()


class Handler(BaseHTTPRequestHandler):
    def answer(self, body, status=200):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with provider.lock:
            if self.path == "/.well-known/openid-configuration":
                uri = provider.issuer + "/keys"
                self.answer({"issuer": provider.issuer, "jwks_uri": uri})
            elif self.path == "/keys":
                provider.asked += 1
                if provider.fails:
                    self.answer({"error": "down"}, 500)
                else:
                    self.answer(provider.keys())
            elif self.path == "/asked":
                self.answer(provider.asked)
            else:
                self.answer({"error": "unknown"}, 404)

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        asked = json.loads(self.rfile.read(length) or b"{}")
        with provider.lock:
            if self.path == "/token":
                self.answer(provider.token(asked))
            elif self.path == "/rotate":
                provider.rotate()
                self.answer(None)
            elif self.path == "/fail":
                provider.fails = True
                self.answer(None)
            else:
                self.answer({"error": "unknown"}, 404)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
provider.issuer = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
print(provider.issuer, flush=True)
server.serve_forever()
