"""Where token requests go: configured, discovered, remembered, and moved away."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from airflow_oauth_provider.exceptions import ConfigurationError, TransportError
from airflow_oauth_provider.protocol.configured_server import Issuer
from airflow_oauth_provider.protocol.effects import Fetch, Outcome, Remember, Send, Sleep
from airflow_oauth_provider.protocol.http import Failure, Fault, HttpResponse
from airflow_oauth_provider.protocol.moments import Budget, Moment
from airflow_oauth_provider.protocol.secret import Secret
from airflow_oauth_provider.protocol.settings import ClientSettings, NetworkSettings, PresentedCertificate
from airflow_oauth_provider.protocol.token.acquisition import acquisition
from airflow_oauth_provider.protocol.token.metadata import FRESH, KEPT, KnownMetadata, read_document
from airflow_oauth_provider.protocol.token.response import Granted
from airflow_oauth_provider.protocol.urls import parse_url
from tests.support.builders import NOW, settings

ISSUER = "https://idp.example"


def document(**changes: Any) -> bytes:
    members = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token", **changes}
    return json.dumps(members).encode()


def given(*allowed_hosts: str, **changes: Any) -> ClientSettings:
    return replace(settings(**changes), server=Issuer(parse_url(ISSUER), ISSUER, allowed_hosts))


def known(age: float, **changes: Any) -> KnownMetadata:
    return KnownMetadata(read_document(document(**changes), ISSUER, f"{ISSUER}/x", ()), NOW - age)


TOKEN = HttpResponse(200, (), b'{"access_token": "tok", "token_type": "Bearer", "expires_in": 60}')
GONE = HttpResponse(404, (), b"")
UNREACHABLE = Failure(Fault.UNREACHABLE, "refused")


@dataclass
class Run:
    """Carries a flow out with responses by the path that is called."""

    responses: dict[str, Any]
    called: list[str] = field(default_factory=list)
    remembered: list[KnownMetadata] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def of(self, client: ClientSettings, before: KnownMetadata | None = None) -> Granted:
        moment = Moment(NOW, 1000.0)
        flow = acquisition(
            client, moment, Budget.of(moment, 60), random=lambda: 0.5, entropy=bytes, known=before
        )
        effect = next(flow)
        while True:
            result: Any = None
            if isinstance(effect, Send | Fetch):
                url = effect.request.url if isinstance(effect, Send) else effect.url
                self.called.append(url.removeprefix("https://"))
                result = self.responses[self.called[-1]]
            elif isinstance(effect, Sleep):
                self.slept.append(effect.seconds)
            elif isinstance(effect, Remember):
                self.remembered.append(effect.metadata)
            try:
                effect = flow.send(Outcome(moment, result))
            except StopIteration as end:
                granted: Granted = end.value
                return granted


WELL_KNOWN = "idp.example/.well-known/oauth-authorization-server"
OPENID = "idp.example/.well-known/openid-configuration"


def test_the_endpoint_is_found_and_remembered() -> None:
    run = Run({WELL_KNOWN: HttpResponse(200, (), document()), "idp.example/token": TOKEN})
    assert run.of(given()).token.value == "tok"
    assert run.called == [WELL_KNOWN, "idp.example/token"]
    assert [metadata.fetched_at for metadata in run.remembered] == [NOW]
    again = KnownMetadata.load(run.remembered[0].dump(), ISSUER, ())
    assert again == run.remembered[0]


def test_fresh_metadata_is_not_fetched_again() -> None:
    run = Run({"idp.example/token": TOKEN})
    assert run.of(given(), known(FRESH - 1)).token.value == "tok"
    assert run.remembered == []


def test_metadata_of_yesterday_is_fetched_again() -> None:
    moved = HttpResponse(200, (), document(token_endpoint=f"{ISSUER}/new"))
    run = Run({WELL_KNOWN: moved, "idp.example/new": TOKEN})
    assert run.of(given(), known(FRESH + 1)).token.value == "tok"


@pytest.mark.fault("H67")
@pytest.mark.parametrize("down", [UNREACHABLE, HttpResponse(503, (), b"")], ids=["unreachable", "503"])
def test_old_metadata_serves_while_discovery_is_down(down: Any) -> None:
    run = Run({WELL_KNOWN: down, "idp.example/token": TOKEN})
    granted = run.of(given(), known(FRESH + 1))
    assert granted.token.value == "tok"
    assert "metadata of last time" in granted.warnings[-1]
    with pytest.raises(TransportError):
        Run({WELL_KNOWN: down}).of(given(retry={"max_attempts": 0}), known(KEPT + 1))
    with pytest.raises(TransportError):
        Run({WELL_KNOWN: down}).of(given(retry={"max_attempts": 0}))


def test_an_issuer_that_moves_its_endpoint() -> None:
    moved = HttpResponse(200, (), document(token_endpoint=f"{ISSUER}/new"))
    run = Run({"idp.example/token": GONE, WELL_KNOWN: moved, "idp.example/new": TOKEN})
    assert run.of(given(), known(60)).token.value == "tok"
    assert run.called == ["idp.example/token", WELL_KNOWN, "idp.example/new"]


def test_metadata_of_just_now_is_believed() -> None:
    """So an endpoint that is broken costs one token request an acquisition, and not two."""
    run = Run({"idp.example/token": GONE})
    with pytest.raises(Exception, match="404"):
        run.of(given(), known(59))
    assert run.called == ["idp.example/token"]


def test_an_endpoint_that_is_gone_is_looked_up_once() -> None:
    run = Run({"idp.example/token": GONE, WELL_KNOWN: HttpResponse(200, (), document())})
    with pytest.raises(Exception, match="404"):
        run.of(given(), known(60))
    assert run.called == ["idp.example/token", WELL_KNOWN, "idp.example/token"]


@pytest.mark.fault("H65")
@pytest.mark.parametrize(
    "endpoint",
    ["http://idp.example/token", "https://169.254.169.254/token", "https://elsewhere.example/token"],
)
def test_an_endpoint_that_is_not_meant(endpoint: str) -> None:
    allowed = ("idp.example",) if "elsewhere" in endpoint else ()
    odd = HttpResponse(200, (), document(token_endpoint=endpoint))
    run = Run({WELL_KNOWN: odd, OPENID: GONE})
    with pytest.raises(ConfigurationError, match="usable metadata"):
        run.of(given(*allowed))
    remembered = known(60, token_endpoint="https://elsewhere.example/token").dump()
    assert KnownMetadata.load(remembered, ISSUER, ("idp.example",)) is None, "allow-lists hold today"


ALIASES = {"token_endpoint": "https://mtls.idp.example/token"}
CERTIFIED = NetworkSettings(certificate=PresentedCertificate("PEM", Secret("the key of the client")))


@pytest.mark.fault("H71")
def test_a_client_with_a_certificate_has_an_endpoint_of_its_own() -> None:
    with_aliases = HttpResponse(200, (), document(mtls_endpoint_aliases=ALIASES))
    responses = {WELL_KNOWN: with_aliases, "mtls.idp.example/token": TOKEN, "idp.example/token": TOKEN}
    certified, plain = Run(responses), Run(responses)
    certified.of(given(network=CERTIFIED))
    plain.of(given())
    assert certified.called == [WELL_KNOWN, "mtls.idp.example/token"]
    assert plain.called == [WELL_KNOWN, "idp.example/token"]
    again = Run(responses)
    again.of(
        given(network=CERTIFIED),
        KnownMetadata.load(known(60, mtls_endpoint_aliases=ALIASES).dump(), ISSUER, ()),
    )
    assert again.called == ["mtls.idp.example/token"], "also from metadata that is remembered"


@pytest.mark.fault("H71")
@pytest.mark.parametrize(
    "aliases", [None, {}, {"introspection_endpoint": "https://mtls.idp.example/i"}, ["x"]]
)
def test_without_an_alias_the_usual_endpoint_serves(aliases: Any) -> None:
    run = Run(
        {
            WELL_KNOWN: HttpResponse(200, (), document(mtls_endpoint_aliases=aliases)),
            "idp.example/token": TOKEN,
        }
    )
    run.of(given(network=CERTIFIED))
    assert run.called[-1] == "idp.example/token"


@pytest.mark.fault("H71", "H65")
@pytest.mark.parametrize(
    "alias",
    ["https://evil.example/token", "https://mtls.idp.example.evil.example/token", "http://idp.example/"],
)
def test_an_alias_is_held_against_the_allow_list(alias: str) -> None:
    odd = HttpResponse(200, (), document(mtls_endpoint_aliases={"token_endpoint": alias}))
    run = Run({WELL_KNOWN: odd, OPENID: GONE})
    with pytest.raises(ConfigurationError, match="usable metadata"):
        run.of(given("idp.example", "*.idp.example", network=CERTIFIED))


@pytest.mark.fault("H71")
def test_an_alias_that_has_moved_is_looked_up_anew() -> None:
    moved = HttpResponse(200, (), document(mtls_endpoint_aliases={"token_endpoint": f"{ISSUER}/mtls"}))
    run = Run({WELL_KNOWN: moved, "mtls.idp.example/token": UNREACHABLE, "idp.example/mtls": TOKEN})
    run.of(given(network=CERTIFIED), known(3600, mtls_endpoint_aliases=ALIASES))
    assert run.called == ["mtls.idp.example/token", WELL_KNOWN, "idp.example/mtls"]


@pytest.mark.fault("H69")
@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(Failure(Fault.MALFORMED, "the response is larger than 256 KiB"), id="5-MB"),
        pytest.param(HttpResponse(200, (), b'{"a":' * 5000 + b"1" + b"}" * 5000), id="recursive"),
        pytest.param(HttpResponse(200, (), document(issuer="https://idp.example/")), id="another-issuer"),
        pytest.param(HttpResponse(200, (), b"<html>"), id="page"),
    ],
)
def test_a_document_that_is_none(odd: Any) -> None:
    with pytest.raises(ConfigurationError, match="usable metadata"):
        Run({WELL_KNOWN: odd, OPENID: GONE}).of(given())


BUSY = HttpResponse(503, (("retry-after", "7"),))
PROXY_BUSY = Failure(Fault.UNREACHABLE, "the proxy is busy", retry_after=7.0)


@pytest.mark.fault("H24")
@pytest.mark.parametrize("busy", [BUSY, PROXY_BUSY], ids=["server", "proxy"])
def test_a_busy_issuer_is_asked_again_when_it_says_so(busy: Any) -> None:
    asked = Run({WELL_KNOWN: busy})
    with pytest.raises(TransportError) as caught:
        asked.of(given(retry={"max_attempts": 2, "max_wait": 60}))
    assert asked.slept == [7.5, 7.5]
    assert (caught.value.retryable, caught.value.retry_after, caught.value.attempts) == (True, 7.0, 3)


@pytest.mark.fault("H24")
def test_a_wait_that_an_issuer_asks_for_is_not_slept_past() -> None:
    asked = Run({WELL_KNOWN: HttpResponse(429, (("retry-after", "70"),))})
    with pytest.raises(TransportError) as caught:
        asked.of(given())
    assert (asked.slept, caught.value.retry_after, len(asked.called)) == ([], 70.0, 1)


@pytest.mark.fault("H70")
def test_a_document_that_does_not_offer_the_method_is_warned_of() -> None:
    listed = HttpResponse(200, (), document(token_endpoint_auth_methods_supported=["private_key_jwt"]))
    granted = Run({WELL_KNOWN: listed, "idp.example/token": TOKEN}).of(given())
    assert "does not offer client_secret_basic, but private_key_jwt" in granted.warnings[-1]


@pytest.mark.fault("F28")
@pytest.mark.parametrize(
    ("methods", "said"), [([], "no method"), (["x" * 900] * 200, "…")], ids=["none", "a-megabyte"]
)
def test_a_document_that_offers_nothing_or_too_much_is_one_line(methods: list[str], said: str) -> None:
    listed = HttpResponse(200, (), document(token_endpoint_auth_methods_supported=methods))
    warning = Run({WELL_KNOWN: listed, "idp.example/token": TOKEN}).of(given()).warnings[-1]
    assert warning.endswith(said)
    assert len(warning) < 2200


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"fetched_at": "x", "url": 1, "document": 2}', b"\xff"]
)
def test_an_entry_that_is_none(data: bytes) -> None:
    assert KnownMetadata.load(data, ISSUER, ()) is None
